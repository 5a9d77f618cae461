"""SyncBatchNorm over Gloo: ranks with parts of a batch compute what one process computes with the whole."""
import copy
import os
import subprocess
import sys

import pytest
import torch
from torch import nn

import bnlab
from bnlab.synchronized import merge_moments
from conftest import ROOT

PROGRAM = """
import copy, sys, warnings
import torch
import torch.distributed as dist
from torch import nn
import bnlab

rank, file, sizes, layout = int(sys.argv[1]), sys.argv[2], [int(n) for n in sys.argv[3].split(",")], sys.argv[4]
torch.set_num_threads(1)
dist.init_process_group("gloo", init_method="file://" + file, rank=rank, world_size=len(sizes))


def check(dtype, near):
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 4, 3), nn.BatchNorm2d(4, momentum=None)
    ).to(dtype)
    for norm in (model[1], model[4]):
        nn.init.uniform_(norm.weight, 0.5, 1.5)
        nn.init.uniform_(norm.bias, -1, 1)
    alone = copy.deepcopy(model)
    bnlab.synchronize(model)
    batch = (torch.randn(sum(sizes), 3, 8, 8) * 2 + 5).to(dtype)
    if layout == "last":
        batch = batch.to(memory_format=torch.channels_last)
    parts = list(batch.split(sizes))
    for step in range(3):
        x = parts[rank].detach().requires_grad_()
        whole = batch.detach().requires_grad_()
        y, expected = model(x), alone(whole)
        near(y, expected.split(sizes)[rank])
        y.cos().sum().backward()
        expected.cos().sum().backward()
        near(x.grad, whole.grad.split(sizes)[rank])
        for value, other in zip(model.parameters(), alone.parameters()):
            total = value.grad.clone()
            dist.all_reduce(total)
            near(total, other.grad)
            value.grad, other.grad = None, None
        for value, other in zip(model.buffers(), alone.buffers()):
            near(value, other)
        everyone = [torch.empty_like(model[1].running_var) for _ in sizes]
        dist.all_gather(everyone, model[1].running_var)
        assert all(torch.equal(each, everyone[0]) for each in everyone)
    return [value.clone() for value in model.buffers()] + [x.grad]


near = torch.testing.assert_close
check(torch.float64, lambda a, b: near(a, b, rtol=1e-9, atol=1e-10))
first = check(torch.float32, lambda a, b: near(a, b, rtol=2e-4, atol=5e-4))  # gradients of the biases are 0
again = check(torch.float32, lambda a, b: None)
assert all(torch.equal(a, b) for a, b in zip(first, again)), "not the same bits"

# What is refused, on all ranks alike; and evaluation, which asks nobody.
layer = bnlab.SyncBatchNorm(2)
try:
    layer(torch.zeros(1 if rank == 0 else 0, 2))
except ValueError as error:
    assert ("more than 1 value per channel on all" if len(sizes) > 1 else "more than 1 value per channel") in str(error), error
else:
    raise AssertionError("one value was accepted")
assert layer.num_batches_tracked == 0
if rank == 0:
    layer.eval()(torch.zeros(1, 2))
x = torch.randn(4, 2, requires_grad=True)
(gradient,) = torch.autograd.grad(layer.train()(x).cos().sum(), x, create_graph=True)
try:
    gradient.sum().backward()
except RuntimeError as error:
    assert "no second derivatives" in str(error) or len(sizes) == 1, error
else:
    assert len(sizes) == 1, "a second derivative was given"

# In DistributedDataParallel: gradients are averaged, statistics are the same already.
model = bnlab.synchronize(nn.Sequential(nn.Linear(3, 5), nn.BatchNorm1d(5)))
parallel = nn.parallel.DistributedDataParallel(model, broadcast_buffers=False)
parallel(torch.randn(4, 3) + rank).sin().sum().backward()
means = [torch.empty(5) for _ in sizes]
dist.all_gather(means, model[1].running_mean)
assert all(torch.equal(each, means[0]) for each in means) and bool(means[0].any())
dist.barrier()
print("equal")
"""


def run(tmp_path, sizes, layout):
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "python")}
    command = [sys.executable, "-B", "-c", PROGRAM]
    processes = [
        subprocess.Popen(
            [*command, str(rank), str(tmp_path / "meeting"), ",".join(map(str, sizes)), layout],
            env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )
        for rank in range(len(sizes))
    ]  # fmt: skip
    try:
        outputs = [process.communicate(timeout=200)[0] for process in processes]
    finally:
        for process in processes:
            process.kill()
    assert all(text.splitlines()[-1:] == ["equal"] for text in outputs), "\n".join(outputs)


@pytest.mark.parametrize("sizes, layout", [([6], "first"), ([5, 3], "first"), ([4, 0, 7], "last"), ([1, 2, 3, 6], "first")])
def test_parts_compute_what_the_whole_computes(tmp_path, sizes, layout):
    run(tmp_path, sizes, layout)


def test_merging_is_that_of_all_values():
    torch.manual_seed(0)
    x = torch.randn(50, 3, dtype=torch.float64) * 3 + 1e6
    parts = [(len(part), part.mean(0), ((part - part.mean(0)) ** 2).sum(0)) for part in x.split([20, 29, 1])]
    nothing = (0, torch.full((3,), float("nan"), dtype=torch.float64), torch.zeros(3, dtype=torch.float64))
    count, mean, m2 = merge_moments([nothing, *parts, nothing])
    assert count == 50
    torch.testing.assert_close(mean, x.mean(0), rtol=1e-14, atol=0)
    torch.testing.assert_close(m2 / 50, x.var(0, unbiased=False), rtol=1e-10, atol=0)


def test_alone_it_is_a_batch_norm():
    x = torch.randn(6, 4, 3, 3)
    layer, other = bnlab.SyncBatchNorm(4), bnlab.BatchNorm2d(4)
    assert torch.equal(layer(x), other(x)) and torch.equal(layer.running_var, other.running_var)
    with pytest.raises(ValueError, match="at least 2 dimensions"):
        layer(torch.zeros(4))


def test_converting():
    model = nn.Sequential(nn.BatchNorm1d(2, eps=0.5), nn.SyncBatchNorm(2, momentum=0.3), bnlab.BatchNorm1d(2, window=3))
    keep = list(model.children())
    state = copy.deepcopy(model.state_dict())
    assert bnlab.synchronize(model) is model and list(model.children()) == keep
    assert all(type(layer) is bnlab.SyncBatchNorm for layer in model)
    assert (model[0].eps, model[1].momentum, model[2].window) == (0.5, 0.3, 3)
    assert model.state_dict().keys() == state.keys()
    bnlab.convert_back(model)
    assert all(type(layer) is nn.SyncBatchNorm for layer in model) and model[0].process_group is None
    bnlab.convert(model)
    assert all(type(layer) is bnlab.SyncBatchNorm for layer in model)
    model(torch.randn(4, 2))
    copy.deepcopy(model)(torch.randn(4, 2))


@pytest.mark.parametrize(
    "layer, message",
    [
        (bnlab.BatchNormReLU1d(2), "convert_back"),
        (nn.LazyBatchNorm1d(), "run a batch"),
        (nn.BatchNorm1d(2, momentum=7.0), "momentum"),
        (torch.jit.script(nn.BatchNorm1d(2)), "TorchScript"),
        (type("Own", (nn.BatchNorm1d,), {})(2), "is a Own"),
    ],
)
def test_what_cannot_be_synchronized_is_refused_and_nothing_changes(layer, message):
    model = nn.Sequential(nn.BatchNorm1d(2), layer)
    with pytest.raises(ValueError, match=message):
        bnlab.synchronize(model)
    assert type(model[0]) is nn.BatchNorm1d
