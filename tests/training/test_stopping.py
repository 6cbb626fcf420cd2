"""A stopped run is an exact prefix of the whole one: classes, scores, losses, bit for bit."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from builders.jobs import execute_ok, file_spec, make_job, sentences, write_rows
from builders.tiny_checkpoints import make_checkpoint

from harness.store.checks.consistency import inconsistency, unlike_predictions
from harness.store.records import Epoch, Record
from harness.suite.spec import DatasetSpec


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_checkpoint("bert", tmp_path_factory.mktemp("checkpoints") / "bert")


@pytest.fixture(scope="module")
def telling(tmp_path_factory: pytest.TempPathFactory) -> DatasetSpec:
    """Sentences that a model learns to tell apart within a few epochs."""
    texts = [
        "{0} {1} {0} {0}".format(("dog", "cat")[number % 2], text)
        for number, text in enumerate(sentences(64))
    ]
    rows = [number % 2 for number in range(64)]
    return file_spec(write_rows(tmp_path_factory.mktemp("data") / "t.csv", texts, rows), 16, 8)


def without_times(epochs: tuple[Epoch, ...]) -> list[dict[str, Any]]:
    return [epoch.model_dump(exclude={"seconds"}) for epoch in epochs]


VARIANTS = [
    {},
    {"lr_scheduler": "cosine", "warmup_ratio": 0.3},
    {"speedups": (), "patience": 3, "lr_scheduler": "constant_with_warmup", "warmup_ratio": 0.2},
]


@pytest.mark.parametrize("training", VARIANTS)
def test_a_stopped_run_is_a_prefix_of_the_whole_run(
    bert: Path, telling: DatasetSpec, tmp_path: Path, training: dict[str, Any]
) -> None:
    job = make_job(bert, telling, tmp_path, batch_size=4, epochs=4, min_mcc=0.9, **training)
    whole, _ = execute_ok(job)
    assert whole.stopped is None
    best_so_far = [max(e.scores.mcc for e in whole.epochs[:n]) for n in range(1, 5)]
    after = next(n for n in (2, 3, 1) if best_so_far[n - 1] > max([-2, *best_so_far[: n - 1]]))
    target = best_so_far[after - 1]  # equal to the target is enough
    record, predictions = execute_ok(replace(job, stop_at=target))
    assert record.key == whole.key == job.key
    assert without_times(record.epochs) == without_times(whole.epochs[:after])
    assert record.stopped is not None
    assert record.stopped.text == f"stopped after epoch {after} of 4: gate met"
    assert record.stopped.target == target
    assert record.scores == whole.epochs[after - 1].scores
    assert record.selected_epoch == after
    assert inconsistency(record) is None
    assert unlike_predictions(record, predictions) is None
    assert Record.model_validate_json(record.model_dump_json()) == record
    assert record.verdict is (None if target < 0.9 else "pass")


def test_a_target_that_is_reached_in_the_last_epoch_or_never_leaves_the_run_whole(
    bert: Path, telling: DatasetSpec, tmp_path: Path
) -> None:
    one = replace(make_job(bert, telling, tmp_path, epochs=1), stop_at=-1.0)
    record, _ = execute_ok(one)
    assert record.stopped is None
    assert '"stopped"' not in record.model_dump_json()
    never = replace(make_job(bert, telling, tmp_path, epochs=2), stop_at=1.5)
    record, _ = execute_ok(never)
    assert record.stopped is None
    assert len(record.epochs) == 2
    assert inconsistency(record) is None


def test_a_kept_model_of_a_stopped_run_is_described_as_such(
    bert: Path, telling: DatasetSpec, tmp_path: Path
) -> None:
    job = make_job(bert, telling, tmp_path, epochs=3, keep_model=True)
    record, _ = execute_ok(replace(job, stop_at=-1.0))
    assert record.stopped is not None
    card = (job.folder / "model" / "README.md").read_text(encoding="utf-8")
    assert "- epochs: 1 of 3, stopped after epoch 1 of 3: gate met\n" in card
