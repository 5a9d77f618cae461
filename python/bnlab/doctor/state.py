"""What the doctor must leave as it found it, and how it gets its model: state saved and restored."""
import contextlib
import random
import signal
import sys
import threading
from typing import Any, Dict, Iterator, List, Optional, Tuple

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.lazy import LazyModuleMixin


def unwrapped(model: nn.Module) -> nn.Module:
    """The model inside DataParallel, DistributedDataParallel and torch.compile."""
    while True:
        if isinstance(model, (nn.DataParallel, nn.parallel.DistributedDataParallel)):
            model = model.module
        elif isinstance(getattr(model, "_orig_mod", None), nn.Module):
            model = model._orig_mod
        else:
            return model


def norm_layers(model: nn.Module) -> Dict[nn.Module, str]:
    """All batch normalization layers, each once, by the first of its names. ValueError for what cannot be looked into."""
    layers = {}
    for name, module in model.named_modules():
        if isinstance(module, torch.jit.ScriptModule):
            raise ValueError(
                f"bnlab.doctor: {name or 'the model'} is TorchScript, which has no hooks; give it the model before "
                "torch.jit.script."
            )
        if isinstance(module, _BatchNorm):
            if isinstance(module, LazyModuleMixin):
                raise ValueError(f"bnlab.doctor: {name} does not know its channels yet; run a batch through the model first.")
            layers.setdefault(module, name or type(module).__name__)
    return layers


def has_statistics(layer: nn.Module) -> bool:
    return layer.running_mean is not None and layer.running_var is not None


class RandomState:
    """The generators of torch, NumPy and Python, and those of the loader: saved now, restored by restore()."""

    def __init__(self, loader: Any = None) -> None:
        self._torch = torch.get_rng_state()
        self._cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_available() and torch.cuda.is_initialized() else None
        self._python = random.getstate()
        numpy = sys.modules.get("numpy")
        self._numpy = numpy.random.get_state() if numpy is not None else None
        self._own = [(generator, generator.get_state()) for generator in _generators_of(loader)]

    def restore(self) -> None:
        torch.set_rng_state(self._torch)
        if self._cuda is not None:
            torch.cuda.set_rng_state_all(self._cuda)
        random.setstate(self._python)
        if self._numpy is not None:
            sys.modules["numpy"].random.set_state(self._numpy)
        for generator, state in self._own:
            generator.set_state(state)


def _generators_of(loader: Any) -> List[torch.Generator]:
    found = []
    holders = [loader, getattr(loader, "sampler", None), getattr(loader, "batch_sampler", None)]
    holders += [getattr(holder, "sampler", None) for holder in holders]
    for holder in holders:
        generator = getattr(holder, "generator", None)
        if isinstance(generator, torch.Generator) and not any(generator is each for each in found):
            found.append(generator)
    return found


@contextlib.contextmanager
def uninterrupted() -> Iterator[None]:
    """Ctrl-C waits until the end of the block."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    pressed = []
    try:
        before = signal.signal(signal.SIGINT, lambda *_: pressed.append(True))
    except ValueError:  # a thread of another interpreter
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before if before is not None else signal.default_int_handler)
        if pressed:
            raise KeyboardInterrupt


class _Saved:
    """A module's mode, hooks, and buffers with their values."""

    HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks")

    def __init__(self, module: nn.Module) -> None:
        self.module = module
        self.training = module.training
        self.compiled = vars(module).get("_compiled_call_impl")
        self.hooks = {name: dict(getattr(module, name)) for name in self.HOOKS}
        self.buffers: List[Tuple[str, Optional[Tensor], Optional[Tensor], Optional[int]]] = []
        for name, buffer in module._buffers.items():
            values = None if buffer is None else buffer.detach().clone()
            self.buffers.append((name, buffer, values, _version(buffer)))

    def restore(self) -> None:
        module = self.module
        module.training = self.training
        if self.compiled is not None:
            module._compiled_call_impl = self.compiled
        for name, hooks in self.hooks.items():
            current = getattr(module, name)
            for key in [key for key in current if key not in hooks]:
                del current[key]
        for name, buffer, values, version in self.buffers:
            module._buffers[name] = buffer
            if buffer is not None and (version is None or buffer._version != version):
                with torch.no_grad():
                    buffer.copy_(values)


def _version(tensor: Optional[Tensor]) -> Optional[int]:
    return None if tensor is None or tensor.is_inference() else tensor._version


@contextlib.contextmanager
def as_found(model: nn.Module, loader: Any = None) -> Iterator[None]:
    """In the block the model is in evaluation mode, uncompiled, and records no gradients; afterwards, whatever happened,
    modes, hooks, buffers and random numbers are what they were."""
    saved = [_Saved(module) for module in model.modules()]
    numbers = RandomState(loader)
    try:
        with torch.no_grad():
            for state in saved:
                state.module.training = False
                if state.compiled is not None:
                    state.module._compiled_call_impl = None
            yield
    finally:
        with uninterrupted():
            for state in saved:
                state.restore()
            numbers.restore()


@contextlib.contextmanager
def scratch(layers, statistics: Optional[Dict[nn.Module, Tuple[Tensor, Tensor]]] = None, training: bool = False):
    """The layers over copies of their buffers: in training mode, or with those (mean, variance) as running statistics."""
    before = [(layer, dict(layer._buffers), layer.training) for layer in layers]
    try:
        for layer, buffers, _ in before:
            for name, buffer in buffers.items():
                if buffer is not None:
                    layer._buffers[name] = buffer.detach().clone()
            layer.training = training
            if statistics is not None and layer in statistics and has_statistics(layer):
                mean, variance = statistics[layer]
                layer.running_mean.copy_(mean)
                layer.running_var.copy_(variance)
        yield
    finally:
        for layer, buffers, mode in before:
            layer._buffers.update(buffers)
            layer.training = mode
