"""Compiles this package's C++ for the machine's own processor, once; without torch.

The result is kept in the user's cache folder.
"""

import hashlib
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from harness.machine import cache

SOURCES = tuple(Path(__file__).with_name(name) for name in ("encoder.cpp", "optimizer.cpp"))
HEADERS = tuple(Path(__file__).with_name(name) for name in ("elements.h", "products.h", "tiles.h"))
FLAGS = (
    *("-O3", "-march=native", "-std=c++17", "-shared", "-fPIC"),
    # Vector instructions in loops marked so. It starts no threads.
    "-fopenmp-simd",
    # Nobody reads errno or floating-point exceptions; without them, more loops become vectors.
    *("-fno-math-errno", "-fno-trapping-math"),
)
COMPILE_SECONDS = 120.0
COMPILERS = ("c++", "g++", "clang++")


def obstacle() -> str | None:
    """Return why this machine cannot compile, as a phrase; None if it can be tried."""
    if sys.platform != "linux" or sys.byteorder != "little":
        return f"needs Linux on a little-endian processor, not {sys.platform} ({sys.byteorder})"
    if find() is None:
        return f"no C++ compiler ({', '.join(COMPILERS)}) is installed"
    try:
        cache.check(cache.folder())
    except OSError as error:
        return f"the compiled library cannot be kept or loaded: {error}"
    return None


def find() -> str | None:
    """Return the path of a C++ compiler, None if there is none."""
    return next((path for name in COMPILERS if (path := shutil.which(name))), None)


def compiled(compiler: str) -> Path:
    """Return the compiled library's path.

    Raises:
        subprocess.SubprocessError: the compiler failed, or took more than COMPILE_SECONDS.
        OSError: there is no cache folder, it cannot be written, or others can write there.
    """
    version = _output([compiler, "--version"])
    digest = hashlib.sha256()
    sources = [path.read_text("utf-8") for path in (*SOURCES, *HEADERS)]
    for part in (version, " ".join(FLAGS), cache.processor(), *sources):
        digest.update(part.encode() + b"\0")
    folder = cache.folder()
    library = folder / f"{digest.hexdigest()[:32]}.so"
    cache.make(folder)
    cache.check(folder)
    # Without its end, the library would end the process that loads it.
    if library.exists() and cache.whole(library.read_bytes()) is not None:
        return library
    # Under a name of its own first: simultaneous runs may compile, too, and one may be killed.
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        made = Path(scratch) / "library.so"
        _output([compiler, *FLAGS, *map(str, SOURCES), "-o", str(made)])
        made.write_bytes(cache.with_digest(made.read_bytes()))  # its loader does not read the end
        made.replace(library)
    return library


def _output(command: list[str]) -> str:
    # Compilers write file names and messages in any encoding.
    return subprocess.run(
        command,
        capture_output=True,
        text=True,
        errors="replace",
        check=True,
        timeout=COMPILE_SECONDS,
    ).stdout
