"""Judges a cell's records by its thresholds: pass, fail, not enough evidence, or no verdict."""

import operator
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from statistics import mean

from harness import stats
from harness.judging.baseline import DEFAULT_MAX_DROP, Baseline, runs_of_cell, training_changes
from harness.judging.costs import COSTS, all_measured, amount, disagreement
from harness.judging.evidence import Evidence, NoEvidence, evidence
from harness.judging.gates.at_looks import checks_by_looks
from harness.judging.gates.by_slice import slice_checks
from harness.judging.gates.check import WORST_FIRST, Check, Verdict
from harness.judging.gates.cost_ratio import cost_ratio_checks
from harness.judging.gates.drop import drop_check, undecided_drop
from harness.judging.gates.stopped import any_stopped, checks_of_stopped
from harness.judging.looks.standing import Standing
from harness.judging.populations import UNKNOWN, no_source_interval, source_interval, way_out
from harness.stats import Interval, Refusal
from harness.store.records import Record
from harness.store.slices import Slices
from harness.suite.plan import Cell
from harness.text import beside, in_full, two_digits, with_decimals


@dataclass(frozen=True)
class Judgement:
    """A cell's verdict and the values behind it.

    If a run failed, `verdict` is `fail`. Otherwise it is None if some seed has no score, or if
    there is neither a threshold nor a baseline. `passed` is whether the cell's test passes; the
    suite decides whether `not-enough-evidence` passes. `mcc` is the mean over `scored`, the
    scored runs, `margin` is `mcc - threshold`. If a run was stopped, both are None, and
    `mcc_at_least` is the mean, which the mean of whole runs cannot be below. `evidence` contains
    the predictions of the scored runs; None if they have none. The intervals are None if they
    cannot be computed; they are for other sentences of the same sources. `mcc_on_sources` is the
    one for sentences of other sources, or why there is none; None if the records contain no
    sources. `by_seed` contains each run's MCC, None without a score; `failures` contains the
    reason of each failed run, by seed. `standing` is how far the looks at the cell have come, None
    without looks.
    """

    verdict: Verdict | None
    passed: bool
    mcc: float | None
    threshold: float | None
    margin: float | None
    evidence: Evidence | None
    mcc_interval: Interval | None
    accuracy_interval: Interval | None
    scored: tuple[Record, ...]
    by_seed: dict[int, float | None]
    failures: dict[int, str]
    checks: tuple[Check, ...]
    mcc_on_sources: Interval | Refusal | None = None
    standing: Standing | None = None
    mcc_at_least: float | None = None


def judge(
    cell: Cell,
    records: Sequence[Record],
    baseline: Baseline | None = None,
    slices: Slices | None = None,
    standing: Standing | None = None,
) -> Judgement:
    """Judge a cell by its thresholds and, if there is one, against a baseline.

    A cell with a failed run fails: the other seeds alone cannot meet a gate. A cell with a seed
    that has no score yet has no verdict and does not pass, unless looks decide it earlier. With
    several thresholds, the worst verdict counts.

    Args:
        records: at most one for each of the cell's seeds.
        slices: of the validation sentences, for the gates on slices.
        standing: how far the looks at the cell have come; see judging.looks.
    """
    by_seed = {r.seed: None if r.scores is None else r.scores.mcc for r in records}
    needed = cell.seeds[: None if standing is None else standing.seeds_counted]
    failures = {
        r.seed: r.reason or "no reason"
        for r in records
        if r.status == "failed" and r.seed in needed
    }
    scored = [record for record in records if record.scores is not None]
    stopped = any_stopped(scored)
    mcc_at_least = mean(_mccs(scored)) if scored else None
    mcc = None if stopped else mcc_at_least
    found, missing = _evidence(scored)
    intervals = {
        "mcc": None if stopped else _interval(found, "mcc", _mccs(scored)),
        "accuracy": None if stopped else _interval(found, "accuracy", _accuracies(scored)),
    }
    on_sources = None if found is None else source_interval(found)
    used, obstacles = _for_gates(cell, found, intervals, missing)
    complete = not failures and all(by_seed.get(seed) is not None for seed in cell.seeds)
    looked = checks_by_looks(cell, records, complete)
    checks: tuple[Check, ...] = looked
    if complete:
        by_looks = {check.gate for check in looked}
        left = {name: each for name, each in used.items() if f"min_{name}" not in by_looks}
        of_cell = (
            checks_of_stopped(cell, scored, baseline)
            if stopped
            else _checks(cell, scored, left, obstacles, baseline)
        )
        checks = (
            *looked,
            *of_cell,
            *slice_checks(cell.gates, found, slices, missing),
        )
    judged = complete or (standing is not None and standing.gates_decided and not failures)
    verdict: Verdict | None = min((c.verdict for c in checks), key=WORST_FIRST.index, default=None)
    if not judged and verdict != "fail":
        verdict, checks = None, ()
    if failures:
        verdict = "fail"
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
        scored=tuple(scored),
        by_seed=by_seed,
        failures=failures,
        checks=checks,
        mcc_on_sources=on_sources,
        standing=standing,
        mcc_at_least=mcc_at_least if stopped else None,
    )


def _for_gates(
    cell: Cell,
    found: Evidence | None,
    intervals: Mapping[str, Interval | None],
    missing: str | None,
) -> tuple[Mapping[str, Interval | None], Mapping[str, str | None]]:
    """Return the intervals that the cell's gates use, and why there is none, both by statistic.

    Args:
        intervals: for other sentences of the same sources.
        missing: why they do not cover sentences; None if they do.
    """
    if cell.gates.population != "sources" or found is None:
        return intervals, dict.fromkeys(intervals, missing)
    on_sources = {
        "mcc": source_interval(found, "mcc"),
        "accuracy": source_interval(found, "accuracy"),
    }
    used = {name: each if isinstance(each, Interval) else None for name, each in on_sources.items()}
    obstacles = {
        name: missing if isinstance(each, Interval) else no_source_interval(each or UNKNOWN)
        for name, each in on_sources.items()
    }
    return used, obstacles


def explain(cell: Cell, judgement: Judgement, folder: Path) -> str:
    """Return why a cell did not pass: values, intervals, seeds, and the folder of its records."""
    lines = [
        f"{cell.id}: the run with seed {seed} failed: {reason}"
        for seed, reason in judgement.failures.items()
    ]
    lines += [
        f"{cell.id}: seed {seed} has no score"
        for seed in cell.seeds
        if judgement.by_seed.get(seed) is None and seed not in judgement.failures
    ]
    if judgement.standing is not None and judgement.standing.out:
        lines.append(f"{cell.id}: {judgement.standing.in_words()}")
    missed = [check for check in judgement.checks if check.verdict != "pass"]
    lines += [f"{cell.id}: {check.reason}" for check in missed]
    thresholds = [] if cell.threshold is None else [cell.threshold]
    stopped = {run.seed for run in judgement.scored if run.stopped is not None}
    seeds = ", ".join(
        f"seed {seed}: {'at least ' if seed in stopped else ''}"
        f"{'not scored' if mcc is None else beside(mcc, *thresholds)}"
        for seed, mcc in judgement.by_seed.items()
    )
    lines.append(f"  MCC by seed: {seeds}")
    interval = judgement.mcc_interval
    if interval is not None and "min_mcc" not in {check.gate for check in missed}:
        lines.append(f"  mean MCC {_with_interval(interval.mean, interval, *thresholds)}")
    cost = COSTS["train_seconds"]
    if (time := amount(cost, judgement.scored)).value is not None:
        lines.append(f"  training time: {time.text(cost.write)} s per run")
    return "\n".join([*lines, f"  records: {folder}"])


COST_GATES = {
    "max_train_seconds": ("train_seconds", "training takes {} s"),
    "min_samples_per_second": ("samples_per_second", "training processes {} sentences/s"),
    "max_eval_ms_per_sentence": ("eval_ms_per_sentence", "evaluating a sentence takes {} ms"),
    "max_peak_memory_mb": ("peak_memory_mb", "a run takes {} MB"),
    "max_latency_ms": ("latency_ms", "answering a sentence takes {} ms (median)"),
    "max_latency_p95_ms": ("latency_p95_ms", "answering a sentence takes {} ms (95th percentile)"),
}
"""Column and message of the cost that each gate limits."""


def _checks(
    cell: Cell,
    runs: Sequence[Record],
    intervals: Mapping[str, Interval | None],
    missing: Mapping[str, str | None],
    baseline: Baseline | None,
) -> Iterator[Check]:
    gates = cell.gates
    scores: tuple[tuple[str, stats.Statistic, float | None, list[float]], ...] = (
        ("MCC", "mcc", gates.min_mcc, _mccs(runs)),
        ("accuracy", "accuracy", gates.min_accuracy, _accuracies(runs)),
    )
    for name, statistic, threshold, values in scores:
        if threshold is not None and statistic in intervals:  # the others are judged by looks
            by_bound = gates.statistic == "lower-bound"
            interval, obstacle = intervals[statistic], missing[statistic]
            yield score_check(name, statistic, threshold, values, interval, by_bound, obstacle)
    if baseline is not None:
        allowed = DEFAULT_MAX_DROP if gates.max_drop is None else gates.max_drop
        yield _drop_check(cell, allowed, runs, baseline)
    for gate, (column, text) in COST_GATES.items():
        if (limit := getattr(gates, gate)) is not None:
            yield _cost_check(gate, limit, column, text, runs)
    if baseline is not None:
        yield from cost_ratio_checks(cell, runs, baseline)


def score_check(
    name: str,
    statistic: stats.Statistic,
    threshold: float,
    values: Sequence[float],
    interval: Interval | None,
    by_bound: bool,
    missing: str | None,
) -> Check:
    """Judge the mean of one score's values, one a seed, or its interval's lower bound."""
    measured = mean(values)  # exact: with fmean, seeds of 0.1, 0.2 and 0.3 miss 0.2
    score = f"{name} {_with_interval(measured, interval, threshold)}"
    margin = f"the threshold {with_decimals(threshold)} (margin {_signed(measured - threshold)})"
    verdict: Verdict
    if not by_bound:
        verdict = "pass" if measured >= threshold else "fail"
        reason = f"{score} {'reaches' if verdict == 'pass' else 'is below'} {margin}"
    elif interval is None or not interval.covers_other_seeds:
        verdict = "not-enough-evidence"
        cause = missing or "one seed does not show the spread over seeds"
        reason = f"{score} against {margin}: not enough evidence, because {cause}"
        if missing is None and interval is not None:
            reason += way_out(interval, threshold)
    elif interval.low >= threshold:
        verdict, reason = "pass", f"{score} is entirely above {margin}"
    elif interval.high < threshold:
        verdict, reason = "fail", f"{score} is entirely below {margin}"
    else:
        verdict = "not-enough-evidence"
        reason = f"{score} includes {margin}: not enough evidence" + way_out(interval, threshold)
    low, high = (None, None) if interval is None else (interval.low, interval.high)
    return Check(f"min_{statistic}", threshold, measured, low, high, verdict, reason)


def _drop_check(cell: Cell, allowed: float, runs: Sequence[Record], baseline: Baseline) -> Check:
    undecided = partial(undecided_drop, allowed, baseline.source)

    before = runs_of_cell(baseline, cell, runs[0].training)
    if not (mccs_before := _mccs(before)):
        return undecided("the baseline has no scored run of this cell; name one that has")
    mcc_before, mcc = mean(mccs_before), mean(_mccs(runs))
    drop = mcc_before - mcc
    theirs, obstacle = _evidence(before)
    if theirs is None:
        return undecided(f"the baseline cannot be compared sentence by sentence: {obstacle}", drop)
    ours, obstacle = _evidence(runs)
    if ours is None:
        return undecided(f"{obstacle}", drop)
    return drop_check(
        allowed,
        baseline.source,
        theirs,
        ours,
        (mcc_before, mcc),
        cell.gates,
        paired_seeds=ours.seeds == theirs.seeds,
        remark=training_changes(before[0], runs[0]),
    )


def _cost_check(gate: str, limit: float, column: str, text: str, runs: Sequence[Record]) -> Check:
    cost, measured = COSTS[column], _measured(column, runs)
    if measured is None:
        reason = f"{gate} {in_full(limit)}: not enough evidence, a run did not measure it; --rerun "
        reason += "trains it again"
        return Check(gate, limit, None, None, None, "not-enough-evidence", reason)
    most = gate.startswith("max_")
    if most:
        meets, bound = operator.le, f"at most {in_full(limit)} is allowed"
    else:
        meets, bound = operator.ge, f"at least {in_full(limit)} is required"
    met, found = meets(measured, limit), amount(cost, runs)
    if found.rough and meets(float(two_digits(measured)), limit) == met:
        written = found.text(cost.write)
    else:  # with more digits also if two digits would contradict the verdict
        written = beside(measured, limit, most=most, least=7 if cost.largest else 5, kind="g")
        written += "" if found.sd is None else f" ± {found.sd:.3g}"
    reason = f"{text.format(written)}, {bound} ({gate})"
    if (extent := disagreement(cost, runs)) is not None:
        reason += f"; {cost.plural} of its seeds differ by {extent}"
    return Check(gate, limit, measured, None, None, "pass" if met else "fail", reason)


def _measured(column: str, runs: Sequence[Record]) -> float | None:
    """Return a cell's cost as its gates use it: exact and rounded once, like scores."""
    values = all_measured(map(COSTS[column].measure, runs))
    if not values:
        return None
    return max(values) if COSTS[column].largest else mean(values)


def _evidence(runs: Sequence[Record]) -> tuple[Evidence | None, str | None]:
    """Return the runs' evidence, or the reason why there is none."""
    try:
        return evidence(runs), None
    except NoEvidence as error:
        return None, str(error)


def _interval(
    found: Evidence | None, statistic: stats.Statistic, values: Sequence[float]
) -> Interval | None:
    if found is not None:
        return found.interval(statistic)
    interval = stats.seeds_interval(values)
    if interval is None:
        return None
    least, largest = stats.BOUNDS[statistic]
    return replace(interval, low=max(interval.low, least), high=min(interval.high, largest))


def _mccs(runs: Sequence[Record]) -> list[float]:
    return [run.scores.mcc for run in runs if run.scores is not None]


def _accuracies(runs: Sequence[Record]) -> list[float]:
    return [run.scores.accuracy for run in runs if run.scores is not None]


def _with_interval(measured: float, interval: Interval | None, *thresholds: float) -> str:
    value = beside(measured, *thresholds)
    if interval is None:
        return value
    low, high = beside(interval.low, *thresholds), beside(interval.high, *thresholds)
    return f"{value} (95 % interval {low} to {high}, {interval.covers})"


def _signed(margin: float) -> str:
    """Format a margin with four decimals, or in scientific notation if that would show 0."""
    return f"{margin:+.4f}" if abs(margin) >= 0.0001 else f"{margin:+.0e}"
