"""Layers whose inputs are far from 0, in contiguous and in channels-last order, against themselves in double."""
import contextlib
import copy
import math
from typing import Any, Dict, Iterator, List, Optional

import torch
from torch import Tensor, nn

from bnlab.doctor import passes
from bnlab.doctor.batches import first_tensor
from bnlab.doctor.facts import number, numbers
from bnlab.doctor.state import scratch
from bnlab.modules import eps_of

_FAR = 1e3  # |mean| / deviation, below which float32 has digits enough
_CHANNELS_LAST = {4: torch.channels_last, 5: torch.channels_last_3d}


def _ratio(found: Any, layer: nn.Module) -> float:
    moments = found.inputs[layer].moments
    if not moments.count:
        return 0.0
    ratios = moments.mean.abs() / (moments.var_biased + eps_of(layer)).clamp(min=1e-300).sqrt()
    ratios = ratios[torch.isfinite(ratios)]
    return float(ratios.max()) if len(ratios) else 0.0


def _inputs(found: Any, layers: List[nn.Module]) -> Dict[nn.Module, Tensor]:
    """What the layers get of the first batch, in the order in which it lies."""
    seen: Dict[nn.Module, Tensor] = {}
    handles = []

    def see(layer: nn.Module, args) -> None:
        x = first_tensor(args)
        if x is not None and x.dim() in _CHANNELS_LAST and x.dtype == torch.float32:
            seen.setdefault(layer, x.detach())

    try:
        for layer in layers:
            handles.append(layer.register_forward_pre_hook(see))
        found.source.output(next(passes.head(found.source, 1)))
    finally:
        for handle in handles:
            handle.remove()
    return seen


def _is_channels_last(x: Tensor) -> bool:
    return x.is_contiguous(memory_format=_CHANNELS_LAST[x.dim()]) and not x.is_contiguous()


def _twin(layer: nn.Module) -> nn.Module:
    """A copy without hooks, that normalizes by the batch."""
    twin = copy.deepcopy(layer)
    for hooks in (twin._forward_hooks, twin._forward_pre_hooks, twin._backward_hooks):
        hooks.clear()
    twin.training = True
    return twin


def _error(y: Tensor, right: Tensor) -> float:
    deviation = float(right.std(unbiased=False))
    error = float((y.double() - right).abs().max())
    return error / deviation if deviation > 0 else error


def _precision(layer: nn.Module, x: Tensor, ratio: float) -> Dict[str, Any]:
    right = _twin(layer).double()(x.double().contiguous())
    return {
        "ratio": number(ratio),
        "channels_last": _is_channels_last(x),
        "error_contiguous": number(_error(_twin(layer)(x.contiguous()), right)),
        "error_channels_last": number(_error(_twin(layer)(x.contiguous(memory_format=_CHANNELS_LAST[x.dim()])), right)),
    }


@contextlib.contextmanager
def _in_order(layers: List[nn.Module], channels_last: bool) -> Iterator[None]:
    handles = []

    def reorder(layer: nn.Module, args):
        x = args[0]
        order = _CHANNELS_LAST.get(x.dim()) if channels_last else torch.contiguous_format
        return args if order is None else (x.contiguous(memory_format=order), *args[1:])

    try:
        for layer in layers:
            handles.append(layer.register_forward_pre_hook(reorder))
        yield
    finally:
        for handle in handles:
            handle.remove()


def _losses(found: Any, layers: List[nn.Module], channels_last: bool) -> Optional[List[float]]:
    with scratch(found.layers, training=True), _in_order(layers, channels_last):
        result = passes.run(passes.head(found.source), found.source, found.loss)
    return result.losses if result.has_losses else None


def compare(found: Any, _: Any) -> None:
    ratios = {layer: _ratio(found, layer) for layer in found.layers}
    far = [layer for layer in found.layers if ratios[layer] > _FAR and math.isfinite(ratios[layer])]
    seen = _inputs(found, far) if far else {}
    for layer, x in seen.items():
        found.more_of[layer]["precision"] = _precision(layer, x, ratios[layer])
    if seen:
        contiguous, last = _losses(found, list(seen), False), _losses(found, list(seen), True)
        if contiguous is not None and last is not None:
            found.more["formats"] = {"contiguous": numbers(contiguous), "channels_last": numbers(last)}
