"""bench/doctor_yardstick.py in its quick form: it runs, and a doctor that is deaf or cries wolf scores worse."""
import json
import subprocess
import sys
from pathlib import Path

import pytest

BENCH = Path(__file__).resolve().parent.parent.parent / "bench"
sys.path.append(str(BENCH))
from yardstick import data, score  # noqa: E402
from yardstick.faults import FAULTS, forms  # noqa: E402

pytestmark = pytest.mark.skipif(not data.FOLDER.is_dir(), reason="needs the Debian package dataset-fashion-mnist")


# N23 takes bnlab, the program
IDS = [id for id in FAULTS if id != "N23" or forms.PROGRAM.exists()]


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    folder = tmp_path_factory.mktemp("yardstick")
    run = subprocess.run(
        [sys.executable, "-B", str(BENCH / "doctor_yardstick.py"), "--quick", "--work", str(folder), "--json", str(folder / "result"),
         "--ids", *IDS],
        capture_output=True, text=True, timeout=600,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    return json.loads((folder / "result").read_text()), run.stdout


def seeded(result):
    return [row for row in result[0]["rows"] if "topology" in row]


def test_every_fault_of_one_model_is_judged_and_most_are_found(result):
    rows, text = seeded(result), result[1]
    assert not [row for row in result[0]["rows"] if "failed" in row], text
    assert sorted(row["id"] for row in rows) == sorted(IDS) and f"all      {len(IDS)}" in text
    figures = score.score(rows)
    assert figures["recall"] >= 0.8 and figures["precision"] >= 0.75 and figures["layer_first"] >= 0.8, text
    assert figures["gone"] == figures["repaired"] >= 8, text
    assert len([row for row in result[0]["rows"] if row.get("flagged") and row["silent"]]) == 4, text


def test_a_doctor_without_a_rule_finds_less(result):
    rows = seeded(result)
    for id in ("N02", "N15", "N20"):
        assert score.score(score.muted(rows, [id]))["found"] == score.score(rows)["found"] - 1


def test_a_doctor_that_cries_wolf_is_less_precise(result):
    rows = [dict(row) for row in seeded(result)]
    before = score.score(rows)["precision"]
    wolf = {"id": "N19", "severity": "warning", "layer": "0.bn", "others": [], "damage": 1.0}
    loud = [{**row, "findings": [*row["findings"], wolf]} for row in rows if row["id"] != "N19"]
    assert score.score(loud)["precision"] < before
    assert len(score.mistakes(loud)) >= len(loud)


def test_a_doctor_that_names_the_wrong_layer_is_found_out(result):
    rows = [{**row, "findings": [{**each, "layer": "elsewhere"} for each in row["findings"]]} for row in seeded(result)]
    assert score.score(rows)["layer_first"] == 0


def test_a_missing_data_set_is_refused_with_a_sentence(monkeypatch, tmp_path):
    monkeypatch.setattr(data, "FOLDER", tmp_path / "none")
    with pytest.raises(SystemExit, match="install the Debian package dataset-fashion-mnist"):
        data.Data()
