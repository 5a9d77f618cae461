"""The doctor's rules, libbnlab_doctor.so, by ctypes: JSON in, JSON out."""
import ctypes
import functools
import json
from pathlib import Path
from typing import Any, Dict

from bnlab import _library

_NAME = "libbnlab_doctor.so"


@functools.lru_cache(maxsize=None)
def _load() -> ctypes.CDLL:
    place = Path(_library._find()).parent / _NAME
    try:
        library = ctypes.CDLL(str(place))
    except OSError as error:
        raise ImportError(
            f"bnlab.doctor: {place} cannot be loaded ({error}). In a clone of bnlab, build it: cmake --build build "
            "--target bnlab_doctor_c."
        ) from error
    for name in ("bnlab_doctor_examine", "bnlab_doctor_write", "bnlab_doctor_accept"):
        getattr(library, name).restype = ctypes.c_void_p
    library.bnlab_doctor_free.argtypes = [ctypes.c_void_p]
    library.bnlab_doctor_free.restype = None
    return library


def _answer(pointer, library: ctypes.CDLL) -> Dict[str, Any]:
    if not pointer:
        raise MemoryError("bnlab.doctor: not enough memory for the report.")
    try:
        answer = json.loads(ctypes.string_at(pointer).decode())
    finally:
        library.bnlab_doctor_free(pointer)
    if "error" in answer:
        raise ValueError(f"bnlab.doctor: {answer['error']}")
    return answer


def examine(facts: Dict[str, Any]) -> Dict[str, Any]:
    """The report that the rules make of these facts; ValueError that names the key that is wrong."""
    library = _load()
    text = json.dumps(facts, allow_nan=False).encode()
    return _answer(library.bnlab_doctor_examine(ctypes.c_char_p(text)), library)["report"]


def write(report: Dict[str, Any], kind: str) -> str:
    """The report as "text" or "sarif", or the "baseline" that accepts its findings."""
    library = _load()
    text = json.dumps(report, allow_nan=False).encode()
    return _answer(library.bnlab_doctor_write(ctypes.c_char_p(text), ctypes.c_char_p(kind.encode())), library)["text"]


def accept(report: Dict[str, Any], baseline: str) -> Dict[str, Any]:
    """The report without the findings that the baseline accepts; ValueError if it is none."""
    library = _load()
    text = json.dumps(report, allow_nan=False).encode()
    return _answer(library.bnlab_doctor_accept(ctypes.c_char_p(text), ctypes.c_char_p(baseline.encode())), library)["report"]
