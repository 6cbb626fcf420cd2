"""A record is on disk whole or not at all, and is believed only if it is what was written."""

import hashlib
import itertools
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from builders.records import (
    failed_record,
    keep,
    make_cell,
    make_predictions,
    make_record,
    skipped_record,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.machine.provenance import RECIPE_VERSION, RESULT_PACKAGES, versions
from harness.store import records, run_store
from harness.store.predictions import PREDICTIONS, join_predictions, read_predictions
from harness.store.records import Record, Scores, Times, run_key, time_to_target
from harness.store.run_store import discard_run, finished, read_store, run_folder, write_record
from harness.suite.plan import Run
from harness.suite.spec import Thresholds, TrainingSpec

RUN = Run(make_cell(), 0, TrainingSpec())
DEAD = 2**22 + 123
"""A number that no process of Linux has, as that of a process which ended."""
OTHER_TRAINING: dict[str, Any] = {
    "epochs": 4,
    "weight_decay": 0.02,
    "adam_beta1": 0.8,
    "adam_beta2": 0.98,
    "adam_epsilon": 1e-6,
    "label_smoothing": 0.1,
    "patience": 2,
    "warmup_ratio": 0.1,
    "lr_scheduler": "cosine",
    "max_grad_norm": 2.0,
    "max_length": 64,
    "eval_batch_size": 32,
    "selection": "last-epoch",
    "precision": "bf16",
    "batching": "length-grouped",
    "on_oom": "halve",
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


LATER = {
    "adam_beta1", "adam_beta2", "adam_epsilon", "label_smoothing", "on_oom", "patience"
}  # fmt: skip
"""Settings that did not exist when the first runs were trained."""


def test_runs_finished_before_a_setting_existed_keep_their_keys() -> None:
    content = {
        "checkpoint": "d",
        "dataset": "f",
        "batch_size": 16,
        "learning_rate": 2e-5,
        "seed": 0,
        "training": {
            name: value
            for name in sorted(set(TrainingSpec.model_fields) - LATER)
            for value in [getattr(RUN.training, name)]
        },
        "device": "cpu",
        "versions": versions(RESULT_PACKAGES),
        "recipe": RECIPE_VERSION,
    }
    text = json.dumps(content, sort_keys=True)
    assert key_of() == hashlib.sha256(text.encode()).hexdigest()[:16]


def test_another_recipe_is_another_key(monkeypatch: pytest.MonkeyPatch) -> None:
    before = key_of()
    monkeypatch.setattr(records, "RECIPE_VERSION", 10**6)
    assert key_of() != before


@pytest.mark.parametrize(
    "package", ["torch", "transformers", "tokenizers", "datasets", "accelerate"]
)
def test_another_version_of_a_package_that_makes_results_is_another_key(
    monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    before = key_of()
    other = {**versions(RESULT_PACKAGES), package: "0.0.1"}
    monkeypatch.setattr(records, "versions", lambda packages: {p: other[p] for p in packages})
    assert key_of() != before


def test_a_record_tells_all_that_its_run_s_key_is_of() -> None:
    training = TrainingSpec(epochs=7)
    record = make_record(
        RUN.cell,
        5,
        training=training,
        versions={**versions(), "another": "1"},
        recipe_version=RECIPE_VERSION,
        device="cuda",
    )
    assert record.dataset is not None
    run, digest = Run(RUN.cell, 5, training), str(record.checkpoint_digest)
    assert records.key_of(record) == key_of(run, digest, record.dataset.fingerprint, "cuda")


def test_a_key_is_the_same_in_every_process() -> None:
    program = f"""
import sys
sys.path[:0] = {sys.path!r}
from test_records import key_of
print(key_of())
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == key_of()
    assert len(key_of()) == 16


def test_what_changes_no_result_leaves_the_key() -> None:
    cell = replace(
        RUN.cell, suite="other", id="other", gates=Thresholds(min_mcc=0.9), target=0.1, seeds=(0, 1)
    )
    assert key_of(replace(RUN, cell=cell)) == key_of()
    turned = TrainingSpec(speedups=tuple(reversed(TrainingSpec().speedups)))
    assert key_of(replace(RUN, training=turned)) == key_of()


@pytest.mark.parametrize(
    ("target", "seconds"), [(None, None), (-1.0, 10.0), (0.5, 20.0), (0.51, None), (0.1, 10.0)]
)
def test_time_to_target_ends_with_the_first_epoch_that_reached_it(
    target: float | None, seconds: float | None
) -> None:
    first, _ = make_record(make_cell()).epochs
    epochs = [
        first.model_copy(
            update={"scores": first.scores.model_copy(update={"mcc": mcc}), "seconds": ended}
        )
        for mcc, ended in [(0.1, 10.0), (0.5, 20.0), (0.3, 30.0)]
    ]
    assert time_to_target(epochs, target) == seconds
    assert time_to_target([], target) is None


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


def test_a_record_without_the_epoch_that_it_selects_is_read(tmp_path: Path) -> None:
    kept = keep(tmp_path, RUN.cell, make_record(RUN.cell, epochs=(), selected_epoch=None))
    assert read_store(tmp_path) == ([kept], [])


def test_a_run_lies_under_its_cell_by_seed_and_key(tmp_path: Path) -> None:
    cell = tmp_path / "runs" / RUN.cell.id
    assert run_folder(tmp_path, RUN, "0123abcd") == cell / "seed-0-0123abcd"
    assert run_folder(tmp_path, replace(RUN, seed=7), None) == cell / "seed-7-skipped"


def test_what_a_step_computed_at_a_time_is_written_only_where_it_is_known(tmp_path: Path) -> None:
    for known in ({"batch_size_used": 8, "accumulation": 2}, {}):
        kept = keep(tmp_path, RUN.cell, make_record(RUN.cell, **known))
        assert read_store(tmp_path) == ([kept], [])
        read = json.loads((kept.folder / "record.json").read_text(encoding="utf-8"))
        assert {
            name: read[name] for name in ("batch_size_used", "accumulation") if name in read
        } == known


NUMBER = st.none() | st.floats(allow_nan=False, allow_infinity=False)
MEASURED = ("samples_per_second", "eval_ms_per_sentence", "time_to_target_seconds", "target_mcc")
FREE = ("train_loss", "eval_loss", "target_mcc")
"""Numbers that no other field of a record gives."""


@given(
    numbers=st.fixed_dictionaries(dict.fromkeys(FREE, NUMBER)),
    parameters=st.none() | st.integers(1, 2**53 - 1),
    mcc=st.floats(-1, 1),
    text=st.text(),
)
@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=50
)
def test_every_number_and_text_comes_back_from_disk_as_it_was(
    tmp_path: Path, numbers: dict[str, Any], parameters: int | None, mcc: float, text: str
) -> None:
    cell = make_cell(threshold=None, target=numbers.pop("target_mcc"))
    epochs = [each.model_copy(update=numbers) for each in make_record(cell, mcc=mcc).epochs]
    told: dict[str, Any] = {"parameters": parameters, "warnings": (text,), "checkpoint": text}
    record = make_record(cell, mcc=mcc, epochs=tuple(epochs), **told)
    written = keep(tmp_path, cell, record)
    assert read_store(tmp_path) == ([written], [])
    assert written.record == record.model_copy(
        update={"predictions_sha256": written.record.predictions_sha256}
    )


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_a_number_that_is_none_is_refused(number: float) -> None:
    with pytest.raises(ValueError, match="finite"):
        make_record(make_cell(), samples_per_second=number)


def test_no_number_on_disk_is_nan_even_where_a_record_was_not_checked(tmp_path: Path) -> None:
    unchecked = {"samples_per_second": float("nan"), "peak_memory_mb": float("-inf")}
    record = failed_record(make_cell()).model_copy(update=unchecked)
    write_record(tmp_path, record, None)

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    text = (tmp_path / "record.json").read_text(encoding="utf-8")
    read = json.loads(text, parse_constant=refuse)
    assert [read[name] for name in unchecked] == [None, None]


def test_what_was_not_measured_is_null_and_never_zero(tmp_path: Path) -> None:
    write_record(tmp_path, failed_record(make_cell()), None)
    read = json.loads((tmp_path / "record.json").read_text(encoding="utf-8"))
    measured = (*MEASURED[:3], "scores", "times", "parameters", "peak_memory_mb", "verdict")
    assert {read[name] for name in measured} == {None}


@pytest.mark.parametrize("missing", ["key", "scores", "times", "dataset"])
def test_a_run_that_is_ok_has_all_that_was_scored(missing: str) -> None:
    nothing: dict[str, Any] = {missing: None}
    with pytest.raises(ValueError, match="has key, scores, times, dataset"):
        make_record(make_cell(), **nothing)


def test_a_run_that_is_not_ok_has_a_reason_and_no_scores() -> None:
    for status in ("failed", "skipped"):
        with pytest.raises(ValueError, match="a reason and no scores"):
            make_record(make_cell(), status=status, reason="some")
        with pytest.raises(ValueError, match="a reason and no scores"):
            make_record(make_cell(), status=status, scores=None)


@pytest.mark.parametrize(("score", "least"), [("mcc", -1.0), ("accuracy", 0.0), ("f1", 0.0)])
def test_scores_end_where_the_statistics_do(score: str, least: float) -> None:
    middle = {"mcc": 0.5, "accuracy": 0.5, "f1": 0.5}
    for end in (least, 1.0):
        assert getattr(Scores(**{**middle, score: end}), score) == end
        with pytest.raises(ValueError, match=score):
            Scores(**{**middle, score: end + (end - 0.5) * 1e-9})


def test_times_are_neither_negative_nor_endless() -> None:
    known = {"load": 0.0, "tokenise": 0.0, "train": 0.0, "evaluate": 0.0, "total": 9e11}
    assert Times(**known).load == 0
    for beyond in (-1e-9, 1e12):
        with pytest.raises(ValueError, match="train"):
            Times(**{**known, "train": beyond})


def test_a_record_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        make_record(make_cell()).seed = 1


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


def replace_by_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def replace_by_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def lengthen(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(100 * 2**20)


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


DAMAGES: dict[str, Callable[[Path], object]] = {
    "torn": lambda folder: truncate(folder / "record.json"),
    "empty": lambda folder: (folder / "record.json").write_bytes(b""),
    "foreign": lambda folder: (folder / "record.json").write_text('{"accuracy": 1}'),
    "not a table": lambda folder: (folder / "record.json").write_text("[1, 2]"),
    "nested too deeply": lambda folder: (folder / "record.json").write_text("[" * 10**5),
    "cut inside a letter": lambda folder: (folder / "record.json").write_bytes(b'{"key": "\xc3'),
    "a folder": lambda folder: replace_by_folder(folder / "record.json"),
    "binary": lambda folder: (folder / "record.json").write_bytes(bytes(range(256))),
    "another schema": lambda folder: (folder / "record.json").write_text(
        (folder / "record.json").read_text().replace('"schema_version": 1', '"schema_version": 2')
    ),
    "an unknown field": lambda folder: (folder / "record.json").write_text(
        (folder / "record.json").read_text().replace("{", '{"two\\nlines": 1,', 1)
    ),
    "a score out of range": lambda folder: (folder / "record.json").write_text(
        (folder / "record.json").read_text().replace('"mcc": 0.4', '"mcc": 1.4')
    ),
    "a pipe": lambda folder: replace_by_pipe(folder / "record.json"),
    "100 MB": lambda folder: lengthen(folder / "record.json"),
    "100,000 digits": lambda folder: edit(
        folder / "record.json", '"seed": 0', '"seed": ' + "9" * 10**5
    ),
    "an exponent beyond all bounds": lambda folder: edit(
        folder / "record.json", '"mcc": 0.4', '"mcc": 1e999999999'
    ),
    "a key twice": lambda folder: edit(
        folder / "record.json", '"mcc": 0.4', '"mcc": 1, "mcc": 0.4'
    ),
    "predictions a pipe": lambda folder: replace_by_pipe(folder / "predictions.parquet"),
    "predictions a folder": lambda folder: replace_by_folder(folder / "predictions.parquet"),
    "predictions gone": lambda folder: (folder / "predictions.parquet").unlink(),
    "predictions torn": lambda folder: truncate(folder / "predictions.parquet"),
    "predictions of another run": lambda folder: (folder / "predictions.parquet").write_bytes(b"x"),
}


TOLD = {
    "torn": "not a record: the file: Invalid JSON: ",
    "empty": "not a record: the file: Invalid JSON: ",
    "foreign": "not a record: key: Field required",
    "not a table": "not a record: the file: ",
    "nested too deeply": "not a record: the file: Invalid JSON: ",
    "cut inside a letter": "not a record: the file: Invalid JSON: ",
    "a folder": "it cannot be read (not a regular file)",
    "binary": "not a record: the file: Invalid JSON: ",
    "another schema": "not a record: schema_version: ",
    "an unknown field": "not a record: two\\nlines: ",
    "a score out of range": "not a record: scores.mcc: ",
    "a pipe": "it cannot be read (not a regular file)",
    "100 MB": "not a record: 104,857,600 bytes, 67,108,864 are allowed",
    "100,000 digits": "not a record: the file: Invalid JSON: ",
    "an exponent beyond all bounds": "not a record: scores.mcc: ",
    "a key twice": "not a record: it repeats a JSON field",
    "predictions a pipe": "its predictions.parquet cannot be read (not a regular file)",
    "predictions a folder": "its predictions.parquet cannot be read (not a regular file)",
    "predictions gone": "its predictions.parquet is missing",
    "predictions torn": "its predictions.parquet is not the one it was written with",
    "predictions of another run": "its predictions.parquet is not the one it was written with",
}
"""What a line says of each damage."""


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_record_is_reported_and_not_believed(tmp_path: Path, damage: str) -> None:
    cell = make_cell(seeds=(0, 1))
    good = keep(tmp_path, cell, make_record(cell, 1))
    DAMAGES[damage](keep(tmp_path, cell, make_record(cell, 0)).folder)
    stored, unreadable = read_store(tmp_path)
    assert stored == [good]
    (line,) = unreadable
    run = run_folder(Path(), replace(RUN, cell=cell), make_record(cell, 0).key)
    assert line.startswith(f"{run / 'record.json'}: {TOLD[damage]}")
    assert line.endswith("; it will run again")
    assert line.isprintable()


@pytest.mark.parametrize(("spare", "believed"), [(1, True), (0, True), (-1, False)])
def test_a_record_of_the_most_bytes_allowed_is_read_and_one_of_more_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spare: int, believed: bool
) -> None:
    kept = keep(tmp_path, RUN.cell, make_record(RUN.cell))
    size = (kept.folder / "record.json").stat().st_size
    monkeypatch.setattr(run_store, "MOST_BYTES", size + spare)
    assert read_store(tmp_path)[0] == [kept] * believed


def test_a_record_is_believed_only_with_the_predictions_of_its_own_run(tmp_path: Path) -> None:
    cell = make_cell(seeds=(0, 1))
    first, second = (keep(tmp_path, cell, make_record(cell, seed)) for seed in cell.seeds)
    other = (second.folder / "predictions.parquet").read_bytes()
    (first.folder / "predictions.parquet").write_bytes(other)
    stored, unreadable = read_store(tmp_path)
    assert stored == [second]
    assert "predictions.parquet is not the one it was written with" in unreadable[0]


def test_half_a_file_that_a_killed_writer_left_is_not_read(tmp_path: Path) -> None:
    cell = make_cell()
    kept = keep(tmp_path, cell, make_record(cell))
    whole = (kept.folder / "record.json").read_bytes()
    (kept.folder / f".record.json.{DEAD}.partial").write_bytes(whole[:100])
    (kept.folder / f".predictions.parquet.{DEAD}.partial").write_bytes(b"PAR1")
    unfinished = tmp_path / "runs" / cell.id / "seed-9-0123456789abcdef"
    unfinished.mkdir()
    (unfinished / f".record.json.{DEAD}.partial").write_bytes(whole)
    assert read_store(tmp_path) == ([kept], [])


def test_what_a_killed_writer_left_is_gone_once_its_run_is_repeated(tmp_path: Path) -> None:
    cell = make_cell()
    kept = keep(tmp_path, cell, make_record(cell))
    for name in (f".record.json.{DEAD}.partial", f".predictions.parquet.{DEAD}.partial"):
        (kept.folder / name).write_bytes(b"{")
    keep(tmp_path, cell, make_record(cell))
    assert {path.name for path in kept.folder.iterdir()} == {"record.json", "predictions.parquet"}


def test_a_record_takes_the_place_of_an_earlier_one(tmp_path: Path) -> None:
    cell = make_cell()
    for mcc in (0.1, 0.9):
        latest = keep(tmp_path, cell, make_record(cell, mcc=mcc))
        assert read_store(tmp_path) == ([latest], [])
    assert sorted(path.name for path in latest.folder.iterdir()) == [
        "predictions.parquet",
        "record.json",
    ]


def test_an_earlier_run_stays_until_all_of_the_next_is_on_disk(tmp_path: Path) -> None:
    cell = make_cell()
    kept = keep(tmp_path, cell, make_record(cell))
    for name in ("record.json", "predictions.parquet"):
        obstacle = kept.folder / f".{name}.{os.getpid()}.partial"
        obstacle.mkdir()  # so it cannot be written
        with pytest.raises(OSError, match=name):
            write_record(kept.folder, make_record(cell, mcc=0.9), make_predictions(7))
        obstacle.rmdir()
        assert read_store(tmp_path) == ([kept], [])


def test_what_cannot_be_cleared_away_keeps_no_run_from_being_written(tmp_path: Path) -> None:
    obstacle = tmp_path / ".record.json.none.partial"
    obstacle.mkdir()
    record = write_record(tmp_path, failed_record(make_cell()), None)
    assert json.loads((tmp_path / "record.json").read_bytes())["reason"] == record.reason
    assert obstacle.exists()


def test_an_earlier_record_beside_other_predictions_is_not_believed(tmp_path: Path) -> None:
    cell = make_cell()
    kept = keep(tmp_path, cell, make_record(cell))
    replace_by_folder(kept.folder / "predictions.parquet")  # which takes no file's place
    with pytest.raises(OSError, match=r"predictions\.parquet"):
        write_record(kept.folder, make_record(cell, mcc=0.9), make_predictions(7))
    assert not list(kept.folder.glob(".*"))
    stored, (line,) = read_store(tmp_path)
    assert stored == []
    assert "its predictions.parquet cannot be read" in line


class Killed(BaseException):
    """Ends a process where it is raised: nothing that handles errors may clean up after it."""


READERS = pytest.mark.parametrize(
    "read", [read_store, run_store.read_store_and_move_rejected], ids=["only reads", "session"]
)
Reader = Callable[[Path], tuple[list[run_store.Stored], list[str]]]


def killed_at(folder: Path, step: int, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Rewrite a run in a process that is killed before or after a step; return whether it was.

    Steps are the calls that change a folder: each is before (even) or after (odd) one of them.
    """
    calls = [0]

    def stopping(change: Callable[..., object]) -> Callable[..., object]:
        def changed(self: Path, *arguments: object, **options: object) -> object:
            if calls[0] == step:
                raise Killed
            result = change(self, *arguments, **options)
            if calls[0] + 1 == step:
                raise Killed
            calls[0] += 2
            return result

        return changed

    with monkeypatch.context() as patched:
        for name in ("open", "replace", "unlink"):
            patched.setattr(Path, name, stopping(getattr(Path, name)))
        try:
            write_record(folder, make_record(RUN.cell, mcc=0.9), make_predictions(7))
        except Killed:
            return True
    return False


@READERS
def test_a_run_that_is_rewritten_is_there_whenever_its_writer_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, read: Reader
) -> None:
    seen = []
    for step in itertools.count():
        store = tmp_path / str(step)
        kept = keep(store, RUN.cell, make_record(RUN.cell, mcc=0.1))
        killed = killed_at(kept.folder, step, monkeypatch)
        for path in list(kept.folder.glob(".*.partial")):  # those of a process that is gone
            path.rename(path.with_name(path.name.replace(f".{os.getpid()}.", f".{DEAD}.")))
        (found,), problems = read(store)
        assert problems == []
        assert found.record.scores is not None
        seen.append(found.record.scores.mcc)
        expected = make_predictions(0 if found.record.scores.mcc == 0.1 else 7)
        assert read_predictions(found.folder).equals(expected)
        if read is not read_store:
            assert Record.model_validate_json((found.folder / "record.json").read_bytes()) == (
                found.record
            )
        keep(store, RUN.cell, make_record(RUN.cell, mcc=0.5))
        assert not list(kept.folder.glob(".*"))
        if not killed:
            break
    assert seen == sorted(seen)
    assert {0.1, 0.9} == set(seen)


@READERS
def test_a_run_of_an_earlier_version_that_was_killed_while_it_rewrote_is_there(
    tmp_path: Path, read: Reader
) -> None:
    """It removed the earlier record before it renamed the predictions."""
    kept = keep(tmp_path, RUN.cell, make_record(RUN.cell))
    left = kept.folder / f".record.json.{DEAD}.partial"
    (kept.folder / "record.json").rename(left)
    assert read(tmp_path) == ([kept], [])
    assert left.exists() == (read is read_store)


def test_what_a_living_process_writes_is_neither_read_nor_removed(tmp_path: Path) -> None:
    kept = keep(tmp_path, RUN.cell, make_record(RUN.cell))
    written = kept.folder / f".record.json.{os.getppid()}.partial"
    (kept.folder / "record.json").rename(written)
    assert read_store(tmp_path) == ([], [])
    keep(tmp_path, RUN.cell, make_record(RUN.cell))
    assert written.exists()


def test_a_disk_that_is_full_from_any_byte_on_leaves_whole_runs(tmp_path: Path) -> None:
    """A run is written anew under every limit on the length of a file, from none to enough."""
    program = f"""
import resource, sys
sys.path[:0] = {sys.path!r}
from pathlib import Path
from harness.store.run_store import read_store, write_record
from builders.records import keep, make_cell, make_predictions, make_record
folder, cell = Path(sys.argv[1]), make_cell()
earlier = keep(folder / "full", cell, make_record(cell))
soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
refused = 0
for limit in range(0, 8000, 250):
    for store in ("full", "empty"):
        place = folder / store / earlier.folder.relative_to(folder / "full")
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
        try:
            write_record(place, make_record(cell, mcc=0.9), make_predictions(7))
        except OSError:
            refused += 1
            expected = [earlier] if store == "full" else []
            assert read_store(folder / store) == (expected, []), limit
        else:
            (item,), unreadable = read_store(folder / store)
            assert item.record.scores.mcc == 0.9 and not unreadable
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert not list(folder.rglob("*.partial"))
print(refused)
"""
    command = [sys.executable, "-c", program, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert 4 < int(done.stdout) < 60, "too few limits were too low, or too high"


def test_a_discarded_run_leaves_nothing_and_may_never_have_been(tmp_path: Path) -> None:
    cell = make_cell()
    kept = keep(tmp_path, cell, make_record(cell))
    (kept.folder / "model").mkdir()
    for _ in range(2):
        discard_run(kept.folder)
        assert not kept.folder.exists()
    assert read_store(tmp_path) == ([], [])


def test_a_discarded_run_looks_unfinished_even_where_its_folder_cannot_be_removed(
    tmp_path: Path,
) -> None:
    cell = make_cell()
    kept = keep(tmp_path, cell, make_record(cell))
    elsewhere = kept.folder.rename(tmp_path / "elsewhere")
    kept.folder.symlink_to(elsewhere)  # which is removed neither itself nor with what it leads to
    discard_run(kept.folder)
    assert [path.name for path in kept.folder.iterdir()] == ["predictions.parquet"]


def test_an_empty_store_is_no_mistake(tmp_path: Path) -> None:
    assert read_store(tmp_path / "none") == ([], [])


def test_the_predictions_of_no_run_are_an_empty_table() -> None:
    joined = join_predictions([])
    assert joined.num_rows == 0
    assert joined.schema.names == ["key", *PREDICTIONS.names]


def test_predictions_of_a_long_sentence_and_of_any_logit_come_back_as_they_were(
    tmp_path: Path,
) -> None:
    written = make_predictions(sentences=2)
    logits = np.array([0.1, -1e30], dtype=np.float32)
    for name, values in (("tokens", [100_000, 1]), ("idx", [2**31 - 1, 0]), ("logit_1", logits)):
        written = written.drop([name]).append_column(name, pa.array(values))
    write_record(tmp_path, make_record(make_cell()), written.select(PREDICTIONS.names))
    read = read_predictions(tmp_path)
    assert read["tokens"].to_pylist() == [100_000, 1]
    assert read["idx"].to_pylist() == [2**31 - 1, 0]
    assert read["logit_1"].to_numpy().tolist() == logits.tolist()


def test_predictions_without_a_column_are_read_with_its_values_unknown(tmp_path: Path) -> None:
    written = make_predictions()
    pq.write_table(written.drop(["tokens"]), tmp_path / "predictions.parquet")
    read = read_predictions(tmp_path)
    assert read.schema.equals(PREDICTIONS)
    assert read["tokens"].null_count == len(written)
    assert read.drop(["tokens"]).equals(written.drop(["tokens"]))


def test_predictions_are_joined_under_their_keys(tmp_path: Path) -> None:
    cell = make_cell(seeds=(0, 1))
    kept = [keep(tmp_path, cell, make_record(cell, seed)) for seed in cell.seeds]
    joined = join_predictions((str(item.record.key), item.folder) for item in kept)
    assert joined.schema.equals(join_predictions([]).schema)
    for item, seed in zip(kept, cell.seeds, strict=True):
        rows = joined.filter(pa.compute.equal(joined["key"], item.record.key)).drop(["key"])
        assert rows.combine_chunks().equals(make_predictions(seed))


def test_a_folder_that_cannot_be_written_raises_and_leaves_nothing(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    with pytest.raises(OSError, match="file"):
        write_record(blocked / "run", make_record(make_cell()), make_predictions())
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.long
def test_a_writer_killed_at_any_moment_leaves_whole_records(tmp_path: Path) -> None:
    """Writers rewrite a scored and a failed run in a loop, and are killed at some moment."""
    program = f"""
import sys
sys.path[:0] = {sys.path!r}
from pathlib import Path
from harness.suite.plan import Run
from harness.store.run_store import run_folder, write_record
from builders.records import failed_record, make_cell, make_predictions, make_record
cell = make_cell()
def write(record, predictions):
    run = Run(cell, record.seed, record.training)
    write_record(run_folder(Path({str(tmp_path)!r}), run, record.key), record, predictions)
number = 0
while True:
    number += 1
    write(make_record(cell, 0, parameters=number), make_predictions(number))
    write(failed_record(cell, 1, reason="x" * number), None)
    if number == 1:
        print("writing", flush=True)
"""
    for attempt in range(6):
        with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as writer:
            assert writer.stdout is not None
            assert writer.stdout.readline() == b"writing\n"
            with pytest.raises(subprocess.TimeoutExpired):
                writer.wait(timeout=0.01 + 0.0137 * attempt)
            writer.kill()
        stored, unreadable = read_store(tmp_path)
        assert unreadable == []
        scored, failed = stored
        assert set(failed.record.reason or "") == {"x"}
        number = scored.record.parameters
        assert number is not None
        assert read_predictions(scored.folder).equals(make_predictions(number))
