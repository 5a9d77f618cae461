"""Shows on an example that a changed copy of a model computes what the model does."""
import copy
from collections.abc import Mapping
from typing import Any, Callable, Dict, Set, Tuple

import torch
from torch import Tensor, nn

from bnlab import fusion
from bnlab.graphs import random_states, set_random_states

# By the type computed in: of a tensor's own largest value, and of the largest among its kind (a gradient that is zero
# but for rounding has no scale of its own).
_TOLERANCE = {torch.float64: (1e-6, 1e-10), torch.float32: (1e-2, 1e-4)}

_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


def _tensors(value, name: str = "output") -> Dict[str, Tensor]:
    if isinstance(value, Tensor):
        return {name: value}
    items = ()
    if isinstance(value, (Mapping, list, tuple)):
        items = value.items() if isinstance(value, Mapping) else enumerate(value)
    return {key: tensor for i, item in items for key, tensor in _tensors(item, f"{name}[{i}]").items()}


def _arguments(value, dtype):
    """A copy to differentiate by; dtype None keeps the types."""
    if isinstance(value, Tensor):
        value = value.detach().clone(memory_format=torch.preserve_format)
        return value.to(dtype or value.dtype).requires_grad_() if value.is_floating_point() else value
    if isinstance(value, Mapping):
        return {key: _arguments(item, dtype) for key, item in value.items()}
    return type(value)(_arguments(item, dtype) for item in value) if type(value) in (list, tuple) else value


def _run(model: nn.Module, example: Tuple, dtype, training: bool) -> Dict[str, Dict[str, Tensor]]:
    """What the model computes, by kind and name; the model is spent afterwards."""
    arguments = _arguments(example, dtype)
    with torch.enable_grad():
        outputs = _tensors(model.train(training)(*arguments))
        inputs = {**_tensors(arguments, "input"), **dict(model.named_parameters())}
        inputs = {name: value for name, value in inputs.items() if value.requires_grad}
        # Weights of all sizes and signs, so that no two gradients cancel.
        differentiable = [y for y in outputs.values() if y.requires_grad]
        sums = [(y * torch.linspace(-1, 2, y.numel()).to(y).reshape(y.shape)).sum() for y in differentiable]
        model.zero_grad(set_to_none=True)
        if sums:
            sum(sums).backward()
    found = {name: value.grad for name, value in inputs.items() if value.grad is not None}
    outputs = {name: value.detach() for name, value in outputs.items()}
    return {"": outputs, "the gradient of ": found, "the buffer ": dict(model.named_buffers())}


def _difference(ours: Dict[str, Dict[str, Tensor]], theirs: Dict[str, Dict[str, Tensor]]) -> str:
    """What differs; "" if nothing does beyond rounding."""
    for kind, expected in theirs.items():
        if list(ours[kind]) != list(expected):
            return f"other results ({kind or 'output'})"
        floating = [value for value in expected.values() if value.is_floating_point() and value.numel()]
        largest = max((value.abs().max().item() for value in floating), default=0.0)
        for name, value in expected.items():
            other = ours[kind][name]
            if value.shape != other.shape or value.dtype != other.dtype:
                return f"{kind}{name} of another shape or type"
            if not value.numel():
                continue
            allowed = 0.0
            if value.is_floating_point():
                own, of_all = _TOLERANCE.get(value.dtype, _TOLERANCE[torch.float32])
                allowed = own * value.abs().max().item() + of_all * largest
            if not torch.allclose(other, value, rtol=0, atol=allowed, equal_nan=True):
                return f"{kind}{name} that differs by {(other - value).abs().max().item():.2g}"
    return ""


class _Trial:
    """Runs of a model and of a changed copy from the same start."""

    def __init__(self, model: nn.Module, change: Callable[[nn.Module], Any], example: Tuple) -> None:
        self.model = model
        self.change = change
        self.example = example
        self.states = random_states()

    def start(self, changed: bool, dtype) -> nn.Module:
        set_random_states(self.states)
        copied = copy.deepcopy(self.model)
        if changed:
            self.change(copied)
        return copied.to(dtype) if dtype else copied

    def expected(self, training: bool):
        """What the model computes, and the type that it can compute in: double, or None for its own."""
        try:
            return _run(self.start(False, torch.float64), self.example, torch.float64, training), torch.float64
        except Exception:  # whatever the user's model raises
            return _run(self.start(False, None), self.example, None, training), None

    def outputs_of_changed_blocks(self, changed: bool, dtype, training: bool) -> Dict[str, Tensor]:
        seen: Dict[str, Tensor] = {}

        def watch(name):
            return lambda module, inputs, output: seen.update(
                {key: value.detach().clone() for key, value in _tensors(output, f"the output of {name}").items()}
            )

        kinds = {name: type(module) for name, module in self.start(True, dtype).named_modules()}
        model = self.start(changed, dtype)
        for name, module in self.model.named_modules():
            if type(module) is not kinds[name] and not isinstance(module, (nn.ReLU, *_NORMS)):
                model.get_submodule(name).register_forward_hook(watch(name or type(module).__name__))
        with torch.no_grad():
            model.train(training)(*_arguments(self.example, dtype))
        return seen


def check(model: nn.Module, change: Callable[[nn.Module], Any], example: Any) -> Set[str]:
    """ValueError unless outputs, gradients and buffers stay the same, in both modes, when a copy is changed.

    Returns the names of the layers that fused blocks computed in one pass.
    """
    trial = _Trial(model, change, example if isinstance(example, tuple) else (example,))
    fused: Set[str] = set()
    try:
        for training in (True, False):
            mode = "training" if training else "evaluation"
            try:
                theirs, dtype = trial.expected(training)
            except Exception as error:
                raise ValueError(f"bnlab.convert: the model fails on the example in {mode} mode: {error}") from error
            changed = trial.start(True, dtype)
            fusion.fused_layers = set()
            difference = _difference(_run(changed, trial.example, dtype, training), theirs)
            for name, module in changed.named_modules():
                if module in fusion.fused_layers:
                    fused.add(name or type(module).__name__)
            if difference:
                blocks = [{"": trial.outputs_of_changed_blocks(c, dtype, training)} for c in (True, False)]
                where = _difference(*blocks)
                raise ValueError(
                    f"bnlab.convert: nothing is changed: in {mode} mode the converted model gives {difference}"
                    f"{f' (first: {where})' if where else ''}."
                )
    finally:
        fusion.fused_layers = None
        set_random_states(trial.states)
    return fused
