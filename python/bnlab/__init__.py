"""bnlab's batch normalization for PyTorch: drop-in modules over the operators of libbnlab_torch.so.

    model = bnlab.convert(model)        # torch.nn.BatchNorm1d/2d/3d become bnlab's
    layer = bnlab.BatchNorm2d(64)       # or build with them from the start

docs/python.md shows the rest. Source of the method: Ioffe & Szegedy 2015.
"""
from bnlab import _library

_library.load()

import torch  # noqa: E402  (after _library, which says what to do if it is missing)

from bnlab import functional  # noqa: E402
from bnlab.conversion import convert, convert_back, fusion_report, synchronize  # noqa: E402
from bnlab.modules import (  # noqa: E402
    BatchNorm1d,
    BatchNorm2d,
    BatchNorm3d,
    BatchNormAddReLU1d,
    BatchNormAddReLU2d,
    BatchNormAddReLU3d,
    BatchNormReLU1d,
    BatchNormReLU2d,
    BatchNormReLU3d,
    FusedReLU,
    advance_step,
    eps_of,
)

from bnlab.synchronized import SyncBatchNorm  # noqa: E402

from bnlab import doctor  # noqa: E402  (it needs what stands above)

__version__ = torch.ops.bnlab.version()

__all__ = [
    "BatchNorm1d",
    "BatchNorm2d",
    "BatchNorm3d",
    "BatchNormAddReLU1d",
    "BatchNormAddReLU2d",
    "BatchNormAddReLU3d",
    "BatchNormReLU1d",
    "BatchNormReLU2d",
    "BatchNormReLU3d",
    "FusedReLU",
    "SyncBatchNorm",
    "advance_step",
    "convert",
    "convert_back",
    "doctor",
    "empty_cache",
    "eps_of",
    "functional",
    "fusion_report",
    "instruction_set",
    "synchronize",
    "use_caching_allocator",
    "use_instruction_set",
]


def instruction_set() -> str:
    """The SIMD instructions in use: "avx512", "avx2", "sse4" or "portable"."""
    return torch.ops.bnlab.instruction_set()


def use_instruction_set(name: str) -> None:
    """Uses those instructions from now on; RuntimeError unless this processor and this build have them.

    For tests and benchmarks; not while operators run. Programs set BNLAB_FORCE_ISA in their environment.
    """
    torch.ops.bnlab.use_instruction_set(name)


def use_caching_allocator() -> None:
    """Makes all of PyTorch keep and reuse large CPU blocks, which saves the page faults of fresh memory.

    For the whole process and until its end; call it once, at the start. bnlab's own outputs come from such blocks
    without this call. At most a quarter of the machine's memory is kept.
    """
    torch.ops.bnlab.install_allocator()


def empty_cache() -> None:
    """Returns the memory that bnlab keeps, but does not use, to the system."""
    torch.ops.bnlab.empty_cache()
