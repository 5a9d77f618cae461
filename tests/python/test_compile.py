"""torch.compile, torch.export, compiled autograd and opcheck of PyTorch 2: eager's values, in one graph.

Most go through the backend "aot_eager", which traces, makes functional and differentiates as inductor does, but
compiles no C++; inductor itself by a network of all kinds.
"""
import copy

import pytest
import torch
from torch import nn

import bnlab

if torch.__version__ < "2":
    pytest.skip("PyTorch before 2 has no torch.compile", allow_module_level=True)

OPS = torch.ops.bnlab
LAYERS = {"plain": bnlab.BatchNorm2d, "relu": bnlab.BatchNormReLU2d, "add_relu": bnlab.BatchNormAddReLU2d}
each_layer = pytest.mark.parametrize("kind", LAYERS)


class Net(nn.Module):
    """Convolution, one layer of each of the kinds, convolution."""

    def __init__(self, *kinds, **options):
        super().__init__()
        self.first, self.last = nn.Conv2d(3, 5, 3, padding=1), nn.Conv2d(5, 2, 3)
        self.norms = nn.ModuleList(LAYERS[kind](5, **options) for kind in kinds)

    def forward(self, x):
        h = self.first(x)
        for norm in self.norms:
            h = norm(h, h.sin()) if isinstance(norm, bnlab.BatchNormAddReLU2d) else norm(h)
        return self.last(h)


def compiled(model, **options):
    torch._dynamo.reset()
    return torch.compile(model, fullgraph=True, **{"backend": "aot_eager", **options})


def images(count, dtype=torch.float64, memory_format=torch.contiguous_format):
    return torch.randn(count, 3, 6, 6, dtype=dtype).to(memory_format=memory_format)


def compare(model, call, reference, x, **tolerance):
    """Outputs, gradients and buffers of call, which is model compiled, are those of the reference."""
    mine, theirs = (x.clone().requires_grad_() for _ in range(2))
    y, expected = call(mine), reference(theirs)
    for each in (model, reference):
        each.zero_grad()
    y.cos().sum().backward()
    expected.cos().sum().backward()
    torch.testing.assert_close(y, expected, **tolerance)
    torch.testing.assert_close(mine.grad, theirs.grad, **tolerance)
    for (name, value), other in zip(model.named_parameters(), reference.parameters()):
        torch.testing.assert_close(value.grad, other.grad, **tolerance, msg=lambda text: f"{name}: {text}")
    torch.testing.assert_close(dict(model.named_buffers()), dict(reference.named_buffers()), **tolerance)


FORMATS = {"first": torch.contiguous_format, "last": torch.channels_last}


@pytest.mark.parametrize("layout", FORMATS)
@pytest.mark.parametrize("dynamic", (False, None, True), ids=("static", "by use", "dynamic"))
@each_layer
def test_training_and_evaluation(kind, dynamic, layout):
    model = Net(kind).double()
    reference, call = copy.deepcopy(model), compiled(model, dynamic=dynamic)
    for training in (True, False):
        model.train(training)
        reference.train(training)
        for count in (4, 6, 5):
            compare(model, call, reference, images(count, memory_format=FORMATS[layout]))


@pytest.mark.parametrize("layout", FORMATS)
def test_inductor(layout):
    """Sizes that change by use, and x laid out anew between the passes, as inductor does."""
    model = Net(*LAYERS).double()
    reference, call = copy.deepcopy(model), compiled(model, backend="inductor")
    for count in (4, 6, 5):
        compare(model, call, reference, images(count, memory_format=FORMATS[layout]))
    model.eval()
    reference.eval()
    compare(model, call, reference, images(5, memory_format=FORMATS[layout]))


@pytest.mark.parametrize("option", ({"window": 2}, {"skip_nonfinite": True}, {"momentum": None}, {"affine": False},
                                    {"track_running_stats": False}), ids=str)
@each_layer
def test_options(kind, option):
    model = Net(kind, **option).double()
    reference, call = copy.deepcopy(model), compiled(model)
    for count in (4, 6, 5, 3):
        compare(model, call, reference, images(count))
    if "skip_nonfinite" in option:
        bad = images(4)
        bad[0, 0, 0, 0] = float("nan")
        call(bad), reference(bad)
        assert model.norms[0].skipped == 1
        compare(model, call, reference, images(4))


@each_layer
def test_once_per_step_takes_one_batch_a_step(kind):
    model = Net(kind, once_per_step=True).double()
    reference, call = copy.deepcopy(model), compiled(model)
    for step in range(3):
        bnlab.advance_step()
        for _ in range(2):
            compare(model, call, reference, images(4))
        assert model.norms[0].num_batches_tracked == step + 1


@each_layer
@pytest.mark.parametrize("dtype", (torch.bfloat16, torch.float16))
def test_autocast(kind, dtype):
    model = Net(kind)
    reference = copy.deepcopy(model)

    def call_of(module):
        def call(x):
            with torch.autocast("cpu", dtype=dtype):
                return module(x)

        return call

    call, x = compiled(call_of(model)), images(4, torch.float32)
    y, expected = call(x), call_of(reference)(x)
    assert y.dtype == dtype
    torch.testing.assert_close(y, expected)
    torch.testing.assert_close(dict(model.named_buffers()), dict(reference.named_buffers()))


@pytest.mark.parametrize("training", (True, False), ids=("training", "evaluation"))
@pytest.mark.parametrize("dynamic", (False, True), ids=("static", "dynamic"))
@each_layer
def test_export(kind, dynamic, training):
    model = Net(kind).double().train(training)
    reference = copy.deepcopy(model)
    shapes = {"x": {0: torch.export.Dim("batch", min=2)}} if dynamic else None
    program = torch.export.export(model, (images(4),), dynamic_shapes=shapes).module()
    for count in (4, 7, 3) if dynamic else (4, 4):
        x = images(count)
        torch.testing.assert_close(program(x), reference(x))
    ours = {name: value for name, value in program.named_buffers() if "running" in name}
    assert ours
    for name, value in ours.items():
        torch.testing.assert_close(value, reference.get_buffer(name))


@each_layer
def test_compiled_autograd(kind):
    model = Net(kind).double()
    reference = copy.deepcopy(model)
    torch._dynamo.reset()
    enable = getattr(torch._dynamo.compiled_autograd, "enable", None) or torch._dynamo.compiled_autograd._enable
    with enable(lambda graph: torch.compile(graph, backend="aot_eager")):
        for count in (4, 6):
            compare(model, model, reference, images(count))


FUNCTIONS = {
    "plain": bnlab.functional.batch_norm,
    "relu": bnlab.functional.batch_norm_relu,
    "add_relu": lambda x, *others, **options: bnlab.functional.batch_norm_add_relu(x, x.sin(), *others, **options),
}


@pytest.mark.parametrize("training", (True, False), ids=("training", "evaluation"))
@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_and_their_transforms(name, training):
    x, weight, bias = images(4), torch.rand(3).double(), torch.rand(3).double()

    def function(x, mean, var):
        return FUNCTIONS[name](x, mean, var, weight, bias, training=training)

    def gradient(x, mean, var):
        return torch.func.grad(lambda x: function(x, mean, var).cos().sum())(x)

    for each in (function, gradient):
        statistics = [torch.zeros(3).double(), torch.ones(3).double()]
        others = [value.clone() for value in statistics]
        torch.testing.assert_close(compiled(each)(x, *statistics), each(x, *others))
        torch.testing.assert_close(statistics, others)


def statistics(channels=3):
    return torch.linspace(-1, 1, channels).double(), torch.linspace(0.5, 2, channels).double()


def cases():
    """Arguments of each operator, with a ReLU and without, in both layouts."""
    vectors = [value.clone() for value in statistics()]
    for layout, memory_format in FORMATS.items():
        x, dy, ddx, addend = (images(4, memory_format=memory_format) for _ in range(4))
        gamma, beta = statistics()
        for relu in (False, True):
            more = f"{layout}, {'relu' if relu else 'plain'}"
            added = addend if relu else None
            yield f"batch_norm_training, {more}", OPS.batch_norm_training, (x, gamma, beta, added, relu, 0.1, relu)
            yield f"batch_norm_evaluation, {more}", OPS.batch_norm_evaluation, (
                x, gamma, beta, *vectors, added, relu, relu)  # fmt: skip
            _, mean, rstd, _, mask = OPS.batch_norm_training(x, gamma, beta, added, relu, 0.1, relu)
            saved = (dy, x, gamma, mean, rstd, mask if relu else None)
            wanted = [True, True, True, relu]
            cotangents = (ddx, gamma, beta, addend if relu else None)
            yield f"training_backward, {more}", OPS.batch_norm_training_backward, (*saved, 0.1, wanted)
            yield f"evaluation_backward, {more}", OPS.batch_norm_evaluation_backward, (*saved, wanted)
            of_part = (dy, x, mean, rstd, saved[-1])
            yield f"backward_sums, {more}", OPS.batch_norm_backward_sums, of_part
            yield f"backward_by_sums, {more}", OPS.batch_norm_backward_by_sums, (*saved, *vectors, 1000, [True, relu])
            yield f"training_second, {more}", OPS.batch_norm_training_second_derivative, (
                *cotangents, *saved, 0.1, wanted[:3])  # fmt: skip
            yield f"evaluation_second, {more}", OPS.batch_norm_evaluation_second_derivative, (
                *cotangents, *saved, wanted[:3])  # fmt: skip
        for training in (True, False):
            common = (gamma, beta, *(value.clone() for value in statistics()), training, 0.1, 1e-5)
            more = f"{layout}, {'training' if training else 'evaluation'}"
            yield f"batch_norm, {more}", OPS.batch_norm, (x, *common)
            yield f"batch_norm_relu, {more}", OPS.batch_norm_relu, (x, *common)
            yield f"batch_norm_add_relu, {more}", OPS.batch_norm_add_relu, (x, addend, *common)
    yield "channel_moments", OPS.channel_moments, (images(4),)
    yield "evaluation_statistics", OPS.evaluation_statistics, (*vectors, 0.1)
    counter = torch.zeros((), dtype=torch.int64)
    window = [torch.zeros(2, 3).double(), torch.full((2, 3), -1.0).double()]
    for more, others in {
        "momentum": (0.1, *statistics(), None, None, None, None),
        "mean": (None, *statistics(), counter.clone(), None, None, None),
        "window": (None, *statistics(), counter.clone(), *window, counter.clone()),
        "step": (0.1, *statistics(), counter.clone(), None, None, None, counter + 1, counter.clone()),
    }.items():
        yield f"update_running_statistics, {more}", OPS.update_running_statistics, (*vectors, 5, *others)


# They refuse tensors that require a gradient; opcheck would differentiate them.
WITHOUT_DERIVATIVES = (OPS.batch_norm_backward_sums, OPS.batch_norm_backward_by_sums, OPS.channel_moments)
CASES = {name: (op, arguments) for name, op, arguments in cases()}


def test_every_operator_is_checked():
    names = {name for name in torch._C._dispatch_get_all_op_names() if name.startswith(("bnlab::batch_norm", "bnlab::channel"))}
    assert names <= {op._qualified_op_name for op, _ in CASES.values()}


@pytest.mark.parametrize("name", CASES)
def test_opcheck(name):
    op, arguments = CASES[name]
    torch.library.opcheck(op.default, arguments)
    leaves = tuple(
        value.detach().clone().requires_grad_() if isinstance(value, torch.Tensor) and value.dim() == 4 else value
        for value in arguments
    )
    if op in WITHOUT_DERIVATIVES:
        with pytest.raises(RuntimeError, match="requires a gradient; detach it"):
            op(*leaves)
        return
    torch.library.opcheck(op.default, leaves)
