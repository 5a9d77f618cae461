"""`bnlab doctor FILE` on files that PyTorch itself wrote: every value that it reads is PyTorch's."""
import argparse
import collections
import json
import os
import re
import struct
import subprocess
from pathlib import Path

import pytest
import torch
from conftest import ROOT
from torch import nn

PROGRAM = Path(os.environ.get("BNLAB_PROGRAM") or Path(os.environ.get("BNLAB_BUILD_DIR", ROOT / "build")) / "bnlab")
pytestmark = pytest.mark.skipif(not PROGRAM.exists(), reason="bnlab, the program, is not built")


def doctor(*arguments, status=0):
    done = subprocess.run([PROGRAM, "doctor", *map(str, arguments)], capture_output=True, text=True, timeout=120)
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout if status in (0, 3) else done.stderr


def facts_of(path, *arguments):
    return json.loads(doctor(path, "--format", "facts", *arguments))


def report_of(path, *arguments, status=0):
    return json.loads(doctor(path, "--format", "json", *arguments, status=status))


def ids_of(report):
    return [finding["id"] for finding in report["findings"]]


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, bias=False)
        self.bn = nn.BatchNorm2d(8, eps=1e-3, momentum=0.05)
        self.more = nn.Sequential(nn.Conv2d(8, 5, 3), nn.BatchNorm2d(5, affine=False), nn.ReLU())

    def forward(self, x):
        return self.more(self.bn(self.conv(x)))


def trained(model=None, steps=3):
    model = model or Net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    for _ in range(steps):
        optimizer.zero_grad()
        model(torch.randn(4, 3, 40, 40) * 2 + 1).square().mean().backward()
        optimizer.step()
    return model.eval()


def check_against(facts, state, prefix=""):
    """Each layer in the order of the state dict, each number the same."""
    names = [key[: -len("running_mean")] for key in state if key.endswith("running_mean")]
    assert [layer["name"] + "." for layer in facts["layers"]] == names and names
    for layer, name in zip(facts["layers"], names):
        for ours, theirs in {"gamma": "weight", "beta": "bias", "running_mean": "running_mean", "running_var": "running_var"}.items():
            value = state.get(name + theirs)
            assert layer.get(ours) == (None if value is None else value.double().tolist()), name + theirs
        assert layer["num_batches_tracked"] == state[name + "num_batches_tracked"].item()
        assert "torch." + layer["dtype"] == str(state[name + "running_var"].dtype)


def test_a_state_dict_of_torchvision(tmp_path):
    torchvision = pytest.importorskip("torchvision")
    model = trained(torchvision.models.resnet18())
    for protocol in (2, 3, 4, 5):
        torch.save(model.state_dict(), tmp_path / "model.pth", pickle_protocol=protocol)
        check_against(facts_of(tmp_path / "model.pth"), model.state_dict())
    assert ids_of(report_of(tmp_path / "model.pth")) == []


def test_the_old_format(tmp_path):
    model = trained()
    torch.save(model.state_dict(), tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    check_against(facts_of(tmp_path / "old.pth"), model.state_dict())
    torch.save(model, tmp_path / "module.pth", _use_new_zipfile_serialization=False)
    check_against(facts_of(tmp_path / "module.pth"), model.state_dict())


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_other_types(tmp_path, dtype):
    state = {key: value.to(dtype) if value.is_floating_point() else value for key, value in trained().state_dict().items()}
    torch.save(state, tmp_path / "model.pth")
    check_against(facts_of(tmp_path / "model.pth"), state)


def test_views_of_one_storage(tmp_path):
    state = trained().state_dict()
    flat = torch.randn(64, dtype=torch.float64)
    state["bn.running_mean"] = flat[3:19:2]
    state["bn.running_var"] = flat.reshape(8, 8)[:, 3].exp().t()
    state["bn.weight"] = torch.randn(8, 2).t()[1]
    state["bn.bias"] = torch.tensor(0.5).expand(8)
    torch.save(state, tmp_path / "model.pth")
    check_against(facts_of(tmp_path / "model.pth"), state)


def test_a_checkpoint(tmp_path):
    model = trained()
    ema = {"module." + key: value * 2 if value.is_floating_point() else value for key, value in model.state_dict().items()}
    optimizer = torch.optim.Adam(model.parameters())
    model.train()(torch.randn(4, 3, 40, 40)).sum().backward()
    optimizer.step()
    torch.save(
        {"epoch": 3, "args": argparse.Namespace(lr=0.1, sizes=[1, 2.5, None]), "optimizer": optimizer.state_dict(),
         "state_dict": model.state_dict(), "ema": ema, "device": torch.device("cpu"), "dtype": torch.float32,
         "size": torch.Size([1, 2]), "history": collections.defaultdict(list, loss=[1.0]), "big": 1 << 80, "raw": b"x"},
        tmp_path / "checkpoint.pth",
    )  # fmt: skip
    facts = facts_of(tmp_path / "checkpoint.pth")
    check_against(facts, model.state_dict())
    assert '"ema"' in facts["remarks"][0] and "argparse.Namespace" in facts["remarks"][1]
    check_against(facts_of(tmp_path / "checkpoint.pth", "--key", "ema"), ema)
    assert 'holds no "nix"' in doctor(tmp_path / "checkpoint.pth", "--key", "nix", status=1)


def test_a_whole_module_has_its_settings(tmp_path):
    model = trained()
    torch.save(model, tmp_path / "model.pth")
    facts = facts_of(tmp_path / "model.pth")
    check_against(facts, model.state_dict())
    assert [(layer["eps"], layer["momentum"], layer["kind"]) for layer in facts["layers"]] == [
        (1e-3, 0.05, "BatchNorm2d"), (1e-5, 0.1, "BatchNorm2d"),
    ]  # fmt: skip
    assert not {"eps", "momentum", "mode"} & {each["what"] for each in facts["not_collected"]}
    model.more[1].momentum = 0.9
    model.more.train()
    torch.save(model, tmp_path / "model.pth")
    assert ids_of(report_of(tmp_path / "model.pth", status=3)) == ["N05", "N04"]


def safetensors(state):
    header, data = {}, b""
    for name, value in state.items():
        raw = value.contiguous().numpy().tobytes()
        kind = {torch.float32: "F32", torch.int64: "I64"}[value.dtype]
        header[name] = {"dtype": kind, "shape": list(value.shape), "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def test_safetensors(tmp_path):
    state = trained().state_dict()
    (tmp_path / "model.bin").write_bytes(safetensors(state))
    check_against(facts_of(tmp_path / "model.bin"), state)


def test_what_a_file_shows_is_found_and_nothing_else_is_said(tmp_path):
    state = trained().state_dict()
    state["bn.running_mean"].zero_()
    state["bn.running_var"].fill_(1)
    torch.save(state, tmp_path / "model.pth")
    report = report_of(tmp_path / "model.pth", status=3)
    assert ids_of(report) == ["N02"] and report["findings"][0]["layer"] == "bn"
    state = trained().state_dict()
    state["bn.running_var"][1] = float("nan")
    state["bn.running_mean"][2] = 70000
    state["bn.weight"][3] = 0
    state["more.1.running_var"][1] = 1e-12
    torch.save(state, tmp_path / "model.pth")
    report = report_of(tmp_path / "model.pth", status=3)
    assert ids_of(report) == ["N15", "N16", "N18"]
    assert report["findings"][2]["layer"] == "bn" and report["findings"][2]["others"] == ["more.1"]
    why = {each["id"]: each["why"] for each in report["not_checked"]}
    assert "eps" in why["N17"] and "momentum" in why["N04"] and "modes" in why["N05"]
    assert {"N01", "N03", "N06", "N08", "N09", "N13", "N19", "N20", "N21", "N22"} <= set(why)
    torch.save(Net().state_dict(), tmp_path / "new.pth")
    assert ids_of(report_of(tmp_path / "new.pth")) == ["N00"]


class Evil:
    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return os.system, (f"touch {self.mark}",)


def test_nothing_in_a_file_is_run(tmp_path):
    torch.save({"model": trained().state_dict(), "x": Evil(tmp_path / "run")}, tmp_path / "evil.pth")
    assert "posix.system" in facts_of(tmp_path / "evil.pth")["remarks"][0]
    torch.save(Evil(tmp_path / "run"), tmp_path / "evil.pth")
    assert "posix.system" in doctor(tmp_path / "evil.pth", status=1)
    assert not (tmp_path / "run").exists()


def test_files_that_are_none(tmp_path):
    assert "cannot be opened" in doctor(tmp_path / "missing.pth", status=1)
    assert "is a folder" in doctor(tmp_path, status=1)
    (tmp_path / "empty.pth").touch()
    assert "is empty" in doctor(tmp_path / "empty.pth", status=1)
    torch.save(dict(trained().named_parameters()), tmp_path / "parameters.pth")
    assert "buffers were not stored" in doctor(tmp_path / "parameters.pth", status=1)
    assert "needs a FILE" in doctor(status=2)


def test_one_baseline_for_python_and_the_program(tmp_path):
    import bnlab

    model = trained()
    model.bn.running_mean.zero_()
    model.bn.running_var.fill_(1)
    torch.save(model.state_dict(), tmp_path / "model.pth")
    doctor(tmp_path / "model.pth", "--write-baseline", tmp_path / "known.json")
    assert report_of(tmp_path / "model.pth", "--baseline", tmp_path / "known.json")["accepted"] == 1
    report = bnlab.doctor(model, baseline=tmp_path / "known.json")
    assert "N02" not in [finding.id for finding in report.findings]
    (tmp_path / "known.json").write_text(bnlab.doctor(model).to_baseline())
    assert report_of(tmp_path / "model.pth", "--baseline", tmp_path / "known.json")["accepted"] == 1
    (tmp_path / "known.json").write_text("{}")
    assert "is no baseline" in doctor(tmp_path / "model.pth", "--baseline", tmp_path / "known.json", status=1)
    sarif = json.loads(doctor(tmp_path / "model.pth", "--format", "sarif", status=3))
    assert sarif["runs"][0]["results"][0]["ruleId"] == "N02"


def compared(tmp_path, before, after, *arguments, status=0):
    torch.save(before, tmp_path / "before.pth")
    torch.save(after, tmp_path / "after.pth")
    return report_of(tmp_path / "before.pth", "--compare", tmp_path / "after.pth", *arguments, status=status)


def copy_of(model):
    return {key: value.clone() for key, value in model.state_dict().items()}


def test_before_and_after_training(tmp_path):
    model = trained()
    before = copy_of(model)
    assert ids_of(compared(tmp_path, before, copy_of(trained(model.train())))) == []
    for layer in (model.bn, model.more[1]):
        layer.eval()
    frozen = copy_of(model)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    model(torch.randn(4, 3, 40, 40)).square().mean().backward()
    optimizer.step()
    report = compared(tmp_path, frozen, copy_of(model))
    assert ids_of(report) == ["P04"] and report["findings"][0]["layer"] == "bn"
    lost = copy_of(model)
    del lost["bn.running_var"], lost["bn.running_mean"]
    assert "P01" in ids_of(compared(tmp_path, copy_of(model), lost, status=3))


def test_ports(tmp_path):
    before = copy_of(trained())
    ported = {"backbone." + key: value for key, value in before.items()}
    assert ids_of(compared(tmp_path, before, ported)) == ["P02"]
    biased = {key: value * 1599 / 1600 if key.endswith("running_var") else value for key, value in before.items()}
    report = compared(tmp_path, before, biased, status=3)
    assert ids_of(report) == ["P06"] and re.search(r"\(n-1\)/n for n = 1600 ", report["findings"][0]["evidence"])
    renamed = {key.replace("bn.", "first_norm.").replace("more.1.", "second_norm."): value.clone() for key, value in before.items()}
    renamed = {key: value for key, value in renamed.items() if "norm" in key}
    renamed["second_norm.running_var"] = before["more.1.running_var"].sqrt()
    assert sorted(ids_of(compared(tmp_path, before, renamed, status=3))) == ["P02", "P07"]
    model = Net()
    model.load_state_dict(before)
    torch.save(model, tmp_path / "a.pth")
    model.bn.eps = 1e-5
    model.bn.running_var[0] = 1e-3
    torch.save(model, tmp_path / "b.pth")
    assert "N17" in ids_of(report_of(tmp_path / "a.pth", "--compare", tmp_path / "b.pth", status=3))


def test_the_table_of_conventions_is_in_the_docs():
    table = doctor("--convention")
    assert table.count("\n") == 11 and table in (ROOT / "docs/doctor.md").read_text()
    assert "1e-3" in doctor("--convention", "keras") and "PyTorch" not in doctor("--convention", "keras")
    assert "none of the libraries" in doctor("--convention", "nix", status=2)
