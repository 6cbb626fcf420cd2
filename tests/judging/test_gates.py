"""A cell passes by the mean MCC of its seeds, and says why when it does not."""

from pathlib import Path

import pytest
from builders.records import failed_record, make_cell, make_record, skipped_record
from hypothesis import given
from hypothesis import strategies as st

from harness.judging.gates import explain, judge


def test_the_mean_over_seeds_decides() -> None:
    cell = make_cell(seeds=(0, 1), threshold=0.3)
    above = judge(cell, [make_record(cell, 0, mcc=0.2), make_record(cell, 1, mcc=0.5)])
    assert above.verdict == "pass"
    assert above.mcc == pytest.approx(0.35)
    assert above.threshold == 0.3
    below = judge(cell, [make_record(cell, 0, mcc=0.2), make_record(cell, 1, mcc=0.3)])
    assert below.verdict == "fail"
    assert below.margin == pytest.approx(-0.05)


@pytest.mark.parametrize(
    ("mccs", "threshold"),
    [
        ([0.25], 0.25),
        ([0.1, 0.2, 0.3], 0.2),
        ([-0.98] * 5, -0.98),
        ([0.0], 0.0),
        ([0.5, -0.5], 0.0),
        ([1.0, 1.0], 1.0),
    ],
)
def test_a_mean_exactly_at_the_threshold_passes(mccs: list[float], threshold: float) -> None:
    cell = make_cell(seeds=tuple(range(len(mccs))), threshold=threshold)
    judgement = judge(cell, [make_record(cell, seed, mcc=mcc) for seed, mcc in enumerate(mccs)])
    assert (judgement.verdict, judgement.mcc, judgement.margin) == ("pass", threshold, 0.0)


MCC = st.floats(-1, 1)


@given(st.lists(MCC, min_size=1, max_size=5), MCC)
def test_seeds_that_all_reach_the_threshold_pass_and_seeds_that_all_miss_it_fail(
    mccs: list[float], threshold: float
) -> None:
    cell = make_cell(seeds=tuple(range(len(mccs))), threshold=threshold)
    judgement = judge(cell, [make_record(cell, seed, mcc=mcc) for seed, mcc in enumerate(mccs)])
    assert judgement.verdict in ("pass", "fail")
    if min(mccs) >= threshold:
        assert judgement.verdict == "pass"
    if max(mccs) < threshold:
        assert judgement.verdict == "fail"
        assert "below the threshold" in explain(cell, judgement, Path())


def test_a_failed_run_fails_its_cell_however_good_the_others_are() -> None:
    cell = make_cell(seeds=(0, 1), threshold=0.3)
    judgement = judge(cell, [make_record(cell, 0, mcc=0.9), failed_record(cell, 1)])
    assert judgement.verdict == "fail"
    assert judgement.failures == {1: "RuntimeError: out of memory"}
    assert judgement.by_seed == {0: 0.9, 1: None}


def test_without_a_threshold_a_failed_run_fails_and_nothing_else_is_judged() -> None:
    cell = make_cell(seeds=(0,), threshold=None)
    unjudged = judge(cell, [make_record(cell, 0, mcc=-0.9)])
    assert (unjudged.verdict, unjudged.mcc, unjudged.margin) == (None, -0.9, None)
    assert judge(cell, [failed_record(cell, 0)]).verdict == "fail"


def test_a_cell_with_a_seed_missing_or_skipped_is_not_judged() -> None:
    cell = make_cell(seeds=(0, 1), threshold=0.3)
    first = make_record(cell, 0, mcc=0.9)
    for records in ([first], [first, skipped_record(cell, 1)], []):
        judgement = judge(cell, records)
        assert (judgement.verdict, judgement.passed) == (None, False)
        assert f"{cell.id}: seed 1 has no score" in explain(cell, judgement, Path())


def test_an_interval_of_seeds_alone_ends_where_no_score_can_be() -> None:
    cell = make_cell(seeds=(0, 1))
    judgement = judge(cell, [make_record(cell, 0, mcc=0.1), make_record(cell, 1, mcc=0.9)])
    mcc, accuracy = judgement.mcc_interval, judgement.accuracy_interval
    assert mcc is not None
    assert accuracy is not None
    assert (mcc.low, mcc.high, mcc.covers) == (-1, 1, "seeds only")
    assert (accuracy.low, accuracy.high) == (0, 1)


def test_another_cells_seed_does_not_stand_in_for_a_missing_one() -> None:
    cell = make_cell(seeds=(0, 1), threshold=0.3)
    records = [make_record(cell, seed, mcc=0.9) for seed in (0, 2)]
    judgement = judge(cell, records)
    assert (judgement.verdict, judgement.passed) == (None, False)


def test_the_explanation_gives_value_threshold_margin_seeds_and_place(tmp_path: Path) -> None:
    cell = make_cell(seeds=(0, 7), threshold=0.3)
    records = [make_record(cell, 0, mcc=0.2), make_record(cell, 7, mcc=0.1)]
    assert explain(cell, judge(cell, records), tmp_path).splitlines() == [
        f"{cell.id}: MCC 0.1500 (95 % interval -0.4853 to 0.7853, seeds only) is below the "
        "threshold 0.3000 (margin -0.1500)",
        "  MCC by seed: seed 0: 0.2000, seed 7: 0.1000",
        "  training time: 104.0 ± 4.9 s per run",
        f"  records: {tmp_path}",
    ]


def test_a_narrow_miss_is_not_explained_as_none(tmp_path: Path) -> None:
    cell = make_cell(seeds=(0,), threshold=0.3)
    text = explain(cell, judge(cell, [make_record(cell, 0, mcc=0.29998)]), tmp_path)
    assert "MCC 0.29998 is below the threshold 0.3000 (margin -2e-05)" in text


def test_a_score_that_rounds_to_zero_has_no_sign(tmp_path: Path) -> None:
    cell = make_cell(seeds=(0, 1), threshold=0.3)
    records = [make_record(cell, seed, mcc=-1e-5) for seed in cell.seeds]
    text = explain(cell, judge(cell, records), tmp_path)
    assert "MCC 0.0000 (95 % interval 0.0000 to 0.0000, seeds only) is below" in text
    assert "seed 0: 0.0000, seed 1: 0.0000" in text


def test_a_threshold_is_explained_with_all_its_digits(tmp_path: Path) -> None:
    cell = make_cell(seeds=(0,), threshold=0.30004)
    text = explain(cell, judge(cell, [make_record(cell, 0, mcc=0.3)]), tmp_path)
    assert "MCC 0.3000 is below the threshold 0.30004 (margin -4e-05)" in text


def test_the_explanation_of_a_failed_run_gives_its_reason(tmp_path: Path) -> None:
    cell = make_cell(seeds=(0, 1), threshold=0.3)
    lost = failed_record(cell, 1)
    judgement = judge(cell, [make_record(cell, 0, mcc=0.9), lost])
    assert explain(cell, judgement, tmp_path).splitlines() == [
        f"{cell.id}: the run with seed 1 failed: {lost.reason}",
        "  MCC by seed: seed 0: 0.9000, seed 1: not scored",
        "  training time: 100.5 s per run",
        f"  records: {tmp_path}",
    ]
