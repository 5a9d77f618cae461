"""Faults of the running statistics, which exact ones mend: N01 to N04, N15."""
import torch

from yardstick import truth
from yardstick.case import WARNING, Case
from yardstick.faults.common import forward_in_training, log_uniform, pick, some
from yardstick.topologies import norms


def of_statistics(base, model, layers, what, exact=None, **more):
    """A fault of the running statistics alone: exact ones mend it, `exact` the model with these. The first layer to be
    named is the first that departs by 0.1 deviations from them, or one before it."""
    model.eval()
    right, sound = (base.exact, base.exact_loss) if exact is None else (exact, truth.loss_of(exact, base.data.held_out))
    far = [name for name in layers if not truth.distance(norms(model)[name], norms(right)[name]) < 0.1]
    until = layers.index(far[0]) + 1 if far else len(layers)
    return Case(base, model, layers, what, faulty=truth.loss_of(model, base.data.held_out), sound=sound,
                first=layers[:until], statistics=True, consequences=more.pop("consequences", {"N01"}), **more)  # fmt: skip


def n01(base, u, generator):
    """Statistics of other data in one layer."""
    model, strength = base.copy(), log_uniform(u, 0.05, 3)
    (name,) = pick(base.order, 1, generator)
    layer = norms(model)[name]
    noise = torch.randn(2, layer.num_features, generator=generator)
    layer.running_mean += strength * noise[0] * layer.running_var.sqrt()
    layer.running_var *= (strength * noise[1]).exp()
    return of_statistics(base, model, [name], f"statistics off by {strength:.2g} deviations")


def n02(base, u, generator):
    """Buffers of some layers not loaded."""
    model, layers = base.copy(), some(base, u, generator)
    for name in layers:
        norms(model)[name].reset_running_stats()
    return of_statistics(base, model, layers, f"{len(layers)} of {len(base.order)} layers reset")


def n03(base, u, generator):
    """A momentum too small for the number of batches; or momentum=None, which averages the whole training."""
    model = base.copy()
    if base.seed % 3 == 0:
        return _mean_over_training(base, u, generator)
    left, count = log_uniform(u, 0.003, 0.8), 40
    for layer in norms(model).values():
        layer.reset_running_stats()
        layer.momentum = 1 - left ** (1 / count)
    forward_in_training(model, base, count, generator)
    return of_statistics(base, model, base.order, f"{left:.2g} of the initial statistics left")


def _mean_over_training(base, u, generator):
    model, early = base.copy(), log_uniform(u, 0.01, 0.9)
    for layer in norms(model).values():
        layer.reset_running_stats()
        layer.momentum = None
    count = 40
    for index in range(count):
        if index < early * count:
            state = base.snapshots[min(len(base.snapshots) - 1, int(len(base.snapshots) * index / (early * count)))]
        else:
            state = base.model.state_dict()
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                parameter.copy_(state[name])
        forward_in_training(model, base, 1, generator)
    return of_statistics(base, model, base.order, f"momentum=None, {early:.2g} of the batches from early training")


def n04(base, u, generator):
    """Another library's momentum, and a last batch that is small."""
    model, size = base.copy(), int(log_uniform(u, 512, 4))
    momentum = (0.9, 0.99, 0.999)[int(torch.randint(3, (), generator=generator))]
    for layer in norms(model).values():
        layer.momentum = momentum
    forward_in_training(model, base, 3, generator, size)
    return of_statistics(base, model, base.order, f"momentum {momentum}, last batches of {size}")


def n15(base, u, generator):
    """Statistics that are no numbers, or negative variances."""
    model = base.copy()
    (name,) = pick(base.order, 1, generator)
    layer = norms(model)[name]
    count = max(1, int(log_uniform(u, 1, layer.num_features)))
    channels = torch.randperm(layer.num_features, generator=generator)[:count]
    kind = int(torch.randint(4, (), generator=generator))
    value = (float("nan"), float("inf"), -1.0, float("nan"))[kind]
    (layer.running_mean if kind == 3 else layer.running_var)[channels] = value
    what = f"{count} channels with a running {'mean' if kind == 3 else 'variance'} of {value}"
    return of_statistics(base, model, [name], what, needs=WARNING)
