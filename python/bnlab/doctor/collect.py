"""From a live model and a loader to what facts.py writes down: two passes over the loader, more where they show that more
is needed."""
import contextlib
import math
from typing import Any, Dict, List, Optional

import torch
from torch import nn

from bnlab._library import first_line
from bnlab.doctor import exact, facts, passes, steps
from bnlab.doctor.batches import Batches
from bnlab.doctor.graph import Graph, dropouts
from bnlab.doctor.losses import Loss
from bnlab.doctor.moments import Moments
from bnlab.doctor.state import as_found, has_statistics, norm_layers, scratch
from bnlab.modules import eps_of

_SMALL_DIFFERENCE = 0.015  # of losses, in their scale: below it exact statistics are not taken
_LARGE_CHANGE = 0.1  # of outputs, in deviations, where there is no loss
_EPS_OF_LIBRARIES = (1e-5, 1e-3)
_SMALL_VARIANCE = 0.1  # below it such an eps matters


class Collected:
    """facts: as JSON; and what repairs need again. exact: exact.Exact, or None if not taken."""

    def __init__(self, model: nn.Module, source: Optional[Batches], loss: Loss) -> None:
        self.model, self.source, self.loss = model, source, loss
        self.names: Dict[nn.Module, str] = norm_layers(model)
        self.layers: List[nn.Module] = list(self.names)  # in order of execution once that is known
        self.graph: Optional[Graph] = None
        self.inputs: Dict[nn.Module, passes.Inputs] = {layer: passes.Inputs() for layer in self.layers}
        self.running: Optional[passes.Result] = None
        self.batch: Optional[passes.Result] = None
        self.by_exact: Optional[passes.Result] = None
        self.as_found: Optional[passes.Result] = None
        self.exact: Optional[exact.Exact] = None
        self.dropout_on: Dict[nn.Module, Moments] = {}
        self.trials: List[Dict[str, Any]] = []
        self.missing: List[Dict[str, str]] = []
        self.facts: Dict[str, Any] = {}

    def miss(self, what: str, why: str) -> None:
        self.missing.append({"what": what, "why": why.rstrip(".")})

    def loss_scale(self) -> float:
        """What counts as a large difference of losses: 1 for a log-likelihood, else the loss itself."""
        if self.loss.scale is not None:
            return self.loss.scale
        means = [abs(passes.mean_loss(result)) for result in (self.running, self.batch, self.by_exact)]
        return max(min([mean for mean in means if math.isfinite(mean)], default=1.0), 1e-12)


def collect(
    model: nn.Module,
    source: Optional[Batches],
    loss: Loss,
    optimizer: Optional[torch.optim.Optimizer] = None,
    step_count: int = 0,
    take_exact: Any = "auto",
    watched: Any = None,
) -> Collected:
    found = Collected(model, source, loss)
    modes = {layer: layer.training for layer in found.layers}
    trains = model.training
    if source is None:
        for what in ("losses", "moments", "dropout"):
            found.miss(what, "no loader was given")
    elif found.layers:
        with as_found(model, source.loader):
            _first_pass(found)
            _by_batch(found)
            if any(modes.values()) and not trains:
                _by_found_modes(found, modes)
            if take_exact is True or (take_exact == "auto" and _is_exact_needed(found)):
                measure_exact(found)
            _with_dropout(found)
            _with_other_eps(found)
    if optimizer is None:
        found.miss("optimizer", "no optimizer was given")
    of_steps = watched
    if of_steps is None and step_count > 0:
        of_steps = _own_steps(found, optimizer, step_count)
    elif of_steps is None:
        found.miss("training steps", "no steps were looked at; give an optimizer and steps=N, or watch() your own")
    found.facts = facts.of(found, modes, trains, optimizer, of_steps)
    return found


def _first_pass(found: Collected) -> None:
    """An evaluation pass: moments and values of all inputs, losses, outputs; the first batch shows the graph too."""
    source = found.source
    found.graph = Graph(found.model)
    with passes.watching_inputs(found.inputs) as next_batch, contextlib.ExitStack() as first_batch:
        first_batch.enter_context(found.graph.watching())

        def batches():
            for batch in source:
                next_batch()
                yield batch

        def each(index: int, output: Any) -> None:
            if index == 0:
                found.graph.see_output(output)
                first_batch.close()
            if index == passes.HEAD - 1:
                _keep_head(found)

        found.running = passes.run(batches(), source, found.loss, each)
    if not found.running.losses:
        raise ValueError("bnlab.doctor: the loader has no batches.")
    if len(found.running.losses) < passes.HEAD:
        _keep_head(found)
    order = found.graph.order
    found.layers = order + [layer for layer in found.layers if layer not in found.graph.calls]
    if not found.running.has_losses:
        found.miss("losses", "no loss was given, and outputs and targets are not those of a cross-entropy")


def _keep_head(found: Collected) -> None:
    for inputs in found.inputs.values():
        inputs.head = inputs.moments.copy()


def _by_batch(found: Collected) -> None:
    try:
        with scratch(found.layers, training=True):
            found.batch = passes.run(found.source, found.source, found.loss)
    except Exception as error:
        found.miss("batch", f"the model could not normalize by batches ({type(error).__name__}: {first_line(error)})")


def _by_found_modes(found: Collected, modes: Dict[nn.Module, bool]) -> None:
    layers = [layer for layer in found.layers if modes[layer]]
    try:
        with scratch(layers, training=True):
            found.as_found = passes.run(found.source, found.source, found.loss)
    except Exception as error:
        found.miss("as found", f"{type(error).__name__}: {first_line(error)}")


def _looks_untrained(found: Collected) -> bool:
    return all(
        (layer.weight is None or bool((layer.weight == layer.weight[:1]).all()))
        and (layer.bias is None or bool((layer.bias == layer.bias[:1]).all()))
        and (not has_statistics(layer) or (not bool(layer.running_mean.any()) and bool((layer.running_var == 1).all())))
        for layer in found.layers
    ) and any(layer.weight is not None for layer in found.layers)


def _is_exact_needed(found: Collected) -> bool:
    if _looks_untrained(found) or not any(has_statistics(layer) for layer in found.layers):
        return False
    if found.batch is None:
        return True
    if found.running.has_losses:
        difference = abs(passes.mean_loss(found.running) - passes.mean_loss(found.batch))
        return not difference <= _SMALL_DIFFERENCE * found.loss_scale()
    change = passes.largest_difference(found.running, found.batch)
    return change is None or not change <= _LARGE_CHANGE


def measure_exact(found: Collected) -> None:
    """Exact statistics and the losses by them. Inside state.as_found()."""
    try:
        found.exact = exact.take(found.layers, found.inputs, found.source)
        with scratch([layer for layer in found.layers if has_statistics(layer)], found.exact.values()):
            found.by_exact = passes.run(found.source, found.source, found.loss)
    except Exception as error:
        found.exact = None
        found.miss("exact", f"{type(error).__name__}: {first_line(error)}")


def _with_dropout(found: Collected) -> None:
    """The first batches once more with dropout on, for the layers behind it."""
    layers = [layer for layer in found.layers if found.graph.place(layer).dropout is not None]
    if not layers:
        return
    seen = {layer: passes.Inputs() for layer in layers}
    active = dropouts(found.model)
    try:
        for module in active:
            module.training = True
        with passes.watching_inputs(seen) as next_batch:
            for batch in passes.head(found.source):
                next_batch()
                found.source.output(batch)
        found.dropout_on = {layer: inputs.moments for layer, inputs in seen.items()}
    except Exception as error:
        found.miss("dropout", f"{type(error).__name__}: {first_line(error)}")
    finally:
        for module in active:
            module.training = False


def _with_other_eps(found: Collected) -> None:
    """The first batches with the eps of other libraries, where variances are so small that it matters."""
    layers = [layer for layer in found.layers if has_statistics(layer)]
    small = [layer for layer in layers if not float(layer.running_var.double().median()) >= _SMALL_VARIANCE]
    if not small or not found.running.has_losses or _looks_untrained(found):
        return
    before = {layer: eps_of(layer) for layer in layers}
    for eps in _EPS_OF_LIBRARIES:
        if all(value == eps for value in before.values()):
            continue
        try:
            for layer in layers:
                layer.eps = eps
            losses = passes.run(passes.head(found.source), found.source, found.loss).losses
        finally:
            for layer, value in before.items():
                layer.eps = value
        found.trials.append({"setting": "eps", "value": eps, "running": facts.numbers(losses)})


def _own_steps(found: Collected, optimizer: Any, count: int) -> Optional["steps.Steps"]:
    if optimizer is None or found.source is None:
        found.miss("training steps", "steps need an optimizer and a loader")
        return None
    if not found.running or not found.running.has_losses:
        found.miss("training steps", "steps need a loss")
        return None
    try:
        return steps.on_a_copy(found, optimizer, count)
    except Exception as error:
        found.miss("training steps", f"they failed on a copy of the model ({type(error).__name__}: {first_line(error)})")
        return None
