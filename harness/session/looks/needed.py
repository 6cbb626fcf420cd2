"""The runs that are needed now, that may start ahead, and that will never be needed."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from harness.judging.looks.race import scores_so_far, standings
from harness.judging.looks.standing import Standing
from harness.store.records import Record
from harness.suite.plan import Cell, Run

RunId = tuple[str, str, int]
"""A suite, the id of a cell, and a seed."""


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
    """Yield the seeds that cells may need after those needed now, those of the leader first.

    No cell is certain to be in the race at the next look. The cell with the highest mean so far is
    the least likely to be dropped, and the one that would train on if the race went on.
    """
    open_cells = [
        cell
        for cell in suite.cells
        if cell.id in found and found[cell.id].needed < found[cell.id].most
    ]
    means = {cell.id: scores_so_far(cell, suite.runs[cell.id])[-1:] for cell in open_cells}
    for cell in sorted(open_cells, key=lambda cell: means[cell.id] or [-2.0], reverse=True):
        for seed in cell.seeds[found[cell.id].needed :]:
            yield cell.suite, cell.id, seed
