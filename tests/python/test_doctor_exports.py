"""bnlab doctor and the repairs read what this PyTorch exports: values, modes and outputs are compared with torch's."""
import json
import os
import subprocess
import warnings
from pathlib import Path

import pytest
import torch
from conftest import ROOT
from torch import nn

BNLAB = Path(os.environ.get("BNLAB_PROGRAM") or Path(os.environ.get("BNLAB_BUILD_DIR", ROOT / "build")) / "bnlab")
pytestmark = pytest.mark.skipif(not BNLAB.exists(), reason="bnlab, the program, is not built")
BEFORE_2_6 = tuple(int(part) for part in torch.__version__.split(".")[:2]) < (2, 6)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 3, 3)
        self.bn = nn.BatchNorm2d(3, eps=1e-3, momentum=0.2)
        self.drop = nn.Dropout(0.5)
        self.linear = nn.Linear(3, 4)
        self.out = nn.BatchNorm1d(4)

    def forward(self, x):
        x = torch.relu(self.bn(self.conv(x))).mean((2, 3))
        return self.out(self.linear(self.drop(x)))


@pytest.fixture
def net():
    torch.manual_seed(0)
    model = Net()
    for layer in (model.bn, model.out):
        layer.running_mean.normal_()
        layer.running_var.uniform_(0.5, 2)
        layer.weight.data.normal_()
        layer.bias.data.normal_()
    return model.eval()


def run(*arguments):
    return subprocess.run([str(BNLAB), *map(str, arguments)], capture_output=True, text=True)


def facts(path):
    done = run("doctor", path, "--format", "facts")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def ids(path):
    done = run("doctor", path, "--format", "json")
    assert done.returncode in (0, 3), done.stderr
    return {finding["id"]: finding for finding in json.loads(done.stdout)["findings"]}


def same_values(layers, model):
    modules = dict(model.named_modules())
    assert layers
    for layer in layers:
        module = modules[layer["name"]]
        for key, tensor in (("gamma", module.weight), ("beta", module.bias), ("running_mean", module.running_mean),
                            ("running_var", module.running_var)):
            assert layer[key] == tensor.detach().double().tolist(), (layer["name"], key)
        assert layer["eps"] == module.eps and layer["momentum"] == pytest.approx(module.momentum, abs=1e-9)
        assert layer["training"] == module.training


def export_onnx(model, path, x, opset=14, folds=False):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(model, x, str(path), opset_version=opset, do_constant_folding=folds,
                          training=torch.onnx.TrainingMode.EVAL if folds else torch.onnx.TrainingMode.PRESERVE)


@pytest.mark.skipif(not BEFORE_2_6, reason="the exporter of PyTorch 1.13, which needs no onnx package")
@pytest.mark.parametrize("opset", [9, 13, 14, 15])
def test_onnx_in_both_modes(net, tmp_path, opset):
    x = torch.randn(4, 1, 8, 8)
    export_onnx(net, tmp_path / "eval.onnx", x, opset)
    export_onnx(net.train(), tmp_path / "train.onnx", x, opset)
    trained = facts(tmp_path / "train.onnx")
    same_values(trained["layers"], net)  # the exporter's run has moved the statistics, in both
    assert [layer["name"] for layer in trained["layers"]] == ["bn", "out"]
    assert trained["layers"][0]["producer"] == {"name": "conv", "kind": "Conv", "has_bias": True}
    assert trained["active_dropout"] == (["drop"] if opset >= 12 else [])
    found = ids(tmp_path / "train.onnx")["N23"]
    assert found["severity"] == "warning" and (found["layer"], found["others"]) == ("bn", ["out"])
    evaluated = facts(tmp_path / "eval.onnx")
    assert evaluated["active_dropout"] == [] and not any(layer["training"] for layer in evaluated["layers"])
    assert "N23" not in ids(tmp_path / "eval.onnx")


@pytest.mark.skipif(not BEFORE_2_6, reason="the exporter of PyTorch 1.13, which needs no onnx package")
def test_onnx_folded_and_without_statistics(tmp_path):
    x = torch.randn(4, 1, 8, 8)
    export_onnx(nn.Sequential(nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3)).eval(), tmp_path / "folded.onnx", x, folds=True)
    text = run("doctor", tmp_path / "folded.onnx").stdout
    assert "Nothing to look at." in text and "folds it into convolutions" in text
    bare = nn.Sequential(nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3, track_running_stats=False)).eval()
    export_onnx(bare, tmp_path / "bare.onnx", x)
    found = ids(tmp_path / "bare.onnx")
    assert "N23" not in found and not facts(tmp_path / "bare.onnx")["layers"][0]["track_running_stats"]


@pytest.mark.skipif(not BEFORE_2_6, reason="the exporter of PyTorch 1.13, which needs no onnx package")
def test_onnx_of_resnet(tmp_path):
    torchvision = pytest.importorskip("torchvision")
    torch.manual_seed(0)
    model = torchvision.models.resnet18(weights=None)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2)
    model.eval()
    export_onnx(model, tmp_path / "resnet.onnx", torch.randn(1, 3, 64, 64))
    layers = facts(tmp_path / "resnet.onnx")["layers"]
    assert len(layers) == 20
    same_values(layers, model)
    scripted = torch.jit.script(model)
    scripted.save(str(tmp_path / "resnet.pt"))
    layers = facts(tmp_path / "resnet.pt")["layers"]
    assert [layer["name"] for layer in layers[:2]] == ["bn1", "layer1.0.bn1"] and len(layers) == 20
    same_values(layers, model)


@pytest.mark.parametrize("make", [torch.jit.script, lambda model: torch.jit.trace(model, torch.randn(4, 1, 8, 8),
                                                                                  check_trace=False)],
                         ids=["script", "trace"])
def test_torchscript_facts_and_freeze(net, tmp_path, make):
    path, frozen = tmp_path / "net.pt", tmp_path / "frozen.pt"
    make(net).save(str(path))
    same_values(facts(path)["layers"], net)
    assert "N23" not in ids(path)
    make(net.train()).save(str(path))
    same_values(facts(path)["layers"], net)
    assert len(facts(path)["active_dropout"]) == 1 and "N23" in ids(path)  # a trace has no name for it
    assert run("freeze", path, "--out", path).returncode != 0
    done = run("freeze", path, "--out", frozen)
    assert done.returncode == 0, done.stderr
    assert not any(layer["training"] for layer in facts(frozen)["layers"])
    loaded = torch.jit.load(str(frozen))
    before = loaded.bn.running_mean.clone()
    loaded(torch.randn(4, 1, 8, 8))
    assert torch.equal(loaded.bn.running_mean, before)


def test_recalibrate_and_fold(net, tmp_path):
    x = 2 * torch.randn(37, 1, 8, 8) + 1
    torch.save({"inputs": x}, tmp_path / "inputs.pt")
    path, out = tmp_path / "net.pt", tmp_path / "out.pt"
    torch.jit.script(net).save(str(path))
    done = run("recalibrate", path, "--data", tmp_path / "inputs.pt", "--batch", 10, "--out", out)
    assert done.returncode == 0 and "recalibrated 2 layers: bn, out" in done.stdout, done.stderr
    loaded = torch.jit.load(str(out))
    with torch.no_grad():
        inputs = net.conv(x).double()
        assert torch.allclose(loaded.bn.running_mean.double(), inputs.mean((0, 2, 3)), 1e-6, 1e-7)
        assert torch.allclose(loaded.bn.running_var.double(), inputs.var((0, 2, 3)), 1e-5, 1e-7)
        hidden = torch.relu(loaded.bn(loaded.conv(x))).mean((2, 3))
        inputs = loaded.linear(hidden).double()
        assert torch.allclose(loaded.out.running_mean.double(), inputs.mean(0), 1e-5, 1e-6)
        assert torch.allclose(loaded.out.running_var.double(), inputs.var(0), 1e-5, 1e-7)
    done = run("fold", out, "--data", tmp_path / "inputs.pt", "--out", tmp_path / "folded.pt")
    assert done.returncode == 0 and "folded 1 layer: bn" in done.stdout, done.stderr
    assert [layer["name"] for layer in facts(tmp_path / "folded.pt")["layers"]] == ["out"]
    with torch.no_grad():
        assert torch.allclose(torch.jit.load(str(tmp_path / "folded.pt"))(x), loaded(x), 1e-4, 1e-5)


def test_repairs_of_other_files_say_what_to_use(net, tmp_path):
    torch.save(net.state_dict(), tmp_path / "net.pth")
    for name in ("recalibrate", "fold"):
        done = run(name, tmp_path / "net.pth", "--data", tmp_path / "net.pth", "--out", tmp_path / "out.pth")
        assert done.returncode == 1 and f"bnlab.doctor(model, loader).{name}()" in done.stderr
        assert not (tmp_path / "out.pth").exists()
    done = run("freeze", tmp_path / "net.pth", "--out", tmp_path / "out.pth")
    assert done.returncode == 1 and "bnlab.doctor(model).freeze()" in done.stderr


@pytest.mark.skipif(BEFORE_2_6, reason="torch.export.save() as PyTorch 2.6 has it")
@pytest.mark.parametrize("training", [False, True])
def test_pt2_in_both_modes(net, tmp_path, training):
    model, x = net.train(training), torch.randn(4, 1, 8, 8)
    program = torch.export.export(model, (x,), strict=False)
    for number, each in enumerate((program, program.run_decompositions())):
        path = tmp_path / f"net{number}.pt2"
        torch.export.save(each, str(path))
        same_values(facts(path)["layers"], model)
        assert ("N23" in ids(path)) == training
