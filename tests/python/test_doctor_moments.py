"""The doctor's numbers against an independent computation in double, over all data at once."""
import copy

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import bnlab
from bnlab.doctor.moments import Moments, of_batch
from faulty import clean, images, loader, residual, sorted_order


@pytest.fixture(autouse=True)
def one_thread(fixed_start):
    torch.set_num_threads(1)


def close(found, expected, tolerance):
    """NaN is never close."""
    error = (torch.as_tensor(found, dtype=torch.float64) - expected.double()).abs()
    return bool((error <= tolerance * (1 + expected.double().abs())).all())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("shape", [(50, 3), (50, 3, 4), (50, 3, 2, 5), (50, 3, 2, 2, 2), (50, 3, 1, 2, 2, 2)])
def test_merged_moments_are_those_of_all_values(dtype, shape):
    x = (torch.randn(shape, dtype=torch.float64) * 2 + torch.arange(50.0).reshape([-1] + [1] * (len(shape) - 1))).to(dtype)
    merged = Moments()
    for part in x.split([1, 30, 0, 19]):
        merged.add(*of_batch(part))
    wide = x.double().transpose(0, 1).flatten(1)
    assert merged.count == wide.size(1) and merged.batches == 3
    assert close(merged.mean, wide.mean(1), 1e-6) and close(merged.var_biased, wide.var(1, unbiased=False), 1e-5)
    assert close(merged.var_unbiased, wide.var(1, unbiased=True), 1e-5)
    parts = [part.double().transpose(0, 1).flatten(1) for part in x.split([1, 30, 19])]
    between = sum(part.size(1) * (part.mean(1) - wide.mean(1)) ** 2 for part in parts) / wide.size(1)
    assert close(merged.between, between, 1e-6)


def test_values_beyond_the_kernels_range_are_computed_too():
    x = torch.tensor([[1e18, 1.0], [-1e18, 3.0]])
    count, mean, m2 = of_batch(x)
    assert count == 2 and mean.tolist() == [0, 2] and close(m2 / 2e36, torch.tensor([1, 1e-36]), 1e-6)


def test_a_large_mean_costs_no_digits():
    x = torch.randn(4096, 2) + 1e4
    merged = Moments()
    for part in x.split(100):
        merged.add(*of_batch(part))
    assert close(merged.var_biased, x.double().var(0, unbiased=False), 1e-7)


def by_hand(model, x):
    """Exact statistics of a Residual, in double, all data as one batch; and its outputs by them."""
    model = copy.deepcopy(model).double()
    x, found = x.double(), {}

    def norm(layer, name, z):
        found[name] = (z.mean((0, 2, 3)), z.var((0, 2, 3), unbiased=True))
        return F.batch_norm(z, *found[name], layer.weight, layer.bias, False, 0, layer.eps)

    with torch.no_grad():
        x = torch.relu(norm(model.bn0, "bn0", model.stem(x)))
        y = torch.relu(norm(model.bn1, "bn1", model.conv1(x)))
        y = norm(model.bn2, "bn2", model.conv2(y))
        x = torch.relu(y + norm(model.bn3, "bn3", model.down(x)))
        return found, model.head(x.mean((2, 3)))


@pytest.mark.parametrize("batch, order", [(64, None), (100, "sorted"), (512, None), (7, "sorted")])
def test_recalibrated_statistics_are_exact_for_any_batches(batch, order):
    model = residual()
    for layer in (model.bn0, model.bn1, model.bn2, model.bn3):
        layer.reset_running_stats()
    data = loader(batch, sorted_order() if order else None)
    expected, outputs = by_hand(model, images()[0])
    repair = bnlab.doctor(model, data).recalibrate()
    assert not repair.undone and repair.layers == ["bn0", "bn1", "bn2", "bn3"]
    for name, (mean, var) in expected.items():
        assert close(getattr(model, name).running_mean, mean, 2e-6), name
        assert close(getattr(model, name).running_var, var, 1e-5), name
    loss = F.cross_entropy(outputs, images()[1].long())
    assert close(repair.after["running"], loss, 1e-5)
    assert int(model.bn0.num_batches_tracked) == len(data)
    assert bnlab.doctor(model, data).findings == [] or order or batch < 64


def test_exact_statistics_take_one_pass_a_row_of_layers():
    model = residual()
    model.bn0.reset_running_stats()
    collected = bnlab.doctor(model, loader(), exact=True)._found
    assert collected.exact.passes == 2 and collected.exact.circles == []  # bn1 and bn3 together, then bn2
    assert [collected.names[layer] for layer in collected.layers] == ["bn0", "bn1", "bn2", "bn3"]


def test_a_layer_called_twice_is_told_and_its_calls_are_merged():
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.norm, self.linear = nn.BatchNorm1d(4), nn.Linear(4, 4)

        def forward(self, x):
            return self.norm(self.linear(self.norm(x)))

    model = Twice().eval()
    x = torch.randn(64, 4) * 3 + 1
    collected = bnlab.doctor(model, [(part,) for part in x.split(16)], exact=True)._found
    assert collected.exact.circles == [model.norm] and collected.inputs[model.norm].most_calls == 2
    with torch.no_grad():
        values = torch.cat([x, model.linear(model.norm(x))]).double()
    facts = collected.facts["layers"][0]
    assert facts["calls"] == 2 and close(facts["inputs"]["mean"], values.mean(0), 1e-6)


def test_losses_are_means_over_all_samples():
    model = clean()
    model[1].running_mean += 1
    data = loader(100)  # the last has 12
    report = bnlab.doctor(model, data, exact=True)
    x, y = images()
    with torch.no_grad():
        assert close(report._data["losses"]["running"], F.cross_entropy(model(x), y), 1e-5)
        model.train()
        batch = sum(len(b) * F.cross_entropy(model(a), b) for a, b in data) / len(x)
    assert close(report._data["losses"]["batch"], batch, 1e-5)
