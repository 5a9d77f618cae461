"""Passes over the loader: losses by one kind of statistics, and moments of the layers' inputs."""
import contextlib
import itertools
import math
from typing import Any, Callable, Dict, Iterable, Iterator, List, Optional

import torch
from torch import Tensor, nn

from bnlab.doctor.batches import Batches, first_tensor
from bnlab.doctor.losses import Loss, main_output
from bnlab.doctor.moments import Moments, of_batch

HEAD = 8  # batches of what is done on the first alone
_OUTPUTS_KEPT = 4
_POSITIONS = 16


class Inputs:
    """What one layer got."""

    def __init__(self) -> None:
        self.moments = Moments()
        self.head: Optional[Moments] = None  # of the first batches
        self.of_samples = Moments()  # of one number a sample
        self.values: List[int] = []  # fewest a channel, by batch
        self.calls = 0  # of the current batch
        self.most_calls = 0
        self.total_calls = 0

    @property
    def varying_calls(self) -> bool:
        """Whether some batch made fewer calls than another."""
        return self.total_calls != self.most_calls * len(self.values)


def _number_of_samples(x: Tensor) -> Tensor:
    """(N,C): the mean of up to _POSITIONS positions of each sample, spread over it."""
    if x.dim() == 2:
        return x
    flat = x.detach().flatten(2)
    return flat[:, :, :: max(1, flat.size(2) // _POSITIONS)].mean(2)


class Stop(BaseException):
    """Ends a forward pass whose rest is not needed."""


@contextlib.contextmanager
def watching_inputs(seen: Dict[nn.Module, Inputs], calls_wanted: Optional[int] = None) -> Iterator[Callable[[], None]]:
    """Adds the inputs of these layers to `seen`. Yields a function to be called before each batch. Raises Stop in the
    model after calls_wanted calls in a batch."""
    handles, total = [], [0]

    def see(layer: nn.Module, args) -> None:
        x = first_tensor(args)
        if x is not None and x.dim() >= 2:
            inputs = seen[layer]
            count, mean, m2 = of_batch(x)
            inputs.moments.add(count, mean, m2)
            inputs.calls += 1
            inputs.total_calls += 1
            inputs.most_calls = max(inputs.most_calls, inputs.calls)
            if inputs.calls == 1:
                inputs.values.append(count)
                inputs.of_samples.add(*of_batch(_number_of_samples(x)))
            else:
                inputs.values[-1] = min(inputs.values[-1], count)
        total[0] += 1
        if total[0] == calls_wanted:
            raise Stop

    def next_batch() -> None:
        total[0] = 0
        for inputs in seen.values():
            inputs.calls = 0

    try:
        for layer in seen:
            handles.append(layer.register_forward_pre_hook(see))
        yield next_batch
    finally:
        for handle in handles:
            handle.remove()


class Result:
    """The losses of a pass by batch, and the outputs of its first batches."""

    def __init__(self) -> None:
        self.losses: List[Optional[float]] = []
        self.samples: List[int] = []
        self.outputs: List[Tensor] = []

    @property
    def has_losses(self) -> bool:
        return bool(self.losses) and all(value is not None for value in self.losses)


def mean_loss(result: Optional[Result]) -> float:
    """Weighted by samples, as damage.cpp does; NaN if not measured."""
    if result is None or not result.has_losses:
        return math.nan
    return sum(n * loss for n, loss in zip(result.samples, result.losses)) / max(1, sum(result.samples))


def run(batches: Iterable[Any], source: Batches, loss: Loss, each: Optional[Callable[[int, Any], None]] = None) -> Result:
    """One pass. each(index, output): called behind each batch."""
    result = Result()
    for index, batch in enumerate(batches):
        output, target, samples = source.output(batch)
        result.losses.append(loss(output, target))
        result.samples.append(samples)
        scores = main_output(output)
        if index < _OUTPUTS_KEPT and scores is not None:
            result.outputs.append(scores.detach().clone())
        if each is not None:
            each(index, output)
    return result


def head(source: Batches, count: int = HEAD) -> Iterator[Any]:
    return itertools.islice(iter(source), count)


def largest_difference(a: Result, b: Result) -> Optional[float]:
    """Largest |difference| of the first outputs over their standard deviation; None without outputs of equal sizes."""
    pairs = [(x.double(), y.double()) for x, y in zip(a.outputs, b.outputs) if x.shape == y.shape and x.numel()]
    if not pairs:
        return None
    every = torch.cat([x.flatten() for x, _ in pairs])
    deviation = float(every.std(unbiased=False)) if every.numel() > 1 else 0.0
    difference = max(float((x - y).abs().max()) for x, y in pairs)
    if difference != difference:
        return float("nan")
    return difference / deviation if deviation > 0 else difference
