"""Gates that look at intervals, costs and a baseline; what changes a verdict."""

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from builders.records import COLA, failed_record, make_cell, make_record, predicted_record

from harness import stats
from harness.judging.baseline import DEFAULT_MAX_DROP, Baseline, problems
from harness.judging.evidence import evidence
from harness.judging.gates import Check, Judgement, explain, judge
from harness.store.records import Record
from harness.suite.plan import Cell
from harness.suite.spec import Thresholds, TrainingSpec

SENTENCES = 1043
LABELS = (np.random.default_rng(7).random(SENTENCES) < 0.7).astype(int)
HARD = np.random.default_rng(8).random(SENTENCES)
"""How hard each sentence is: models err on the same ones, as they do on CoLA."""


def predictions(seed: int, errors: float, labels: np.ndarray = LABELS) -> np.ndarray:
    """Return (1, sentences): classes with about that share of errors, most on hard sentences."""
    luck = np.random.default_rng(seed).random(len(labels))
    wrong = 0.8 * HARD[: len(labels)] + 0.2 * luck > 1 - errors
    return np.where(wrong, 1 - labels, labels)[None]


def cell_of(seeds: Sequence[int] = (1, 2, 3), name: str = "org/encoder", **gates: Any) -> Cell:
    """Return a cell with these gates alone."""
    return replace(make_cell(name, seeds=tuple(seeds)), gates=Thresholds(**gates))


def runs(cell: Cell, errors: float, offset: int = 0) -> list[Record]:
    return [
        predicted_record(cell, seed, LABELS, predictions(seed + offset, errors))
        for seed in cell.seeds
    ]


def judged(cell: Cell, errors: float) -> Judgement:
    return judge(cell, runs(cell, errors))


def mcc_of(judgement: Judgement) -> float:
    assert judgement.mcc is not None
    return judgement.mcc


def the_reason(judgement: Judgement) -> str:
    (check,) = judgement.checks
    return check.reason


def baseline_of(records: Sequence[Record]) -> Baseline:
    return Baseline("old.json", "sample", tuple(records))


def test_the_lower_bound_passes_where_the_whole_interval_is_above() -> None:
    found = judged(cell_of(min_mcc=0.3, statistic="lower-bound"), 0.25)
    assert found.mcc is not None
    assert found.mcc_interval is not None
    assert 0.3 < found.mcc_interval.low < found.mcc < found.mcc_interval.high
    assert (found.verdict, found.passed) == ("pass", True)


def test_the_lower_bound_fails_where_the_whole_interval_is_below() -> None:
    found = judged(cell_of(min_mcc=0.9, statistic="lower-bound"), 0.25)
    assert (found.verdict, found.passed) == ("fail", False)
    assert "is entirely below the threshold 0.9000" in the_reason(found)


def test_an_interval_that_holds_the_threshold_is_not_enough_evidence() -> None:
    mcc = judged(cell_of(), 0.25).mcc
    assert mcc is not None
    cell = cell_of(min_mcc=mcc - 0.001, statistic="lower-bound")
    found = judged(cell, 0.25)
    assert (found.verdict, found.passed) == ("not-enough-evidence", False)
    assert "no number of seeds would be enough" in the_reason(found)
    assert judged(replace(cell, gates=Thresholds(min_mcc=mcc - 0.001)), 0.25).verdict == "pass"


def test_an_interval_that_begins_at_the_threshold_passes_and_one_that_ends_there_is_doubt() -> None:
    interval = judged(cell_of(), 0.25).mcc_interval
    assert interval is not None
    at_low, at_high = (
        judged(cell_of(min_mcc=end, statistic="lower-bound"), 0.25)
        for end in (interval.low, interval.high)
    )
    assert (at_low.verdict, at_high.verdict) == ("pass", "not-enough-evidence")
    (check,) = at_low.checks
    assert (check.gate, check.threshold, check.measured) == ("min_mcc", interval.low, interval.mean)
    assert (check.low, check.high) == (interval.low, interval.high)


def test_doubt_passes_only_where_the_suite_says_so() -> None:
    mcc = judged(cell_of(), 0.25).mcc
    cell = cell_of(min_mcc=mcc, statistic="lower-bound", on_doubt="pass")
    found = judged(cell, 0.25)
    assert (found.verdict, found.passed) == ("not-enough-evidence", True)


def test_seeds_that_would_settle_it_are_counted_where_seeds_are_the_trouble() -> None:
    cell = cell_of((1, 2), min_mcc=0.3, statistic="lower-bound")
    records = [
        predicted_record(cell, 1, LABELS, predictions(1, 0.15)),
        predicted_record(cell, 2, LABELS, predictions(2, 0.33)),
    ]
    found = judge(cell, records)
    assert found.verdict == "not-enough-evidence"
    assert "seeds in total would be enough" in the_reason(found)


def test_one_seed_is_never_enough_for_the_lower_bound() -> None:
    found = judged(cell_of((1,), min_mcc=-0.9, statistic="lower-bound"), 0.2)
    assert found.verdict == "not-enough-evidence"
    assert re.search(
        ": not enough evidence, because one seed does not show the spread over seeds; "
        r"about \d+ seeds in total would be enough$",
        the_reason(found),
    )


def test_records_without_predictions_are_not_enough_for_the_lower_bound() -> None:
    cell = cell_of((0, 1), min_mcc=0.1, statistic="lower-bound")
    found = judge(cell, [make_record(cell, seed, mcc=0.8) for seed in (0, 1)])
    assert found.verdict == "not-enough-evidence"
    assert "contains no predictions" in the_reason(found)
    assert "would be enough" not in the_reason(found)  # more seeds of this kind would not


def test_accuracy_has_a_gate_of_its_own() -> None:
    found = judged(cell_of(min_accuracy=0.6), 0.25)
    assert found.verdict == "pass"
    assert re.match(r"accuracy 0\.\d{4} \(.*\) reaches the threshold 0.6000", the_reason(found))
    assert found.checks[0].gate == "min_accuracy"
    assert found.evidence is not None
    expected = stats.mean_interval(LABELS, found.evidence.selected, "accuracy")
    assert found.accuracy_interval == expected
    assert (found.checks[0].low, found.checks[0].high) == (expected.low, expected.high)
    assert judged(cell_of(min_accuracy=0.99), 0.25).verdict == "fail"


@pytest.mark.parametrize(
    ("gate", "met", "missed", "said", "unmeasured"),
    [
        ("max_train_seconds", 102.5, 102.4, "at most 102.4 is allowed", None),
        (
            "min_samples_per_second",
            168.25,
            168.3,
            "at least 168.3 is required",
            "samples_per_second",
        ),
        ("max_eval_ms_per_sentence", 2.875, 2.8, "at most 2.8 is allowed", "eval_ms_per_sentence"),
        ("max_peak_memory_mb", 903.5, 903.4, "at most 903.4 is allowed", "peak_memory_mb"),
    ],
)
def test_costs_have_gates_that_are_met_exactly_at_the_limit(
    gate: str, met: float, missed: float, said: str, unmeasured: str | None
) -> None:
    def the_check(limit: float, **changes: Any) -> Check:
        gates: dict[str, Any] = {gate: limit}
        cell = cell_of((1, 2, 3), **gates)
        records = [
            make_record(
                cell, seed, eval_ms_per_sentence=0.875 + seed, samples_per_second=170.25 - seed
            )
            for seed in (1, 2, 3)
        ]
        (check,) = judge(cell, [records[0].model_copy(update=changes), *records[1:]]).checks
        return check

    passed, failed = the_check(met), the_check(missed)
    assert passed == Check(gate, met, met, None, None, "pass", passed.reason)
    assert failed == Check(gate, missed, met, None, None, "fail", failed.reason)
    assert f", {said} ({gate})" in failed.reason
    if unmeasured is not None:  # by one run of three
        missing = the_check(met, **{unmeasured: None})
        assert missing == Check(gate, met, None, None, None, "not-enough-evidence", missing.reason)
        assert "did not measure it" in missing.reason


def test_the_worst_check_decides_and_every_other_is_told_in_the_explanation(
    tmp_path: Path,
) -> None:
    cell = cell_of(min_mcc=0.1, min_accuracy=0.999, max_peak_memory_mb=1.0)
    found = judged(cell, 0.25)
    assert [check.verdict for check in found.checks] == ["pass", "fail", "fail"]
    assert found.verdict == "fail"
    text = explain(cell, found, tmp_path)
    assert "accuracy" in text
    assert "at most 1 is allowed (max_peak_memory_mb)" in text
    assert "95 % interval" in text
    assert "reaches" not in text


@pytest.mark.simulation
def test_identical_results_pass_the_regression_gate_a_hundred_times_of_a_hundred() -> None:
    cell = cell_of()
    for trial in range(100):
        records = runs(cell, 0.22, offset=100 * trial)
        found = judge(cell, records, baseline_of(records))
        (check,) = found.checks
        assert (check.measured, check.low, check.high) == (0.0, 0.0, 0.0)
        assert found.verdict == "pass"


@pytest.mark.simulation
@pytest.mark.long
def test_a_planted_drop_of_five_points_is_caught_with_three_seeds() -> None:
    cell = cell_of()
    caught = failed = 0
    trials = 40
    for trial in range(trials):
        before = runs(cell, 0.22, offset=100 * trial)
        after = []
        for record in before:
            spoilt = planted(np.random.default_rng(1000 * trial + record.seed), record, 0.05)
            after.append(predicted_record(cell, record.seed, LABELS, spoilt))
        found = judge(cell, after, baseline_of(before))
        caught += not found.passed
        failed += found.verdict == "fail"
    assert caught == trials
    assert failed > trials / 2  # most of them beyond chance


def planted(random: np.random.Generator, record: Record, drop: float) -> np.ndarray:
    """Return (1, sentences): a record's predictions, spoilt until MCC fell by `drop`."""
    from sklearn.metrics import matthews_corrcoef

    classes: np.ndarray = evidence([record]).selected[0].copy()
    target = matthews_corrcoef(LABELS, classes) - drop
    right = random.permutation(np.flatnonzero(classes == LABELS))
    for position in right:
        if matthews_corrcoef(LABELS, classes) <= target:
            break
        classes[position] = 1 - classes[position]
    return classes[None]


def test_a_drop_within_what_is_allowed_passes_and_a_larger_one_within_chance_is_doubt() -> None:
    cell = cell_of(max_drop=0.9)
    assert judge(cell, runs(cell, 0.4), baseline_of(runs(cell, 0.2))).verdict == "pass"
    strict = cell_of(max_drop=0.0)
    before, after = runs(strict, 0.22), runs(strict, 0.22, offset=50)
    drops = [judge(strict, a, baseline_of(b)) for a, b in ((before, after), (after, before))]
    worse = max(drops, key=lambda found: found.checks[0].measured or 0)
    assert worse.verdict == "not-enough-evidence"
    assert re.search(
        r"may be chance, (about \d+ seeds in total|and no number of seeds) would be enough",
        the_reason(worse),
    )


def test_the_lower_bound_demands_that_the_drop_is_surely_small() -> None:
    before = runs(cell_of(), 0.22)
    generous = cell_of(max_drop=0.3, statistic="lower-bound")
    assert judge(generous, runs(generous, 0.22, 50), baseline_of(before)).verdict == "pass"
    tight = cell_of(max_drop=0.005, statistic="lower-bound")
    doubt = judge(tight, runs(tight, 0.22, 50), baseline_of(before))
    assert doubt.verdict == "not-enough-evidence"
    assert "; it may be larger than allowed, " in the_reason(doubt)
    assert judge(tight, runs(tight, 0.5), baseline_of(before)).verdict == "fail"


def difference(before: Sequence[Record], after: Sequence[Record], paired: bool) -> stats.Difference:
    """Return by how much the runs' MCC fell, from the records' predictions themselves."""
    of_both = [evidence(records).selected for records in (before, after)]
    return stats.paired_difference(LABELS, *of_both, paired_seeds=paired)


@pytest.mark.parametrize(("seeds", "paired"), [((1, 2, 3), True), ((4, 5, 6), False)])
def test_a_drop_is_measured_seed_by_seed_only_against_the_same_seeds(
    seeds: tuple[int, ...], paired: bool
) -> None:
    cell = cell_of(max_drop=0.1)
    before, after = runs(cell_of(seeds), 0.22), runs(cell, 0.3)
    expected = difference(before, after, paired)
    assert difference(before, after, not paired).low != expected.low
    (check,) = judge(cell, after, baseline_of(before)).checks
    assert (check.gate, check.threshold) == ("max_drop", 0.1)
    assert check.measured == pytest.approx(expected.difference)
    assert (check.low, check.high) == (expected.low, expected.high)


@pytest.mark.parametrize("errors", [0.235, 0.3])
def test_the_ends_of_the_drops_interval_decide(errors: float) -> None:
    """A drop beyond chance fails as soon as it is larger than allowed, whatever of it is sure."""
    cell = cell_of()
    before, after = runs(cell, 0.22), runs(cell, errors, offset=50)
    found = difference(before, after, paired=True)
    (drop,) = [check.measured for check in judge(cell, after, baseline_of(before)).checks]
    assert drop is not None
    beyond_chance = found.low > 0
    assert beyond_chance == (errors == 0.3)
    assert found.low < drop < found.high

    def against(allowed: float, statistic: Literal["mean", "lower-bound"]) -> Judgement:
        gates = Thresholds.model_construct(max_drop=allowed, statistic=statistic)
        return judge(replace(cell, gates=gates), after, baseline_of(before))

    below = "fail" if beyond_chance else "not-enough-evidence"
    between = (drop + max(found.low, 0)) / 2
    assert [against(allowed, "mean").verdict for allowed in (drop, between)] == ["pass", below]
    assert [
        against(allowed, "lower-bound").verdict
        for allowed in (found.high, drop, found.low, found.low - 1e-6)
    ] == ["pass", "not-enough-evidence", "not-enough-evidence", "fail"]
    assert the_reason(against(drop, "lower-bound")).endswith(
        "; it may be larger than allowed, and no number of seeds would be enough: there are too "
        "few validation sentences"
    )


@pytest.mark.parametrize(("statistic", "against"), [("mean", 0.0), ("lower-bound", 0.06)])
def test_a_drop_in_doubt_says_how_many_seeds_would_tell(statistic: str, against: float) -> None:
    cell = cell_of((1, 2), max_drop=0.06, statistic=statistic)
    before = runs(cell, 0.22)
    after = [
        predicted_record(cell, seed, LABELS, predictions(seed, errors))
        for seed, errors in ((1, 0.22), (2, 0.34))
    ]
    needed = stats.seeds_needed(difference(before, after, paired=True), against)
    assert needed is not None
    found = judge(cell, after, baseline_of(before))
    assert found.verdict == "not-enough-evidence"
    assert the_reason(found).startswith("MCC ")
    assert the_reason(found).endswith(f", about {needed} seeds in total would be enough to decide")


def test_one_seed_against_one_is_no_proof_of_a_small_drop_unless_nothing_changed() -> None:
    cell = cell_of((1,), max_drop=0.5, statistic="lower-bound")
    before = runs(cell, 0.22)
    same = judge(cell, before, baseline_of(before))
    assert same.verdict == "pass"
    assert "95 % interval +0.0000 to +0.0000, sentences only; p = 1" in the_reason(same)
    found = judge(cell, runs(cell, 0.22, 50), baseline_of(before))
    assert found.verdict == "not-enough-evidence"
    assert "one seed does not show the spread over seeds; about 2 seeds" in the_reason(found)
    assert found.checks[0].measured == pytest.approx(mcc_of(judged(cell, 0.22)) - mcc_of(found))


def test_runs_without_predictions_are_doubt_with_the_drop_and_the_reason() -> None:
    cell = cell_of((1, 2))
    before = runs(cell, 0.2)
    found = judge(cell, [make_record(cell, seed) for seed in (1, 2)], baseline_of(before))
    (check,) = found.checks
    assert check.measured == pytest.approx(mcc_of(judged(cell, 0.2)) - 0.4)
    assert (check.gate, check.threshold) == ("max_drop", DEFAULT_MAX_DROP)
    assert (check.low, check.high, check.verdict) == (None, None, "not-enough-evidence")
    assert ": not enough evidence, the record of encoder-bs16-lr2e-05 with seed 1" in check.reason


def test_a_drop_against_other_training_is_judged_and_says_what_differs() -> None:
    cell = cell_of()
    now = runs(cell, 0.2)
    shorter = TrainingSpec(epochs=2, max_length=32)
    before = [r.model_copy(update={"training": shorter}) for r in now]
    assert the_reason(judge(cell, now, baseline_of(before))).endswith(
        "; the training differs: epochs 2 then, 5 now, max_length 32 then, None now"
    )
    assert the_reason(judge(cell, now, baseline_of(now))).endswith(
        f", allowed {DEFAULT_MAX_DROP:.4f}"
    )


def test_a_baseline_judges_cells_without_any_threshold() -> None:
    cell = cell_of()
    found = judge(cell, runs(cell, 0.6), baseline_of(runs(cell, 0.2)))
    assert found.verdict == "fail"
    assert found.checks[0].threshold == DEFAULT_MAX_DROP


@pytest.mark.parametrize(
    ("before", "reason"),
    [
        ([], "no scored run of this cell"),
        ([failed_record(cell_of(), 1)], "no scored run of this cell"),
        ([make_record(cell_of(), 1)], "contains no predictions"),
        (
            [
                predicted_record(
                    cell_of(),
                    1,
                    LABELS,
                    predictions(1, 0.2),
                    dataset=COLA.model_copy(update={"fingerprint": "o" * 64}),
                )
            ],
            "other sentences; name one that was scored on these",
        ),
        ([predicted_record(cell_of(), 1, 1 - LABELS, predictions(1, 0.2))], "other sentences"),
        ([predicted_record(cell_of(), 1, LABELS[:50], predictions(1, 0.2)[:, :50])], "other sent"),
    ],
)
def test_a_baseline_that_cannot_be_compared_is_doubt_with_the_reason(
    before: list[Record], reason: str
) -> None:
    cell = cell_of()
    found = judge(cell, runs(cell, 0.2), baseline_of(before))
    assert (found.verdict, found.passed) == ("not-enough-evidence", False)
    assert reason in the_reason(found)
    known = [record.scores.mcc for record in before if record.scores is not None]
    measured = found.checks[0].measured
    assert measured == (pytest.approx(known[0] - mcc_of(found)) if known else None)


def test_a_baseline_of_another_suite_or_other_data_is_bad_input() -> None:
    baseline = baseline_of(runs(cell_of(), 0.2))
    (told,) = problems(baseline, {"other": None})
    assert "a leaderboard of the suite 'sample'" in told
    changed = COLA.model_copy(update={"fingerprint": "n" * 64})
    (told,) = problems(baseline, {"sample": changed})
    assert "cannot be compared" in told
    assert list(problems(baseline, {"sample": COLA})) == []
    unscored = [[], [failed_record(cell_of(), seed) for seed in (1, 2, 3)]]
    for records in unscored:
        (told,) = problems(baseline_of(records), {"sample": COLA})
        assert "old.json: contains no scored run; create it again" in told
    # Only what was scored has to be of the same data.
    elsewhere = failed_record(cell_of(), 4, dataset=changed)
    assert list(problems(baseline_of([*runs(cell_of(), 0.2), elsewhere]), {"sample": COLA})) == []


def verdicts(cells: Sequence[Cell], records: Sequence[Record]) -> dict[str, str | None]:
    """Return every cell's verdict against a threshold and a baseline of unspoilt runs."""
    baseline = baseline_of([run for cell in cells for run in runs(cell, 0.2)])
    return {
        cell.checkpoint: judge(
            cell, [r for r in records if r.checkpoint == cell.checkpoint], baseline
        ).verdict
        for cell in cells
    }


def test_one_change_changes_exactly_the_verdicts_that_it_should() -> None:
    names = ("org/one", "org/two", "org/three")
    cells = [cell_of(name=name, max_drop=0.0) for name in names]
    records = {(cell.checkpoint, r.seed): r for cell in cells for r in runs(cell, 0.2)}
    before = verdicts(cells, list(records.values()))
    assert before == dict.fromkeys(names, "pass")

    # One label of one prediction: the smallest drop there is, against an allowance of none.
    classes = predictions(2, 0.2)
    right = int(np.flatnonzero(classes[0] == LABELS)[0])
    classes[0, right] = 1 - classes[0, right]
    one_label = {**records, ("org/two", 2): predicted_record(cells[1], 2, LABELS, classes)}
    assert verdicts(cells, list(one_label.values())) == {**before, "org/two": "not-enough-evidence"}

    # One threshold.
    demanding = [*cells[:2], replace(cells[2], gates=Thresholds(min_mcc=0.99, max_drop=0.0))]
    assert verdicts(demanding, list(records.values())) == {**before, "org/three": "fail"}

    # One seed's record.
    lost = {**records, ("org/one", 3): failed_record(cells[0], 3)}
    assert verdicts(cells, list(lost.values())) == {**before, "org/one": "fail"}
    del lost["org/one", 3]
    assert verdicts(cells, list(lost.values())) == {**before, "org/one": None}
