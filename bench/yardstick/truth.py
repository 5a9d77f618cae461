"""What is true of a model, by plain PyTorch and nothing of the doctor's: losses, exact statistics, departures."""
import contextlib
import copy
import math

import torch
import torch.nn.functional as F

from yardstick.topologies import norms

HARM = 0.03  # of cross-entropy: what the doctor has to warn of


def loss_of(model, part, size=500):
    """Mean cross-entropy, with every layer in the mode that it is in. Buffers stay as they are."""
    model = copy.deepcopy(model)
    x, y = part
    with torch.no_grad():
        total = sum(float(F.cross_entropy(model(a), b, reduction="sum")) for a, b in zip(x.split(size), y.split(size)))
    return total / len(y)


def loss_over(model, batches):
    """The mean over batches as they are, with every layer in the mode that it is in; a last smaller one is left out."""
    model = copy.deepcopy(model)
    full = [(x, y) for x, y in batches if len(y) == len(batches[0][1])]
    with torch.no_grad():
        return sum(float(F.cross_entropy(model(x), y)) for x, y in full) / len(full)


def harm_of(faulty, sound):
    """Loss that the fault costs; infinite if the faulty loss is no number."""
    return faulty - sound if math.isfinite(faulty) else math.inf


def order_of(model, x):
    """Names of the normalization layers in order of execution, each once."""
    seen = []
    with looking(model, lambda name, inputs: seen.append(name) if name not in seen else None):
        model(x)
    return seen


@contextlib.contextmanager
def looking(model, look):
    """look(name, inputs) before each normalization layer, in evaluation mode without gradients."""
    was = model.training
    handles = [layer.register_forward_pre_hook(lambda _, args, name=name: look(name, args[0]))
               for name, layer in norms(model).items()]
    try:
        model.eval()
        with torch.no_grad():
            yield
    finally:
        model.train(was)
        for handle in handles:
            handle.remove()


def input_moments(model, part, name, size=500):
    """(mean, unbiased variance) of a layer's inputs in evaluation mode, float64."""
    seen = []
    with looking(model, lambda which, inputs: seen.append(inputs.transpose(0, 1).flatten(1)) if which == name else None):
        for x in part[0].split(size):
            model(x)
    values = torch.cat(seen, 1).double()
    return values.mean(1), values.var(1)


def set_exact(model, part, order):
    """Statistics of the whole part, layer by layer in order of execution, each with exact ones before it. In place."""
    for name in order:
        mean, variance = input_moments(model, part, name)
        layer = norms(model)[name]
        layer.running_mean.copy_(mean)
        layer.running_var.copy_(variance)
    return model


def exact_twin(model, part, order):
    return set_exact(copy.deepcopy(model).eval(), part, order)


def distance(layer, other):
    """Between the running statistics of two layers, in deviations of the second: root mean square over channels."""
    mean, var = layer.running_mean.double(), layer.running_var.double() + layer.eps
    true_mean, true_var = other.running_mean.double(), other.running_var.double() + other.eps
    squares = (mean - true_mean) ** 2 / true_var + ((var / true_var).log() / 2) ** 2
    return float(squares.mean().sqrt())


def values_a_channel(model, x, size):
    """{name: values a channel in a batch of `size`}"""
    values = {}
    with looking(model, lambda name, inputs: values.__setitem__(name, size * inputs[0, 0].numel())):
        model(x[:2])
    return values
