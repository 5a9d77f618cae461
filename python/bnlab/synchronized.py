"""Batch normalization over the batches of several processes, by torch.distributed.

Each rank sends the count, mean and sum of squared deviations of its own batch, in double, and merges what all have sent by the
formula of Chan, Golub & LeVeque 1979 in the order of the ranks; in the backward pass, the two sums of its gradients. So a
layer has two small collectives a step (of more than 512 channels: four), ranks may have batches of different sizes or none,
and the results are bitwise the same on every rank and from run to run.
"""
import copy
import functools
import sys
from typing import Any, Callable, List, NamedTuple, Optional, Tuple

import torch
import torch.distributed as dist
from torch import Tensor, fx

from bnlab.exchange import ABSENT, ASKING, PRESENT, Head, copy_places, exchange, place_of
from bnlab.modules import _Plain

_OPS = torch.ops.bnlab
_INSTEAD = "put the model into evaluation mode, or use BatchNorm layers, which ask no other rank"


def _eagerly(function: Callable) -> Callable:
    """The function, which torch.compile is to call as it is: it reads what other ranks have sent.

    torch._dynamo.disable, without the seconds that importing the compiler takes where nothing is compiled.
    """

    @functools.wraps(function)
    def call(*arguments):
        compiler = sys.modules.get("torch._dynamo")
        if compiler is None:
            return function(*arguments)
        if not hasattr(call, "disabled"):
            call.disabled = compiler.disable(function)
        return call.disabled(*arguments)

    call._torchdynamo_disable = True
    call.__qualname__ = (  # torch.compile shows it where it must not leave the graph
        "of SyncBatchNorm, which in training talks to other ranks between graphs: leave out fullgraph=True, export in "
        "evaluation mode,"
    )
    return call


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


class _Moments(NamedTuple):
    """Of all ranks' batches. mean, var_biased: (C) double."""

    count: int
    mean: Tensor
    var_biased: Tensor
    roles: List[int]  # of each rank in the backward pass
    head: Head  # of this rank
    group: Any


def _moments_of_all(layer: "SyncBatchNorm", x: Tensor) -> _Moments:
    wants = [value is not None and value.requires_grad for value in (x, layer.weight, layer.bias)]
    role = ABSENT if not (torch.is_grad_enabled() and any(wants)) else ASKING if wants[0] else PRESENT
    mean, m2 = _OPS.channel_moments(x.detach())
    group, channels = layer.process_group, x.size(1)
    values = x.numel() // max(1, channels)
    head = Head(False, place_of(layer, group), channels, 2 * channels, layer.eps, values, role)
    parts = exchange(torch.cat([mean, m2]), head, group)
    count, mean, m2 = merge_moments([(part.head.count, *part.values.chunk(2)) for part in parts])
    if count < 2:
        raise ValueError(
            f"SyncBatchNorm: expected more than 1 value per channel on all ranks together in training, got {count:.0f}; "
            "use a larger batch, or put this layer into evaluation mode."
        )
    return _Moments(int(count), mean, m2 / count, [int(part.head.role) for part in parts], head, group)


def _sums_of_all(sums: Tensor, of: _Moments) -> Optional[Tensor]:
    """sums: (2C) double of this rank. None if no rank needs them."""
    if ASKING not in of.roles:
        return None
    if ABSENT in of.roles:
        raise RuntimeError(
            f"SyncBatchNorm: rank {of.roles.index(ABSENT)} has nothing to differentiate here (no_grad, or neither its input "
            "nor weight and bias require a gradient), so that the gradient of this rank's input cannot be had; use the same "
            "modes and requires_grad on all ranks."
        )
    parts = exchange(sums, of.head._replace(is_backward=True), of.group)
    return torch.stack([part.values for part in parts]).sum(0)


class _Synchronized(torch.autograd.Function):
    """y of this rank's x, by the moments of all ranks' x, which the layer tracks.

    It tracks them here, so that checkpointing, which ends its second forward pass where the last tensor is saved, counts a
    last layer as any other, and as torch.nn's.
    """

    @staticmethod
    def forward(ctx, x, gamma, beta, layer, moments):
        rstd = (moments.var_biased + layer.eps).rsqrt()
        y, _ = _OPS.batch_norm_evaluation(x, gamma, beta, moments.mean, rstd, None, False, False)
        layer._track(moments.mean, moments.var_biased, moments.count)
        ctx.save_for_backward(x, gamma, moments.mean, rstd)
        ctx.moments = moments
        ctx.parameter_types = [value is not None and value.dtype for value in (gamma, beta)]
        return y

    @staticmethod
    @_eagerly
    def backward(ctx, dy):
        _refuse_transforms(dy)
        gradients = _Gradients.apply(dy, *ctx.saved_tensors, ctx.moments, ctx.needs_input_grad[0])
        of_parameters = zip(gradients[1:], ctx.parameter_types, ctx.needs_input_grad[1:3])
        return (gradients[0], *(value.to(kind) if wanted else None for value, kind, wanted in of_parameters), None, None)

    @staticmethod
    def jvp(ctx, *tangents):
        raise RuntimeError(f"SyncBatchNorm: in training it has no forward mode of differentiation; {_INSTEAD}.")


class _Gradients(torch.autograd.Function):
    """(dx, dgamma, dbeta), the last two of this rank alone and in double."""

    @staticmethod
    def forward(ctx, dy, x, gamma, mean, rstd, moments, wants_x):
        sum_dz, sum_dz_xhat = _OPS.batch_norm_backward_sums(dy, x, mean, rstd, None)
        dx, total = None, _sums_of_all(torch.cat([sum_dz, sum_dz_xhat]), moments)
        if wants_x:
            dx, _ = _OPS.batch_norm_backward_by_sums(
                dy, x, gamma, mean, rstd, None, *total.chunk(2), moments.count, [True, False]
            )
        return dx, sum_dz_xhat, sum_dz

    @staticmethod
    def backward(ctx, *cotangents):
        raise RuntimeError(f"SyncBatchNorm: in training it has no second derivatives; {_INSTEAD}.")


def _is_traced(x: Tensor) -> bool:
    """Whether operators are recorded rather than run, or x has no values."""
    tracer = sys.modules.get("torch.fx.experimental.proxy_tensor")
    modes = tracer.get_torch_dispatch_modes() if tracer else []
    return x.is_meta or type(x).__name__ == "FakeTensor" or any("ProxyTorch" in type(mode).__name__ for mode in modes)


def _refuse_transforms(x: Tensor) -> None:
    """RuntimeError where x is not just a batch: there is nothing else that other ranks could be told of it."""
    if torch.jit.is_tracing():
        why = "torch.jit.trace and torch.onnx.export cannot show in training what the ranks tell each other"
    elif torch._C._are_functorch_transforms_active() or "Batched" in str(torch._C._dispatch_keys(x)):
        why = "vmap, torch.func and functorch do not reach the other ranks"
    elif _is_traced(x):
        why = "torch.export, make_fx and other tracers do not reach the other ranks"
    else:
        return
    raise RuntimeError(f"SyncBatchNorm: {why}; {_INSTEAD}.")


@_eagerly
def _in_training(layer: "SyncBatchNorm", input: Tensor) -> Tensor:
    """y, by the statistics of all ranks' input; tracks them."""
    if isinstance(input, fx.Proxy) or dist.get_world_size(layer.process_group) == 1:
        return layer._normalize(input, None, False, layer.eps)
    layer._check_input_dim(input)
    if dist.get_rank(layer.process_group) < 0:
        raise RuntimeError("SyncBatchNorm: this rank is not in the layer's process_group; give it one that it is in.")
    if dist.get_backend(layer.process_group) == "nccl":
        raise RuntimeError(
            "SyncBatchNorm: expected a process group that carries CPU tensors, got one of NCCL; give the layer "
            'process_group=torch.distributed.new_group(backend="gloo").'
        )
    _refuse_transforms(input)
    return _Synchronized.apply(input, layer.weight, layer.bias, layer, _moments_of_all(layer, input))


class SyncBatchNorm(_Plain):
    """torch.nn.SyncBatchNorm, on the CPU: in training, the statistics are those of all ranks' batches together.

    Input (N,C) or (N,C,*), N of each rank's own, 0 included. Arguments as torch.nn.SyncBatchNorm's, and the options of
    bnlab's other layers. Without torch.distributed, and in a group of one, it is a BatchNorm. All ranks of the group must
    call it in the same order, in the same mode: RuntimeError where they are seen not to, and a warning of a rank that waits
    for a minute. Refused in training: second derivatives, forward mode, functorch's transforms, tracing and exporting. No
    instance of torch.nn.SyncBatchNorm: DistributedDataParallel refuses those on the CPU.
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

    def __deepcopy__(self, memo):
        copied = memo[id(self)] = type(self).__new__(type(self))
        if self.process_group is not None:
            memo[id(self.process_group)] = self.process_group
        copied.__setstate__(copy.deepcopy(self.__dict__, memo))
        copy_places(self, copied)
        return copied

    def __copy__(self):
        copied = type(self).__new__(type(self))
        copied.__setstate__(self.__dict__)
        copy_places(self, copied)
        return copied

    def __reduce_ex__(self, protocol):
        if self.process_group is not None:
            raise TypeError(
                "SyncBatchNorm: a process_group is of this process alone and cannot be pickled; save the state_dict, or set "
                "process_group = None on the layer and the group again after loading."
            )
        return super().__reduce_ex__(protocol)

    def _check_input_dim(self, input: Tensor) -> None:
        if input.dim() < 2:
            raise ValueError(f"SyncBatchNorm: expected input of at least 2 dimensions, got {input.dim()}.")

    @torch.jit.unused
    def _may_have_mates(self) -> bool:
        """Whether there are groups, so that _in_training() is to look at the layer's."""
        if not dist.is_available():
            return False
        world = getattr(dist.distributed_c10d, "_world", None)  # torch.compile guards what is read there, not is_initialized()
        return dist.is_initialized() if world is None else world.default_pg is not None

    def forward(self, input: Tensor) -> Tensor:
        if self.training:
            if torch.jit.is_scripting():
                raise RuntimeError(
                    "SyncBatchNorm: TorchScript cannot train it; put it into evaluation mode, or script the model after "
                    "bnlab.convert_back()."
                )
            elif self._may_have_mates():
                return _in_training(self, input)
        return self._normalize(input, None, False, self.eps)
