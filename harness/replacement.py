"""The tables that lie in a results folder, and whether others may take their place unasked.

They may if they still show every run that was scored in those: of the same checkpoint, batch size,
learning rate, seed, training and data, or under the same key. What is the same is told by content
where it is the same, else by where it lies: the user may have edited a file. See `_same_checkpoint`
and `_same_data`.
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import BadInput
from harness.plan import Run
from harness.records import DatasetFacts, Record
from harness.report import LEADERBOARD, read_published
from harness.spec import TrainingSpec
from harness.text import counted, printable, some
from harness.whereabouts import NOWHERE, Digests, Whereabouts, remembered

EXACT = {"speedups", "eval_batch_size", "on_oom"}
"""Settings of a training that change how its numbers are computed, and not which."""

MOST_CELLS = 10
"""Cells that a message names."""

UNREAD: Mapping[str, str] = {}
NO_PLACE: Digests = frozenset()


@dataclass(frozen=True)
class Shown:
    """A run that tables show, or would show.

    `digest` is that of its checkpoint's files, `folder` tells where they lie, and `file` where the
    data do; None and NO_PLACE where nobody knows. See harness.whereabouts.
    """

    cell: str
    checkpoint: str
    batch_size: int
    learning_rate: float
    seed: int
    training: TrainingSpec
    facts: DatasetFacts | None
    key: str | None = None
    digest: str | None = None
    folder: Digests = NO_PLACE
    file: Digests = NO_PLACE

    @property
    def place(self) -> tuple[Any, ...]:
        """What was asked for, whatever came out, with whichever files, data and versions."""
        training = self.training.model_dump_json(exclude=EXACT)
        return self.checkpoint, self.batch_size, self.learning_rate, self.seed, training

    @property
    def data(self) -> str:
        """Its data in a word or two: a user's file by its name."""
        if self.facts is None:
            return ""
        return self.facts.origin if self.facts.name == "file" else self.facts.name


def of_records(records: Iterable[Record], where: Whereabouts = NOWHERE) -> list[Shown]:
    """Return the runs that tables of these records show with a score."""
    return [
        Shown(
            cell=record.cell,
            checkpoint=record.checkpoint,
            batch_size=record.batch_size,
            learning_rate=record.learning_rate,
            seed=record.seed,
            training=record.training,
            facts=record.dataset,
            key=record.key,
            digest=record.checkpoint_digest,
            folder=where.checkpoints.get(record.checkpoint, NO_PLACE),
            file=_file(record.dataset, where),
        )
        for record in records
        if record.scores is not None
    ]


def of_runs(
    runs: Iterable[Run],
    facts: DatasetFacts | None,
    where: Whereabouts = NOWHERE,
    digests: Mapping[str, str] = UNREAD,
) -> list[Shown]:
    """Return runs of a plan on some data as tables would show them.

    Args:
        digests: of the files of checkpoints that are here, by published name.
    """
    return [
        Shown(
            cell=run.cell.id,
            checkpoint=run.cell.checkpoint,
            batch_size=run.cell.batch_size,
            learning_rate=run.cell.learning_rate,
            seed=run.seed,
            training=run.training,
            facts=facts,
            digest=digests.get(run.cell.checkpoint),
            folder=where.checkpoints.get(run.cell.checkpoint, NO_PLACE),
            file=_file(facts, where),
        )
        for run in runs
    ]


def _file(facts: DatasetFacts | None, where: Whereabouts) -> Digests:
    return NO_PLACE if facts is None else where.data.get(facts.fingerprint, NO_PLACE)


def _same_checkpoint(one: Shown, other: Shown) -> bool:
    """Return whether two runs of one checkpoint's name are of one checkpoint.

    It is one where its files are the same, or lie where they lay: their content may change. Where
    nobody knows where they lay, as of tables that were copied, the name decides.
    """
    if one.digest is not None and one.digest == other.digest:
        return True
    return not (one.folder and other.folder) or bool(one.folder & other.folder)


def _same_data(one: Shown, other: Shown) -> bool:
    """Return whether two runs are of one data set.

    A user's file is the same where its sentences and labels are, or where it is another version of
    the file that lay there, read by the same column. Where nobody knows where it lay, another
    content is other data. Other data sets have names of their own.
    """
    ours, theirs = one.facts, other.facts
    if ours is None or theirs is None:  # they are still to be fetched
        return True
    if ours.fingerprint == theirs.fingerprint:
        return True
    if ours.name != theirs.name or ours.name != "file":
        return ours.name == theirs.name
    columns = {ours.text_column, theirs.text_column} - {None}
    return len(columns) < 2 and bool(one.file & other.file)


def held(folder: Path) -> list[Shown] | None:
    """Return the scored runs that the tables in a folder show; None where it has no tables.

    Raises:
        BadInput: they cannot be read, so that nobody knows what they show.
    """
    path = folder / LEADERBOARD
    if not path.exists():
        return None
    return of_records(read_published(path).records, remembered(folder))


def left_out(before: Sequence[Shown], now: Sequence[Shown]) -> list[Shown]:
    """Return the runs of some tables that others do not show any more."""
    keys = {run.key for run in now} - {None}
    places = _by_place(now)

    def is_there(run: Shown) -> bool:
        alike = places.get(run.place, ())
        return run.key in keys or any(
            _same_checkpoint(run, other) and _same_data(run, other) for other in alike
        )

    return [run for run in before if not is_there(run)]


def _by_place(runs: Iterable[Shown]) -> dict[tuple[Any, ...], list[Shown]]:
    found: dict[tuple[Any, ...], list[Shown]] = {}
    for run in runs:
        found.setdefault(run.place, []).append(run)
    return found


def objection(
    folder: Path,
    asked: Iterable[Shown],
    stored: Sequence[Shown],
    to_train: int,
) -> str | None:
    """Return why a session may not begin: see refusal; None if it may.

    What a session asks for and cannot have here, or loses on the way, is no mistake of its user.

    Args:
        folder: the suite's results folder.
        asked: all runs that are asked for.
        stored: those that are scored already.
        to_train: how many of them have to train.
    """
    if not (stored or to_train):
        return None
    each_once = {run.place: run for run in reversed([*stored, *asked])}
    now = [*each_once.values()][::-1]
    return refusal(Path(os.path.relpath(folder)), now, "--results-dir FOLDER")


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
    return printable(
        f"{folder}: its tables show {described(before)}. Asked for here: {described(now)}"
        f"{_namesakes(lost, now)}. "
        f"{counted(len(lost), 'run')} would no longer be shown: {_cells(lost)}; {ways_out}"
    )


def _namesakes(lost: Sequence[Shown], now: Sequence[Shown]) -> str:
    """Say which checkpoints and data have the same name now as before, and are others."""
    places = _by_place(now)
    pairs = [(run, other) for run in lost for other in places.get(run.place, ())]
    moved = dict.fromkeys(a.checkpoint for a, b in pairs if not _same_checkpoint(a, b))
    other = dict.fromkeys(a.data for a, b in pairs if a.data == b.data and not _same_data(a, b))
    told = f", from another folder called {some([*moved])}" if moved else ""
    return told + (f", on other data of the same name, {some([*other])}" if other else "")


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
