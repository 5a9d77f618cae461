"""The build backend that pip calls (PEP 517, PEP 660; named in pyproject.toml): builds the operator library with
cmake and writes the wheel. Needs nothing but Python and what `make setup` installs, so `pip install .` works without a
network.

The wheel has no Requires-Dist: the library works only with the libtorch it was built with, so pip must not fetch
another one.
"""
import base64
import hashlib
import os
import re
import subprocess
import sysconfig
import zipfile
from pathlib import Path

_ROOT = Path(__file__).resolve().parent.parent
_LIBRARY = "libbnlab_torch.so"
_TIME = (2020, 1, 1, 0, 0, 0)  # of the files in the wheel: the same content gives the same wheel


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    """The package with the library in it.

    Builds in build/, as make does, or in the folder named by --config-settings=build-dir=... or $BNLAB_BUILD_DIR.
    """
    folder = (config_settings or {}).get("build-dir") or os.environ.get("BNLAB_BUILD_DIR") or "build"
    library = _build_library(_ROOT / folder)
    files = {f"bnlab/{source.name}": source.read_bytes() for source in sorted((_ROOT / "python/bnlab").glob("*.py"))}
    files[f"bnlab/{_LIBRARY}"] = library.read_bytes()
    return _write_wheel(Path(wheel_directory), files)


def build_editable(wheel_directory, config_settings=None, metadata_directory=None):
    """A pointer to the package in this clone, which finds the library in build/."""
    _build_library(_ROOT / "build")  # the one folder where the package looks
    return _write_wheel(Path(wheel_directory), {"bnlab.pth": f"{_ROOT / 'python'}\n".encode()})


def build_sdist(sdist_directory, config_settings=None):
    raise UnsupportedOperation("bnlab has no source distribution; install from a clone: pip install .")


class UnsupportedOperation(Exception):
    """What PEP 517 has a backend raise that cannot make an sdist."""


def _build_library(folder: Path) -> Path:
    if not (folder / "CMakeCache.txt").is_file():
        _run("cmake", "--preset", "release", "-B", str(folder))
    _run("cmake", "--build", str(folder), "--target", "bnlab_torch")
    return folder / _LIBRARY


def _run(*command) -> None:
    try:
        subprocess.run(command, cwd=_ROOT, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise SystemExit(f"bnlab: {error}. Install what the build needs (make setup), then try again.") from error


def _version() -> str:
    return re.search(r"project\(bnlab VERSION ([\d.]+)", (_ROOT / "CMakeLists.txt").read_text()).group(1)


def _write_wheel(folder: Path, files) -> str:
    """Binary for this platform, for any Python 3: the library does not know Python."""
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
