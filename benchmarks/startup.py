"""What the installed wheel adds to the start of any pytest: python benchmarks/startup.py.

Times `pytest` on one empty test in three environments: pytest alone, with everything that the wheel
asks for, and with the wheel. Their packages are links to those of this interpreter, so nothing is
downloaded. Every round runs all three, in an order that rotates. The bound is one of processor
time, which other programs do not lengthen much.
"""

import importlib.metadata
import os
import resource
import shutil
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import scipy.stats
from packaging.requirements import Requirement
from tabulate import tabulate

from harness.machine import provenance

ROOT = Path(__file__).parent.parent
SOURCES = ("harness", "harness_entry.py", "pyproject.toml", "README.md")
PYTEST, ASKED_FOR, WHEEL = "pytest alone", "and what the wheel asks for", "and the wheel"
ROUNDS = 200
"""Single sessions differ by about 30 ms: 20 rounds cannot show a difference of 10 ms."""
BOUND_MS = 10.0
"""How much longer a session may take with the wheel, whatever else is installed."""


def required(names: Iterable[str]) -> set[str]:
    """Return the names of packages and of all that they require, without extras."""
    found: set[str] = set()
    left = list(names)
    while left:
        name = left.pop().lower().replace("_", "-")
        if name in found:
            continue
        found.add(name)
        for line in importlib.metadata.requires(name) or ():
            requirement = Requirement(line)
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                left.append(requirement.name)
    return found


def link(names: Iterable[str], packages: Path) -> None:
    """Link the files of installed packages into another environment's folder of packages."""
    here = Path(sysconfig.get_path("purelib"))
    for name in names:
        files = importlib.metadata.files(name) or ()
        for first in {file.parts[0] for file in files} - {"..", "__pycache__"}:
            if not (packages / first).exists():
                (packages / first).symlink_to(here / first)


def environment(folder: Path) -> tuple[Path, Path]:
    """Make an empty environment; return its interpreter and its folder of packages."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    (packages,) = folder.glob("lib/python*/site-packages")
    return folder / "bin" / "python", packages


def environments(folder: Path) -> dict[str, Path]:
    """Make the three environments, and return their interpreters."""
    source = folder / "source"
    source.mkdir()
    for name in SOURCES:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copyfile
        copy(ROOT / name, source / name)
    asked_for = required([provenance.DISTRIBUTION]) - {provenance.DISTRIBUTION}
    made = {}
    for name, linked in (
        (PYTEST, required(["pytest"])),
        (ASKED_FOR, asked_for),
        (WHEEL, asked_for),
    ):
        made[name], packages = environment(folder / name.replace(" ", "-"))
        link(linked, packages)
    pip = [sys.executable, "-m", "pip", "--python", str(made[WHEEL]), "install", "--quiet"]
    subprocess.run([*pip, "--no-deps", "--no-build-isolation", str(source)], check=True)
    return made


def session(python: Path, project: Path) -> tuple[float, float]:
    """Return the seconds of a whole `pytest` session: on the clock, and of the processor."""
    command = [str(python), "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    before, began = _of_children(), time.perf_counter()
    done = subprocess.run(command, cwd=project, env=_variables(), capture_output=True, text=True)
    taken = time.perf_counter() - began, _of_children() - before
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout
    return taken


def _of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _variables() -> dict[str, str]:
    unwanted = ("PYTEST", "PYTHON")
    return {name: value for name, value in os.environ.items() if not name.startswith(unwanted)}


def added(first: Sequence[float], second: Sequence[float]) -> tuple[float, float, float]:
    """Return the median of paired differences in ms, and its 95 % interval from ranks (sign test).

    Source of the interval: `scipy.stats.quantile_test`; it assumes no distribution.
    """
    differences = [1000 * (b - a) for a, b in zip(first, second, strict=True)]
    interval = scipy.stats.quantile_test(differences, p=0.5).confidence_interval(0.95)
    return statistics.median(differences), float(interval.low), float(interval.high)


def describe(taken: Mapping[str, Sequence[tuple[float, float]]]) -> str:
    """Return the figures as text: a row per environment, then the bound.

    Args:
        taken: for each environment, the seconds of each round: on the clock, and of the processor.
    """
    by_kind = {name: list(zip(*times, strict=True)) for name, times in taken.items()}
    rows = []
    before: Sequence[Sequence[float]] | None = None
    for name, kinds in by_kind.items():
        row = [name]
        for number, times in enumerate(kinds):
            low_high = "{:+.1f} ({:+.1f} to {:+.1f})"
            more = "" if before is None else low_high.format(*added(before[number], times))
            row += [f"{1000 * statistics.median(times):.0f}", more]
        rows.append(row)
        before = kinds
    columns = ("environment", "ms on the clock", "more", "ms of the processor", "more")
    _, low, high = added(by_kind[ASKED_FOR][1], by_kind[WHEEL][1])
    if high <= BOUND_MS:
        verdict = "within"
    else:
        verdict = "OVER" if low > BOUND_MS else "not shown to be within"
    machine = provenance.machine()
    return "\n".join(
        (
            tabulate(rows, columns, tablefmt="github", disable_numparse=True),
            "",
            "more: than the row above, the median of paired differences and its 95 % interval",
            f"the wheel's own processor time is {verdict} the bound of {BOUND_MS:g} ms",
            f"{len(taken[WHEEL])} rounds on {machine.processor}, {machine.cores} cores, "
            f"Python {machine.python}",
        )
    )


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        project = folder / "project"
        project.mkdir()
        (project / "pyproject.toml").write_text("[tool.pytest.ini_options]\n")
        (project / "test_one.py").write_text("def test_one(): pass\n")
        made = list(environments(folder).items())
        for _, python in made:
            session(python, project)  # the first one compiles, and reads files from the disk
        taken: dict[str, list[tuple[float, float]]] = {name: [] for name, _ in made}
        for number in range(ROUNDS):
            turn = number % len(made)
            for name, python in made[turn:] + made[:turn]:
                taken[name].append(session(python, project))
        print(describe(taken))


if __name__ == "__main__":
    main()
