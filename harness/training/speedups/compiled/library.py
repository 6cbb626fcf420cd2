"""Compiles this package's C++ once per machine and loads it.

The library calls torch's own BLAS for matrix products. Sources are compiled with the machine's
compiler for its own processor, and kept in the user's cache folder: XDG_CACHE_HOME, or ~/.cache.
"""

import contextlib
import ctypes
import functools
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import torch

SOURCES = tuple(Path(__file__).with_name(name) for name in ("encoder.cpp", "optimizer.cpp"))
HEADERS = tuple(Path(__file__).with_name(name) for name in ("elements.h", "products.h"))
FLAGS = (
    *("-O3", "-march=native", "-std=c++17", "-shared", "-fPIC"),
    # Vector instructions in loops marked so. It starts no threads.
    "-fopenmp-simd",
    # Nobody reads errno or floating-point exceptions; without them, more loops become vectors.
    *("-fno-math-errno", "-fno-trapping-math"),
)
COMPILE_SECONDS = 120.0

KINDS = {torch.float32: "float", torch.float64: "double"}
"""The end of a function's name, by the type of element that it computes with."""


@dataclass(frozen=True)
class Library:
    """The loaded library, and the addresses of torch's matrix products by type of element."""

    functions: ctypes.CDLL
    gemm: dict[torch.dtype, int]


@functools.cache
def load() -> Library | None:
    """Return the library, compiled if it is not in the cache; None where that is impossible."""
    return None if isinstance(found := find(), str) else found


@functools.cache
def find() -> Library | str:
    """Return the library, or why there is none, as a phrase."""
    if sys.platform != "linux":
        return f"needs Linux, not {sys.platform}"
    gemm = _matrix_products()
    if gemm is None:
        return "this build of torch has no BLAS that other libraries can call"
    compiler = shutil.which("c++") or shutil.which("g++") or shutil.which("clang++")
    if compiler is None:
        return "no C++ compiler (c++, g++ or clang++) is installed"
    try:
        return Library(ctypes.CDLL(str(_compiled(compiler))), gemm)
    except subprocess.CalledProcessError as error:
        reason = (error.stderr.strip().splitlines() or ["no reason was given"])[-1]
        return f"the C++ compiler failed: {reason}"
    except subprocess.TimeoutExpired:
        return f"the C++ compiler took more than {COMPILE_SECONDS:.0f} s"
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


def _compiled(compiler: str) -> Path:
    """Return the compiled library's path.

    Raises:
        subprocess.SubprocessError: the compiler failed.
        OSError: the cache folder cannot be written.
    """
    version = subprocess.run(
        [compiler, "--version"], capture_output=True, text=True, check=True, timeout=COMPILE_SECONDS
    ).stdout
    digest = hashlib.sha256()
    for part in (
        version,
        " ".join(FLAGS),
        _processor(),
        *map(Path.read_text, (*SOURCES, *HEADERS)),
    ):
        digest.update(part.encode() + b"\0")
    folder = _cache()
    library = folder / f"{digest.hexdigest()[:32]}.so"
    if library.exists():
        return library
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    # Under a name of its own first: simultaneous runs may compile, too, and one may be killed.
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        made = Path(scratch) / "library.so"
        subprocess.run(
            [compiler, *FLAGS, *map(str, SOURCES), "-o", str(made)],
            capture_output=True,
            text=True,
            check=True,
            timeout=COMPILE_SECONDS,
        )
        made.replace(library)
    return library


def _cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "cola-finetuning-benchmark"


def _processor() -> str:
    """Return the processor's features: a home folder may be shared by different machines."""
    with contextlib.suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next((line for line in lines if line.startswith(("flags", "Features"))), "")
    return ""
