"""Finding and loading the operator library; each in a process of its own."""
import os
import re
import shutil
import subprocess
import sys

import pytest
from conftest import ROOT

import bnlab

LIBRARY = os.environ.get("BNLAB_TORCH_LIBRARY") or str(ROOT / "build/libbnlab_torch.so")


def last_line(result):
    assert result.returncode == 1, result.stdout
    return result.stderr.strip().splitlines()[-1]


def test_version_is_the_projects():
    assert bnlab.__version__ == re.search(r"project\(bnlab VERSION ([\d.]+)", (ROOT / "CMakeLists.txt").read_text())[1]


def test_all_names_are_there():
    assert all(hasattr(bnlab, name) for name in bnlab.__all__)
    assert bnlab.instruction_set() in ("avx512", "avx2", "sse4", "portable")


def test_the_root_of_a_clone_will_do():
    result = subprocess.run(
        [sys.executable, "-B", "-c", "import bnlab; print(bnlab.__file__)"],
        cwd=ROOT,
        env={**os.environ, "BNLAB_TORCH_LIBRARY": LIBRARY, "PYTHONPATH": ""},
        capture_output=True,
        text=True,
    )
    assert result.stdout.strip().endswith("bnlab/__init__.py"), result.stderr
    assert (ROOT / "bnlab").resolve() == ROOT / "python/bnlab"


def test_the_build_folder_of_the_clone_is_found(tmp_path, run_python):
    clone = tmp_path / "clone"
    (clone / "build").mkdir(parents=True)
    shutil.copytree(ROOT / "python/bnlab", clone / "python/bnlab", ignore=shutil.ignore_patterns("__pycache__"))
    (clone / "bnlab").symlink_to("python/bnlab")
    missing = run_python("import bnlab", PYTHONPATH=str(clone), BNLAB_TORCH_LIBRARY=None)
    assert re.match(r"ImportError: bnlab: the operator library is missing: .*make run.*pip install", last_line(missing))
    (clone / "build/libbnlab_torch.so").symlink_to(LIBRARY)
    found = run_python("import bnlab; print(bnlab.__version__)", PYTHONPATH=str(clone), BNLAB_TORCH_LIBRARY=None)
    assert found.stdout.strip() == bnlab.__version__, found.stderr


def test_a_library_that_is_not_there():
    with pytest.raises(ImportError, match="BNLAB_TORCH_LIBRARY names /nowhere.so, which is not a file"):
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("BNLAB_TORCH_LIBRARY", "/nowhere.so")
            bnlab._library._find()


def test_a_library_that_cannot_be_loaded(tmp_path, run_python):
    (tmp_path / "bad.so").write_text("no library")
    line = last_line(run_python("import bnlab", BNLAB_TORCH_LIBRARY=str(tmp_path / "bad.so")))
    assert re.match(r"ImportError: bnlab: .*bad\.so cannot be loaded into PyTorch .*build it again", line)


def test_an_instruction_set_that_is_not_there(run_python):
    line = last_line(run_python("import bnlab", BNLAB_FORCE_ISA="mmx", BNLAB_TORCH_LIBRARY=LIBRARY))
    assert re.match(r"ImportError: bnlab: BNLAB_FORCE_ISA=mmx cannot be used: .*portable.*or unset it", line)


def test_an_instruction_set_is_forced(run_python):
    code = "import bnlab; print(bnlab.instruction_set())"
    assert run_python(code, BNLAB_FORCE_ISA="portable", BNLAB_TORCH_LIBRARY=LIBRARY).stdout == "portable\n"


def test_a_python_without_torch_is_told_what_to_do(run_python):
    code = """
import sys
sys.modules["torch"] = None
import bnlab
"""
    assert re.match(r"ImportError: bnlab: this Python cannot import torch .*python3-torch", last_line(run_python(code)))


def test_a_library_loaded_before_is_used(run_python):
    code = f"import torch; torch.ops.load_library('{LIBRARY}'); import bnlab; print('fine')"
    assert run_python(code, BNLAB_TORCH_LIBRARY="/nowhere.so").stdout == "fine\n"


def test_the_caching_allocator_reuses_memory(run_python):
    code = """
import bnlab, torch
bnlab.use_caching_allocator()
bnlab.use_caching_allocator()
x = torch.randn(8, 64, 32, 32)
first = torch.empty(4 << 20); address = first.data_ptr(); del first
assert torch.empty(4 << 20).data_ptr() == address
print(bnlab.BatchNorm2d(64)(x).isfinite().all().item())
"""
    result = run_python(code, BNLAB_TORCH_LIBRARY=LIBRARY)
    assert result.stdout == "True\n", result.stderr


def test_outputs_reuse_memory_until_the_cache_is_emptied(run_python):
    code = """
import bnlab, torch
def resident():
    return int(open("/proc/self/statm").read().split()[1]) * 4096
layer, x = bnlab.BatchNorm2d(64), torch.randn(32, 64, 64, 64)
first = layer(x); address = first.data_ptr(); del first
y = layer(x)
assert y.data_ptr() == address
del y
before = resident(); bnlab.empty_cache()
print(before - resident() > 24 << 20)
"""
    result = run_python(code, BNLAB_TORCH_LIBRARY=LIBRARY)
    assert result.stdout == "True\n", result.stderr
