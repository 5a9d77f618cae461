"""Training steps: the program's own, watched; or some on a copy of the model, which leaves the model alone."""
import copy
import functools
from typing import Any, Dict, List

import torch
from torch import nn

from bnlab.doctor import passes
from bnlab.doctor.batches import Batches, first_tensor
from bnlab.doctor.moments import Moments, of_batch
from bnlab.doctor.origins import Mix
from bnlab.doctor.state import RandomState, as_found, has_statistics, norm_layers, uninterrupted, unwrapped
from bnlab.modules import eps_of


class Steps:
    """What layers did in `count` steps: most training calls a step, how far their statistics moved, and how the inputs of a
    step's calls differ."""

    def __init__(self, watched: bool) -> None:
        self.watched = watched
        self.count = 0
        self.calls: Dict[nn.Module, int] = {}
        self.moved: Dict[nn.Module, float] = {}
        self.mixes: Dict[nn.Module, Mix] = {}
        self.loss_moved: List[float] = []
        self.loss_kept: List[float] = []


def _statistics(layer: nn.Module):
    return layer.running_mean.detach().double().clone(), layer.running_var.detach().double().clone()


def _moved(layer: nn.Module, before) -> float:
    """Root mean square over channels of the change of the running mean, in deviations, and of the deviation's logarithm."""
    mean, variance = before
    now_mean, now_variance = _statistics(layer)
    scale = (variance + eps_of(layer)).abs()
    shift = (now_mean - mean) ** 2 / scale
    stretch = ((now_variance + eps_of(layer)).abs() / scale).log() / 2
    moved = float((shift + stretch**2).mean().sqrt())
    return moved if moved == moved and moved != float("inf") else 1e300


class watch:
    """Looks on while the program trains: put it around some steps of its own loop, and give it to the doctor.

        with bnlab.doctor.watch(model, optimizer) as watched:
            train_some_steps()
        report = bnlab.doctor(model, loader, watched=watched)
    """

    def __init__(self, model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
        self._layers = list(norm_layers(unwrapped(model)))
        self._optimizer = optimizer
        self.steps = Steps(watched=True)

    def __enter__(self) -> "watch":
        self._now = {layer: 0 for layer in self._layers}
        self._inputs = {layer: (Moments(), Moments()) for layer in self._layers}
        self._before = {layer: _statistics(layer) for layer in self._layers if has_statistics(layer)}
        self._handles = [layer.register_forward_pre_hook(self._see) for layer in self._layers]
        self._own_step = vars(self._optimizer).get("step")
        step = self._optimizer.step

        @functools.wraps(step)
        def counted(*args, **kwargs):
            result = step(*args, **kwargs)
            self._end_step()
            return result

        self._optimizer.step = counted
        return self

    def __exit__(self, *_: Any) -> None:
        with uninterrupted():
            for handle in self._handles:
                handle.remove()
            if self._own_step is None:
                del self._optimizer.step
            else:
                self._optimizer.step = self._own_step
            for layer in self._layers:
                self.steps.calls.setdefault(layer, 0)
                before = self._before.get(layer)
                self.steps.moved[layer] = 0.0 if before is None else _moved(layer, before)

    def _see(self, layer: nn.Module, args) -> None:
        if layer.training and torch.is_grad_enabled():
            self._now[layer] += 1
            x = first_tensor(args)
            if x is not None and x.dim() >= 2:
                values, samples = self._inputs[layer]
                values.add(*of_batch(x))
                samples.add(*of_batch(passes.number_of_samples(x)))

    def _end_step(self) -> None:
        self.steps.count += 1
        for layer, calls in self._now.items():
            self.steps.calls[layer] = max(self.steps.calls.get(layer, 0), calls)
            self._now[layer] = 0
            self.steps.mixes.setdefault(layer, Mix()).add(*self._inputs[layer])
            self._inputs[layer] = (Moments(), Moments())


def on_a_copy(found: Any, optimizer: torch.optim.Optimizer, count: int) -> Steps:
    """Trains a copy of the model and its optimizer for some steps; the modes are what the copy's train() makes them."""
    source = found.source
    random = RandomState(source.loader)
    try:
        model, own = copy.deepcopy((found.model, optimizer))
        with torch.enable_grad():
            return _train(found, model, own, count)
    finally:
        with uninterrupted():
            random.restore()


def _train(found: Any, model: nn.Module, optimizer: torch.optim.Optimizer, count: int) -> Steps:
    names = {name: module for name, module in model.named_modules()}
    twin = {layer: names[name] if name in names else model for layer, name in found.names.items()}
    source = Batches(model, found.source.loader, found.source.forward, found.source.limit)
    before = {layer: _statistics(twin[layer]) for layer in found.layers if has_statistics(layer)}
    kept = {layer: {k: v.clone() for k, v in twin[layer]._buffers.items() if v is not None} for layer in before}
    model.train()
    with watch(model, optimizer) as watching:
        done = 0
        while done < count:
            for batch in source:
                optimizer.zero_grad()
                output, target, _ = source.output(batch)
                found.loss.tensor(output, target).mean().backward()
                optimizer.step()
                done += 1
                if done == count:
                    break
    steps = Steps(watched=False)
    steps.count = done
    for layer, own in twin.items():
        steps.calls[layer] = watching.steps.calls.get(own, 0)
        steps.moved[layer] = watching.steps.moved.get(own, 0.0)
    frozen = [
        layer for layer in before
        if layer.weight is not None and not layer.weight.requires_grad and not layer.bias.requires_grad
        and steps.moved[layer] > 0
    ]  # fmt: skip
    if frozen:
        with as_found(model, source.loader):
            steps.loss_moved = passes.run(source, source, found.loss).losses
            for layer in frozen:
                for name, value in kept[layer].items():
                    twin[layer]._buffers[name].copy_(value)
            steps.loss_kept = passes.run(source, source, found.loss).losses
    return steps
