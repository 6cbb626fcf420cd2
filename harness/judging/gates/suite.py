"""Judges all cells of a suite together by the suite's thresholds."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise

from harness.judging.best import Best, best_by_checkpoint, is_whole
from harness.judging.gates.check import Check, Verdict
from harness.judging.gates.stopped import any_stopped
from harness.judging.looks.standing import Standing
from harness.store.records import Record
from harness.suite.plan import Cell
from harness.suite.spec import SuiteGates
from harness.text import apart, beside, counted, with_decimals


def judge_suite(
    gates: SuiteGates,
    cells: Sequence[Cell],
    runs: Mapping[str, Sequence[Record]],
    standings: Mapping[str, Standing],
) -> tuple[Check, ...]:
    """Judge the best cells of a suite by the suite's gates.

    A cell with a seed without a score is not counted yet, but may still become its checkpoint's
    best. A cell with a stopped run counts with the mean that it has at least. If the scores of such
    cells could still change a failure or a pass, the verdict is `not-enough-evidence`.

    Args:
        gates: with `order` in published names.
        cells: all cells of the suite.
        runs: the records of each cell, by its id.
        standings: how far the looks at each cell have come, by its id; see judging.looks.race.
    """
    lacking = [
        cell.checkpoint
        for cell in cells
        if not _has_result(cell, runs[cell.id], standings.get(cell.id))
    ]
    stopped = [cell.checkpoint for cell in cells if any_stopped(runs[cell.id])]
    names = list(dict.fromkeys(cell.checkpoint for cell in cells))
    best = best_by_checkpoint(cells, runs, standings, with_stopped=True)
    state = _State(names, best, Counter(lacking), Counter(stopped), len(cells))
    checks = []
    if gates.best_min_mcc is not None:
        checks.append(_best_min_mcc(gates.best_min_mcc, state))
    if gates.every_checkpoint_min_mcc is not None:
        checks.append(_every_checkpoint_min_mcc(gates.every_checkpoint_min_mcc, state))
    if gates.order:
        checks.append(_order(gates.order, state))
    return tuple(checks)


def _has_result(cell: Cell, runs: Sequence[Record], standing: Standing | None) -> bool:
    """Return whether a cell's score is final, or it was dropped from a race as worse than the best.

    A cell that left a race because a run failed may still become the best one.
    """
    scored = sum(run.scores is not None for run in runs)
    if standing is not None and standing.dropped is not None:
        return True
    return is_whole(cell, scored, standing)


def explain_suite(suite: str, checks: Sequence[Check]) -> str:
    """Return the reasons why a suite did not pass, one per line."""
    return "\n".join(f"{suite}: {check.reason}" for check in checks if check.verdict != "pass")


@dataclass(frozen=True)
class _State:
    """The current results of a suite.

    Attributes:
        names: the checkpoints, in the plan's order.
        best: the best cell of each checkpoint that has one.
        waiting: by checkpoint, the number of cells with a seed without a score.
        stopped: by checkpoint, the number of cells with a stopped run.
        cells: number of cells.
    """

    names: Sequence[str]
    best: Mapping[str, Best]
    waiting: Mapping[str, int]
    stopped: Mapping[str, int]
    cells: int

    def final(self, name: str) -> bool:
        """Return whether the best cell of a checkpoint can no longer change."""
        return name in self.best and name not in self.waiting and name not in self.stopped

    @property
    def complete(self) -> bool:
        """Whether all runs are whole and have a score."""
        return not self.waiting and not self.stopped


def _best_min_mcc(least: float, state: _State) -> Check:
    best = max(state.best.values(), key=lambda best: best.mcc, default=None)
    mcc = None if best is None else best.mcc
    met = mcc is not None and mcc >= least
    message = (
        f"no cell has a score; an MCC of at least {with_decimals(least)} is required"
        if best is None
        else f"the best cell, {best.cell.id}, has MCC {_known(best, least)}; "
        f"at least {with_decimals(least)} is required"
    )
    return _check("best_min_mcc", least, mcc, not met and state.complete, met, message, state)


def _known(best: Best, least: float) -> str:
    return f"{'at least ' if any_stopped(best.runs) else ''}{beside(best.mcc, least)}"


def _every_checkpoint_min_mcc(least: float, state: _State) -> Check:
    known = {name: state.best[name].mcc for name in state.names if name in state.best}
    below = {name: mcc for name, mcc in known.items() if mcc < least}
    if below:
        listed = ", ".join(f"{name} {_known(state.best[name], least)}" for name in below)
        message = f"best MCC below {with_decimals(least)}: {listed}"
    else:
        reach = "reaches" if len(state.names) == 1 else "reach"
        count = f"{len(known)} of {counted(len(state.names), 'checkpoint')}"
        message = f"{count} {reach} MCC {with_decimals(least)}"
    worst = min(known.values(), default=None)
    failed = any(map(state.final, below))
    passed = not below and len(known) == len(state.names)
    return _check("every_checkpoint_min_mcc", least, worst, failed, passed, message, state)


def _order(order: Sequence[str], state: _State) -> Check:
    ranked = [(name, state.best[name].mcc) for name in order if name in state.best]
    wrong = [
        f"{lower} ({low}) is above {higher} ({high})"
        for (higher, above), (lower, below) in pairwise(ranked)
        if below > above
        for low, high in [apart(below, above)]
    ]
    gaps = [above - below for (_, above), (_, below) in pairwise(ranked)]
    absent = [name for name in order if name not in state.names]
    message = "; ".join(wrong) or f"best MCC falls in the order {' > '.join(order)}"
    if absent:
        message += f", without {', '.join(absent)} (no cell in this session)"
    failed = any(
        below > above and state.final(higher)
        for (higher, above), (_, below) in combinations(ranked, 2)
    )
    passed = not wrong and order[0] in state.best and all(map(state.final, order[1:]))
    return _check("order", 0.0, min(gaps, default=None), failed, passed, message, state)


def _check(
    gate: str,
    threshold: float,
    measured: float | None,
    failed: bool,
    passed: bool,
    message: str,
    state: _State,
) -> Check:
    verdict: Verdict = "fail" if failed else "pass" if passed else "not-enough-evidence"
    without = sum(state.waiting.values())
    if without and verdict == "not-enough-evidence":
        lack = "lacks" if without == 1 else "lack"
        message += f"; {without} of {counted(state.cells, 'cell')} {lack} the score of a seed"
    if (parts := sum(state.stopped.values())) and verdict == "not-enough-evidence":
        have = "has" if parts == 1 else "have"
        message += f"; {parts} of {counted(state.cells, 'cell')} {have} stopped runs"
    reason = f"{message} (gates.suite.{gate})"
    return Check(gate, threshold, measured, None, None, verdict, reason)
