"""pip install from a clone, without a network: into a virtual environment, used from an empty folder, uninstalled."""
import base64
import hashlib
import importlib.util
import os
import subprocess
import sys
import zipfile

import pytest
import torch
from conftest import ROOT

import bnlab


@pytest.fixture
def backend():
    specification = importlib.util.spec_from_file_location("wheel_backend", ROOT / "python/wheel_backend.py")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def test_pip_installs_and_uninstalls(tmp_path):
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("BNLAB_TORCH", "PYTHON"))}
    environment.update(PIP_NO_INDEX="1", PIP_DISABLE_PIP_VERSION_CHECK="1")
    empty = tmp_path / "empty"
    empty.mkdir()

    def run(*command):
        return subprocess.run(command, cwd=empty, env=environment, capture_output=True, text=True, timeout=300)

    base = getattr(sys, "_base_executable", sys.executable)
    run(base, "-m", "venv", "--system-site-packages", str(tmp_path / "venv")).check_returncode()
    python = str(tmp_path / "venv/bin/python")
    installed = run(python, "-m", "pip", "install", str(ROOT))
    assert installed.returncode == 0, installed.stdout + installed.stderr
    code = (
        "import bnlab, torch; print(bnlab.__version__, bnlab.__file__, bnlab.BatchNorm1d(3)(torch.ones(2, 3)).shape, "
        "bnlab.doctor(torch.nn.BatchNorm1d(3)).findings[0].id)"
    )
    used = run(python, "-c", code)
    assert used.stdout.startswith(f"{bnlab.__version__} {tmp_path}/venv/"), used.stderr
    assert "torch.Size([2, 3]) N00" in used.stdout
    (tmp_path / "venv/lib" / used.stdout.split("/venv/lib/")[1].split("/bnlab/")[0] / "bnlab/_built_for.py").write_text(
        'TORCH = "1.0"\n'
    )
    refused = run(python, "-c", "import bnlab")
    assert f"installed for PyTorch 1.0, and this Python has PyTorch {torch.__version__}" in refused.stderr
    shown = run(python, "-m", "pip", "show", "--files", "bnlab")
    assert f"Version: {bnlab.__version__}" in shown.stdout and "bnlab/libbnlab_torch.so" in shown.stdout
    assert "bnlab/libbnlab_doctor.so" in shown.stdout and "bnlab/doctor/__main__.py" in shown.stdout
    run(python, "-m", "pip", "uninstall", "--yes", "bnlab").check_returncode()
    gone = run(python, "-c", "import bnlab")
    assert "No module named 'bnlab'" in gone.stderr
    assert not list((tmp_path / "venv").glob("lib/*/site-packages/bnlab*"))


def test_the_wheel_records_what_it_holds(tmp_path, monkeypatch, backend):
    libraries = [tmp_path / "libbnlab_torch.so", tmp_path / "libbnlab_doctor.so"]
    for library in libraries:
        library.write_bytes(b"a library")
    monkeypatch.setattr(backend, "_build_libraries", lambda folder, torch: libraries)
    name = backend.build_wheel(str(tmp_path))
    assert name.startswith(f"bnlab-{bnlab.__version__}-py3-none-linux_")
    with zipfile.ZipFile(tmp_path / name) as wheel:
        held = set(wheel.namelist())
        record = wheel.read(f"bnlab-{bnlab.__version__}.dist-info/RECORD").decode().splitlines()
        for path, digest, size in (line.split(",") for line in record):
            if digest:
                content = wheel.read(path)
                expected = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
                assert (digest, int(size)) == (f"sha256={expected}", len(content))
        assert {line.split(",")[0] for line in record} == held
        assert wheel.read("bnlab/_built_for.py").decode() == f'TORCH = "{torch.__version__}"\n'
    sources = {source.relative_to(ROOT / "python").as_posix() for source in (ROOT / "python/bnlab").rglob("*.py")}
    made = {"bnlab/libbnlab_torch.so", "bnlab/libbnlab_doctor.so", "bnlab/_built_for.py"}
    assert sources | made == {path for path in held if path.startswith("bnlab/")}
    first = (tmp_path / name).read_bytes()
    backend.build_wheel(str(tmp_path))
    assert (tmp_path / name).read_bytes() == first


def test_an_editable_install_points_to_the_clone(tmp_path, monkeypatch, backend):
    monkeypatch.setattr(backend, "_build_libraries", lambda folder, torch: [folder / "libbnlab_torch.so"])
    with zipfile.ZipFile(tmp_path / backend.build_editable(str(tmp_path))) as wheel:
        assert wheel.read("bnlab.pth").decode() == f"{ROOT}/python\n"


def test_the_pytorch_of_the_python_that_installs_is_found(tmp_path, monkeypatch, backend):
    """Another PyTorch, in a virtual environment, with its own CMake package: as pip's are."""
    found = backend._find_torch()
    assert found.version == torch.__version__
    base = getattr(sys, "_base_executable", sys.executable)
    subprocess.run([base, "-m", "venv", "--without-pip", str(tmp_path / "venv")], check=True)
    (packages,) = (tmp_path / "venv").glob("lib/*/site-packages")
    package = packages / "torch"
    (package / "share/cmake/Torch").mkdir(parents=True)
    (package / "__init__.py").write_text("__version__ = '9.8+cpu'\nfrom torch import utils\n")
    (package / "utils.py").write_text(f"cmake_prefix_path = {str(package / 'share/cmake')!r}\n")
    (package / "share/cmake/Torch/TorchConfig.cmake").write_text('message(FATAL_ERROR "this is the Torch of 9.8")\n')
    monkeypatch.setattr(sys, "executable", str(tmp_path / "venv/bin/python"))
    monkeypatch.setenv("PYTHONPATH", "/nowhere")  # as pip does
    other = backend._find_torch()
    assert other == ("9.8+cpu", str(package / "share/cmake"))
    folder = tmp_path / "build"
    with pytest.raises(SystemExit, match="cmake"):
        backend.build_wheel(str(tmp_path), {"build-dir": str(folder)})
    (folder / "CMakeCache.txt").write_text("Torch_DIR:PATH=/usr/lib/x86_64-linux-gnu/cmake/Torch\n")
    with pytest.raises(SystemExit, match="set up for another PyTorch than 9.8"):
        backend.build_wheel(str(tmp_path), {"build-dir": str(folder)})
    (package / "__init__.py").write_text("raise ImportError('it is broken')\n")
    with pytest.raises(SystemExit, match="cannot import torch .*it is broken"):
        backend.build_wheel(str(tmp_path))


def test_a_failing_build_is_told_in_a_sentence(tmp_path, monkeypatch, backend):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SystemExit, match="cmake.*make setup"):
        backend.build_wheel(str(tmp_path), {"build-dir": str(tmp_path / "none")})
