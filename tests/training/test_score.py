import json
import os
import subprocess
import sys
import warnings
from pathlib import Path

import evaluate
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, f1_score, matthews_corrcoef

import harness
from harness.store.records import Scores
from harness.training.score import _metric, one_class, score

BIT = st.integers(0, 1)
JUDGEMENTS = st.lists(st.tuples(BIT, BIT), min_size=1, max_size=60)


def logits_of(predictions: list[int]) -> np.ndarray:
    """Logits whose larger column is the prediction, by margins that differ between sentences."""
    margins = 1 + np.arange(len(predictions), dtype=np.float32)
    chosen = np.asarray(predictions)
    return np.stack([np.where(chosen == 0, margins, -1.0), np.where(chosen == 1, margins, -1.0)], 1)


def scores_of(predictions: list[int], labels: list[int]) -> Scores:
    return score(logits_of(predictions), np.asarray(labels))


# No deadline: the first call loads the metric.
@settings(deadline=None)
@given(JUDGEMENTS)
def test_scores_equal_those_of_scikit_learn(judgements: list[tuple[int, int]]) -> None:
    predictions, labels = (list(side) for side in zip(*judgements, strict=True))
    scores = scores_of(predictions, labels)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scikit-learn's remarks on degenerate input
        assert scores.mcc == matthews_corrcoef(labels, predictions)
        assert scores.accuracy == accuracy_score(labels, predictions)
        assert scores.f1 == f1_score(labels, predictions, pos_label=1, zero_division=0)
    assert one_class(logits_of(predictions)) == (len(set(predictions)) == 1)


# No deadline: the first call loads the metric.
@settings(deadline=None)
@given(JUDGEMENTS)
def test_scores_equal_their_closed_forms(judgements: list[tuple[int, int]]) -> None:
    predictions, labels = (list(side) for side in zip(*judgements, strict=True))
    scores = scores_of(predictions, labels)
    hits = judgements.count((1, 1))
    errors = judgements.count((0, 1)) + judgements.count((1, 0))
    assert scores.accuracy == pytest.approx(1 - errors / len(judgements))
    assert scores.f1 == pytest.approx(2 * hits / (2 * hits + errors) if hits else 0)
    if len(set(predictions)) == len(set(labels)) == 2:
        # On two classes the Matthews correlation is Pearson's.
        pearson = np.corrcoef(predictions, labels)[0, 1]
        assert scores.mcc == pytest.approx(pearson)
    else:
        assert scores.mcc == 0


@pytest.mark.parametrize(
    ("predictions", "labels", "mcc", "accuracy", "f1", "same_class"),
    [
        ([0, 1, 1, 0], [0, 1, 1, 0], 1.0, 1.0, 1.0, False),
        ([1, 0, 0, 1], [0, 1, 1, 0], -1.0, 0.0, 0.0, False),
        ([1, 1, 1, 1], [1, 0, 1, 1], 0.0, 0.75, 6 / 7, True),
        ([0, 0], [1, 0], 0.0, 0.5, 0.0, True),
        ([1, 0, 1, 1], [1, 1, 1, 1], 0.0, 0.75, 6 / 7, False),
        ([1, 1], [1, 1], 0.0, 1.0, 1.0, True),
    ],
)
def test_one_predicted_class_is_flagged_and_one_annotated_class_is_not(
    predictions: list[int],
    labels: list[int],
    mcc: float,
    accuracy: float,
    f1: float,
    same_class: bool,
) -> None:
    assert scores_of(predictions, labels) == Scores(mcc=mcc, accuracy=accuracy, f1=f1)
    assert one_class(logits_of(predictions)) is same_class


def test_degenerate_predictions_raise_no_warning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        scores_of([0, 0], [0, 0])
        scores_of([1, 1], [1, 1])
        scores_of([0, 0], [0, 1])


def test_scoring_leaves_the_random_state_of_a_training_run_alone() -> None:
    np.random.seed(5)
    torch.manual_seed(5)
    expected = np.random.random(), torch.rand(1)
    np.random.seed(5)
    torch.manual_seed(5)
    scores_of([0, 1], [0, 1])
    assert (np.random.random(), torch.rand(1)) == expected


@pytest.mark.parametrize(
    ("logits", "labels", "complaint"),
    [
        ([[0.0, np.nan], [1.0, 0.0]], [0, 1], "1 of 2 sentences are NaN or infinite"),
        ([[0.0, 1.0], [np.inf, 0.0]], [0, 1], "1 of 2 sentences are NaN or infinite"),
        ([[0.0, 1.0], [1.0, 0.0]], [0], r"shape \(2, 2\) and labels of shape \(1,\)"),
        ([[0.0]], [0], r"shape \(1, 1\)"),
        ([[0.0, 1.0, 2.0]], [3], r"labels must be 0 to 2, found \[3\]"),
        ([0.0, 1.0], [0, 1], r"shape \(2,\)"),
        ([[0.0, 1.0], [1.0, 0.0]], [-1, 0], r"found \[-1\]; hidden test labels"),
        ([[0.0, 1.0], [1.0, 0.0]], [2, 0], r"found \[2\]"),
        (np.empty((0, 2)), [], "no sentences"),
    ],
)
def test_what_cannot_be_scored_is_refused(logits: object, labels: object, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        score(np.asarray(logits), np.asarray(labels))


WORKER = """
import json, sys
attempts = []
def watch(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo"):
        attempts.append(repr(arguments))
sys.addaudithook(watch)
import numpy as np
from harness.training.score import score
print("ready", flush=True)
sys.stdin.readline()
scores = score(np.array([[0.0, 1.0], [1.0, 0.0], [0.0, 1.0]]), np.array([1, 0, 0]))
print(json.dumps({"mcc": scores.mcc, "attempts": attempts, "path": sys.path}))
"""


@pytest.mark.sessions
def test_processes_load_the_metric_at_once_without_network_or_a_home(tmp_path: Path) -> None:
    no_folder = tmp_path / "file"
    no_folder.write_text("nothing can be written below a file")
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    environment = {
        **os.environ,
        "HF_HOME": str(no_folder / "home"),
        "HF_ENDPOINT": "http://127.0.0.1:9",
        "TMPDIR": str(scratch),
        "PYTHONPATH": str(Path(harness.__file__).parents[1]),
    }
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", WORKER],
            env=environment | {"HF_HUB_OFFLINE": offline},
            cwd=tmp_path,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for offline in ("0", "1")
    ]
    for worker in workers:
        assert worker.stdout is not None
        assert worker.stdout.readline() == "ready\n"
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write("go\n")
        worker.stdin.flush()
    for worker in workers:
        output, errors = worker.communicate(timeout=60)
        assert worker.returncode == 0, errors
        report = json.loads(output)
        assert report["mcc"] == pytest.approx(0.5)
        assert report["attempts"] == []
        assert not [entry for entry in report["path"] if entry.startswith(str(scratch))]
    assert not [left for left in scratch.iterdir() if left.name.startswith("acceptability-")]


OTHER_METRIC = """
import datasets
import evaluate

class Constant(evaluate.Metric):
    def _info(self):
        number = datasets.Value("int64")
        features = datasets.Features({"predictions": number, "references": number})
        return evaluate.MetricInfo(description="", citation="", features=features)

    def _compute(self, predictions, references):
        return {"constant": VALUE}
"""


def test_other_metrics_load_before_and_after_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evaluate.config, "HF_MODULES_CACHE", tmp_path / "modules")
    monkeypatch.setattr(sys, "path", [*sys.path])
    for name, value in (("before", "1"), ("after", "2")):
        (tmp_path / f"{name}.py").write_text(OTHER_METRIC.replace("VALUE", value))

    def load(name: str) -> evaluate.EvaluationModule:
        return evaluate.load(str(tmp_path / f"{name}.py"), cache_dir=str(tmp_path / "data"))

    before = load("before")
    copy = sys.modules[type(before).__module__]
    _metric.cache_clear()
    assert scores_of([0, 1], [0, 1]).accuracy == 1
    assert sys.modules[type(before).__module__] is copy
    after = load("after")
    assert before.compute(predictions=[1], references=[1]) == {"constant": 1}
    assert after.compute(predictions=[1], references=[1]) == {"constant": 2}
