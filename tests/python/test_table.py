"""Every registered operator under every transform: right, or refused by a clear error, and nothing else.

The table is that of docs/transforms.md; a difference prints the new one.
"""
import re
from pathlib import Path

import pytest
import torch
from torch._subclasses import FakeTensorMode
from torch.autograd import forward_ad
from torch.fx.experimental.proxy_tensor import make_fx

from forms import EPS

try:
    from torch import func as functorch
    from torch.func import functionalize
except ImportError:  # PyTorch before 2
    import functorch
    from functorch.experimental import functionalize

DOCS = Path(__file__).resolve().parent.parent.parent / "docs" / "transforms.md"
OPS = torch.ops.bnlab
ALL = [True, True, True, False]


def each(x, values):
    return values.reshape([1, -1] + [1] * (x.dim() - 2))


def mean_of(values):
    return values.mean([0, *range(2, values.dim())], keepdim=True)


def sum_of(values):
    return values.sum([0, *range(2, values.dim())])


def by_batch(x):
    mean = mean_of(x)
    return mean, (mean_of((x - mean) ** 2) + EPS).rsqrt()


def normalized(x, mean, rstd, weight, bias):
    return (x - mean) * rstd * each(x, weight) + each(x, bias)


def backward(dy, x, weight, mean, rstd, training):
    """(dx, dgamma, dbeta): docs/operators/training-backward.md and evaluation-backward.md."""
    xhat = (x - mean) * rstd
    projected = dy - mean_of(dy) - xhat * mean_of(dy * xhat) if training else dy
    return each(x, weight) * rstd * projected, sum_of(dy * xhat), sum_of(dy)


def backward_by_sums(dy, x, weight, sum_dz, sum_dz_xhat, count, mean, rstd):
    """(dx, daddend): docs/operators/training-backward.md, "In two phases"."""
    projected = dy - each(x, sum_dz) / count - (x - mean) * rstd * each(x, sum_dz_xhat) / count
    return each(x, weight) * rstd * projected, dy


def second_training(v, a, b, dy, x, weight):
    """(grad_dy, grad_x, grad_gamma): docs/operators/second-derivative.md."""
    mean, rstd = by_batch(x)
    xhat, s, a, b = (x - mean) * rstd, each(x, weight) * rstd, each(x, a), each(x, b)
    inner = mean_of(v * dy) - mean_of(v) * mean_of(dy) - mean_of(v * xhat) * mean_of(dy * xhat)
    q = a * dy - s * (v * mean_of(dy * xhat) + dy * mean_of(v * xhat))
    grad_dy = s * (v - mean_of(v) - xhat * mean_of(v * xhat)) + a * xhat + b
    grad_x = rstd * (q - mean_of(q) - xhat * (mean_of(q * xhat) + s * inner))
    return grad_dy, grad_x, sum_of(rstd * inner.expand_as(x))


def second_evaluation(v, a, b, dy, x, weight, mean, rstd):
    xhat, a, b = (x - mean) * rstd, each(x, a), each(x, b)
    return each(x, weight) * rstd * v + a * xhat + b, rstd * a * dy, sum_of(rstd * v * dy)


def running(x):
    steps = torch.linspace(0.5, 1.5, x.shape[1], dtype=torch.float64)
    return steps - 1, steps


def saved_of(x):
    """mean and rstd of a batch that a transform may hide: the composed operators do not read their values."""
    return OPS.batch_norm_training(x.detach(), None, None, None, False, EPS, False)[1:3]


def given_to(x):
    """mean and rstd for evaluation, (C)."""
    steps = torch.linspace(-0.5, 0.5, x.shape[1], dtype=torch.float64, device=x.device)
    return steps, steps + 1.25


def wide_given_to(x):
    return [each(x, value) for value in given_to(x)]


def convenience(call, addend=False):
    def ours(x, weight, bias, *others):
        return (call(x, *others[:addend], weight, bias, None, None, True, 0.1, EPS),)

    def theirs(x, weight, bias, *others):
        z = normalized(x, *by_batch(x), weight, bias)
        return ((z + others[0]).relu() if addend else z if call is OPS.batch_norm else z.relu(),)

    return ours, theirs


def update(mean, var):
    running_mean, running_var = torch.zeros_like(mean), torch.ones_like(var)
    OPS.update_running_statistics(mean, var, 5, 0.25, running_mean, running_var, None, None, None, None)
    return running_mean, running_var


X = torch.linspace(-2, 3, 72, dtype=torch.float64).sin().mul(3).cos().reshape(6, 3, 4)
W, B = torch.linspace(0.5, 1.5, 3, dtype=torch.float64), torch.linspace(-0.5, 1, 3, dtype=torch.float64)

# Operator: (ours, theirs, arguments).
CASES = {
    "batch_norm": (*convenience(OPS.batch_norm), (X, W, B)),
    "batch_norm_relu": (*convenience(OPS.batch_norm_relu), (X, W, B)),
    "batch_norm_add_relu": (*convenience(OPS.batch_norm_add_relu, True), (X, W, B, X.flip(0))),
    "batch_norm_training": (
        lambda x, w, b: OPS.batch_norm_training(x, w, b, None, True, EPS, False)[:1],
        lambda x, w, b: (normalized(x, *by_batch(x), w, b).relu(),),
        (X, W, B),
    ),
    "batch_norm_training_backward": (
        lambda dy, x, w: OPS.batch_norm_training_backward(dy, x, w, *saved_of(x), None, EPS, ALL)[:3],
        lambda dy, x, w: backward(dy, x, w, *by_batch(x), True),
        (X.cos(), X, W),
    ),
    "batch_norm_training_second_derivative": (
        lambda v, a, b, dy, x, w: OPS.batch_norm_training_second_derivative(
            v, a, b, None, dy, x, w, *saved_of(x), None, EPS, ALL[:3]
        ),
        second_training,
        (X.sin(), W, B, X.cos(), X, W),
    ),
    "batch_norm_evaluation": (
        lambda x, w, b: OPS.batch_norm_evaluation(x, w, b, *given_to(x), None, True, False)[:1],
        lambda x, w, b: (normalized(x, *wide_given_to(x), w, b).relu(),),
        (X, W, B),
    ),
    "batch_norm_evaluation_backward": (
        lambda dy, x, w: OPS.batch_norm_evaluation_backward(dy, x, w, *given_to(x), None, ALL)[:3],
        lambda dy, x, w: backward(dy, x, w, *wide_given_to(x), False),
        (X.cos(), X, W),
    ),
    "batch_norm_evaluation_second_derivative": (
        lambda v, a, b, dy, x, w: OPS.batch_norm_evaluation_second_derivative(
            v, a, b, None, dy, x, w, *given_to(x), None, ALL[:3]
        ),
        lambda v, a, b, dy, x, w: second_evaluation(v, a, b, dy, x, w, *wide_given_to(x)),
        (X.sin(), W, B, X.cos(), X, W),
    ),
    "batch_norm_backward_sums": (
        lambda dy, x: OPS.batch_norm_backward_sums(dy, x, *given_to(x), None),
        lambda dy, x: backward(dy, x, W, *wide_given_to(x), False)[:0:-1],
        (X.cos(), X),
    ),
    "batch_norm_backward_by_sums": (
        lambda dy, x, w, a, b: OPS.batch_norm_backward_by_sums(dy, x, w, *given_to(x), None, a, b, 90, [True, True]),
        lambda dy, x, w, a, b: backward_by_sums(dy, x, w, a, b, 90, *wide_given_to(x)),
        (X.cos(), X, W, B * 9, W * 7),
    ),
    "channel_moments": (
        lambda x: OPS.channel_moments(x),
        lambda x: (sum_of(x) * 3 / x.numel(), sum_of((x - mean_of(x)) ** 2)),
        (X,),
    ),
    "evaluation_statistics": (
        lambda m, v: OPS.evaluation_statistics(m, v, EPS),
        lambda m, v: (m.double(), (v.double() + EPS).rsqrt()),
        running(X),
    ),
    "update_running_statistics": (
        update,
        lambda m, v: (0.25 * m, 0.75 + 0.25 * v * 5 / 4),
        running(X),
    ),
}


def scalar(function):
    return lambda *values: sum((y * y.sin()).sum() for y in function(*values))


def leaves(arguments):
    return [value.detach().clone().requires_grad_() for value in arguments]


def grad(function, arguments):
    at = leaves(arguments)
    return torch.autograd.grad(scalar(function)(*at), at)


def double_backward(function, arguments):
    at = leaves(arguments)
    first = torch.autograd.grad(scalar(function)(*at), at, create_graph=True)
    return torch.autograd.grad(sum((g * g.cos()).sum() for g in first), at)


def forward_mode(function, arguments):
    with forward_ad.dual_level():
        found = function(*(forward_ad.make_dual(value, value.cos()) for value in arguments))
        return [forward_ad.unpack_dual(y).tangent for y in found]


def forward_over_reverse(function, arguments):
    at = leaves(arguments)
    with forward_ad.dual_level():
        dual = [forward_ad.make_dual(value, value.detach().cos()) for value in at]
        found = torch.autograd.grad(scalar(function)(*dual), dual, create_graph=True)
        return [forward_ad.unpack_dual(y).tangent.detach() for y in found]


def batched(arguments):
    return tuple(torch.stack([value, value + 0.5, value * 2]) for value in arguments)


def everything(arguments):
    return tuple(range(len(arguments)))


def functorch_vjp(function, arguments):
    found, back = functorch.vjp(function, *arguments)
    return back(tuple(y.cos() for y in found))


def flat(values):
    """All tensors in nested tuples."""
    return [values] if isinstance(values, torch.Tensor) else [y for value in values for y in flat(value)]


def autocast(function, arguments):
    with torch.autocast("cpu", dtype=torch.bfloat16):
        return function(*arguments)


def inference(function, arguments):
    with torch.inference_mode():
        return [y.clone() for y in function(*arguments)]


def fake_or_meta(convert):
    """Sizes and types of the results alone, as zeros: nothing else is computed."""

    def run(function, arguments):
        found = function(*(convert(value) for value in arguments))
        return [torch.zeros(y.shape, dtype=y.dtype) for y in found]

    return run


def fake(function, arguments):
    with FakeTensorMode() as mode:
        found = function(*(mode.from_tensor(value) for value in arguments))
    return [torch.zeros(y.shape, dtype=y.dtype) for y in found]


def traced(**options):
    def run(function, arguments):
        graph = make_fx(function, **options)(*(value.clone() for value in arguments))
        return graph(*(value + 0.125 for value in arguments))

    return run


def compared_with_shapes(run):
    """The judge of a transform that gives no values: the same sizes and types as an eager call's."""
    return run, lambda function, arguments: [torch.zeros_like(y) for y in function(*arguments)]


def of_type(dtype):
    def run(function, arguments):
        return [y.to(torch.float64) for y in function(*(value.to(dtype) for value in arguments))]

    return run


def shifted(function, arguments):
    return function(*(value + 0.125 for value in arguments))


# Transform: how it is run, or that and how its judge is run.
TRANSFORMS = {
    "eager": lambda f, a: f(*a),
    "grad": grad,
    "double backward": double_backward,
    "forward mode": forward_mode,
    "forward over reverse": forward_over_reverse,
    "functorch grad": lambda f, a: functorch.grad(scalar(f), everything(a))(*a),
    "functorch grad of grad": lambda f, a: functorch.grad(
        scalar(functorch.grad(scalar(f), everything(a))), everything(a)
    )(*a),
    "functorch vjp": functorch_vjp,
    "functorch jvp": lambda f, a: functorch.jvp(f, tuple(a), tuple(value.cos() for value in a))[1],
    "functorch jacfwd": lambda f, a: functorch.jacfwd(f, everything(a))(*a),
    "functorch jacrev": lambda f, a: functorch.jacrev(f, everything(a))(*a),
    "functorch hessian": lambda f, a: functorch.hessian(scalar(f))(*a),
    "vmap": lambda f, a: functorch.vmap(f)(*batched(a)),
    "vmap of grad": lambda f, a: functorch.vmap(functorch.grad(scalar(f), everything(a)))(*batched(a)),
    "functionalize": lambda f, a: functionalize(f)(*a),
    "autocast": autocast,
    "inference mode": inference,
    "make_fx": (traced(), shifted),
    "make_fx, symbolic sizes": (traced(tracing_mode="symbolic"), shifted),
    "FakeTensor": compared_with_shapes(fake),
    "meta device": compared_with_shapes(fake_or_meta(lambda value: value.to("meta"))),
    "strided": lambda f, a: f(*(torch.stack([value, value], -1)[..., 0] for value in a)),
    "sparse": (lambda f, a: f(*(value.to_sparse() for value in a)), lambda f, a: f(*a)),
    "float16": (of_type(torch.float16), lambda f, a: f(*(value.half().double() for value in a))),
    "int64": (of_type(torch.int64), lambda f, a: f(*(value.long().double() for value in a))),
}


def compiled(run=lambda f, a: f(*a), **options):
    """run of a function compiled by what torch.compile traces with; tests/python/test_compile.py has inductor."""

    def through(function, arguments):
        torch._dynamo.reset()
        return run(torch.compile(function, backend="aot_eager", fullgraph=True, **options), arguments)

    return through, run


def exported(function, arguments):
    class Module(torch.nn.Module):
        def forward(self, *values):
            return tuple(function(*values))

    return torch.export.export(Module(), tuple(arguments)).module()(*arguments)


if torch.__version__ >= "2":
    TRANSFORMS |= {
        "compile": compiled(),
        "compile, dynamic": compiled(dynamic=True),
        "compile, grad": compiled(grad),
        "export": (exported, lambda f, a: f(*a)),
    }
TOLERANCE = {"rtol": 1e-9, "atol": 1e-9}


TOLERANCE_OF = {"float16": {"rtol": 1e-3, "atol": 1e-3}}


def outcome(name, kind):
    transform = TRANSFORMS[kind]
    ours, theirs, arguments = CASES[name]
    run, judge = transform if isinstance(transform, tuple) else (transform, transform)
    expected = flat(judge(theirs, arguments))
    try:
        found = flat(run(ours, arguments))
    except (RuntimeError, NotImplementedError, TypeError, ValueError) as error:
        text = str(error)
        unclear = not text.strip() or "INTERNAL ASSERT" in text or "please report a bug" in text
        return f"UNCLEAR: {text}" if unclear else "refused"
    try:
        assert len(found) == len(expected)
        for mine, other in zip(found, expected):
            torch.testing.assert_close(mine.detach(), other.detach(), **TOLERANCE_OF.get(kind, TOLERANCE))
    except (AssertionError, AttributeError) as error:
        return f"WRONG: {error}"
    return "right"


@pytest.fixture(scope="module")
def table():
    torch.manual_seed(0)
    return {(name, kind): outcome(name, kind) for name in CASES for kind in TRANSFORMS}


def as_markdown(found):
    names = list(CASES)
    lines = ["| | " + " | ".join(f"`{name}`" for name in names) + " |", "|---" * (len(names) + 1) + "|"]
    for kind in TRANSFORMS:
        lines.append(f"| {kind} | " + " | ".join(found[name, kind] for name in names) + " |")
    return "\n".join(lines)


def test_all_operators_are_in_the_table():
    schemas = [schema for schema in torch._C._jit_get_all_schemas() if schema.name.startswith("bnlab::")]
    with_tensors = {s.name[len("bnlab::") :] for s in schemas if any("Tensor" in str(a.type) for a in s.arguments)}
    assert with_tensors == set(CASES)


def test_nothing_is_wrong_or_refused_unclearly(table):
    bad = {place: result for place, result in table.items() if result not in ("right", "refused")}
    assert not bad, "\n".join(f"{name} under {kind}: {result}" for (name, kind), result in bad.items())
    assert all(table[name, "eager"] == "right" for name in CASES)


def test_the_documentation_has_this_table(table):
    version = re.match(r"\d+\.\d+", torch.__version__).group()
    found = as_markdown(table)
    text = DOCS.read_text()
    section = re.search(rf"## PyTorch {re.escape(version)}\n\n(.*?)\n(?=\n|\Z)", text, re.S)
    if section is None:
        pytest.skip(f"{DOCS.name} has no table of PyTorch {version}; it would be\n{found}")
    assert section.group(1) == found, f"the table is now\n{found}"
