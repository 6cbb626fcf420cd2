"""A cell passes by the mean MCC of its seeds, and says why when it does not."""

from pathlib import Path

import pytest
from samples import failed_record, make_cell, make_record, skipped_record

from harness.gates import explain, judge


def test_the_mean_over_seeds_decides() -> None:
    cell = make_cell(seeds=(0, 1), threshold=0.3)
    above = judge(cell, [make_record(cell, 0, mcc=0.2), make_record(cell, 1, mcc=0.5)])
    assert above.verdict == "pass"
    assert above.mcc == pytest.approx(0.35)
    below = judge(cell, [make_record(cell, 0, mcc=0.2), make_record(cell, 1, mcc=0.3)])
    assert below.verdict == "fail"
    assert below.margin == pytest.approx(-0.05)


def test_a_mean_exactly_at_the_threshold_passes() -> None:
    cell = make_cell(seeds=(0,), threshold=0.25)
    assert judge(cell, [make_record(cell, 0, mcc=0.25)]).verdict == "pass"


def test_a_failed_run_fails_its_cell_however_good_the_others_are() -> None:
    cell = make_cell(seeds=(0, 1), threshold=0.3)
    judgement = judge(cell, [make_record(cell, 0, mcc=0.9), failed_record(cell, 1)])
    assert judgement.verdict == "fail"
    assert list(judgement.failures) == [1]


def test_without_a_threshold_a_failed_run_fails_and_nothing_else_is_judged() -> None:
    cell = make_cell(seeds=(0,), threshold=None)
    assert judge(cell, [make_record(cell, 0, mcc=-0.9)]).verdict is None
    assert judge(cell, [failed_record(cell, 0)]).verdict == "fail"


def test_a_cell_with_a_seed_missing_or_skipped_is_not_judged() -> None:
    cell = make_cell(seeds=(0, 1), threshold=0.3)
    assert judge(cell, [make_record(cell, 0, mcc=0.9)]).verdict is None
    assert judge(cell, [make_record(cell, 0, mcc=0.9), skipped_record(cell, 1)]).verdict is None
    assert judge(cell, []).verdict is None


def test_the_explanation_gives_value_threshold_margin_seeds_and_place(tmp_path: Path) -> None:
    cell = make_cell(seeds=(0, 7), threshold=0.3)
    records = [make_record(cell, 0, mcc=0.2), make_record(cell, 7, mcc=0.1)]
    text = explain(cell, judge(cell, records), tmp_path)
    for part in (cell.id, "0.1500", "0.3000", "-0.1500", "seed 0: 0.2000", "seed 7: 0.1000"):
        assert part in text
    assert str(tmp_path) in text


def test_the_explanation_of_a_failed_run_gives_its_reason(tmp_path: Path) -> None:
    cell = make_cell(seeds=(0, 1), threshold=0.3)
    lost = failed_record(cell, 1)
    text = explain(cell, judge(cell, [make_record(cell, 0, mcc=0.9), lost]), tmp_path)
    assert lost.reason is not None
    assert lost.reason in text
    assert "seed 1: not scored" in text
    assert "below the threshold" not in text
