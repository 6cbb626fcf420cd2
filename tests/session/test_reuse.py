"""Which records of a store count for a plan when nothing but the store is asked."""

from dataclasses import replace
from pathlib import Path

from builders.records import (
    COLA,
    failed_record,
    keep,
    make_cell,
    make_record,
    record_of_mcc,
    skipped_record,
)

from harness.report.checks.contradictions import other_gates
from harness.session.reuse import records_for_plan
from harness.store.run_store import Stored, read_store
from harness.store.stopped import Stopped
from harness.suite.looks import Looks
from harness.suite.plan import Cell
from harness.suite.spec import DatasetSpec, MatrixSpec, Suite, TrainingSpec

CELL = make_cell(seeds=(1, 2))
SUITE = Suite(
    name="sample",
    dataset=DatasetSpec(source="cola"),
    matrix=MatrixSpec(
        checkpoints=("org/encoder",), batch_sizes=(16,), learning_rates=(2e-5,), seeds=(1, 2)
    ),
)
EARLY, LATE = "2026-01-03T03:04:05+00:00", "2026-02-02T03:04:05+00:00"


def counted(folder: Path, cell: Cell = CELL) -> tuple[list[Stored], list[str]]:
    return records_for_plan(SUITE, [cell], read_store(folder)[0])


def test_the_newest_record_of_a_run_counts(tmp_path: Path) -> None:
    for when, recipe in ((LATE, 1), (EARLY, 0)):
        keep(tmp_path, CELL, make_record(CELL, 1, recipe_version=recipe, finished_at=when))
    found, _ = counted(tmp_path)
    assert [item.record.recipe_version for item in found] == [1]


def test_records_of_other_data_than_the_newest_are_left_out_and_said(tmp_path: Path) -> None:
    other = COLA.model_copy(update={"fingerprint": "f" * 64})
    keep(tmp_path, CELL, make_record(CELL, 1, dataset=other, finished_at=EARLY))
    keep(tmp_path, CELL, make_record(CELL, 2, finished_at=LATE))
    found, notes = counted(tmp_path)
    assert [item.record.seed for item in found] == [2]
    assert "1 older records are left out" in notes[0]


def test_records_of_other_checkpoint_files_or_versions_are_left_out(tmp_path: Path) -> None:
    for other in ({"checkpoint_digest": "0" * 64}, {"versions": {"torch": "1.0"}}):
        keep(tmp_path, CELL, make_record(CELL, 1, finished_at=EARLY, **other))
    keep(tmp_path, CELL, make_record(CELL, 2, finished_at=LATE))
    found, notes = counted(tmp_path)
    assert [item.record.seed for item in found] == [2]
    assert "2 older records" in notes[0]


def test_other_settings_and_seeds_are_of_another_plan_and_not_worth_a_word(tmp_path: Path) -> None:
    keep(tmp_path, CELL, make_record(CELL, 1, training=TrainingSpec(epochs=9)))
    keep(tmp_path, CELL, make_record(CELL, 7))
    assert counted(tmp_path) == ([], [])


def test_a_checkpoint_of_like_name_is_another(tmp_path: Path) -> None:
    """A suite's org/encoder may make room for other/encoder; a cell's id has the last part."""
    keep(tmp_path, CELL, make_record(CELL, 1))
    other = make_cell("other/encoder", seeds=(1, 2))
    assert other.id == CELL.id
    assert counted(tmp_path, other) == ([], [])


def test_a_skipped_run_counts_only_where_none_ended(tmp_path: Path) -> None:
    keep(tmp_path, CELL, skipped_record(CELL, 1))
    keep(tmp_path, CELL, skipped_record(CELL, 2))
    keep(tmp_path, CELL, failed_record(CELL, 2))
    found, _ = counted(tmp_path)
    assert [(item.record.seed, item.record.status) for item in found] == [
        (1, "skipped"),
        (2, "failed"),
    ]


def test_looks_judge_whole_runs_only(tmp_path: Path) -> None:
    training = TrainingSpec(epochs=5)
    stop = Stopped(after_epoch=1, of=5, because="gate met", target=0.4)
    cell = make_cell(seeds=(1, 2))
    for seed in (1, 2):
        run = record_of_mcc(cell, seed, 0.4, training=training, stopped=stop)
        keep(tmp_path, cell, run)
    suite = SUITE.model_copy(update={"training": training})
    store = read_store(tmp_path)[0]
    assert len(records_for_plan(suite, [cell], store)[0]) == 2
    by_looks = replace(cell, looks=Looks(after=(1, 2), race=True))
    assert records_for_plan(suite, [by_looks], store) == ([], [])


def test_thresholds_are_those_of_the_plan(tmp_path: Path) -> None:
    keep(tmp_path, CELL, make_record(CELL, 1, mcc=0.4))
    found, _ = counted(tmp_path, make_cell(seeds=(1, 2), threshold=0.45))
    assert (found[0].record.threshold, found[0].record.verdict) == (0.45, "fail")


def test_runs_under_an_earlier_gate_are_shown_with_the_gate_of_the_plan(tmp_path: Path) -> None:
    """So the check of a published leaderboard may require that records have their cell's gate."""
    keep(tmp_path, CELL, record_of_mcc(make_cell(seeds=(1, 2), threshold=0.9), 1, 0.5))
    keep(tmp_path, CELL, failed_record(make_cell(seeds=(1, 2), threshold=0.9), 2))
    assert CELL.threshold == 0.3
    before = [item.record for item in read_store(tmp_path)[0]]
    assert len(list(other_gates([CELL], before))) == 1
    shown = [item.record for item in counted(tmp_path)[0]]
    assert [record.status for record in shown] == ["ok", "failed"]
    assert list(other_gates([CELL], shown)) == []
