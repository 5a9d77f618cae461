"""Whether batch mates give away which two views are of one sample: losses of the same outputs among other candidates.

Samples of several batches are dealt anew into groups, both views of a sample into the same, and each group is normalized by
itself. The loss is then taken twice: among the samples of each group, which share their statistics, so that these tell
nothing; and among samples dealt once more, where the other view of a sample is the only one that is sure to share them.
"""
from typing import Any, List, Tuple

import torch
from torch import Tensor

from bnlab.doctor import passes
from bnlab.doctor.batches import WrongArgument
from bnlab.doctor.facts import numbers
from bnlab.doctor.state import scratch

_LEAST_DEALINGS, _MOST_DEALINGS, _SAMPLES = 8, 32, 4096  # so many dealings that so many samples are dealt in all


def _views(batches: List[Any]) -> Tuple[Tensor, Tensor]:
    """Both views of all samples."""
    for batch in batches:
        if not isinstance(batch, (list, tuple)) or len(batch) < 2 or not all(isinstance(x, Tensor) for x in batch[:2]):
            raise WrongArgument("bnlab.doctor: contrastive=True expects batches (view, other view, ...), both tensors.")
        if batch[0].dim() == 0 or batch[0].size(0) != batch[1].size(0):
            raise WrongArgument("bnlab.doctor: contrastive=True expects as many samples of the one view as of the other.")
    return torch.cat([batch[0] for batch in batches]), torch.cat([batch[1] for batch in batches])


def _output(source: Any, batch: Any) -> Tuple[Tensor, Tensor, Any]:
    output, target, _ = source.output(batch)
    fits = isinstance(output, (list, tuple)) and len(output) == 2 and all(
        isinstance(z, Tensor) and z.dim() and z.size(0) == len(batch[0]) for z in output
    )  # fmt: skip
    if not fits:
        raise WrongArgument(
            "bnlab.doctor: contrastive=True expects outputs (of the view, of the other view), two tensors of a row for each "
            "sample; forward=lambda model, batch: ((model(batch[0]), model(batch[1])), None) makes them."
        )
    return output[0], output[1], target


class _Dealt:
    def __init__(self, found: Any) -> None:
        self._found = found
        batches = list(passes.head(found.source))
        size = len(batches[0][0]) if isinstance(batches[0], (list, tuple)) else 0
        self._batches = [batch for batch in batches if isinstance(batch, (list, tuple)) and len(batch[0]) == size]
        self._first, self._second = _views(self._batches or batches)
        self._size = size
        if len(self._batches) < 2:
            raise RuntimeError("it takes two batches of one size")
        self._targets = [_output(found.source, batch)[2] for batch in self._batches]

    @property
    def dealings(self) -> int:
        """More of fewer samples, of which each dealing tells less and costs less."""
        return min(_MOST_DEALINGS, max(_LEAST_DEALINGS, -(-_SAMPLES // len(self._first))))

    def order(self, generator: torch.Generator) -> Tensor:
        return torch.randperm(len(self._first), generator=generator)

    def outputs(self, order: Tensor) -> Tuple[Tensor, Tensor]:
        """Of both views of all samples, in their own order, normalized by the groups of this one."""
        one, other = [], []
        with scratch(self._found.layers, training=True):
            for batch, group in zip(self._batches, order.split(self._size)):
                dealt = type(batch)([self._first[group], self._second[group], *batch[2:]])
                of_one, of_other, _ = _output(self._found.source, dealt)
                one.append(of_one)
                other.append(of_other)
        back = order.argsort()
        return torch.cat(one)[back.to(one[0].device)], torch.cat(other)[back.to(other[0].device)]

    def loss(self, outputs: Tuple[Tensor, Tensor], order: Tensor) -> float:
        """The mean loss over the groups of this order."""
        losses = []
        for index, group in enumerate(order.split(self._size)):
            one, other = (z[group.to(z.device)] for z in outputs)
            losses.append(self._found.loss((one, other), self._target(index, group)))
        if any(value is None for value in losses):
            raise WrongArgument("bnlab.doctor: contrastive=True needs a loss(output) or loss(output, target) of both views.")
        return sum(losses) / len(losses)

    def _target(self, index: int, group: Tensor) -> Any:
        """Targets of samples go with them; those that are the same in each batch are of places in it."""
        targets = self._targets
        if not all(isinstance(each, Tensor) and each.dim() and len(each) == self._size for each in targets):
            return targets[index]
        if all(torch.equal(each, targets[0]) for each in targets):
            return targets[0]
        every = torch.cat(targets)
        return every[group.to(every.device)]


def compare(found: Any, _: Any) -> None:
    dealt = _Dealt(found)
    generator = torch.Generator().manual_seed(1)
    among_mates, among_all = [], []
    for _ in range(dealt.dealings):
        groups = dealt.order(generator)
        outputs = dealt.outputs(groups)
        among_mates.append(dealt.loss(outputs, groups))
        among_all.append(dealt.loss(outputs, dealt.order(generator)))
    found.more["mates"] = {"among_mates": numbers(among_mates), "among_all": numbers(among_all)}
