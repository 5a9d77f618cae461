"""torch.utils.checkpoint runs a part of a model a second time, and may end within its last layer: as torch.nn's do."""
import copy

import pytest
import torch
import torch.nn.functional as F
from layers import assert_same_state
from torch.utils.checkpoint import checkpoint

import bnlab


class Torch(torch.nn.Module):
    """torch.nn's layer, with what bnlab's may fuse."""

    def __init__(self, norm, relu, adds):
        super().__init__()
        self.norm, self.relu, self.adds = norm, relu, adds

    def forward(self, x):
        y = self.norm(x)
        if self.adds:
            y = y + x
        return y.relu() if self.relu else y


class Bnlab(Torch):
    def forward(self, x):
        return self.norm(x, x) if self.adds else self.norm(x)


class TorchFunctions(Torch):
    """batch_norm as a function, with the layer's running statistics."""

    def forward(self, x):
        y = self.batch_norm(x, F)
        if self.adds:
            y = y + x
        return y.relu() if self.relu else y

    def batch_norm(self, x, functions, name="batch_norm", addend=()):
        norm = self.norm
        return getattr(functions, name)(
            x, *addend, norm.running_mean, norm.running_var, norm.weight, norm.bias, True, 0.25, norm.eps
        )


class BnlabFunctions(TorchFunctions):
    def forward(self, x):
        if self.adds:
            return self.batch_norm(x, bnlab.functional, "batch_norm_add_relu", (x,))
        return self.batch_norm(x, bnlab.functional, "batch_norm_relu" if self.relu else "batch_norm")


class Then(torch.nn.Module):
    """The layer, and behind it an operator that saves a tensor, or none that does."""

    def __init__(self, layer, last):
        super().__init__()
        self.layer, self.last = layer, last

    def forward(self, x):
        y = self.layer(x.sin())
        return y + 1 if self.last else y.cos()


def losses_and_gradients(model, x, use_reentrant):
    model.zero_grad()
    x = x.clone().requires_grad_()
    loss = sum(checkpoint(model, x * scale, use_reentrant=use_reentrant).square().sum() for scale in (1, 2))
    loss.backward()
    return [loss.detach(), x.grad, *(parameter.grad for parameter in model.parameters())]


def pair(kind, relu, adds):
    norm = torch.nn.BatchNorm2d(5, momentum=0.25).double()
    if kind == "functions":
        return TorchFunctions(norm, relu, adds), BnlabFunctions(copy.deepcopy(norm), relu, adds)
    form = {(False, False): "BatchNorm2d", (True, False): "BatchNormReLU2d", (True, True): "BatchNormAddReLU2d"}
    ours = getattr(bnlab, form[relu, adds])(5, momentum=0.25).double()
    return Torch(norm, relu, adds), Bnlab(ours, relu, adds)


@pytest.mark.parametrize("use_reentrant", (False, True))
@pytest.mark.parametrize("last", (False, True))
@pytest.mark.parametrize("relu, adds", ((False, False), (True, False), (True, True)))
@pytest.mark.parametrize("kind", ("layers", "functions"))
def test_running_statistics_move_as_torch_s(kind, relu, adds, last, use_reentrant):
    theirs, ours = (Then(layer, last) for layer in pair(kind, relu, adds))
    x = torch.randn(4, 5, 3, 2, dtype=torch.float64) + 3
    expected, found = (losses_and_gradients(model, x, use_reentrant) for model in (theirs, ours))
    for a, b in zip(found, expected):
        torch.testing.assert_close(a, b)
    assert_same_state(ours, theirs)
    assert not torch.equal(ours.layer.norm.running_mean, torch.zeros(5, dtype=torch.float64))


@pytest.mark.parametrize("option", ({}, {"window": 3}, {"skip_nonfinite": True}, {"momentum": None}))
def test_with_the_layer_s_options(option):
    x = torch.randn(4, 5, 3, 2)
    expected, layer = (bnlab.BatchNorm2d(5, **option) for _ in range(2))
    for _ in range(2):  # each of the two passes is a batch
        expected(x.sin())
    checkpoint(Then(layer, True), x.requires_grad_(), use_reentrant=False).sum().backward()
    assert_same_state(layer, expected)


def test_once_per_step_counts_a_batch_once():
    bnlab.advance_step()
    layer = bnlab.BatchNorm2d(5, once_per_step=True)
    checkpoint(layer, torch.randn(4, 5, 3, 2, requires_grad=True), use_reentrant=False).sum().backward()
    assert layer.num_batches_tracked == 1


def test_an_error_is_no_end():
    layer = bnlab.BatchNorm2d(5)
    with pytest.raises(RuntimeError):
        layer(torch.randn(4, 6, 3, 2))
    assert layer.num_batches_tracked == 0


class Block(torch.nn.Module):
    """torchvision's BasicBlock, checkpointed."""

    def __init__(self):
        super().__init__()
        self.bn1, self.bn2 = torch.nn.BatchNorm2d(5), torch.nn.BatchNorm2d(5)
        self.relu = torch.nn.ReLU(inplace=True)

    def forward(self, x):
        y = self.bn2(self.relu(self.bn1(x)).cos())
        y += x
        return self.relu(y)


def test_fused_blocks():
    theirs = Block().double()
    ours = bnlab.convert(copy.deepcopy(theirs), fuse=True)
    assert [row.fused_with for row in bnlab.fusion_report(ours)] == ["ReLU", "add, ReLU"]
    x = torch.randn(4, 5, 3, 2, dtype=torch.float64)
    for a, b in zip(*(losses_and_gradients(model, x, False) for model in (ours, theirs))):
        torch.testing.assert_close(a, b)
    assert_same_state(ours, theirs)
