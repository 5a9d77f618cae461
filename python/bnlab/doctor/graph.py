"""Which module's output a batch normalization layer gets, by the tensors that modules and functions hand on; which dropout
lies before."""
import collections
import contextlib
import weakref
from typing import Any, Deque, Dict, Iterable, Iterator, List, NamedTuple, Optional, Tuple

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.dropout import _DropoutNd
from torch.overrides import TorchFunctionMode

from bnlab.doctor.batches import first_tensor
from bnlab.doctor.losses import main_output

_NORMS = (_BatchNorm, nn.LayerNorm, nn.GroupNorm, nn.modules.instancenorm._InstanceNorm)
_WITH_BIAS = (nn.modules.conv._ConvNd, nn.Linear)
_CONCATENATIONS = {"cat", "concat", "concatenate"}


class _Event:
    """A call of a module, or of a function outside the modules that are watched."""

    def __init__(self, module: Optional[nn.Module], function: str, before: Tuple["_Event", ...]) -> None:
        self.module = module
        self.function = function
        self.before = before  # whose outputs it got
        self.uses = 0  # calls that got its output


class Producer(NamedTuple):
    module: nn.Module
    only_here: bool  # nothing else gets its output


class Place(NamedTuple):
    """Where a layer stands, in its first call."""

    producers: List[Producer]  # whose outputs it gets, several through a concatenation; empty if not known
    dropout: Optional[nn.Module]  # the nearest between it and the norm before it
    is_output: bool


class Graph:
    """Watch one forward pass inside watching(); then ask."""

    def __init__(self, model: nn.Module) -> None:
        self._model = model
        self._made_by: Dict[int, Tuple[weakref.ref, _Event]] = {}  # by the tensor's address, which may be used again
        self._inputs: Dict[nn.Module, Optional[_Event]] = {}
        self._pending: List[Tuple[nn.Module, Optional[_Event]]] = []  # modules under way, the innermost last
        self.calls: Dict[nn.Module, int] = {}
        self.order: List[nn.Module] = []  # norms in order of execution
        self._output: Optional[_Event] = None

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        handles = []
        try:
            for module in self._model.modules():
                if isinstance(module, _BatchNorm) or not any(True for _ in module.children()):
                    handles.append(module.register_forward_pre_hook(self._enter))
                    handles.append(module.register_forward_hook(self._leave))
            with _Functions(self):
                yield
        finally:
            for handle in handles:
                handle.remove()
            self._made_by.clear()
            self._pending.clear()

    def _enter(self, module: nn.Module, args) -> None:
        event = self._event_of(first_tensor(args))
        if event is not None:
            event.uses += 1
        self._pending.append((module, event))
        self.calls[module] = self.calls.get(module, 0) + 1
        if isinstance(module, _BatchNorm) and module not in self._inputs:
            self.order.append(module)
            self._inputs[module] = event

    def _leave(self, module: nn.Module, args, output) -> None:
        event = None
        while self._pending and event is None:  # an exception that the model caught leaves modules under way
            entered, before = self._pending.pop()
            if entered is module:
                event = _Event(module, type(module).__name__, () if before is None else (before,))
        self._made(first_tensor(output), event)

    def see_call(self, function: str, inputs: List[Tensor], y: Tensor, in_place: bool) -> None:
        """A function's call that made y, or changed it."""
        if self._pending or (not in_place and any(x is y for x in inputs)):  # a module's own; nothing new
            return
        before = [self._event_of(x) or _Event(None, "not seen", ()) for x in inputs]
        for event in before:
            event.uses += 1
        self._made(y, _Event(None, function, tuple(before)))

    def _made(self, y: Optional[Tensor], event: Optional[_Event]) -> None:
        if y is not None and event is not None:
            self._made_by[id(y)] = (weakref.ref(y), event)

    def _event_of(self, x: Optional[Tensor]) -> Optional[_Event]:
        """The call that made x."""
        made, event = self._made_by.get(id(x), (None, None))
        return event if made is not None and made() is x else None

    def see_output(self, output) -> None:
        """To be called with the model's output inside watching()."""
        self._output = self._event_of(main_output(output))

    def place(self, layer: nn.Module) -> Place:
        event = self._inputs.get(layer)
        parts = _parts(event)
        known = all(part.module is not None for part in parts)
        producers = [Producer(part.module, part.uses == 1) for part in parts] if known else []
        return Place(producers, _dropout_before(event), self._output is not None and self._output.module is layer)


class _Functions(TorchFunctionMode):
    """Tells a graph of each call of a torch function."""

    def __init__(self, graph: Graph) -> None:
        super().__init__()
        self._graph = graph

    def __torch_function__(self, function, types, args=(), kwargs=None):
        inputs = list(_tensors([*args, *(kwargs or {}).values()]))
        versions = list(map(_version, inputs))
        output = function(*args, **(kwargs or {}))
        y = first_tensor(output)
        if y is not None:
            in_place = any(x is y and _version(x) != version for x, version in zip(inputs, versions))
            self._graph.see_call(getattr(function, "__name__", ""), inputs, y, in_place)
        return output


def _tensors(values: Iterable[Any]) -> Iterator[Tensor]:
    for value in values:
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, (tuple, list)):
            yield from (each for each in value if isinstance(each, Tensor))


def _version(x: Tensor) -> int:
    """How often x was changed in place; not known of inference tensors."""
    return 0 if x.is_inference() else x._version


def _parts(event: Optional[_Event]) -> List[_Event]:
    """What was concatenated, once each; else the event itself."""
    found: Dict[_Event, None] = {}
    waiting: List[_Event] = [] if event is None else [event]
    while waiting:
        at = waiting.pop()
        if at.module is None and at.function in _CONCATENATIONS:
            waiting.extend(reversed(at.before))
        else:
            found[at] = None
    return list(found)


def _dropout_before(event: Optional[_Event]) -> Optional[nn.Module]:
    waiting: Deque[_Event] = collections.deque([] if event is None else [event])
    seen = set()
    while waiting:
        at = waiting.popleft()
        if at in seen or isinstance(at.module, _NORMS):
            continue
        if isinstance(at.module, _DropoutNd) and at.module.p > 0:
            return at.module
        seen.add(at)
        waiting.extend(at.before)
    return None


def dropouts(model: nn.Module) -> List[nn.Module]:
    return [module for module in model.modules() if isinstance(module, _DropoutNd)]


def bias_of(module: Optional[nn.Module]) -> Optional[torch.Tensor]:
    """The bias of a convolution or linear layer."""
    return getattr(module, "bias", None) if isinstance(module, _WITH_BIAS) else None
