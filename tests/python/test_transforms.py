"""Forward-mode derivatives and functorch's transforms, in double, against the formula in elementary operators."""
import functorch
import pytest
import torch
from torch.autograd import forward_ad
from torch.autograd import functional as autograd

import bnlab
from forms import EPS, FORMS, formula, given, inputs, ours, placed, running_statistics

CLOSE = {"rtol": 1e-9, "atol": 1e-10}
SMALL = (4, 2, 3)

each_form = pytest.mark.parametrize("form", FORMS, ids=str)


def same(form, compute, sizes=(6, 3, 4, 4), **tolerance):
    """compute(function, arguments), tensors, gives the same of ours and of the formula, and not only zeros."""
    values = inputs(form, sizes)
    positions, arguments = given(values)
    found, expected = (compute(placed(make(form), positions), arguments) for make in (ours, formula))
    torch.testing.assert_close(found, expected, **(tolerance or CLOSE))
    assert any(value.abs().max() > 1e-3 for value in expected if value is not None)


def jvp(function, arguments, tangents):
    """By torch.autograd.forward_ad."""
    with forward_ad.dual_level():
        y = function(*(forward_ad.make_dual(value, tangent) for value, tangent in zip(arguments, tangents)))
        return forward_ad.unpack_dual(y).tangent


def curved(function):
    """A scalar whose derivatives of all orders depend on all arguments."""

    def call(*values):
        y = function(values[0] * values[0] + values[0], *values[1:])
        return (y * y.sin()).sum()

    return call


@each_form
@pytest.mark.parametrize("trained", (False, True))
def test_forward_ad(form, trained):
    def compute(function, arguments):
        torch.manual_seed(1)
        tangents = [torch.randn_like(value) for value in arguments]
        return [jvp(function, [value.clone().requires_grad_(trained) for value in arguments], tangents)]

    same(form, compute)


@each_form
def test_forward_ad_by_one_argument(form):
    values = inputs(form)
    for position in given(values)[0]:
        tangent = torch.randn_like(values[position])

        def derivative(function):
            def of_one(value):
                return function(*values[:position], value, *values[position + 1 :])

            return jvp(of_one, [values[position]], [tangent])

        torch.testing.assert_close(derivative(ours(form)), derivative(formula(form)), **CLOSE)


@each_form
def test_forward_over_reverse_and_reverse_over_forward(form):
    def compute(function, arguments):
        torch.manual_seed(1)
        tangents = [torch.randn_like(value) for value in arguments]

        def gradient(*values):
            values = [value if value.requires_grad else value.requires_grad_() for value in values]
            return torch.autograd.grad(curved(function)(*values), values, create_graph=True)[0]

        forward_over_reverse = jvp(gradient, [value.clone() for value in arguments], tangents)
        leaves = [value.clone().requires_grad_() for value in arguments]
        reverse_over_forward = torch.autograd.grad(jvp(curved(function), leaves, tangents), leaves)
        return [forward_over_reverse.detach(), *reverse_over_forward]

    same(form, compute)


@each_form
def test_tangents_of_a_graph_made_before(form):
    """Forward mode through backward passes whose forward pass knew nothing of it."""

    def compute(function, arguments):
        torch.manual_seed(1)
        leaves = [value.clone().requires_grad_() for value in arguments]
        y = function(*leaves)
        dy, tangent = torch.randn_like(y, requires_grad=True), torch.randn_like(y)
        first = torch.autograd.grad(y, leaves, dy, create_graph=True)
        of_first = jvp(lambda dy: torch.autograd.grad(y, leaves[0], dy, retain_graph=True)[0], [dy], [tangent])
        second_inputs = [leaf for leaf in leaves[:2]] + [dy]

        def second(cotangent):
            return torch.autograd.grad(first[0], second_inputs, cotangent, retain_graph=True, allow_unused=True)

        with forward_ad.dual_level():
            cotangent = forward_ad.make_dual(torch.randn_like(first[0]), torch.randn_like(first[0]))
            of_second = [
                value if value is None else forward_ad.unpack_dual(value).tangent for value in second(cotangent)
            ]
        return [of_first, *[value for value in of_second if value is not None]]

    same(form, compute)


@each_form
@pytest.mark.parametrize("order", ("grad", "vjp of grad", "jvp of grad", "grad of grad", "jvp of jvp", "third"))
def test_functorch(form, order):
    def compute(function, arguments):
        torch.manual_seed(1)
        everything = tuple(range(len(arguments)))
        tangents = tuple(torch.randn_like(value) for value in arguments)
        scalar = curved(function)
        first = functorch.grad(scalar, everything)

        def inner(*values):
            return sum((value * tangent).sum() for value, tangent in zip(first(*values), tangents))

        arguments = tuple(arguments)
        if order == "grad":
            return first(*arguments)
        if order == "vjp of grad":
            return functorch.vjp(first, *arguments)[1](tangents)
        if order == "jvp of grad":
            return functorch.jvp(first, arguments, tangents)[1]
        if order == "grad of grad":
            return functorch.grad(inner, everything)(*arguments)
        if order == "jvp of jvp":
            return [functorch.jvp(lambda *v: functorch.jvp(scalar, v, tangents)[1], arguments, tangents)[1]]
        return functorch.jvp(functorch.grad(inner, everything), arguments, tangents)[1]

    same(form, compute)


@each_form
@pytest.mark.parametrize(
    "transform",
    (
        functorch.jacfwd,
        functorch.jacrev,
        functorch.hessian,
        lambda f: functorch.jacfwd(functorch.jacfwd(f)),
        lambda f: functorch.jacrev(functorch.jacrev(f)),
    ),
    ids=("jacfwd", "jacrev", "hessian", "jacfwd of jacfwd", "jacrev of jacrev"),
)
def test_functorch_jacobians(form, transform):
    same(form, lambda function, arguments: [transform(curved(function))(*arguments)], SMALL)


@each_form
@pytest.mark.parametrize("strategy", ("reverse-mode", "forward-mode"))
def test_vectorized_jacobians(form, strategy):
    def compute(function, arguments):
        scalar = curved(function)
        jacobian = autograd.jacobian(function, tuple(arguments), vectorize=True, strategy=strategy)
        if strategy == "forward-mode":
            blocks = autograd.hessian(scalar, tuple(arguments), vectorize=True, outer_jacobian_strategy=strategy)
        else:
            blocks = autograd.hessian(scalar, tuple(arguments), vectorize=True)
        return [*jacobian, *(block for row in blocks for block in row)]

    same(form, compute, SMALL)


@each_form
def test_batched_gradients(form):
    """torch.autograd.grad(is_grads_batched=True): vmap over a backward pass that the kernels prepared."""

    def compute(function, arguments):
        torch.manual_seed(1)
        leaves = [value.clone().requires_grad_() for value in arguments]
        y = function(*leaves)
        return torch.autograd.grad(y, leaves, torch.randn(3, *y.shape, dtype=y.dtype), is_grads_batched=True)

    same(form, compute)


@each_form
def test_vmap(form):
    """An ensemble: all arguments batched."""

    def compute(function, arguments):
        batched = [torch.stack([value, 2 * value + 1, -value]) for value in arguments]
        gradient = functorch.grad(curved(function))
        return [functorch.vmap(function)(*batched), functorch.vmap(gradient)(*batched)]

    same(form, compute)


@pytest.mark.parametrize("form", [form for form in FORMS if not form.training], ids=str)
def test_gradients_of_each_sample(form):
    """vmap of grad over samples, which evaluation treats one by one."""

    def compute(function, arguments):
        per_sample = [0 if value.dim() > 1 else None for value in arguments]

        def of_sample(*values):
            batches = [value if dim is None else value.unsqueeze(0) for value, dim in zip(values, per_sample)]
            return curved(function)(*batches)

        gradient = functorch.grad(of_sample, tuple(range(len(arguments))))
        return functorch.vmap(gradient, in_dims=tuple(per_sample))(*arguments)

    same(form, compute)


@pytest.mark.parametrize("dtype, tolerance", ((torch.float32, 1e-5), (torch.bfloat16, 1e-2), (torch.float16, 1e-3)))
@each_form
def test_other_types(form, dtype, tolerance):
    """Composed in double and rounded once: as near as the type allows, at a mean far from 0 too."""
    values = inputs(form)
    values = values._replace(x=(values.x + 100 * (dtype is torch.float32)).to(dtype).double())
    positions, arguments = given(values)
    tangents = [torch.randn_like(value).to(dtype) for value in arguments]
    narrow = [value.to(dtype) for value in arguments]
    found = jvp(placed(ours(form), positions), narrow, tangents)
    wide = [value.double() for value in narrow]
    expected = jvp(placed(formula(form), positions), wide, [tangent.double() for tangent in tangents])
    assert found.dtype == dtype
    torch.testing.assert_close(found.double(), expected, rtol=tolerance, atol=tolerance)


@each_form
def test_float16_under_vmap_of_grad(form):
    """Of y in double to the third power: PyTorch 1.13 lacks most functions of float16."""
    values = inputs(form)
    positions, arguments = given(values)
    narrow = [torch.stack([value, -value]).half() for value in arguments]

    def gradients(function, arguments):
        def loss(*values):
            return placed(function, positions)(*values).double().pow(3).sum()

        return functorch.vmap(functorch.grad(loss, tuple(range(len(arguments)))))(*arguments)

    found = gradients(ours(form), narrow)
    expected = gradients(formula(form), [value.double() for value in narrow])
    for mine, theirs in zip(found, expected):
        assert mine.dtype == torch.float16
        torch.testing.assert_close(mine.double(), theirs, rtol=4e-3, atol=4e-3 * theirs.abs().max().item())


def test_memory_format_and_finite_differences():
    """Independent of any formula: a tangent is the limit of differences, in channels-last too."""
    for form in FORMS:
        positions, arguments = given(inputs(form, (5, 3, 2, 3)))
        arguments[0] = arguments[0].to(memory_format=torch.channels_last)
        tangents = [torch.randn_like(value) for value in arguments]
        function, h = placed(ours(form), positions), 1e-6
        ahead, behind = (
            function(*(value + sign * h * tangent for value, tangent in zip(arguments, tangents))) for sign in (1, -1)
        )
        found = jvp(function, arguments, tangents)
        torch.testing.assert_close(found, (ahead - behind) / (2 * h), rtol=1e-6, atol=1e-7)
        assert found.is_contiguous(memory_format=torch.channels_last)


def test_functorch_trains_a_model_whose_buffers_are_arguments():
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(4, 5), bnlab.BatchNormReLU1d(5), torch.nn.Linear(5, 1)).double()
    x = torch.randn(8, 4, dtype=torch.double)
    function, parameters, buffers = functorch.make_functional_with_buffers(model)
    gradients = functorch.grad(lambda p: function(p, buffers, x).square().sum())(parameters)
    once = torch.cat([buffer.reshape(-1).double() for buffer in buffers])
    expected = torch.autograd.grad(model(x).square().sum(), list(model.parameters()))
    torch.testing.assert_close(gradients, expected, **CLOSE)
    assert once.abs().sum() > 0 and buffers[2] == 1
    torch.testing.assert_close(buffers[0], list(model.buffers())[0])


def test_vmap_moves_the_running_statistics_of_an_ensemble():
    x = torch.randn(3, 6, 2, 4, dtype=torch.double)
    mean, var = torch.zeros(3, 2, dtype=torch.double), torch.ones(3, 2, dtype=torch.double)
    expected = [torch.zeros(3, 2, dtype=torch.double), torch.ones(3, 2, dtype=torch.double)]
    for i in range(3):
        bnlab.functional.batch_norm(x[i], expected[0][i], expected[1][i], training=True)
    functorch.vmap(lambda x, m, v: bnlab.functional.batch_norm(x, m, v, training=True))(x, mean, var)
    torch.testing.assert_close([mean, var], expected)
    with pytest.raises(RuntimeError, match="not possible"):
        functorch.vmap(lambda x: bnlab.functional.batch_norm(x, mean[0], var[0], training=True))(x)


def test_running_statistics_that_would_need_a_derivative_are_refused():
    x = torch.randn(6, 3, dtype=torch.double)
    for training in (True, False):
        for which in (0, 1):
            for refuse in ("gradient", "tangent"):
                statistics = list(running_statistics(3))
                before = [value.clone() for value in statistics]
                with forward_ad.dual_level():
                    if refuse == "gradient":
                        statistics[which].requires_grad_()
                    else:
                        statistics[which] = forward_ad.make_dual(statistics[which], torch.ones(3, dtype=torch.double))
                    with pytest.raises(RuntimeError, match=f"running_{('mean', 'var')[which]} .*{refuse}"):
                        bnlab.functional.batch_norm(x, *statistics, training=training)
                assert [value.tolist() for value in statistics] == [value.tolist() for value in before]
    mean, var = running_statistics(3)
    with pytest.raises(RuntimeError, match="running_mean .*gradient"):
        functorch.grad(lambda m: bnlab.functional.batch_norm(x, m, var).sum())(mean)
    with torch.no_grad():  # as in PyTorch, where nothing is recorded
        bnlab.functional.batch_norm(x, mean.requires_grad_(), var, training=True)


def test_masks_are_refused_where_they_have_no_meaning():
    x = torch.randn(6, 3, dtype=torch.double)
    with pytest.raises(RuntimeError, match="save_mask = false"):
        functorch.vmap(lambda x: torch.ops.bnlab.batch_norm_training(x, None, None, None, True, EPS, True)[0])(
            torch.stack([x, x])
        )
    y, mean, rstd, _, mask = torch.ops.bnlab.batch_norm_training(x, None, None, None, True, EPS, True)
    with pytest.raises(RuntimeError, match="relu_mask"):
        functorch.vmap(
            lambda x: torch.ops.bnlab.batch_norm_training_backward(
                x, x, None, mean, rstd, mask, EPS, [True, False, False, False]
            )[0]
        )(torch.stack([x, x]))
