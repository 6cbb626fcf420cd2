"""The runs that are needed now, that may start ahead, and that will never be needed."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from harness.judging.looks.race import scores_so_far, standings
from harness.judging.looks.standing import Standing
from harness.store.records import Record
from harness.suite.plan import Cell, Run

RunId = tuple[str, str, int]
"""A suite, the id of a cell, and a seed."""

LOWEST = -2.0
"""Below every MCC."""


def run_id(run: Run) -> RunId:
    """Return a run's suite, cell and seed."""
    return run.cell.suite, run.cell.id, run.seed


@dataclass(frozen=True)
class Needs:
    """What the looks need of a session's runs.

    `now` are the runs without which the next decision cannot be made, or that every cell without
    looks needs. `released` will never be needed. `ahead` are the runs that the next look will most
    likely need, the most likely first: they may start if a worker would be idle otherwise.
    """

    now: frozenset[RunId]
    released: frozenset[RunId]
    ahead: tuple[RunId, ...]


@dataclass(frozen=True)
class Looked:
    """The cells of a suite, their records by id, and whether a baseline is compared with them."""

    cells: Sequence[Cell]
    runs: Mapping[str, Sequence[Record]]
    compared: bool


def looked(cells: Sequence[Cell], records: Mapping[RunId, Record], compared: bool) -> Looked:
    """Return the cells of one suite with their records.

    Args:
        records: of runs that ended, by suite, cell and seed.
    """
    runs: dict[str, list[Record]] = {cell.id: [] for cell in cells}
    for (_, cell, _), record in records.items():
        runs[cell].append(record)
    return Looked(cells, runs, compared)


def needs(suites: Iterable[Looked]) -> Needs:
    """Return what is needed of the runs of some suites; a pure function of their records."""
    now: set[RunId] = set()
    released: set[RunId] = set()
    ahead: list[RunId] = []
    for suite in suites:
        found = standings(suite.cells, suite.runs, suite.compared)
        for cell in suite.cells:
            standing = found.get(cell.id)
            most = len(cell.seeds) if standing is None else standing.most
            needed = len(cell.seeds) if standing is None else standing.needed
            now |= _runs(cell, cell.seeds[:needed])
            released |= _runs(cell, cell.seeds[most:])
        ahead += _ahead(suite, found)
    return Needs(frozenset(now), frozenset(released), tuple(ahead))


def _runs(cell: Cell, seeds: Iterable[int]) -> set[RunId]:
    return {(cell.suite, cell.id, seed) for seed in seeds}


def _ahead(suite: Looked, found: Mapping[str, Standing]) -> Iterator[RunId]:
    """Yield the runs that the next look may need, seed by seed, those of the leader first.

    No cell is certain to be in the race at the next look. The cell with the highest mean so far is
    the least likely to be dropped, and the one that trains on if the race goes on; cells of the
    lower half are not trained ahead, since most of them will be dropped.
    """
    going_on = [cell for cell in suite.cells if _going_on(found.get(cell.id))]
    means = {cell.id: scores_so_far(cell, suite.runs[cell.id])[-1:] for cell in going_on}
    ranked = sorted(going_on, key=lambda cell: means[cell.id] or [LOWEST], reverse=True)
    raced = any(found[cell.id].raced for cell in ranked)
    leading = ranked[: (len(ranked) + 1) // 2] if raced else ranked
    for place in range(max((len(cell.seeds) for cell in leading), default=0)):
        for cell in leading:
            if found[cell.id].needed <= place < _next_look(cell, found[cell.id].needed):
                yield cell.suite, cell.id, cell.seeds[place]


def _going_on(standing: Standing | None) -> bool:
    return standing is not None and standing.needed < standing.most


def _next_look(cell: Cell, seeds: int) -> int:
    """Return the number of seeds of the first look after some seeds."""
    assert cell.looks is not None
    return next((look for look in cell.looks.after if look > seeds), seeds)
