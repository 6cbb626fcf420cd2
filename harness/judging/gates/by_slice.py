"""Judges a cell's MCC on slices of the validation sentences by its thresholds."""

from collections.abc import Iterator

from harness import stats
from harness.judging.evidence import Evidence
from harness.judging.gates.check import Check, Verdict
from harness.judging.slices import belongs, positions_of
from harness.store.slices import Slices
from harness.suite.gates import SliceThreshold, Thresholds
from harness.text import beside, with_decimals


def slice_checks(
    gates: Thresholds, found: Evidence | None, slices: Slices | None, missing: str | None
) -> Iterator[Check]:
    """Yield the check of each slice that a cell's gates name.

    With k slices, each interval has level 1 - 0.05 / k (Bonferroni): the probability that chance
    alone puts any of them entirely on the wrong side of its threshold is at most 5 %. An MCC below
    its threshold fails only if its interval is entirely below, because the lowest of several
    slices is low by chance too.

    Args:
        found: the evidence of the cell's runs; None if they have none.
        missing: why there is no evidence.
    """
    for name, threshold in gates.slice.items():
        yield _check(gates, name, threshold, found, slices, missing)


def _check(
    gates: Thresholds,
    name: str,
    gate: SliceThreshold,
    found: Evidence | None,
    slices: Slices | None,
    missing: str | None,
) -> Check:
    key = f"slice.{name}.min_mcc"
    threshold = f"the threshold {with_decimals(gate.min_mcc)}"

    def undecided(reason: str, measured: float | None = None) -> Check:
        text = f"{name}: MCC against {threshold}: not enough evidence, because"
        verdict: Verdict = "not-enough-evidence"
        return Check(key, gate.min_mcc, measured, None, None, verdict, f"{text} {reason}")

    if slices is None:
        return undecided("the slices of the sentences are not known; run the suite again")
    if found is None:
        return undecided(str(missing))
    if not belongs(found, slices):
        return undecided("the runs were scored on other sentences; train them again with --rerun")
    if (chosen := positions_of(slices, name)) is None:
        return undecided("the data have no such slice; remove this gate")
    labels, predicted = found.labels[chosen], found.selected[:, chosen]
    if (reason := stats.undefined(labels)) is not None:
        none = f"it has {reason}" if reason == "no sentences" else reason
        return undecided(f"{none}; remove this gate")
    measured = float(stats.mcc(labels, predicted, found.classes).mean())
    if labels.size < gate.min_sentences:
        return undecided(
            f"it has {labels.size} sentences, and min_sentences is {gate.min_sentences}; choose a "
            "larger slice",
            measured,
        )
    if (reason := stats.no_interval(labels)) is not None:
        return undecided(f"it has {reason}; choose a larger slice", measured)
    tests = len(gates.slice)
    interval = stats.slice_interval(labels, predicted, found.classes, tests)
    by_bound = gates.statistic == "lower-bound"
    verdict: Verdict
    if by_bound and interval.covers != "sentences and seeds":
        return undecided(
            "one seed does not show the spread over seeds; train two or more", measured
        )
    if interval.high < gate.min_mcc:
        verdict = "fail"
    elif (interval.low if by_bound else measured) >= gate.min_mcc:
        verdict = "pass"
    else:
        verdict = "not-enough-evidence"
    value, low, high = (
        beside(each, gate.min_mcc) for each in (measured, interval.low, interval.high)
    )
    corrected = "" if tests == 1 else f", all {tests} slices together"
    reason = (
        f"{name}: MCC {value} on {labels.size:,} sentences (95 % interval "
        f"{low} to {high}{corrected}, {interval.covers}) "
        f"{_relation(verdict, by_bound, threshold)}"
    )
    return Check(key, gate.min_mcc, measured, interval.low, interval.high, verdict, reason)


def _relation(verdict: Verdict, by_bound: bool, threshold: str) -> str:
    if verdict == "fail":
        return f"is entirely below {threshold}"
    if verdict == "pass":
        return f"{'is entirely above' if by_bound else 'reaches'} {threshold}"
    if by_bound:
        return f"includes {threshold}"
    return f"is below {threshold}, which may be chance"
