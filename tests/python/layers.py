"""What several tests share: the layers beside their counterparts in torch.nn, their forms, and a training step."""
import copy

import torch
import torch.nn.functional as F

import bnlab

DIMENSIONS = ("1d", "2d", "3d")

# By the rank of the input: (dimensions, sizes). Odd on purpose.
INPUTS = {
    "NxC": ("1d", (7, 5)),
    "NxCxL": ("1d", (3, 5, 9)),
    "NxCxHxW": ("2d", (3, 5, 7, 3)),
    "NxCxDxHxW": ("3d", (2, 5, 3, 2, 3)),
}


def pair(dimensions, *arguments, **options):
    """(bnlab's, torch.nn's) layer with the same, not trivial parameters."""
    ours = getattr(bnlab, f"BatchNorm{dimensions}")(*arguments, **options)
    theirs = getattr(torch.nn, f"BatchNorm{dimensions}")(*arguments, **options)
    if ours.affine:
        with torch.no_grad():
            theirs.weight.uniform_(0.5, 2)
            theirs.bias.uniform_(-1, 1)
    ours.load_state_dict(theirs.state_dict())
    return ours, theirs


def step(layer, x, dy, *addend):
    """(y, dx, parameters' gradients...) of sum(dy*y)."""
    x = x.detach().clone(memory_format=torch.preserve_format).requires_grad_()
    y = layer(x, *addend)
    return [y.detach(), *torch.autograd.grad(y, [x, *layer.parameters()], dy)]


def assert_same_state(ours, theirs, **tolerance):
    assert list(ours.state_dict()) == list(theirs.state_dict())
    for name, value in theirs.state_dict().items():
        torch.testing.assert_close(ours.state_dict()[name], value, **tolerance, msg=lambda text: f"{name}: {text}")


def normalized(x, weight=None, bias=None, eps=1e-5):
    """The formula, in double and in two passes: independent of any library's batch normalization."""
    x = x.double()
    dims = [0, *range(2, x.dim())]
    shape = [1, -1] + [1] * (x.dim() - 2)
    mean = x.mean(dims, keepdim=True)
    var_biased = (x - mean).square().mean(dims, keepdim=True)
    y = (x - mean) / (var_biased + eps).sqrt()
    if weight is not None:
        y = y * weight.double().reshape(shape) + bias.double().reshape(shape)
    return y


class Composed(torch.nn.Module):
    """relu(norm(x) + addend) of separate torch.nn operations: the oracle of the fused layers."""

    def __init__(self, norm):
        super().__init__()
        self.norm = copy.deepcopy(norm)

    def forward(self, x, addend=None):
        y = self.norm(x)
        return F.relu(y if addend is None else y + addend)
