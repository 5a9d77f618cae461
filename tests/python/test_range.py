"""Values near the ends of a type's range: right, or refused with a sentence; never silently 0."""
import pytest
import torch

import bnlab
from forms import FORMS, Form, formula, given, inputs, ours, placed

SCALES = {
    torch.float32: (1e-37, 1e-30, 1e-20, 1e-10, 1e10, 1e12, 1e13, 1e15, 1e18, 1e19, 1e20, 1e25, 1e30, 1e37, 3.4e38),
    torch.bfloat16: (1e-30, 1e12, 1e15, 1e18, 1e25, 1e30, 3.3e38),
    torch.float16: (1e-3, 2.0, 1e2, 1e4, 6.5e4),
    torch.float64: (1e-300, 1e-200, 1e-150, 1e-100, 1e100, 1e130, 1e150, 1e160, 1e200, 1e300, 1.7e308),
}
CASES = [(dtype, scale) for dtype, scales in SCALES.items() for scale in scales]
TOLERANCE = {torch.float32: 2e-6, torch.bfloat16: 2e-2, torch.float16: 2e-3, torch.float64: 1e-12}

each_case = pytest.mark.parametrize("dtype, scale", CASES, ids=lambda value: str(value).replace("torch.", ""))
TRAINING = [form for form in FORMS if form.training]


def derivatives(function, arguments, dy, order):
    """(y, gradients ...) and, for order 2, those of the sum of the first gradient's squares, scaled to be of order 1."""
    leaves = [value.clone().requires_grad_() for value in arguments]
    y = function(*leaves)
    first = torch.autograd.grad(y, leaves, dy, create_graph=order == 2)
    if order == 1:
        return [y, *first]
    direction = torch.linspace(-1, 1, y.numel(), dtype=y.dtype).reshape(y.shape)
    second = torch.autograd.grad(first[0], [leaves[0], *leaves[1:2]], direction, allow_unused=True)
    return [value for value in second if value is not None]


@each_case
@pytest.mark.parametrize("form", TRAINING, ids=str)
@pytest.mark.parametrize("channels_last", (False, True))
def test_training_at_any_scale(form, dtype, scale, channels_last):
    """Batch normalization of s*x with s*s*eps is that of x: the formula in double, of values of order 1."""
    values = inputs(form, (16, 3, 4, 4))
    down = 2.0 ** -int(torch.tensor(scale, dtype=torch.float64).log2().floor())
    big = (values.x.clamp(-3, 3) / 3 * scale).to(dtype)
    if channels_last:
        big = big.contiguous(memory_format=torch.channels_last)
    assert big.isfinite().all()
    small = values._replace(x=big.double() * down)
    eps = 0.0 if scale < 1 else 1e-5
    narrow = [big, *(value.to(dtype) for value in given(small)[1][1:])]
    wide = [small.x, *(value.double() for value in narrow[1:])]
    dy = torch.randn_like(small.x).to(dtype)
    limits = torch.finfo(dtype)
    margin = 16 if dtype is torch.float16 else 1e9
    second = limits.tiny * margin < down * down < limits.max / margin  # else it is beyond what the type can hold
    for order in (1, 2) if second else (1,):
        found = derivatives(placed(ours(form, eps), given(values)[0]), narrow, dy, order)
        expected = derivatives(placed(formula(form, eps * down * down), given(values)[0]), wide, dy.double(), order)
        powers = ([0, 1] + [0] * 4) if order == 1 else [2, 1]  # of `down`, by which each result shrinks as x grows
        for mine, theirs, power in zip(found, expected, powers):
            theirs = theirs.detach()
            for _ in range(power):
                theirs = theirs * down
            assert_as_near_as_the_type_allows(mine.detach(), theirs, TOLERANCE[dtype] * 4**order)


def assert_as_near_as_the_type_allows(found, expected, tolerance):
    """Within a part of the largest, or some steps of the smallest denormal."""
    least = {torch.float32: 1.5e-45, torch.bfloat16: 9.2e-41, torch.float16: 6e-8, torch.float64: 5e-324}[found.dtype]
    expected = expected.to(found.dtype).double()
    error, allowed = (found.double() - expected).abs().max().item(), tolerance * expected.abs().max().item() + 4 * least
    assert error <= allowed < torch.finfo(found.dtype).max, (error, allowed)


@each_case
@pytest.mark.parametrize("fusion", ("plain", "add_relu"))
def test_evaluation_at_any_scale(fusion, dtype, scale):
    form = Form(False, fusion)
    values = inputs(form, (16, 3, 4, 4))
    down = 2.0 ** -int(torch.tensor(scale, dtype=torch.float64).log2().floor())
    big = (values.x.clamp(-3, 3) / 3 * scale).to(dtype)
    most = torch.finfo(torch.float64).max
    mean = torch.tensor([-0.5, 0.0, 0.25], dtype=torch.float64) * scale
    var = torch.tensor([0.5, 1.0, 2.0], dtype=torch.float64) * scale * scale
    if not (var <= most).all() or not (var > 1e-300).all():
        return  # no running variance says so
    # Parameters in double: running statistics may be of any type.
    narrow = [big, *(value.to(dtype) for value in given(values)[1][1:])]
    wide = [big.double() * down, *(value.double() for value in narrow[1:])]
    dy = torch.randn_like(values.x).to(dtype)
    call = ours(form, 0.0, (mean, var))
    expect = formula(form, 0.0, (mean * down, var * down * down))
    found = derivatives(placed(call, given(values)[0]), narrow, dy, 1)
    expected = derivatives(placed(expect, given(values)[0]), wide, dy.double(), 1)
    for i, (mine, theirs) in enumerate(zip(found, expected)):
        theirs = theirs.detach() * (down if i == 1 else 1)
        assert_as_near_as_the_type_allows(mine.detach(), theirs, 4 * TOLERANCE[dtype])


@pytest.mark.parametrize("dtype", SCALES)
def test_channels_of_all_scales_beside_nan_and_constants(dtype):
    x = torch.randn(32, 5, 7).to(dtype)
    big = SCALES[dtype][-2]
    x[:, 1] = (x[:, 1].double() * (big / 8)).to(dtype)
    x[:, 2] = big
    x[3, 3, 2] = float("nan")
    layer = bnlab.BatchNorm1d(5, track_running_stats=False, dtype=dtype)
    y = layer(x)
    alone = [layer_of(dtype)(x[:, c : c + 1]) for c in range(5)]
    assert y[:, 3].isnan().all() and torch.equal(y[:, 2], torch.zeros_like(y[:, 2]))
    for c in (0, 1, 2, 4):
        torch.testing.assert_close(y[:, c : c + 1], alone[c], rtol=1e-5, atol=1e-5)
    assert 0.9 < y[:, 1].double().std() < 1.1


def layer_of(dtype):
    return bnlab.BatchNorm1d(1, track_running_stats=False, dtype=dtype)


def test_float_of_1e18_and_more_with_running_statistics():
    """The issue's case; and the running variance, which float cannot hold from 1.8e19 on, says so."""
    base = torch.randn(64, 3)
    expected = torch.nn.BatchNorm1d(3)(base)
    for scale, fits in ((1e15, True), (1e18, True), (1e20, False), (1e30, False)):
        layer = bnlab.BatchNorm1d(3)
        if fits:
            torch.testing.assert_close(layer(base * scale), expected, rtol=1e-4, atol=1e-4)
            assert layer.running_var.isfinite().all() and layer.running_var.min() > scale
            assert layer.eval()(base * scale).abs().max() > 1
        else:
            before = {name: value.clone() for name, value in layer.state_dict().items()}
            with pytest.raises(RuntimeError, match="running statistics of type Float can hold"):
                layer(base * scale)
            assert all(torch.equal(value, before[name]) for name, value in layer.state_dict().items())
            skipping = bnlab.BatchNorm1d(3, skip_nonfinite=True)
            torch.testing.assert_close(skipping(base * scale), expected, rtol=1e-4, atol=1e-4)
            assert skipping.skipped == 1
