"""The model against the one that it was made from, before batch normalization was folded or weights were quantized."""
import copy
import types
from typing import Any, Dict, List, Optional

import torch
from torch import Tensor, nn

from bnlab.doctor import folding, passes
from bnlab.doctor.batches import Batches, WrongArgument, first_tensor, mapped
from bnlab.doctor.facts import number, numbers
from bnlab.doctor.graph import Graph
from bnlab.doctor.losses import Loss, main_output
from bnlab.doctor.state import as_found, norm_layers, unwrapped
from bnlab.modules import eps_of


def _plain(x: Tensor) -> Tensor:
    x = x.dequantize() if x.is_quantized else x
    return x.detach().double()


class _Watched:
    """The outputs of some modules on the first batch."""

    def __init__(self, modules: Dict[str, nn.Module]) -> None:
        self._modules = modules
        self.outputs: Dict[str, Tensor] = {}
        self._handles: List[Any] = []

    def __enter__(self) -> "_Watched":
        for name, module in self._modules.items():
            self._handles.append(module.register_forward_hook(self._hook(name)))
        return self

    def _hook(self, name: str):
        def see(module, args, output) -> None:
            y = first_tensor(output)
            if y is not None:
                self.outputs.setdefault(name, _plain(y))

        return see

    def __exit__(self, *_: Any) -> None:
        for handle in self._handles:
            handle.remove()


def _run(source: Batches, loss: Loss) -> passes.Result:
    """The first batches; losses in float32, whatever the model's type, since targets and losses are made for it."""
    result = passes.Result()
    for batch in passes.head(source):
        output, target, samples = source.output(batch)
        scores = main_output(output)
        if scores is not None:
            result.outputs.append(_plain(scores))
        single = mapped(output, lambda x: x.float() if x.dtype == torch.float64 else x)
        result.losses.append(loss(single, target))
        result.samples.append(samples)
    return result


def _pairs(model: nn.Module, source: Batches) -> List[folding.Pair]:
    """What of the reference can be folded."""
    graph = Graph(model)
    with graph.watching():
        source.output(next(passes.head(source, 1)))
    return folding.pairs(types.SimpleNamespace(model=model, layers=graph.order, graph=graph))


def _range(pair: folding.Pair) -> Tensor:
    gain = (pair.norm.running_var.double() + eps_of(pair.norm)).rsqrt()
    if pair.norm.weight is not None:
        gain = gain * pair.norm.weight.double()
    return pair.before.weight.double().flatten(1).abs().amax(1) * gain.abs()


def _error(y: Tensor, wanted: Tensor) -> float:
    """Root of the mean over channels of the squared error in the channel's deviation; channels that are constant left out."""
    y, wanted = (each.transpose(0, 1).flatten(1) for each in (y, wanted))
    variance = wanted.var(1, unbiased=False)
    squares = (y - wanted).square().mean(1)
    varies = variance > 0
    if not bool(varies.any()):
        return float(squares.mean().sqrt())
    return float((squares[varies] / variance[varies]).mean().sqrt())


def _layer_errors(found: Any, pairs: List[folding.Pair], double: nn.Module, source: Batches) -> Dict[str, Optional[float]]:
    """Of each layer that batch normalization was folded into: against the normalization's output in the reference."""
    own = dict(found.model.named_modules())
    names = {module: name for name, module in double.named_modules()}
    norms = set(found.names.values())
    chosen = {names[pair.before]: pair for pair in pairs if names[pair.before] in own and names[pair.norm] not in norms}
    with _Watched({name: pair.norm for name, pair in chosen.items()}) as right:
        source.output(next(passes.head(source, 1)))
    with _Watched({name: own[name] for name in chosen}) as mine:
        found.source.output(next(passes.head(found.source, 1)))
    errors: Dict[str, Optional[float]] = {}
    for name in chosen:
        y, wanted = mine.outputs.get(name), right.outputs.get(name)
        if y is None or wanted is None or y.shape != wanted.shape:
            continue
        if "relu" in type(own[name]).__name__.lower():
            wanted = wanted.relu()
        errors[name] = _error(y, wanted)
    return errors


def _in_double(found: Any, right: passes.Result) -> Optional[float]:
    """The output error of the model in double, where it can run so."""
    try:
        model = copy.deepcopy(found.model).double()
        with as_found(model):
            own = _run(found.source.of(model), found.loss)
    except Exception:
        return None  # quantized layers compute in integers alone
    return passes.largest_difference(right, own)


def compare(found: Any, reference: nn.Module) -> None:
    reference = unwrapped(reference)
    if reference is found.model:
        raise WrongArgument("bnlab.doctor: reference is the model itself; give the model before it was folded or quantized.")
    norm_layers(reference)  # refuses TorchScript
    double = copy.deepcopy(reference).double()
    with as_found(double):
        source = found.source.of(double)
        right, own = _run(source, found.loss), _run(found.source, found.loss)
        error = passes.largest_difference(right, own)
        if error is None:
            raise WrongArgument("bnlab.doctor: the outputs of the model and of reference are not tensors of one size.")
        pairs = _pairs(double, source)
        errors = _layer_errors(found, pairs, double, source)
        names = {module: name for name, module in double.named_modules()}
    folded = []
    for pair in pairs:
        facts: Dict[str, Any] = {"name": names[pair.before], "range": numbers(_range(pair))}
        if errors.get(facts["name"]) is not None:
            facts["error"] = number(errors[facts["name"]])
            folded.append(facts)
    compared: Dict[str, Any] = {"output_error": number(error), "folded": folded}
    in_double = _in_double(found, right)
    if in_double is not None:
        compared["error_in_double"] = number(in_double)
    if right.has_losses and own.has_losses:
        compared.update(own=numbers(own.losses), reference=numbers(right.losses))
    found.more["reference"] = compared
