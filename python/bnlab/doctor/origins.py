"""Inputs of a layer by the source that samples are from: real and generated images, domains, calls of one training step."""
from typing import Any, Callable, Dict, Hashable, Iterator, List, Optional, Tuple

import torch
from torch import Tensor, nn

from bnlab.doctor import exact, passes
from bnlab.doctor.batches import Batches, WrongArgument, first_tensor, mapped
from bnlab.doctor.facts import numbers
from bnlab.doctor.moments import Moments
from bnlab.doctor.state import has_statistics, scratch

_MOST_SOURCES = 16


class Mix:
    """The variance between sources and within them, over one or more rounds in which each source is seen once."""

    def __init__(self) -> None:
        self.freedom = 0
        self._all = [0.0, 0.0]  # m2 of all values, and the part of it between sources
        self._samples = [0.0, 0.0, 0]  # of one number a sample: m2 between, m2 within, degrees of freedom within

    def add(self, values: Moments, samples: Moments) -> None:
        """Moments to which each source was added by one add()."""
        if values.batches < 2:
            return
        self.freedom += values.batches - 1
        self._all = [self._all[0] + values.m2, self._all[1] + values.m2_between]
        between, within, rest = self._samples
        self._samples = [
            between + samples.m2_between, within + samples.m2 - samples.m2_between, rest + samples.count - samples.batches,
        ]  # fmt: skip

    def facts(self) -> Dict[str, Any]:
        whole, between = self._all
        share = torch.where(whole > 0, between / whole, torch.zeros_like(whole))
        between, within, rest = self._samples
        spread = (between / self.freedom) / (within / max(1, rest))
        return {"freedom": self.freedom, "share": numbers(share), "spread": numbers(spread)}


def _parts(batch: Any, origin: Callable[[Any], Any]) -> List[Tuple[Hashable, Any]]:
    """(label, samples of that source) of a batch."""
    label = origin(batch)
    found = first_tensor(batch)
    size = 1 if found is None or found.dim() == 0 else found.size(0)
    if isinstance(label, Tensor):
        label = label.tolist()
    if not isinstance(label, (list, tuple)):
        return [(label, batch)]
    if len(label) != size:
        raise WrongArgument(
            f"bnlab.doctor: expected source(batch) to be one label, or one for each of {size} samples, got {len(label)}."
        )
    if len(set(label)) == 1:
        return [(label[0], batch)]
    parts = []
    for each in sorted(set(label), key=str):
        index = torch.tensor([i for i, own in enumerate(label) if own == each])
        parts.append((each, mapped(batch, lambda x: x[index.to(x.device)] if x.dim() and x.size(0) == size else x)))
    return parts


class _OfSource:
    """The samples of one source, batch by batch."""

    def __init__(self, source: Batches, origin: Callable, label: Hashable) -> None:
        self._source, self._origin, self._label = source, origin, label
        self.loader, self.output = source.loader, source.output

    def __iter__(self) -> Iterator[Any]:
        for batch in self._source:
            for label, part in _parts(batch, self._origin):
                if label == self._label:
                    yield part


def _labels(source: Batches, origin: Callable) -> List[Hashable]:
    labels: Dict[Hashable, None] = {}
    for batch in source:
        labels.update((label, None) for label, _ in _parts(batch, origin))
        if len(labels) > _MOST_SOURCES:
            raise WrongArgument(f"bnlab.doctor: source gives more than {_MOST_SOURCES} labels; give one for a group of samples.")
    return list(labels)


def _seen(found: Any, batches: _OfSource) -> Dict[nn.Module, passes.Inputs]:
    seen = {layer: passes.Inputs() for layer in found.layers}
    with passes.watching_inputs(seen) as next_batch:
        for batch in batches:
            next_batch()
            batches.output(batch)
    return seen


def _mix(of_sources: List[passes.Inputs]) -> Mix:
    values, samples = Moments(), Moments()
    for inputs in of_sources:
        values.add(inputs.moments.count, inputs.moments.mean, inputs.moments.m2)
        samples.add(inputs.of_samples.count, inputs.of_samples.mean, inputs.of_samples.m2)
    mix = Mix()
    mix.add(values, samples)
    return mix


def _losses(found: Any, origin: Callable, statistics: Dict[Hashable, Optional[Dict]]) -> List[float]:
    """The loss of each batch, each sample by the statistics of its source; None: the running ones."""
    layers = [layer for layer in found.layers if has_statistics(layer)]
    losses = []
    for batch in found.source:
        sum_, count = 0.0, 0
        for label, part in _parts(batch, origin):
            with scratch(layers, statistics[label]):
                output, target, samples = found.source.output(part)
                sum_ += samples * found.loss(output, target)
                count += samples
        losses.append(sum_ / count)
    return losses


def compare(found: Any, origin: Callable[[Any], Any]) -> None:
    labels = _labels(found.source, origin)
    if len(labels) < 2:
        raise WrongArgument("bnlab.doctor: source gives the same label for all samples; there is nothing to compare.")
    batches = {label: _OfSource(found.source, origin, label) for label in labels}
    seen = {label: _seen(found, batches[label]) for label in labels}
    for layer in found.layers:
        of_sources = [seen[label][layer] for label in labels if seen[label][layer].moments.count]
        if len(of_sources) > 1:
            found.more_of[layer]["sources"] = _mix(of_sources).facts()
    found.more["sources"] = {"names": [str(label) for label in labels]}
    if not found.running.has_losses:
        return
    needs = exact.dependencies(found.layers, found.source) if found.exact is None else found.exact.needs
    apart = {label: exact.take(found.layers, seen[label], batches[label], needs).values() for label in labels}
    mixed = None if found.exact is None else found.exact.values()
    found.more["sources"].update(
        mixed=numbers(_losses(found, origin, {label: mixed for label in labels})), apart=numbers(_losses(found, origin, apart))
    )
