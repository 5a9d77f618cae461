"""The examples of docs/python.md and docs/doctor.md run as they stand."""
import re

import pytest
from conftest import ROOT

PAGES = [ROOT / "docs/python.md", ROOT / "docs/doctor.md"]
EXAMPLES = [
    pytest.param(page, match[1], id=f"{page.name} line {page.read_text()[: match.start()].count(chr(10)) + 1}")
    for page in PAGES
    for match in re.finditer(r"^```python\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE)
]


def test_there_are_examples():
    assert len(EXAMPLES) >= 10


@pytest.mark.parametrize("page, code", EXAMPLES)
def test_example(page, code, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    exec(compile(code, str(page), "exec"), {})
