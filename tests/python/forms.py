"""The forms of batch normalization that the derivatives' tests go through, beside their formula in elementary operators.

A form's function takes (x, weight, bias, addend) and gives y; weight, bias and addend may be None.
"""
from typing import NamedTuple, Optional

import torch

import bnlab

EPS = 1e-2
FUSIONS = ("plain", "relu", "add_relu")


class Form(NamedTuple):
    training: bool
    fusion: str
    affine: bool = True

    def __str__(self):
        return "-".join([("evaluation", "training")[self.training], self.fusion, ("bare", "affine")[self.affine]])


FORMS = [Form(training, fusion, affine) for training in (True, False) for fusion in FUSIONS for affine in (True, False)]


class Inputs(NamedTuple):
    x: torch.Tensor
    weight: Optional[torch.Tensor] = None
    bias: Optional[torch.Tensor] = None
    addend: Optional[torch.Tensor] = None


def inputs(form, sizes=(6, 3, 4, 4), dtype=torch.float64):
    channels = sizes[1]
    return Inputs(
        torch.randn(sizes, dtype=dtype),
        torch.rand(channels, dtype=dtype) + 0.5 if form.affine else None,
        torch.randn(channels, dtype=dtype) if form.affine else None,
        torch.randn(sizes, dtype=dtype) if form.fusion == "add_relu" else None,
    )


def given(values):
    """The positions of those that are not None, and their values."""
    return tuple(i for i, value in enumerate(values) if value is not None), [v for v in values if v is not None]


def placed(function, positions):
    """function of the arguments at these positions, the others None."""

    def call(*values):
        arguments = [None] * 4
        for position, value in zip(positions, values):
            arguments[position] = value
        return function(*arguments)

    return call


def running_statistics(channels, dtype=torch.float64):
    return torch.linspace(-0.5, 0.5, channels, dtype=dtype), torch.linspace(0.7, 1.9, channels, dtype=dtype)


def ours(form, eps=EPS, statistics=None):
    def call(x, weight=None, bias=None, addend=None):
        by = (None, None) if form.training else statistics or running_statistics(x.shape[1])
        arguments = (*by, weight, bias, form.training, 0.1, eps)
        if form.fusion == "add_relu":
            return bnlab.functional.batch_norm_add_relu(x, addend, *arguments)
        function = bnlab.functional.batch_norm_relu if form.fusion == "relu" else bnlab.functional.batch_norm
        return function(x, *arguments)

    return call


def formula(form, eps=EPS, statistics=None):
    """The same by its definition, in operators whose derivatives PyTorch knows to any order."""

    def call(x, weight=None, bias=None, addend=None):
        dims = [0, *range(2, x.dim())]
        shape = [1, -1] + [1] * (x.dim() - 2)
        if form.training:
            mean = x.mean(dims, keepdim=True)
            var_biased = ((x - mean) ** 2).mean(dims, keepdim=True)
        else:
            mean, var_biased = (v.reshape(shape) for v in statistics or running_statistics(x.shape[1]))
        z = (x - mean) / (var_biased + eps).sqrt()
        if weight is not None:
            z = z * weight.reshape(shape) + bias.reshape(shape)
        if addend is not None:
            z = z + addend
        return z if form.fusion == "plain" else z.relu()

    return call
