"""convert() and convert_back(): a whole model from torch.nn's batch normalization layers to bnlab's, and back.

Layers keep their identity: a layer becomes another kind of layer in its place, with the same parameters, buffers,
hooks, training mode and other attributes, wherever it is referred to. So optimizers and state_dicts made before stay
valid.
"""
import copy
import warnings
from collections import Counter
from typing import Any, Dict, List, NamedTuple, Set, Tuple

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.lazy import LazyModuleMixin

from bnlab import modules, proof, tracing
from bnlab.fusion import ALL_HOOKS, OUTPUT_HOOKS, Code, fused_kind, has_hooks, is_sequence, unfused_kind
from bnlab.graphs import NotTraceable
from bnlab.modules import FusedReLU
from bnlab.synchronized import SyncBatchNorm

_DIMENSIONS = ("1d", "2d", "3d")
_TORCH = {d: getattr(nn, f"BatchNorm{d}") for d in _DIMENSIONS}
_PLAIN = {_TORCH[d]: getattr(modules, f"BatchNorm{d}") for d in _DIMENSIONS}
_KINDS = {**_PLAIN, nn.SyncBatchNorm: SyncBatchNorm}
_WITH_RELU = {_TORCH[d]: getattr(modules, f"BatchNormReLU{d}") for d in _DIMENSIONS}
_FUSABLE = {**_WITH_RELU, **{_PLAIN[theirs]: ours for theirs, ours in _WITH_RELU.items()}}
_BACK = {ours: theirs for kinds in (_KINDS, _WITH_RELU) for theirs, ours in kinds.items()}
_OPTIONS = ("window", "skip_nonfinite", "once_per_step")
_NO_OPTIONS = {"window": 0, "skip_nonfinite": False, "once_per_step": False}
_OPTION_BUFFERS = ("window_mean", "window_var", "skipped", "last_step")

# Blocks of torchvision that take a list, or that checkpoint, so that no trace shows all: (norm, ReLU behind it).
_KNOWN_PAIRS = {"torchvision.models.densenet._DenseLayer": (("norm1", "relu1"), ("norm2", "relu2"))}


class _Pair(NamedTuple):
    """A batch normalization layer and what follows it: neighbours in an nn.Sequential, or in a known block."""

    owner: nn.Module
    name: str
    path: Tuple[nn.Module, ...]  # to the layer, which may be last in a sequence
    next_key: str
    next: nn.Module

    @property
    def norm(self) -> nn.Module:
        return self.path[-1]


def _modules(model: nn.Module) -> Dict[nn.Module, str]:
    """All modules in the model, each once, by the first of its names."""
    return {module: name or type(module).__name__ for name, module in model.named_modules()}


def _neighbours(module: nn.Module) -> List[Tuple[str, str]]:
    """Names of children that are called one directly after the other."""
    if is_sequence(module):
        names = [name for name, child in module._modules.items() if child is not None]
        return list(zip(names, names[1:]))
    return list(_known_pairs(module))


def _known_pairs(module: nn.Module) -> Tuple[Tuple[str, str], ...]:
    kind = type(module)
    return () if "forward" in vars(module) else _KNOWN_PAIRS.get(f"{kind.__module__}.{kind.__qualname__}", ())


def _pairs(model: nn.Module) -> List[_Pair]:
    found = []
    for owner, name in _modules(model).items():
        for key, next_key in _neighbours(owner):
            path = [owner._modules[key]]
            names = [key] if owner is model else [name, key]
            while is_sequence(path[-1]) and len(path[-1]):  # whose last entry is what comes before `next`
                key, last = [(k, child) for k, child in path[-1]._modules.items() if child is not None][-1]
                path.append(last)
                names.append(key)
            found.append(_Pair(owner, ".".join(names), tuple(path), next_key, owner._modules[next_key]))
    return found


def _fused_pairs(model: nn.Module) -> List[_Pair]:
    return [pair for pair in _pairs(model) if type(pair.norm) in _WITH_RELU.values() and type(pair.next) is FusedReLU]


def _why_not(pair: _Pair, places: Counter, called: Set[nn.Module]) -> str:
    """Why this BatchNorm and the ReLU behind it may not become one layer; "" if they may."""
    if any(places[module] > 1 for module in pair.path):
        return "it is used in several places."
    if called.intersection((*pair.path, pair.next)):
        return "it, or the ReLU, is also called by itself."
    if any(has_hooks(module, OUTPUT_HOOKS) for module in pair.path) or has_hooks(pair.next, ALL_HOOKS):
        return (
            "the hooks of the two would see other values or none. Remove them before, and register them afterwards, to "
            "have it fused."
        )
    return ""


class Fusion(NamedTuple):
    """What fuse=True makes of a layer of the model."""

    layer: str
    fused_with: str  # "ReLU", "add, ReLU" or "" for nothing
    reason: str  # if nothing


class FusionReport(list):
    """A Fusion for each batch normalization layer, by the layers' names. print() shows a table."""

    def __str__(self) -> str:
        width = max((len(row.layer) for row in self), default=0)
        lines = [f"{row.layer:{width}}  {row.fused_with or 'not fused: ' + row.reason}" for row in self]
        return "\n".join([f"{sum(bool(row.fused_with) for row in self)} of {len(self)} layers fused", *lines])


class _Plan(NamedTuple):
    pairs: List[_Pair]  # to become one layer
    apart: List[str]  # pairs that may not, and why
    codes: Dict[nn.Module, Code]  # of blocks
    in_blocks: Set[nn.Module]  # layers that these fuse
    report: FusionReport


def _plan(model: nn.Module) -> _Plan:
    """What fuse=True would change in the model, or has changed."""
    names = _modules(model)
    places = Counter(child for module in names for child in module._modules.values())
    fused: Dict[nn.Module, str] = {}
    reasons: Dict[nn.Module, str] = {}
    codes, called, untraced, in_blocks = {}, set(), {}, set()
    for block, name in names.items():
        if _known_pairs(block) or not tracing.may_be_traced(block):
            continue
        try:
            trace = tracing.trace(block)
        except NotTraceable as why:
            untraced.update({module: f"{type(block).__name__} calls it: {why}" for module in block.modules()})
            continue
        called |= trace.called
        if trace.code:
            codes[block] = trace.code
        for call in trace.calls:
            layer = block if call.layer is None else call.layer
            if call.fused:
                fused.setdefault(layer, call.fused)
                in_blocks |= {call.layer} - {None}
            else:
                reasons.setdefault(layer, call.reason)

    pairs, apart = [], []
    for pair in _pairs(model):
        if type(pair.norm) in _FUSABLE and type(pair.next) is nn.ReLU:
            reason = _why_not(pair, places, called)
            if reason:
                apart.append(f"{pair.name} is not fused with its ReLU: {reason}")
            else:
                pairs.append(pair)
                fused[pair.norm] = "ReLU"
        else:
            reason = f"followed by {type(pair.next).__name__}"
        reasons.setdefault(pair.norm, reason)

    report = FusionReport()
    for layer, name in names.items():
        if isinstance(layer, modules._Fused):
            fused[layer] = "ReLU" if isinstance(layer, modules._Rectified) else "add, ReLU"
        elif isinstance(layer, _BatchNorm) and layer not in fused and not tracing.is_norm(layer):
            reasons[layer] = f"{type(layer).__name__} is a class of its own"
        if isinstance(layer, _BatchNorm):
            reason = reasons.get(layer) or untraced.get(layer) or "no call of it was found"
            report.append(Fusion(name, fused.get(layer, ""), "" if layer in fused else reason))
    return _Plan(pairs, apart, codes, in_blocks, report)


def fusion_report(model: nn.Module) -> FusionReport:
    """What convert(model, fuse=True) fuses, or has fused, and why not the rest. The model stays as it is."""
    return _plan(model).report


def _warn_of_what_stays(module: nn.Module, name: str) -> None:
    if isinstance(module, torch.jit.ScriptModule):
        original = getattr(module, "original_name", "")
        if original in {kind.__name__ for kind in _KINDS}:
            raise ValueError(f"bnlab.convert: {name} is TorchScript; convert the model before torch.jit.script.")
    elif isinstance(module, LazyModuleMixin) and isinstance(module, _BatchNorm):
        warnings.warn(
            f"bnlab.convert: {name} stays as it is: {type(module).__name__} does not know its channels yet. Run a "
            "batch through the model, then convert it."
        )
    elif isinstance(module, _BatchNorm) and not isinstance(module, modules._Norm) and type(module) not in _KINDS:
        warnings.warn(
            f"bnlab.convert: {name} stays as it is: {type(module).__name__} is a class of its own. Only "
            "torch.nn.BatchNorm1d, 2d, 3d and SyncBatchNorm are converted."
        )


def convert(
    model: nn.Module,
    *,
    fuse: bool = False,
    example: Any = None,
    inplace: bool = True,
    window: int = 0,
    skip_nonfinite: bool = False,
    once_per_step: bool = False,
) -> nn.Module:
    """Makes each torch.nn.BatchNorm1d/2d/3d and SyncBatchNorm of the model bnlab's, and returns the model.

    fuse: also the ReLU, or the addition and the ReLU, that follow a BatchNorm. In an nn.Sequential the BatchNorm
        becomes a BatchNormReLU, and the ReLU a FusedReLU that passes on what it gets; where this would change what
        hooks see, or where the layer is used in several places, it is left out, with a warning. In other blocks
        torch.fx traces what their forward does, and they become instances of a subclass with a forward that does the
        same in fewer passes. Names and state_dict stay. fusion_report(model) says what is fused, and why not the rest.
    example: an input of the model, or a tuple of its arguments, of two images or more. The conversion is first tried
        on a copy, in double if the model can, in training and in evaluation mode: ValueError, and nothing is changed,
        unless outputs, gradients and running statistics stay the same.
    inplace: change this model (as convert_sync_batchnorm does); else a deep copy of it.
    window, skip_nonfinite, once_per_step: as for bnlab.BatchNorm2d, for all converted layers that track statistics.

    Subclasses stay as they are, with a warning; layers of bnlab without one. ValueError, and
    nothing is changed, if a layer's momentum or eps is out of range or the layer is TorchScript.
    """
    if not inplace:
        model = copy.deepcopy(model)
    options = {"window": window, "skip_nonfinite": skip_nonfinite, "once_per_step": once_per_step}
    plan = _plan(model) if fuse else _Plan([], [], {}, set(), FusionReport())
    for module, name in _modules(model).items():
        if module not in plan.codes:
            _warn_of_what_stays(module, name)
        if type(module) in _KINDS:
            try:
                modules.check_options(module, **_applicable(module, options))
            except ValueError as error:
                raise ValueError(f"bnlab.convert: {name}: {error}") from None
    for text in plan.apart:
        warnings.warn(f"bnlab.convert: {text}")
    if example is not None:
        _try_on(model, fuse, plan, example)
    return _change(model, plan, options)


def _try_on(model: nn.Module, fuse: bool, plan: _Plan, example: Any) -> None:
    """ValueError unless a converted copy computes what the model does; a warning of what the example does not fuse."""

    def change(copied: nn.Module) -> None:  # without options, since these change the running statistics
        _change(copied, _plan(copied) if fuse else plan, _NO_OPTIONS)

    fused = proof.check(model, change, example)
    names = _modules(model)
    apart = [name for layer, name in names.items() if layer in plan.in_blocks and name not in fused]
    if apart:
        warnings.warn(
            f"bnlab.convert: {', '.join(apart)}: not fused when the model gets the example. Their block is called with "
            "other arguments than tensors, or does not call them, or what is added has other sizes or another type."
        )


def _change(model: nn.Module, plan: _Plan, options: Dict) -> nn.Module:
    for pair in plan.pairs:
        if type(pair.norm) in _PLAIN:
            _become(pair.norm, _WITH_RELU, options)
        else:
            modules.become(pair.norm, _FUSABLE[type(pair.norm)])
        relu = FusedReLU().train(pair.next.training)
        relu.inplace = pair.next.inplace
        pair.owner._modules[pair.next_key] = relu
    for module in _modules(model):
        if type(module) in _KINDS:
            _become(module, _KINDS, options)
    for block, code in plan.codes.items():
        block.__class__ = fused_kind(unfused_kind(type(block)), code)
    return model


def _applicable(module: nn.Module, options: Dict) -> Dict:
    """The options for a layer that tracks statistics, else their defaults."""
    tracks = module.track_running_stats and module.running_mean is not None
    return {name: value if tracks else type(value)() for name, value in options.items()}


def _become(module: nn.Module, kinds: Dict, options: Dict) -> None:
    modules.become(module, kinds[type(module)])
    module._set_options(**_applicable(module, options))


def convert_back(model: nn.Module, *, inplace: bool = True) -> nn.Module:
    """The reverse of convert(), also for models built with bnlab's layers: returns the model with torch.nn's.

    Parameters and running statistics stay; what bnlab's options need besides is dropped. ValueError, and nothing is
    changed, if a layer has no counterpart in torch.nn: a BatchNormReLU without its FusedReLU behind it in an
    nn.Sequential, or a BatchNormAddReLU.
    """
    if not inplace:
        model = copy.deepcopy(model)
    fused = _fused_pairs(model)
    with_relu = {pair.norm for pair in fused}
    for module, name in _modules(model).items():
        if isinstance(module, modules._Norm) and type(module) not in _KINDS.values() and module not in with_relu:
            raise ValueError(
                f"bnlab.convert_back: {name}: torch.nn has no {type(module).__name__}; replace it by BatchNorm layers "
                "and torch.relu before."
            )

    for pair in fused:
        relu = nn.ReLU(inplace=pair.next.inplace).train(pair.next.training)
        pair.owner._modules[pair.next_key] = relu
    for module in _modules(model):
        if unfused_kind(type(module)) is not type(module):
            module.__class__ = unfused_kind(type(module))
        if isinstance(module, modules._Norm):
            for name in _OPTION_BUFFERS + _OPTIONS:
                delattr(module, name)
            modules.become(module, _BACK[type(module)])
    return model


def synchronize(model: nn.Module, process_group: Any = None) -> nn.Module:
    """Makes each BatchNorm1d/2d/3d and SyncBatchNorm, torch.nn's or bnlab's, a bnlab.SyncBatchNorm in its place, and returns
    the model. Layers keep their identity, as in convert().

    process_group: the ranks whose batches are one; by default all. ValueError, and nothing is changed, if a layer is fused
    with its ReLU (convert_back() the model before), is TorchScript, does not know its channels yet, or is of another class.
    """
    layers = {module: name for module, name in _modules(model).items() if isinstance(module, _BatchNorm)}
    for module, name in _modules(model).items():
        original = getattr(module, "original_name", "") if isinstance(module, torch.jit.ScriptModule) else ""
        if original in {kind.__name__ for kind in _KINDS}:
            raise ValueError(f"bnlab.synchronize: {name} is TorchScript; synchronize the model before torch.jit.script.")
    for module, name in layers.items():
        if isinstance(module, modules._Fused):
            raise ValueError(f"bnlab.synchronize: {name} is a {type(module).__name__}; bnlab.convert_back() the model before.")
        if isinstance(module, LazyModuleMixin):
            raise ValueError(f"bnlab.synchronize: {name} does not know its channels yet; run a batch through the model before.")
        if type(module) not in _KINDS and type(module) not in _KINDS.values():
            raise ValueError(
                f"bnlab.synchronize: {name} is a {type(module).__name__}; only BatchNorm1d, 2d, 3d and SyncBatchNorm can be "
                "synchronized."
            )
        if type(module) in _KINDS:
            try:
                modules.check_options(module, **_NO_OPTIONS)
            except ValueError as error:
                raise ValueError(f"bnlab.synchronize: {name}: {error}") from None
    for module in layers:
        if type(module) in _KINDS:
            _become(module, _KINDS, _NO_OPTIONS)
        modules.become(module, SyncBatchNorm)
        module.process_group = process_group
    return model
