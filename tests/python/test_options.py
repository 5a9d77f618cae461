"""bnlab's own options of the running statistics: window, skip_nonfinite, once_per_step."""
import copy

import pytest
import torch
from torch.utils.checkpoint import checkpoint

import bnlab


def batches(count):
    return torch.randn(count, 6, 3, dtype=torch.float64) * 2 + torch.arange(count).double().reshape(-1, 1, 1)


def assert_statistics_of(layer, taken):
    torch.testing.assert_close(layer.running_mean, taken.mean(1).mean(0), rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(layer.running_var, taken.var(1, unbiased=True).mean(0), rtol=1e-12, atol=1e-12)


def test_window_is_the_mean_over_the_last_batches():
    layer = bnlab.BatchNorm1d(3, window=4, dtype=torch.float64)
    data = batches(11)
    for i, x in enumerate(data):
        layer(x)
        assert_statistics_of(layer, data[max(0, i - 3) : i + 1])
        assert layer.num_batches_tracked == i + 1


def test_window_begins_anew_after_reset_and_after_loading():
    layer = bnlab.BatchNorm1d(3, window=4, dtype=torch.float64)
    data = batches(9)
    for x in data[:6]:
        layer(x)
    loaded = copy.deepcopy(layer.state_dict())
    layer(data[6])
    layer.load_state_dict(loaded)
    layer(data[7])
    assert_statistics_of(layer, data[7:8])
    layer.reset_running_stats()
    layer(data[8])
    assert_statistics_of(layer, data[8:9])
    assert layer.num_batches_tracked == 1


def test_window_survives_copies_and_other_types():
    layer = bnlab.BatchNorm1d(3, window=4)
    data = batches(3).float()
    for x in data[:2]:
        layer(x)
    for other in (copy.deepcopy(layer), copy.deepcopy(layer).double()):
        other(data[2].to(other.weight.dtype))
        torch.testing.assert_close(other.running_mean.float(), data.mean(1).mean(0))


def test_batches_that_are_not_finite_are_skipped_and_counted():
    layer = bnlab.BatchNorm1d(3, momentum=None, skip_nonfinite=True, dtype=torch.float64)
    data = batches(4)
    layer(data[0])
    for bad in (float("nan"), float("inf")):
        x = data[1].clone()
        x[2, 1] = bad
        assert layer(x)[:, 1].isnan().all()
    layer(data[3])
    assert layer.skipped == 2 and layer.num_batches_tracked == 2
    assert_statistics_of(layer, data[[0, 3]])
    layer.reset_running_stats()
    assert layer.skipped == 0


def test_without_the_option_they_go_in():
    layer = bnlab.BatchNorm1d(3)
    layer(torch.full((4, 3), float("nan")))
    assert layer.running_mean.isnan().all() and layer.num_batches_tracked == 1 and layer.skipped is None


def test_at_most_one_batch_per_step():
    layer = bnlab.BatchNorm1d(3, momentum=None, once_per_step=True, dtype=torch.float64)
    data = batches(6)
    for i in (0, 2, 4):
        bnlab.advance_step()
        layer(data[i])
        layer.eval()(data[i + 1])
        layer.train()(data[i + 1])
    assert layer.num_batches_tracked == 3
    assert_statistics_of(layer, data[[0, 2, 4]])


def test_a_copy_takes_its_first_batch():
    layer = bnlab.BatchNorm1d(3, once_per_step=True)
    layer(torch.randn(4, 3))
    other = copy.deepcopy(layer)
    other(torch.randn(4, 3))
    assert (layer.num_batches_tracked, other.num_batches_tracked) == (1, 2)


def test_checkpointing_counts_a_batch_once_with_once_per_step():
    for once_per_step, expected in ((True, 1), (False, 2)):
        bnlab.advance_step()
        layer = bnlab.BatchNorm1d(3, once_per_step=once_per_step)
        x = torch.randn(4, 3, requires_grad=True)
        checkpoint(layer, x).sum().backward()
        assert layer.num_batches_tracked == expected


def test_their_buffers_are_not_in_the_state_dict():
    plain = bnlab.BatchNorm2d(3)
    layer = bnlab.BatchNorm2d(3, window=4, skip_nonfinite=True, once_per_step=True)
    assert list(layer.state_dict()) == list(plain.state_dict())
    assert {"window_mean", "window_var", "skipped"} <= {name for name, _ in layer.named_buffers()}
    torch.nn.BatchNorm2d(3).load_state_dict(layer.state_dict(), strict=True)


@pytest.mark.parametrize("option", ({"window": 2}, {"skip_nonfinite": True}, {"once_per_step": True}))
def test_they_need_running_statistics(option):
    with pytest.raises(ValueError, match="track_running_stats=True"):
        bnlab.BatchNorm2d(3, track_running_stats=False, **option)


def test_a_negative_window_is_refused():
    with pytest.raises(ValueError, match="window >= 0, got -1"):
        bnlab.BatchNorm2d(3, window=-1)
