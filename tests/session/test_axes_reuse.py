"""Which stored runs belong to a cell of a suite whose settings differ between cells."""

from pathlib import Path
from typing import Any

import pytest
from builders.records import COLA, digest, keep, record_of_mcc

from harness.inputs.checkpoints import Checkpoint
from harness.judging.baseline import Baseline, runs_of_cell
from harness.machine.provenance import RECIPE_VERSION, versions
from harness.report.replacement import Shown, described, left_out, planned_runs
from harness.session.reuse import latest, matching_setup, records_for_plan
from harness.session.run_status import run_statuses
from harness.session.suite_inputs import Inputs, setting_problems
from harness.store.records import Record
from harness.store.run_store import Stored, read_store
from harness.suite.plan import Cell, make_plan, runs_of, training_of
from harness.suite.spec import Suite, TrainingSpec

CHECKPOINT = "org/encoder"


def suite_of(training: dict[str, Any] | None = None, **matrix: Any) -> Suite:
    whole = {"checkpoints": [CHECKPOINT], "batch_sizes": [16], "learning_rates": [2e-5]}
    return Suite.model_validate(
        {
            "name": "sample",
            "dataset": {"source": "cola"},
            "matrix": {**whole, **matrix},
            "training": training or {},
        }
    )


AXES = suite_of(epochs=[3, 5], weight_decay=[0.01, 0.1])


def record_of(cell: Cell, suite: Suite, seed: int = 0, **changes: Any) -> Record:
    """Build the record of a run on this machine with today's recipe and packages."""
    here = {"device": "cpu", "recipe_version": RECIPE_VERSION, "versions": versions()}
    training = {"training": training_of(cell, suite.training)}
    return record_of_mcc(cell, seed, 0.4, **{**here, **training, **changes})


@pytest.fixture
def inputs(tmp_path: Path) -> Inputs:
    found = Checkpoint(CHECKPOINT, str(tmp_path), digest(CHECKPOINT), None)
    return Inputs(None, COLA, None, {CHECKPOINT: found}, {}, "cpu")


def stored(folder: Path, cells: list[Cell], suite: Suite, **changes: Any) -> list[Stored]:
    return [
        Stored(record_of(cell, suite, seed, **changes), folder / cell.id)
        for cell in cells
        for seed in cell.seeds
    ]


def settings_of(record: Record) -> tuple[int, float]:
    return record.training.epochs, record.training.weight_decay


def test_each_cell_has_the_newest_record_of_its_own_settings(
    tmp_path: Path, inputs: Inputs
) -> None:
    cells = make_plan(AXES)
    store = stored(tmp_path, cells, AXES)
    found = latest(store, AXES, cells, inputs)
    assert {cell_id: settings_of(item.record) for (cell_id, _), item in found.items()} == {
        "encoder-bs16-lr2e-05-ep3-wd0.01": (3, 0.01),
        "encoder-bs16-lr2e-05-ep3-wd0.1": (3, 0.1),
        "encoder-bs16-lr2e-05-ep5-wd0.01": (5, 0.01),
        "encoder-bs16-lr2e-05-ep5-wd0.1": (5, 0.1),
    }


@pytest.mark.parametrize(
    ("training", "matches"),
    [
        ({"epochs": 9}, True),  # a value that the matrix does not list
        ({"weight_decay": 0.5}, True),
        ({"epochs": 9, "weight_decay": 0.5}, True),
        ({"warmup_ratio": 0.1}, False),
        ({"epochs": 3, "patience": 1}, False),
        ({"adam_epsilon": 1e-6}, False),
    ],
)
def test_runs_match_the_setup_whatever_their_values_of_the_lists(
    training: dict[str, Any], matches: bool, inputs: Inputs, tmp_path: Path
) -> None:
    other = suite_of(training)
    store = stored(tmp_path, make_plan(other), other)
    assert bool(matching_setup(store, AXES, inputs)) is matches


def test_a_run_is_not_trained_again_because_a_setting_became_a_list(
    tmp_path: Path, inputs: Inputs
) -> None:
    before = suite_of({"epochs": 5})
    (cell,) = make_plan(before)
    record = record_of(cell, before)
    assert record.key == inputs.key(runs_of(cell, before.training)[0])
    keep(tmp_path, cell, record)
    store, _ = read_store(tmp_path)
    statuses = run_statuses(AXES, make_plan(AXES), inputs, store, rerun=False)
    finished = [status.run.cell.id for status in statuses if status.stored is not None]
    assert finished == ["encoder-bs16-lr2e-05-ep5-wd0.01"]
    assert len({status.key for status in statuses}) == 4


def test_the_tables_of_a_store_have_each_cell_s_own_runs(tmp_path: Path) -> None:
    cells = make_plan(AXES)
    for cell in cells[:3]:
        keep(tmp_path, cell, record_of(cell, AXES))
    keep(tmp_path, cells[3], record_of(cells[3], suite_of(), training=TrainingSpec(epochs=4)))
    found, _ = records_for_plan(AXES, cells, read_store(tmp_path)[0])
    assert [settings_of(item.record) for item in found] == [(3, 0.01), (3, 0.1), (5, 0.01)]


def on(device: str) -> Inputs:
    return Inputs(None, None, None, {}, {}, device)


def test_half_precision_in_a_list_needs_a_gpu_too() -> None:
    (line,) = setting_problems(suite_of(precision=["fp32", "fp16"]), on("cpu"))
    assert line.startswith("suite sample: matrix.precision: 'fp16': needs a GPU")
    (line,) = setting_problems(suite_of({"precision": "fp16"}), on("cpu"))
    assert line.startswith("suite sample: training.precision: 'fp16': needs a GPU")
    assert setting_problems(suite_of(precision=["fp32", "bf16"]), on("cpu")) == []
    assert setting_problems(suite_of(precision=["fp32", "fp16"]), on("cuda")) == []


# Against a baseline


def before(suite: Suite) -> Baseline:
    records = [record_of(cell, suite) for cell in make_plan(suite)]
    return Baseline("old.json", "sample", tuple(records))


def compared(baseline: Baseline, suite: Suite) -> dict[str, list[tuple[int, float]]]:
    return {
        cell.id.removeprefix("encoder-bs16-lr2e-05"): [
            settings_of(record)
            for record in runs_of_cell(baseline, cell, training_of(cell, suite.training))
        ]
        for cell in make_plan(suite)
    }


def test_a_cell_is_compared_with_the_baseline_s_cell_of_its_settings() -> None:
    assert compared(before(AXES), AXES) == {
        "-ep3-wd0.01": [(3, 0.01)],
        "-ep3-wd0.1": [(3, 0.1)],
        "-ep5-wd0.01": [(5, 0.01)],
        "-ep5-wd0.1": [(5, 0.1)],
    }
    assert compared(before(suite_of({"epochs": 3})), suite_of(epochs=[3, 5])) == {
        "-ep3": [(3, 0.01)],
        "-ep5": [],
    }


@pytest.mark.parametrize(
    ("training", "expected"),
    [
        ({"epochs": 5, "weight_decay": 0.1}, [(5, 0.1)]),
        ({"epochs": 3}, [(3, 0.01)]),
        ({"epochs": 4}, []),
    ],
)
def test_a_cell_without_lists_is_compared_with_the_one_of_equal_training(
    training: dict[str, Any], expected: list[tuple[int, float]]
) -> None:
    assert compared(before(AXES), suite_of(training)) == {"": expected}


def test_a_baseline_of_other_epochs_is_compared_as_before() -> None:
    assert compared(before(suite_of({"epochs": 3})), suite_of({"epochs": 5})) == {"": [(3, 0.01)]}


# Tables of other runs


def shown(suite: Suite) -> list[Shown]:
    runs = [run for cell in make_plan(suite) for run in runs_of(cell, suite.training)]
    return planned_runs(runs, COLA)


@pytest.mark.parametrize(
    ("old", "new", "lost"),
    [
        ({"epochs": [3, 5]}, {"epochs": [3, 5]}, []),
        ({"epochs": [3, 5]}, {"epochs": [5, 8, 3]}, []),
        ({"epochs": [3, 5]}, {"epochs": [5, 8]}, ["-ep3"]),
        ({"epochs": [3, 5]}, {}, ["-ep3"]),
        ({}, {"epochs": [3, 5]}, []),
        ({}, {"epochs": [3, 8]}, [""]),
        # Settings that change no number count where the old tables compare them.
        ({"speedups": [[], ["packing"]]}, {"speedups": [["packing"]]}, ["-speedups-none"]),
        ({"speedups": [[], ["packing"]]}, {"speedups": [["packing"], []]}, []),
        ({"eval_batch_size": [8, 64]}, {}, ["-ebs8"]),
        ({}, {"eval_batch_size": [8, 16]}, []),
        ({}, {"speedups": [[], ["packing"]]}, []),
    ],
)
def test_tables_may_be_replaced_by_tables_with_all_their_runs(
    old: dict[str, Any], new: dict[str, Any], lost: list[str]
) -> None:
    missing = left_out(shown(suite_of(**old)), shown(suite_of(**new)))
    assert [run.cell.removeprefix("encoder-bs16-lr2e-05") for run in missing] == lost


def test_runs_that_differ_in_speed_only_are_all_described() -> None:
    runs = shown(suite_of(speedups=[[], ["packing"]], epochs=[3, 5]))
    text = described(runs)
    assert text.startswith("4 runs (")
    for speedups in ("()", "('packing',)"):
        for epochs in (3, 5):
            assert f"epochs {epochs}, speedups {speedups}" in text
