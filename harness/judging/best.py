"""The best cell of each checkpoint."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import mean

from harness.judging.looks.standing import Standing
from harness.store.records import Record
from harness.suite.plan import Cell


@dataclass(frozen=True)
class Best:
    """The best cell of a checkpoint, among its `tried` cells whose seeds all have a score."""

    cell: Cell
    mcc: float
    runs: tuple[Record, ...]
    tried: int


def is_whole(cell: Cell, scored: int, standing: Standing | None) -> bool:
    """Return whether a cell has all the seeds that it needs, and did not leave a race.

    If the suite's own gates judge means, these are all seeds, also of a cell that failed its own.

    Args:
        scored: number of its seeds with a score.
        standing: how far the looks at it have come, None without looks.
    """
    if standing is None or cell.looks is None:
        return scored == len(cell.seeds)
    needed = len(cell.seeds) if cell.looks.whole else standing.most
    return not standing.out and scored >= needed


def best_by_checkpoint(
    cells: Sequence[Cell],
    runs: Mapping[str, Sequence[Record]],
    standings: Mapping[str, Standing],
    with_stopped: bool = False,
) -> dict[str, Best]:
    """Return each checkpoint's cell with the highest mean MCC over seeds; of equals the first.

    A cell with a seed without a score is left out, unless looks have decided that it needs fewer;
    so is a cell that left a race, and one with a stopped run.

    Args:
        runs: the records of each cell, by its id.
        standings: how far the looks at each cell have come, by its id; see judging.looks.race.
        with_stopped: whether cells with a stopped run count with the mean that they have at least.
    """
    best: dict[str, Best] = {}
    for cell in cells:
        scored = tuple(run for run in runs[cell.id] if run.scores is not None)
        if not scored or not is_whole(cell, len(scored), standings.get(cell.id)):
            continue
        if not with_stopped and any(run.stopped is not None for run in scored):
            continue
        # Exact and rounded once, as in a cell's gates.
        mcc = mean(run.scores.mcc for run in scored if run.scores is not None)
        candidate = Best(cell, mcc, scored, 1)
        so_far = best.get(cell.checkpoint, candidate)
        better = candidate if mcc > so_far.mcc else so_far
        tried = 1 if so_far is candidate else so_far.tried + 1
        best[cell.checkpoint] = replace(better, tried=tried)
    return best
