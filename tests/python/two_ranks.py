"""What two ranks do with bnlab.SyncBatchNorm, and what one process does with both batches; see synchronized_cases.py."""
import contextlib
import copy
import os
import re
import sys

os.environ["USE_LIBUV"] = "0"  # Debian's PyTorch 2.6 has none

import torch
import torch.distributed as dist
from torch import nn

import bnlab

SIZES = [3, 5]
IS_NEW = torch.__version__ >= "2"
RANK = int(sys.argv[1])
CASES, NEW_CASES = {}, {}
exact = {"rtol": 1e-9, "atol": 1e-10}
single = {"rtol": 1e-4, "atol": 1e-4}
half = {"rtol": 6e-2, "atol": 1.5e-1}
near = torch.testing.assert_close


def case(name, *arguments, cases=CASES, **options):
    """Of a function of a process group and these arguments."""

    def add(function):
        cases[name] = lambda group: function(group, *arguments, **options)
        return function

    return add


def pair(group, dtype=torch.float64, **options):
    """A layer, and torch.nn's with the same parameters in double."""
    torch.manual_seed(0)
    layer = bnlab.SyncBatchNorm(4, process_group=group, dtype=dtype, **options)
    options.pop("once_per_step", None)
    other = nn.BatchNorm2d(4, **options)
    for parameter in other.parameters():
        nn.init.uniform_(parameter, 0.5, 1.5)
    layer.load_state_dict(other.to(dtype).state_dict())
    return layer, other.double()


def nets(group):
    torch.manual_seed(0)
    kinds = [nn.Conv2d(4, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 4, 1), nn.BatchNorm2d(4)]
    other = nn.Sequential(*kinds, nn.Conv2d(4, 2, 1)).double()
    return bnlab.synchronize(copy.deepcopy(other), group), other


def images(dtype=torch.float64, count=sum(SIZES)):
    torch.manual_seed(1)
    return (torch.randn(count, 4, 3, 3, dtype=torch.float64) * 2 + 3).to(dtype)


def mine(batch, sizes=SIZES):
    return batch.split(sizes)[RANK].detach().clone().requires_grad_()


def compare(layer, other, group, call=None, reference=None, x=None, sizes=SIZES, steps=2, of_x=True, to=exact, mean=False):
    """steps of training, by call and reference. mean: gradients of parameters are averaged by then, as DDP does."""
    x = images() if x is None else x
    for _ in range(steps):
        layer.zero_grad(), other.zero_grad()
        part, whole = mine(x, sizes).requires_grad_(of_x), x.detach().double().requires_grad_()
        y, expected = (call or layer)(part), (reference or other)(whole)
        near(y.double(), expected.split(sizes)[RANK], **to)
        assert bool(y.isfinite().all())
        if torch.is_grad_enabled():
            if y.requires_grad:
                y.double().cos().sum().backward()
            expected.cos().sum().backward()
            if of_x:
                near(part.grad.double(), whole.grad.split(sizes)[RANK], **to)
            for value, wanted in zip(layer.parameters(), other.parameters()):
                assert (value.grad is not None) == value.requires_grad
                if value.requires_grad:
                    total = value.grad.double()
                    if not mean:
                        dist.all_reduce(total, group=group)
                    near(total * 2 if mean else total, wanted.grad, **to)
        for (name, value), (other_name, wanted) in zip(layer.named_buffers(), other.named_buffers()):
            assert name.split(".")[-1] == other_name.split(".")[-1]
            near(value.double(), wanted.double(), **to)


@contextlib.contextmanager
def refused(text, kind=RuntimeError):
    try:
        yield
    except kind as error:
        assert re.search(text, str(error)), f"unclear: {error}"
        raise Refused from error
    raise AssertionError("not refused")


class Refused(Exception):
    pass
