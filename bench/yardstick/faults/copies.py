"""Faults of a model that is made of another, or stands beside others: N07 (averages), N10 (ranks), N24 (folded, rounded)."""
import copy

import bnlab
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel

from yardstick import ranks, truth
from yardstick.case import NOTE, Case
from yardstick.data import batches
from yardstick.faults.common import forward_in_training, kind_of, log_uniform, pick
from yardstick.faults.statistics import of_statistics
from yardstick.topologies import norms, producer_of
from yardstick.training import train


def n07(base, u, generator):
    """The average of the weights over some more training, with statistics of other weights: those that training started
    from, in AveragedModel or in an average of one's own, or those of the model that is trained."""
    kind, rate = kind_of(base, 3), log_uniform(u, 1e-3, 0.3)
    donor = base.copy()
    averaged = AveragedModel(donor)
    train(donor, base.data, batches(base.data.train, 64, generator), rate, generator, decays=False,
          each=lambda _: averaged.update_parameters(donor))  # fmt: skip
    model = averaged if kind == 0 else averaged.module
    if kind == 2:
        model.load_state_dict(dict(donor.named_buffers()), strict=False)
    whose = ("the start's, in AveragedModel", "the start's", "the trained model's")[kind]
    order = truth.order_of(model.eval(), base.data.seen[0][:2])
    return of_statistics(base, model, order, f"learning rate {rate:.2g}, statistics {whose}",
                         exact=truth.exact_twin(model, base.data.seen, order), **({} if kind == 0 else {"donor": donor}))  # fmt: skip


def n10(base, u, generator):
    """Ranks with statistics of their own and with shares of the data that are no random ones; the first one's are kept.
    One case of three in two processes, the others from what the ranks stored."""
    share, in_processes = log_uniform(u, 0.03, 1), kind_of(base, 3) == 0
    count = 2 if in_processes else 2 + int(torch.randint(3, (), generator=generator))
    y = base.data.train[1]
    by_class = y.argsort(stable=True)
    models = []
    for own in by_class.tensor_split(count):
        models.append(base.copy())
        others = torch.randint(len(y), own.shape, generator=generator)
        rows = torch.where(torch.rand(len(own), generator=generator) < share, own, others)
        forward_in_training(models[-1], base, 40, generator, rows=rows)
    case = of_statistics(base, models[0], base.order, f"{count} ranks, {share:.0%} of whose data are of some classes")

    def look(models):
        if in_processes:
            return ranks.examine(base.topology, models, base.loader)
        return bnlab.doctor(models[0], base.loader, ranks=[model.state_dict() for model in models])

    def one_for_all(report):
        merged = base.copy()
        for name, layer in norms(merged).items():
            means, variances = (torch.stack([getattr(norms(model)[name], key) for model in models]) for key in
                                ("running_mean", "running_var"))  # fmt: skip
            layer.running_mean.copy_(means.mean(0))
            layer.running_var.copy_(variances.mean(0) + means.var(0, unbiased=False))
        return look([merged] * count)

    case.examine = lambda: look(models)
    case.mend = one_for_all
    return case


def folded_by_hand(base):
    """(model without the layers directly behind a convolution or linear layer, which took them in, and their names)"""
    model, names = base.copy(), []
    for name, layer in norms(base.model).items():
        producer = producer_of(model, name)
        if producer is None:
            continue
        with torch.no_grad():
            gain = layer.weight / (layer.running_var + layer.eps).sqrt()
            producer.weight *= gain.reshape(-1, *[1] * (producer.weight.dim() - 1))
            producer.bias = nn.Parameter(layer.bias - gain * layer.running_mean)
        head, _, last = name.rpartition(".")
        setattr(model.get_submodule(head), last, nn.Identity())
        names.append(name)
    return model, names


def n24(base, u, generator):
    """Folded, and then rounded with one step for all channels; or folded with statistics that are wrong in one layer."""
    if kind_of(base, 2) == 0:
        model, names = folded_by_hand(base)
        levels = log_uniform(u, 4096, 6)
        with torch.no_grad():
            for name in names:
                weight = producer_of(model, name).weight
                step = 2 * weight.abs().max() / levels
                weight.copy_((weight / step).round() * step)
        what = f"folded, {levels:.0f} steps for all channels of a layer"
    else:
        strength, twin = log_uniform(u, 1e-4, 3), copy.copy(base)
        (name,) = names = pick([name for name in base.order if producer_of(base.model, name) is not None], 1, generator)
        twin.model = base.copy()
        layer = norms(twin.model)[name]
        layer.running_mean += strength * layer.running_var.sqrt() * torch.randn(layer.num_features, generator=generator)
        model, what = folded_by_hand(twin)[0], f"folded with means off by {strength:.2g} deviations"
    carriers = [_name_of(model, producer_of(model, name)) for name in base.order if name in names]
    with torch.no_grad():
        own, right = (each(base.data.seen[0][:256]).double() for each in (model, base.model))
    error = float((own - right).square().mean().sqrt() / right.std())

    def fold_again(report):
        again = base.copy()
        bnlab.doctor(again, base.loader).fold()
        return bnlab.doctor(again, base.loader, reference=base.model)

    return Case(base, model, carriers, what, needs=None if error <= 0.01 else NOTE, reference=base.model, mend=fold_again, consequences={"N01"},
                faulty=truth.loss_of(model, base.data.held_out), sound=base.running_loss)  # fmt: skip


def _name_of(model, wanted):
    return next(name for name, module in model.named_modules() if module is wanted)
