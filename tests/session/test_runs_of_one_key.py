"""Several stored runs with one key, as after a checkpoint was renamed: the best of them is used."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from builders.records import COLA, digest, keep, make_cell, predicted_record

from harness.cli.predict.best_model import best_model
from harness.inputs.checkpoints import Checkpoint
from harness.judging.leaderboard import leaderboard
from harness.machine.provenance import versions
from harness.report.published import as_json, publish
from harness.session.reuse import best_by_checkpoint, best_run, latest, records_for_plan
from harness.session.run_status import RunStatus, run_statuses
from harness.session.suite_inputs import Inputs
from harness.session.tasks.task import missing_and_beside
from harness.store.run_store import Stored, read_store
from harness.store.stopped import Stopped
from harness.suite.plan import Cell, make_plan
from harness.suite.spec import Suite

CHECKPOINT = "org/encoder"
LABELS = np.arange(40) % 2


def answers(wrong: int = 10) -> np.ndarray:
    """Return the predicted classes of a run with some wrong ones."""
    return np.where(np.arange(40) < wrong, 1 - LABELS, LABELS)


EARLY, LATE = "2026-01-03T03:04:05+00:00", "2026-02-02T03:04:05+00:00"
STOPPED = Stopped(after_epoch=1, of=2, because="gate met", target=0.4)
BEFORE, AFTER = "a-former-name", "z-later-name"
"""Cells of the two folders: the first and the last that the store lists."""


def suite_of(keep_models: Literal["none", "best", "all"] = "none") -> Suite:
    return Suite.model_validate(
        {
            "name": "sample",
            "dataset": {"source": "cola"},
            "keep_models": keep_models,
            "matrix": {"checkpoints": [CHECKPOINT], "batch_sizes": [16], "learning_rates": [2e-5]},
            "training": {"epochs": 2},
        }
    )


(CELL,) = make_plan(suite_of())


@pytest.fixture
def inputs(tmp_path: Path) -> Inputs:
    found = Checkpoint(CHECKPOINT, str(tmp_path), digest(CHECKPOINT), None)
    return Inputs(None, COLA, None, {CHECKPOINT: found}, {}, "cpu")


def store(
    folder: Path,
    place: str,
    when: str,
    stopped: bool = False,
    model: bool = False,
    wrong: int = 10,
) -> Stored:
    """Store a run of CELL, with some wrong answers, in the folder of a cell of another name."""
    record = predicted_record(
        CELL,
        0,
        LABELS,
        np.stack([answers(wrong)] * (1 if stopped else 2)),
        training=suite_of().training,
        stopped=STOPPED if stopped else None,
        device="cpu",
        versions=versions(),
        dataset=COLA.model_copy(update={"validation": 40}),
        started_at="2026-01-01T03:04:05+00:00",
        finished_at=when,
    )
    item = keep(folder, replace(CELL, id=place), record)
    if model:
        (item.folder / "model").mkdir()
        (item.folder / "model" / "config.json").write_text("{}")
    return item


def read(folder: Path) -> list[Stored]:
    found, problems = read_store(folder)
    assert problems == []
    assert len({item.record.key for item in found}) == 1
    return found


def status(found: Sequence[Stored], inputs: Inputs, suite: Suite, rerun: bool = False) -> RunStatus:
    (only,) = run_statuses(suite, [CELL], inputs, found, rerun)
    return only


BOTH_ORDERS = pytest.mark.parametrize("places", [(BEFORE, AFTER), (AFTER, BEFORE)])


@BOTH_ORDERS
def test_a_whole_run_is_not_trained_again_because_of_a_stopped_one(
    places: tuple[str, str], tmp_path: Path, inputs: Inputs
) -> None:
    whole = store(tmp_path, places[0], EARLY)
    store(tmp_path, places[1], LATE, stopped=True)
    found = read(tmp_path)
    now = status(found, inputs, suite_of())
    assert (now.state, now.stored) == ("finished", whole)
    assert latest(found, suite_of(), [CELL], inputs)[CELL.id, 0].folder == whole.folder
    assert records_for_plan(suite_of(), [CELL], found)[0][0].folder == whole.folder


@BOTH_ORDERS
def test_a_whole_run_that_trains_again_is_not_stopped_because_of_a_stopped_one(
    places: tuple[str, str], tmp_path: Path, inputs: Inputs
) -> None:
    whole = store(tmp_path, places[0], EARLY)
    store(tmp_path, places[1], LATE, stopped=True)
    found = read(tmp_path)
    now = status(found, inputs, suite_of(), rerun=True)
    assert (now.state, now.whole_before) == ("to train", True)
    ((missing,), _) = missing_and_beside([now], suite_of(), inputs, tmp_path, found)
    assert missing.earlier is not None
    assert missing.earlier.folder == whole.folder


@pytest.mark.parametrize("keep_models", ["best", "all"])
@BOTH_ORDERS
def test_a_model_that_one_of_the_runs_has_is_kept(
    places: tuple[str, str],
    keep_models: Literal["best", "all"],
    tmp_path: Path,
    inputs: Inputs,
) -> None:
    with_model = store(tmp_path, places[0], EARLY, model=True)
    store(tmp_path, places[1], LATE)
    found = read(tmp_path)
    now = status(found, inputs, suite_of(keep_models))
    assert (now.state, now.stored) == ("finished", with_model)
    assert best_by_checkpoint(found) == [with_model]


@pytest.mark.parametrize("older_model", [False, True])
@BOTH_ORDERS
def test_the_run_of_a_rerun_counts_where_no_models_are_kept(
    places: tuple[str, str], older_model: bool, tmp_path: Path, inputs: Inputs
) -> None:
    store(tmp_path, places[0], EARLY, model=older_model)
    again = store(tmp_path, places[1], LATE)
    found = read(tmp_path)
    assert status(found, inputs, suite_of()).stored == again
    assert latest(found, suite_of(), [CELL], inputs)[CELL.id, 0].folder == again.folder
    assert records_for_plan(suite_of(), [CELL], found)[0][0].folder == again.folder


@BOTH_ORDERS
def test_a_run_is_not_trained_again_for_a_model_that_a_run_of_its_key_has(
    places: tuple[str, str], tmp_path: Path, inputs: Inputs
) -> None:
    """Two trainings of one key may differ, as on a GPU: the better one has lost its model."""
    store(tmp_path, places[0], EARLY)
    worse = store(tmp_path, places[1], LATE, model=True, wrong=12)
    found = read(tmp_path)
    now = status(found, inputs, suite_of("best"))
    assert (now.state, now.stored) == ("finished", worse)


@BOTH_ORDERS
def test_of_two_kept_models_of_one_key_the_later_stays(
    places: tuple[str, str], tmp_path: Path
) -> None:
    store(tmp_path, places[0], EARLY, model=True)
    again = store(tmp_path, places[1], LATE, model=True)
    assert best_by_checkpoint(read(tmp_path)) == [again]


@BOTH_ORDERS
def test_the_best_kept_model_is_of_the_run_that_has_it(
    places: tuple[str, str], tmp_path: Path
) -> None:
    with_model = store(tmp_path, places[0], EARLY, model=True)
    without = store(tmp_path, places[1], LATE)
    published = publish("sample", [CELL], [without.record])
    frame = leaderboard(published.cells, published.records)
    (tmp_path / "leaderboard.json").write_text(as_json(published, frame))
    assert best_model(tmp_path).folder == with_model.folder / "model"


def test_among_runs_of_equal_mcc_one_with_a_model_is_the_best(tmp_path: Path) -> None:
    """So that no run trains again, because another one is as good."""
    cells: list[Cell] = [make_cell(learning_rate=rate) for rate in (1e-5, 2e-5, 3e-5)]
    runs = [
        keep(tmp_path, cell, predicted_record(cell, 0, LABELS, answers()[None])) for cell in cells
    ]
    runs.sort(key=lambda item: item.record.key or "")
    assert best_run(runs[::-1]) == runs[0]
    (runs[2].folder / "model").mkdir()
    (runs[2].folder / "model" / "config.json").write_text("{}")
    assert best_run(runs) == runs[2]
