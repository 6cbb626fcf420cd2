"""Compiles this package's C++ for the machine's own processor, once; without torch.

The result is kept in the user's cache folder: in XDG_CACHE_HOME, or else ~/.cache.
"""

import contextlib
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

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
COMPILERS = ("c++", "g++", "clang++")


def obstacle() -> str | None:
    """Return why this machine cannot compile, as a phrase; None if it can be tried."""
    if sys.platform != "linux" or sys.byteorder != "little":
        return f"needs Linux on a little-endian processor, not {sys.platform} ({sys.byteorder})"
    if find() is None:
        return f"no C++ compiler ({', '.join(COMPILERS)}) is installed"
    try:
        _check_cache(_cache())
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
    for part in (version, " ".join(FLAGS), _processor(), *sources):
        digest.update(part.encode() + b"\0")
    folder = _cache()
    library = folder / f"{digest.hexdigest()[:32]}.so"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    _check_cache(folder)
    if library.exists() and _is_whole(library):
        return library
    # Under a name of its own first: simultaneous runs may compile, too, and one may be killed.
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        made = Path(scratch) / "library.so"
        _output([compiler, *FLAGS, *map(str, SOURCES), "-o", str(made)])
        with made.open("ab") as file:
            file.write(hashlib.sha256(made.read_bytes()).digest())
        made.replace(library)
    return library


def _is_whole(library: Path) -> bool:
    """Return whether a library ends with the digest of the rest, which its loader does not read.

    A lost end, as after a power failure, would end the process that loads the library.
    """
    data = library.read_bytes()
    size = hashlib.sha256().digest_size
    return hashlib.sha256(data[:-size]).digest() == data[-size:]


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


def _cache() -> Path:
    """Return the folder of compiled libraries.

    Raises:
        FileNotFoundError: the user has no home folder.
    """
    base = Path(os.environ.get("XDG_CACHE_HOME", ""))
    if not base.is_absolute():  # the specification of XDG_CACHE_HOME ignores other paths
        try:
            base = Path.home() / ".cache"
        except RuntimeError:
            problem = "this user has no home folder; set XDG_CACHE_HOME to a folder of your own"
            raise FileNotFoundError(problem) from None
    return base / "cola-finetuning-benchmark"


def _check_cache(folder: Path) -> None:
    """Refuse a cache folder that cannot be made, or where others can put a library to be run.

    Raises:
        OSError: with the way out.
    """
    if not folder.exists():
        made = next(parent for parent in folder.parents if parent.exists())
        if not made.is_dir() or not os.access(made, os.W_OK | os.X_OK):
            problem = f"{folder} cannot be made"
            raise PermissionError(f"{problem}; set XDG_CACHE_HOME to a folder of your own")
        return
    about = folder.stat()
    if about.st_uid != os.geteuid():
        problem = f"{folder} belongs to user {about.st_uid}, not to {os.geteuid()}"
        raise PermissionError(f"{problem}; set XDG_CACHE_HOME to a folder of your own")
    if about.st_mode & 0o022:
        problem = f"other users can write to {folder} (mode {about.st_mode & 0o777:o})"
        raise PermissionError(f"{problem}; remove that folder")


def _processor() -> str:
    """Return the processor's features: a home folder may be shared by different machines."""
    with contextlib.suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next((line for line in lines if line.startswith(("flags", "Features"))), "")
    return ""
