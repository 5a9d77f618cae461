"""Moments of a layer's inputs over many batches, in double: bnlab's kernel for a batch, Chan's formula between them."""
from typing import Optional, Tuple

import torch
from torch import Tensor

_TYPES = (torch.float32, torch.float64, torch.bfloat16, torch.float16)


def of_batch(x: Tensor) -> Tuple[int, Tensor, Tensor]:
    """(count, mean, m2) of each channel of x (N,C,*): m2 = sum of (x - mean)^2; mean and m2 (C), double, on the CPU."""
    x = x.detach()
    count = x.numel() // max(1, x.size(1))
    if x.device.type == "cpu" and x.dtype in _TYPES and x.dim() <= 5:
        mean, m2 = torch.ops.bnlab.channel_moments(x)
        if bool(torch.isfinite(m2).all()):
            return count, mean, m2
    wide = x.transpose(0, 1).flatten(1).to(torch.float64)
    mean = wide.mean(1)
    return count, mean.cpu(), (wide - mean[:, None]).square_().sum(1).cpu()


class Moments:
    """Count, mean and m2 of all batches added so far. Source: Chan, Golub & LeVeque 1979; as kernels/moments.h merges."""

    def __init__(self) -> None:
        self.count = 0
        self.batches = 0
        self.mean: Optional[Tensor] = None
        self.m2: Optional[Tensor] = None
        self.m2_between: Optional[Tensor] = None  # the part of m2 that the batches' means make

    def add(self, count: int, mean: Tensor, m2: Tensor) -> None:
        if count == 0:
            return
        self.batches += 1
        if self.count == 0:
            self.count, self.mean, self.m2, self.m2_between = count, mean, m2, torch.zeros_like(m2)
            return
        total = self.count + count
        delta = mean - self.mean
        between = delta * delta * (self.count * (count / total))
        self.mean = self.mean + delta * (count / total)
        self.m2 = self.m2 + m2 + between
        self.m2_between = self.m2_between + between
        self.count = total

    def copy(self) -> "Moments":
        copied = Moments()
        copied.__dict__.update(self.__dict__)
        return copied

    @property
    def var_biased(self) -> Tensor:
        return self.m2 / self.count

    @property
    def var_unbiased(self) -> Tensor:
        """What PyTorch keeps in running_var."""
        return self.m2 / max(1, self.count - 1)

    @property
    def between(self) -> Tensor:
        """Variance of the batches' means around the mean, weighted by their counts."""
        return self.m2_between / self.count

    @property
    def spread(self) -> Tensor:
        """The variance between batches over that within them, 1 by chance: F of one-way analysis of variance."""
        between = self.m2_between / max(1, self.batches - 1)
        return between / ((self.m2 - self.m2_between) / max(1, self.count - self.batches))
