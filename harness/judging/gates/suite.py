"""Thresholds over all cells of a suite together."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise

from harness.judging.best import Best, best_by_checkpoint
from harness.judging.gates.cell import Check, Verdict
from harness.store.records import Record
from harness.suite.plan import Cell
from harness.suite.spec import SuiteGates
from harness.text import counted


def judge_suite(
    gates: SuiteGates, cells: Sequence[Cell], runs: Mapping[str, Sequence[Record]]
) -> tuple[Check, ...]:
    """Judge the best cells of a suite by its own gates.

    A cell of which some seed has no score counts for nothing yet, and may still become its
    checkpoint's best. What such cells could mend is no failure, and what they could undo is no
    pass: both are not enough evidence.

    Args:
        gates: with `order` in published names.
        cells: all of the suite's.
        runs: the records of each cell, by its id.
    """
    state = _state(cells, runs)
    checks = []
    if gates.best_min_mcc is not None:
        checks.append(_best_min_mcc(gates.best_min_mcc, state))
    if gates.every_checkpoint_min_mcc is not None:
        checks.append(_every_checkpoint_min_mcc(gates.every_checkpoint_min_mcc, state))
    if gates.order:
        checks.append(_order(gates.order, state))
    return tuple(checks)


def explain_suite(suite: str, checks: Sequence[Check]) -> str:
    """Say in a line each why a suite did not pass."""
    return "\n".join(f"{suite}: {check.reason}" for check in checks if check.verdict != "pass")


@dataclass(frozen=True)
class _State:
    """What is known of a suite.

    Attributes:
        names: the checkpoints, in the plan's order.
        best: the best cell of each checkpoint that has one.
        waiting: by checkpoint, how many cells lack some score.
        cells: how many cells there are.
    """

    names: Sequence[str]
    best: Mapping[str, Best]
    waiting: Mapping[str, int]
    cells: int

    def final(self, name: str) -> bool:
        """Return whether no further score can raise a checkpoint's best."""
        return name in self.best and name not in self.waiting


def _state(cells: Sequence[Cell], runs: Mapping[str, Sequence[Record]]) -> _State:
    lacking = [
        cell.checkpoint
        for cell in cells
        if sum(run.scores is not None for run in runs[cell.id]) < len(cell.seeds)
    ]
    names = list(dict.fromkeys(cell.checkpoint for cell in cells))
    return _State(names, best_by_checkpoint(cells, runs), Counter(lacking), len(cells))


def _best_min_mcc(least: float, state: _State) -> Check:
    best = max(state.best.values(), key=lambda best: best.mcc, default=None)
    if best is None:
        message = f"no cell has a score, an MCC of at least {least:.4f} is demanded"
        return _check("best_min_mcc", least, None, not state.waiting, False, message, state)
    met = best.mcc >= least
    message = (
        f"the best cell, {best.cell.id}, has MCC {best.mcc:.4f}, at least {least:.4f} is demanded"
    )
    failed = not met and not state.waiting
    return _check("best_min_mcc", least, best.mcc, failed, met, message, state)


def _every_checkpoint_min_mcc(least: float, state: _State) -> Check:
    known = {name: state.best[name].mcc for name in state.names if name in state.best}
    below = {name: mcc for name, mcc in known.items() if mcc < least}
    if below:
        listed = ", ".join(f"{name} {mcc:.4f}" for name, mcc in below.items())
        message = f"best MCC below {least:.4f}: {listed}"
    else:
        reach = "reaches" if len(state.names) == 1 else "reach"
        of_all = f"{len(known)} of {counted(len(state.names), 'checkpoint')}"
        message = f"{of_all} {reach} MCC {least:.4f}"
    worst = min(known.values(), default=None)
    failed = any(map(state.final, below))
    passed = not below and len(known) == len(state.names)
    return _check("every_checkpoint_min_mcc", least, worst, failed, passed, message, state)


def _order(order: Sequence[str], state: _State) -> Check:
    ranked = [(name, state.best[name].mcc) for name in order if name in state.best]
    wrong = [
        f"{lower} ({below:.4f}) is above {higher} ({above:.4f})"
        for (higher, above), (lower, below) in pairwise(ranked)
        if below > above
    ]
    gaps = [above - below for (_, above), (_, below) in pairwise(ranked)]
    absent = [name for name in order if name not in state.names]
    message = "; ".join(wrong) or f"best MCC falls in the order {' > '.join(order)}"
    if absent:
        message += f", but for {', '.join(absent)}, of which this session has no cell"
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
    doubt = "" if failed or passed else _doubt(state)
    return Check(
        gate, threshold, measured, None, None, verdict, f"{message}{doubt} (gates.suite.{gate})"
    )


def _doubt(state: _State) -> str:
    """Say how many cells leave a verdict open, if any do."""
    without = sum(state.waiting.values())
    have = "has" if without == 1 else "have"
    of_all = f"{without} of {counted(state.cells, 'cell')}"
    return f"; {of_all} {have} no score of every seed" if without else ""
