"""Which gates can be decided before the last epoch, and at which mean MCC."""

from dataclasses import replace
from statistics import mean
from typing import Any

import pytest
from builders.records import make_cell, record_of_mcc
from hypothesis import given
from hypothesis import strategies as st

from harness.judging.baseline import Baseline
from harness.judging.decided import (
    DECIDABLE,
    MANNERS,
    Aim,
    aim_of,
    needs_whole_runs,
    never_stopped,
    reached,
    stopped_to_reuse,
    target,
)
from harness.judging.gates import judge
from harness.store.stopped import Stopped
from harness.suite.gates import AGAINST_BASELINE, SuiteGates, Thresholds
from harness.suite.spec import TrainingSpec

MCC = st.floats(-1, 1)
PLAIN = TrainingSpec()


def aim(
    gates: dict[str, Any], training: TrainingSpec = PLAIN, suite: dict[str, Any] | None = None
) -> Aim:
    return aim_of(make_cell(gates=Thresholds(**gates)), training, SuiteGates(**(suite or {})))


@pytest.mark.parametrize(
    ("gates", "suite", "expected"),
    [
        ({"min_mcc": 0.4}, {}, 0.4),
        ({"min_mcc": 0.4}, {"best_min_mcc": 0.5}, 0.5),
        ({"min_mcc": 0.4}, {"every_checkpoint_min_mcc": 0.3}, 0.4),
        ({}, {"best_min_mcc": 0.5, "every_checkpoint_min_mcc": 0.3}, 0.5),
        ({"min_mcc": 0.4, "statistic": "mean", "on_doubt": "pass"}, {}, 0.4),
        ({"min_mcc": 0.4, "population": "sources"}, {}, 0.4),  # the mean has no population
        ({"min_mcc": 0.4, "max_drop": 0.1}, {}, 0.4),  # there is no baseline
    ],
)
def test_the_aim_is_the_highest_threshold_of_the_mean(
    gates: dict[str, Any], suite: dict[str, Any], expected: float
) -> None:
    assert aim(gates, suite=suite) == Aim(expected)


@pytest.mark.parametrize(
    ("gates", "training", "suite", "reason"),
    [
        ({}, {}, {}, "no gate requires an MCC"),
        ({"min_mcc": 0.4}, {"selection": "last-epoch"}, {}, 'selection is "last-epoch"'),
        ({"min_mcc": 0.4}, {"epochs": 1}, {}, "training.epochs is 1"),
        ({"min_mcc": 0.4, "statistic": "lower-bound"}, {}, {}, '"lower-bound"'),
        ({"min_mcc": 0.4, "min_accuracy": 0.5}, {}, {}, "gates.min_accuracy"),
        ({"min_mcc": 0.4, "max_train_seconds": 9}, {}, {}, "gates.max_train_seconds"),
        ({"min_mcc": 0.4, "min_samples_per_second": 9}, {}, {}, "gates.min_samples_per_second"),
        ({"min_mcc": 0.4, "max_eval_ms_per_sentence": 9}, {}, {}, "max_eval_ms_per_sentence"),
        ({"min_mcc": 0.4, "max_peak_memory_mb": 9}, {}, {}, "gates.max_peak_memory_mb"),
        ({"min_mcc": 0.4, "slice": {"domain=in": {"min_mcc": 0.2}}}, {}, {}, "gates.slice"),
        ({"min_mcc": 0.4}, {}, {"order": ("a", "b")}, "gates.suite.order"),
    ],
)
def test_what_cannot_be_decided_early_stops_no_run(
    gates: dict[str, Any], training: dict[str, Any], suite: dict[str, Any], reason: str
) -> None:
    found = aim(gates, TrainingSpec(**training), suite)
    assert found.mcc is None
    assert reason in (found.reason or "")


@pytest.mark.parametrize(
    "training",
    [{"patience": 2}, {"lr_scheduler": "cosine"}, {"lr_scheduler": "constant"}, {"epochs": 2}],
)
def test_patience_and_schedules_change_nothing(training: dict[str, Any]) -> None:
    assert aim({"min_mcc": 0.4}, TrainingSpec(**training)) == Aim(0.4)


@given(st.lists(MCC, min_size=1, max_size=6), MCC)
def test_runs_at_their_targets_reach_the_aim(mccs: list[float], wanted: float) -> None:
    """Each run ends at its target or above, in turn: then the exact mean is at least the aim."""
    ended: list[float] = []
    for extra in mccs:
        least = target(wanted, len(mccs), ended, [])
        ended.append(max(least, extra))
    assert reached(wanted, ended)
    assert mean(ended) >= wanted


@given(st.lists(MCC, min_size=2, max_size=6), MCC)
def test_runs_at_their_targets_reach_the_aim_when_they_train_together(
    mccs: list[float], wanted: float
) -> None:
    first = target(wanted, len(mccs), [], [])
    second = target(wanted, len(mccs), [], [first])
    ended = [max(first, mccs[0]), max(second, mccs[1])]
    for extra in mccs[2:]:
        ended.append(max(target(wanted, len(mccs), ended, []), extra))
    if max(ended) <= 1:
        assert mean(ended) >= wanted


@pytest.mark.parametrize(
    ("aim_", "whole", "stopped", "expected"),
    [
        (0.4, {}, {0: 0.41, 1: 0.42}, {0, 1}),
        (0.4, {}, {0: 0.39, 1: 0.42}, {0, 1}),  # their mean reaches it
        (0.5, {}, {0: 0.41, 1: 0.52}, {1}),  # a higher threshold than they were stopped for
        (0.5, {}, {0: 0.41, 1: 0.42}, set()),
        (0.4, {0: 0.7}, {1: 0.2}, {1}),
        (0.4, {0: 0.3}, {1: 0.45}, set()),
        (0.4, {0: 0.3}, {}, set()),
    ],
)
def test_a_stopped_run_is_reused_for_what_it_answers(
    aim_: float, whole: dict[int, float], stopped: dict[int, float], expected: set[int]
) -> None:
    assert stopped_to_reuse(aim_, 2, whole, stopped) == expected


def test_a_stopped_run_beside_a_missing_one_is_reused_if_it_reaches_its_share() -> None:
    assert stopped_to_reuse(0.4, 3, {0: 0.7}, {1: 0.26}) == {1}
    assert stopped_to_reuse(0.4, 3, {0: 0.7}, {1: 0.24}) == set()


def test_a_drop_against_a_baseline_is_decided_where_its_gate_passes() -> None:
    cell = make_cell(seeds=(0,), gates=Thresholds(max_drop=0.1))
    before = record_of_mcc(cell, 0, 0.5)
    baseline = Baseline("before.json", cell.suite, (before,))
    found = aim_of(cell, before.training, SuiteGates(), baseline)
    assert before.scores is not None
    assert found.mcc == pytest.approx(before.scores.mcc - 0.1)
    for mcc in (0.3, 0.38, 0.4, 0.42, 0.5, 0.7):
        now = record_of_mcc(cell, 0, mcc)
        assert now.scores is not None
        passed = judge(cell, [now], baseline).verdict == "pass"
        assert passed or now.scores.mcc < (found.mcc or 0)
        if now.scores.mcc >= (found.mcc or 0):
            assert passed


def test_a_stopped_baseline_decides_nothing() -> None:
    cell = make_cell(seeds=(0,), gates=Thresholds(min_mcc=0.1, max_drop=0.1))
    stop = Stopped(after_epoch=1, of=5, because="gate met", target=0.3)
    before = record_of_mcc(cell, 0, 0.5, stopped=stop)
    baseline = Baseline("before.json", cell.suite, (before,))
    assert "stopped after epoch 1 of 5" in (
        aim_of(cell, before.training, SuiteGates(), baseline).reason or ""
    )
    check = judge(cell, [record_of_mcc(cell, 0, 0.6)], baseline).checks[-1]
    assert check.verdict == "not-enough-evidence"
    assert "stopped after epoch 1 of 5" in check.reason
    empty = Baseline("before.json", cell.suite, ())
    assert aim_of(cell, before.training, SuiteGates(), empty).mcc is None


def test_gates_of_intervals_against_a_baseline_are_not_decided_early() -> None:
    cell = make_cell(gates=Thresholds(max_drop=0.1, population="sources"))
    before = record_of_mcc(cell, 0, 0.5)
    baseline = Baseline("before.json", cell.suite, (before,))
    assert "sources" in (aim_of(cell, before.training, SuiteGates(), baseline).reason or "")
    cell = make_cell(gates=Thresholds(max_drop=0.1, statistic="lower-bound"))
    assert "lower-bound" in (aim_of(cell, before.training, SuiteGates(), baseline).reason or "")


def test_the_reasons_are_listed_once_with_their_cells() -> None:
    aims = {"one": Aim(0.3), "two": Aim(None, "why"), "three": Aim(None, "why")}
    assert never_stopped(aims) == ["--stop decided stops no run of two, three: why"]
    assert never_stopped({"two": Aim(None, "why")}) == [
        "--stop decided stops no run of any cell: why"
    ]
    assert never_stopped({"one": Aim(0.3)}) == []


def test_every_gate_but_those_on_the_mean_mcc_needs_whole_runs() -> None:
    cell = make_cell(gates=Thresholds(min_mcc=0.4))
    every = set(Thresholds.model_fields) - DECIDABLE - MANNERS
    values = {"slice": {"domain=in": {"min_mcc": 0.1}}}
    before = record_of_mcc(cell, 0, 0.3)
    baseline = Baseline("before.json", cell.suite, (before,))
    for name in every:
        gates = Thresholds(min_mcc=0.4, **{name: values.get(name, 0.5)})
        assert needs_whole_runs(gates, compared=True) == [name]
        found = aim_of(replace(cell, gates=gates), PLAIN, SuiteGates(), baseline)
        assert (found.mcc, found.reason) == (None, f"gates.{name} needs whole runs")


@pytest.mark.parametrize("name", AGAINST_BASELINE)
def test_a_gate_against_a_baseline_hinders_no_stop_without_one(name: str) -> None:
    gates = Thresholds(min_mcc=0.4, **{name: 0.5})
    assert needs_whole_runs(gates, compared=False) == []
    assert aim_of(make_cell(gates=gates), PLAIN, SuiteGates()).mcc == 0.4
