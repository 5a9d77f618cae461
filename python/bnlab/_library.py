"""Finds the operator library, libbnlab_torch.so, and loads it into PyTorch."""
import os
import sys
import sysconfig
import warnings
from pathlib import Path

_NAME = "libbnlab_torch.so"
_OVERRIDE = "BNLAB_TORCH_LIBRARY"
_PACKAGE = Path(__file__).resolve().parent
_DEBIAN_PACKAGES = Path("/usr/lib/python3/dist-packages")


def _places():
    """Where the library may lie: beside an installed package, or in the build folder of the clone it is used from."""
    return [_PACKAGE / _NAME, _PACKAGE.parent.parent / "build" / _NAME]


def _find() -> Path:
    override = os.environ.get(_OVERRIDE)
    if override:
        if not Path(override).is_file():
            raise ImportError(f"bnlab: {_OVERRIDE} names {override}, which is not a file. Correct it, or unset it.")
        return Path(override).resolve()
    for place in _places():
        if place.is_file():
            return place
    looked = " and ".join(str(place) for place in _places())
    raise ImportError(
        f"bnlab: the operator library is missing: looked for {looked}. In a clone of bnlab, build it (make run, or "
        f"cmake --preset release && cmake --build build --target bnlab_torch), or install the package from there (pip "
        f"install .); or set {_OVERRIDE} to the file."
    )


def first_line(error: BaseException) -> str:
    return (str(error).strip() or "no message").splitlines()[0]


def _import_torch():
    """torch; on Debian also for another CPython of Debian's version, such as pyenv's, that has no torch of its own."""
    try:
        import torch
    except ModuleNotFoundError as error:
        extension = _DEBIAN_PACKAGES / "torch" / f"_C{sysconfig.get_config_var('EXT_SUFFIX')}"
        if error.name != "torch" or not extension.is_file():
            raise
        sys.path.append(str(_DEBIAN_PACKAGES))
        import torch
    return torch


def _check_built_for(torch) -> None:
    """ImportError if this is an installed wheel that was built for another PyTorch."""
    try:
        from bnlab._built_for import TORCH
    except ImportError:
        return  # used from a clone, or with a library of its own
    if torch.__version__ != TORCH and not os.environ.get(_OVERRIDE):
        raise ImportError(
            f"bnlab: it was installed for PyTorch {TORCH}, and this Python has PyTorch {torch.__version__}. Install it "
            "again from a clone of bnlab: pip install --force-reinstall ."
        )


def load() -> None:
    """Loads the library unless its operators are there already. ImportError that says what to do."""
    try:
        torch = _import_torch()
    except ImportError as error:
        raise ImportError(
            f"bnlab: this Python cannot import torch ({first_line(error)}). On Debian, install python3-torch and use "
            "/usr/bin/python3."
        ) from error
    _check_built_for(torch)
    if not hasattr(torch.ops.bnlab, "version"):
        library = _find()
        try:
            torch.ops.load_library(str(library))
        except (OSError, RuntimeError) as error:
            raise ImportError(
                f"bnlab: {library} cannot be loaded into PyTorch {torch.__version__}: {first_line(error)}. It works "
                "with the libtorch that it was built with; build it again with the one that this Python uses."
            ) from error
    try:
        torch.ops.bnlab.instruction_set()
    except RuntimeError as error:
        raise ImportError(
            f"bnlab: BNLAB_FORCE_ISA={os.environ.get('BNLAB_FORCE_ISA')} cannot be used: {first_line(error)} "
            "Correct it, or unset it."
        ) from error
    if torch.ops.bnlab.avoid_wrong_convolutions():
        warnings.warn(f"bnlab: {torch.ops.bnlab.convolutions_were_wrong()}", stacklevel=3)
