"""A loader's batches as calls of the model: tensors, tuples or dicts, on the model's device and in its type."""
import inspect
import itertools
from collections.abc import Mapping
from typing import Any, Callable, Dict, Iterator, NamedTuple, Optional, Tuple

import torch
from torch import Tensor, nn

from bnlab.doctor.state import RandomState

_TARGETS = ("labels", "label", "targets", "target", "y")


class WrongArgument(ValueError):
    """What the caller can correct; it is not put off to the report."""


class Call(NamedTuple):
    args: Tuple
    kwargs: Dict[str, Any]
    target: Any
    samples: int


def first_tensor(value: Any) -> Optional[Tensor]:
    if isinstance(value, Tensor):
        return value
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        for each in value:
            found = first_tensor(each)
            if found is not None:
                return found
    return None


def mapped(value: Any, change: Callable[[Tensor], Tensor]) -> Any:
    """value with all its tensors changed."""
    if isinstance(value, Tensor):
        return change(value)
    if isinstance(value, Mapping):
        return {key: mapped(each, change) for key, each in value.items()}
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*(mapped(each, change) for each in value))
    if isinstance(value, (list, tuple)):
        return type(value)(mapped(each, change) for each in value)
    return value


class Batches:
    """The loader, the same batches in the same order in every pass.

    forward: None, or (model, batch) -> (output, target) for batches that the model does not take as they are: without
    it, a dict gives arguments by name, and the last of a tuple or list is the target.
    """

    def __init__(self, model: nn.Module, loader: Any, forward: Optional[Callable], limit: Optional[int]) -> None:
        if hasattr(loader, "__next__"):  # not iter(loader), which may draw random numbers
            if limit is None:
                raise ValueError(
                    "bnlab.doctor: the loader can be read only once, and it takes several passes; give it one that begins "
                    "again (a DataLoader, a list), or batches=N to keep the first N."
                )
            loader = list(itertools.islice(loader, limit))
        self.model, self.loader, self.forward, self.limit = model, loader, forward, limit
        tensors = itertools.chain(model.parameters(), model.buffers())
        like = next((tensor for tensor in tensors if tensor.is_floating_point()), torch.zeros(()))
        self._device, self._dtype = like.device, like.dtype
        self._parameters = _parameters_of(model)

    def of(self, model: nn.Module) -> "Batches":
        """The same batches for another model, in its type and on its device."""
        twin = Batches(model, self.loader, self.forward, self.limit)
        if hasattr(self, "_start"):
            twin._start = self._start
        return twin

    def __iter__(self) -> Iterator[Any]:
        """The batches as the loader gives them; random numbers as at the first pass."""
        if not hasattr(self, "_start"):
            self._start = RandomState(self.loader)
        self._start.restore()
        return iter(itertools.islice(self.loader, self.limit))

    def output(self, batch: Any) -> Tuple[Any, Any, int]:
        """The model's output, the target or None, and the number of samples."""
        if self.forward is not None:
            found = first_tensor(batch)
            if self._dtype == torch.float64:
                batch = mapped(batch, self._fit)
            output, target = self.forward(self.model, batch)
            return output, target, 1 if found is None or found.dim() == 0 else found.size(0)
        call = self.call(batch)
        return self.model(*call.args, **call.kwargs), call.target, call.samples

    def call(self, batch: Any) -> Call:
        args, kwargs, target = self._split(batch)
        args, kwargs = mapped(tuple(args), self._fit), mapped(kwargs, self._fit)
        target = mapped(target, lambda tensor: tensor.to(self._device))
        found = first_tensor((args, kwargs))
        return Call(args, kwargs, target, 1 if found is None or found.dim() == 0 else found.size(0))

    def _fit(self, tensor: Tensor) -> Tensor:
        if tensor.is_floating_point() and tensor.dtype != self._dtype:
            return tensor.to(self._device, self._dtype)
        return tensor.to(self._device)

    def _split(self, batch: Any) -> Tuple[Tuple, Dict[str, Any], Any]:
        if isinstance(batch, Mapping):
            return self._split_dict(batch)
        if isinstance(batch, (list, tuple)):
            if len(batch) > 1 and len(batch) > self._parameters.required:
                return tuple(batch[:-1]), {}, batch[-1]
            return tuple(batch), {}, None
        return (batch,), {}, None

    def _split_dict(self, batch: Mapping) -> Tuple[Tuple, Dict[str, Any], Any]:
        target = next((batch[key] for key in _TARGETS if key in batch), None)
        named = {key: value for key, value in batch.items() if key in self._parameters.names}
        if named:
            return (), named, target
        rest = [value for key, value in batch.items() if key not in _TARGETS and isinstance(value, Tensor)]
        if len(rest) == 1 or (self._parameters.required > 1 and len(rest) == self._parameters.required):
            return tuple(rest), {}, target
        return (batch,), {}, target


class _Parameters(NamedTuple):
    names: frozenset
    required: int  # positional ones without a default


def _parameters_of(model: nn.Module) -> _Parameters:
    try:
        parameters = inspect.signature(model.forward).parameters.values()
    except (TypeError, ValueError):
        return _Parameters(frozenset(), 1)
    by_position = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    named = frozenset(p.name for p in parameters if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD, p.POSITIONAL_ONLY))
    return _Parameters(named, sum(p.kind in by_position and p.default is p.empty for p in parameters))
