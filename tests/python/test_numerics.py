"""Values and derivatives against the formula in double, over types, memory formats and numbers of threads."""
import pytest
import torch
from layers import normalized, pair, step

import bnlab

FORMATS = {"channels first": torch.contiguous_format, "channels last": torch.channels_last}


@pytest.mark.parametrize("format", FORMATS.values(), ids=FORMATS.keys())
@pytest.mark.parametrize("mean", (0.0, 1e3, 1e4))
def test_float32_keeps_its_digits_far_from_zero(mean, format):
    x = (torch.randn(8, 5, 16, 16) + mean).to(memory_format=format)
    layer, _ = pair("2d", 5)
    ideal = normalized(x, layer.weight, layer.bias)
    unit = torch.finfo(torch.float32).eps * ideal.abs().clamp(min=1)  # ulps of max(1, |y|), and more
    worst = ((layer(x).double() - ideal).abs() / unit).max().item()
    assert worst <= 3


def test_a_constant_channel_gives_beta_exactly():
    layer, _ = pair("2d", 3)
    for value in (0.1, 1e6, -3e-5):
        y = layer(torch.full((4, 3, 5, 5), value))
        assert torch.equal(y, layer.bias.reshape(1, 3, 1, 1).expand_as(y))


def test_nan_and_infinity_stay_in_their_channel():
    layer = bnlab.BatchNorm2d(3)
    x = torch.randn(4, 3, 5, 5)
    expected = layer(x)[:, 1]
    x[0, 0, 0, 0], x[1, 2, 3, 3] = float("nan"), float("inf")
    y = layer(x)
    assert y[:, 0].isnan().all() and y[:, 2].isnan().all() and torch.equal(y[:, 1], expected)


@pytest.mark.parametrize("form", ("", "ReLU", "AddReLU"))
@pytest.mark.parametrize("format", FORMATS.values(), ids=FORMATS.keys())
def test_same_bits_for_any_number_of_threads(format, form):
    layer = getattr(bnlab, f"BatchNorm{form}2d")(19)
    x, dy, addend = (torch.randn(9, 19, 33, 17).to(memory_format=format) for _ in range(3))
    results = []
    for threads in (1, 2, 3, 4):
        torch.set_num_threads(threads)
        layer.reset_running_stats()
        results.append(step(layer, x, dy, *([addend] if form == "AddReLU" else [])) + [layer.running_var.clone()])
    for result in results[1:]:
        assert all(torch.equal(mine, first) for mine, first in zip(result, results[0]))


@pytest.mark.parametrize(
    "dimensions,sizes,format",
    [("2d", (2, 5, 4, 3), torch.channels_last), ("3d", (2, 5, 4, 3, 2), torch.channels_last_3d)],
)
@pytest.mark.parametrize("training", (True, False))
def test_channels_last_comes_out_channels_last(dimensions, sizes, format, training):
    ours, _ = pair(dimensions, 5)
    ours.train(training)
    x = torch.randn(sizes)
    y, dx, *_ = step(ours, x.to(memory_format=format), torch.randn(sizes))
    assert y.is_contiguous(memory_format=format) and dx.is_contiguous(memory_format=format)
    torch.testing.assert_close(y, ours(x))
    assert ours(x).is_contiguous()


def test_inputs_of_any_strides():
    layer, theirs = pair("2d", 5, dtype=torch.float64)
    big = torch.randn(6, 10, 8, 4, dtype=torch.float64)
    dy = torch.randn(6, 5, 8, 4, dtype=torch.float64)
    sliced = big[:, ::2]
    turned = torch.randn(4, 8, 6, 5, dtype=torch.float64).permute(2, 3, 1, 0)
    broadcast = torch.randn(6, 5, 1, 4, dtype=torch.float64).expand(6, 5, 8, 4)
    for x in (sliced, turned, broadcast):
        for mine, expected in zip(step(layer, x, dy), step(theirs, x, dy)):
            torch.testing.assert_close(mine, expected, rtol=1e-11, atol=1e-12)


def test_the_input_is_left_as_it_is():
    x = torch.randn(4, 3, 5, 5)
    before = x.clone()
    bnlab.BatchNormReLU2d(3)(x)
    assert torch.equal(x, before)


def _function(form, training, given):
    mean, var = torch.tensor([0.3, -0.2]).double(), torch.tensor([1.5, 0.7]).double()

    def function(x, weight, bias, *addend):
        if not given:
            weight = bias = None
        running = (None, None) if training else (mean, var)
        return getattr(bnlab.functional, form)(x, *addend, *running, weight, bias, training, 0.1, 0.01)

    return function


@pytest.mark.parametrize("training", (True, False))
@pytest.mark.parametrize("form", ("batch_norm", "batch_norm_relu", "batch_norm_add_relu"))
@pytest.mark.parametrize("format", FORMATS.values(), ids=FORMATS.keys())
def test_first_and_second_derivatives(format, form, training):
    x = torch.randn(3, 2, 2, 2, dtype=torch.float64).to(memory_format=format).requires_grad_()
    weight = torch.tensor([0.7, -1.3], dtype=torch.float64, requires_grad=True)
    bias = torch.tensor([0.2, 0.1], dtype=torch.float64, requires_grad=True)
    inputs = [x, weight, bias]
    if form == "batch_norm_add_relu":
        inputs.append(torch.randn(3, 2, 2, 2, dtype=torch.float64, requires_grad=True))
    function = _function(form, training, given=True)
    assert torch.autograd.gradcheck(function, inputs)
    assert torch.autograd.gradgradcheck(function, inputs)


@pytest.mark.parametrize("training", (True, False))
def test_derivatives_without_gamma_and_beta(training):
    x = torch.randn(3, 2, 2, dtype=torch.float64, requires_grad=True)
    function = _function("batch_norm_relu", training, given=False)
    assert torch.autograd.gradcheck(lambda x: function(x, None, None), [x])
    assert torch.autograd.gradgradcheck(lambda x: function(x, None, None), [x])


def test_only_the_wanted_gradients():
    layer = bnlab.BatchNorm2d(3)
    layer.weight.requires_grad_(False)
    layer(torch.randn(2, 3, 4, 4)).sum().backward()
    assert layer.weight.grad is None and torch.equal(layer.bias.grad, torch.full((3,), 32.0))


NARROW = {torch.bfloat16: 8, torch.float16: 11}  # binary digits


@pytest.mark.parametrize("format", FORMATS.values(), ids=FORMATS.keys())
@pytest.mark.parametrize("wide_layer", (True, False))
@pytest.mark.parametrize("dtype", NARROW)
def test_types_of_16_bits(dtype, wide_layer, format):
    layer_type = torch.float32 if wide_layer else dtype
    layer = bnlab.BatchNorm2d(3).to(layer_type)
    x = torch.randn(8, 3, 6, 6).to(memory_format=format).to(dtype)
    y, dx, *of_parameters = step(layer, x, torch.ones_like(x))
    assert y.dtype == dx.dtype == dtype and layer.running_mean.dtype == layer_type
    assert all(gradient.dtype == layer_type for gradient in of_parameters)
    # Exact but for the one rounding of y, half a unit in the last digit.
    unit = 2.0 ** -NARROW[dtype]
    torch.testing.assert_close(y.double(), normalized(x), rtol=unit, atol=unit / 16)
    wide = x.double()
    mean, var = wide.mean((0, 2, 3)), wide.var((0, 2, 3))
    tolerance = {"rtol": 1e-6 if wide_layer else unit, "atol": 1e-6}
    torch.testing.assert_close(layer.running_mean.double(), 0.1 * mean, **tolerance)
    torch.testing.assert_close(layer.running_var.double(), 0.9 + 0.1 * var, **tolerance)
    layer.eval()
    running_mean, running_var = (v.double().reshape(1, 3, 1, 1) for v in (layer.running_mean, layer.running_var))
    expected = (wide - running_mean) / (running_var + layer.eps).sqrt()
    torch.testing.assert_close(layer(x).double(), expected, rtol=unit, atol=unit / 16)


def test_float16_ends_at_65504():
    """Of statistics the type cannot hold a layer in float16 says so, one in float32 does not have them."""
    x = torch.randn(64, 3).mul(10000).half()
    torch.testing.assert_close(bnlab.BatchNorm1d(3)(x).double(), normalized(x), rtol=2**-11, atol=2**-15)
    with pytest.raises(RuntimeError, match="running statistics of type Half can hold"):
        bnlab.BatchNorm1d(3).half()(x)
    layer = bnlab.BatchNorm1d(3)
    torch.nn.init.constant_(layer.weight, 60000)
    y = layer(x)
    expected = normalized(x, layer.weight, layer.bias)
    beyond = expected.abs() >= 65520
    assert beyond.any() and torch.equal(y.isinf(), beyond) and torch.equal(y[beyond] > 0, expected[beyond] > 0)


@pytest.mark.parametrize("dtype", NARROW)
def test_autocast(dtype):
    if dtype is torch.float16 and torch.__version__ < "2":
        pytest.skip("PyTorch 1.13 casts to bfloat16 only on the CPU")
    def network(norm):
        torch.manual_seed(1)
        layers = torch.nn.Conv2d(3, 8, 3), norm(8), torch.nn.ReLU(), torch.nn.Conv2d(8, 4, 3), norm(4)
        return torch.nn.Sequential(*layers)

    x = torch.randn(8, 3, 12, 12)
    results = []
    for norm in (bnlab.BatchNorm2d, torch.nn.BatchNorm2d):
        model = network(norm)
        with torch.autocast("cpu", dtype=dtype):
            y = model(x)
            assert model[1].running_mean.dtype == torch.float32
        assert y.dtype == dtype
        y.float().square().sum().backward()
        assert all(parameter.grad.dtype == torch.float32 for parameter in model.parameters())
        results.append([y.float().detach(), model[1].running_var, model[1].weight.grad])
    for mine, expected in zip(*results):
        torch.testing.assert_close(mine, expected, rtol=0.05, atol=0.05 * expected.abs().max().item())


def test_other_types_are_refused_with_those_that_work():
    with pytest.raises(RuntimeError, match="Float, Double, BFloat16 or Half, got Long"):
        bnlab.BatchNorm2d(3)(torch.ones(2, 3, 4, 4).long())


def test_all_instruction_sets_agree():
    x, layer = torch.randn(4, 5, 9, 7), bnlab.BatchNorm2d(5)
    first = bnlab.instruction_set()
    expected = layer(x)
    try:
        bnlab.use_instruction_set("portable")
        assert bnlab.instruction_set() == "portable"
        torch.testing.assert_close(layer(x), expected, rtol=0, atol=1e-6)
        with pytest.raises(RuntimeError, match="expected one of .*portable.*\"mmx\""):
            bnlab.use_instruction_set("mmx")
    finally:
        bnlab.use_instruction_set(first)
