"""What convert(fuse=True) must leave as it is: forwards that a trace does not tell, and what happens after it."""
import copy
import operator
import random
import re
import warnings
from collections import Counter

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils import fusion, prune
from torch.utils.checkpoint import checkpoint

import bnlab
from bnlab import graphs, modules, tracing


class Block(nn.Module):
    """What the blocks below need; they have only a forward."""

    of_class = 1

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(4, 4, 3, padding=1)
        self.bn = nn.BatchNorm2d(4)
        self.other = nn.BatchNorm2d(4)
        self.relu = nn.ReLU()
        self.relu6 = nn.ReLU6()
        self.identity = nn.Identity()
        self.scale = 2.0
        self.extra = None
        self.seen = []
        self.steps = [1, 1]
        self.activation = F.relu
        self.layers = nn.ModuleList([nn.ReLU()])


def block(forward):
    torch.manual_seed(5)
    return type("Odd", (Block,), {"forward": forward})().double()


def images(channels=4):
    return torch.randn(3, channels, 5, 6, dtype=torch.float64)


def results(model, *arguments, training=True, seed=0):
    """Output, gradients and buffers of a step on a copy."""
    model = copy.deepcopy(model).train(training)
    torch.manual_seed(seed)
    random.seed(seed)
    arguments = [a.clone().requires_grad_() if isinstance(a, torch.Tensor) else a for a in arguments]
    y = model(*arguments)
    (y * torch.linspace(-1, 2, y.numel(), dtype=y.dtype).reshape(y.shape)).sum().backward()
    leaves = [a for a in arguments if isinstance(a, torch.Tensor)] + list(model.parameters())
    return [y.detach(), *(leaf.grad for leaf in leaves), *model.buffers()]


def assert_same(model, expected, *arguments):
    for training in (True, False):
        ours, theirs = (results(m, *arguments, training=training) for m in (model, expected))
        torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-9)


@pytest.fixture
def passes(monkeypatch):
    """Counts what the layers are asked for."""
    seen, normalize = Counter(), modules._Norm._normalize

    def counted(self, input, addend, relu, eps):
        seen["add, ReLU" if addend is not None else "ReLU" if relu else ""] += 1
        return normalize(self, input, addend, relu, eps)

    monkeypatch.setattr(modules._Norm, "_normalize", counted)
    return seen


def iadd(a, b):
    a += b
    return a


FUSED = {  # forward, fused with
    "module": (lambda self, x: self.relu(self.bn(x)), "ReLU"),
    "function": (lambda self, x: F.relu(self.bn(x)), "ReLU"),
    "function in place": (lambda self, x: F.relu(self.bn(x), inplace=True), "ReLU"),
    "torch": (lambda self, x: torch.relu(self.bn(x)), "ReLU"),
    "method": (lambda self, x: self.bn(x).relu(), "ReLU"),
    "method in place": (lambda self, x: self.bn(x).relu_(), "ReLU"),
    "made in forward": (lambda self, x: nn.ReLU(inplace=True)(self.bn(x)), "ReLU"),
    "an attribute": (lambda self, x: self.activation(self.bn(x)), "ReLU"),
    "in a list": (lambda self, x: self.layers[0](self.bn(x)), "ReLU"),
    "past an identity": (lambda self, x: self.relu(self.identity(self.bn(x))), "ReLU"),
    "added": (lambda self, x: self.relu(self.bn(x) + x), "add, ReLU"),
    "added to": (lambda self, x: self.relu(x + self.bn(x)), "add, ReLU"),
    "added in place": (lambda self, x: self.relu(iadd(self.bn(x), x)), "add, ReLU"),
    "add": (lambda self, x: torch.add(self.bn(x), x).relu(), "add, ReLU"),
    "add_": (lambda self, x: self.bn(x).add_(x).relu(), "add, ReLU"),
    "alpha 1": (lambda self, x: torch.add(self.bn(x), x, alpha=1).relu(), "add, ReLU"),
    "in place to another's output": (lambda self, x: iadd(self.other(x), self.bn(x)).relu(), "add, ReLU"),
    "what it waits for": (lambda self, x: F.relu(self.bn(self.conv(x)) + self.conv(x)), "add, ReLU"),
    "twice": (lambda self, x: self.relu(self.bn(self.relu(self.bn(x)))), "ReLU"),
    "also used plainly": (lambda self, x: self.bn(self.relu(self.bn(x))), "ReLU"),
    "ReLU used elsewhere": (lambda self, x: self.relu(x - self.relu(self.bn(x))), "ReLU"),
    "unpacked": (lambda self, x: torch.cat([half for half in self._halves(x)], 1), "ReLU"),
}


def _halves(self, x):
    a, b = self.relu(self.bn(x)).chunk(2, dim=1)
    return b, a


Block._halves = _halves


@pytest.mark.parametrize("name", FUSED)
def test_fused(name, passes):
    forward, kind = FUSED[name]
    model = block(forward)
    expected = copy.deepcopy(model)
    bnlab.convert(model, fuse=True)
    rows = {row.layer: row.fused_with for row in bnlab.fusion_report(model)}
    assert kind in (rows["bn"], rows["other"])
    x = images()
    copy.deepcopy(model)(x)
    assert passes[kind] > 0
    assert_same(model, expected, x)
    bnlab.convert_back(model)
    assert type(model) is type(expected) and [type(m) for m in model.modules()] == [type(m) for m in expected.modules()]


def in_training(self, x):
    return self.bn(x).relu() if self.training else self.bn(x)


def counting(self, x):
    self.scale += 1
    return self.bn(x).relu()


def storing(self, x):
    self.seen.append(x)
    return self.bn(x).relu()


def marking(self, x):
    y = self.bn(x).relu()
    y.mark = 1
    return y


def without_gradients(self, x):
    with torch.no_grad():
        y = self.bn(x)
    return y.relu() + x


def in_bfloat16(self, x):
    with torch.autocast("cpu", dtype=torch.bfloat16):
        return self.conv(self.bn(x.float().double())).relu().double() + self.bn(x).relu()


def out_of_autocast(self, x):
    with torch.autocast("cpu", enabled=False):
        y = self.conv(x)
    return self.bn(y).relu()


def freezing(self, x):
    self.other.eval()
    self.relu6.mark = 1
    return self.bn(x).relu() + self.other(x)


def marking_and_failing(self, x):
    self.relu6.mark = torch.rand(1)
    return self.bn(x).relu() if x.sum() > 99 else self.bn(x)


def checkpointing(self, x):
    return checkpoint(lambda x: self.bn(x).relu(), x, use_reentrant=False)


def at_random(self, x):
    y = self.bn(x)
    return y.relu() if torch.rand(1) < 0.5 or random.random() < 0.5 else y


def by_size(self, x):
    return self.bn(x).relu() if x.shape[2] > 9 else self.bn(x)


def by_type(self, x):
    return self.bn(x).relu() if isinstance(x, list) else self.bn(x)


def by_gradients(self, x):
    return self.bn(x).relu() if not torch.is_grad_enabled() else self.bn(x)


def added_to_an_argument(self, x):
    y = x * 1
    z = y.view(y.shape)
    z += self.bn(x)
    return z.relu() + y


NOT_FUSED = {  # forward, why
    "another activation": (lambda self, x: self.relu6(self.bn(x)), "followed by ReLU6"),
    "leaky": (lambda self, x: F.leaky_relu(self.bn(x)), "followed by leaky_relu"),
    "used twice": (lambda self, x: (lambda y: self.relu(y) + y)(self.bn(x)), "used 2 times"),
    "sum used twice": (lambda self, x: (lambda y: self.relu(y) + y)(self.bn(x) + x), "used 2 times"),
    "added to itself": (lambda self, x: (lambda y: self.relu(y + y))(self.bn(x)), "added to itself"),
    "a number": (lambda self, x: self.relu(self.bn(x) + 1.5), "other than a tensor, or scaled"),
    "scaled": (lambda self, x: torch.add(self.bn(x), x, alpha=2).relu(), "other than a tensor, or scaled"),
    "no ReLU": (lambda self, x: self.bn(x) + x, "an addition, but no ReLU, follows in Odd"),
    "nothing": (lambda self, x: self.bn(x), "nothing follows in Odd"),
    "two sums": (lambda self, x: self.relu(self.bn(x) + x + x), "an addition and add"),
    "in place to an argument": (added_to_an_argument, "in place to a value that others may hold"),
    "counts": (counting, "its forward changes scale"),
    "stores": (storing, "its forward changes seen"),
    "marks": (marking, "sets attributes of tensors"),
    "no gradients": (without_gradients, "switches gradients or autocast"),
    "autocast": (in_bfloat16, "switches gradients or autocast"),
    "out of autocast": (out_of_autocast, "switches gradients or autocast"),
    "freezes": (freezing, "changes attributes of its layers"),
    "marks a layer and fails": (marking_and_failing, "cannot be traced"),
    "checkpoints": (checkpointing, "checkpoints"),
    "random": (at_random, "draws random numbers"),
    "size": (by_size, "cannot be traced"),
    "type": (by_type, "types of values"),
    "gradients": (by_gradients, "without gradients"),
    "any arguments": (lambda self, *x: self.bn(x[0]).relu(), "takes any arguments"),
    "own tensors": (lambda self, x: self.bn(x).relu() + torch.ones(1).double(), "makes tensors of its own"),
    "a property": (lambda self, x: self.bn(x).relu() * self.property, "depends on self.property"),
    "an object": (lambda self, x: self.bn(x).relu() * self.object.value, "depends on self.object"),
}
Block.property = property(lambda self: self.scale)


class Holder:
    value = 2.0


@pytest.mark.parametrize("name", NOT_FUSED)
def test_not_fused(name):
    forward, reason = NOT_FUSED[name]
    model = block(forward)
    model.object = Holder()
    expected = copy.deepcopy(model)
    states = graphs.random_states()
    row = next(row for row in bnlab.fusion_report(model) if row.layer == "bn")
    assert not row.fused_with and re.search(reason, row.reason), row
    bnlab.convert(model, fuse=True)
    assert graphs._same_random_states(graphs.random_states(), states)
    assert type(model) is type(expected) and vars(model).keys() == vars(expected).keys()
    assert model.scale == 2 and model.seen == [] and not hasattr(model.relu6, "mark")
    assert all(module.training for module in model.modules())
    assert_same(model, expected, images())


@pytest.mark.parametrize("write", (lambda y: y.mul_(2), lambda y: operator.imul(y, 2)))
def test_an_input_written_to_before_the_addition(write):
    def forward(self, x):
        y = x * 1
        z = self.bn(y)
        return F.relu(z + write(y))

    model = block(forward).eval()
    expected = copy.deepcopy(model)
    bnlab.convert(model, fuse=True)
    assert "computed after it" in bnlab.fusion_report(model)[0].reason
    x = images()
    with torch.no_grad():
        torch.testing.assert_close(model(x), expected(x))


def test_training_and_evaluation_may_differ(passes):
    model = block(in_training)
    expected = copy.deepcopy(model)
    bnlab.convert(model, fuse=True)
    assert_same(model, expected, images())
    assert passes == {"ReLU": 1, "": 1}


def scaled(self, x, y=None, factor=1):
    z = self.bn(x)
    if y is not None:
        z = z + y
    if self.extra is not None:
        z = self.extra(z)
    return self.relu(z) * factor * self.scale * self.steps[1] * self.of_class


def test_other_arguments_and_changed_attributes_take_the_blocks_own_forward(passes):
    model = block(scaled)
    expected = copy.deepcopy(model)
    bnlab.convert(model, fuse=True)
    x, y = images(), images()
    assert_same(model, expected, x)
    assert passes == {"ReLU": 2}
    for arguments in ((x, y), (x, None, 3), (x, y, 2)):
        assert_same(model, expected, *arguments)
    assert passes == {"ReLU": 2, "": 6}

    def change(name, value):
        for each in (model, expected):
            setattr(each, name, value)
        passes.clear()
        assert_same(model, expected, x)
        assert passes == {"": 2}

    change("scale", 3.0)
    change("scale", True)
    change("scale", 2.0001)
    for each in (model, expected):
        each.scale = 2.0
    change("steps", [1, 3])
    for each in (model, expected):
        each.steps = [1, 1]
    change("extra", nn.Tanh())
    for each in (model, expected):
        each.extra = None
    change("of_class", 4)


@pytest.mark.parametrize("name", ("relu", "identity", "bn"))
@pytest.mark.parametrize("replaced", (nn.GELU, nn.ReLU6, nn.Identity))
def test_a_module_put_in_place_afterwards_is_called(replaced, name):
    def forward(self, x):
        return self.relu(self.identity(self.bn(self.conv(x))) + x) + self.relu(self.identity(self.bn(x)))

    model = block(forward)
    expected = copy.deepcopy(model)
    bnlab.convert(model, fuse=True)
    for each in (model, expected):
        setattr(each, name, replaced())
    assert_same(model, expected, images())


def test_tools_that_replace_layers_serve_blocks():
    model = block(lambda self, x: self.relu(self.bn(self.conv(x)) + x))
    expected = copy.deepcopy(model).eval()
    bnlab.convert(model, fuse=True).eval()
    x = images()
    folded = copy.deepcopy(model)
    folded.conv, folded.bn = fusion.fuse_conv_bn_eval(model.conv, model.bn), nn.Identity()
    torch.testing.assert_close(folded(x), expected(x))
    synchronized = nn.SyncBatchNorm.convert_sync_batchnorm(model)
    assert type(synchronized.bn) is nn.SyncBatchNorm
    prune.l1_unstructured(expected.bn, "weight", 0.5)
    pruned = bnlab.convert(block(type(expected).forward), fuse=True).eval()
    prune.l1_unstructured(pruned.bn, "weight", 0.5)
    torch.testing.assert_close(pruned(x), expected(x))


@pytest.mark.parametrize("name", ("bn", "relu"))
def test_hooks_registered_afterwards_see_what_they_saw_before(name):
    model = block(lambda self, x: self.relu(self.bn(x) + x))
    expected = copy.deepcopy(model)
    bnlab.convert(model, fuse=True)
    seen = []
    for each in (model, expected):
        getattr(each, name).register_forward_hook(lambda module, x, y: seen.append(y.detach()))
    x = images()
    model(x), expected(x)
    assert len(seen) == 2
    torch.testing.assert_close(*seen)


def test_hooks_of_all_modules_see_what_they_saw_before():
    model = block(lambda self, x: self.relu(self.bn(x) + x))
    bnlab.convert(model, fuse=True)
    seen = []
    hook = nn.modules.module.register_module_forward_hook(lambda module, x, y: seen.append(type(module)))
    try:
        model(images())
    finally:
        hook.remove()
    assert seen[:2] == [bnlab.BatchNorm2d, nn.ReLU]


def test_hooks_registered_before_are_named():
    model = block(lambda self, x: self.relu(self.bn(x)))
    model.bn.register_forward_hook(lambda module, x, y: None)
    rows = {row.layer: row.reason for row in bnlab.fusion_report(model)}
    assert "hooks" in rows["bn"]


OTHERS = {  # input's type, addend's sizes and type
    "a value a channel": (torch.float64, (4, 1, 1), torch.float64),
    "narrower": (torch.float64, (3, 4, 5, 6), torch.float32),
    "wider": (torch.float32, (3, 4, 5, 6), torch.float64),
    "more dimensions": (torch.float64, (2, 3, 4, 5, 6), torch.float64),
}


@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS.keys())
@pytest.mark.parametrize("added", (lambda y, z: y + z, lambda y, z: z + y, iadd))
def test_addends_of_other_sizes_and_types(other, added, passes):
    dtype, sizes, addends_dtype = other
    model = block(lambda self, x, z: self.relu(added(self.bn(x), z))).to(dtype)
    expected = copy.deepcopy(model)
    bnlab.convert(model, fuse=True)
    x, z = images().to(dtype), torch.randn(sizes, dtype=addends_dtype)
    if len(sizes) == 5 and added is iadd:
        with pytest.raises(RuntimeError, match="output with shape"):
            model(x, z)
    else:
        tolerance = 1e-9 if dtype is torch.float64 else 1e-4
        torch.testing.assert_close(results(model, x, z), results(expected, x, z), rtol=tolerance, atol=tolerance)
    assert not passes["add, ReLU"]


class Outer(nn.Module):
    """Takes values out of a Sequential, which then has no layer of its own for both."""

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(4, 4, 1), nn.BatchNorm2d(4), nn.ReLU())

    def forward(self, x):
        for module in self.body[:2]:
            x = module(x)
        return x * self.body(x)


def test_layers_of_a_sequential_that_are_also_called_by_themselves():
    model = Outer().double()
    expected = copy.deepcopy(model)
    with pytest.warns(UserWarning, match="also called by itself"):
        bnlab.convert(model, fuse=True)
    assert type(model.body[1]) is bnlab.BatchNorm2d
    assert_same(model, expected, images())


def test_a_sequence_in_a_sequence_that_is_also_called_by_itself():
    class Both(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = nn.Sequential(nn.Sequential(nn.Conv2d(4, 4, 1), nn.BatchNorm2d(4)), nn.ReLU())

        def forward(self, x):
            return torch.relu(self.body[0](x) + x) + self.body(x)

    model = Both().double()
    expected = copy.deepcopy(model)
    with pytest.warns(UserWarning, match="also called by itself"):
        bnlab.convert(model, fuse=True)
    assert bnlab.fusion_report(model)[0].fused_with == "add, ReLU"
    assert_same(model, expected, images())


def test_a_sequence_in_a_sequence():
    model = nn.Sequential(nn.Sequential(nn.Conv2d(4, 4, 1), nn.Sequential(nn.BatchNorm2d(4))), nn.ReLU()).double()
    expected = copy.deepcopy(model)
    bnlab.convert(model, fuse=True)
    assert type(model[0][1][0]) is bnlab.BatchNormReLU2d and type(model[1]) is bnlab.FusedReLU
    assert_same(model, expected, images())
    assert repr(bnlab.convert_back(model)) == repr(expected)


def test_layers_that_are_bnlabs_already_are_fused():
    sequence = nn.Sequential(nn.BatchNorm2d(4), nn.ReLU())
    model = nn.Sequential(sequence, block(lambda self, x: self.relu(self.bn(x)))).double()
    expected = copy.deepcopy(model)
    bnlab.convert(bnlab.convert(model, window=2), fuse=True)
    assert type(sequence[0]) is bnlab.BatchNormReLU2d and sequence[0].window == 2
    assert [row.fused_with for row in bnlab.fusion_report(model)] == ["ReLU", "ReLU", ""]
    bnlab.convert(model, fuse=True)
    bnlab.convert_back(model)
    assert_same(model, expected, images())


def test_equal_blocks_share_a_class_and_pickles_find_it():
    forward = FUSED["added"][0]
    kind = type("Odd", (Block,), {"forward": forward})
    model = nn.Sequential(kind(), kind())
    bnlab.convert(model, fuse=True)
    copied = copy.deepcopy(model)
    assert type(model[0]) is type(model[1]) is type(copied[0]) and isinstance(model[0], kind)
    assert model[0].__class__.__name__ == "Odd"


def test_an_instances_own_forward_stays():
    model = block(lambda self, x: self.relu(self.bn(x)))
    model.forward = lambda x: model.bn(x)
    bnlab.convert(model, fuse=True)
    assert "not its class's" in bnlab.fusion_report(model)[0].reason
    x = images()
    torch.testing.assert_close(model(x), model.bn(x))


# ---- The example ----


def test_an_example_refuses_what_differs(monkeypatch):
    model = nn.Sequential(block(lambda self, x: self.relu(self.bn(x) + x)), nn.Tanh()).float()
    kinds, state = [type(module) for module in model.modules()], copy.deepcopy(model.state_dict())
    replace = tracing._replace
    x = images().float()
    bnlab.convert(copy.deepcopy(model), fuse=True, example=x)

    def dropped(graph, site):  # as if there were no addition
        at = site.sum
        at.replace_all_uses_with(site.norm)
        graph.erase_node(at)
        replace(graph, site._replace(sum=None, addend=None, added=""))

    monkeypatch.setattr(tracing, "_replace", dropped)
    with pytest.raises(ValueError, match=r"nothing is changed: in training mode .*output .*first: the output of 0"):
        bnlab.convert(model, fuse=True, example=x)
    assert [type(module) for module in model.modules()] == kinds
    torch.testing.assert_close(model.state_dict(), state, rtol=0, atol=0)


def test_an_example_refuses_another_gradient(monkeypatch):
    model = block(lambda self, x: self.relu(self.bn(x)))
    normalize = modules._Norm._normalize

    def detached(self, input, addend, relu, eps):
        return normalize(self, input.detach() if relu else input, addend, relu, eps)

    monkeypatch.setattr(modules._Norm, "_normalize", detached)
    with pytest.raises(ValueError, match="training mode .* gradient of|other results .the gradient of"):
        bnlab.convert(model, fuse=True, example=images())


class Noise(nn.Module):
    def forward(self, x):
        return x + random.random() * torch.randn_like(x)


def test_an_example_draws_no_numbers_of_the_users():
    model = nn.Sequential(block(lambda self, x: self.relu(self.bn(x))), Noise())
    x, states = images(), graphs.random_states()
    bnlab.convert(model, fuse=True, example=x)
    assert graphs._same_random_states(graphs.random_states(), states)


def test_an_example_on_which_the_model_fails():
    with pytest.raises(ValueError, match="fails on the example in training mode: Expected more than 1 value"):
        bnlab.convert(nn.Sequential(nn.BatchNorm1d(3)), fuse=True, example=torch.randn(1, 3))


def test_an_example_of_several_arguments_and_a_model_of_one_type_only():
    def forward(self, x, z):
        return self.relu(self.bn(x.to(torch.float32)) + z)

    model = block(forward).float()
    bnlab.convert(model, fuse=True, example=(images().float(), images().float()))
    assert bnlab.fusion_report(model)[0].fused_with == "add, ReLU"


def test_an_example_that_is_not_fused_is_told():
    model = block(lambda self, x, z: self.relu(self.bn(x) + z))
    with pytest.warns(UserWarning, match="bn: not fused when the model gets the example"):
        bnlab.convert(model, fuse=True, example=(images(), images()[:1]))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        bnlab.convert(model, fuse=True, example=(images(), images()))


@pytest.mark.skipif(not hasattr(torch, "compile"), reason="PyTorch 2 has torch.compile")
@pytest.mark.parametrize("training", (True, False))
def test_torch_compile_sees_through_blocks(training):
    model = bnlab.convert(block(scaled), fuse=True).train(training)
    x = images()
    assert torch._dynamo.explain(copy.deepcopy(model))(x, x).graph_break_count == 0
    compiled = torch.compile(copy.deepcopy(model), backend="eager")
    torch.testing.assert_close(compiled(x), model(x))
