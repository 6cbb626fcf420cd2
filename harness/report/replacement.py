"""Whether new tables may replace the tables in a results folder without --replace.

They may if they show every scored run of the old tables. A run is the same if it has the same key,
or the same checkpoint, batch size, learning rate, seed, training and data. Checkpoints and data
are the same if their content is equal, or else their location: the user may have edited a file.
See `_same_checkpoint` and `_same_data`.
"""

import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import BadInput
from harness.paths import is_absent
from harness.report import LEADERBOARD, read_published
from harness.report.locations import NO_LOCATIONS, Digests, Locations, stored_locations
from harness.report.published import seeds_in_words
from harness.store.records import DatasetFacts, Record
from harness.suite.plan import Run
from harness.suite.spec import TrainingSpec
from harness.text import counted, printable, some

EXACT = frozenset({"speedups", "eval_batch_size", "on_oom"})
"""Training settings that change how the numbers are computed, not which numbers. They count only
where cells of one table differ in them: see `_ignored`."""

MOST_CELLS = 10
"""Maximum number of cells that a message names."""

NO_DIGESTS: Mapping[str, str] = {}
UNKNOWN: Digests = frozenset()


@dataclass(frozen=True)
class Shown:
    """A run in tables, existing or new.

    `digest` is the digest of its checkpoint's files, `folder` their location, and `file` the
    location of the data; None and UNKNOWN if not known. `data_settings` are the data's in the suite
    file, None if not known. See harness.report.locations. `stopped` is whether it is only the first
    epochs of a run.
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
    folder: Digests = UNKNOWN
    file: Digests = UNKNOWN
    data_settings: str | None = None
    stopped: bool = False

    def setting(self, ignored: Collection[str] = EXACT) -> tuple[Any, ...]:
        """Return the requested setting, regardless of result, files, data and versions.

        Args:
            ignored: training settings that do not count.
        """
        training = self.training.model_dump_json(exclude=set(ignored))
        return self.checkpoint, self.batch_size, self.learning_rate, self.seed, training

    @property
    def data(self) -> str:
        """The short name of its data, for a file or data on the hub the origin; and settings."""
        if self.facts is None:
            return ""
        name = self.facts.origin if self.facts.name in ("file", "hub") else self.facts.name
        return f"{name} ({self.data_settings})" if self.data_settings else name


def runs_of_records(records: Iterable[Record], where: Locations = NO_LOCATIONS) -> list[Shown]:
    """Return the scored runs in tables of these records."""
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
            stopped=record.stopped is not None,
            digest=record.checkpoint_digest,
            folder=where.checkpoints.get(record.checkpoint, UNKNOWN),
            **_data(record.dataset, where),
        )
        for record in records
        if record.scores is not None
    ]


def planned_runs(
    runs: Iterable[Run],
    facts: DatasetFacts | None,
    where: Locations = NO_LOCATIONS,
    digests: Mapping[str, str] = NO_DIGESTS,
) -> list[Shown]:
    """Return a plan's runs on some data as they would be in tables.

    Args:
        digests: of the files of available checkpoints, by published name.
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
            folder=where.checkpoints.get(run.cell.checkpoint, UNKNOWN),
            **_data(facts, where),
        )
        for run in runs
    ]


def _data(facts: DatasetFacts | None, where: Locations) -> dict[str, Any]:
    if facts is None:
        return {}
    file = where.data.get(facts.fingerprint, UNKNOWN)
    return {"file": file, "data_settings": where.settings.get(facts.fingerprint)}


def _same_checkpoint(one: Shown, other: Shown) -> bool:
    """Return whether two runs with the same checkpoint name have the same checkpoint.

    They do if the files are equal, or in the same location: their content may change. If a
    location is unknown, as in copied tables, equal names suffice.
    """
    if one.digest is not None and one.digest == other.digest:
        return True
    return not (one.folder and other.folder) or bool(one.folder & other.folder)


def _same_data(one: Shown, other: Shown) -> bool:
    """Return whether two runs have the same data set.

    Data are the same if sentences, labels and splits are equal. Otherwise the suite's settings for
    them must be the same, if known. Then a user's file is the same if it is a new version of the
    file in the same location, read by the same text column; if a location is unknown, different
    content means different data. Data on the hub are the same at every commit of one
    configuration. Other data sets are identified by name, and by location if known.
    """
    ours, theirs = one.facts, other.facts
    if ours is None or theirs is None or ours.fingerprint == theirs.fingerprint:
        return True  # None: not fetched yet
    settings = {one.data_settings, other.data_settings} - {None}
    columns = {ours.text_column, theirs.text_column} - {None}
    if ours.name != theirs.name or len(settings) > 1 or len(columns) > 1:
        return False
    if ours.hub is not None and theirs.hub is not None:
        return (ours.hub.name, ours.hub.config) == (theirs.hub.name, theirs.hub.config)
    unknown = not (one.file and other.file)
    return ours.name != "file" if unknown else bool(one.file & other.file)


def runs_in_tables(folder: Path) -> list[Shown] | None:
    """Return the scored runs that the tables in a folder show; None if it has no tables.

    Raises:
        BadInput: they cannot be read.
    """
    path = folder / LEADERBOARD
    if is_absent(path):
        return None
    return runs_of_records(read_published(path).records, stored_locations(folder))


def left_out(before: Sequence[Shown], now: Sequence[Shown]) -> list[Shown]:
    """Return the runs of old tables that new tables do not show, or of which they show a part."""
    same: dict[str | None, Shown] = {run.key: run for run in now if run.key is not None}
    ignored = _ignored(before)
    by_setting = _by_setting(now, ignored)

    def is_shown(run: Shown) -> bool:
        if (found := same.get(run.key)) is not None:
            return run.stopped or not found.stopped
        candidates = by_setting.get(run.setting(ignored), ())
        return any(_same_checkpoint(run, other) and _same_data(run, other) for other in candidates)

    return [run for run in before if not is_shown(run)]


def _ignored(table: Iterable[Shown]) -> frozenset[str]:
    """Return those of EXACT in which no runs of a table differ that are otherwise the same."""
    counting: set[str] = set()
    first: dict[tuple[Any, ...], TrainingSpec] = {}
    for run in table:
        other = first.setdefault(run.setting(), run.training)
        counting |= {name for name in EXACT if getattr(run.training, name) != getattr(other, name)}
    return EXACT - counting


def _by_setting(
    runs: Iterable[Shown], ignored: Collection[str] = EXACT
) -> dict[tuple[Any, ...], list[Shown]]:
    found: dict[tuple[Any, ...], list[Shown]] = {}
    for run in runs:
        found.setdefault(run.setting(ignored), []).append(run)
    return found


def objection(
    folder: Path,
    requested: Iterable[Shown],
    stored: Sequence[Shown],
    to_train: int,
) -> str | None:
    """Return why a session must not start (see refusal), or None.

    Requested runs that cannot be trained here, or fail later, count as shown: they are no mistake
    of the user.

    Args:
        folder: the suite's results folder.
        requested: all runs of the session.
        stored: the requested runs that are already scored.
        to_train: how many of the requested runs must train.
    """
    if not (stored or to_train):
        return None
    runs = [*stored, *requested]
    ignored = _ignored(runs)
    each_once = {run.setting(ignored): run for run in reversed(runs)}
    now = [*each_once.values()][::-1]
    return refusal(Path(os.path.relpath(folder)), now, "--results-dir FOLDER")


def refusal(folder: Path, now: Sequence[Shown], elsewhere: str) -> str | None:
    """Return why the tables in a folder must not be replaced without --replace, or None.

    The old tables, the new ones, the runs that would be lost and the ways out are a line each.

    Args:
        now: the runs that the new tables show, or can show at most.
        elsewhere: the option that names another folder.
    """
    ways_out = (
        f"add --replace to replace these tables (no run is deleted), or {elsewhere} to keep them"
    )
    try:
        before = runs_in_tables(folder)
    except BadInput as error:
        first, *more = error.problems
        others = f" (and {counted(len(more), 'more mistake')})" if more else ""
        return printable(f"{first}{others}; so the runs in its tables are not known: {ways_out}")
    if before is None or not (lost := left_out(before, now)):
        return None
    lines = (
        f"{folder}: its tables show {described(before)}.",
        f"The new tables would show {described(now)}{_namesakes(lost, now)}.",
        f"{counted(len(lost), 'run')} would no longer be shown: {_cells(lost)}.",
        f"Ways out: {ways_out}",
    )
    return "\n".join(map(printable, lines))


def _namesakes(lost: Sequence[Shown], now: Sequence[Shown]) -> str:
    """Return a note on checkpoints and data that are different but have the same name."""
    by_setting = _by_setting(now)
    pairs = [(run, other) for run in lost for other in by_setting.get(run.setting(), ())]
    moved = dict.fromkeys(a.checkpoint for a, b in pairs if not _same_checkpoint(a, b))
    other = dict.fromkeys(a.data for a, b in pairs if a.data == b.data and not _same_data(a, b))
    folders = f", from another folder with the name {some([*moved])}" if moved else ""
    return folders + (f", on other data with the same name, {some([*other])}" if other else "")


def shortfall(before: Sequence[Shown], now: Sequence[Shown]) -> str | None:
    """Return a message on runs in old tables that got no score in this session, or None."""
    if not (lost := left_out(before, now)):
        return None
    whole = {run.key for run in lost} & {run.key for run in now if run.stopped}
    none = "none, or were stopped," if whole - {None} else "none"
    return printable(
        f"its tables show {counted(len(before), 'run')} with a score, of which {len(lost)} have "
        f"{none} in this session: {_cells(lost)}; the same command replaces the tables when these "
        "runs have a score, --replace replaces them now"
    )


def replaced(before: Sequence[Shown], now: Sequence[Shown]) -> str | None:
    """Return a message on the tables that were replaced; None if the runs are the same."""
    keys = {run.key for run in now}
    changed = [run for run in before if run.key not in keys]
    if not changed and len(before) == len(now):
        return None
    lost = left_out(before, now)
    parts = [f"tables of {counted(len(before), 'run')} replaced, now {len(now)}"]
    if lost:
        parts.append(f"no longer shown: {_cells(lost)}")
    if other := len(changed) - len(lost):
        parts.append(f"{other} with other files, data, device or versions than before")
    return printable("; ".join(parts))


def described(runs: Sequence[Shown]) -> str:
    """Describe runs as text: their number, checkpoints, settings and data."""
    if not runs:
        return "no run"
    ignored = _ignored(runs)
    lists: dict[str, list[Any]] = {
        "checkpoints": [run.checkpoint for run in runs],
        "batch sizes": sorted(run.batch_size for run in runs),
        "learning rates": [f"{run.learning_rate:g}" for run in runs],
        "seeds": sorted(run.seed for run in runs),
        "trained with": [_in_words(run.training, ignored) for run in runs],
        "data": [run.data for run in runs if run.data],
    }
    matrix = "; ".join(
        f"{name} {some(list(dict.fromkeys(map(str, values))), MOST_CELLS)}"
        for name, values in lists.items()
        if values
    )
    return f"{counted(len(runs), 'run')} ({matrix})"


def _in_words(training: TrainingSpec, ignored: Collection[str]) -> str:
    settings = training.model_dump(exclude_defaults=True, exclude=set(ignored))
    settings = {"epochs": training.epochs, **settings}
    return ", ".join(f"{name} {value}" for name, value in settings.items())


def _cells(runs: Sequence[Shown]) -> str:
    seeds: dict[str, list[int]] = {}
    for run in runs:
        seeds.setdefault(run.cell, []).append(run.seed)
    named = [f"{cell} ({seeds_in_words(numbers)})" for cell, numbers in seeds.items()]
    return some(named, MOST_CELLS)
