"""Comparisons leave the model, and the models that it is compared with, as they were; after an error and Ctrl-C too."""
import copy

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import bnlab
from faulty import clean, images
from test_doctor_harmless import assert_same, snapshot


@pytest.fixture(autouse=True)
def one_thread(fixed_start):
    torch.set_num_threads(1)


def wide():
    """As images() go in, with a mask and labels, four channels far from 0."""
    x, y = images()
    x = (x.double().repeat(1, 4, 1, 1) + 3e5).float()
    return [(x[part], y[part]) for part in torch.arange(len(x) // 2).split(64)]


class Wide(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm, self.inner = nn.BatchNorm2d(4), clean()

    def forward(self, x):
        return self.inner(self.norm(x)[:, :1] * 3 + 5)


def compared():
    """A model, and what is compared with it: every comparison has something to do."""
    model = Wide()
    with torch.no_grad():
        for x, _ in wide() * 5:
            model(x)
    donor, reference = copy.deepcopy(model).train(), copy.deepcopy(model).train()
    model.eval()
    given = {
        "donor": donor, "reference": reference, "mask": lambda batch: torch.arange(8).expand(len(batch[0]), 8, 8) < 5,
        "source": lambda batch: batch[1] % 2, "ranks": [model.state_dict(), donor.state_dict()],
    }  # fmt: skip
    return model, given


def test_comparisons_change_nothing():
    model, given = compared()
    model.inner[1].running_mean += 1
    before = [snapshot(each) for each in (model, given["donor"], given["reference"])]
    report = bnlab.doctor(model, wide(), **given)
    assert {"averaging", "padding", "sources", "formats", "reference", "ranks"} <= set(report.facts)
    for each, state in zip((model, given["donor"], given["reference"]), before):
        assert_same(state, snapshot(each))


@pytest.mark.parametrize("error", [RuntimeError("a bad batch"), KeyboardInterrupt()], ids=["exception", "Ctrl-C"])
@pytest.mark.parametrize("call", range(10, 104, 11))
def test_an_end_in_the_middle_of_a_comparison_changes_nothing(error, call):
    model, given = compared()
    before = [snapshot(each) for each in (model, given["donor"], given["reference"])]
    calls = []

    def forward(module, batch):
        calls.append(module)
        if len(calls) == call:
            raise error
        return module(batch[0]), batch[1]

    try:
        bnlab.doctor(model, wide(), forward=forward, **given)
    except type(error):
        pass
    else:
        assert not isinstance(error, KeyboardInterrupt)
    assert len(calls) >= call
    for each, state in zip((model, given["donor"], given["reference"]), before):
        assert_same(state, snapshot(each))


def test_contrastive_pairs_change_nothing():
    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = clean()

        def forward(self, one, other):
            return self.inner(one), self.inner(other)

    model, x = Two(), images()[0]
    before = snapshot(model)
    report = bnlab.doctor(
        model, list(zip(x.split(64), x.flip(3).split(64))), lambda z: F.cross_entropy(z[0] @ z[1].T, torch.arange(len(z[0]))),
        contrastive=True,
    )  # fmt: skip
    assert "mates" in report.facts
    assert_same(before, snapshot(model))
