"""Loads this package's compiled code. It may call torch's own BLAS for matrix products."""

import ctypes
import functools
import subprocess
from dataclasses import dataclass
from pathlib import Path

import torch

from harness.training.speedups.compiled import compiler

KINDS = {torch.float32: "float", torch.float64: "double"}
"""The end of a function's name, by the type of element that it computes with."""


@dataclass(frozen=True)
class Library:
    """The loaded library, and the addresses of torch's matrix products by type of element.

    `tiled` is whether this is a processor on which its own matrix products were measured to be
    faster than MKL's, in one thread.
    """

    functions: ctypes.CDLL
    gemm: dict[torch.dtype, int]
    tiled: bool


def load() -> Library | None:
    """Return the library, compiled if it is not in the cache; None where that is impossible.

    Why it is impossible is printed, to the log of a run.
    """
    if isinstance(found := find(), str):
        print(f"trained without compiled code: {found}")
        return None
    return found


@functools.cache
def find() -> Library | str:
    """Return the library, or why there is none, as a phrase."""
    if (obstacle := compiler.obstacle()) is not None:
        return obstacle
    gemm = _matrix_products()
    if gemm is None:
        return "this build of torch has no BLAS that other libraries can call"
    try:
        functions = ctypes.CDLL(str(compiler.compiled(str(compiler.find()))))
        return Library(functions, gemm, tiled=bool(functions.tiles_pay_here()))
    except subprocess.CalledProcessError as error:
        reason = (error.stderr.strip().splitlines() or ["no reason was given"])[-1]
        return f"the C++ compiler failed: {reason}"
    except subprocess.TimeoutExpired:
        return f"the C++ compiler took more than {compiler.COMPILE_SECONDS:.0f} s"
    except OSError as error:
        return f"the compiled library cannot be kept or loaded: {error}"


def _matrix_products() -> dict[torch.dtype, int] | None:
    """Return the addresses of sgemm and dgemm in torch's library; None if it has none."""
    path = Path(torch.__file__).parent / "lib" / "libtorch_cpu.so"
    try:
        blas = ctypes.CDLL(str(path))
        symbols = {torch.float32: blas.sgemm_, torch.float64: blas.dgemm_}
    except (OSError, AttributeError):
        return None
    addresses = {dtype: ctypes.cast(symbol, ctypes.c_void_p) for dtype, symbol in symbols.items()}
    return {dtype: address.value or 0 for dtype, address in addresses.items()}
