"""Thresholds over a cell's records: pass, fail, not enough evidence, or nothing to judge."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import mean
from typing import Literal

from harness import stats
from harness.judging.baseline import DEFAULT_MAX_DROP, Baseline, runs_of_cell
from harness.judging.costs import COSTS, deviation, disagreement
from harness.judging.evidence import Evidence, NoEvidence, evidence
from harness.stats import Interval
from harness.store.records import Record
from harness.suite.plan import Cell

Verdict = Literal["pass", "fail", "not-enough-evidence"]


@dataclass(frozen=True)
class Check:
    """One threshold: what was measured, its 95 % interval if there is one, and what follows.

    For `max_drop` the measured value is the baseline's MCC less the cell's.
    """

    gate: str
    threshold: float
    measured: float | None
    low: float | None
    high: float | None
    verdict: Verdict
    reason: str


@dataclass(frozen=True)
class Judgement:
    """A cell's verdict with everything that led to it.

    `evidence` holds the predictions of the runs that were scored; None where they have none.
    `train_seconds` is the mean over the runs that were scored. `verdict` is None where there is no
    threshold or nothing was measured; `passed` says whether
    the cell's test passes, doubt counted as the suite says. `mcc` is the mean over the seeds that
    were scored, `margin` is `mcc - threshold`; the intervals are None where nothing was scored, or
    nothing tells them. `by_seed` holds each run's MCC, or None where it has none; `failures` the
    reason of each run that failed, by seed.
    """

    verdict: Verdict | None
    passed: bool
    mcc: float | None
    threshold: float | None
    margin: float | None
    evidence: Evidence | None
    mcc_interval: Interval | None
    accuracy_interval: Interval | None
    train_seconds: float | None
    by_seed: dict[int, float | None]
    failures: dict[int, str]
    checks: tuple[Check, ...]


def judge(cell: Cell, records: Sequence[Record], baseline: Baseline | None = None) -> Judgement:
    """Judge a cell by its thresholds and, where there is one, against a baseline.

    A cell with a failed run fails: a gate is not met by the seeds that happened to survive. A
    cell of which some seed has no score yet has no verdict, and does not pass. Of several
    thresholds the worst verdict counts.

    Args:
        records: at most one for each of the cell's seeds.
    """
    by_seed = {r.seed: None if r.scores is None else r.scores.mcc for r in records}
    failures = {r.seed: r.reason or "no reason" for r in records if r.status == "failed"}
    scored = [record for record in records if record.scores is not None]
    mcc = _mean(_mccs(scored))
    found, missing = _evidence(scored)
    intervals = {
        "mcc": _interval(found, "mcc", _mccs(scored)),
        "accuracy": _interval(found, "accuracy", _accuracies(scored)),
    }
    judged = not failures and all(by_seed.get(seed) is not None for seed in cell.seeds)
    checks = tuple(_checks(cell, scored, intervals, missing, baseline)) if judged else ()
    verdict: Verdict | None = "fail" if failures else _worst([check.verdict for check in checks])
    doubt_passes = cell.gates.on_doubt == "pass"
    return Judgement(
        verdict=verdict,
        passed=judged and verdict != "fail" and (verdict != "not-enough-evidence" or doubt_passes),
        mcc=mcc,
        threshold=cell.threshold,
        margin=None if mcc is None or cell.threshold is None else mcc - cell.threshold,
        evidence=found,
        mcc_interval=intervals["mcc"],
        accuracy_interval=intervals["accuracy"],
        train_seconds=_measured("train_seconds", scored)[0],
        by_seed=by_seed,
        failures=failures,
        checks=checks,
    )


def explain(cell: Cell, judgement: Judgement, folder: Path) -> str:
    """Say in a few lines why a cell did not pass: values, intervals, seeds, where to look."""
    lines = [
        f"{cell.id}: the run with seed {seed} failed: {reason}"
        for seed, reason in judgement.failures.items()
    ]
    lines += [
        f"{cell.id}: there is no score of seed {seed}"
        for seed in cell.seeds
        if judgement.by_seed.get(seed) is None and seed not in judgement.failures
    ]
    lines += [f"{cell.id}: {check.reason}" for check in judgement.checks if check.verdict != "pass"]
    seeds = ", ".join(
        f"seed {seed}: {'not scored' if mcc is None else f'{mcc:.4f}'}"
        for seed, mcc in judgement.by_seed.items()
    )
    lines.append(f"  MCC by seed: {seeds}")
    if (interval := judgement.mcc_interval) is not None:
        lines.append(f"  mean MCC {interval.mean:.4f}{_said(interval)}")
    if judgement.train_seconds is not None:
        lines.append(f"  trained in {judgement.train_seconds:.1f} s a run")
    return "\n".join([*lines, f"  records: {folder}"])


@dataclass(frozen=True)
class _Cost:
    """A threshold on what a cell costs: which way is bad, how it is said, which cost it is."""

    most: bool
    text: str
    column: str


_COSTS = {
    "max_train_seconds": _Cost(
        True,
        "training takes {} s",
        "train_seconds",
    ),
    "min_samples_per_second": _Cost(
        False,
        "training does {} sentences/s",
        "samples_per_second",
    ),
    "max_eval_ms_per_sentence": _Cost(
        True,
        "judging a sentence takes {} ms",
        "eval_ms_per_sentence",
    ),
    "max_peak_memory_mb": _Cost(
        True,
        "a run takes {} MB",
        "peak_memory_mb",
    ),
}


def _checks(
    cell: Cell,
    runs: Sequence[Record],
    intervals: Mapping[str, Interval | None],
    missing: str | None,
    baseline: Baseline | None,
) -> Iterator[Check]:
    gates = cell.gates
    scores: tuple[tuple[str, stats.Statistic, float | None, list[float]], ...] = (
        ("MCC", "mcc", gates.min_mcc, _mccs(runs)),
        ("accuracy", "accuracy", gates.min_accuracy, _accuracies(runs)),
    )
    for name, statistic, threshold, values in scores:
        if threshold is not None:
            whole = gates.statistic == "lower-bound"
            interval = intervals[statistic]
            yield _score_check(name, statistic, threshold, values, interval, whole, missing)
    if baseline is not None:
        allowed = DEFAULT_MAX_DROP if gates.max_drop is None else gates.max_drop
        yield _drop_check(cell, allowed, runs, baseline)
    for gate, cost in _COSTS.items():
        limit = getattr(gates, gate)
        if limit is not None:
            yield _cost_check(gate, cost, limit, runs)


def _score_check(
    name: str,
    statistic: stats.Statistic,
    threshold: float,
    values: Sequence[float],
    interval: Interval | None,
    whole: bool,
    missing: str | None,
) -> Check:
    # Exact, and rounded once: with fmean, seeds of 0.1, 0.2 and 0.3 miss a threshold of 0.2.
    measured = mean(values)
    said = f"{name} {measured:.4f}{_said(interval)}"
    margin = f"the threshold {threshold:.4f} (margin {_signed(measured - threshold)})"
    verdict: Verdict
    if not whole:
        verdict = "pass" if measured >= threshold else "fail"
        reason = f"{said} {'reaches' if verdict == 'pass' else 'is below'} {margin}"
    elif interval is None or interval.covers != "sentences and seeds":
        verdict = "not-enough-evidence"
        cause = missing or "one seed says nothing of how far another would land"
        reason = f"{said} against {margin}: not enough evidence, for {cause}"
        if missing is None and interval is not None:
            reason += _way_out(interval, threshold)
    elif interval.low >= threshold:
        verdict, reason = "pass", f"{said} lies wholly above {margin}"
    elif interval.high < threshold:
        verdict, reason = "fail", f"{said} lies wholly below {margin}"
    else:
        verdict = "not-enough-evidence"
        reason = f"{said} holds {margin}: not enough evidence" + _way_out(interval, threshold)
    low, high = (None, None) if interval is None else (interval.low, interval.high)
    return Check(f"min_{statistic}", threshold, measured, low, high, verdict, reason)


def _way_out(interval: Interval, threshold: float) -> str:
    needed = stats.seeds_needed(interval, threshold)
    if needed is None:
        return (
            "; no number of seeds would settle it, the validation sentences are too few for a "
            "threshold so near"
        )
    return f"; about {needed} seeds in all would settle it"


def _drop_check(cell: Cell, allowed: float, runs: Sequence[Record], baseline: Baseline) -> Check:
    def doubt(reason: str, drop: float | None = None) -> Check:
        text = f"max_drop {allowed:.4f} against {baseline.source}: not enough evidence, {reason}"
        return Check("max_drop", allowed, drop, None, None, "not-enough-evidence", text)

    before = runs_of_cell(baseline, cell)
    before_mccs = _mccs([run for run in before if run.scores is not None])
    if not before_mccs:
        return doubt("the baseline has no scored run of this cell; take one that has")
    drop = mean(before_mccs) - mean(_mccs(runs))
    try:
        theirs = evidence(before)
    except NoEvidence as error:
        return doubt(f"the baseline cannot be compared sentence by sentence: {error}", drop)
    try:
        ours = evidence(runs)
    except NoEvidence as error:
        return doubt(str(error), drop)
    if not ours.same_sentences(theirs):
        return doubt("its scores are of other sentences", drop)
    found = stats.paired_difference(
        ours.labels, theirs.selected, ours.selected, paired_seeds=ours.seeds == theirs.seeds
    )
    said = (
        f"MCC {mean(_mccs(runs)):.4f} against the baseline's {mean(before_mccs):.4f}: a drop of "
        f"{drop:+.4f} (95 % interval {found.low:+.4f} to {found.high:+.4f}, {found.covers}; "
        f"p = {found.p_value:.2g}), allowed {allowed:.4f}{_trained_otherwise(before[0], runs[0])}"
    )
    whole = cell.gates.statistic == "lower-bound"
    verdict: Verdict
    if whole and found.covers != "sentences and seeds" and found.low < found.high:
        return doubt("one seed says nothing of how far another would land", drop)
    if found.high <= allowed or (drop <= allowed and not whole):
        verdict = "pass"
    elif found.low > (allowed if whole else 0.0):
        verdict = "fail"
    else:
        verdict = "not-enough-evidence"
        needed = stats.seeds_needed(found, allowed if whole else 0.0)
        said += "; it may be larger than that" if whole else "; the drop may be chance"
        said += (
            f", about {needed} seeds in all would tell"
            if needed is not None
            else ", and no number of seeds would tell: the validation sentences are too few"
        )
    return Check("max_drop", allowed, drop, found.low, found.high, verdict, said)


def _trained_otherwise(before: Record, now: Record) -> str:
    """Say what a baseline was trained with that is another today, if anything."""
    old, new = before.training.model_dump(), now.training.model_dump()
    changed = [
        f"{name} {old[name]} then, {new[name]} now" for name in old if old[name] != new[name]
    ]
    return f"; the training differs: {', '.join(changed)}" if changed else ""


def _cost_check(gate: str, cost: _Cost, limit: float, runs: Sequence[Record]) -> Check:
    measured, spread = _measured(cost.column, runs)
    if measured is None:
        reason = f"{gate} {limit:g}: not enough evidence, some run did not measure it"
        return Check(gate, limit, None, None, None, "not-enough-evidence", reason)
    kept = measured <= limit if cost.most else measured >= limit
    bound = "at most" if cost.most else "at least"
    amount = f"{measured:.7g}" if COSTS[cost.column].largest else f"{measured:.5g}"
    amount += "" if spread is None else f" ± {spread:.3g}"
    reason = f"{cost.text.format(amount)}, {bound} {limit:g} is allowed ({gate})"
    if (extent := disagreement(COSTS[cost.column], runs)) is not None:
        reason += f"; {COSTS[cost.column].plural} of its seeds differ by {extent}"
    return Check(gate, limit, measured, None, None, "pass" if kept else "fail", reason)


def _measured(column: str, runs: Sequence[Record]) -> tuple[float | None, float | None]:
    """Return a cost as gates judge it, and its standard deviation over seeds."""
    cost = COSTS[column]
    values = [cost.measure(run) for run in runs]
    # Exact, and rounded once, as scores are.
    return _largest(values) if cost.largest else _mean(values), deviation(values)


def _evidence(runs: Sequence[Record]) -> tuple[Evidence | None, str | None]:
    """Return the runs' evidence, or why there is none."""
    try:
        return evidence(runs), None
    except NoEvidence as error:
        return None, str(error)


def _interval(
    found: Evidence | None, statistic: stats.Statistic, values: Sequence[float]
) -> Interval | None:
    if found is not None:
        return stats.mean_interval(found.labels, found.selected, statistic)
    interval = stats.seeds_interval(values)
    if interval is None:
        return None
    least, largest = stats.BOUNDS[statistic]
    return replace(interval, low=max(interval.low, least), high=min(interval.high, largest))


def _worst(verdicts: Sequence[Verdict]) -> Verdict | None:
    order: tuple[Verdict, ...] = ("fail", "not-enough-evidence", "pass")
    return next((verdict for verdict in order if verdict in verdicts), None)


def _mccs(runs: Sequence[Record]) -> list[float]:
    return [run.scores.mcc for run in runs if run.scores is not None]


def _accuracies(runs: Sequence[Record]) -> list[float]:
    return [run.scores.accuracy for run in runs if run.scores is not None]


def _mean(values: Sequence[float | None]) -> float | None:
    """Return the mean, or None where a value is missing or there is none."""
    known = [value for value in values if value is not None]
    return mean(known) if known and len(known) == len(values) else None


def _largest(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return max(known) if known and len(known) == len(values) else None


def _said(interval: Interval | None) -> str:
    if interval is None:
        return ""
    return f" (95 % interval {interval.low:.4f} to {interval.high:.4f}, {interval.covers})"


def _signed(margin: float) -> str:
    """Write a margin to four digits, or in scientific form where that would say it is none."""
    return f"{margin:+.4f}" if abs(margin) >= 0.0001 else f"{margin:+.0e}"
