"""Why a finished run of a cell and seed is not reused: the decision carries its reasons."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders.records import COLA, digest, keep, predicted_record

from harness.inputs.checkpoints import Checkpoint
from harness.machine.provenance import RECIPE_VERSION, versions
from harness.session.run_status import RunStatus, again_in_words, run_statuses
from harness.session.suite_inputs import Inputs
from harness.store.run_store import read_store
from harness.store.stopped import Stopped
from harness.suite.plan import make_plan
from harness.suite.spec import Suite

CHECKPOINT = "org/encoder"
LABELS = np.arange(40) % 2
ANSWERS = np.stack([np.where(np.arange(40) < wrong, 1 - LABELS, LABELS) for wrong in (16, 10)])


def suite_of(**changes: Any) -> Suite:
    matrix = {"checkpoints": [CHECKPOINT], "batch_sizes": [16], "learning_rates": [2e-5]}
    return Suite.model_validate(
        {
            "name": "sample",
            "dataset": {"source": "cola"},
            "matrix": {**matrix, "seeds": [1, 2], **changes.pop("matrix", {})},
            "training": {"epochs": 2, **changes.pop("training", {})},
            **changes,
        }
    )


def inputs(tmp_path: Path, **changes: Any) -> Inputs:
    found = Checkpoint(CHECKPOINT, str(tmp_path), digest(CHECKPOINT), None)
    return Inputs(
        None,
        COLA.model_copy(update=changes.pop("data", {})),
        None,
        {CHECKPOINT: found},
        {},
        changes.pop("device", "cpu"),
    )


def finish(folder: Path, seeds: Sequence[int] = (1, 2), **changes: Any) -> None:
    """Store runs of the suite as a session on this machine does."""
    (cell,) = make_plan(suite_of())
    for seed in seeds:
        fields = {
            "training": suite_of().training,
            "device": "cpu",
            "versions": versions(),
            "dataset": COLA.model_copy(update={"validation": 40}),
            "recipe_version": RECIPE_VERSION,
            **changes,
        }
        keep(folder, cell, predicted_record(cell, seed, LABELS, ANSWERS, **fields))


def statuses(
    folder: Path, suite: Suite, now: Inputs | None = None, rerun: bool = False
) -> list[RunStatus]:
    found, problems = read_store(folder)
    assert problems == []
    return run_statuses(suite, make_plan(suite), now or inputs(folder), found, rerun)


def test_a_run_that_is_reused_or_new_has_no_reason(tmp_path: Path) -> None:
    finish(tmp_path, [1])
    found = statuses(tmp_path, suite_of())
    assert [item.state for item in found] == ["finished", "to train"]
    assert [item.again for item in found] == [(), ()]
    assert again_in_words(found) == []


def test_a_model_that_is_now_wanted_is_the_reason(tmp_path: Path) -> None:
    finish(tmp_path)
    found = statuses(tmp_path, suite_of(keep_models="all"))
    assert [item.again for item in found] == [("no kept model",)] * 2
    assert again_in_words(found) == ["2 finished runs are not reused: no kept model"]
    best = statuses(tmp_path, suite_of(keep_models="best"))
    assert again_in_words(best) == ["1 finished run is not reused: no kept model"]


def test_a_rerun_is_the_reason(tmp_path: Path) -> None:
    finish(tmp_path, [2])
    found = statuses(tmp_path, suite_of(), rerun=True)
    assert [item.again for item in found] == [(), ("--rerun",)]


@pytest.mark.parametrize(
    ("before", "now", "reason"),
    [
        ({"recipe_version": RECIPE_VERSION - 1}, {}, "other recipe"),
        ({"versions": {**versions(), "torch": "1.0"}}, {}, "other package versions (torch)"),
        ({"checkpoint_digest": "0" * 64}, {}, "other checkpoint files"),
        ({}, {"data": {"fingerprint": "f" * 64}}, "other data"),
        ({}, {"device": "cuda"}, "other device"),
    ],
)
def test_what_differs_from_the_finished_run_is_the_reason(
    before: dict[str, Any], now: dict[str, Any], reason: str, tmp_path: Path
) -> None:
    finish(tmp_path, **before)
    found = statuses(tmp_path, suite_of(), inputs(tmp_path, **now))
    assert [item.again for item in found] == [(reason,)] * 2


def test_other_settings_are_named_and_all_differences_are_told(tmp_path: Path) -> None:
    finish(tmp_path, [1])
    changed = suite_of(training={"weight_decay": 0.1, "max_length": 64})
    found = statuses(tmp_path, changed, inputs(tmp_path, device="cuda"))
    assert set(found[0].again) == {"other settings (weight_decay, max_length)", "other device"}
    assert found[1].again == ()


def test_the_most_alike_of_several_finished_runs_is_compared(tmp_path: Path) -> None:
    for recipe, device in ((RECIPE_VERSION - 1, "cuda"), (RECIPE_VERSION, "mps")):
        finish(tmp_path, [1], recipe_version=recipe, device=device)
    assert statuses(tmp_path, suite_of())[0].again == ("other device",)


def test_another_value_of_an_axis_is_no_earlier_form_of_a_run(tmp_path: Path) -> None:
    finish(tmp_path)
    found = statuses(tmp_path, suite_of(matrix={"epochs": [2, 3]}))
    assert [item.state for item in found].count("to train") == 2
    assert all(item.again == () for item in found)


def test_a_stopped_run_that_answers_no_gate_is_told(tmp_path: Path) -> None:
    longer = suite_of(training={"epochs": 3})
    stopped = Stopped(after_epoch=2, of=3, because="gate met", target=0.4)
    finish(tmp_path, [1], training=longer.training, stopped=stopped)
    assert statuses(tmp_path, longer)[0].again == ("it was stopped before its last epoch",)
