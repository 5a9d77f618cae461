"""Batch normalization folded into the convolution or linear layer in front of it: w*g and (b - mean)*g + beta, g =
gamma/sqrt(var + eps), computed in double. Source: Jacob et al. 2018, section 3.2."""
from typing import Any, Callable, List, NamedTuple

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from bnlab import modules
from bnlab.doctor.state import has_statistics
from bnlab.modules import eps_of
from bnlab.synchronized import SyncBatchNorm

_BEFORE = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.Linear)
_PLAIN = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm, modules.BatchNorm1d, modules.BatchNorm2d,
          modules.BatchNorm3d, SyncBatchNorm)  # fmt: skip


class Pair(NamedTuple):
    before: nn.Module
    norm: _BatchNorm
    owners: List  # (module, key) where the norm stands


def pairs(found: Any) -> List[Pair]:
    """What can be folded: both called once a pass, the one with the other's output, neither with hooks or parametrized."""
    result = []
    for layer in found.layers:
        if layer not in found.graph.calls:
            continue
        producers = found.graph.place(layer).producers
        if len(producers) != 1 or not producers[0].only_here:
            continue
        before = producers[0].module
        once = found.graph.calls.get(before) == found.graph.calls.get(layer) == 1
        if not once or type(before) not in _BEFORE or type(layer) not in _PLAIN or not has_statistics(layer):
            continue
        if before._forward_pre_hooks or before._forward_hooks or layer._forward_hooks or layer._forward_pre_hooks:
            continue
        channels = before.out_features if isinstance(before, nn.Linear) else before.out_channels
        if channels == layer.num_features:
            result.append(Pair(before, layer, _owners(found.model, layer)))
    return [pair for pair in result if pair.owners]


def _owners(model: nn.Module, layer: nn.Module) -> List:
    return [(owner, key) for owner in model.modules() for key, child in owner._modules.items() if child is layer]


def fold(chosen: List[Pair]) -> Callable[[], None]:
    """Folds; returns what undoes it."""
    saved = []
    for before, norm, owners in chosen:
        saved.append((before.weight.detach().clone(), before.bias))
        gain = (norm.running_var.double() + eps_of(norm)).rsqrt()
        if norm.weight is not None:
            gain = gain * norm.weight.double()
        old = 0 if before.bias is None else before.bias.double()
        shift = (old - norm.running_mean.double()) * gain
        if norm.bias is not None:
            shift = shift + norm.bias.double()
        weight = before.weight.double() * gain.reshape([-1] + [1] * (before.weight.dim() - 1))
        before.weight.copy_(weight)
        bias = nn.Parameter(shift.to(before.weight.dtype), requires_grad=before.weight.requires_grad)
        before._parameters["bias"] = bias
        for owner, key in owners:
            owner._modules[key] = nn.Identity().train(norm.training)

    def undo() -> None:
        for (before, norm, owners), (values, bias) in zip(chosen, saved):
            before.weight.copy_(values)
            before._parameters["bias"] = bias
            for owner, key in owners:
                owner._modules[key] = norm

    return undo

