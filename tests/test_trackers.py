"""Experiment trackers: none by default, what a named one hears, and that it changes no result."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
from jobs import execute_ok, file_spec, make_job, sentences, write_rows
from support import UNREACHABLE
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tiny import make_checkpoint

from harness.errors import BadInput
from harness.finetune import Settings, training_arguments
from harness.inputs import find_inputs
from harness.plan import make_plan
from harness.spec import TrainingSpec, load_suite

SUITE = """
name = "tracked"
trackers = {trackers}
[dataset]
source = "embedded"
[matrix]
checkpoints = ["./encoder"]
batch_sizes = [8]
learning_rates = [1e-3]
"""


def test_tensorboard_hears_every_epoch_and_changes_no_bit(tmp_path: Path) -> None:
    encoder = make_checkpoint("bert", tmp_path / "encoder")
    data = write_rows(tmp_path / "data.csv", sentences(64), [n % 2 for n in range(64)])
    job = make_job(encoder, file_spec(data), tmp_path / "plain", epochs=2)
    plain, predictions = execute_ok(job)
    tracked = replace(job, folder=tmp_path / "tracked" / "run", trackers=("tensorboard",))
    record, tracked_predictions = execute_ok(tracked)
    assert tracked_predictions.equals(predictions)
    assert record.key == plain.key

    assert not list(job.folder.glob("**/*tfevents*"))
    (events,) = (tracked.folder / "tensorboard").glob("*tfevents*")
    heard = EventAccumulator(str(events.parent))
    heard.Reload()
    mccs = [event.value for event in heard.Scalars("eval/matthews_correlation")]
    assert mccs == pytest.approx([epoch.scores.mcc for epoch in record.epochs], abs=1e-6)
    losses = [event.value for event in heard.Scalars("train/loss")]
    assert losses == pytest.approx([epoch.train_loss for epoch in record.epochs], abs=1e-6)


def test_nothing_is_reported_unless_a_suite_names_a_tracker(tmp_path: Path) -> None:
    settings = Settings(8, 1e-3, 1, TrainingSpec(), "cpu", ("a", "b"))
    assert training_arguments(settings, tmp_path).report_to == []


def test_a_tracker_that_is_not_installed_is_told_before_anything_trains(tmp_path: Path) -> None:
    make_checkpoint("bert", tmp_path / "encoder")
    (tmp_path / "suite.toml").write_text(SUITE.format(trackers='["trackio", "tensorboard"]'))
    suite = load_suite(tmp_path / "suite.toml")
    with pytest.raises(BadInput, match=r"'trackio': not installed; run `pip install trackio`"):
        find_inputs(suite, tmp_path, make_plan(suite), None, UNREACHABLE)


def test_a_name_that_is_no_tracker_is_told_with_those_that_are(tmp_path: Path) -> None:
    (tmp_path / "suite.toml").write_text(SUITE.format(trackers='["tensorbord"]'))
    message = re.escape("trackers[0]: 'tensorbord'") + ".*'tensorboard', 'mlflow'"
    with pytest.raises(BadInput, match=message):
        load_suite(tmp_path / "suite.toml")
