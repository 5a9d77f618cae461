"""TorchScript, files, copies: the layers survive all ways of carrying a module elsewhere."""
import copy
import io
import pickle

import pytest
import torch
from layers import assert_same_state

import bnlab

ARGUMENTS = (
    {},
    {"momentum": None},
    {"affine": False},
    {"track_running_stats": False},
    {"window": 2, "skip_nonfinite": True},
)


def cases(form):
    for arguments in ARGUMENTS:
        layer = getattr(bnlab, f"BatchNorm{form}2d")(3, **arguments)
        yield layer, [torch.randn(2, 3, 4, 4) for _ in range(2 if form == "AddReLU" else 1)]


def assert_same_layer(other, layer, inputs):
    for training in (True, True, False):
        assert torch.equal(other.train(training)(*inputs), layer.train(training)(*inputs))
    for name, value in layer.named_buffers():
        assert torch.equal(dict(other.named_buffers())[name], value), name


@pytest.mark.parametrize("form", ("", "ReLU", "AddReLU"))
def test_scripted_layers(form):
    for layer, inputs in cases(form):
        assert_same_layer(torch.jit.script(copy.deepcopy(layer)), layer, inputs)


@pytest.mark.parametrize("form", ("", "ReLU", "AddReLU"))
def test_scripted_layers_through_a_file(form):
    for layer, inputs in cases(form):
        layer(*inputs)
        file = io.BytesIO()
        torch.jit.save(torch.jit.script(copy.deepcopy(layer)), file)
        file.seek(0)
        assert_same_layer(torch.jit.load(file), layer, inputs)


@pytest.mark.parametrize("form", ("", "ReLU", "AddReLU"))
def test_copies_and_pickles(form):
    for layer, inputs in cases(form):
        layer(*inputs)
        assert_same_layer(copy.deepcopy(layer), copy.deepcopy(layer), inputs)
        assert_same_layer(pickle.loads(pickle.dumps(layer)), copy.deepcopy(layer), inputs)


def test_traced_evaluation():
    model = torch.nn.Sequential(bnlab.BatchNorm2d(3), bnlab.BatchNormReLU2d(3)).eval()
    traced = torch.jit.trace(model, torch.randn(2, 3, 4, 4))
    x = torch.randn(3, 3, 5, 5)
    assert torch.equal(traced(x), model(x))


def test_scripted_model_trains_as_the_eager_one():
    model = bnlab.convert(
        torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4), torch.nn.ReLU()), fuse=True
    )
    scripted = torch.jit.script(copy.deepcopy(model))
    for _ in range(4):  # TorchScript specializes on the second call
        x = torch.randn(2, 3, 6, 6)
        for each in (model, scripted):
            each.zero_grad()
            each(x).square().sum().backward()
        assert all(torch.equal(a.grad, b.grad) for a, b in zip(scripted.parameters(), model.parameters()))
    assert_same_state(scripted, model, rtol=0, atol=0)


def test_scripted_errors_are_as_clear():
    layer = torch.jit.script(bnlab.BatchNorm2d(3))
    with pytest.raises(torch.jit.Error, match="more than 1 value per channel"):
        layer(torch.randn(1, 3, 1, 1))
    with pytest.raises(torch.jit.Error, match=r"expected 4D input \(got 3D input\)"):
        layer(torch.randn(2, 3, 4))
    layer = torch.jit.script(bnlab.BatchNorm2d(3, once_per_step=True))
    with pytest.raises(torch.jit.Error, match="cannot train with once_per_step"):
        layer(torch.randn(2, 3, 4, 4))
    layer.eval()(torch.randn(2, 3, 4, 4))


def test_saved_models_open_in_a_fresh_process(tmp_path, run_python):
    model = torch.nn.Sequential(bnlab.BatchNorm2d(3, window=2), bnlab.BatchNormReLU2d(3, once_per_step=True))
    bnlab.advance_step()
    x = torch.randn(2, 3, 4, 4)
    model(x)
    torch.save(model, tmp_path / "module.pt")
    torch.jit.save(torch.jit.script(copy.deepcopy(model).eval()), str(tmp_path / "script.pt"))
    model(x)
    torch.save((x, model.eval()(x), model.state_dict()), tmp_path / "expected.pt")
    result = run_python(
        """
import bnlab, torch
x, y, state = torch.load("expected.pt")
scripted, model = torch.jit.load("script.pt"), torch.load("module.pt", weights_only=False)
assert torch.equal(scripted(x), model.eval()(x))
bnlab.advance_step()
model.train()(x)
assert model[1].num_batches_tracked == 2
model.load_state_dict(state)
assert torch.equal(model.eval()(x), y)
print("same")
"""
    )
    assert result.stdout == "same\n", result.stderr
