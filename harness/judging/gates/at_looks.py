"""The checks of a cell's gates on lower bounds that looks decide."""

from collections.abc import Sequence

from harness.judging.gates.check import Check, Verdict
from harness.judging.looks.first_seeds import first_seeds
from harness.judging.looks.gates import LookCheck, by_looks, look_checks
from harness.store.records import Record
from harness.suite.plan import Cell


def checks_by_looks(cell: Cell, records: Sequence[Record], complete: bool) -> tuple[Check, ...]:
    """Return the checks that looks decide, of those that looks have decided so far.

    Args:
        complete: whether all seeds have a score, so that all are decided.
    """
    if cell.looks is None:
        return ()
    first = first_seeds(cell, records)
    found = look_checks(first) if by_looks(first) else ()
    return tuple(_check(each) for each in found if each.decided or complete)


def _check(found: LookCheck) -> Check:
    look, outcome = found.verdict, found.outcome
    measured, low, high = (None,) * 3 if look is None else (look.mean, look.low, look.high)
    verdict: Verdict = "not-enough-evidence" if outcome == "undecided" else outcome
    return Check(found.gate, found.threshold, measured, low, high, verdict, found.reason)
