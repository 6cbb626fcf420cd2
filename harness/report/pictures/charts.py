"""The content of a leaderboard's charts, as plain data: page and pictures draw the same."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from harness.judging import costs
from harness.judging.column import MISSING, ROUGH, Row, Value
from harness.judging.costs import fronts
from harness.judging.costs.circumstances import circumstances_of
from harness.judging.costs.fronts import Timed
from harness.judging.further_columns.given import GIVEN
from harness.judging.further_columns.settings import settings_in, value_of
from harness.judging.leaderboard import rows_of, scored
from harness.report.published import Published
from harness.stats import expected_best_of
from harness.store.given import NOT_TRAINED
from harness.store.records import Record
from harness.suite.plan import Cell
from harness.text import printable, scientific

if TYPE_CHECKING:
    import pandas as pd

SPEEDS = {
    "train_seconds": "training, seconds per run",
    "eval_ms_per_sentence": "evaluation, milliseconds per sentence",
}
"""Columns that the charts plot MCC against; less is better."""

ROUGH_FACTOR = 10
"""An order of magnitude: the stated accuracy of rough speeds."""


@dataclass(frozen=True)
class Line:
    """A row of the leaderboard with its cell and its scored `runs`, by seed.

    A cell with a stopped run has no `runs`: its scores are not compared with those of whole runs.

    `further` are the training settings in which the leaderboard's cells differ, as text.
    """

    row: Row
    cell: Cell
    runs: tuple[Record, ...]
    further: Mapping[str, str] = field(default_factory=dict)

    @property
    def settings(self) -> str:
        """Batch size, learning rate and the other settings that differ, as text."""
        return ", ".join(filter(None, (self.batch, self.further_settings)))

    @property
    def batch(self) -> str:
        """Batch size and learning rate as text."""
        return f"batch {self.cell.batch_size}, lr {scientific(self.cell.learning_rate)}"

    @property
    def further_settings(self) -> str:
        """The other settings that differ, as text."""
        return ", ".join(f"{name} {value}" for name, value in self.further.items())

    @property
    def label(self) -> str:
        """The cell's name as one line of text."""
        return f"{printable(self.cell.checkpoint)}, {self.settings}"

    @property
    def rank(self) -> str:
        """The rank as text; a cell that left a race has none."""
        rank = self.row["rank"]
        return MISSING if rank is None else str(rank)

    @property
    def number_before(self) -> str:
        """What stands before the name: `#1 `, or nothing without a rank."""
        return "" if self.row["rank"] is None else f"#{self.rank} "

    @property
    def mcc(self) -> float:
        """The MCC of a line that has one."""
        mcc = self.number("mcc")
        assert mcc is not None
        return mcc

    @property
    def interval(self) -> tuple[float, float] | None:
        """The 95 % interval of the MCC, if known."""
        low, high = self.number("mcc_low"), self.number("mcc_high")
        return None if low is None or high is None else (low, high)

    def number(self, column: str) -> float | None:
        """Return a numeric field; None if it is null or the leaderboard has no such column."""
        value = self.row.get(column)
        return float(value) if isinstance(value, int | float) else None


@dataclass(frozen=True)
class GivenLine:
    """A row of given predictions: no cell, no run, nothing that a chart could place."""

    row: Row
    settings: str = NOT_TRAINED


TableLines = Sequence[Line | GivenLine]
"""All rows of a leaderboard, in its order."""


@dataclass(frozen=True)
class Point:
    """A cell's MCC and speed; `on_front`: no cell of the front is better; see costs.fronts.

    Where the times of its seeds differ by more than a third, or were measured under different
    circumstances, `compares` is false, and it is on no front.
    """

    line: Line
    speed: float
    mcc: float
    on_front: bool
    compares: bool = True

    @property
    def rough(self) -> bool:
        """Whether only the order of magnitude of the speed is meaningful."""
        return self.line.row["times"] == ROUGH


def lines_of(published: Published, frame: "pd.DataFrame") -> list[Line]:
    """Return the leaderboard's rows of cells in order, each with its cell and scored runs."""
    return of_cells(table_lines(published, frame))


def of_cells(lines: TableLines) -> list[Line]:
    """Return the lines of cells, in their order."""
    return [line for line in lines if isinstance(line, Line)]


def table_lines(published: Published, frame: "pd.DataFrame") -> TableLines:
    """Return all of the leaderboard's rows in order; those of cells with cell and scored runs."""
    runs = published.runs
    rows = rows_of(frame)
    columns = settings_in(rows[0] if rows else ())
    cells: dict[tuple[Value, ...], Cell] = {
        (
            cell.checkpoint,
            cell.batch_size,
            cell.learning_rate,
            *(value_of(column.name, cell) for column in columns),
        ): cell
        for cell in published.cells
    }
    trained = [row for row in rows if row.get(GIVEN.name) is None]
    different = [column for column in columns if column.is_informative(trained, column.name)]
    places = ("checkpoint", "batch_size", "learning_rate", *(column.name for column in columns))
    found: list[Line | GivenLine] = []
    for row in rows:
        if row.get(GIVEN.name) is not None:
            found.append(GivenLine(row))
            continue
        cell = cells[tuple(row[name] for name in places)]
        whole = () if row.get("mcc_at_least") is not None else tuple(scored(runs[cell.id]))
        further = {column.heading: column.text(row) for column in different}
        found.append(Line(row, cell, whole, further))
    return found


def with_score(lines: Iterable[Line]) -> list[Line]:
    """Return the lines that have an MCC."""
    return [line for line in lines if line.row["mcc"] is not None]


def lines_by_checkpoint(lines: Iterable[Line]) -> dict[str, list[Line]]:
    found: dict[str, list[Line]] = {}
    for line in lines:
        found.setdefault(line.cell.checkpoint, []).append(line)
    return found


def circumstances(lines: Iterable[Line]) -> dict[str, str]:
    """Return the circumstances in which each cell's speed was measured, by cell id.

    Only cells with equal circumstances are comparable. The text is short where that distinguishes
    all cells that are not comparable; else it has every known detail.
    """
    lines = list(lines)
    different: dict[str, set[object]] = {}
    for line in lines:
        different.setdefault(_circumstances(line, False), set()).add(circumstances_of(line.runs))
    return {
        line.cell.id: _circumstances(line, len(different[_circumstances(line, False)]) > 1)
        for line in lines
    }


def _circumstances(line: Line, everything: bool) -> str:
    hardware = dict.fromkeys(_hardware(run, everything) for run in line.runs)
    together = dict.fromkeys(run.concurrency for run in line.runs)
    runs = " and ".join("unknown" if number is None else f"{number}" for number in together)
    return f"runs at once: {runs or 'unknown'}; {' and '.join(hardware)}"


def _hardware(run: Record, everything: bool) -> str:
    machine = run.machine
    parts: list[str | None] = [run.device or "unknown device"]
    if machine is not None:
        parts += [machine.accelerator, machine.processor]
        if everything:
            memory = "unknown memory" if machine.memory_gb is None else f"{machine.memory_gb:g} GB"
            parts += [f"cores: {machine.cores}", memory, machine.system, f"Python {machine.python}"]
    if run.threads is not None:
        parts.append(f"threads per run: {run.threads}")
    return printable(", ".join(part for part in parts if part))


def speed_groups(lines: Iterable[Line], column: str) -> dict[str, list[Point]]:
    """Return the points by circumstances, the largest group first.

    costs.fronts says which of them are on their group's Pareto front.

    Args:
        column: one of SPEEDS.
    """
    lines = list(lines)
    names = circumstances(lines)
    groups: dict[str, list[tuple[float, float, Line]]] = {}
    for line in lines:
        speed, mcc = line.number(column), line.number("mcc")
        if speed is not None and mcc is not None:
            groups.setdefault(names[line.cell.id], []).append((speed, mcc, line))
    ordered = sorted(groups.items(), key=lambda item: -len(item[1]))
    return {name: list(_with_front(measured, column)) for name, measured in ordered}


def _with_front(measured: list[tuple[float, float, Line]], column: str) -> Iterable[Point]:
    measured = sorted(measured, key=lambda one: (one[0], -one[1]))
    front = fronts.on_front(column, [Timed(speed, mcc, line.runs) for speed, mcc, line in measured])
    for (speed, mcc, line), on_front in zip(measured, front, strict=True):
        yield Point(line, speed, mcc, on_front, costs.compares(column, line.runs))


def equal_times(points: Sequence[Point], column: str) -> str:
    """Return which times of a chart count as equal on its front, as a clause."""
    factor = fronts.equal_within(column, [point.line.runs for point in points])
    return fronts.in_words(factor, any(point.compares and point.rough for point in points))


def speed_range(points: Sequence[Point]) -> tuple[float, float]:
    """Return the lowest and the highest speed that the axis of a chart must show, margins aside.

    One speed is in the middle of a range. If a speed is rough, the range spans at least a factor of
    ROUGH_FACTOR, so that rough speeds that are nearly equal are drawn next to each other.
    """
    speeds = [point.speed for point in points]
    low, high = min(speeds), max(speeds)
    if low > 0 and high < ROUGH_FACTOR * low and any(point.rough for point in points):
        middle, half = math.sqrt(low * high), math.sqrt(ROUGH_FACTOR)
        return middle / half, middle * half
    return (low, high) if low < high else (0.9 * low, 1.1 * high)


def on_log_scale(points: Sequence[Point]) -> bool:
    """Return whether the axis spans so much that a linear one would crowd the fast speeds."""
    low, high = speed_range(points)
    return low > 0 and high > 5 * low


def best_of(lines: Iterable[Line]) -> dict[str, tuple[float, ...]]:
    """Return the expected MCC of the best of 1, 2, ... cells drawn at random.

    Key: a checkpoint's name for its own cells, the best checkpoint first; "" for all cells.
    Checkpoints with one cell are left out: there is nothing to draw.
    """
    scored = with_score(lines)
    groups = {**lines_by_checkpoint(scored), "": scored}
    return {
        name: expected_best_of([line.mcc for line in group])
        for name, group in groups.items()
        if len(group) > 1
    }
