"""bnlab.doctor(model, loader): what is wrong with a model's batch normalization, how it can tell, what to do about it.

    report = bnlab.doctor(model, loader)
    print(report)
    print(report.recalibrate())

The module is the function: bnlab.doctor(...) examines a live model, python -m bnlab.doctor does it from the command line.
docs/doctor.md shows more. The rules are C++ (src/bnlab/doctor); here are the facts collected and the repairs made.
"""
import sys
import types
from pathlib import Path
from typing import Any, Callable, Optional, Union

import torch
from torch import nn

from bnlab.doctor import averages
from bnlab.doctor import ranks as _ranks
from bnlab.doctor.batches import Batches
from bnlab.doctor.collect import Wanted
from bnlab.doctor.collect import collect as _collect
from bnlab.doctor.losses import Loss
from bnlab.doctor.report import Finding, NotChecked, Report
from bnlab.doctor.state import norm_layers, unwrapped
from bnlab.doctor.steps import watch

__all__ = ["Finding", "NotChecked", "Report", "examine", "watch"]


def examine(
    model: nn.Module,
    loader: Any = None,
    loss: Optional[Callable] = None,
    optimizer: Optional[torch.optim.Optimizer] = None,
    steps: int = 0,
    *,
    forward: Optional[Callable] = None,
    batches: Optional[int] = None,
    exact: Union[bool, str] = "auto",
    watched: Optional[watch] = None,
    donor: Optional[nn.Module] = None,
    reference: Optional[nn.Module] = None,
    mask: Optional[Callable] = None,
    source: Optional[Callable] = None,
    ranks: Any = None,
    contrastive: bool = False,
    baseline: Union[str, Path, None] = None,
) -> Report:
    """Examines the model on the loader's batches, best those that it is trained with, and changes nothing.

    loss: loss(output, target), a number or tensor; without one, the model's own (output.loss), or a cross-entropy where
        outputs are scores (N,K) and targets whole numbers (N); else damage is not measured in loss.
    optimizer, steps: that many training steps are made with a copy of both.
    forward: forward(model, batch) -> (output, target), for batches that are no tensor, (inputs..., target) or dict.
    batches: only the first so many.
    exact: whether to take exact statistics, one pass for each layer in a row; by default where losses differ.
    watched: steps that a bnlab.doctor.watch saw.
    donor: the model whose parameters this one's are an average of (EMA, SWA, a target network).
    reference: the model before batch normalization was folded or weights were quantized.
    mask: mask(batch) -> bool (N,L) or (N,H,W), True where data are real and no padding.
    source: source(batch) -> where the batch is from, or a list or tensor of N labels, one for each sample.
    ranks: True inside a torch.distributed process group, where every rank calls the doctor and none waits for another longer
        than a minute; or a list of the ranks' state_dicts.
    contrastive: whether loss is over two views of each sample: batches (view, other view, ...), outputs (of the one, of the
        other).
    baseline: a file with findings that are known, as Report.to_baseline() writes it.

    ValueError if the model is TorchScript, has lazy layers, or the loader is empty or can be read only once. Errors of
    the model or the loader pass through. Whatever happens, parameters, buffers, gradients, modes, hooks and random
    numbers are afterwards what they were.
    """
    if exact not in (True, False, "auto"):
        raise ValueError(f'bnlab.doctor: expected exact to be True, False or "auto", got {exact!r}.')
    if ranks is not None:
        _ranks.check(ranks)
    try:
        inner = unwrapped(model)
        norm_layers(inner)
        if donor is not None:
            averages.check(inner, donor)
        found = None if loader is None else Batches(inner, loader, forward, batches)
    except BaseException as error:
        if ranks is True:
            _ranks.tell_failed(error)
        raise
    seen = None if watched is None else watched.steps
    wanted = Wanted(optimizer, steps, exact, seen, donor, reference, mask, source, ranks, contrastive or None)

    def look() -> Report:
        return Report(_collect(inner, found, Loss(loss), wanted), look, baseline)

    return look()


class _Callable(types.ModuleType):
    """This module, which can be called."""

    __call__ = staticmethod(examine)


sys.modules[__name__].__class__ = _Callable
