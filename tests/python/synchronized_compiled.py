"""Cases of synchronized_cases.py: torch.compile and torch.export of PyTorch 2."""
import torch
import torch._dynamo
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.checkpoint import checkpoint

import bnlab

from two_ranks import NEW_CASES, RANK, SIZES, case, compare, exact, images, mine, near, nets, pair, refused


def compiled(function, backend="aot_eager", **given):
    torch._dynamo.reset()
    return torch.compile(function, backend=backend, **given)


@case("compile", cases=NEW_CASES, backend="aot_eager")
@case("compile, inductor", cases=NEW_CASES, backend="inductor")
@case("compile, dynamic", cases=NEW_CASES, backend="aot_eager", dynamic=True)
def compile_net(group, **given):
    """In training, with other sizes, in evaluation, and in training again."""
    model, other = nets(group)
    call = compiled(model, **given)
    compare(model, other, group, call, steps=1)
    compare(model, other, group, call, sizes=[2, 6], steps=1)
    model.eval(), other.eval()
    compare(model, other, group, call, steps=1)
    model.train(), other.train()
    compare(model, other, group, call, of_x=False, steps=1)


@case("compile, fullgraph", cases=NEW_CASES)
def fullgraph(group):
    with refused("SyncBatchNorm.*talks to other ranks between graphs: leave out fullgraph=True", Exception):
        compiled(pair(group)[0], fullgraph=True)(images())


@case("torch.export in training", cases=NEW_CASES)
def export_training(group):
    with refused("SyncBatchNorm.*talks to other ranks.*export in evaluation mode", Exception):
        torch.export.export(nn.Sequential(pair(group)[0]), (images(),), strict=True)


@case("compile, DDP", cases=NEW_CASES)
def compile_ddp(group):
    model, other = nets(group)
    call = compiled(DistributedDataParallel(model, process_group=group, broadcast_buffers=False))
    compare(model, other, group, call, mean=True)


@case("compile, checkpoint", cases=NEW_CASES)
def compile_checkpoint(group):
    layer, other = pair(group)

    def within(layer):
        return lambda x: checkpoint(lambda x: layer(x.sin()).cos(), x, use_reentrant=False)

    compare(layer, other, group, compiled(within(layer)), within(other))


@case("compile, once_per_step", cases=NEW_CASES)
def compile_once(group):
    layer = pair(group, once_per_step=True)[0]
    call = compiled(layer)
    for step in range(3):
        bnlab.advance_step()
        call(mine(images())), call(mine(images()))
        assert layer.num_batches_tracked == step + 1


@case("compile, the backward pass too", cases=NEW_CASES)
def compile_step(group):
    layer, other = pair(group)

    @compiled
    def step(x):
        y = layer(x.sin())
        y.cos().sum().backward()
        return y

    for _ in range(2):
        part, whole = mine(images()), images().requires_grad_()
        y, expected = step(part), other(whole.sin())
        expected.cos().sum().backward()
        near(y, expected.split(SIZES)[RANK], **exact)
        near(part.grad, whole.grad.split(SIZES)[RANK], **exact)


@case("compiled autograd", cases=NEW_CASES)
def compiled_autograd(group):
    enable = getattr(torch._dynamo.compiled_autograd, "enable", None) or torch._dynamo.compiled_autograd._enable
    torch._dynamo.reset()
    with enable(torch.compile(backend="aot_eager")):
        compare(*pair(group), group)


@case("compile, before there is a group", cases=NEW_CASES)
def compile_early(group):
    layer, other, call = EARLY
    compare(layer, other, None, call)


EARLY = []


def compile_without_a_group():
    layer, other = pair(None)
    compiled(layer, fullgraph=True)(images())  # it is a BatchNorm yet
    call = compiled(layer)
    call(mine(images())), other(images()), other(mine(images()))  # as later, so that nothing else compiles it anew
    EARLY.extend([layer, other, call])
