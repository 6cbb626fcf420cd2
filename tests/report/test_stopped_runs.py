"""Where a stopped run is told: it is a lower bound, has no rank, and is compared with nothing."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders.records import failed_record, make_cell, predicted_record, record_of_mcc

from harness.judging.baseline import Baseline
from harness.judging.columns import informative
from harness.judging.comparison import Contestant, compare
from harness.judging.evidence import NoEvidence, evidence
from harness.judging.gates import explain, judge, judge_suite
from harness.judging.leaderboard import leaderboard, rows_of, runs_by_cell
from harness.judging.sides import side
from harness.plugin.fixtures import cell_properties
from harness.report import publish, read_published, render
from harness.report.brief import as_summary, terminal_table, terminal_warnings
from harness.report.replacement import left_out, runs_of_records, shortfall
from harness.store.checks.consistency import inconsistency
from harness.store.records import Record
from harness.store.stopped import Stopped, at_least, verdict_of
from harness.suite.gates import Thresholds
from harness.suite.plan import Cell
from harness.suite.spec import SuiteGates, TrainingSpec

FIVE = TrainingSpec(epochs=5)
BEST = make_cell("org/best", seeds=(0, 1))
WHOLE = make_cell("org/whole", seeds=(0, 1))


def stop(mcc: float, target: float = 0.3) -> Stopped:
    return Stopped(after_epoch=1, of=5, because="gate met", target=min(target, mcc))


def stopped(cell: Cell, seed: int, mcc: float = 0.5, **changes: Any) -> Record:
    """Build a run that was stopped after the first of five epochs."""
    return record_of_mcc(cell, seed, mcc, training=FIVE, stopped=stop(mcc), **changes)


def whole(cell: Cell, seed: int, mcc: float = 0.4) -> Record:
    """Build a run of five epochs."""
    one = record_of_mcc(cell, seed, mcc)
    labels = np.arange(400) % 2
    wrong = np.arange(400) < 2 * round((1 - mcc) * 400 / 4)
    given = np.where(wrong, 1 - labels, labels)
    assert one.scores is not None
    return predicted_record(cell, seed, labels, np.tile(given, (5, 1)), training=FIVE)


RECORDS = [stopped(BEST, 0), stopped(BEST, 1, 0.6), whole(WHOLE, 0), whole(WHOLE, 1, 0.42)]
CELLS = [BEST, WHOLE]


def test_records_of_stopped_and_whole_runs_are_consistent() -> None:
    assert [inconsistency(record) for record in RECORDS] == [None] * 4


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"after_epoch": 2}, "stopped.after_epoch is 2, but it has 1 epochs"),
        ({"of": 4}, "stopped.of is 4, but training.epochs is 5"),
        ({"target": 0.9}, "it was stopped after epoch 1, but no epoch is the first"),
    ],
)
def test_a_stop_that_its_epochs_contradict_is_an_inconsistency(
    changes: dict[str, Any], expected: str
) -> None:
    record = stopped(BEST, 0)
    assert record.stopped is not None
    wrong = record.model_copy(update={"stopped": record.stopped.model_copy(update=changes)})
    assert expected in (inconsistency(wrong) or "")


def test_a_prefix_that_claims_to_be_whole_is_an_inconsistency() -> None:
    claimed = stopped(BEST, 0).model_copy(update={"stopped": None})
    assert "samples_per_second" in (inconsistency(claimed) or "")


def test_a_run_that_trained_on_after_its_target_is_an_inconsistency() -> None:
    labels = np.arange(40) % 2
    given = np.tile(labels, (2, 1))
    record = predicted_record(BEST, 0, labels, given, training=FIVE)
    late = Stopped(after_epoch=2, of=5, because="gate met", target=0.5)
    record = predicted_record(BEST, 0, labels, given, training=FIVE, stopped=late)
    assert "epoch 1 is the first with its target" in (inconsistency(record) or "")


def test_a_stopped_run_below_the_threshold_has_no_verdict() -> None:
    assert verdict_of(0.4, 0.3, stopped=True) == "pass"
    assert verdict_of(0.2, 0.3, stopped=True) is None
    assert verdict_of(0.2, 0.3, stopped=False) == "fail"
    assert verdict_of(0.2, None, stopped=False) is None


def test_a_lower_bound_is_rounded_down() -> None:
    assert at_least(0.4599) == "at least 0.459"
    assert at_least(0.46) == "at least 0.460"
    assert at_least(-0.0004) == "at least -0.001"


def test_a_row_with_stopped_runs_has_no_rank_and_nothing_that_only_whole_runs_show() -> None:
    rows = rows_of(leaderboard(CELLS, RECORDS))
    assert [row["checkpoint"] for row in rows] == ["org/whole", "org/best"]
    first, last = rows
    assert (first["rank"], last["rank"]) == (1, None)
    assert last["verdict"] == "pass"
    assert last["mcc"] is None
    assert last["mcc_at_least"] == pytest.approx(0.55)
    assert last["stopped"] == "stopped after epoch 1 of 5: gate met"
    unknown = ("mcc_low", "mcc_adjusted", "mcc_last_epoch", "accuracy", "train_seconds", "f1")
    assert {last[name] for name in unknown} == {None}
    assert None not in {first[name] for name in unknown}
    (mixed,) = rows_of(leaderboard([BEST], [RECORDS[0], whole(BEST, 1)]))
    assert mixed["stopped"] == "stopped after epoch 1 of 5: gate met (1 of 2 runs)"
    assert mixed["rank"] is None


def test_leaderboards_without_stopped_runs_are_as_before() -> None:
    frame = leaderboard([WHOLE], RECORDS[2:])
    assert not {"stopped", "mcc_at_least"} & set(frame.columns)


def test_every_table_says_at_least() -> None:
    files = render(publish("sample", CELLS, RECORDS))
    texts = {name: files[name].decode() for name in files if not name.endswith((".png", ".svg"))}
    for name in ("leaderboard.md", "leaderboard.html"):
        assert "at least 0.550" in texts[name], name
        assert "stopped after epoch 1 of 5: gate met" in texts[name], name
    assert "for at most 5 epochs" in texts["leaderboard.md"]
    assert "the ranks are those among the rows whose runs are whole" in texts["leaderboard.md"]
    assert "Best of the cells whose runs are whole: <strong>MCC 0.41" in texts["leaderboard.html"]
    only_whole = render(publish("sample", [WHOLE], RECORDS[2:]))["leaderboard.html"].decode()
    assert "Best: <strong>MCC 0.41" in only_whole
    header, *lines = texts["leaderboard.csv"].splitlines()
    (line,) = (each for each in lines if "org/best" in each)
    row = dict(zip(header.split(","), line.split(","), strict=True))
    assert row["mcc"] == ""
    assert row["rank"] == ""
    assert float(row["mcc_at_least"]) == pytest.approx(0.55)
    frame = leaderboard(CELLS, RECORDS)
    assert "at least 0.550" in terminal_table(frame, 200)
    note = "note: best-bs16-lr2e-05 (seeds 0, 1): stopped after epoch 1 of 5: gate met"
    assert terminal_warnings(CELLS, RECORDS)[0] == note
    assert "at least 0.550 (stopped after epoch 1 of 5: gate met)" in as_summary("sample", frame)


def test_a_leaderboard_of_stopped_runs_only_is_read_and_rendered_the_same(tmp_path: Path) -> None:
    files = render(publish("sample", [BEST], RECORDS[:2]))
    assert "at least 0.550" in files["leaderboard.md"].decode()
    assert "at least 0.550" in files["leaderboard.html"].decode()
    (tmp_path / "leaderboard.json").write_bytes(files["leaderboard.json"])
    assert render(read_published(tmp_path / "leaderboard.json")) == files
    (row,) = json.loads(files["leaderboard.json"])["rows"]
    assert row["mcc"] is None


def test_properties_of_a_test_case_name_the_bound() -> None:
    judgement = judge(BEST, RECORDS[:2])
    found = dict(cell_properties(BEST, judgement, RECORDS[:2]))
    assert found["verdict"] == found["gate_min_mcc"] == "pass"
    assert float(found["mcc_at_least"]) == pytest.approx(0.55)
    assert float(found["mcc_at_least_seed_1"]) == pytest.approx(0.6)
    assert found["stopped_seed_0"] == "stopped after epoch 1 of 5: gate met"
    assert not {"mcc", "mcc_low", "margin", "mcc_seed_0", "train_seconds_seed_0"} & set(found)
    assert "train_seconds_until_stop_seed_0" in found


def test_comparisons_with_a_stopped_run_are_refused() -> None:
    with pytest.raises(NoEvidence, match="stopped after epoch 1 of 5"):
        evidence(RECORDS[:2])
    pair = compare(Contestant("a", tuple(RECORDS[:2])), Contestant("b", tuple(RECORDS[2:])))
    assert pair.verdict == "not comparable"
    assert "stopped after epoch 1 of 5" in (pair.obstacle or "")
    assert pair.mcc_a is None
    assert {found.value for found in pair.ratios.values()} == {None}
    obstacle = "a run of a was stopped before its last epoch"
    assert {found.obstacle for found in pair.ratios.values()} == {obstacle}


@pytest.mark.parametrize(
    ("gates", "expected"),
    [
        ({"min_mcc": 0.55}, "pass"),
        ({"min_mcc": 0.56}, "not-enough-evidence"),
        ({"min_mcc": 0.3, "statistic": "lower-bound"}, "not-enough-evidence"),
        ({"min_mcc": 0.3, "min_accuracy": 0.1}, "not-enough-evidence"),
        ({"min_mcc": 0.3, "max_train_seconds": 1e6}, "not-enough-evidence"),
        ({"min_mcc": 0.3, "max_peak_memory_mb": 1e6}, "not-enough-evidence"),
        ({"min_mcc": 0.3, "slice": {"domain=in": {"min_mcc": 0.1}}}, "not-enough-evidence"),
    ],
)
def test_stopped_runs_pass_the_gates_that_they_meet_for_certain(
    gates: dict[str, Any], expected: str
) -> None:
    cell = make_cell("org/best", seeds=(0, 1), gates=Thresholds(**gates))
    judgement = judge(cell, RECORDS[:2])
    assert judgement.verdict == expected
    assert judgement.mcc_interval is None
    if expected != "pass":
        text = explain(cell, judgement, Path())
        assert "seed 0: at least 0.5000" in text
        assert "stopped" in text or "slices" in text


def test_a_stopped_run_passes_against_a_baseline_it_is_certain_to_keep_up_with() -> None:
    cell = make_cell("org/best", seeds=(0, 1), gates=Thresholds(max_drop=0.05))
    for before, expected in ((0.6, "pass"), (0.62, "not-enough-evidence")):
        earlier = tuple(whole(BEST, seed, before) for seed in (0, 1))
        (check,) = judge(cell, RECORDS[:2], Baseline("before.json", "sample", earlier)).checks
        assert check.verdict == expected
        assert check.low is None
        if expected == "pass":
            assert "a drop of at most +0.0500" in check.reason


def test_failed_runs_of_a_baseline_do_not_count_against_stopped_runs() -> None:
    cell = make_cell("org/best", seeds=(0, 1), gates=Thresholds(max_drop=0.05))
    earlier = (failed_record(BEST, 0), whole(BEST, 1, 0.6))
    baseline = Baseline("before.json", "sample", earlier)
    for now in (RECORDS[:2], [whole(BEST, 0, 0.5), whole(BEST, 1, 0.6)]):
        (check,) = judge(cell, now, baseline).checks
        assert check.verdict == "pass"
        assert check.measured == pytest.approx(0.05)


@pytest.mark.parametrize(
    ("gates", "expected"),
    [
        ({"best_min_mcc": 0.55}, "pass"),
        ({"best_min_mcc": 0.6}, "not-enough-evidence"),
        ({"every_checkpoint_min_mcc": 0.4}, "pass"),
        ({"every_checkpoint_min_mcc": 0.42}, "fail"),  # of the whole runs
        ({"order": ("org/best", "org/whole")}, "pass"),
        ({"order": ("org/whole", "org/best")}, "fail"),
    ],
)
def test_gates_of_a_suite_use_the_bound(gates: dict[str, Any], expected: str) -> None:
    (check,) = judge_suite(SuiteGates(**gates), CELLS, runs_by_cell(CELLS, RECORDS), {})
    assert check.verdict == expected


def test_a_stopped_checkpoint_that_may_become_best_leaves_an_order_open() -> None:
    low = [stopped(BEST, 0, 0.35), stopped(BEST, 1, 0.35), *RECORDS[2:]]
    (check,) = judge_suite(
        SuiteGates(order=("org/best", "org/whole")), CELLS, runs_by_cell(CELLS, low), {}
    )
    assert check.verdict == "not-enough-evidence"
    assert "1 of 2 cells has stopped runs" in check.reason


def test_the_column_of_stops_is_shown_only_where_there_are_any() -> None:
    names = {column.name for column in informative(rows_of(leaderboard(CELLS, RECORDS)))}
    assert "stopped" in names
    names = {column.name for column in informative(rows_of(leaderboard([WHOLE], RECORDS[2:])))}
    assert "stopped" not in names


def test_tables_of_whole_runs_are_not_replaced_by_parts_of_the_same_runs() -> None:
    run = whole(BEST, 0, 0.5)
    part = stopped(BEST, 0, 0.5)
    assert run.key == part.key
    shown, partly = (runs_of_records([record]) for record in (run, part))
    assert left_out(shown, partly) == shown
    assert "have none, or were stopped, in this session" in (shortfall(shown, partly) or "")
    assert left_out(partly, shown) == left_out(partly, partly) == left_out(shown, shown) == []
    newer = runs_of_records([part.model_copy(update={"key": "0" * 16})])
    assert left_out(shown, newer) == []  # other files or versions: another run of that setting


def test_a_comparison_says_that_epochs_of_a_stopped_run_are_a_maximum() -> None:
    assert side(RECORDS[:2], 1).trained == "at most 5 epochs"
    assert side(RECORDS[2:], 1).trained == "5 epochs"
