"""Matthews correlation, accuracy and F1 from logits and labels, with `evaluate`."""

import contextlib
import functools
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import evaluate
import numpy as np

from harness.text import counted

METRIC_FOLDER = Path(__file__).parent / "metrics" / "acceptability"


@dataclass(frozen=True)
class MetricValues:
    """The scores of one evaluation.

    Attributes:
        matthews_correlation: between -1 and 1; 0 if only one class is predicted.
        accuracy: share of sentences classified as annotated.
        f1: of class 1 of two; of more classes, the mean of their F1 (macro-F1).
        one_class: whether every sentence was given the same class; the scores then say nothing
            about the model's quality.
    """

    matthews_correlation: float
    accuracy: float
    f1: float
    one_class: bool


def score(logits: np.ndarray, labels: np.ndarray) -> MetricValues:
    """Compare the class with the largest logit with the annotated class of each sentence.

    Args:
        logits: (sentences, classes), finite. A tie goes to the first of the tied classes.
        labels: (sentences,), each the number of a class.

    Raises:
        ValueError: no sentences, shapes that do not match, NaN or infinite logits, or labels
            that are no class (such as the -1 of a hidden test label).
    """
    _check(logits, labels)
    predictions = logits.argmax(axis=1)
    average = "binary" if logits.shape[1] == 2 else "macro"
    values = _metric().compute(
        predictions=predictions, references=labels.astype(np.int64), average=average
    )
    return MetricValues(**values, one_class=bool((predictions == predictions[0]).all()))


def _check(logits: np.ndarray, labels: np.ndarray) -> None:
    if logits.ndim != 2 or logits.shape[1] < 2 or labels.shape != logits.shape[:1]:
        raise ValueError(
            f"logits of shape {logits.shape} and labels of shape {labels.shape} do not match: "
            "expected (sentences, classes) and (sentences,)"
        )
    if len(labels) == 0:
        raise ValueError("no sentences to score")
    broken = int((~np.isfinite(logits)).any(axis=1).sum())
    if broken:
        raise ValueError(
            f"logits of {broken} of {counted(len(logits), 'sentence')} are NaN or infinite"
        )
    classes = logits.shape[1]
    unknown = sorted({label.item() for label in labels[~np.isin(labels, range(classes))]})
    if unknown:
        allowed = "0 or 1" if classes == 2 else f"0 to {classes - 1}"
        raise ValueError(
            f"labels must be {allowed}, found {unknown[:5]}; hidden test labels cannot be scored"
        )


@functools.cache
def _metric() -> evaluate.EvaluationModule:
    """Return the metric module, loaded once per process.

    `evaluate.load` copies a module's source into a cache that all processes of the user share, and
    imports the copy. Here a temporary folder replaces that cache during loading: a process killed
    while copying cannot leave half a file for the next one, and nothing is written to the user's
    home.
    """
    with tempfile.TemporaryDirectory(prefix="acceptability-") as folder, _modules_cache(folder):
        return evaluate.load(str(METRIC_FOLDER), cache_dir=folder, keep_in_memory=True)


@contextlib.contextmanager
def _modules_cache(folder: str) -> Iterator[None]:
    """Make `evaluate` copy modules to `folder`, and remove all traces of this afterwards."""
    shared_cache = evaluate.config.HF_MODULES_CACHE
    loaded_before = _forget_copies()
    evaluate.config.HF_MODULES_CACHE = folder
    sys.path.insert(0, folder)
    try:
        yield
    finally:
        evaluate.config.HF_MODULES_CACHE = shared_cache
        # A path in /tmp that no longer exists must not stay importable: anyone could create it.
        sys.path.remove(folder)
        _forget_copies()
        sys.modules.update(loaded_before)


def _forget_copies() -> dict[str, ModuleType]:
    package = evaluate.config.MODULE_NAME_FOR_DYNAMIC_MODULES
    names = [name for name in sys.modules if name == package or name.startswith(package + ".")]
    return {name: sys.modules.pop(name) for name in names}
