"""This project as others install it: its archives, and an environment that has only the wheel."""

import os
import subprocess
import sys
import sysconfig
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from builders.ci_jobs import copy_tree
from builders.sessions import ROOT, Session

BUILD = "import sys; from setuptools.build_meta import {0}; print({0}(sys.argv[1]))"

SETTINGS = {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "PYTEST_ADDOPTS": "-p no:randomly"}


@dataclass(frozen=True)
class Installed:
    """The project's archives, and the folder of programs of an environment with its wheel."""

    wheel: Path
    sdist: Path
    programs: Path

    def run(
        self,
        program: str,
        *arguments: str,
        folder: Path,
        variables: Mapping[str, str] | None = None,
    ) -> Session:
        """Run `pytest`, `harness` or `python` in a folder, without the network.

        Tests run in their usual order, unless the variables have another PYTEST_ADDOPTS.
        """
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}
        done = subprocess.run(
            [self.programs / program, *arguments],
            cwd=folder,
            env=kept | SETTINGS | dict(variables or {}),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        return Session(done.returncode, done.stdout)


def build(kind: str, source: Path, to: Path) -> Path:
    """Build an archive, `build_wheel` or `build_sdist`, from the folder with pyproject.toml."""
    done = subprocess.run(
        [sys.executable, "-c", BUILD.format(kind), str(to)],
        cwd=source,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return to / done.stdout.splitlines()[-1]


def install(folder: Path) -> Installed:
    """Build the archives of what git tracks, or will track, and install the wheel.

    The dependencies are those of this process' environment, so that nothing is downloaded.
    """
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    names = [name for name in listed.stdout.splitlines() if (ROOT / name).is_file()]
    source = copy_tree(ROOT, folder / "source", names)
    archives = folder / "archives"
    archives.mkdir()
    sdist, wheel = (build(kind, source, archives) for kind in ("build_sdist", "build_wheel"))
    environment = folder / "environment"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True)
    programs = environment / "bin"
    python = str(programs / "python")
    pip = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet"]
    subprocess.run([*pip, "--no-deps", "--no-index", str(wheel)], check=True)
    (packages,) = environment.glob("lib/python*/site-packages")
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    (programs / "pytest").write_text(f'#!/bin/sh\nexec "{python}" -m pytest "$@"\n')
    (programs / "pytest").chmod(0o755)
    return Installed(wheel, sdist, programs)
