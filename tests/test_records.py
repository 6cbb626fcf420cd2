"""A record is on disk whole or not at all, and is believed only if it is what was written."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from samples import failed_record, keep, make_cell, make_predictions, make_record, skipped_record

from harness import records
from harness.plan import Run
from harness.records import (
    PREDICTIONS,
    Record,
    finished,
    join_predictions,
    read_predictions,
    read_store,
    run_key,
    write_record,
)
from harness.spec import TrainingSpec

RUN = Run(make_cell(), 0, TrainingSpec())
OTHER_TRAINING: dict[str, Any] = {
    "epochs": 4,
    "weight_decay": 0.02,
    "warmup_ratio": 0.1,
    "lr_scheduler": "cosine",
    "max_grad_norm": 2.0,
    "max_length": 64,
    "eval_batch_size": 32,
    "selection": "last-epoch",
    "precision": "bf16",
    "batching": "length-grouped",
    "speedups": (),
}


def key_of(run: Run = RUN, digest: str = "d", fingerprint: str = "f", device: str = "cpu") -> str:
    return run_key(run, digest, fingerprint, device)


def test_every_setting_of_training_is_part_of_the_key() -> None:
    assert set(OTHER_TRAINING) == set(TrainingSpec.model_fields)
    keys = {key_of()} | {
        key_of(replace(RUN, training=TrainingSpec(**{name: value})))
        for name, value in OTHER_TRAINING.items()
    }
    assert len(keys) == len(OTHER_TRAINING) + 1


@pytest.mark.parametrize(
    "other",
    [
        lambda: key_of(digest="e"),
        lambda: key_of(fingerprint="g"),
        lambda: key_of(device="cuda"),
        lambda: key_of(replace(RUN, seed=1)),
        lambda: key_of(replace(RUN, cell=replace(RUN.cell, batch_size=32))),
        lambda: key_of(replace(RUN, cell=replace(RUN.cell, learning_rate=3e-5))),
    ],
)
def test_whatever_else_changes_a_result_changes_the_key(other: Callable[[], str]) -> None:
    assert other() != key_of()


def test_versions_and_recipe_change_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    before = key_of()
    with monkeypatch.context() as patched:
        patched.setattr(records, "RECIPE_VERSION", 10**6)
        assert key_of() != before
    with monkeypatch.context() as patched:
        patched.setattr(records, "versions", lambda packages: dict.fromkeys(packages, "0"))
        assert key_of() != before
    assert key_of() == before


def test_what_changes_no_result_leaves_the_key() -> None:
    cell = replace(RUN.cell, suite="other", id="other", threshold=0.9, target=0.1, seeds=(0, 1))
    assert key_of(replace(RUN, cell=cell)) == key_of()
    turned = TrainingSpec(speedups=tuple(reversed(TrainingSpec().speedups)))
    assert key_of(replace(RUN, training=turned)) == key_of()


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    cell = make_cell(seeds=(0, 1, 2))
    kept = [
        keep(tmp_path, cell, make_record(cell, 0)),
        keep(tmp_path, cell, failed_record(cell, 1)),
        keep(tmp_path, cell, skipped_record(cell, 2)),
    ]
    stored, unreadable = read_store(tmp_path)
    assert unreadable == []
    assert sorted(stored, key=lambda item: item.record.seed) == kept
    assert [key for key, _ in finished(stored)] == [kept[0].record.key]
    assert read_predictions(kept[0].folder).equals(make_predictions(0))


NUMBER = st.none() | st.floats(allow_nan=False, allow_infinity=False)


@given(rate=NUMBER, memory=NUMBER, parameters=st.none() | st.integers(0, 2**40), text=st.text())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_numbers_and_texts_survive_the_round_trip(
    tmp_path: Path, rate: float | None, memory: float | None, parameters: int | None, text: str
) -> None:
    record = make_record(
        make_cell(),
        samples_per_second=rate,
        peak_memory_mb=memory,
        parameters=parameters,
        warnings=(text,),
    )
    assert Record.model_validate_json(record.model_dump_json()) == record


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_a_number_that_is_none_is_refused(number: float) -> None:
    with pytest.raises(ValueError, match="finite"):
        make_record(make_cell(), samples_per_second=number)


def test_status_and_content_must_agree() -> None:
    with pytest.raises(ValueError, match="has key, scores"):
        make_record(make_cell(), scores=None)
    with pytest.raises(ValueError, match="a reason and no scores"):
        make_record(make_cell(), status="failed")


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


DAMAGES: dict[str, Callable[[Path], object]] = {
    "torn": lambda folder: truncate(folder / "record.json"),
    "empty": lambda folder: (folder / "record.json").write_bytes(b""),
    "foreign": lambda folder: (folder / "record.json").write_text('{"accuracy": 1}'),
    "not a table": lambda folder: (folder / "record.json").write_text("[1, 2]"),
    "binary": lambda folder: (folder / "record.json").write_bytes(bytes(range(256))),
    "another schema": lambda folder: (folder / "record.json").write_text(
        (folder / "record.json").read_text().replace('"schema_version": 1', '"schema_version": 2')
    ),
    "predictions gone": lambda folder: (folder / "predictions.parquet").unlink(),
    "predictions torn": lambda folder: truncate(folder / "predictions.parquet"),
    "predictions of another run": lambda folder: (folder / "predictions.parquet").write_bytes(b"x"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_record_is_reported_and_not_believed(tmp_path: Path, damage: str) -> None:
    cell = make_cell(seeds=(0, 1))
    good = keep(tmp_path, cell, make_record(cell, 1))
    DAMAGES[damage](keep(tmp_path, cell, make_record(cell, 0)).folder)
    stored, unreadable = read_store(tmp_path)
    assert stored == [good]
    (line,) = unreadable
    assert "record.json" in line
    assert "it will run again" in line


def test_an_empty_store_is_no_mistake(tmp_path: Path) -> None:
    assert read_store(tmp_path / "none") == ([], [])


def test_the_predictions_of_no_run_are_an_empty_table() -> None:
    joined = join_predictions([])
    assert joined.num_rows == 0
    assert joined.schema.names == ["key", *PREDICTIONS.names]


def test_predictions_are_joined_under_their_keys(tmp_path: Path) -> None:
    cell = make_cell(seeds=(0, 1))
    kept = [keep(tmp_path, cell, make_record(cell, seed)) for seed in cell.seeds]
    joined = join_predictions(kept)
    for item, seed in zip(kept, cell.seeds, strict=True):
        rows = joined.filter(pa.compute.equal(joined["key"], item.record.key)).drop(["key"])
        assert rows.combine_chunks().equals(make_predictions(seed))


def test_a_folder_that_cannot_be_written_raises_and_leaves_nothing(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    with pytest.raises(OSError, match="file"):
        write_record(blocked / "run", make_record(make_cell()), make_predictions())
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_writer_killed_at_any_moment_leaves_a_whole_record_or_none(tmp_path: Path) -> None:
    program = f"""
import sys
sys.path[:0] = {sys.path!r}
from pathlib import Path
from samples import keep, make_cell, make_record
cell = make_cell()
print("ready", flush=True)
for number in range(10**6):
    keep(Path({str(tmp_path)!r}), cell, make_record(cell, mcc=(number % 100) / 100))
"""
    for attempt in range(6):
        writer = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE)
        assert writer.stdout is not None
        writer.stdout.readline()
        time.sleep(0.01 + 0.037 * attempt)
        writer.send_signal(signal.SIGKILL)
        writer.communicate()
        stored, unreadable = read_store(tmp_path)
        # Between the two renames, predictions are newer than their record: it is not believed.
        assert all("not the one it was written with" in line for line in unreadable)
        assert len(stored) + len(unreadable) <= 1
