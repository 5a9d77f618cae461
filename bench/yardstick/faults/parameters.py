"""Faults of weights, of eps, and of where a layer stands: N16, N17, N18, N20, N21."""
import bnlab
import torch
from torch import nn

from yardstick import truth
from yardstick.case import NOTE, Case
from yardstick.data import CLASSES
from yardstick.faults.common import log_uniform, pick
from yardstick.topologies import norms, producer_of


def scale_inputs(model, name, factor):
    """The producer's outputs and the layer's statistics times factor (a number or one a channel): the same function, but
    for eps."""
    layer, producer = norms(model)[name], producer_of(model, name)
    factor = torch.as_tensor(factor).expand(layer.num_features)
    with torch.no_grad():
        producer.weight *= factor.reshape(-1, *[1] * (producer.weight.dim() - 1))
        layer.running_mean *= factor
        layer.running_var *= factor**2


def produced(base):
    return [name for name in base.order if producer_of(base.model, name) is not None]


def n16(base, u, generator):
    """Statistics at or above the largest float16."""
    model = base.copy()
    (name,) = pick(produced(base), 1, generator)
    layer, times = norms(model)[name], log_uniform(u, 0.3, 1000)
    scale_inputs(model, name, (times * 65504 / float(layer.running_var.max())) ** 0.5)
    overflows = any(bool(torch.isinf(values.half()).any()) for values in (layer.running_mean, layer.running_var))
    return Case(base, model, [name], f"largest variance {times:.2g} times 65504", needs=NOTE if overflows else None)


def n17(base, u, generator):
    """Weights of one eps, used with another, where variances are small."""
    model, variance = base.copy(), log_uniform(u, 0.1, 3e-5)
    trained, used = ((1e-3, 1e-5), (1e-5, 1e-3))[int(torch.randint(2, (), generator=generator))]
    for name, layer in norms(model).items():
        before, factor = layer.running_var + layer.eps, 1.0
        if producer_of(model, name) is not None:
            factor = (variance / float(layer.running_var.median())) ** 0.5
            scale_inputs(model, name, factor)
        with torch.no_grad():
            layer.weight *= ((layer.running_var + trained) / before).sqrt() / factor
        layer.eps = trained
        layer.num_batches_tracked.fill_(10000)  # so many that nothing is left of the initial values
    sound = truth.loss_of(model, base.data.held_out)
    for layer in norms(model).values():
        layer.eps = used
    case = Case(base, model, base.order, f"eps {used} for {trained}, variances of {variance:.2g}", sound=sound,
                faulty=truth.loss_of(model, base.data.held_out), consequences={"N01", "N18"})  # fmt: skip

    def set_eps(report):
        remedy = next(each.remedy for each in report.findings if each.id == "N17")
        number = remedy.split("Set eps to ")[1].split(",")[0] if "Set eps to " in remedy else used
        for layer in norms(model).values():
            layer.eps = float(number)
        return report.again()

    case.mend = set_eps
    return case


def n18(base, u, generator):
    """Channels switched off, or with almost no variance and a gain of hundreds that makes up for it."""
    model = base.copy()
    (name,) = pick(produced(base), 1, generator)
    layer = norms(model)[name]
    channels = torch.randperm(layer.num_features, generator=generator)[: 1 + int(3 * u)]
    with torch.no_grad():
        if torch.rand((), generator=generator) < 0.5:
            layer.weight[channels] = log_uniform(u, 5e-5, 1e-12)
            truth.set_exact(model, base.data.seen, base.order)  # as if trained so
            return Case(base, model, [name], f"{len(channels)} gammas of about 0", needs=NOTE)
        factor = torch.ones(layer.num_features)
        factor[channels] = log_uniform(u, 1e-3, 1e-5)
        before = (layer.running_var + layer.eps).sqrt()
        scale_inputs(model, name, factor)
        layer.weight *= (layer.running_var + layer.eps).sqrt() / before / factor
    return Case(base, model, [name], f"{len(channels)} inputs times {float(factor.min()):.1g}", needs=NOTE)


def n20(base, u, generator):
    """Biases in front, which the running means take away again."""
    model, names = base.copy(), produced(base)
    layers = pick(names, max(1, int(log_uniform(u, 1, len(names) + 0.99))), generator)
    for name in layers:
        layer = norms(model)[name]
        bias = 0.3 * torch.randn(layer.num_features, generator=generator)
        producer_of(model, name).bias = nn.Parameter(bias)
        layer.running_mean += bias

    def without(report):
        for name in layers:
            producer = producer_of(model, name)
            norms(model)[name].running_mean -= producer.bias.detach()
            producer.bias = None
        return report.again()

    return Case(base, model, layers, f"{len(layers)} biases", needs=NOTE, mend=without)


def n21(base, u, generator):
    """Normalized scores."""
    scores = nn.BatchNorm1d(CLASSES)
    model = nn.Sequential(base.copy(), scores)
    with torch.no_grad():
        of_base = torch.cat([base.model(x) for x in base.data.seen[0].split(256)])
        scores.running_mean.copy_(of_base.mean(0))
        scores.running_var.copy_(of_base.var(0))
        scores.weight.copy_((1 - 0.5 * u) * of_base.std(0))
        scores.bias.copy_(of_base.mean(0))
    return Case(base, model, ["1"], "normalized scores", needs=NOTE, mend=lambda report: bnlab.doctor(model[0], base.loader))
