"""Judges the drop in MCC from a baseline to a cell, both with their predictions."""

from harness import stats
from harness.judging.differences import p_text, with_interval
from harness.judging.evidence import DECIMALS, Evidence
from harness.judging.gates.check import Check, Verdict
from harness.judging.populations import difference, no_source_interval, sampled, way_out
from harness.stats import Refusal
from harness.suite.gates import Thresholds
from harness.text import apart, with_decimals


def drop_check(
    allowed: float,
    source: str,
    theirs: Evidence,
    ours: Evidence,
    mccs: tuple[float, float],
    gates: Thresholds,
    *,
    paired_seeds: bool,
    remark: str = "",
) -> Check:
    """Judge the drop in MCC, the baseline's mean minus the cell's, on the same sentences.

    Args:
        allowed: the largest drop that is allowed.
        source: names the baseline, for the message.
        theirs: of the baseline.
        mccs: the means over seeds: the baseline's, the cell's.
        gates: for their statistic and population.
        paired_seeds: both have the same seeds, in the same order.
        remark: the end of the reason.
    """
    mcc_before, mcc = mccs
    drop = mcc_before - mcc
    if not ours.same_sentences(theirs):
        other = "the baseline was scored on other sentences; name one that was scored on these"
        return undecided_drop(allowed, source, other, drop)
    population = gates.population or "sentences"
    found = difference(theirs, ours, paired_seeds=paired_seeds, population=population)
    if isinstance(found, Refusal):
        return undecided_drop(allowed, source, no_source_interval(found), drop)
    # Where the drop is allowed, no verdict hangs on digits that rounding alone may change.
    digits = DECIMALS if drop <= allowed else None
    ours_written, theirs_written = apart(mcc, mcc_before, most=digits)
    by_bound = gates.statistic == "lower-bound"
    size, interval = with_interval(drop, found.low, found.high, allowed, least=4)
    reason = (
        f"MCC {ours_written} against the baseline's {theirs_written}: a drop of "
        f"{size} (95 % interval {interval}, {found.covers}; "
        f"p = {p_text(found.p_value)}), allowed {with_decimals(allowed)}{remark}"
    )
    verdict: Verdict
    if by_bound and not found.covers_other_seeds and found.standard_error > 0:
        one_seed = f"one seed does not show the spread over seeds{way_out(found, allowed)}"
        return undecided_drop(allowed, source, one_seed, drop)
    if found.high <= allowed or (drop <= allowed and not by_bound):
        verdict = "pass"
    elif found.low > (allowed if by_bound else 0.0):
        verdict = "fail"
    else:
        verdict = "not-enough-evidence"
        needed = stats.seeds_needed(found, allowed if by_bound else 0.0)
        reason += "; it may be larger than allowed" if by_bound else "; the drop may be chance"
        reason += (
            f", about {needed} seeds in total would be enough to decide"
            if needed is not None
            else f", and no number of seeds would be enough: there are too few {sampled(found)}"
        )
    return Check("max_drop", allowed, drop, found.low, found.high, verdict, reason)


def undecided_drop(allowed: float, source: str, reason: str, drop: float | None = None) -> Check:
    """Return the check of a drop that lacks evidence; `drop` is the measured one, if known."""
    text = f"max_drop {with_decimals(allowed)} against {source}: not enough evidence, {reason}"
    return Check("max_drop", allowed, drop, None, None, "not-enough-evidence", text)
