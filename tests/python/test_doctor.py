"""bnlab.doctor finds each fault in a small model that has it, and nothing in its clean twin."""
import json

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import bnlab
from faulty import CLASSES, SIDE, clean, loader, net, residual, sorted_order, trained


@pytest.fixture(autouse=True)
def one_thread(fixed_start):
    """Models so small that threads only wait for each other."""
    torch.set_num_threads(1)


def ids(report, *severities):
    return [finding.id for finding in report.findings if not severities or finding.severity in severities]


def the(report, id):
    (found,) = [finding for finding in report.findings if finding.id == id]
    return found


def why_not(report, id):
    (found,) = [rule.why for rule in report.not_checked if rule.id == id]
    return found


def test_a_clean_model_has_no_finding():
    for model in (clean(), residual()):
        report = bnlab.doctor(model, loader())
        assert report.findings == [] and report.exit_code == 0, str(report)


def test_a_clean_model_has_no_finding_by_other_names_of_the_loss():
    report = bnlab.doctor(clean(), loader(), nn.CrossEntropyLoss(reduction="none"))
    assert report.findings == [] and report.facts["losses"]["kind"] == "CrossEntropyLoss"


def test_an_untrained_model_is_one_note():
    report = bnlab.doctor(net(bias=True), loader())
    assert ids(report) == ["N00"] and report.exit_code == 0


def test_n01_names_the_first_layer_that_departs():
    model = clean()
    model[5].running_mean += 3 * model[5].running_var.sqrt()
    report = bnlab.doctor(model, loader())
    assert ids(report) == ["N01"] and the(report, "N01").layer == "5" and report.exit_code == 3
    assert the(report, "N01").severity != "note" and the(report, "N01").damage > 0.03


def test_n02_statistics_that_were_not_loaded():
    model = clean()
    model[1].reset_running_stats()
    model[5].reset_running_stats()
    report = bnlab.doctor(model, loader())
    assert ids(report) == ["N02"]
    assert (the(report, "N02").layer, the(report, "N02").others) == ("1", ["5"])
    assert the(report, "N02").severity == "error" and the(report, "N02").repair == "recalibrate"


def test_n03_a_momentum_too_small_for_the_training():
    torch.manual_seed(0)
    model = trained(net(momentum=1e-3), loader())
    report = bnlab.doctor(model, loader())
    assert ids(report) == ["N03"] and the(report, "N03").layer == "1"
    assert the(report, "N03").severity != "note"


def test_n04_a_momentum_of_another_library():
    model = clean()
    for layer in (model[1], model[5]):
        layer.momentum = 0.9
    assert [(finding.id, finding.severity) for finding in bnlab.doctor(model, loader()).findings] == [("N04", "note")]
    model.train()
    order = sorted_order()
    for x, _ in loader(order=order):
        with torch.no_grad():
            model(x)
    report = bnlab.doctor(model.eval(), loader())
    assert ids(report) == ["N04"] and the(report, "N04").severity != "note"


def test_n05_a_layer_in_training_mode_in_a_model_that_evaluates():
    model = clean()
    model[5].train()
    report = bnlab.doctor(model, loader())
    assert ids(report) == ["N05"] and the(report, "N05").layer == "5" and report.exit_code == 3
    assert ids(bnlab.doctor(model.train(), loader())) == []


def test_n05_a_model_that_was_trained_in_evaluation_mode():
    torch.manual_seed(0)
    model = trained(net(), loader(), mode=False, epochs=12, lr=0.01)
    report = bnlab.doctor(model, loader())
    assert ids(report) == ["N05"] and "trained in evaluation mode" in the(report, "N05").evidence


def test_n06_frozen_layers_whose_statistics_move():
    model = clean()
    for layer in (model[1], model[5]):
        layer.requires_grad_(False)
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], 1e-3)
    shifted = [(4 * a - 20, b) for a, b in loader()]
    report = bnlab.doctor(model, shifted, optimizer=optimizer, steps=5)
    assert the(report, "N06").layer == "1" and the(report, "N06").repair == "freeze"
    assert "N06" in why_ids(bnlab.doctor(model, loader()))
    report.freeze(force=True)
    assert "N06" not in ids(bnlab.doctor(model, shifted, optimizer=optimizer, steps=5))


def why_ids(report):
    return [rule.id for rule in report.not_checked]


def test_n08_batches_of_few_values():
    flat = nn.Sequential(nn.Flatten(), nn.Linear(SIDE * SIDE, 16, bias=False), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, CLASSES))
    torch.manual_seed(0)
    flat = trained(flat, loader(64))
    assert ids(bnlab.doctor(flat, loader(64))) == []
    report = bnlab.doctor(flat, loader(4, count=128))
    assert "N08" in ids(report) and the(report, "N08").layer == "2" and "has 4 values" in the(report, "N08").evidence
    last = bnlab.doctor(flat, loader(64, count=65))
    assert the(last, "N08").severity == "warning" and "drop_last" in the(last, "N08").remedy


def test_n09_accumulated_gradients_are_seen_by_watching():
    model = clean()
    optimizer = torch.optim.SGD(model.parameters(), 1e-4)

    def train(accumulate):
        model.train()
        with bnlab.doctor.watch(model, optimizer) as watched:
            for index, (x, y) in enumerate(loader()):
                F.cross_entropy(model(x), y).backward()
                if index % accumulate == accumulate - 1:
                    optimizer.step()
                    optimizer.zero_grad()
        return bnlab.doctor(model.eval(), loader(), watched=watched)

    report = train(4)
    assert ids(report) == ["N09"] and "4 training batches a step" in the(report, "N09").evidence
    assert ids(train(1)) == []
    assert "step" not in vars(optimizer)


def test_n13_a_loader_sorted_by_class():
    model = clean()
    report = bnlab.doctor(model, loader(order=sorted_order()))
    assert "N13" in ids(report)
    assert the(report, "N13").severity == "note"  # in evaluation the order does no harm
    assert ids(bnlab.doctor(model, loader(order=torch.randperm(len(sorted_order()))))) == []


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1.0])
def test_n15_an_impossible_statistic(value):
    model = clean()
    model[5].running_var[3] = value
    report = bnlab.doctor(model, loader())
    assert ids(report) == ["N15"] and the(report, "N15").layer == "5" and the(report, "N15").severity == "error"
    report.recalibrate()
    assert ids(report.again()) == []


def test_n16_statistics_beyond_float16():
    model = clean()
    with torch.no_grad():
        model[0].weight *= 1000
        model[1].running_mean *= 1000
        model[1].running_var *= 1e6
    report = bnlab.doctor(model, loader())
    assert ids(report) == ["N16"] and the(report, "N16").layer == "1"


def test_n17_an_eps_that_another_library_had():
    model = clean()
    with torch.no_grad():  # the same function, but with variances of the size of eps
        scale = (1e-3 / float(model[5].running_var.mean())) ** 0.5
        model[4].weight *= scale
        model[5].running_mean *= scale
        model[5].running_var *= scale**2
    assert ids(bnlab.doctor(model, loader())) == []
    with torch.no_grad():  # trained with 1e-3: gamma and statistics belong to it
        layer = model[5]
        layer.weight *= ((layer.running_var + 1e-3) / (layer.running_var + 1e-5)).sqrt()
        model[1].eps = layer.eps = 1e-3
    right = bnlab.doctor(model, loader())
    assert "N17" not in ids(right, "warning", "error")
    ported = [(x, model(x).detach()) for x, _ in loader()]
    model[1].eps = layer.eps = 1e-5
    report = bnlab.doctor(model, ported, F.mse_loss)
    assert the(report, "N17").remedy.startswith("Set eps to 0.001") and the(report, "N17").severity != "note"
    assert model[5].eps == 1e-5


def test_n18_channels_switched_off_or_blown_up():
    model = clean()
    with torch.no_grad():
        model[5].weight[2] = 0
        model[5].bias[2] = 0
    report = bnlab.doctor(model, loader(), loss=None)
    assert "N18" in ids(report) and the(report, "N18").layer == "5" and the(report, "N18").severity == "note"


def test_n19_dropout_in_front():
    torch.manual_seed(0)
    model = trained(net(dropout=0.5), loader())
    report = bnlab.doctor(model, loader())
    assert the(report, "N19").layer == "5" and "3 active" in the(report, "N19").evidence
    assert "N01" not in ids(report)


def test_n20_n21_n22_are_notes_on_what_is_odd():
    torch.manual_seed(0)
    model = trained(nn.Sequential(net(bias=True), nn.BatchNorm1d(CLASSES)), loader())
    optimizer = torch.optim.SGD(model.parameters(), 0.1, weight_decay=1e-4)
    report = bnlab.doctor(model, loader(), optimizer=optimizer)
    found = {finding.id: finding for finding in report.findings}
    assert {"N20", "N21", "N22"} <= set(found)
    assert all(found[id].severity == "note" for id in ("N20", "N21", "N22"))
    assert found["N20"].layer == "0.1" and found["N20"].others == ["0.5", "1"]
    assert (found["N21"].layer, found["N21"].others) == ("1", [])
    split = torch.optim.SGD([
        {"params": [p for p in model.parameters() if p.dim() > 1], "weight_decay": 1e-4},
        {"params": [p for p in model.parameters() if p.dim() == 1]},
    ], 0.1)  # fmt: skip
    assert "N22" not in ids(bnlab.doctor(model, loader(), optimizer=split))


def test_what_is_not_checked_says_why():
    report = bnlab.doctor(clean())
    assert why_not(report, "N01") == "no loader was given" and report.findings == []
    assert "not checked: N22, because no optimizer was given." in str(report)
    everything = {f"N{number:02}" for number in range(1, 26)}
    checked = everything - set(why_ids(bnlab.doctor(
        clean(), loader(), optimizer=torch.optim.SGD(clean().parameters(), 0.1), steps=1
    )))  # fmt: skip
    assert {"N01", "N02", "N03", "N04", "N05", "N06", "N08", "N13", "N15", "N16", "N17", "N18", "N19", "N20", "N21", "N22"} <= checked


def test_the_report_as_json_sarif_html_and_baseline(tmp_path):
    model = clean()
    model[5].running_var[3] = float("inf")
    report = bnlab.doctor(model, loader())
    stored = json.loads(report.to_json())
    assert stored["schema_version"] == 1 and stored["findings"][0]["id"] == "N15"
    assert set(stored) == {
        "schema_version", "bnlab", "model", "untrained", "batches", "losses", "findings", "not_checked", "layers", "remarks",
        "first_departing", "accepted",
    }  # fmt: skip
    assert json.loads(report.to_sarif())["runs"][0]["results"][0]["ruleId"] == "N15"
    page = report.to_html()
    assert page.startswith("<!doctype html>") and "N15" in page and page.count("<svg") == 2 and "nan" not in page.lower()
    assert "<svg" in report._repr_html_() and "http" not in page
    (tmp_path / "known.json").write_text(report.to_baseline())
    accepted = bnlab.doctor(model, loader(), baseline=tmp_path / "known.json")
    assert accepted.findings == [] and accepted.exit_code == 0 and "1 known finding accepted" in str(accepted)
    (tmp_path / "bad.json").write_text("{}")
    with pytest.raises(ValueError, match="is no baseline"):
        bnlab.doctor(model, loader(), baseline=tmp_path / "bad.json")
