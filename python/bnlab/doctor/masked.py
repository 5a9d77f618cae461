"""Statistics of the real positions alone, where a mask says which positions are padding."""
from typing import Any, Callable, Dict, Iterator, Optional

import torch
from torch import Tensor, nn

from bnlab.doctor import exact, passes
from bnlab.doctor.batches import Batches, WrongArgument
from bnlab.doctor.facts import numbers
from bnlab.doctor.state import has_statistics, scratch


def _shrunk(mask: Tensor, axis: int, size: int) -> Optional[Tensor]:
    """Every k-th position, where a stride of k makes this size; None if none does."""
    whole = mask.size(axis)
    if size == whole:
        return mask
    step = round(whole / size) if size else 0
    if step < 2 or size not in (whole // step, -(-whole // step)):
        return None
    return mask.index_select(axis, torch.arange(0, whole, step, device=mask.device)[:size])


def fitted(mask: Tensor, x: Tensor) -> Optional[Tensor]:
    """The mask (N,L) or (N,H,W) for the positions (N,*) of x (N,C,*); a mask (N,L) says of (N,C,H,L) which columns are real.
    None if it does not fit."""
    if x.dim() < 3 or mask.size(0) != x.size(0):
        return None
    mask = mask.to(x.device)
    if mask.dim() == 2 and x.dim() == 4:
        mask = mask[:, None, :].expand(-1, x.size(2), -1)
    if mask.dim() != x.dim() - 1:
        return None
    for axis in range(1, mask.dim()):
        mask = _shrunk(mask, axis, x.size(axis + 1))
        if mask is None:
            return None
    return mask


class Real:
    """The batches, and a function that takes from a layer's inputs (N,C,*) the real positions, (M,C)."""

    def __init__(self, source: Batches, mask: Callable[[Any], Tensor]) -> None:
        self._source, self._mask = source, mask
        self.loader, self.output = source.loader, source.output
        self._now: Optional[Tensor] = None

    def __iter__(self) -> Iterator[Any]:
        for batch in self._source:
            mask = self._mask(batch)
            if not isinstance(mask, Tensor) or mask.dtype != torch.bool or mask.dim() not in (2, 3, 4):
                raise WrongArgument(
                    "bnlab.doctor: expected mask(batch) to be a bool tensor (N,L) or (N,H,W), True where data are real, got "
                    f"{tuple(mask.shape) if isinstance(mask, Tensor) else type(mask).__name__} "
                    f"{getattr(mask, 'dtype', '')}".rstrip() + "."
                )  # fmt: skip
            self._now = mask
            yield batch

    def __call__(self, x: Tensor) -> Optional[Tensor]:
        mask = fitted(self._now, x)
        if mask is None or not bool(mask.any()):
            return None
        return x.detach().movedim(1, -1)[mask]


def compare(found: Any, mask: Callable[[Any], Tensor]) -> None:
    real = Real(found.source, mask)
    seen: Dict[nn.Module, passes.Inputs] = {layer: passes.Inputs() for layer in found.layers}
    with passes.watching_inputs(seen, select=real) as next_batch:
        for batch in real:
            next_batch()
            found.source.output(batch)
    padded = False
    for layer, inputs in seen.items():
        moments, whole = inputs.moments, found.inputs[layer].moments.count
        if moments.count:
            share = moments.count / whole
            padded |= share < 1
            found.more_of[layer]["real"] = {
                "share": share, "mean": numbers(moments.mean), "var_biased": numbers(moments.var_biased),
            }  # fmt: skip
    called = [layer for layer in found.layers if found.inputs[layer].moments.count]
    found.more["padding"] = {"unmatched": [found.names[layer] for layer in called if not seen[layer].moments.count]}
    if padded and found.running.has_losses:
        needs = None if found.exact is None else found.exact.needs
        statistics = exact.take(found.layers, seen, real, needs, real).values()
        with scratch([layer for layer in found.layers if has_statistics(layer)], statistics):
            losses = passes.run(found.source, found.source, found.loss).losses
        found.more["padding"]["real"] = numbers(losses)
