"""SyncBatchNorm in the ways PyTorch is used: right on two ranks, or refused in a sentence that says what to do.

The cases are those of synchronized_cases.py; docs/transforms.md lists them, and is compared with what is found.
"""
import json
import os
import re
import subprocess
import sys

import pytest
import torch

from conftest import ROOT

DOCS = ROOT / "docs" / "transforms.md"


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """{case: (whether it needs PyTorch 2, outcome)}, the same on both ranks or "right" on one."""
    folder = tmp_path_factory.mktemp("ranks")
    command = [sys.executable, "-B", str(ROOT / "tests/python/synchronized_cases.py")]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "python")}
    outputs = [(folder / f"rank{rank}").open("w+") for rank in range(2)]
    processes = [
        subprocess.Popen(
            [*command, str(rank), str(folder / "meeting")], env=environment, stdout=output, stderr=subprocess.STDOUT
        )
        for rank, output in enumerate(outputs)
    ]
    try:
        for process in processes:
            process.wait(timeout=240)
    finally:
        for process in processes:
            process.kill()
        texts = [(folder / f"rank{rank}").read_text() for rank in range(2)]
    assert all(process.returncode == 0 for process in processes), "\n".join(texts)
    ranks = [{name: more for name, *more in map(json.loads, re.findall(r"^\[\".*\]$", text, re.M))} for text in texts]
    assert ranks[0].keys() == ranks[1].keys()
    outcomes = {}
    for name, (is_new, first) in ranks[0].items():
        of_both = {first, ranks[1][name][1]}
        outcomes[name] = is_new, max(of_both - {"right"}, default="right", key=lambda text: text != "refused")
    return outcomes


def test_all_is_right_or_refused(found):
    bad = {name: outcome for name, (_, outcome) in found.items() if outcome not in ("right", "refused")}
    assert not bad, "\n".join(f"{name}: {outcome}" for name, outcome in bad.items())
    assert len(found) > 60


def test_the_documentation_has_these_cases(found):
    rows = {(is_new, kind): [] for is_new in (False, True) for kind in ("right", "refused")}
    for name, (is_new, kind) in found.items():
        rows.get((is_new, kind), []).append(name)
    if torch.__version__ < "2":
        rows = {key: names for key, names in rows.items() if not key[0]}
    for (is_new, kind), names in rows.items():
        row = f"| {kind}{', PyTorch 2.6' if is_new else ''} | {'; '.join(sorted(names))} |\n"
        assert row in DOCS.read_text(), f"the row is now\n{row}"
