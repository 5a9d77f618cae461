"""Which module's output a batch normalization layer gets, by the tensors that modules hand on; which dropout lies before."""
import contextlib
import weakref
from typing import Dict, Iterator, List, NamedTuple, Optional, Tuple

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.dropout import _DropoutNd

from bnlab.doctor.batches import first_tensor
from bnlab.doctor.losses import main_output

_NORMS = (_BatchNorm, nn.LayerNorm, nn.GroupNorm, nn.modules.instancenorm._InstanceNorm)


class _Event(NamedTuple):
    """A call of a module."""

    module: nn.Module
    before: Optional["_Event"]  # whose output it got


class Place(NamedTuple):
    """Where a layer stands, in its first call."""

    producer: Optional[nn.Module]
    dropout: Optional[nn.Module]  # the nearest between it and the norm before it
    is_output: bool


class Graph:
    """Watch one forward pass inside watching(); then ask."""

    def __init__(self, model: nn.Module) -> None:
        self._model = model
        self._made_by: Dict[int, Tuple[weakref.ref, _Event]] = {}  # by the tensor's address, which may be used again
        self._before: Dict[nn.Module, Optional[_Event]] = {}
        self._pending: Dict[nn.Module, List[Optional[_Event]]] = {}
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
            yield
        finally:
            for handle in handles:
                handle.remove()
            self._made_by.clear()

    def _enter(self, module: nn.Module, args) -> None:
        event = self._event_of(first_tensor(args))
        self._pending.setdefault(module, []).append(event)
        self.calls[module] = self.calls.get(module, 0) + 1
        if isinstance(module, _BatchNorm) and module not in self._before:
            self.order.append(module)
        self._before.setdefault(module, event)

    def _leave(self, module: nn.Module, args, output) -> None:
        before = self._pending[module].pop()
        y = first_tensor(output)
        if y is not None:
            self._made_by[id(y)] = (weakref.ref(y), _Event(module, before))

    def _event_of(self, x: Optional[Tensor]) -> Optional[_Event]:
        """The call that made x."""
        made, event = self._made_by.get(id(x), (None, None))
        return event if made is not None and made() is x else None

    def see_output(self, output) -> None:
        """To be called with the model's output inside watching()."""
        self._output = self._event_of(main_output(output))

    def place(self, layer: nn.Module) -> Place:
        event = self._before.get(layer)
        producer = event.module if event is not None else None
        dropout = None
        while event is not None and not isinstance(event.module, _NORMS):
            if isinstance(event.module, _DropoutNd) and event.module.p > 0:
                dropout = event.module
                break
            event = event.before
        return Place(producer, dropout, self._output is not None and self._output.module is layer)


def dropouts(model: nn.Module) -> List[nn.Module]:
    return [module for module in model.modules() if isinstance(module, _DropoutNd)]


def bias_of(module: Optional[nn.Module]) -> Optional[torch.Tensor]:
    """The bias of a convolution or linear layer."""
    return getattr(module, "bias", None) if isinstance(module, (nn.modules.conv._ConvNd, nn.Linear)) else None
