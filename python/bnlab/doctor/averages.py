"""A model whose parameters are an average of another's (EMA, SWA, a target network), beside that other model, the donor."""
from typing import Any, Dict, Optional

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel

from bnlab.doctor.batches import WrongArgument
from bnlab.doctor.facts import number, numbers
from bnlab.doctor.state import has_statistics, norm_layers, unwrapped


def inner(model: nn.Module) -> nn.Module:
    """The model inside wrappers and torch's AveragedModel."""
    model = unwrapped(model)
    return inner(model.module) if isinstance(model, AveragedModel) else model


def check(model: nn.Module, donor: nn.Module) -> None:
    """WrongArgument unless the donor has the same layers and parameters."""
    own, other = inner(model), inner(donor)
    if own is other:
        raise WrongArgument("bnlab.doctor: donor is the model itself; give the model that its parameters were averaged from.")
    for what, mine, theirs in (
        ("batch normalization layer", _norms(own), _norms(other)),
        ("parameter", dict(own.named_parameters()), dict(other.named_parameters())),
    ):
        for name, value in mine.items():
            size = None if name not in theirs else _size(theirs[name])
            if size != _size(value):
                raise WrongArgument(
                    f"bnlab.doctor: donor has no {what} {name} of the model's size; give the model that its parameters were "
                    "averaged from."
                )


def _norms(model: nn.Module) -> Dict[str, nn.Module]:
    return {name: layer for layer, name in norm_layers(model).items()}


def _size(value: Any):
    return value.shape if isinstance(value, torch.Tensor) else value.num_features


def compare(found: Any, donor: Optional[nn.Module]) -> None:
    if donor is None:
        _recognize(found)
        return
    check(found.model, donor)
    own, other = inner(found.model), inner(donor)
    theirs = _norms(other)
    for layer, name in norm_layers(own).items():
        found.more_of[layer]["averaged"] = True
        twin = theirs[name]
        if has_statistics(layer) and has_statistics(twin):
            found.more_of[layer]["donor"] = {"mean": numbers(twin.running_mean), "var": numbers(twin.running_var)}
    averaging: Dict[str, Any] = {"by": "donor", "distance": number(_distance(own, other))}
    if isinstance(unwrapped(found.model), AveragedModel):
        averaging.update(_of_class(unwrapped(found.model)))
    found.more["averaging"] = averaging


def _recognize(found: Any) -> None:
    """torch's own class of averages, at any place of the model."""
    averaged = [module for module in found.model.modules() if isinstance(module, AveragedModel)]
    averaged = [module for module in averaged if int(module.n_averaged) > 0]
    if not averaged:
        found.miss("averaging", "no donor was given, the model that an average of parameters (EMA, SWA, target network) is of")
        return
    for module in averaged:
        for layer in norm_layers(module):
            found.more_of[layer]["averaged"] = True
    found.more["averaging"] = {"by": "AveragedModel", **_of_class(averaged[0])}


def _of_class(module: AveragedModel) -> Dict[str, Any]:
    facts: Dict[str, Any] = {"updates": int(module.n_averaged)}
    if isinstance(getattr(module, "use_buffers", None), bool):
        facts["use_buffers"] = module.use_buffers
    return facts


def _distance(own: nn.Module, other: nn.Module) -> float:
    """|parameters - the donor's| / |the donor's|."""
    theirs = dict(other.named_parameters())
    difference = square = 0.0
    for name, value in own.named_parameters():
        reference = theirs[name].detach().double().cpu()
        difference += float((value.detach().double().cpu() - reference).square().sum())
        square += float(reference.square().sum())
    return (difference / square) ** 0.5 if square > 0 else difference**0.5
