"""The tables that lie in a results folder, and whether others may take their place unasked.

They may if they still show every run that was scored in those: under the same checkpoint's name,
batch size, learning rate, seed, training and data, or under the same key.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import BadInput
from harness.plan import Run
from harness.records import DatasetFacts, Record
from harness.report import read_published
from harness.spec import TrainingSpec
from harness.text import printable, some

FILE = "leaderboard.json"

EXACT = {"speedups", "eval_batch_size", "on_oom"}
"""Settings of a training that change how its numbers are computed, and not which."""

MOST_CELLS = 10
"""Cells that a message names."""


@dataclass(frozen=True)
class Shown:
    """A run that tables show, or would show."""

    cell: str
    checkpoint: str
    batch_size: int
    learning_rate: float
    seed: int
    training: TrainingSpec
    data: str
    key: str | None = None

    @property
    def place(self) -> tuple[Any, ...]:
        """What it is, whatever came out and whichever files and versions it was made with."""
        training = self.training.model_dump_json(exclude=EXACT)
        settings = (self.batch_size, self.learning_rate, self.seed)
        return self.checkpoint, *settings, training, self.data


def of_records(records: Iterable[Record]) -> list[Shown]:
    """Return the runs that tables of these records show with a score."""
    return [
        Shown(
            cell=record.cell,
            checkpoint=record.checkpoint,
            batch_size=record.batch_size,
            learning_rate=record.learning_rate,
            seed=record.seed,
            training=record.training,
            data=_data(record.dataset),
            key=record.key,
        )
        for record in records
        if record.scores is not None
    ]


def of_runs(runs: Iterable[Run], facts: DatasetFacts | None) -> list[Shown]:
    """Return runs of a plan on some data as tables would show them."""
    return [
        Shown(
            cell=run.cell.id,
            checkpoint=run.cell.checkpoint,
            batch_size=run.cell.batch_size,
            learning_rate=run.cell.learning_rate,
            seed=run.seed,
            training=run.training,
            data=_data(facts),
        )
        for run in runs
    ]


def _data(facts: DatasetFacts | None) -> str:
    """Return what tells data apart: a user's file by its name, since it may be edited."""
    if facts is None:
        return ""
    return facts.origin if facts.name == "file" else facts.name


def held(folder: Path) -> list[Shown] | None:
    """Return the scored runs that the tables in a folder show; None where it has no tables.

    Raises:
        BadInput: they cannot be read, so that nobody knows what they show.
    """
    path = folder / FILE
    if not path.exists():
        return None
    return of_records(read_published(path).records)


def left_out(before: Sequence[Shown], now: Sequence[Shown]) -> list[Shown]:
    """Return the runs of some tables that others do not show any more."""
    keys = {run.key for run in now} - {None}
    places = {run.place for run in now}
    return [run for run in before if run.key not in keys and run.place not in places]


def refusal(folder: Path, now: Sequence[Shown], elsewhere: str) -> str | None:
    """Return why tables in a folder may not be replaced unasked; None if they may.

    Args:
        now: what the new tables show, or can show at best.
        elsewhere: how to name another folder.
    """
    ways_out = (
        f"add --replace to replace these tables (no run is deleted), or {elsewhere} to leave them"
    )
    try:
        before = held(folder)
    except BadInput as error:
        first, *more = error.problems
        others = f" (and {len(more)} more mistakes)" if more else ""
        return printable(f"{first}{others}; what its tables show is not known: {ways_out}")
    if before is None or not (lost := left_out(before, now)):
        return None
    return printable(
        f"{folder}: its tables show {described(before)}. Asked for here: {described(now)}. "
        f"{_count(len(lost), 'run')} would no longer be shown: {_cells(lost)}; {ways_out}"
    )


def shortfall(before: Sequence[Shown], now: Sequence[Shown]) -> str | None:
    """Return what tables would lose by what came out of a session; None if nothing."""
    lost = left_out(before, now)
    if not lost:
        return None
    return printable(
        f"its tables show {_count(len(before), 'run')} with a score, of which {len(lost)} have "
        f"none in this session: {_cells(lost)}; the same command writes them once these have, "
        "--replace at once"
    )


def replaced(before: Sequence[Shown], now: Sequence[Shown]) -> str | None:
    """Return what tables took the place of; None where they show the very same runs."""
    keys = {run.key for run in now}
    anew = [run for run in before if run.key not in keys]
    if not anew and len(before) == len(now):
        return None
    lost = left_out(before, now)
    parts = [f"in place of tables of {_count(len(before), 'run')}, now {len(now)}"]
    if lost:
        parts.append(f"no longer shown: {_cells(lost)}")
    if other := len(anew) - len(lost):
        parts.append(f"{other} with other files, data, device or versions than before")
    return printable("; ".join(parts))


def described(runs: Sequence[Shown]) -> str:
    """Return a matrix in words: how many runs, of which checkpoints and settings, on which data."""
    if not runs:
        return "no run"
    trainings = dict.fromkeys(
        ", ".join(
            f"{name} {value}"
            for name, value in {
                "epochs": run.training.epochs,
                **run.training.model_dump(exclude_defaults=True, exclude=EXACT),
            }.items()
        )
        for run in runs
    )
    lists = {
        "checkpoints": [run.checkpoint for run in runs],
        "batch sizes": sorted(run.batch_size for run in runs),
        "learning rates": [f"{run.learning_rate:g}" for run in runs],
        "seeds": sorted(run.seed for run in runs),
        "trained with": [*trainings],
        "data": [run.data for run in runs if run.data],
    }
    said = "; ".join(
        f"{name} {some(list(dict.fromkeys(map(str, values))), MOST_CELLS)}"
        for name, values in lists.items()
        if values
    )
    return f"{_count(len(runs), 'run')} ({said})"


def _cells(runs: Sequence[Shown]) -> str:
    seeds: dict[str, list[int]] = {}
    for run in runs:
        seeds.setdefault(run.cell, []).append(run.seed)
    named = [
        f"{cell} ({'seed' if len(own) == 1 else 'seeds'} {', '.join(map(str, own))})"
        for cell, own in seeds.items()
    ]
    return some(named, MOST_CELLS)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
