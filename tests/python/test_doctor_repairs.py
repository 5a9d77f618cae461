"""Repairs: what they change, what they measure, and that they are taken back where they make things worse."""
import copy
import json
import pickle
import re
import sys

import pytest
import torch
import torch.nn.functional as F
from conftest import ROOT
from torch import nn

import bnlab
from bnlab.doctor.__main__ import main
from faulty import CLASSES, clean, images, loader, residual


@pytest.fixture(autouse=True)
def one_thread(fixed_start):
    torch.set_num_threads(1)


def outputs(model):
    with torch.no_grad():
        return copy.deepcopy(model).double().eval()(images()[0].double())


def test_recalibrating_removes_the_finding_and_keeps_identities():
    model = clean()
    model[5].running_var *= 30
    before = [id(buffer) for buffer in model.buffers()]
    report = bnlab.doctor(model, loader())
    repair = report.recalibrate()
    assert repair.after["running"] < repair.before["running"] - 0.03 and repair.output_difference > 0.1
    assert abs(repair.after["running"] - repair.after["exact"]) < 1e-6
    assert [id(buffer) for buffer in model.buffers()] == before and report.again().findings == []
    assert "loss before: running" in str(repair)


def test_a_repair_that_makes_it_worse_is_undone_unless_forced():
    model = clean()
    wrong = [(x, y) for x, y in loader()]
    wrong = [(0.01 * x, y) for x, y in wrong[:4]]  # data on which exact statistics serve no better
    for layer in (model[1], model[5]):
        layer.requires_grad_(False)
    state = copy.deepcopy(model.state_dict())
    report = bnlab.doctor(model, wrong, lambda output, target: -F.cross_entropy(output, target))
    assert report._found.facts["losses"]["kind"] == "<lambda>"
    repair = report.recalibrate()
    changed = any(not torch.equal(state[key], value) for key, value in model.state_dict().items())
    assert repair.undone and "force=True" in repair.why and not changed
    assert not report.recalibrate(force=True).undone
    assert not torch.equal(state["5.running_mean"], model[5].running_mean)


def test_inputs_that_are_not_finite_are_not_made_statistics():
    model = clean()
    bad = [(torch.full_like(x, float("nan")), y) for x, y in loader()[:2]]
    before = bytes(model[1].running_mean.numpy().tobytes())
    with pytest.raises(RuntimeError, match="not finite on this data"):
        bnlab.doctor(model, bad).recalibrate()
    assert model[1].running_mean.numpy().tobytes() == before


def test_frozen_layers_stay_frozen_and_can_be_copied():
    model = clean()
    repair = bnlab.doctor(model, loader()).freeze(["5"])
    assert repair.layers == ["5"] and repair.output_difference == 0
    model = pickle.loads(pickle.dumps(copy.deepcopy(model)))
    model.train()
    kept, moved = model[5].running_mean.clone(), model[1].running_mean.clone()
    model(loader()[0][0])
    assert torch.equal(model[5].running_mean, kept) and not torch.equal(model[1].running_mean, moved)
    assert not model[5].weight.requires_grad and model[1].weight.requires_grad
    with pytest.raises(ValueError, match="nine is no batch"):
        bnlab.doctor(model, loader()).freeze(["nine"])


@pytest.mark.parametrize("make", [clean, residual])
def test_folding_keeps_the_outputs(make):
    model = make()
    expected = outputs(model)
    repair = bnlab.doctor(model, loader()).fold()
    assert not repair.undone and len(repair.layers) == (2 if make is clean else 4)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in model.modules())
    assert float((outputs(model) - expected).abs().max()) < 1e-4 and repair.output_difference < 1e-5


def test_folding_takes_linear_layers_and_biases_along():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 5), nn.BatchNorm1d(5), nn.ReLU(), nn.Linear(5, CLASSES, bias=False), nn.BatchNorm1d(CLASSES))
    x = torch.randn(64, 6) * 3 + 2
    model(x)
    model.eval()
    with torch.no_grad():
        expected = model(x)
    repair = bnlab.doctor(model, [x, x]).fold()
    assert repair.layers == ["1", "4"] and model[3].bias is not None
    with torch.no_grad():
        assert float((model(x) - expected).abs().max()) < 1e-5


def test_a_fold_that_changes_outputs_is_undone():
    class Both(nn.Module):
        """The linear layer's weight is used once more."""

        def __init__(self):
            super().__init__()
            self.linear, self.norm = nn.Linear(4, 4), nn.BatchNorm1d(4)

        def forward(self, x):
            return nn.functional.linear(x, self.linear.weight) + self.norm(self.linear(x))

    model = Both()
    x = torch.randn(64, 4) * 3
    model(x)
    model.eval()
    with torch.no_grad():
        expected = model(x)
    repair = bnlab.doctor(model, [x]).fold()
    assert repair.undone and isinstance(model.norm, nn.BatchNorm1d)
    with torch.no_grad():
        assert torch.equal(model(x), expected)


def test_momentum_is_turned_round_and_statistics_taken_again():
    model = clean()
    model[5].momentum = 0.9
    model[5].running_mean += 20
    report = bnlab.doctor(model, loader())
    assert report.findings[0].repair == "set_momentum"
    repair = report.set_momentum()
    assert repair.layers == ["5"] and abs(model[5].momentum - 0.1) < 1e-12 and model[1].momentum == 0.1
    assert report.again().findings == []
    report.set_momentum(0.05, ["1"], recalibrate=False)
    assert (model[1].momentum, round(model[5].momentum, 6)) == (0.05, 0.1)
    with pytest.raises(ValueError, match="expected 0 <= momentum <= 1"):
        report.set_momentum(2.0)


SHOP = """
import sys
sys.path.insert(0, {tests!r})
import faulty, torch
def good(): return faulty.clean()
def bad():
    model = faulty.clean()
    model[5].running_var[3] = float("nan")
    return model
def loader(): return faulty.loader()
def optimizer(model): return torch.optim.SGD(model.parameters(), 0.1)
def number(): return 3
"""


@pytest.fixture
def shop(tmp_path, monkeypatch):
    """A folder with a module that has models and a loader; the working folder."""
    (tmp_path / "shop.py").write_text(SHOP.format(tests=str(ROOT / "tests/python")))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", ["", *sys.path])
    monkeypatch.delitem(sys.modules, "shop", raising=False)
    return tmp_path


def test_the_module_is_a_command(shop, run_python):
    code = (
        "import runpy, sys; sys.argv = ['doctor', 'shop:bad', '--loader', 'shop:loader', '--optimizer', 'shop:optimizer']; "
        "runpy.run_module('bnlab.doctor', run_name='__main__')"
    )
    bad = run_python(code, OMP_NUM_THREADS="1")
    assert bad.returncode == 3 and "N15 statistics not finite or negative" in bad.stdout
    warning = re.escape(torch.ops.bnlab.convolutions_were_wrong())  # of import bnlab, on such a processor
    assert re.fullmatch(rf"([^\n]*: UserWarning: bnlab: {warning}\n)?", bad.stderr), bad.stderr


def test_reports_and_baselines_of_the_command_line(shop, capsys):
    bad = ["shop:bad", "--loader", "shop:loader"]
    assert main([*bad, "--format", "json", "--out", "report.json", "--write-baseline", "known.json"]) == 0
    assert json.loads((shop / "report.json").read_text())["findings"][0]["id"] == "N15"
    assert main([*bad, "--baseline", "known.json", "--format", "sarif"]) == 0
    assert json.loads(capsys.readouterr().out)["runs"][0]["results"] == []
    assert main(["shop:good", "--loader", "shop:loader"]) == 0 and "Nothing found." in capsys.readouterr().out


def test_wrong_usage_of_the_command_line(shop, capsys):
    with pytest.raises(SystemExit, match="2"):
        main([])
    capsys.readouterr()
    for arguments in (["shop:none"], ["nowhere:model"], ["shop"], ["shop:number"], ["shop:good", "--loader", "shop:number"]):
        assert main(arguments) == 2
        assert capsys.readouterr().err.startswith("bnlab.doctor: ")
