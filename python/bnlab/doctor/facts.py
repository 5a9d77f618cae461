"""What was collected as facts, the JSON that the rules read: src/bnlab/doctor/facts.h."""
import math
from typing import Any, Dict, List

import torch
from torch import Tensor, nn

from bnlab.doctor import passes
from bnlab.doctor.graph import Producer, bias_of
from bnlab.doctor.state import has_statistics
from bnlab.modules import eps_of


def number(value: float) -> Any:
    if math.isfinite(value):
        return float(value)
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def numbers(values: Any) -> List[Any]:
    if isinstance(values, Tensor):
        values = values.detach().double().cpu().flatten().tolist()
    return [number(value) for value in values]


def of(found: Any, modes, trains: bool, optimizer, of_steps) -> Dict[str, Any]:
    facts: Dict[str, Any] = {
        "schema_version": 1,
        "model": type(found.model).__name__,
        "training": trains,
        "batches": 0 if found.running is None else len(found.running.losses),
        "layers": [_layer_facts(found, layer, modes[layer], optimizer, of_steps) for layer in found.layers],
        "trials": found.trials,
        "not_collected": found.missing,
        **found.more,
    }
    if found.running is not None and found.running.has_losses:
        losses = {"kind": found.loss.kind, "scale": found.loss_scale(), "samples": found.running.samples}
        for name, result in (
            ("running", found.running), ("batch", found.batch), ("exact", found.by_exact), ("as_found", found.as_found),
        ):  # fmt: skip
            if result is not None and result.has_losses:
                losses[name] = numbers(result.losses)
        facts["losses"] = losses
    if found.running is not None and found.batch is not None:
        change = passes.largest_difference(found.running, found.batch)
        if change is not None:
            facts["output_change"] = number(change)
    if of_steps is not None:
        facts["training_steps"] = {"count": of_steps.count, "watched": of_steps.watched}
        if of_steps.loss_moved:
            facts["training_steps"].update(
                loss_moved=numbers(of_steps.loss_moved), loss_kept=numbers(of_steps.loss_kept)
            )
    return facts


def _layer_facts(found: Any, layer: nn.Module, training: bool, optimizer, of_steps) -> Dict[str, Any]:
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
        "stays_frozen": any(getattr(hook, "__name__", "") == "stay_frozen" for hook in layer._forward_pre_hooks.values()),
        "calls": inputs.most_calls,
    }
    for key, values in (
        ("gamma", layer.weight), ("beta", layer.bias), ("running_mean", layer.running_mean), ("running_var", layer.running_var),
    ):  # fmt: skip
        if values is not None:
            facts[key] = numbers(values)
    if layer.num_batches_tracked is not None:
        facts["num_batches_tracked"] = int(layer.num_batches_tracked)
    if inputs.moments.count:
        facts.update(_input_facts(inputs))
    if found.graph is not None:
        facts.update(_place_facts(found, layer))
    if found.exact is not None and layer in found.exact.statistics:
        moments = found.exact.statistics[layer]
        facts.update(exact_mean=numbers(moments.mean), exact_var_biased=numbers(moments.var_biased))
    if optimizer is not None:
        facts["weight_decay"] = _weight_decay(optimizer, layer)
    if of_steps is not None and layer in of_steps.calls:
        calls = -(-of_steps.calls[layer] // max(1, inputs.most_calls))
        facts["steps"] = {"calls_per_step": calls, "moved": of_steps.moved[layer]}
        if layer in of_steps.mixes and of_steps.mixes[layer].freedom:
            facts["steps"]["mix"] = of_steps.mixes[layer].facts()
    facts.update(found.more_of[layer])
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
            "mean": numbers(moments.mean),
            "var_biased": numbers(moments.var_biased),
            "between": numbers(moments.between),
            "spread": numbers(inputs.of_samples.spread),
        },
    }


def _producer_facts(producers: List[Producer], names: Dict[nn.Module, str]) -> Dict[str, Any]:
    """Of several, those whose bias the layer takes away, if there are any."""
    redundant = [each.module for each in producers if each.only_here and bias_of(each.module) is not None]
    named = redundant or [each.module for each in producers]
    return {
        "name": ", ".join(names.get(module, "") for module in named),
        "kind": ", ".join(sorted({type(module).__name__ for module in named})),
        "has_bias": bool(redundant),
    }


def _place_facts(found: Any, layer: nn.Module) -> Dict[str, Any]:
    place = found.graph.place(layer)
    names = {module: name for name, module in found.model.named_modules()}
    facts: Dict[str, Any] = {"is_output": place.is_output}
    if place.producers:
        facts["producer"] = _producer_facts(place.producers, names)
    if place.dropout is not None:
        facts["dropout"] = {"name": names.get(place.dropout, "")}
        off = found.inputs[layer].head
        if layer in found.dropout_on and off is not None and off.count and found.dropout_on[layer].count:
            on = found.dropout_on[layer]
            facts["dropout"].update(var_on=numbers(on.var_biased), var_off=numbers(off.var_biased))
    return facts


def _weight_decay(optimizer: torch.optim.Optimizer, layer: nn.Module) -> float:
    own = {id(value) for value in (layer.weight, layer.bias) if value is not None}
    decays = [0.0]
    for group in optimizer.param_groups:
        if any(id(parameter) in own for parameter in group["params"]):
            decays.append(float(group.get("weight_decay", 0)))
    return max(decays)
