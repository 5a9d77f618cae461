"""convert() and convert_back(): a whole model from torch.nn's batch normalization layers to bnlab's, and back.

Layers keep their identity: a layer becomes another kind of layer in its place, with the same parameters, buffers,
hooks, training mode and other attributes, wherever it is referred to. So optimizers and state_dicts made before stay
valid.
"""
import copy
import warnings
from collections import Counter
from typing import Dict, List, NamedTuple

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.lazy import LazyModuleMixin

from bnlab import modules
from bnlab.modules import FusedReLU

_DIMENSIONS = ("1d", "2d", "3d")
_TORCH = {d: getattr(nn, f"BatchNorm{d}") for d in _DIMENSIONS}
_PLAIN = {_TORCH[d]: getattr(modules, f"BatchNorm{d}") for d in _DIMENSIONS}
_WITH_RELU = {_TORCH[d]: getattr(modules, f"BatchNormReLU{d}") for d in _DIMENSIONS}
_BACK = {ours: theirs for kinds in (_PLAIN, _WITH_RELU) for theirs, ours in kinds.items()}
_OPTIONS = ("window", "skip_nonfinite", "once_per_step")
_OPTION_BUFFERS = ("window_mean", "window_var", "skipped", "last_step")

# What would see other values after fusing: hooks that get a layer's output or its gradient.
_OUTPUT_HOOKS = ("_forward_hooks", "_backward_hooks", "_backward_pre_hooks")
_ALL_HOOKS = _OUTPUT_HOOKS + ("_forward_pre_hooks",)


class _Pair(NamedTuple):
    """A batch normalization layer and what follows it, neighbours in an nn.Sequential."""

    sequence: nn.Sequential
    name: str
    norm: nn.Module
    next_key: str
    next: nn.Module


def _modules(model: nn.Module) -> Dict[nn.Module, str]:
    """All modules in the model, each once, by the first of its names."""
    return {module: name or type(module).__name__ for name, module in model.named_modules()}


def _pairs(model: nn.Module) -> List[_Pair]:
    found = []
    for sequence, name in _modules(model).items():
        if isinstance(sequence, nn.Sequential) and type(sequence).forward is nn.Sequential.forward:
            entries = [(key, module) for key, module in sequence._modules.items() if module is not None]
            for (key, norm), (next_key, following) in zip(entries, entries[1:]):
                path = key if sequence is model else f"{name}.{key}"
                found.append(_Pair(sequence, path, norm, next_key, following))
    return found


def _has_hooks(module: nn.Module, kinds) -> bool:
    return any(getattr(module, kind, None) for kind in kinds)


def _fusable(model: nn.Module) -> List[_Pair]:
    """Pairs of BatchNorm and ReLU that may become one layer; a warning for each that may not."""
    places = Counter(child for module in _modules(model) for child in module._modules.values())
    fusable = []
    for pair in _pairs(model):
        if type(pair.norm) not in _WITH_RELU or type(pair.next) is not nn.ReLU:
            continue
        if places[pair.norm] > 1:
            warnings.warn(f"bnlab.convert: {pair.name} is not fused with its ReLU: it is used in several places.")
        elif _has_hooks(pair.norm, _OUTPUT_HOOKS) or _has_hooks(pair.next, _ALL_HOOKS):
            warnings.warn(
                f"bnlab.convert: {pair.name} is not fused with its ReLU: the hooks of the two would see other values "
                "or none. Remove them before, and register them afterwards, to have it fused."
            )
        else:
            fusable.append(pair)
    return fusable


def _warn_of_what_stays(module: nn.Module, name: str) -> None:
    if isinstance(module, torch.jit.ScriptModule):
        original = getattr(module, "original_name", "")
        if original in {kind.__name__ for kind in _PLAIN}:
            raise ValueError(f"bnlab.convert: {name} is TorchScript; convert the model before torch.jit.script.")
    elif isinstance(module, LazyModuleMixin) and isinstance(module, _BatchNorm):
        warnings.warn(
            f"bnlab.convert: {name} stays as it is: {type(module).__name__} does not know its channels yet. Run a batch "
            "through the model, then convert it."
        )
    elif isinstance(module, _BatchNorm) and not isinstance(module, modules._Norm) and type(module) not in _PLAIN:
        warnings.warn(
            f"bnlab.convert: {name} stays as it is: {type(module).__name__} is a class of its own. Only "
            "torch.nn.BatchNorm1d, 2d and 3d are converted."
        )


def convert(
    model: nn.Module,
    *,
    fuse: bool = False,
    inplace: bool = True,
    window: int = 0,
    skip_nonfinite: bool = False,
    once_per_step: bool = False,
) -> nn.Module:
    """Makes each torch.nn.BatchNorm1d/2d/3d of the model bnlab's, and returns the model.

    fuse: in each nn.Sequential, a BatchNorm directly followed by a ReLU becomes a BatchNormReLU, and the ReLU a
        FusedReLU that passes on what it gets; so names and state_dict stay. Where this would change what hooks see, or
        where the layer is used in several places, it is left out, with a warning.
    inplace: change this model (as convert_sync_batchnorm does); else a deep copy of it.
    window, skip_nonfinite, once_per_step: as for bnlab.BatchNorm2d, for all converted layers that track statistics.

    Subclasses, such as SyncBatchNorm, stay as they are, with a warning; layers of bnlab without one. ValueError, and
    nothing is changed, if a layer's momentum or eps is out of range or the layer is TorchScript.
    """
    if not inplace:
        model = copy.deepcopy(model)
    options = {"window": window, "skip_nonfinite": skip_nonfinite, "once_per_step": once_per_step}
    for module, name in _modules(model).items():
        _warn_of_what_stays(module, name)
        if type(module) in _PLAIN:
            try:
                modules.check_options(module, **_applicable(module, options))
            except ValueError as error:
                raise ValueError(f"bnlab.convert: {name}: {error}") from None

    for pair in _fusable(model) if fuse else []:
        _become(pair.norm, _WITH_RELU, options)
        relu = FusedReLU().train(pair.next.training)
        relu.inplace = pair.next.inplace
        pair.sequence._modules[pair.next_key] = relu
    for module in _modules(model):
        if type(module) in _PLAIN:
            _become(module, _PLAIN, options)
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
    fused = [pair for pair in _pairs(model) if type(pair.norm) in _WITH_RELU.values() and type(pair.next) is FusedReLU]
    with_relu = {pair.norm for pair in fused}
    for module, name in _modules(model).items():
        if isinstance(module, modules._Norm) and type(module) not in _PLAIN.values() and module not in with_relu:
            raise ValueError(
                f"bnlab.convert_back: {name}: torch.nn has no {type(module).__name__}; replace it by BatchNorm layers "
                "and torch.relu before."
            )

    for pair in fused:
        relu = nn.ReLU(inplace=pair.next.inplace).train(pair.next.training)
        pair.sequence._modules[pair.next_key] = relu
    for module in _modules(model):
        if isinstance(module, modules._Norm):
            for name in _OPTION_BUFFERS + _OPTIONS:
                delattr(module, name)
            modules.become(module, _BACK[type(module)])
    return model
