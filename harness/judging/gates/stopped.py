"""Judges a cell with stopped runs: their MCC is a lower bound, and nothing else is certain."""

from collections.abc import Iterator, Sequence
from statistics import mean

from harness.judging.baseline import DEFAULT_MAX_DROP, Baseline, runs_of_cell
from harness.judging.decided import needed_for_drop, needs_whole_runs
from harness.judging.evidence import DECIMALS
from harness.judging.gates.check import Check, Verdict
from harness.store.records import Record
from harness.suite.plan import Cell
from harness.text import apart, beside, in_full, with_decimals

WAY_OUT = "train them without --stop decided"


def any_stopped(runs: Sequence[Record]) -> bool:
    """Return whether one of the runs was stopped before its last epoch."""
    return any(run.stopped is not None for run in runs)


def checks_of_stopped(
    cell: Cell, runs: Sequence[Record], baseline: Baseline | None
) -> Iterator[Check]:
    """Yield the check of each gate of a cell some of whose runs were stopped, except on slices.

    A gate that the lower bound of the mean MCC meets is met. Every other gate lacks evidence.

    Args:
        runs: its scored runs, at least one.
    """
    gates = cell.gates
    mccs = [run.scores.mcc for run in runs if run.scores is not None]
    number = sum(run.stopped is not None for run in runs)
    some_runs = f"{number} of {len(runs)} runs {'was' if number == 1 else 'were'} stopped"
    by_bound = gates.statistic == "lower-bound"
    if (least := gates.min_mcc) is not None:
        measured = mean(mccs)
        met = measured >= least and not by_bound
        verdict: Verdict = "pass" if met else "not-enough-evidence"
        relation = "reaches" if met else "against"
        threshold = f"the threshold {with_decimals(least)} ({some_runs})"
        reason = f"MCC is at least {beside(measured, least)}, and {relation} {threshold}"
        reason += "" if met else f": not enough evidence; {WAY_OUT}"
        yield Check("min_mcc", least, measured, None, None, verdict, reason)
    if baseline is not None:
        yield _drop(cell, runs, mean(mccs), baseline, some_runs)
    for name in needs_whole_runs(gates, baseline is not None):
        if name != "slice":
            yield _undecided(name, getattr(gates, name), some_runs)


def _undecided(gate: str, threshold: float, why: str) -> Check:
    reason = f"{gate} {in_full(threshold)}: not enough evidence, {why}; {WAY_OUT}"
    return Check(gate, threshold, None, None, None, "not-enough-evidence", reason)


def _drop(
    cell: Cell, runs: Sequence[Record], mcc: float, baseline: Baseline, some_runs: str
) -> Check:
    """Judge the drop against a baseline: it is at most that of the lower bound."""
    allowed = DEFAULT_MAX_DROP if cell.gates.max_drop is None else cell.gates.max_drop
    least = needed_for_drop(cell, runs[0].training, baseline)
    if isinstance(least, str):
        return _undecided("max_drop", allowed, least)
    before = runs_of_cell(baseline, cell, runs[0].training)
    then = mean(run.scores.mcc for run in before if run.scores is not None)
    by_interval = cell.gates.statistic == "lower-bound" or cell.gates.population == "sources"
    if mcc < least or by_interval or _data(before[0]) != _data(runs[0]):
        return _undecided("max_drop", allowed, some_runs)
    now_written, then_written = apart(mcc, then, most=DECIMALS)
    drop = beside(then - mcc, allowed, most=True, sign="+")
    reason = (
        f"MCC is at least {now_written} against the baseline's {then_written}: a drop of at most "
        f"{drop}, allowed {with_decimals(allowed)} ({some_runs})"
    )
    return Check("max_drop", allowed, then - mcc, None, None, "pass", reason)


def _data(record: Record) -> tuple[str | None, str | None]:
    """Return what determines a run's validation sentences, and their labels."""
    return None if record.dataset is None else record.dataset.fingerprint, record.labels
