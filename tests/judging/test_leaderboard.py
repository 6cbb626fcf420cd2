"""The leaderboard says of every cell what its records say, and nothing that they do not."""

import math
import random
import statistics
from statistics import fmean, stdev
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.stats
from builders.records import failed_record, make_cell, make_record, predicted_record, skipped_record
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import sem
from sklearn.metrics import matthews_corrcoef

from harness import stats
from harness.judging.columns import SHOWN
from harness.judging.costs import deviation, mean
from harness.judging.evidence import evidence
from harness.judging.leaderboard import leaderboard, rows_of
from harness.store.records import Record
from harness.suite.plan import Cell
from harness.suite.spec import TrainingSpec

COLUMNS = [
    "rank",
    "checkpoint",
    "batch_size",
    "learning_rate",
    "seeds",
    "status",
    "mcc",
    "mcc_sd",
    "mcc_low",
    "mcc_high",
    "test_mcc",
    "test_mcc_sd",
    "mcc_last_epoch",
    "mcc_adjusted",
    "accuracy",
    "accuracy_sd",
    "accuracy_low",
    "accuracy_high",
    "f1",
    "train_seconds",
    "train_seconds_sd",
    "samples_per_second",
    "samples_per_second_sd",
    "eval_ms_per_sentence",
    "eval_ms_per_sentence_sd",
    "peak_memory_mb",
    "peak_memory_mb_sd",
    "parameters_m",
    "time_to_target_seconds",
    "time_to_target_seconds_sd",
    "threshold",
    "threshold_statistic",
    "verdict",
    "concurrency",
    "times",
    "warnings",
]

MEASURED = COLUMNS[COLUMNS.index("mcc") : COLUMNS.index("threshold")]


def one_row(cell: Cell, records: list[Record]) -> dict[str, object]:
    (row,) = rows_of(leaderboard([cell], records))
    return dict(row)


def test_the_columns_are_the_published_ones_in_order_and_can_hold_nulls() -> None:
    frame = leaderboard([make_cell()], [])
    assert list(frame.columns) == COLUMNS
    assert {str(dtype) for dtype in frame.dtypes} == {"Int64", "Float64", "string"}
    assert frame.loc[0, "mcc"] is pd.NA


def test_a_row_holds_means_over_its_seeds_and_the_worst_memory_and_concurrency() -> None:
    cell = make_cell("org/encoder", 32, 1e-4, seeds=(0, 1, 2))
    mccs = [0.31, 0.42, 0.37]
    memory, together = [800.5, 950.0, 700.0], [1, 3, 2]
    records = [
        make_record(cell, seed, mccs[seed], peak_memory_mb=memory[seed], concurrency=together[seed])
        for seed in cell.seeds
    ]
    row = one_row(cell, records)
    accuracies = [r.scores.accuracy for r in records if r.scores]
    speeds = [5 * 8551 / train for train in (100.5, 101.5, 102.5)]
    assert row == {
        "rank": 1,
        "checkpoint": "org/encoder",
        "batch_size": 32,
        "test_mcc": None,
        "test_mcc_sd": None,
        "learning_rate": 1e-4,
        "seeds": 3,
        "status": "ok",
        "mcc": statistics.mean(mccs),
        "mcc_sd": stdev(mccs),
        "mcc_low": pytest.approx(fmean(mccs) - reach(mccs)),
        "mcc_high": pytest.approx(fmean(mccs) + reach(mccs)),
        "mcc_last_epoch": fmean(mccs),
        "mcc_adjusted": None,
        "accuracy": fmean(accuracies),
        "accuracy_sd": stdev(accuracies),
        "accuracy_low": pytest.approx(fmean(accuracies) - reach(accuracies)),
        "accuracy_high": pytest.approx(fmean(accuracies) + reach(accuracies)),
        "f1": fmean(r.scores.f1 for r in records if r.scores),
        "train_seconds": fmean([100.5, 101.5, 102.5]),
        "train_seconds_sd": 1.0,
        "samples_per_second": fmean(speeds),
        "samples_per_second_sd": stdev(speeds),
        "eval_ms_per_sentence": pytest.approx(2.875),
        "eval_ms_per_sentence_sd": 0.0,
        "peak_memory_mb": 950.0,
        "peak_memory_mb_sd": stdev(memory),
        "parameters_m": 22.713986,
        "time_to_target_seconds": fmean([100.0, 101.0, 102.0]),
        "time_to_target_seconds_sd": 1.0,
        "threshold": 0.3,
        "threshold_statistic": "mean",
        "verdict": "pass",
        "concurrency": 3,
        "times": "order of magnitude",
        "warnings": "its seeds were timed under different circumstances (runs at a time: 1, 3 "
        "and 2), so their mean times cannot be compared with others",
    }
    kinds = [1, "", 1, 0.1, 1, "", *[0.1] * 4, *[None] * 2, 0.1, None]
    kinds += [*[0.1] * 17, "", "", 1, "", ""]
    assert list(map(type, row.values())) == list(map(type, kinds))


def reach(values: list[float]) -> float:
    """Return how far Student's 95 % interval of a mean reaches, from scipy's own."""
    low, high = scipy.stats.t.interval(0.95, len(values) - 1, scale=sem(values))
    assert low == -high
    return float(high)


def test_predictions_give_intervals_over_sentences_and_the_cost_of_choosing() -> None:
    random = np.random.default_rng(3)
    labels = random.integers(0, 2, 400)
    cell = make_cell(seeds=(0, 1))
    predicted = np.where(random.random((2, 3, 400)) < 0.3, 1 - labels, labels)
    records = [predicted_record(cell, seed, labels, predicted[seed]) for seed in cell.seeds]
    row = one_row(cell, records)
    interval = stats.mean_interval(labels, evidence(records).selected)
    assert (row["mcc_low"], row["mcc_high"]) == (interval.low, interval.high)
    last = [matthews_corrcoef(labels, predicted[seed][-1]) for seed in cell.seeds]
    assert row["mcc_last_epoch"] == pytest.approx(fmean(last))
    adjusted, mcc = row["mcc_adjusted"], row["mcc"]
    assert isinstance(adjusted, float)
    assert isinstance(mcc, float)
    assert 0.3 < adjusted < mcc

    untouched = TrainingSpec(selection="last-epoch")
    rule: dict[str, Any] = {"training": untouched, "selected_epoch": 3}
    fixed = [r.model_copy(update={**rule, "scores": r.epochs[-1].scores}) for r in records]
    assert one_row(cell, fixed)["mcc_adjusted"] == pytest.approx(fmean(last))


def test_the_mean_of_the_table_is_the_one_that_was_judged() -> None:
    cell = make_cell(seeds=(0, 1, 2), threshold=0.2)
    row = one_row(cell, [make_record(cell, seed, (0.1, 0.2, 0.3)[seed]) for seed in cell.seeds])
    assert (row["mcc"], row["verdict"]) == (0.2, "pass")


def test_each_warning_is_held_once() -> None:
    cell = make_cell(seeds=(0, 1))
    records = [make_record(cell, seed, warnings=("cut", f"seed {seed}")) for seed in cell.seeds]
    assert one_row(cell, records)["warnings"] == "cut | seed 0 | seed 1"


@pytest.mark.parametrize("text", ["cut | paste", "a |  | b", "| at | both | ends |"])
def test_warnings_are_counted_whatever_is_in_them(text: str) -> None:
    cell = make_cell()
    (row,) = rows_of(leaderboard([cell], [make_record(cell, warnings=(text, "other"))]))
    (column,) = (each for each in SHOWN if each.name == "warnings")
    assert column.text(row) == "2"
    assert str(row["warnings"]).split(" | ")[1:] == ["other"]


def test_one_seed_has_no_standard_deviation() -> None:
    cell = make_cell()
    assert one_row(cell, [make_record(cell)])["mcc_sd"] is None


@pytest.mark.parametrize("field", ["samples_per_second", "peak_memory_mb", "concurrency"])
def test_what_one_run_did_not_measure_is_null_and_not_a_mean_of_fewer_runs(field: str) -> None:
    cell = make_cell(seeds=(0, 1))
    unmeasured: dict[str, Any] = {field: None}
    row = one_row(cell, [make_record(cell, 0), make_record(cell, 1, **unmeasured)])
    assert row[field] is None
    assert row["mcc"] == 0.4


def test_a_measured_zero_stays_zero() -> None:
    cell = make_cell(seeds=(0, 1))
    row = one_row(cell, [make_record(cell, seed, 0.0) for seed in cell.seeds])
    assert (row["rank"], row["mcc"], row["mcc_sd"]) == (1, 0.0, 0.0)


def test_time_to_target_is_null_unless_every_scored_seed_reached_it() -> None:
    cell = make_cell(seeds=(0, 1), target=0.3)
    both = [make_record(cell, 0, 0.4), make_record(cell, 1, 0.3)]
    one = [make_record(cell, 0, 0.4), make_record(cell, 1, 0.29)]
    assert one_row(cell, both)["time_to_target_seconds"] == 100.5
    assert one_row(cell, one)["time_to_target_seconds"] is None
    assert one_row(make_cell(seeds=(0, 1), target=None), both)["time_to_target_seconds"] is None


def test_time_to_target_follows_the_plan_not_the_target_that_a_run_was_trained_under() -> None:
    trained = make_record(make_cell(target=0.4), mcc=0.4)
    assert trained.time_to_target_seconds == 100.0
    assert one_row(make_cell(target=0.2), [trained])["time_to_target_seconds"] == 50.0
    assert one_row(make_cell(target=0.5), [trained])["time_to_target_seconds"] is None


def test_equal_means_share_a_rank_and_keep_the_order_of_the_plan() -> None:
    cells = [make_cell(f"org/{name}") for name in "abcde"]
    mccs = dict(zip(cells, [0.2, 0.5, 0.2, 0.1, 0.5], strict=True))
    rows = rows_of(leaderboard(cells, [make_record(cell, mcc=mccs[cell]) for cell in cells]))
    assert [(row["rank"], row["checkpoint"]) for row in rows] == [
        (1, "org/b"),
        (1, "org/e"),
        (3, "org/a"),
        (3, "org/c"),
        (5, "org/d"),
    ]


CELL = make_cell(seeds=(0, 1))


@pytest.mark.parametrize(
    ("records", "status", "seeds", "verdict"),
    [
        ([make_record(CELL, 0), make_record(CELL, 1)], "ok", 2, "pass"),
        ([make_record(CELL, 0, 0.1), make_record(CELL, 1, 0.2)], "ok", 2, "fail"),
        ([make_record(CELL, 0), failed_record(CELL, 1)], "failed", 1, "fail"),
        ([failed_record(CELL, 1)], "failed", 0, "fail"),
        ([failed_record(CELL, 0), skipped_record(CELL, 1)], "failed", 0, "fail"),
        ([skipped_record(CELL, 0), skipped_record(CELL, 1)], "skipped", 0, None),
        ([make_record(CELL, 0)], "partial", 1, None),
        ([make_record(CELL, 0), skipped_record(CELL, 1)], "partial", 1, None),
        ([skipped_record(CELL, 0)], "partial", 0, None),
        ([], "not run", 0, None),
    ],
)
def test_a_cells_status_and_verdict_follow_from_its_runs(
    records: list[Record], status: str, seeds: int, verdict: str | None
) -> None:
    row = one_row(CELL, records)
    assert (row["status"], row["seeds"], row["verdict"]) == (status, seeds, verdict)


def test_records_of_other_cells_and_other_seeds_are_left_out() -> None:
    cell, other = make_cell("org/a", seeds=(0, 2)), make_cell("org/b")
    own = [make_record(cell, 0, 0.4), make_record(cell, 2, 0.5)]
    strangers = [make_record(cell, 1, 0.9), failed_record(other, 0)]
    assert one_row(cell, [*strangers, *own]) == one_row(cell, own)


def test_two_records_of_one_run_are_refused_rather_than_counted_twice() -> None:
    cell = make_cell(seeds=(0, 1))
    with pytest.raises(ValueError, match="two records of encoder-bs16-lr2e-05 with seed 1"):
        leaderboard([cell], [make_record(cell, 1), make_record(cell, 1, key="another")])


def test_a_mean_and_a_deviation_are_missing_where_a_value_is() -> None:
    assert (mean([]), mean([1.0, None]), mean([1.0, 2.0])) == (None, None, 1.5)
    assert (deviation([1.0]), deviation([1.0, None, 2.0])) == (None, None)
    assert deviation([1.0, 2.0, 4.0]) == pytest.approx(math.sqrt(7 / 3))


@st.composite
def plans_with_records(draw: st.DrawFn) -> tuple[list[Cell], list[Record]]:
    """Draw a plan, and for each of its runs a score, a failure, a skip, or nothing."""
    cells, records = [], []
    for number in range(draw(st.integers(1, 6))):
        seeds = tuple(draw(st.sets(st.integers(0, 9), min_size=1, max_size=3)))
        threshold = draw(st.none() | st.floats(-1, 1))
        cell = make_cell(f"org/m{number}", seeds=seeds, threshold=threshold, target=threshold)
        cells.append(cell)
        for seed in seeds:
            match draw(st.sampled_from(["ok", "ok", "failed", "skipped", "no record"])):
                case "ok":
                    # Few values, so that equal means are drawn as well.
                    mcc = draw(st.sampled_from([-0.25, 0.0, 0.25, 0.5]) | st.floats(-1, 1))
                    records.append(make_record(cell, seed, mcc))
                case "failed":
                    records.append(failed_record(cell, seed))
                case "skipped":
                    records.append(skipped_record(cell, seed))
    return cells, records


@settings(deadline=None)  # machines differ
@given(plans_with_records(), st.randoms(use_true_random=False))
def test_whatever_ran_every_cell_has_one_row_ranked_by_its_own_scores(
    plan: tuple[list[Cell], list[Record]], order: random.Random
) -> None:
    cells, records = plan
    frame = leaderboard(cells, records)
    rows = rows_of(frame)
    assert sorted(str(row["checkpoint"]) for row in rows) == sorted(c.checkpoint for c in cells)

    mccs: dict[object, list[float]] = {cell.checkpoint: [] for cell in cells}
    for record in records:
        if record.scores is not None:
            mccs[record.checkpoint].append(record.scores.mcc)
    means = {name: statistics.mean(values) for name, values in mccs.items() if values}
    for row in rows:
        name = row["checkpoint"]
        assert row["seeds"] == len(mccs[name])
        assert row["mcc"] == means.get(name)
        better = sum(value > means[name] for value in means.values()) if name in means else None
        assert row["rank"] == (None if better is None else better + 1)
        if name not in means:
            assert all(row[column] is None for column in MEASURED)

    position = {cell.checkpoint: number for number, cell in enumerate(cells)}
    keys = [(row["rank"] or math.inf, position[str(row["checkpoint"])]) for row in rows]
    assert keys == sorted(keys)

    shuffled = list(records)
    order.shuffle(shuffled)
    pd.testing.assert_frame_equal(leaderboard(cells, shuffled), frame, check_exact=True)
