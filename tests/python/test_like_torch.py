"""What PyTorch's documentation promises of BatchNorm1d, 2d and 3d. Judge: torch.nn's own, in float64."""
import copy
import inspect

import pytest
import torch
from layers import DIMENSIONS, INPUTS, assert_same_state, normalized, pair, step

import bnlab

EXACT = {"rtol": 1e-11, "atol": 1e-12}

ARGUMENTS = {
    "defaults": {},
    "momentum": {"momentum": 0.35},
    "cumulative": {"momentum": None},
    "no affine": {"affine": False},
    "no tracking": {"track_running_stats": False},
    "eps": {"eps": 0.7},
    "all others": {"eps": 1e-3, "momentum": 1.0, "affine": False, "track_running_stats": False},
}


@pytest.mark.parametrize("arguments", ARGUMENTS.values(), ids=ARGUMENTS.keys())
@pytest.mark.parametrize("dimensions,sizes", INPUTS.values(), ids=INPUTS.keys())
def test_trains_and_evaluates_as_torchs(dimensions, sizes, arguments):
    ours, theirs = pair(dimensions, 5, dtype=torch.float64, **arguments)
    for training in (False, True, True, True, False):
        ours.train(training)
        theirs.train(training)
        x = 3 * torch.randn(sizes, dtype=torch.float64) + 2
        dy = torch.randn(sizes, dtype=torch.float64)
        for mine, expected in zip(step(ours, x, dy), step(theirs, x, dy)):
            torch.testing.assert_close(mine, expected, **EXACT)
        assert_same_state(ours, theirs, **EXACT)


@pytest.mark.parametrize("dimensions", DIMENSIONS)
def test_takes_torchs_arguments_in_their_order_with_their_defaults(dimensions):
    theirs = inspect.signature(getattr(torch.nn, f"BatchNorm{dimensions}")).parameters
    ours = inspect.signature(getattr(bnlab, f"BatchNorm{dimensions}")).parameters
    assert list(ours)[: len(theirs)] == list(theirs)
    for name, parameter in theirs.items():
        assert (ours[name].default, ours[name].kind) == (parameter.default, parameter.kind)
    for name in list(ours)[len(theirs) :]:
        assert ours[name].kind is inspect.Parameter.KEYWORD_ONLY


def test_normalizes_by_the_biased_variance():
    x = torch.randn(4, 5, 3, 2, dtype=torch.float64)
    torch.testing.assert_close(bnlab.BatchNorm2d(5, dtype=torch.float64)(x), normalized(x), **EXACT)


def test_gamma_is_1_and_beta_is_0_at_first():
    layer = bnlab.BatchNorm2d(5)
    assert torch.equal(layer.weight, torch.ones(5)) and torch.equal(layer.bias, torch.zeros(5))
    assert isinstance(layer.weight, torch.nn.Parameter) and layer.weight.requires_grad and layer.bias.requires_grad


def test_running_statistics_move_by_momentum_towards_the_unbiased_variance():
    layer = bnlab.BatchNorm1d(2, momentum=0.25, dtype=torch.float64)
    x = torch.tensor([[1.0, 5.0], [3.0, 5.0]], dtype=torch.float64)  # mean 2 and 5, unbiased variance 2 and 0
    layer(x)
    assert torch.equal(layer.running_mean, torch.tensor([0.5, 1.25], dtype=torch.float64))
    assert torch.equal(layer.running_var, torch.tensor([1.25, 0.75], dtype=torch.float64))
    assert layer.num_batches_tracked == 1


def test_without_momentum_running_statistics_are_the_mean_over_all_batches():
    layer = bnlab.BatchNorm1d(3, momentum=None, dtype=torch.float64)
    batches = torch.randn(6, 8, 3, dtype=torch.float64)
    for x in batches:
        layer(x)
    torch.testing.assert_close(layer.running_mean, batches.mean(1).mean(0), **EXACT)
    torch.testing.assert_close(layer.running_var, batches.var(1, unbiased=True).mean(0), **EXACT)


def test_evaluation_goes_by_the_running_estimates_and_changes_nothing():
    layer = bnlab.BatchNorm2d(3)
    layer(torch.randn(4, 3, 2, 2))
    before = copy.deepcopy(layer.state_dict())
    layer.eval()
    x = 5 * torch.randn(4, 3, 2, 2) + 1
    layer(x)
    for name, value in layer.state_dict().items():
        assert torch.equal(value, before[name])
    torch.testing.assert_close(layer(x[:1]), layer(x)[:1], rtol=0, atol=0)  # each sample on its own


def test_without_tracking_the_batchs_statistics_serve_in_both_modes():
    layer = bnlab.BatchNorm2d(3, track_running_stats=False)
    assert layer.running_mean is None and layer.running_var is None and layer.num_batches_tracked is None
    x = torch.randn(4, 3, 2, 2)
    assert torch.equal(layer(x), layer.eval()(x))


def test_without_affine_there_is_nothing_to_learn():
    layer = bnlab.BatchNorm3d(3, affine=False)
    assert layer.weight is None and layer.bias is None and not list(layer.parameters())


@pytest.mark.parametrize("dimensions,sizes", INPUTS.values(), ids=INPUTS.keys())
def test_output_has_the_inputs_shape(dimensions, sizes):
    assert getattr(bnlab, f"BatchNorm{dimensions}")(5)(torch.randn(sizes)).shape == torch.Size(sizes)


@pytest.mark.parametrize("rank", range(1, 7))
@pytest.mark.parametrize("dimensions", DIMENSIONS)
def test_refuses_inputs_of_another_rank_as_torchs_does(dimensions, rank):
    ours, theirs = pair(dimensions, 2)
    x = torch.randn([2] * rank)
    try:
        theirs(x)
    except ValueError as expected:
        with pytest.raises(ValueError) as error:
            ours(x)
        assert str(error.value) == str(expected)
    else:
        ours(x)


@pytest.mark.parametrize("dimensions,sizes", [("1d", (1, 2)), ("1d", (1, 2, 1)), ("2d", (1, 2, 1, 1))])
def test_refuses_to_train_on_one_value_per_channel_and_names_the_remedies(dimensions, sizes):
    ours, theirs = pair(dimensions, 2)
    with pytest.raises(ValueError) as expected:
        theirs(torch.randn(sizes))
    with pytest.raises(ValueError, match="drop_last=True.*evaluation mode") as error:
        ours(torch.randn(sizes))
    assert str(error.value).startswith(str(expected.value))
    assert ours.num_batches_tracked == 0
    torch.testing.assert_close(ours.eval()(torch.ones(sizes)), theirs.eval()(torch.ones(sizes)))


def test_one_value_per_channel_without_running_statistics_names_that_cause():
    layer = bnlab.BatchNorm2d(2, track_running_stats=False)
    for training in (True, False):
        with pytest.raises(ValueError, match="running statistics: without them .*track_running_stats=False") as error:
            layer.train(training)(torch.randn(1, 2, 1, 1))
        assert "put this layer into evaluation mode" not in str(error.value)
    with pytest.raises(ValueError, match=r"drop_last=True.*training=False"):
        bnlab.functional.batch_norm(torch.randn(1, 2, 1, 1), None, None, training=True)


def test_refuses_another_number_of_channels():
    for training in (True, False):
        layer = bnlab.BatchNorm2d(3).train(training)
        before = copy.deepcopy(layer.state_dict())
        with pytest.raises(RuntimeError, match=r"size \(4\).*got \[3\]"):
            layer(torch.randn(2, 4, 5, 5))
        assert_same_state(layer, copy.deepcopy(layer))
        assert all(torch.equal(value, before[name]) for name, value in layer.state_dict().items())


def test_device_and_dtype_arguments():
    layer = bnlab.BatchNorm2d(3, device="cpu", dtype=torch.float64)
    theirs = torch.nn.BatchNorm2d(3, device="cpu", dtype=torch.float64)
    for name, value in theirs.state_dict().items():
        assert layer.state_dict()[name].dtype == value.dtype and layer.state_dict()[name].device == value.device
    layer = bnlab.BatchNorm2d(3, device="meta")
    assert all(value.is_meta for value in layer.state_dict().values())
    y = layer(torch.empty(2, 3, 4, 4, device="meta"))
    assert y.is_meta and y.shape == (2, 3, 4, 4)


@pytest.mark.parametrize("arguments", ARGUMENTS.values(), ids=ARGUMENTS.keys())
def test_state_dict_is_exactly_torchs(arguments):
    ours, theirs = pair("2d", 3, **arguments)
    ours(torch.randn(2, 3, 4, 4))
    mine, other = ours.state_dict(), theirs.state_dict()
    assert [(k, v.dtype, v.shape) for k, v in mine.items()] == [(k, v.dtype, v.shape) for k, v in other.items()]
    assert mine._metadata == other._metadata
    theirs.load_state_dict(mine, strict=True)
    assert_same_state(ours, theirs, rtol=0, atol=0)
    fresh = bnlab.BatchNorm2d(3, **arguments)
    fresh.load_state_dict(theirs.state_dict(), strict=True)
    assert_same_state(fresh, theirs, rtol=0, atol=0)


def test_loads_state_dicts_from_before_num_batches_tracked():
    layer, old = bnlab.BatchNorm2d(3), torch.nn.BatchNorm2d(3).state_dict()
    layer(torch.randn(2, 3, 4, 4))
    del old["num_batches_tracked"]
    with pytest.raises(RuntimeError, match="num_batches_tracked"):  # version 2: it must be there
        layer.load_state_dict(old, strict=True)
    old._metadata[""]["version"] = 1
    theirs = torch.nn.BatchNorm2d(3)
    theirs(torch.randn(2, 3, 4, 4))
    for each in (layer, theirs):
        each.load_state_dict(old, strict=True)
    assert layer.num_batches_tracked == theirs.num_batches_tracked  # 0, since PyTorch 2 what it was


def test_resets():
    layer = bnlab.BatchNorm2d(3)
    layer(torch.randn(2, 3, 4, 4))
    with torch.no_grad():
        layer.weight.fill_(3)
        layer.bias.fill_(3)
    layer.reset_running_stats()
    assert torch.equal(layer.weight, torch.full((3,), 3.0)) and layer.num_batches_tracked == 0
    layer.reset_parameters()
    assert_same_state(layer, torch.nn.BatchNorm2d(3), rtol=0, atol=0)


def test_prints_as_torchs():
    for arguments in ARGUMENTS.values():
        ours, theirs = pair("2d", 3, **arguments)
        assert repr(ours) == repr(theirs)
    layer = bnlab.BatchNorm2d(3, window=4, skip_nonfinite=True, once_per_step=True)
    assert repr(layer).endswith("track_running_stats=True, window=4, skip_nonfinite=True, once_per_step=True)")


@pytest.mark.parametrize("dimensions", DIMENSIONS)
def test_is_one_of_torchs_layers(dimensions):
    for form in ("", "ReLU", "AddReLU"):
        assert issubclass(getattr(bnlab, f"BatchNorm{form}{dimensions}"), getattr(torch.nn, f"BatchNorm{dimensions}"))
    assert issubclass(bnlab.BatchNorm2d, torch.nn.modules.batchnorm._BatchNorm)


@pytest.mark.parametrize("training", (True, False))
def test_running_statistics_taken_away_by_hand(training):
    ours, theirs = pair("2d", 3)
    x = torch.randn(2, 3, 4, 4)
    for layer in (ours, theirs):
        layer.running_mean = layer.running_var = None
        layer.train(training)
    torch.testing.assert_close(ours(x), theirs(x))


def test_tracking_switched_off_by_hand():
    ours, theirs = pair("2d", 3)
    for layer in (ours, theirs):
        layer.track_running_stats = False
        layer(torch.randn(2, 3, 4, 4))
    assert_same_state(ours, theirs, rtol=0, atol=0)


def test_serves_torchs_own_tools():
    """Averaging of weights, folding into a convolution, decay only where there is no normalization."""
    convolution = torch.nn.Conv2d(3, 5, 1)
    model = torch.nn.Sequential(convolution, bnlab.BatchNorm2d(5))
    other = copy.deepcopy(model)
    other[1] = torch.nn.BatchNorm2d(5)
    batches = [torch.randn(4, 3, 2, 2) for _ in range(3)]
    for each in (model, other):
        torch.optim.swa_utils.update_bn(batches, each)
    assert_same_state(model[1], other[1])
    folded = torch.nn.utils.fusion.fuse_conv_bn_eval(model.eval()[0], model[1])
    torch.testing.assert_close(folded(batches[0]), model(batches[0]), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("training", (True, False))
@pytest.mark.parametrize("given", (True, False))
def test_functional_batch_norm_is_torchs(training, given):
    assert list(inspect.signature(bnlab.functional.batch_norm).parameters) == list(
        inspect.signature(torch.nn.functional.batch_norm).parameters
    )
    if not (training or given):
        with pytest.raises(RuntimeError, match="expected running_mean and running_var"):
            bnlab.functional.batch_norm(torch.randn(4, 3), None, None)
        return
    x, weight, bias = torch.randn(4, 3, dtype=torch.float64), torch.rand(3).double(), torch.rand(3).double()
    results = []
    for batch_norm in (bnlab.functional.batch_norm, torch.nn.functional.batch_norm):
        mean, var = (torch.full((3,), 0.5).double(), torch.full((3,), 2.0).double()) if given else (None, None)
        y = batch_norm(x, mean, var, weight, bias, training, 0.3, 1e-3)
        results.append([y, mean, var] if given else [y])
    for mine, expected in zip(*results):
        torch.testing.assert_close(mine, expected, **EXACT)


def test_functional_batch_norm_refuses_one_value_per_channel():
    for function in (bnlab.functional.batch_norm, bnlab.functional.batch_norm_relu):
        with pytest.raises(ValueError, match="more than 1 value per channel"):
            function(torch.randn(1, 3), None, None, training=True)
    with pytest.raises(ValueError, match="more than 1 value per channel"):
        bnlab.functional.batch_norm_add_relu(torch.randn(1, 3), torch.randn(1, 3), None, None, training=True)


@pytest.mark.parametrize("arguments", ({"eps": -1}, {"eps": float("nan")}, {"momentum": 1.5}, {"momentum": -0.1}))
def test_refuses_arguments_out_of_range(arguments):
    with pytest.raises(ValueError, match=f"BatchNorm2d: expected.*{next(iter(arguments))}"):
        bnlab.BatchNorm2d(3, **arguments)
