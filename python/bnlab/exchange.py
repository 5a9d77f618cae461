"""What the ranks of a torch.distributed group tell each other about one batch normalization, checked before it is used.

Every message begins with a part of the same size, whatever the layer: ranks that are at different layers, or in different
passes, then read each other's heads and say so on all ranks, where messages of different sizes would make Gloo write
beyond their ends or abort. A rank that waits says for what.
"""
import itertools
import time
import warnings
import weakref
from datetime import timedelta
from typing import Any, List, NamedTuple

import torch
import torch.distributed as dist
from torch import Tensor

_FIRST = 1024  # numbers in the first part, besides the head: all of a layer of up to 512 channels
PATIENCE = 60.0  # seconds until a rank that waits for others warns
_SLICE = timedelta(seconds=1)  # after which a wait lets Python see signals, such as Ctrl-C
_ALIKE = (
    "call the same layers on all ranks of the group, in the same order and all in training mode, with an empty batch where "
    "a rank has no data, and go backward through them on all ranks or on none"
)


class Head(NamedTuple):
    """The first five must be the same on all ranks."""

    is_backward: float
    place: float  # which layer of the group, from 1 on
    channels: float
    size: float  # of the message without its head
    eps: float
    count: float = 0  # values per channel of this rank
    role: float = 0  # in the backward pass: one of those below

    def __str__(self) -> str:
        of = "backward" if self.is_backward else "forward"
        return f"the {of} pass of layer {self.place:.0f} ({self.channels:.0f} channels, eps {self.eps:g})"


ABSENT, PRESENT, ASKING = 0, 1, 2  # has no backward pass; has one; needs the sums of all ranks in it


class Part(NamedTuple):
    head: Head
    values: Tensor


_places = weakref.WeakKeyDictionary()  # group: (counter, {layer: place})


def place_of(layer: torch.nn.Module, group: Any) -> int:
    """The number of the layer among those of the group, in the order in which they asked first."""
    counter, places = _places.setdefault(
        group if group is not None else dist.distributed_c10d._get_default_group(),
        (itertools.count(1), weakref.WeakKeyDictionary()),
    )
    if layer not in places:
        places[layer] = next(counter)
    return places[layer]


def copy_places(layer: torch.nn.Module, to: torch.nn.Module) -> None:
    """So that a rank may go on with a copy, where others go on with the layer."""
    for _, places in _places.values():
        if layer in places:
            places[to] = places[layer]


def _wait(work: Any, head: Head) -> None:
    began, warned = time.monotonic(), False
    while True:
        try:
            work.wait(_SLICE)
            return
        except RuntimeError:
            if work.is_completed():
                break
        if not warned and time.monotonic() - began > PATIENCE:
            warned = True
            warnings.warn(
                f"SyncBatchNorm: rank {dist.get_rank()} has waited {PATIENCE:g} s for other ranks, in {head}; {_ALIKE}.",
                RuntimeWarning,
            )
    try:
        work.wait()
    except RuntimeError as error:
        raise RuntimeError(
            f"SyncBatchNorm: rank {dist.get_rank()} did not hear from all other ranks, in {head}; if none of them has failed, "
            f"{_ALIKE}."
        ) from error


def _gathered(values: Tensor, group: Any, head: Head) -> List[Tensor]:
    """Of each rank, in their order. values: (n) double on the CPU, n the same everywhere."""
    with torch.inference_mode(False):  # other threads write to them, which are not in that mode
        found = [torch.empty(values.shape, dtype=values.dtype) for _ in range(dist.get_world_size(group))]
    _wait(dist.all_gather(found, values, group=group, async_op=True), head)
    return found


def exchange(values: Tensor, head: Head, group: Any) -> List[Part]:
    """Every rank's part, in their order. values: (head.size) double. RuntimeError, on all ranks, if they are not at one place."""
    length = len(head)
    first = values.new_zeros(length + _FIRST)
    first[:length] = values.new_tensor(head)
    first[length : length + values.numel()] = values[:_FIRST]
    found = _gathered(first, group, head)
    heads = [Head(*each[:length].tolist()) for each in found]
    for rank, other in enumerate(heads):
        if other[:5] != heads[0][:5]:
            raise RuntimeError(f"SyncBatchNorm: rank 0 is in {heads[0]}, but rank {rank} in {other}; {_ALIKE}.")
    parts = [each[length : length + values.numel()] for each in found]
    if values.numel() > _FIRST:
        parts = [torch.cat(both) for both in zip(parts, _gathered(values[_FIRST:].contiguous(), group, head))]
    return [Part(*part) for part in zip(heads, parts)]
