"""Tests of the Python package; run by ctest (test `python`), or in a clone with a built library:

    PYTHONPATH=python /usr/bin/python3 -m pytest tests/python

bnlab must be importable before any of them; where the library is taken from: docs/python.md.
"""
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import bnlab  # noqa: F401

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture(autouse=True)
def fixed_start():
    """The same random numbers and number of threads for each test, in any order."""
    torch.manual_seed(0)
    torch.set_num_threads(2)


@pytest.fixture
def run_python(tmp_path):
    """run_python(code, **environment): runs it in a fresh process in an empty folder; None in environment unsets."""

    def run(code, **environment):
        settings = {**os.environ, "PYTHONPATH": str(ROOT / "python"), **environment}
        settings = {name: value for name, value in settings.items() if value is not None}
        return subprocess.run(
            [sys.executable, "-B", "-c", code], cwd=tmp_path, env=settings, capture_output=True, text=True, timeout=120
        )

    return run
