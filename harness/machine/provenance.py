"""What produced a result: recipe version, package versions, commit, machine, device."""

import contextlib
import ctypes
import functools
import importlib.metadata
import os
import platform
import subprocess
from pathlib import Path

from pydantic import BaseModel, ConfigDict

DISTRIBUTION = "cola-finetuning-benchmark"
"""The name under which this project is installed."""

RECIPE_VERSION = 5
"""Raised whenever a change of the training code changes a result; part of every run's key."""

RESULT_PACKAGES = ("torch", "transformers", "tokenizers", "datasets", "accelerate")
"""Packages whose versions are part of a run's key."""

RECORDED_PACKAGES = (*RESULT_PACKAGES, "evaluate", "numpy", "pyarrow", "scikit-learn", "scipy")


class Machine(BaseModel):
    """The machine that trained a run; it contains no name of the machine or its user."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    system: str
    processor: str
    cores: int
    memory_gb: float | None
    accelerator: str | None
    python: str


@functools.cache
def versions(packages: tuple[str, ...] = RECORDED_PACKAGES) -> dict[str, str | None]:
    """Return the installed version of each package, None where it is not installed."""

    def version(package: str) -> str | None:
        try:
            return importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            return None

    return {package: version(package) for package in packages}


def available_cores() -> int:
    """Return the number of processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@functools.cache
def device_type() -> str:
    """Return `cuda` where torch sees a GPU, else `cpu`."""
    if not _driver_installed():
        return "cpu"  # without importing torch, which takes seconds
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


@functools.cache
def machine() -> Machine:
    """Describe this machine."""
    return Machine(
        system=f"{platform.system()} {platform.machine()}",
        processor=_processor(),
        cores=available_cores(),
        memory_gb=_memory_gb(),
        accelerator=_accelerator(),
        python=platform.python_version(),
    )


@functools.cache
def commit() -> str | None:
    """Return the harness' git commit, with `+` if its files differ; None outside a checkout."""
    file = Path(__file__)
    harness = file.parents[1]

    def git(*arguments: str) -> str:
        command = ("git", "-C", str(harness), *arguments)
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    try:
        revision = git("rev-parse", "--short=12", "HEAD")
        # An installed copy may be inside another project's checkout, whose commit is not ours.
        if not git("ls-files", "--", str(file.relative_to(harness))):
            return None
        return revision + ("+" if git("status", "--porcelain", "--", str(harness)) else "")
    except (OSError, subprocess.CalledProcessError):
        return None


def _driver_installed() -> bool:
    """Return whether the system has a driver for torch's `cuda`: NVIDIA's or AMD's."""
    for library in ("libcuda.so.1", "nvcuda.dll"):
        with contextlib.suppress(OSError):
            ctypes.CDLL(library)
            return True
    return Path("/dev/kfd").exists()


def _processor() -> str:
    with contextlib.suppress(OSError):  # exists on Linux only, and some containers hide it
        for line in Path("/proc/cpuinfo").read_text(errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _memory_gb() -> float | None:
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)
    except (ValueError, OSError):
        return None


def _accelerator() -> str | None:
    if device_type() != "cuda":
        return None
    import torch

    try:
        return torch.cuda.get_device_name(0)
    except Exception:  # the GPU failed after the run, whose record is written all the same
        return None
