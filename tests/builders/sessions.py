"""The real `pytest benchmarks/` on a tiny checkpoint and a tiny file, in a process of its own."""

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from builders.small_suite import write_suite

ROOT = Path(__file__).parents[2]

SUITE = """
name = "tiny"
keep_models = "all"
[dataset]
source = "file"
path = "data.csv"
validation_size = 20
test_size = 10
[matrix]
checkpoints = ["./encoder"]
batch_sizes = [8]
learning_rates = [1e-3, 1e-4]
seeds = [1, 2]
[training]
epochs = 2
max_length = 32
[gates]
min_mcc = -1
"""

GATED_SUITE = (
    SUITE.replace("seeds = [1, 2]", "seeds = [1]")
    .replace("epochs = 2", "epochs = 1")
    .replace('keep_models = "all"\n', "")
    + "suite.best_min_mcc = -1\n"
)
"""A gate of its own on two cells of one short run each, of which no model is kept."""


@dataclass(frozen=True)
class Session:
    """A finished invocation."""

    code: int
    output: str


def begin(
    folder: Path,
    *arguments: str,
    suite: Path | None = None,
    own_group: bool = False,
    variables: Mapping[str, str] | None = None,
    paths: Sequence[str] = ("benchmarks/",),
) -> subprocess.Popen[str]:
    """Start `pytest benchmarks/`, or other paths, on a suite, with results in the folder.

    `own_group` gives it a process group, which a signal reaches as Ctrl-C does in a terminal.
    """
    named = () if suite is None else ("--suite", str(suite))
    unwanted = ("COLA_DIR", "CI", "GITHUB_STEP_SUMMARY")
    environment = {name: value for name, value in os.environ.items() if name not in unwanted}
    environment |= {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", **(variables or {})}
    return subprocess.Popen(
        [
            *(sys.executable, "-m", "pytest", *paths, "--color=no"),
            *("-o", f"cache_dir={folder / 'cache'}", "--results-dir", str(folder / "results")),
            # One thread a run: two would wait for each other where other work shares the cores.
            *("--workers", "2", *named, *arguments),
        ],
        cwd=ROOT,
        env=environment,
        start_new_session=own_group,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def run(
    folder: Path,
    *arguments: str,
    suite: Path | None = None,
    variables: Mapping[str, str] | None = None,
    paths: Sequence[str] = ("benchmarks/",),
) -> Session:
    """Run `pytest benchmarks/` to its end, with these variables in its environment."""
    process = begin(folder, *arguments, suite=suite, variables=variables, paths=paths)
    output, _ = process.communicate()
    return Session(process.returncode, output)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_suite(tmp_path_factory.mktemp("benchmarks"), SUITE)


def copy_store(folder: Path, to: Path) -> Path:
    """Give another results folder the finished runs, and return the suite's folder in it."""
    suite = to / "results" / "tiny"
    shutil.copytree(folder / "results" / "tiny" / "runs", suite / "runs")
    return suite


def worker_of(session: subprocess.Popen[str], run_folder: Path) -> psutil.Process:
    """Return the process that writes a run's log."""
    log = str(run_folder / "log.txt")
    for process in psutil.Process(session.pid).children(recursive=True):
        with contextlib.suppress(psutil.Error):
            if any(file.path == log for file in process.open_files()):
                return process
    raise AssertionError(f"nobody writes {log}")
