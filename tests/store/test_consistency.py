"""Every number of a record that others of it give, and every score that its predictions give."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from builders.commands import ROOT, harness
from builders.records import make_cell, make_record, predicted_record
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score, matthews_corrcoef

from harness.errors import BadInput
from harness.machine.contention import Contention
from harness.report import read_published, write_tables
from harness.report.checks.logits import mismatched_predictions
from harness.store import classes
from harness.store.checks.consistency import inconsistency, unlike_predictions
from harness.store.predictions import PREDICTIONS
from harness.store.records import Confusion, Record, Scores
from harness.store.run_store import Stored, read_store, run_folder, write_record
from harness.suite.plan import Run
from harness.training.job import ended_at

CELL = make_cell(seeds=(1, 2))
VALIDATION, TEST = 60, 40
SOURCES = np.array(["ab01", "cd02", ""])
LENGTHS = np.array(["1-4 words", "5-6 words"])


def scores(labels: np.ndarray, given: np.ndarray) -> Scores:
    return Scores(
        mcc=matthews_corrcoef(labels, given),
        accuracy=accuracy_score(labels, given),
        f1=f1_score(labels, given),
    )


def counts(groups: np.ndarray, labels: np.ndarray, given: np.ndarray) -> dict[str, Confusion]:
    found = {}
    for group in sorted({*groups} - {""}):
        chosen = groups == group
        (tn, fp), (fn, tp) = confusion_matrix(labels[chosen], given[chosen], labels=[0, 1])
        found[group] = Confusion(
            true_positive=tp, false_positive=fp, false_negative=fn, true_negative=tn
        )
    return found


def made(seed: int, hidden: bool = False) -> tuple[Record, pa.Table]:
    """Build a run's record and predictions, with everything that a record can tell of them."""
    random = np.random.default_rng(seed)
    size = VALIDATION + TEST
    labels = random.integers(0, 2, size)
    given = np.where(random.random(size) < 0.25, 1 - labels, labels)
    domain = np.where(random.random(size) < 0.5, "in", "out")
    source, length = random.choice(SOURCES, size), random.choice(LENGTHS, VALIDATION)
    split = np.repeat(["validation", "test"], [VALIDATION, TEST])
    rows = pa.table(
        {
            "split": split,
            "idx": np.arange(size),
            "label": pa.array(labels, mask=hidden & (split == "test")),
            "domain": domain,
            "source": source,
            "tokens": random.integers(4, 20, size),
            "logit_0": 0.5 - given + random.random(size) / 4,
            "logit_1": given - 0.5 + random.random(size) / 4,
        }
    ).cast(PREDICTIONS)
    first, last = slice(VALIDATION), slice(VALIDATION, None)
    inside = domain[first] == "in"
    record = predicted_record(CELL, seed, labels[first], given[np.newaxis, first])
    assert record.dataset is not None
    told = {
        "dataset": record.dataset.model_copy(update={"test": TEST}),
        "verdict": "pass",
        "scores_in_domain": scores(labels[first][inside], given[first][inside]),
        "scores_out_of_domain": scores(labels[first][~inside], given[first][~inside]),
        "scores_test": None if hidden else scores(labels[last], given[last]),
        "confusion_by": {
            "source": counts(source[first], labels[first], given[first]),
            "length": counts(length, labels[first], given[first]),
        },
        "batch_size_used": 4,
        "accumulation": 4,
        "contention": Contention(other_programs=0.5, own_cores=1.5, fewest_threads=1),
    }
    return record.model_copy(update=told), rows


def edited(record: Record, field: str, value: Any) -> Record:
    """Return a record with the value of one field, which points go down to, replaced."""
    content = json.loads(record.model_dump_json())
    place = content
    *path, last = field.split(".")
    for part in path:
        place = place[int(part)] if isinstance(place, list) else place[part]
    place[last] = value
    return Record.model_validate_json(json.dumps(content))


# --- held against the predictions ---

EDITS = [
    ("scores_test.mcc", 0.9),
    ("scores_test.accuracy", 0.9),
    ("scores_test.f1", 0.9),
    ("scores_test", None),
    ("scores_in_domain.mcc", 0.9),
    ("scores_in_domain.accuracy", 0.99),
    ("scores_out_of_domain.f1", 0.99),
    ("scores_out_of_domain", None),
    ("confusion_by.source.ab01.true_positive", 1),
    ("confusion_by.source.cd02.false_negative", 0),
    ("dataset.test", TEST + 1),
]


@pytest.mark.parametrize("hidden", [False, True])
def test_what_predictions_give_is_borne_out(hidden: bool) -> None:
    record, rows = made(1, hidden)
    assert inconsistency(record) is None
    assert unlike_predictions(record, rows) is None


@pytest.mark.parametrize(("field", "value"), EDITS)
def test_a_score_or_count_that_predictions_do_not_give_is_named_with_both_values(
    field: str, value: Any
) -> None:
    record, rows = made(1)
    said = unlike_predictions(edited(record, field, value), rows)
    assert said is not None
    right: Any = record
    for part in field.split("."):
        right = right[part] if isinstance(right, dict) else getattr(right, part)
    if value is None:
        assert said.startswith(f"{field}.mcc is null, but its predictions give {right.mcc:.10g}; ")
    elif field == "dataset.test":
        assert said == f"dataset.test is {TEST + 1}, but its predictions contain {TEST} sentences"
    else:
        number = f"{right:.10g}" if isinstance(right, float) else right
        assert said == f"{field} is {value}, but its predictions give {number}"


def test_scores_of_a_hidden_test_split_cannot_have_been_computed() -> None:
    record, rows = made(1, hidden=True)
    scored, _ = made(1)
    told = record.model_copy(update={"scores_test": scored.scores_test})
    assert "its predictions give null" in str(unlike_predictions(told, rows))
    without = rows.filter(pc.equal(rows["split"], "validation"))
    assert unlike_predictions(record, without) is None
    assert "scores_test.mcc is " in str(unlike_predictions(told, without))


def test_a_group_that_is_made_up_or_left_out_is_named() -> None:
    record, rows = made(1)
    by = record.confusion_by["source"]
    for groups, said in (
        ({"ab01": by["ab01"]}, "confusion_by.source.cd02 has sentences: null, "),
        ({**by, "new": by["cd02"]}, "confusion_by.source.new has sentences: "),
    ):
        told = {**record.confusion_by, "source": groups}
        found = unlike_predictions(record.model_copy(update={"confusion_by": told}), rows)
        assert str(found).startswith(said)
    older = record.model_copy(update={"confusion_by": {}})  # the first version had none
    assert unlike_predictions(older, rows) is None


def test_many_fields_are_one_line() -> None:
    record, rows = made(1)
    told: dict[str, None] = {"scores_test": None, "scores_in_domain": None}
    said = str(unlike_predictions(record.model_copy(update=told), rows))
    assert said.count("its predictions give") == 3
    assert said.endswith("; and 3 more fields")


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> list[Stored]:
    folder = tmp_path_factory.mktemp("store") / "sample"
    found = []
    for seed in CELL.seeds:
        record, rows = made(seed)
        place = run_folder(folder, Run(CELL, seed, record.training), record.key)
        found.append(Stored(write_record(place, record, rows), place))
    return found


@pytest.mark.parametrize(("field", "value"), [*EDITS[::3], ("verdict", "fail")])
def test_the_store_does_not_believe_an_edited_record(
    stored: list[Stored], tmp_path: Path, field: str, value: Any
) -> None:
    for item in stored:
        place = tmp_path / item.folder.relative_to(item.folder.parents[2])
        _, rows = made(item.record.seed)
        change = item.record.seed == 2
        write_record(place, edited(item.record, field, value) if change else item.record, rows)
    found, notes = read_store(tmp_path)
    assert [item.record.seed for item in found] == [1]
    (note,) = notes
    assert f"{field}" in note
    assert "seed-2" in note


def published(stored: list[Stored], folder: Path, change: Callable[[Record], Record]) -> Path:
    """Write tables, and then what somebody made of the second run's record."""
    write_tables(folder, "sample", [CELL], stored)
    path = folder / "leaderboard.json"
    content = json.loads(path.read_text())
    content["records"][1] = json.loads(change(stored[1].record).model_dump_json())
    path.write_text(json.dumps(content))
    return path


@pytest.mark.parametrize(("field", "value"), EDITS)
def test_a_published_record_is_held_against_its_predictions(
    stored: list[Stored], tmp_path: Path, field: str, value: Any
) -> None:
    path = published(stored, tmp_path, lambda record: edited(record, field, value))
    (line,) = mismatched_predictions(tmp_path, read_published(path))
    assert line.startswith(f"{CELL.id}, seed 2: its predictions contradict its record: ")
    assert field in line


def test_scores_of_other_classes_than_the_predictions_are_no_scores(
    stored: list[Stored], tmp_path: Path
) -> None:
    """The record agrees with itself, and its digest is that of the predictions."""

    def better(record: Record) -> Record:
        assert record.labels is not None
        labels = classes.unpack(record.labels, VALIDATION)
        other = predicted_record(CELL, 2, labels, labels[np.newaxis])
        return record.model_copy(
            update={"epochs": other.epochs, "scores": other.scores, "confusion_by": {}}
        )

    path = published(stored, tmp_path, better)
    (line,) = mismatched_predictions(tmp_path, read_published(path))
    assert "its logits do not give the record's classes" in line


def test_the_command_refuses_an_edited_record(stored: list[Stored], tmp_path: Path) -> None:
    path = published(stored, tmp_path, lambda record: edited(record, "scores_test.mcc", 0.9))
    done = harness("report", str(tmp_path))
    assert done.code == 4
    assert "scores_test.mcc is 0.9, but its predictions give 0." in done.err
    assert "use a leaderboard.json and a predictions.parquet that" in done.err
    assert path.read_text().count('"mcc": 0.9,') == 1  # nothing was written
    done = harness("report", str(tmp_path), "--check")
    assert done.code == 1
    assert "scores_test.mcc is 0.9" in done.out


@pytest.mark.parametrize("name", ["cola", "quickstart"])
def test_committed_results_agree_with_themselves_and_their_predictions(name: str) -> None:
    folder = ROOT / "results" / name
    document = read_published(folder / "leaderboard.json")
    table = pq.read_table(folder / "predictions.parquet")
    for record in document.records:
        rows = table.filter(pc.equal(table["key"], record.key))
        assert (inconsistency(record), unlike_predictions(record, rows)) == (None, None)


# --- held against each other ---


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        (
            "samples_per_second",
            900.0,
            "samples_per_second is 900, but 42755 sentences in times",
        ),
        ("samples_per_second", -1.0, "samples_per_second is -1, "),
        ("samples_per_second", 0.0, "samples_per_second is 0, "),
        ("eval_ms_per_sentence", 0.5, "eval_ms_per_sentence is 0.5, but 60 sentences in times"),
        ("times.train", 60.0, "samples_per_second is "),
        ("times.train", 0.0, "times.train is 0 s, but must be more than 0"),
        ("times.evaluate", 0.0, "times.evaluate is 0 s, but must be more than 0"),
        ("times.load", 0.0, "times.load is 0 s, but must be more than 0"),
        ("times.total", 50.0, "times.total is 50 s, but load, tokenise and train alone take 104"),
        ("times.load", 90.0, "load, tokenise and train alone take 193"),
        ("time_to_target_seconds", 20.0, "time_to_target_seconds is 20, but its epochs and"),
        ("time_to_target_seconds", 5000.0, "give 50"),
        ("time_to_target_seconds", None, "time_to_target_seconds is null, "),
        ("target_mcc", 0.99, "target_mcc of 0.99 give null"),
        ("epochs.0.seconds", 500.0, "the last epoch ends at 500 s"),
        ("epochs.0.seconds", 0.0, "epoch 1 ends after 0 s, but must end after more than 0 s"),
        ("verdict", "fail", "verdict is fail, but MCC "),
        ("threshold", 0.99, "threshold 0.99 give fail"),
        ("threshold", None, "threshold null give null"),
        ("started_at", "2026-01-02T03:05:05+00:00", "but only 60 s lie between started_at and"),
        ("finished_at", "2026-01-02T03:04:00+00:00", "before started_at, "),
        ("finished_at", "2026-01-02T05:04:00+02:00", "before started_at, "),
        ("finished_at", "yesterday", "finished_at is 'yesterday', but must be a time"),
        ("started_at", "2026-01-02T03:04:05", "but must be a time with a time zone"),
        ("started_at", "0001-01-01T00:00:00+05:00", "but must be a time with a time zone"),
        ("finished_at", "9999-12-31T23:59:59-05:00", "but must be a time with a time zone"),
        ("peak_memory_mb", 0.0, "peak_memory_mb is 0, but must be more than 0"),
        ("peak_memory_mb", -5.0, "peak_memory_mb is -5, "),
        ("parameters", 0, "parameters is 0, "),
        ("accumulation", 2, "batch_size_used 4 times accumulation 2 is 8"),
        ("contention.fewest_threads", 3, "contention.fewest_threads is 3, but threads is only "),
        ("confusion_by.length.1-4 words.true_positive", 0, "confusion_by.length adds up to "),
        ("confusion_by.length.1-4 words.true_negative", 50, "adds up to true_negative "),
        ("confusion_by.source.ab01.false_positive", 50, "confusion_by.source adds up to "),
    ],
)
def test_a_number_that_other_fields_contradict_is_named(field: str, value: Any, said: str) -> None:
    record = made(1)[0]
    assert inconsistency(record) is None
    assert said in str(inconsistency(edited(record, field, value)))


def test_an_evaluation_takes_no_longer_than_the_epoch_that_it_is_part_of() -> None:
    record = made(1)[0]
    longer = edited(record, "times.evaluate", 55.0).model_copy(
        update={"eval_ms_per_sentence": 55_000 / VALIDATION}
    )
    assert "times.evaluate is 55 s, but epoch 1, which includes it, took only 50 s" in str(
        inconsistency(longer)
    )


def test_epochs_end_one_after_the_other() -> None:
    labels = np.arange(20) % 2
    wrong = labels.copy()
    wrong[:4] = 1 - wrong[:4]
    record = predicted_record(CELL, 1, labels, np.array([wrong, labels]))
    assert inconsistency(record) is None
    said = inconsistency(edited(record, "epochs.1.seconds", 40.0))
    assert "epoch 2 ends after 40 s, but must end after more than 50 s" in str(said)


@pytest.mark.parametrize("field", ["samples_per_second", "eval_ms_per_sentence", "verdict"])
def test_what_was_not_measured_contradicts_nothing(field: str) -> None:
    assert inconsistency(edited(made(1)[0], field, None)) is None


def test_a_contradiction_of_a_published_record_is_bad_input(
    stored: list[Stored], tmp_path: Path
) -> None:
    path = published(stored, tmp_path, lambda record: edited(record, "times.total", 50.0))
    with pytest.raises(BadInput) as caught:
        read_published(path)
    (problem,) = caught.value.problems
    assert f"records[1]: cell {CELL.id!r}, seed 2: it contradicts itself: times.total" in problem


@pytest.mark.parametrize(
    ("field", "value"), [("batch_size", 32), ("learning_rate", 1e-3), ("checkpoint", "org/other")]
)
def test_a_record_has_its_cell_s_settings(
    stored: list[Stored], tmp_path: Path, field: str, value: Any
) -> None:
    path = published(stored, tmp_path, lambda record: edited(record, field, value))
    with pytest.raises(BadInput) as caught:
        read_published(path)
    (problem,) = caught.value.problems
    assert f"{field} is {value!r}, but its cell has " in problem


def test_a_run_ends_after_it_took_its_time_whatever_the_clock_says() -> None:
    now = datetime.now(UTC)
    early = (now - timedelta(seconds=100)).isoformat(timespec="seconds")
    assert abs(datetime.fromisoformat(ended_at(early, 90.0)) - now) < timedelta(seconds=30)
    set_back = (now + timedelta(hours=1)).isoformat(timespec="seconds")
    ended = datetime.fromisoformat(ended_at(set_back, 90.0))
    assert ended - datetime.fromisoformat(set_back) == timedelta(seconds=90)
    record = make_record(CELL, 1)
    assert record.times is not None
    told = {"started_at": set_back, "finished_at": ended_at(set_back, record.times.total)}
    assert inconsistency(record.model_copy(update=told)) is None


# --- files that are not there ---


def test_a_check_of_an_output_folder_that_is_not_there_is_one_line(
    stored: list[Stored], tmp_path: Path
) -> None:
    write_tables(tmp_path / "right", "sample", [CELL], stored)
    absent = tmp_path / "absent"
    done = harness("report", str(tmp_path / "right"), "--check", "--output", str(absent))
    assert (done.code, done.out) == (4, "")
    assert done.err.count(str(absent)) == 1
    assert len(done.err.strip().splitlines()) == 1
    assert f"--output: {absent}: no such folder" in done.err
    assert not absent.exists()
    done = harness("report", str(tmp_path / "wrong"), "--check", "--output", str(absent))
    assert "no such file or folder" in done.err
    assert f"--output: {absent}: no such folder" in done.err
    absent.mkdir()
    done = harness("report", str(tmp_path / "right"), "--check", "--output", str(absent))
    assert (done.code, len(done.out.strip().splitlines())) == (1, 1)
    assert "of these records exists" in done.out
