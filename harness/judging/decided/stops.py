"""When runs of a session may stop, and which stopped runs must train again.

A run may stop at its target. If another seed of its cell then ends below its own target, the cell
may be undecided, because the whole run might have become better. Then stopped runs of the cell
train again, one at a time, until the cell is decided or all its runs are whole. So the verdicts are
those of whole runs.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from harness.judging.decided import reached, target
from harness.store.records import Record
from harness.suite.plan import Cell, Run

CellKey = tuple[str, str]


@dataclass
class _State:
    """The runs of one cell: best MCC of those that ended, target of those that train, by seed."""

    aim: float
    seeds: int
    ended: dict[int, float] = field(default_factory=dict)
    stopped: set[int] = field(default_factory=set)
    running: dict[int, float] = field(default_factory=dict)
    failed: bool = False


class Stops:
    """The targets of a session's runs; not safe for several threads at a time.

    Args:
        aims: of the cells whose runs may stop, by suite and cell id.
        finished: records that are reused, of any cells.
    """

    def __init__(
        self, cells: Iterable[Cell], aims: Mapping[CellKey, float], finished: Iterable[Record]
    ) -> None:
        self._cells = {
            (cell.suite, cell.id): _State(aims[cell.suite, cell.id], len(cell.seeds))
            for cell in cells
            if (cell.suite, cell.id) in aims
        }
        for record in finished:
            if (state := self._cells.get((record.suite, record.cell))) is not None:
                _add(state, record)

    def __bool__(self) -> bool:
        return bool(self._cells)

    def start(self, run: Run) -> float | None:
        """Return the target of a run that now starts; None if it may not stop."""
        state = self._cells.get((run.cell.suite, run.cell.id))
        if state is None:
            return None
        state.ended.pop(run.seed, None)
        state.stopped.discard(run.seed)
        found = target(state.aim, state.seeds, [*state.ended.values()], [*state.running.values()])
        state.running[run.seed] = found
        return found if found <= 1 else None

    def end(self, record: Record) -> int | None:
        """Add a run that ended; return the seed of its cell that must train again, or None."""
        state = self._cells.get((record.suite, record.cell))
        if state is None:
            return None
        state.running.pop(record.seed, None)
        _add(state, record)
        if state.failed or len(state.ended) < state.seeds or not state.stopped:
            return None
        return None if reached(state.aim, [*state.ended.values()]) else min(state.stopped)

    def settled(self, run: Run) -> bool:
        """Return whether the stopped runs of a run's cell are its results."""
        state = self._cells.get((run.cell.suite, run.cell.id))
        if state is None or state.failed:
            return True
        return len(state.ended) == state.seeds and (
            not state.stopped or reached(state.aim, [*state.ended.values()])
        )


def _add(state: _State, record: Record) -> None:
    if record.scores is None:
        state.failed = True
        return
    state.ended[record.seed] = record.scores.mcc
    if record.stopped is not None:
        state.stopped.add(record.seed)
