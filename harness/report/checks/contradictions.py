"""Whether the parts of a leaderboard.json agree: its plan, records, slices and baseline."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

from harness.judging.baseline import Baseline
from harness.store.checks.consistency import inconsistency
from harness.store.given import Given, given_problems
from harness.store.records import Record
from harness.store.slices import Slices, slice_problems
from harness.store.stopped import verdict_of
from harness.suite.plan import Cell
from harness.validation import shown, shown_apart


class Parts(Protocol):
    """The parts of a leaderboard that are checked, as in `Published`."""

    @property
    def cells(self) -> Sequence[Cell]: ...
    @property
    def records(self) -> Sequence[Record]: ...
    @property
    def baseline(self) -> Baseline | None: ...
    @property
    def slices(self) -> Slices | None: ...
    @property
    def given(self) -> Sequence[Given]: ...


def contradictions(document: Parts) -> Iterator[str]:
    """Yield a line for each contradiction between the parts of a leaderboard, or in a record.

    What the tables use must fit: the plan, the records' settings, scores and costs, the slices, the
    given predictions and the baseline.
    """
    cells: dict[str, Cell] = {}
    for position, cell in enumerate(document.cells):
        if cell.id in cells:
            yield f"cells[{position}].id: {shown(cell.id)}: a second cell with this id"
        cells[cell.id] = cell
    known: set[tuple[str, int]] = set()
    for position, record in enumerate(document.records):
        run = (record.cell, record.seed)
        named = _named(position, record)
        if record.cell not in cells or record.seed not in cells[record.cell].seeds:
            yield f"{named}: not a run of any of its cells"
        elif run in known:
            yield f"{named}: a second record of this run"
        elif (problem := _other_setting(record, cells[record.cell])) is not None:
            yield f"{named}: {problem}"
        elif (problem := inconsistency(record)) is not None:
            yield f"{named}: it contradicts itself: {problem}"
        known.add(run)
    if document.slices is not None:
        yield from slice_problems(document.slices, document.records)
    yield from given_problems(document.given, document.cells, document.records)
    for position, record in enumerate(document.baseline.records if document.baseline else ()):
        if (problem := inconsistency(record)) is not None:
            yield f"baseline.{_named(position, record)}: it contradicts itself: {problem}"


def _other_setting(record: Record, cell: Cell) -> str | None:
    """Return the first setting in which a record differs from its cell, or None."""
    for name in ("checkpoint", "batch_size", "learning_rate"):
        recorded, planned = getattr(record, name), getattr(cell, name)
        if recorded != planned:
            return f"{name} is {_unlike_cell(recorded, planned)}"
    for name, planned in cell.settings.items():
        if (recorded := getattr(record.training, name)) != planned:
            return f"training.{name} is {_unlike_cell(recorded, planned)}"
    return None


def _unlike_cell(recorded: object, planned: object) -> str:
    held, wanted = shown_apart(recorded, planned)
    return f"{held}, but its cell has {wanted}"


def other_gates(cells: Iterable[Cell], records: Iterable[Record]) -> Iterator[str]:
    """Yield a line for each scored record whose gate, target or verdict is not its cell's.

    No table uses them, but whoever reads the record does. A scored run gets its cell's when it
    ends and whenever it is reused, so that in a file of any version they are equal. A run without
    a score keeps those of the plan under which it ended.

    Args:
        records: without contradictions, in the order of the file.
    """
    by_id = {cell.id: cell for cell in cells}
    for position, record in enumerate(records):
        cell, scores = by_id[record.cell], record.scores
        if record.status != "ok" or scores is None:
            continue
        verdict = verdict_of(scores.mcc, cell.threshold, record.stopped is not None)
        wanted = (
            ("threshold", record.threshold, "its cell's gate is", cell.threshold),
            ("target_mcc", record.target_mcc, "its cell's target is", cell.target),
            ("verdict", record.verdict, "its MCC and its cell's gate give", verdict),
        )
        problems = [
            f"its {name} is {_text(held)}, {source} {_text(right)}"
            for name, held, source, right in wanted
            if held != right
        ]
        if problems:
            yield f"{_named(position, record)}: {'; '.join(problems)}"


def _named(position: int, record: Record) -> str:
    return f"records[{position}]: cell {shown(record.cell)}, seed {record.seed}"


def _text(value: float | str | None) -> str:
    return "null" if value is None else str(value)
