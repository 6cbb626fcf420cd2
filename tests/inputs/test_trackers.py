"""Experiment trackers: none by default, what a named one hears, and that it changes no result."""

import re
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from builders.jobs import execute_ok, file_spec, make_job, sentences, write_rows
from builders.tiny_checkpoints import make_checkpoint
from builders.waiting import UNREACHABLE
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from harness.errors import BadInput
from harness.session.suite_inputs import find_inputs
from harness.suite.plan import make_plan
from harness.suite.spec import TrainingSpec, load_suite
from harness.training.finetune import Settings, training_arguments
from harness.training.job import Job

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


TRACKER = """
from types import SimpleNamespace

__version__ = "3.0.0"
SLOW = {slow!r}
calls = []
lost_seconds = 0.0
utils = SimpleNamespace(
    validation=SimpleNamespace(MAX_PARAM_VAL_LENGTH=250, MAX_PARAMS_TAGS_PER_BATCH=100)
)
running = None


def _call(name):
    global lost_seconds
    if name == SLOW:
        lost_seconds += {seconds}
    calls.append(name)


def is_tracking_uri_set():
    return False


def active_run():
    return running


def set_experiment(name):
    _call("set_experiment")


def start_run(run_name, nested):
    global running
    _call("start_run")
    running = SimpleNamespace(info=SimpleNamespace(run_id="1"))


def log_params(params, synchronous):
    _call("log_params")


def log_metrics(metrics, step, synchronous):
    _call("log_metrics")


def end_run():
    global running
    _call("end_run")
    running = None
"""
"""A package that transformers' own MLflow integration takes for MLflow, slow at one thing.

It does not wait, but counts the seconds that it would take: the test's clock adds them, so that
the result depends on no other program's load.
"""


@pytest.fixture(scope="module")
def untracked(tmp_path_factory: pytest.TempPathFactory) -> Job:
    folder = tmp_path_factory.mktemp("untracked")
    encoder = make_checkpoint("bert", folder / "encoder")
    data = write_rows(folder / "data.csv", sentences(64), [n % 2 for n in range(64)])
    return make_job(encoder, file_spec(data), folder, epochs=2, min_mcc=-1.0)


# Start-up, every epoch's and every evaluation's numbers, and the end: all are the tracker's time.
@pytest.mark.parametrize("slow", ["set_experiment", "start_run", "log_metrics", "end_run"])
def test_a_slow_tracker_takes_no_training_time(
    slow: str, untracked: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hour = 3600.0
    (tmp_path / "mlflow.py").write_text(TRACKER.format(slow=slow, seconds=hour))
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "mlflow", raising=False)
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "tiny")
    clock = time.perf_counter

    def clock_with_tracker() -> float:
        return clock() + getattr(sys.modules.get("mlflow"), "lost_seconds", 0.0)

    monkeypatch.setattr(time, "perf_counter", clock_with_tracker)
    record, _ = execute_ok(replace(untracked, folder=tmp_path / "run", trackers=("mlflow",)))
    tracker = sys.modules.pop("mlflow")

    all_calls = {"set_experiment", "start_run", "log_params", "log_metrics", "end_run"}
    assert set(tracker.calls) >= all_calls
    lost = hour * tracker.calls.count(slow)
    assert lost >= hour
    assert record.times is not None
    assert record.times.total > lost
    assert record.times.train < hour / 2
    assert record.times.evaluate < hour / 2
    ends = [epoch.seconds for epoch in record.epochs]
    assert ends == sorted(ends)
    assert ends[-1] <= record.times.train
    assert record.time_to_target_seconds == ends[0]
    assert record.samples_per_second == pytest.approx(2 * 48 / record.times.train)


def test_an_epoch_ends_within_the_time_that_training_took(untracked: Job) -> None:
    record, _ = execute_ok(untracked)
    assert record.times is not None
    ends = [epoch.seconds for epoch in record.epochs]
    # The last evaluation ends just before training does; nothing of either is left out.
    assert 0 < ends[0] < ends[1] <= record.times.train < ends[1] + record.times.train / 2
    assert 0 < record.times.evaluate < record.times.train
