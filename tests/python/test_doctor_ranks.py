"""bnlab.doctor compares ranks, two processes over Gloo, and no rank waits for another for ever."""
import os
import subprocess
import sys

import pytest
import torch

import bnlab
from conftest import ROOT
from faulty import clean, loader
from test_doctor import ids, the


@pytest.fixture(autouse=True)
def one_thread(fixed_start):
    torch.set_num_threads(1)


RANKS = """
import sys
sys.path.insert(0, sys.argv[4])
import torch
import torch.distributed as dist
import bnlab
from bnlab.doctor import ranks
from faulty import clean, loader
from torch import nn

rank, file, case = int(sys.argv[1]), sys.argv[2], sys.argv[3]
ranks.PATIENCE = 5.0 if case in ("absent", "late") else 100.0
torch.set_num_threads(1)
dist.init_process_group("gloo", init_method="file://" + file, rank=rank, world_size=2)
model = clean()
if case == "apart" and rank == 1:
    model[5].running_mean += 4 * model[5].running_var.sqrt()
if case == "other model" and rank == 1:
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 4), nn.BatchNorm1d(4)).eval()
if case == "error" and rank == 1:
    try:
        bnlab.doctor(torch.jit.script(model), loader(), ranks=True)
    except ValueError as error:
        assert "TorchScript" in str(error)
elif case == "alone":
    report = bnlab.doctor(model, loader())
    assert [each.why for each in report.not_checked if each.id == "N10"][0].startswith("ranks=True was not given")
elif case != "absent" or rank == 0:
    parallel = nn.parallel.DistributedDataParallel(model) if case == "same" else model
    for again in range(3):
        if again == 0 and case == "late" and rank == 1:
            continue
        report = bnlab.doctor(parallel, loader(), ranks=True)
        found = [each for each in report.findings if each.id == "N10"]
        print("found", [(each.layer, each.others, each.severity, each.damage and each.damage > 0.03) for each in found])
        print("because", [each.why for each in report.not_checked if each.id == "N10"])
        if case in ("absent", "error"):
            break
dist.barrier()
print("ended")
"""


def of_two_ranks(tmp_path, case):
    command = [sys.executable, "-B", "-c", RANKS]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "python")}
    processes = [
        subprocess.Popen([*command, str(rank), str(tmp_path / "meeting"), case, str(ROOT / "tests" / "python")], env=environment,
                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        for rank in range(2)
    ]  # fmt: skip
    try:
        outputs = [process.communicate(timeout=110)[0] for process in processes]
    finally:
        for process in processes:
            process.kill()
    assert all(text.endswith("ended\n") for text in outputs), "\n".join(outputs)
    return outputs


def test_n10_ranks_that_disagree(tmp_path):
    zero, one = of_two_ranks(tmp_path, "apart")
    assert zero.count("found [('5', [], ") == one.count("found [('5', [], ") == 3, zero + one
    assert one.count("'error', True") + one.count("'warning', True") == 3, one
    assert "because []" in zero


def test_n10_ranks_that_agree(tmp_path):
    for text in of_two_ranks(tmp_path, "same"):
        assert text.count("found []\nbecause []") == 3, text


@pytest.mark.parametrize("case, rank, said", [
    ("other model", 0, "rank 1 has a model of other batch normalization layers"),
    ("error", 0, "rank 1 stopped with an error before (ValueError: bnlab.doctor: the model is TorchScript"),
    ("absent", 0, "rank 1 did not come within 5 seconds"),
])  # fmt: skip
def test_n10_a_rank_that_fails_keeps_none_waiting(tmp_path, case, rank, said):
    assert said in of_two_ranks(tmp_path, case)[rank]


def test_n10_a_rank_that_leaves_out_a_call(tmp_path):
    zero, one = of_two_ranks(tmp_path, "late")
    assert zero.count("because []") == one.count("because []") == 2, zero + one
    assert "rank 1 did not come within 5 seconds" in zero


def test_n10_is_not_looked_for_unless_asked(tmp_path):
    of_two_ranks(tmp_path, "alone")


def test_the_statistics_of_all_ranks_together_are_those_of_all_data():
    from bnlab.doctor.ranks import _merged

    data = torch.randn(3, 100, 4, dtype=torch.float64) * 2 + torch.tensor([0.0, 5.0, -1.0]).reshape(3, 1, 1)
    mean, variance = _merged([(each.mean(0), each.var(0, unbiased=False)) for each in data])
    torch.testing.assert_close(mean, data.flatten(0, 1).mean(0))
    torch.testing.assert_close(variance, data.flatten(0, 1).var(0, unbiased=False))


def test_n10_of_state_dicts():
    model, other = clean(), clean()
    other[1].running_var *= 9
    stored = {f"module.{name}": value for name, value in other.state_dict().items()}  # as DistributedDataParallel names them
    report = bnlab.doctor(model, loader(), ranks=[model.state_dict(), stored])
    found = the(report, "N10")
    assert found.layer == "1" and "between 2 ranks" in found.evidence
    assert "N10" not in ids(bnlab.doctor(model, loader(), ranks=[model.state_dict(), clean().state_dict()]))
    assert the(bnlab.doctor(model, ranks=[model.state_dict(), stored]), "N10").severity == "note"
    with pytest.raises(ValueError, match=r"ranks\[1\] has no 1.running_mean"):
        bnlab.doctor(model, loader(), ranks=[model.state_dict(), {}])
    with pytest.raises(ValueError, match="not initialized"):
        bnlab.doctor(model, loader(), ranks=True)
    with pytest.raises(ValueError, match="expected ranks to be True"):
        bnlab.doctor(model, loader(), ranks=2)
