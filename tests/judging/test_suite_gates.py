"""A suite is judged by its checkpoints' best cells, and by what further scores could change."""

from typing import Any

import pytest
from builders.records import make_cell, make_record

from harness.judging.gates import Check, explain_suite, judge, judge_suite
from harness.suite.spec import SuiteGates


def the_check(mccs: dict[str, list[float | None]], **gates: Any) -> Check:
    """Judge a suite of one cell a value by one gate; None has no score yet."""
    cells, found = [], {}
    for name, values in mccs.items():
        for position, mcc in enumerate(values):
            cell = make_cell(name, batch_size=2**position)
            cells.append(cell)
            found[cell.id] = [] if mcc is None else [make_record(cell, mcc=mcc)]
    (check,) = judge_suite(SuiteGates(**gates), cells, found, {})
    return check


@pytest.mark.parametrize(
    ("gates", "mccs", "expected"),
    [
        ({"best_min_mcc": 0.5}, {"a": [0.1, 0.5], "b": [0.2]}, "pass"),
        ({"best_min_mcc": 0.6}, {"a": [0.1, 0.5], "b": [0.2]}, "fail"),
        ({"best_min_mcc": 0.6}, {"a": [0.1, 0.5], "b": [None]}, "not-enough-evidence"),
        ({"best_min_mcc": 0.5}, {"a": [0.1, 0.5], "b": [None]}, "pass"),
        ({"best_min_mcc": 0.5}, {"a": [None]}, "not-enough-evidence"),
        ({"every_checkpoint_min_mcc": 0.2}, {"a": [0.1, 0.5], "b": [0.2]}, "pass"),
        ({"every_checkpoint_min_mcc": 0.3}, {"a": [0.1, 0.5], "b": [0.2]}, "fail"),
        ({"every_checkpoint_min_mcc": 0.2}, {"a": [0.5], "b": [None]}, "not-enough-evidence"),
        ({"order": ["a", "b"]}, {"a": [0.1, 0.5], "b": [0.2]}, "pass"),
        ({"order": ["b", "a"]}, {"a": [0.1, 0.5], "b": [0.2]}, "fail"),
        ({"order": ["a", "b"]}, {"a": [0.5], "b": [0.2, None]}, "not-enough-evidence"),
        # What further scores could mend is no failure, and what they cannot undo is settled.
        ({"every_checkpoint_min_mcc": 0.3}, {"a": [0.1, None]}, "not-enough-evidence"),
        ({"every_checkpoint_min_mcc": 0.3}, {"a": [0.1], "b": [None]}, "fail"),
        ({"every_checkpoint_min_mcc": 0.3}, {"a": [0.4, None], "b": [0.3]}, "pass"),
        ({"order": ["a", "b"]}, {"a": [0.2, None], "b": [0.5]}, "not-enough-evidence"),
        ({"order": ["a", "b"]}, {"a": [0.2], "b": [0.5, None]}, "fail"),
        ({"order": ["a", "b"]}, {"a": [0.5, None], "b": [0.2]}, "pass"),
        ({"order": ["a", "b"]}, {"a": [0.5], "b": [0.2], "c": [None]}, "pass"),
        ({"order": ["a", "b", "c"]}, {"a": [0.5], "b": [0.3, None], "c": [0.6]}, "fail"),
        ({"order": ["a", "b", "c"]}, {"a": [0.5], "b": [None], "c": [0.2]}, "not-enough-evidence"),
        ({"order": ["a", "b"]}, {"a": [0.5]}, "not-enough-evidence"),
        ({"order": ["a", "b"]}, {"a": [None], "b": [0.5]}, "not-enough-evidence"),
        # The best cell need not be the last, and equals are in order.
        ({"every_checkpoint_min_mcc": 0.3}, {"a": [0.5, 0.1]}, "pass"),
        ({"order": ["a", "b"]}, {"a": [0.5], "b": [0.5]}, "pass"),
    ],
)
def test_a_suite_is_judged_by_its_best_cells(
    gates: dict[str, Any], mccs: dict[str, list[float | None]], expected: str
) -> None:
    assert the_check(mccs, **gates).verdict == expected


@pytest.mark.parametrize(
    ("gates", "mccs", "threshold", "measured", "said"),
    [
        (
            {"best_min_mcc": 0.6},
            {"a": [0.5, 0.1], "b": [0.2]},
            0.6,
            0.5,
            "the best cell, a-bs1-lr2e-05, has MCC 0.5000; at least 0.6000 is required",
        ),
        (
            {"best_min_mcc": 0.6},
            {"a": [0.5, None, None], "b": [None]},
            0.6,
            0.5,
            "the best cell, a-bs1-lr2e-05, has MCC 0.5000; at least 0.6000 is required; "
            "3 of 4 cells lack the score of a seed",
        ),
        (
            {"best_min_mcc": 0.6},
            {"a": [None]},
            0.6,
            None,
            "no cell has a score; an MCC of at least 0.6000 is required; "
            "1 of 1 cell lacks the score of a seed",
        ),
        (
            {"every_checkpoint_min_mcc": 0.3},
            {"a": [0.5, 0.1], "b": [0.2], "c": [0.1, 0.25]},
            0.3,
            0.2,
            "best MCC below 0.3000: b 0.2000, c 0.2500",
        ),
        (
            {"every_checkpoint_min_mcc": 0.2},
            {"a": [0.5], "b": [0.2]},
            0.2,
            0.2,
            "2 of 2 checkpoints reach MCC 0.2000",
        ),
        (
            {"every_checkpoint_min_mcc": 0.2},
            {"a": [None]},
            0.2,
            None,
            "0 of 1 checkpoint reaches MCC 0.2000; 1 of 1 cell lacks the score of a seed",
        ),
        (
            {"order": ["c", "b", "a"]},
            {"a": [0.5, 0.1], "b": [0.2], "c": [0.125]},
            0.0,
            0.2 - 0.5,
            "b (0.2000) is above c (0.1250); a (0.5000) is above b (0.2000)",
        ),
        (
            {"order": ["a", "b", "d", "e"]},
            {"a": [0.5], "b": [0.25]},
            0.0,
            0.25,
            "best MCC falls in the order a > b > d > e, without d, e (no cell in this session)",
        ),
        (
            {"order": ["b", "a"]},
            {"a": [0.5], "b": [0.5]},
            0.0,
            0.0,
            "best MCC falls in the order b > a",
        ),
        # Cells without a score change neither of these, so they are not spoken of.
        (
            {"best_min_mcc": 0.5},
            {"a": [0.5], "b": [None]},
            0.5,
            0.5,
            "the best cell, a-bs1-lr2e-05, has MCC 0.5000; at least 0.5000 is required",
        ),
        (
            {"every_checkpoint_min_mcc": 0.3},
            {"a": [0.125], "b": [None]},
            0.3,
            0.125,
            "best MCC below 0.3000: a 0.1250",
        ),
        (
            {"order": ["a", "b"]},
            {"a": [0.5]},
            0.0,
            None,
            "best MCC falls in the order a > b, without b (no cell in this session)",
        ),
    ],
)
def test_a_suites_check_says_what_was_measured_against_what(
    gates: dict[str, Any],
    mccs: dict[str, list[float | None]],
    threshold: float,
    measured: float | None,
    said: str,
) -> None:
    check = the_check(mccs, **gates)
    (gate,) = gates
    assert (check.gate, check.threshold, check.measured) == (gate, threshold, measured)
    assert check.reason == f"{said} (gates.suite.{gate})"
    told = f"s: {check.reason}\ns: {check.reason}"
    assert explain_suite("s", [check, check]) == ("" if check.verdict == "pass" else told)


def test_a_suites_mean_is_the_cells_own_to_the_last_bit() -> None:
    cell = make_cell(seeds=(0, 1, 2), threshold=0.2)
    records = [make_record(cell, seed, mcc) for seed, mcc in enumerate((0.1, 0.2, 0.3))]
    (check,) = judge_suite(SuiteGates(best_min_mcc=0.2), [cell], {cell.id: records}, {})
    assert (check.verdict, judge(cell, records).verdict) == ("pass", "pass")


def test_an_order_that_names_a_checkpoint_without_cells_says_so() -> None:
    cell = make_cell("a")
    records = {cell.id: [make_record(cell)]}
    (check,) = judge_suite(SuiteGates(order=("a", "b")), [cell], records, {})
    assert "without b (no cell in this session)" in check.reason
