"""Exact statistics: those of the whole loader in each layer, with exact ones in all layers before it.

A layer's statistics can be taken once those of all layers that its inputs depend on are known. So layers are taken in
waves, each with one pass over the loader that ends at the wave's last layer; layers side by side share one. What depends
on what is tried out on a few samples: a layer's output is changed, and the layers whose inputs change depend on it. The
first wave comes free with the first pass of the doctor.
"""
from typing import Any, Callable, Dict, List, Optional, Set

import torch
from torch import nn

from bnlab.doctor.batches import Batches, first_tensor, mapped
from bnlab.doctor.moments import Moments, of_batch
from bnlab.doctor.passes import Inputs, Stop, head, watching_inputs
from bnlab.doctor.state import has_statistics, scratch

_FEW = 4


def few_samples(batch: Any) -> Any:
    """The first samples of a batch, where its tensors have those in front."""
    found = first_tensor(batch)
    if found is None or found.dim() == 0:
        return batch
    size = found.size(0)
    return mapped(batch, lambda x: x[:_FEW] if x.dim() and x.size(0) == size else x)


def _fingerprints(layers: List[nn.Module], source: Batches, batch: Any, changed: Optional[nn.Module]):
    """The moments of all layers' inputs, call by call, with the output of one layer changed."""
    seen: Dict[nn.Module, List] = {layer: [] for layer in layers}
    handles = []

    def see(layer: nn.Module, args) -> None:
        x = first_tensor(args)
        if x is not None and x.dim() >= 2:
            seen[layer].append(torch.cat(of_batch(x)[1:]))

    def change(layer: nn.Module, args, output):
        noise = torch.rand(output.shape, generator=torch.Generator().manual_seed(1)).to(output.device, output.dtype)
        return output * (1 + noise)

    try:
        for layer in layers:
            handles.append(layer.register_forward_pre_hook(see))
        if changed is not None:
            handles.append(changed.register_forward_hook(change))
        with scratch(layers, training=True):
            source.output(batch)
    finally:
        for handle in handles:
            handle.remove()
    return seen


def dependencies(layers: List[nn.Module], source: Batches) -> Dict[nn.Module, Set[nn.Module]]:
    """For each layer those whose outputs its inputs depend on, itself too if it is called again behind itself."""
    batch = next(head(source, 1))
    few = few_samples(batch)
    try:
        before = _fingerprints(layers, source, few, None)
    except Exception:  # too few values a channel, or sizes that go together
        few = batch
        before = _fingerprints(layers, source, few, None)
    needs: Dict[nn.Module, Set[nn.Module]] = {layer: set() for layer in layers}
    for changed in layers:
        after = _fingerprints(layers, source, few, changed)
        for layer in layers:
            same = len(before[layer]) == len(after[layer]) and all(map(torch.equal, before[layer], after[layer]))
            if not same:
                needs[layer].add(changed)
    return needs


def waves(layers: List[nn.Module], needs: Dict[nn.Module, Set[nn.Module]]) -> List[List[nn.Module]]:
    """layers in groups, each of which needs only the groups before it; a circle is broken at its first layer."""
    found, done = [], set()
    while len(done) < len(layers):
        rest = [layer for layer in layers if layer not in done]
        wave = [layer for layer in rest if needs[layer] - {layer} <= done] or rest[:1]
        found.append(wave)
        done |= set(wave)
    return found


class Exact:
    """statistics: the moments of each layer; passes: over the loader that it took; circles: layers called behind
    themselves, whose statistics have no such order and are those of one round."""

    def __init__(self, statistics: Dict[nn.Module, Moments], passes: int, circles: List[nn.Module], needs: Dict) -> None:
        self.statistics, self.passes, self.circles, self.needs = statistics, passes, circles, needs

    def values(self):
        """(mean, unbiased variance) by layer, as running statistics hold them."""
        return {layer: (moments.mean, moments.var_unbiased) for layer, moments in self.statistics.items()}


def take(
    layers: List[nn.Module],
    first: Dict[nn.Module, Inputs],
    source: Any,
    needs: Optional[Dict[nn.Module, Set[nn.Module]]] = None,
    select: Optional[Callable] = None,
) -> Exact:
    """Exact statistics of the layers, which are in order of execution; first: what the first pass saw. needs: what is
    known of dependencies(). select: of all inputs, as in watching_inputs(). To be called inside state.as_found()."""
    layers = [layer for layer in layers if first[layer].moments.count > 0]
    normalizing = [layer for layer in layers if has_statistics(layer)]
    tried = dependencies(layers, source) if needs is None else needs
    needs = dict(tried)
    for layer in layers:  # those without running statistics normalize by the batch: nothing to wait for
        needs[layer] = {each for each in tried[layer] if each in normalizing}
    known: Dict[nn.Module, Moments] = {}
    passes = 0
    for number, wave in enumerate(waves(normalizing, {layer: needs[layer] for layer in normalizing})):
        if number == 0 and not any(needs[layer] for layer in wave):
            known.update((layer, first[layer].moments) for layer in wave)
            continue
        seen = {layer: Inputs() for layer in wave}
        values = {layer: (moments.mean, moments.var_unbiased) for layer, moments in known.items()}
        calls = None if any(first[layer].varying_calls for layer in wave) else sum(first[layer].most_calls for layer in wave)
        with scratch(normalizing, values), watching_inputs(seen, calls, select) as next_batch:
            for batch in source:
                next_batch()
                try:
                    source.output(batch)
                except Stop:
                    pass
        passes += 1
        known.update((layer, inputs.moments) for layer, inputs in seen.items())
    circles = [layer for layer in normalizing if layer in needs[layer]]
    return Exact({layer: known[layer] for layer in normalizing}, passes, circles, tried)
