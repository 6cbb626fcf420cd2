"""A run that an earlier version stored is read, verified, and has the key of today."""

import shutil
from pathlib import Path

from harness.machine.provenance import RECIPE_VERSION, RESULT_PACKAGES, versions
from harness.store.records import Record, key_of, run_key
from harness.store.run_store import read_store, run_folder
from harness.suite.plan import Run, make_plan, runs_of
from harness.suite.spec import GatesSpec, MatrixSpec, Speedup, Suite, TrainingSpec

STORED = Path(__file__).parent / "written_before"
"""A tiny run of commit 06bcd5e, before the harness was put into packages by stage."""

SPEEDUPS: tuple[Speedup, ...] = (
    *("fast-dropout", "first-token", "kept-memory", "memory-checkpoint", "packing"),
    *("sorted-evaluation", "used-vocabulary"),
)
"""All that there were when the run was stored."""


def planned() -> Run:
    """Return the run as the suite asked for it."""
    suite = Suite(
        name="tiny",
        dataset={"source": "file", "path": "rows.csv", "validation_size": 16, "test_size": 8},
        matrix=MatrixSpec(
            checkpoints=("./encoder",), batch_sizes=(16,), learning_rates=(1e-3,), seeds=(1,)
        ),
        training=TrainingSpec(epochs=2, speedups=SPEEDUPS),
        gates=GatesSpec(min_mcc=0.1),
    )
    (cell,) = make_plan(suite)
    (run,) = runs_of(cell, suite.training)
    return run


def test_it_is_read_whole_and_its_key_is_that_of_today(tmp_path: Path) -> None:
    run = planned()
    content = (STORED / "record.json").read_bytes()
    folder = run_folder(tmp_path, run, Record.model_validate_json(content).key)
    shutil.copytree(STORED, folder)
    ((stored,), rejected) = read_store(tmp_path)
    record = stored.record
    assert rejected == []
    assert record.model_dump_json() == Record.model_validate_json(content).model_dump_json()
    assert key_of(record) == record.key
    assert (record.cell, record.training) == (run.cell.id, run.training)
    # Where packages and recipe are still the same, a session looks for the very same key.
    assert record.checkpoint_digest is not None
    assert record.dataset is not None
    of_today = {**record.versions, **versions(RESULT_PACKAGES)}
    same = record.model_copy(update={"versions": of_today, "recipe_version": RECIPE_VERSION})
    expected = run_key(run, record.checkpoint_digest, record.dataset.fingerprint, "cpu")
    assert key_of(same) == expected
