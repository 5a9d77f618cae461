"""The build backend that pip calls (PEP 517, PEP 660; named in pyproject.toml): builds the package's libraries with
cmake and writes the wheel. Needs nothing but Python and what `make setup` installs, so `pip install .` works without a
network.

The library works only with the PyTorch that it was built with: that of the Python that pip runs in, Debian's or pip's.
The wheel says which one that was, and is refused by another; it has no Requires-Dist, so that pip fetches none.
"""
import base64
import hashlib
import os
import re
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path
from typing import List, NamedTuple

_ROOT = Path(__file__).resolve().parent.parent
_LIBRARIES = {"bnlab_torch": "libbnlab_torch.so", "bnlab_doctor_c": "libbnlab_doctor.so"}  # by cmake's target
_TIME = (2020, 1, 1, 0, 0, 0)  # of the files in the wheel: the same content gives the same wheel


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    """The package with the libraries in it.

    Builds in build/ where make has built with the same PyTorch, else in build-wheel/; or in the folder named by
    --config-settings=build-dir=... or $BNLAB_BUILD_DIR.
    """
    torch = _find_torch()
    folder = (config_settings or {}).get("build-dir") or os.environ.get("BNLAB_BUILD_DIR")
    if not folder:
        folder = "build" if _uses(_ROOT / "build", torch) else "build-wheel"
    libraries = _build_libraries(_ROOT / folder, torch)
    python = _ROOT / "python"
    sources = sorted((python / "bnlab").rglob("*.py"))
    files = {source.relative_to(python).as_posix(): source.read_bytes() for source in sources}
    files.update((f"bnlab/{library.name}", library.read_bytes()) for library in libraries)
    files["bnlab/_built_for.py"] = f'TORCH = "{torch.version}"\n'.encode()
    return _write_wheel(Path(wheel_directory), files)


def build_editable(wheel_directory, config_settings=None, metadata_directory=None):
    """A pointer to the package in this clone, which finds the libraries in build/."""
    _build_libraries(_ROOT / "build", _find_torch())  # the one folder where the package looks
    return _write_wheel(Path(wheel_directory), {"bnlab.pth": f"{_ROOT / 'python'}\n".encode()})


def build_sdist(sdist_directory, config_settings=None):
    raise UnsupportedOperation("bnlab has no source distribution; install from a clone: pip install .")


class UnsupportedOperation(Exception):
    """What PEP 517 has a backend raise that cannot make an sdist."""


class _Torch(NamedTuple):
    version: str
    cmake: str  # where its CMake package lies; empty for Debian's, which CMake finds itself


def _find_torch() -> _Torch:
    """The PyTorch of the Python that pip runs in. pip hides it from this process by PYTHONPATH, but not from another.

    A Python without one takes Debian's, as the package does.
    """
    code = (
        "import sys; sys.path.append('/usr/lib/python3/dist-packages'); import torch; "
        "print(torch.__version__); print(torch.utils.cmake_prefix_path)"
    )
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    found = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    if found.returncode != 0:
        reason = (found.stderr.strip() or "no reason given").splitlines()[-1]
        raise SystemExit(f"bnlab: {sys.executable} cannot import torch ({reason}). Install PyTorch for it, then try again.")
    version, cmake = found.stdout.split("\n")[:2]
    return _Torch(version, cmake if (Path(cmake) / "Torch").is_dir() else "")


def _uses(folder: Path, torch: _Torch) -> bool:
    """Whether the build folder is configured for that PyTorch."""
    cache = folder / "CMakeCache.txt"
    if not cache.is_file():
        return False
    used = re.search(r"^Torch_DIR:PATH=(.*)$", cache.read_text(), re.M)
    return used is not None and used.group(1).startswith(torch.cmake or "/usr/")


def _build_libraries(folder: Path, torch: _Torch) -> List[Path]:
    if not (folder / "CMakeCache.txt").is_file():
        prefix = [f"-DCMAKE_PREFIX_PATH={torch.cmake}"] if torch.cmake else []
        toolkit = [] if folder == _ROOT / "build" else ["-DBNLAB_TOOLKIT=ON"]  # there make builds the rest later
        _run("cmake", "--preset", "release", "-B", str(folder), *toolkit, *prefix)
    if not _uses(folder, torch):
        raise SystemExit(
            f"bnlab: {folder} is set up for another PyTorch than {torch.version}, which this Python has. Delete the folder, "
            "or name another one in BNLAB_BUILD_DIR."
        )
    _run("cmake", "--build", str(folder), "--target", *_LIBRARIES)
    return [folder / name for name in _LIBRARIES.values()]


def _run(*command) -> None:
    try:
        subprocess.run(command, cwd=_ROOT, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise SystemExit(f"bnlab: {error}. Install what the build needs (make setup), then try again.") from error


def _version() -> str:
    return re.search(r"project\(bnlab VERSION ([\d.]+)", (_ROOT / "CMakeLists.txt").read_text()).group(1)


def _write_wheel(folder: Path, files) -> str:
    """Binary for this platform, for any Python 3: the libraries do not know Python."""
    version = _version()
    tag = "py3-none-" + re.sub(r"[-.]", "_", sysconfig.get_platform())
    info = f"bnlab-{version}.dist-info"
    files = dict(files)
    files[f"{info}/METADATA"] = (
        "Metadata-Version: 2.1\nName: bnlab\n"
        f"Version: {version}\n"
        "Summary: Batch normalization for PyTorch on the CPU: faster, more exact, deterministic\n"
        "License: MIT\nRequires-Python: >=3.9\n"
    ).encode()
    files[f"{info}/WHEEL"] = (
        f"Wheel-Version: 1.0\nGenerator: bnlab\nRoot-Is-Purelib: false\nTag: {tag}\n".encode()
    )
    files[f"{info}/LICENSE"] = (_ROOT / "LICENSE").read_bytes()
    files[f"{info}/RECORD"] = _record(files, f"{info}/RECORD")
    name = f"bnlab-{version}-{tag}.whl"
    with zipfile.ZipFile(folder / name, "w", zipfile.ZIP_DEFLATED) as wheel:
        for path, content in files.items():
            entry = zipfile.ZipInfo(path, _TIME)
            entry.external_attr = 0o100644 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            wheel.writestr(entry, content)
    return name


def _record(files, own_path: str) -> bytes:
    lines = []
    for path, content in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
        lines.append(f"{path},sha256={digest},{len(content)}")
    return "\n".join(lines + [f"{own_path},,", ""]).encode()
