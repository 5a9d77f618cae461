"""The examples of docs/python.md run as they stand."""
import re

import pytest
from conftest import ROOT

PAGE = ROOT / "docs/python.md"
EXAMPLES = [
    pytest.param(match[1], id=f"line {PAGE.read_text()[: match.start()].count(chr(10)) + 1}")
    for match in re.finditer(r"^```python\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE)
]


def test_there_are_examples():
    assert len(EXAMPLES) >= 8


@pytest.mark.parametrize("code", EXAMPLES)
def test_example(code, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    exec(compile(code, str(PAGE), "exec"), {})
