"""Cases of synchronized_cases.py: what requires a gradient, batches, checkpointing."""
import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

import bnlab

from two_ranks import RANK, SIZES, case, compare, exact, half, images, mine, near, nets, pair, refused, single


# ---- what requires a gradient


@case("input without gradient", (), of_x=False)
@case("frozen weight", ("weight",))
@case("frozen bias", ("bias",))
@case("frozen weight and bias", ("weight", "bias"))
@case("all frozen, input without gradient", ("weight", "bias"), of_x=False)
def frozen(group, names, of_x=True):
    layer, other = pair(group)
    for name in names:
        getattr(layer, name).requires_grad_(False)
    compare(layer, other, group, of_x=of_x)


@case("no weight", ("weight",))
@case("no bias", ("bias",))
def without(group, names):
    layer, other = pair(group)
    for name in names:
        setattr(layer, name, None), setattr(other, name, None)
    compare(layer, other, group)


@case("affine=False", affine=False)
@case("momentum=None", momentum=None)
@case("track_running_stats=False", track_running_stats=False)
def options(group, **given):
    compare(*pair(group, **given), group, steps=3)


@case("no_grad", torch.no_grad)
@case("inference mode", torch.inference_mode)
def without_gradients(group, mode):
    with mode():
        compare(*pair(group), group)


@case("input with gradient on one rank")
def one_asks(group):
    layer, other = pair(group)
    part, whole = mine(images()).requires_grad_(RANK == 0), images().requires_grad_()
    layer(part).cos().sum().backward()
    other(whole).cos().sum().backward()
    if RANK == 0:
        near(part.grad, whole.grad.split(SIZES)[0], **exact)


@case("no_grad on one rank, backward on the other")
def one_differentiates(group):
    with torch.set_grad_enabled(RANK == 0):
        y = pair(group)[0](mine(images()))
    if RANK == 0:
        with refused("rank 1 has nothing to differentiate here.*use the same modes"):
            y.sum().backward()


@case("retain_graph, create_graph")
def graph_kept(group):
    layer, other = pair(group)
    part, whole = mine(images()), images().requires_grad_()
    (expected,) = torch.autograd.grad(other(whole).cos().sum(), whole)
    y = layer(part).cos().sum()
    for more in ({"retain_graph": True}, {"create_graph": True}):
        near(torch.autograd.grad(y, part, **more)[0].detach(), expected.split(SIZES)[RANK], **exact)


@case("double backward")
def double_backward(group):
    part = mine(images())
    (gradient,) = torch.autograd.grad(pair(group)[0](part).cos().sum(), part, create_graph=True)
    with refused("no second derivatives; put the model into evaluation mode, or use BatchNorm"):
        gradient.sum().backward()


# ---- batches


@case("channels-last", x=images().to(memory_format=torch.channels_last))
@case("strided", x=images().transpose(2, 3))
@case("a rank without data", sizes=[8, 0])
@case("a value per channel and rank", x=images(count=2)[..., :1, :1], sizes=[1, 1])
@case("float32", torch.float32, to=single)
@case("float16", torch.float16, to=half)
@case("bfloat16", torch.bfloat16, to=half)
@case("float16 in a float32 layer", torch.float32, torch.float16, to=half)
def batches(group, dtype=torch.float64, of_x=None, **given):
    given.setdefault("x", images(of_x or dtype))
    compare(*pair(group, dtype=dtype), group, **given)


@case("600 channels")
def wide(group):
    layer, other = bnlab.SyncBatchNorm(600, process_group=group).double(), nn.BatchNorm2d(600).double()
    compare(layer, other, group, x=torch.randn(8, 600, 2, 2, generator=torch.Generator().manual_seed(0)).double())


@case("a type that the layer cannot take")
def wrong_type(group):
    layer = pair(group, dtype=torch.float32)[0]
    try:
        with refused("expected gamma of x's type"):
            layer(mine(images()))
    finally:
        assert layer.num_batches_tracked == 0 and not layer.running_mean.any()


@case("autocast", backward_inside=False)
@case("autocast, also in the backward pass", backward_inside=True)
def autocast(group, backward_inside):
    model, other = nets(group)
    model.float()

    def call(x):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            y = model(x)
        assert y.dtype == torch.bfloat16
        return y

    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=backward_inside):
        compare(model, other, group, call, x=images(torch.float32), to=half, steps=1)


# ---- checkpointing


@case("checkpoint", True, False)
@case("checkpoint, not reentrant", False, False)
@case("checkpoint, the layer last", True, True)
@case("checkpoint, not reentrant, the layer last", False, True)
def checkpointed(group, reentrant, last):
    """Counts as torch.nn's: twice a step. With once_per_step, once."""

    def within(layer):
        return lambda x: checkpoint(layer if last else lambda x: layer(x.sin()).cos(), x, use_reentrant=reentrant)

    layer, other = pair(group)
    compare(layer, other, group, within(layer), within(other))
    assert layer.num_batches_tracked == 4
    layer, other = pair(group, once_per_step=True)
    for step in range(3):
        bnlab.advance_step()
        within(layer)(mine(images())).cos().sum().backward()
        (other if last else lambda x: other(x.sin()))(images())
        assert layer.num_batches_tracked == step + 1
        near(layer.running_var, other.running_var, **exact)
