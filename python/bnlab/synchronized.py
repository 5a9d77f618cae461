"""Batch normalization over the batches of several processes, by torch.distributed.

Each rank sends the count, mean and sum of squared deviations of its own batch, in double, and merges what all have sent by the
formula of Chan, Golub & LeVeque 1979 in the order of the ranks; in the backward pass, the two sums of its gradients. So a
layer has two small collectives a step, ranks may have batches of different sizes or none, and the results are bitwise the
same on every rank and from run to run.
"""
from typing import Any, List, Optional, Tuple

import torch
import torch.distributed as dist
from torch import Tensor
from torch.autograd.function import once_differentiable

from bnlab.modules import _Plain

_OPS = torch.ops.bnlab


def _gathered(values: Tensor, group: Any) -> List[Tensor]:
    """Of each rank, in their order. values: the same size everywhere."""
    found = [torch.empty_like(values) for _ in range(dist.get_world_size(group))]
    dist.all_gather(found, values, group=group)
    return found


def merge_moments(parts: List[Tuple[float, Tensor, Tensor]]) -> Tuple[float, Tensor, Tensor]:
    """(count, mean, m2) of all parts together, m2 = sum of (x - mean)^2. mean, m2: (C) double; of a count of 0, any."""
    count, mean, m2 = 0.0, torch.zeros_like(parts[0][1]), torch.zeros_like(parts[0][2])
    for more, mean_of_part, m2_of_part in parts:
        if more == 0:
            continue
        total = count + more
        delta = mean_of_part - mean
        m2 = m2 + m2_of_part + delta * delta * (count * (more / total))
        mean = mean + delta * (more / total)
        count = total
    return count, mean, m2


class _Synchronized(torch.autograd.Function):
    """(y, mean, var_biased, count): y of this rank's x, the statistics of all ranks' x."""

    @staticmethod
    def forward(ctx, x, gamma, beta, eps, group):
        mean, m2 = _OPS.channel_moments(x)
        own = torch.cat([mean.new_tensor([x.numel() // max(1, x.size(1))]), mean, m2])
        channels = x.size(1)
        parts = [(each[0].item(), each[1 : 1 + channels], each[1 + channels :]) for each in _gathered(own, group)]
        count, mean, m2 = merge_moments(parts)
        if count < 2:
            raise ValueError(
                f"SyncBatchNorm: expected more than 1 value per channel on all ranks together in training, got {count:.0f}; "
                "use a larger batch, or put this layer into evaluation mode."
            )
        var_biased = m2 / count
        rstd = (var_biased + eps).rsqrt()
        y, _ = _OPS.batch_norm_evaluation(x, gamma, beta, mean, rstd, None, False, False)
        ctx.save_for_backward(x, gamma, mean, rstd)
        ctx.count, ctx.group = int(count), group
        ctx.mark_non_differentiable(mean, var_biased)
        return y, mean, var_biased, int(count)

    @staticmethod
    @once_differentiable
    def backward(ctx, dy, *of_statistics):
        x, gamma, mean, rstd = ctx.saved_tensors
        wants_x, wants_gamma, wants_beta = ctx.needs_input_grad[:3]
        sum_dz, sum_dz_xhat = _OPS.batch_norm_backward_sums(dy, x, mean, rstd, None)
        dx = None
        if wants_x:
            total = torch.stack(_gathered(torch.cat([sum_dz, sum_dz_xhat]), ctx.group)).sum(0)
            dx, _ = _OPS.batch_norm_backward_by_sums(
                dy, x, gamma, mean, rstd, None, *total.chunk(2), ctx.count, [True, False]
            )
        dgamma = sum_dz_xhat.to(gamma.dtype) if wants_gamma else None
        dbeta = sum_dz.to(gamma.dtype) if wants_beta else None
        return dx, dgamma, dbeta, None, None


class SyncBatchNorm(_Plain):
    """torch.nn.SyncBatchNorm, on the CPU: in training, the statistics are those of all ranks' batches together.

    Input (N,C) or (N,C,*), N of each rank's own, 0 included. Arguments as torch.nn.SyncBatchNorm's, and the options of
    bnlab's other layers. Without torch.distributed, and in a group of one, it is a BatchNorm. All ranks of the group must
    call it in the same order, in the same mode. Second derivatives are refused. No instance of torch.nn.SyncBatchNorm:
    DistributedDataParallel refuses those on the CPU.
    """

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: Optional[float] = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        process_group: Any = None,
        device=None,
        dtype=None,
        **options,
    ) -> None:
        super().__init__(num_features, eps, momentum, affine, track_running_stats, device=device, dtype=dtype, **options)
        self.process_group = process_group

    def _check_input_dim(self, input: Tensor) -> None:
        if input.dim() < 2:
            raise ValueError(f"SyncBatchNorm: expected input of at least 2 dimensions, got {input.dim()}.")

    def forward(self, input: Tensor) -> Tensor:
        group = self.process_group
        if not self.training or not dist.is_available() or not dist.is_initialized() or dist.get_world_size(group) == 1:
            return self._normalize(input, None, False, self.eps)
        self._check_input_dim(input)
        if dist.get_backend(group) == "nccl":
            raise RuntimeError(
                "SyncBatchNorm: expected a process group that carries CPU tensors, got one of NCCL; give the layer "
                'process_group=torch.distributed.new_group(backend="gloo").'
            )
        y, mean, var_biased, count = _Synchronized.apply(input, self.weight, self.bias, self.eps, group)
        if self.track_running_stats:
            self._track(mean, var_biased, count)
        return y
