"""Layers fused with the ReLU and the addition, against torch.nn's separate operations in float64."""
import pytest
import torch
from layers import INPUTS, Composed, assert_same_state, step

import bnlab

EXACT = {"rtol": 1e-11, "atol": 1e-12}


def fused_and_composed(form, dimensions, **arguments):
    composed = Composed(getattr(torch.nn, f"BatchNorm{dimensions}")(5, dtype=torch.float64, **arguments))
    with torch.no_grad():
        composed.norm.weight.uniform_(-2, 2)
        composed.norm.bias.uniform_(-1, 1)
    fused = getattr(bnlab, f"BatchNorm{form}{dimensions}")(5, dtype=torch.float64, **arguments)
    fused.load_state_dict(composed.norm.state_dict(), strict=True)
    return fused, composed


@pytest.mark.parametrize("arguments", ({}, {"momentum": None}), ids=("exponential", "cumulative"))
@pytest.mark.parametrize("form", ("ReLU", "AddReLU"))
@pytest.mark.parametrize("dimensions,sizes", INPUTS.values(), ids=INPUTS.keys())
def test_fused_layers_are_their_parts(dimensions, sizes, form, arguments):
    fused, composed = fused_and_composed(form, dimensions, **arguments)
    for training in (True, True, False):
        fused.train(training)
        composed.train(training)
        x, dy = torch.randn(sizes, dtype=torch.float64) + 1, torch.randn(sizes, dtype=torch.float64)
        results = []
        for layer in (fused, composed):
            addend = torch.linspace(-1, 1, x.numel(), dtype=torch.float64).reshape(sizes).requires_grad_()
            y, *gradients = step(layer, x, dy, *([addend] if form == "AddReLU" else []))
            results.append([y, *gradients])
            if form == "AddReLU":
                results[-1] += torch.autograd.grad(layer(x, addend), addend, dy)
        for mine, expected in zip(*results):
            torch.testing.assert_close(mine, expected, **EXACT)
        assert_same_state(fused, composed.norm, **EXACT)


def test_an_addend_of_other_sizes_or_type_is_refused():
    layer = bnlab.BatchNormAddReLU2d(3)
    x = torch.randn(2, 3, 4, 4)
    with pytest.raises(RuntimeError, match="addend of x's sizes"):
        layer(x, torch.randn(2, 3, 1, 1))
    with pytest.raises(RuntimeError, match="addend of x's type"):
        layer(x, x.double())


def test_relu_keeps_one_tensor_and_a_bit_per_element():
    """What the graph holds on to between forward and backward, in bytes."""
    x = torch.randn(8, 16, 32, 32, requires_grad=True)
    for layer in (bnlab.BatchNormReLU2d(16), bnlab.BatchNormAddReLU2d(16)):
        kept = {}

        def pack(tensor):
            kept[tensor.data_ptr()] = tensor.numel() * tensor.element_size()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            layer(*([x] if isinstance(layer, bnlab.BatchNormReLU2d) else [x, x.detach().clone()]))
        tensor, bits = x.numel() * 4, x.numel() / 8
        assert tensor + bits <= sum(kept.values()) <= tensor + 1.1 * bits


SIZES = {
    "images": (6, 5, 7, 9),
    "odd channels": (3, 13, 3, 3),
    "wide": (2, 64, 2, 2),
    "rank 3": (4, 6, 11),
    "rank 5": (2, 3, 4, 3, 5),
    "one channel": (4, 1, 5, 5),
    "one position": (9, 7, 1, 1),
    "rows": (33, 10),
}


def channels_last(x):
    return x.movedim(1, -1).contiguous().movedim(-1, 1)


@pytest.mark.parametrize("sizes", SIZES.values(), ids=SIZES.keys())
@pytest.mark.parametrize("training", (True, False), ids=("training", "evaluation"))
@pytest.mark.parametrize("there,back", ((torch.clone, channels_last), (channels_last, torch.clone)), ids=("last", "first"))
def test_a_mask_goes_with_x_in_another_layout(sizes, training, there, back):
    """Compilers lay x out anew between forward and backward; what autograd saves is given to the operators as it comes."""
    ops, x, dy = torch.ops.bnlab, torch.randn(sizes).double(), torch.randn(sizes).double()
    gamma, beta = torch.randn(sizes[1]).double(), torch.randn(sizes[1]).double()
    _, mean, rstd, _, mask = ops.batch_norm_training(there(x), gamma, beta, None, True, 0.1, True)
    results = []
    for again in (there(x), back(x).contiguous() if back is torch.clone else back(x)):
        saved, wanted = (dy, again, gamma, mean, rstd, mask), [True, True, True, True]
        if training:
            first = ops.batch_norm_training_backward(*saved, 0.1, wanted)
            second = ops.batch_norm_training_second_derivative(dy, gamma, beta, None, *saved, 0.1, wanted[:3])
        else:
            first = ops.batch_norm_evaluation_backward(*saved, wanted)
            second = ops.batch_norm_evaluation_second_derivative(dy, gamma, beta, None, *saved, wanted[:3])
        results.append([*first, *second])
    for one, other in zip(*results):
        torch.testing.assert_close(other, one, **EXACT)


@pytest.mark.parametrize("change", ("size", "layout", "unknown layout"))
def test_a_mask_of_something_else_is_refused(change):
    x = torch.randn(4, 1, 5, 5)
    _, mean, rstd, _, mask = torch.ops.bnlab.batch_norm_training(x, None, None, None, True, 0.1, True)
    if change == "size":
        mask = mask[:-1].contiguous()
    else:
        mask[-1] = 1 if change == "layout" else 7
    with pytest.raises(RuntimeError, match="expected relu_mask as the forward pass gives it"):
        torch.ops.bnlab.batch_norm_training_backward(x, x, None, mean, rstd, mask, 0.1, [True] * 4)
