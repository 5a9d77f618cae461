"""Cases of synchronized_cases.py: transforms of functions, copies and files, DistributedDataParallel."""
import copy
import io
import pickle

import torch
from torch import nn
from torch.autograd import forward_ad
from torch.nn.parallel import DistributedDataParallel

from two_ranks import NEW_CASES, RANK, SIZES, case, compare, exact, images, mine, near, nets, pair, refused


# ---- transforms of functions


def functorch():
    try:
        from torch import func
    except ImportError:
        import functorch as func
    return func


def with_tangent(layer, x):
    with forward_ad.dual_level():
        layer(forward_ad.make_dual(x, x.cos()))


TRANSFORMS = {
    "vmap": lambda f, x: functorch().vmap(f)(torch.stack([x, x])),
    "vmap of something else": lambda f, x: functorch().vmap(lambda w: f(x) * w)(torch.ones(2)),
    "functorch grad": lambda f, x: functorch().grad(lambda x: f(x).sum())(x),
    "functorch vjp": lambda f, x: functorch().vjp(f, x),
    "functorch jvp": lambda f, x: functorch().jvp(f, (x,), (x.cos(),)),
    "per-sample gradients": lambda f, x: functorch().vmap(functorch().grad(lambda x: f(x[None]).cos().sum()))(x),
    "forward mode": with_tangent,
    "vectorized Jacobian": lambda f, x: torch.autograd.functional.jacobian(lambda x: f(x).mean((2, 3)), x, vectorize=True),
    "torch.jit.trace": lambda f, x: torch.jit.trace(f, x),
    "torch.onnx.export in training": lambda f, x: torch.onnx.export(
        f, x, io.BytesIO(), training=torch.onnx.TrainingMode.TRAINING
    ),
}
NEW_TRANSFORMS = {
    "make_fx": lambda f, x: torch.fx.experimental.proxy_tensor.make_fx(f)(x),
    "torch.export in training, not strict": lambda f, x: torch.export.export(nn.Sequential(f), (x,), strict=False),
}


def transformed(group, transform):
    with refused("SyncBatchNorm: .*; put the model into evaluation mode, or use BatchNorm layers"):
        transform(pair(group)[0], mine(images()).detach())


for name, transform in TRANSFORMS.items():
    case(name, transform)(transformed)
for name, transform in NEW_TRANSFORMS.items():
    case(name, transform, cases=NEW_CASES)(transformed)


@case("Jacobian")
def jacobian(group):
    layer, other = pair(group)
    found = torch.autograd.functional.jacobian(lambda x: layer(x).square().mean((0, 2, 3)) * len(x), mine(images()))
    expected = torch.autograd.functional.jacobian(lambda x: other(x).square().mean((0, 2, 3)) * len(x), images())
    near(found, expected.split(SIZES, 1)[RANK], **exact)


# ---- copies and files


@case("copied on one rank, after a step")
def copied(group):
    layer, other = pair(group)
    compare(layer, other, group, steps=1)
    layer = copy.deepcopy(layer) if RANK == 0 else layer
    assert layer.process_group is group
    compare(layer, other, group)
    compare(copy.copy(layer) if RANK == 0 else layer, other, group)


@case("pickle")
def pickled(group):
    layer, other = pair(None)
    compare(pickle.loads(pickle.dumps(layer)), other, None)


@case("pickle with a process group")
def pickled_with_group(group):
    with refused("cannot be pickled; save the state_dict", TypeError):
        pickle.dumps(pair(group)[0])


def in_file(layer):
    file = io.BytesIO()
    torch.jit.save(layer, file)
    file.seek(0)
    return torch.jit.load(file)


@case("evaluation, in TorchScript", lambda layer: in_file(torch.jit.script(layer)))
@case("evaluation, traced", lambda layer: in_file(torch.jit.trace(layer, images())))
@case("evaluation, torch.export", lambda layer: torch.export.export(nn.Sequential(layer), (images(),)).module(), cases=NEW_CASES)
def exported(group, export):
    layer, other = pair(group)
    compare(layer, other, group)
    near(export(layer.eval())(images()), other.eval()(images()), **exact)


@case("training, in TorchScript")
def scripted_training(group):
    with refused("TorchScript cannot train it; put it into evaluation mode", torch.jit.Error):
        torch.jit.script(pair(group)[0])(images())


# ---- DistributedDataParallel


@case("DDP")
@case("DDP, broadcast_buffers", broadcast_buffers=True)
@case("DDP, find_unused_parameters", find_unused_parameters=True)
@case("DDP, many buckets", bucket_cap_mb=0.0001)
@case("DDP, gradient_as_bucket_view", gradient_as_bucket_view=True)
@case("DDP, static_graph", static_graph=True)
@case("DDP, no_sync", accumulate=True)
def parallel(group, accumulate=False, broadcast_buffers=False, **given):
    model, other = nets(group)
    ddp = DistributedDataParallel(model, process_group=group, broadcast_buffers=broadcast_buffers, **given)

    def call(x):
        if accumulate:
            with ddp.no_sync():
                ddp(mine(images()) * 1.5).cos().sum().backward()
        return ddp(x)

    def reference(x):
        if accumulate:
            other(images() * 1.5).cos().sum().backward()
        return other(x)

    compare(model, other, group, call, reference, steps=3, mean=True)
