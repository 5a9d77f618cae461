"""Cases of synchronized_cases.py: ranks that do not do the same."""
import time
import warnings
from datetime import timedelta

import torch
import torch.distributed as dist
from torch import nn

import bnlab

from two_ranks import RANK, case, compare, images, mine, pair, refused


def chain(group, eps=1e-5):
    torch.manual_seed(0)
    return nn.Sequential(*(bnlab.SyncBatchNorm(4, eps=eps, process_group=group) for _ in range(3))).double()


def different(group, change):
    model, x = chain(group), mine(images())
    if RANK == 1:
        x = change(model, x)
    with refused("rank 0 is in the .* pass of layer .*, but rank 1 in .*; call the same layers on all ranks"):
        for _ in range(2):
            model(x).cos().sum().backward()


def set_eps(model, x):
    model[0].eps = 0.1
    return x


def narrow(model, x):
    model[0] = bnlab.SyncBatchNorm(3, process_group=model[0].process_group).double()
    return x[:, :3]


def part_in_evaluation(model, x):
    model[0].eval()
    return x


case("eps differs", set_eps)(different)
case("channels differ", narrow)(different)
case("some layers in evaluation mode on one rank", part_in_evaluation)(different)


@case("evaluation mode on one rank")
def one_evaluates(group):
    """Its mates end where the group's patience does."""
    group = dist.new_group(timeout=timedelta(seconds=8))
    layer = pair(group)[0].train(RANK == 0)
    if RANK == 1:
        layer(mine(images()))
        return
    with refused("rank 0 did not hear from all other ranks, in the forward pass of layer 1 .*all in training mode"):
        layer(mine(images()))


@case("a rank that comes late")
def late(group):
    layer, other = pair(group)
    bnlab.exchange.PATIENCE = 0.5

    def call(x):
        time.sleep(2.2 * RANK)
        y = layer(x)
        y.register_hook(lambda gradient: time.sleep(2.2 * RANK))
        return y

    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        compare(layer, other, group, call, steps=1)
    bnlab.exchange.PATIENCE = 60.0
    texts = [str(each.message) for each in seen if "SyncBatchNorm" in str(each.message)]
    assert len(texts) == (0 if RANK else 2), texts
    for text, way in zip(texts, ("forward", "backward")):
        assert f"rank 0 has waited 0.5 s for other ranks, in the {way} pass of layer 1 (4 channels" in text, text


@case("a rank outside of the group")
def outside(group):
    layer = pair(dist.new_group([0]))[0]
    if RANK == 1:
        with refused("not in the layer's process_group"):
            layer(images())
