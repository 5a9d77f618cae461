"""From a live model and a loader to facts (src/bnlab/doctor/facts.h): two passes over the loader, more where they show that
more is needed."""
import contextlib
import math
from typing import Any, Dict, List, Optional

import torch
from torch import Tensor, nn

from bnlab.doctor import exact, passes, steps
from bnlab.doctor.batches import Batches
from bnlab.doctor.graph import Graph, bias_of, dropouts
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
    found.facts = _facts(found, modes, trains, optimizer, of_steps)
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
        found.miss("batch", f"the model could not normalize by batches ({type(error).__name__}: {_first_line(error)})")


def _by_found_modes(found: Collected, modes: Dict[nn.Module, bool]) -> None:
    layers = [layer for layer in found.layers if modes[layer]]
    try:
        with scratch(layers, training=True):
            found.as_found = passes.run(found.source, found.source, found.loss)
    except Exception as error:
        found.miss("as found", f"{type(error).__name__}: {_first_line(error)}")


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or "no message").splitlines()[0]


def mean_loss(result: Optional[passes.Result]) -> float:
    if result is None or not result.has_losses:
        return math.nan
    return sum(n * loss for n, loss in zip(result.samples, result.losses)) / max(1, sum(result.samples))


def loss_scale(found: Collected) -> float:
    if found.loss.scale is not None:
        return found.loss.scale
    means = [abs(mean_loss(result)) for result in (found.running, found.batch, found.by_exact)]
    return max(min([mean for mean in means if math.isfinite(mean)], default=1.0), 1e-12)


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
        difference = abs(mean_loss(found.running) - mean_loss(found.batch))
        return not difference <= _SMALL_DIFFERENCE * loss_scale(found)
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
        found.miss("exact", f"{type(error).__name__}: {_first_line(error)}")


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
        found.miss("dropout", f"{type(error).__name__}: {_first_line(error)}")
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
        found.trials.append({"setting": "eps", "value": eps, "running": _numbers(losses)})


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
        found.miss("training steps", f"they failed on a copy of the model ({type(error).__name__}: {_first_line(error)})")
        return None


def _number(value: float) -> Any:
    if math.isfinite(value):
        return float(value)
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def _numbers(values: Any) -> List[Any]:
    if isinstance(values, Tensor):
        values = values.detach().double().cpu().flatten().tolist()
    return [_number(value) for value in values]


def _facts(found: Collected, modes, trains: bool, optimizer, of_steps) -> Dict[str, Any]:
    facts: Dict[str, Any] = {
        "schema_version": 1,
        "model": type(found.model).__name__,
        "training": trains,
        "batches": 0 if found.running is None else len(found.running.losses),
        "layers": [_layer_facts(found, layer, modes[layer], optimizer, of_steps) for layer in found.layers],
        "trials": found.trials,
        "not_collected": found.missing,
    }
    if found.running is not None and found.running.has_losses:
        losses = {"kind": found.loss.kind, "scale": loss_scale(found), "samples": found.running.samples}
        for name, result in (
            ("running", found.running), ("batch", found.batch), ("exact", found.by_exact), ("as_found", found.as_found),
        ):  # fmt: skip
            if result is not None and result.has_losses:
                losses[name] = _numbers(result.losses)
        facts["losses"] = losses
    if found.running is not None and found.batch is not None:
        change = passes.largest_difference(found.running, found.batch)
        if change is not None:
            facts["output_change"] = _number(change)
    if of_steps is not None:
        facts["training_steps"] = {"count": of_steps.count, "watched": of_steps.watched}
        if of_steps.loss_moved:
            facts["training_steps"].update(
                loss_moved=_numbers(of_steps.loss_moved), loss_kept=_numbers(of_steps.loss_kept)
            )
    return facts


def _layer_facts(found: Collected, layer: nn.Module, training: bool, optimizer, of_steps) -> Dict[str, Any]:
    inputs = found.inputs[layer]
    facts: Dict[str, Any] = {
        "name": found.names[layer],
        "kind": type(layer).__name__,
        "dtype": str(layer.running_mean.dtype if has_statistics(layer) else _dtype(layer)).replace("torch.", ""),
        "channels": layer.num_features,
        "eps": eps_of(layer),
        "momentum": layer.momentum,
        "affine": layer.weight is not None,
        "track_running_stats": bool(layer.track_running_stats),
        "training": training,
        "gamma_trains": layer.weight is not None and layer.weight.requires_grad,
        "beta_trains": layer.bias is not None and layer.bias.requires_grad,
        "calls": inputs.most_calls,
    }
    for key, values in (
        ("gamma", layer.weight), ("beta", layer.bias), ("running_mean", layer.running_mean), ("running_var", layer.running_var),
    ):  # fmt: skip
        if values is not None:
            facts[key] = _numbers(values)
    if layer.num_batches_tracked is not None:
        facts["num_batches_tracked"] = int(layer.num_batches_tracked)
    if inputs.moments.count:
        facts.update(_input_facts(inputs))
    if found.graph is not None:
        facts.update(_place_facts(found, layer))
    if found.exact is not None and layer in found.exact.statistics:
        moments = found.exact.statistics[layer]
        facts.update(exact_mean=_numbers(moments.mean), exact_var_biased=_numbers(moments.var_biased))
    if optimizer is not None:
        facts["weight_decay"] = _weight_decay(optimizer, layer)
    if of_steps is not None and layer in of_steps.calls:
        calls = -(-of_steps.calls[layer] // max(1, inputs.most_calls))
        facts["steps"] = {"calls_per_step": calls, "moved": of_steps.moved[layer]}
    return facts


def _dtype(layer: nn.Module) -> torch.dtype:
    return layer.weight.dtype if layer.weight is not None else torch.get_default_dtype()


def _input_facts(inputs: passes.Inputs) -> Dict[str, Any]:
    moments = inputs.moments
    return {
        "least_values": min(inputs.values[:-1] or inputs.values),
        "last_values": inputs.values[-1],
        "inputs": {
            "count": moments.count,
            "batches": moments.batches,
            "mean": _numbers(moments.mean),
            "var_biased": _numbers(moments.var_biased),
            "between": _numbers(moments.between),
            "spread": _numbers(inputs.of_samples.spread),
        },
    }


def _place_facts(found: Collected, layer: nn.Module) -> Dict[str, Any]:
    place = found.graph.place(layer)
    names = {module: name for name, module in found.model.named_modules()}
    facts: Dict[str, Any] = {"is_output": place.is_output}
    if place.producer is not None:
        facts["producer"] = {
            "name": names.get(place.producer, ""),
            "kind": type(place.producer).__name__,
            "has_bias": bias_of(place.producer) is not None,
        }
    if place.dropout is not None:
        facts["dropout"] = {"name": names.get(place.dropout, "")}
        off = found.inputs[layer].head
        if layer in found.dropout_on and off is not None and off.count and found.dropout_on[layer].count:
            on = found.dropout_on[layer]
            facts["dropout"].update(var_on=_numbers(on.var_biased), var_off=_numbers(off.var_biased))
    return facts


def _weight_decay(optimizer: torch.optim.Optimizer, layer: nn.Module) -> float:
    own = {id(value) for value in (layer.weight, layer.bias) if value is not None}
    decays = [0.0]
    for group in optimizer.param_groups:
        if any(id(parameter) in own for parameter in group["params"]):
            decays.append(float(group.get("weight_decay", 0)))
    return max(decays)
