"""Batch normalization as functions, with the arguments of torch.nn.functional.batch_norm.

input: (N,C) or (N,C,*) of rank 2 to 5 on the CPU; float32, float64, bfloat16 or float16 (with the last two, weight,
bias and running statistics may be float32). The result has input's type and memory format. Differentiable any number of
times.
"""
from typing import Optional, Tuple

import torch
from torch import Tensor, fx
from torch.utils import checkpoint

__all__ = ["batch_norm", "batch_norm_add_relu", "batch_norm_relu"]

# With this torch.utils.checkpoint (PyTorch 2) ends its second forward pass, once the last tensor is saved: within an
# operator, which then gives no result. Running statistics move all the same, as torch.nn's have by then.
ENDS_RECOMPUTATION = getattr(checkpoint, "_StopRecomputationError", ())


def check_enough_values(input: Tensor, else_do: str = "normalize by running statistics (training=False)") -> None:
    """ValueError if a batch has a single value per channel, whose own statistics it is to be normalized by.

    else_do: what helps beside larger batches. Other errors are the operators'.
    """
    if input.dim() >= 2 and input.size(1) > 0 and input.numel() == input.size(1):
        raise ValueError(
            "Expected more than 1 value per channel when training, got input size {}: a single value has no variance. "
            "Use larger batches, drop the last incomplete batch of an epoch (drop_last=True), or {}".format(
                input.size(), else_do
            )
        )


def batch_statistics(input: Tensor) -> Tuple[Tensor, Tensor, int]:
    """(mean, var_biased, values per channel) of a batch; the first two (C) double."""
    mean, m2 = torch.ops.bnlab.channel_moments(input.detach())
    count = input.numel() // max(1, input.size(1))
    return mean, m2 / count, count


def in_onnx_export() -> bool:
    """Whether torch.onnx.export() looks on: it is shown torch's operators, which ONNX has."""
    return torch.jit.is_tracing() and torch.onnx.is_in_onnx_export()


def by_torch(
    input: Tensor,
    addend: Optional[Tensor],
    relu: bool,
    running_mean: Optional[Tensor],
    running_var: Optional[Tensor],
    weight: Optional[Tensor],
    bias: Optional[Tensor],
    training: bool,
    momentum: float,
    eps: float,
) -> Tensor:
    """What the functions below compute, in torch's operators."""
    z = torch.nn.functional.batch_norm(input, running_mean, running_var, weight, bias, training, momentum, eps)
    if addend is not None:
        z = z + addend
    return torch.relu(z) if relu else z


def _in_python(
    input: Tensor,
    addend: Optional[Tensor],
    relu: bool,
    running_mean: Optional[Tensor],
    running_var: Optional[Tensor],
    weight: Optional[Tensor],
    bias: Optional[Tensor],
    training: bool,
    momentum: float,
    eps: float,
) -> Tensor:
    """What the functions below compute, outside TorchScript. In a trace of torch.fx, the call of one of them."""
    if isinstance(input, fx.Proxy):
        added = () if addend is None else (addend,)
        function = batch_norm_add_relu if added else batch_norm_relu if relu else batch_norm
        arguments = (input, *added, running_mean, running_var, weight, bias, training, momentum, eps)
        return input.tracer.create_proxy("call_function", function, arguments, {})
    if in_onnx_export():
        return by_torch(input, addend, relu, running_mean, running_var, weight, bias, training, momentum, eps)
    if training:
        check_enough_values(input)
    rest = (weight, bias, running_mean, running_var, training, momentum, eps)
    try:
        if addend is not None:
            return torch.ops.bnlab.batch_norm_add_relu(input, addend, *rest)
        return (torch.ops.bnlab.batch_norm_relu if relu else torch.ops.bnlab.batch_norm)(input, *rest)
    except ENDS_RECOMPUTATION:
        if training and running_mean is not None and running_var is not None:
            torch.ops.bnlab.update_running_statistics(
                *batch_statistics(input), momentum, running_mean, running_var, None, None, None, None
            )
        raise


def batch_norm(
    input: Tensor,
    running_mean: Optional[Tensor],
    running_var: Optional[Tensor],
    weight: Optional[Tensor] = None,
    bias: Optional[Tensor] = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """As torch.nn.functional.batch_norm.

    Training: normalizes by the batch's own statistics and moves the running ones, if given, by momentum (0 to 1). Else
    by the running ones, which must then be given.
    """
    if not torch.jit.is_scripting():
        return _in_python(
            input, None, False, running_mean, running_var, weight, bias, training, momentum, eps
        )
    if training:
        check_enough_values(input)
    return torch.ops.bnlab.batch_norm(input, weight, bias, running_mean, running_var, training, momentum, eps)


def batch_norm_relu(
    input: Tensor,
    running_mean: Optional[Tensor],
    running_var: Optional[Tensor],
    weight: Optional[Tensor] = None,
    bias: Optional[Tensor] = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """relu(batch_norm(input, ...)) in one pass; keeps input and a bit per element for the backward pass."""
    if not torch.jit.is_scripting():
        return _in_python(
            input, None, True, running_mean, running_var, weight, bias, training, momentum, eps
        )
    if training:
        check_enough_values(input)
    return torch.ops.bnlab.batch_norm_relu(input, weight, bias, running_mean, running_var, training, momentum, eps)


def batch_norm_add_relu(
    input: Tensor,
    addend: Tensor,
    running_mean: Optional[Tensor],
    running_var: Optional[Tensor],
    weight: Optional[Tensor] = None,
    bias: Optional[Tensor] = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """relu(batch_norm(input, ...) + addend) in one pass. addend: input's sizes and type, not broadcast."""
    if not torch.jit.is_scripting():
        return _in_python(
            input, addend, True, running_mean, running_var, weight, bias, training, momentum, eps
        )
    if training:
        check_enough_values(input)
    return torch.ops.bnlab.batch_norm_add_relu(
        input, addend, weight, bias, running_mean, running_var, training, momentum, eps
    )
