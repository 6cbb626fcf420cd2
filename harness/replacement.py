"""The tables that lie in a results folder, and whether others may take their place unasked.

They may if they still show every run that was scored in those: under the same checkpoint's name,
batch size, learning rate, seed, training and data, or under the same key. Published names do not
tell two folders of one name apart; where they lie is kept beside the store, which stays here.
"""

import contextlib
import hashlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import BadInput
from harness.plan import Run, published_names
from harness.records import DatasetFacts, Record
from harness.report import LEADERBOARD, read_published
from harness.run_store import write_atomically
from harness.spec import Suite, TrainingSpec
from harness.text import counted, printable, some

FOLDERS = Path("runs", ".folders.json")
"""Within a results folder: where the checkpoints lie that its tables show; see folders_of."""

EXACT = {"speedups", "eval_batch_size", "on_oom"}
"""Settings of a training that change how its numbers are computed, and not which."""

MOST_CELLS = 10
"""Cells that a message names."""


NOWHERE: Mapping[str, str] = {}


@dataclass(frozen=True)
class Shown:
    """A run that tables show, or would show.

    `folder` is where its checkpoint lies, as folders_of tells it; None where nobody knows.
    """

    cell: str
    checkpoint: str
    batch_size: int
    learning_rate: float
    seed: int
    training: TrainingSpec
    data: str
    key: str | None = None
    folder: str | None = None

    @property
    def place(self) -> tuple[Any, ...]:
        """What it is, whatever came out and whichever files and versions it was made with."""
        training = self.training.model_dump_json(exclude=EXACT)
        settings = (self.batch_size, self.learning_rate, self.seed)
        return self.checkpoint, *settings, training, self.data


def of_records(records: Iterable[Record], folders: Mapping[str, str] = NOWHERE) -> list[Shown]:
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
            folder=folders.get(record.checkpoint),
        )
        for record in records
        if record.scores is not None
    ]


def of_runs(
    runs: Iterable[Run], facts: DatasetFacts | None, folders: Mapping[str, str] = NOWHERE
) -> list[Shown]:
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
            folder=folders.get(run.cell.checkpoint),
        )
        for run in runs
    ]


def _data(facts: DatasetFacts | None) -> str:
    """Return what tells data apart: a user's file by its name, since it may be edited."""
    if facts is None:
        return ""
    return facts.origin if facts.name == "file" else facts.name


def folders_of(suite: Suite, base: Path) -> dict[str, str]:
    """Return a digest of where each of a suite's checkpoints lies that is a folder.

    By its published name. Of the path as it was written, links not followed: what a link leads to
    may change as the content of a folder may.

    Args:
        base: folder that relative ones start from.
    """
    found = {}
    for name, published in published_names(suite).items():
        with contextlib.suppress(OSError, RuntimeError, ValueError):  # of no folder's name
            path = os.path.normpath(base.absolute() / Path(name).expanduser())
            if Path(path).is_dir():
                found[published] = hashlib.sha256(path.encode()).hexdigest()[:16]
    return found


def remember(folder: Path, folders: Mapping[str, str]) -> None:
    """Keep where the checkpoints lie that the tables in a results folder show."""
    path, content = folder / FOLDERS, json.dumps(folders, indent=1).encode() + b"\n"
    if path.parent.is_dir() and not (path.exists() and path.read_bytes() == content):
        write_atomically(path, content)


def _remembered(folder: Path) -> dict[str, str]:
    try:
        known = json.loads((folder / FOLDERS).read_bytes())
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}


def held(folder: Path) -> list[Shown] | None:
    """Return the scored runs that the tables in a folder show; None where it has no tables.

    Raises:
        BadInput: they cannot be read, so that nobody knows what they show.
    """
    path = folder / LEADERBOARD
    if not path.exists():
        return None
    return of_records(read_published(path).records, _remembered(folder))


def left_out(before: Sequence[Shown], now: Sequence[Shown]) -> list[Shown]:
    """Return the runs of some tables that others do not show any more."""
    keys = {run.key for run in now} - {None}
    places: dict[tuple[Any, ...], set[str | None]] = {}
    for run in now:
        places.setdefault(run.place, set()).add(run.folder)

    def is_there(run: Shown) -> bool:
        there = places.get(run.place, set())
        unknown = run.folder is None or None in there
        return run.key in keys or bool(there and (unknown or run.folder in there))

    return [run for run in before if not is_there(run)]


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
        others = f" (and {counted(len(more), 'more mistake')})" if more else ""
        return printable(f"{first}{others}; what its tables show is not known: {ways_out}")
    if before is None or not (lost := left_out(before, now)):
        return None
    known = {run.place for run in now}
    moved = dict.fromkeys(run.checkpoint for run in lost if run.place in known)
    other = f", from another folder called {some([*moved])}" if moved else ""
    return printable(
        f"{folder}: its tables show {described(before)}. Asked for here: {described(now)}{other}. "
        f"{counted(len(lost), 'run')} would no longer be shown: {_cells(lost)}; {ways_out}"
    )


def shortfall(before: Sequence[Shown], now: Sequence[Shown]) -> str | None:
    """Return what tables would lose by what came out of a session; None if nothing."""
    lost = left_out(before, now)
    if not lost:
        return None
    return printable(
        f"its tables show {counted(len(before), 'run')} with a score, of which {len(lost)} have "
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
    parts = [f"in place of tables of {counted(len(before), 'run')}, now {len(now)}"]
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
    lists: dict[str, list[Any]] = {
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
    return f"{counted(len(runs), 'run')} ({said})"


def _cells(runs: Sequence[Shown]) -> str:
    seeds: dict[str, list[int]] = {}
    for run in runs:
        seeds.setdefault(run.cell, []).append(run.seed)
    named = [
        f"{cell} ({'seed' if len(own) == 1 else 'seeds'} {', '.join(map(str, own))})"
        for cell, own in seeds.items()
    ]
    return some(named, MOST_CELLS)
