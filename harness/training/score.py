"""Matthews correlation, accuracy and F1 from logits and labels, as a metric of `evaluate`.

`evaluate.load("glue", "cola")` downloads a script from a hub and runs it. This metric ships with
the package and computes the same Matthews correlation, and also accuracy and F1.
"""

import functools
import tempfile
import warnings

import datasets
import evaluate
import numpy as np
from sklearn.metrics import accuracy_score, f1_score, matthews_corrcoef

from harness.store.records import Scores
from harness.text import counted

CITATION = """\
@article{matthews1975comparison,
  title = {Comparison of the predicted and observed secondary structure of {T4} phage lysozyme},
  author = {Matthews, Brian W.},
  journal = {Biochimica et Biophysica Acta (BBA) - Protein Structure},
  volume = {405}, number = {2}, pages = {442--451}, year = {1975}
}
"""


class Acceptability(evaluate.Metric):  # type: ignore[misc]
    """Agreement of predicted with annotated classes, such as acceptability (1: acceptable).

    The Matthews correlation is between -1 and 1; 0 if it is undefined, because predictions or
    references contain only one class. Of more than two classes, it is Gorodkin's R_K (2004). F1 is
    that of the acceptable class, 0 if no sentence is acceptable or none is predicted as acceptable;
    with average="macro", it is the mean F1 of the classes that occur.
    """

    def _info(self) -> evaluate.MetricInfo:
        return evaluate.MetricInfo(
            description=self.__doc__,
            citation=CITATION,
            features=datasets.Features(
                {"predictions": datasets.Value("int64"), "references": datasets.Value("int64")}
            ),
        )

    def _compute(
        self, predictions: list[int], references: list[int], average: str = "binary"
    ) -> dict[str, float]:
        with warnings.catch_warnings():
            # One class on both sides has a result (0); it is not the caller's mistake.
            warnings.filterwarnings("ignore", "A single label was found", UserWarning)
            correlation = matthews_corrcoef(references, predictions)
        return {
            "mcc": float(correlation),
            "accuracy": float(accuracy_score(references, predictions)),
            "f1": float(f1_score(references, predictions, average=average, zero_division=0)),
        }


@functools.cache
def _metric() -> Acceptability:
    # A metric creates a folder for its data, by default below the user's home.
    with tempfile.TemporaryDirectory(prefix="acceptability-") as folder:
        return Acceptability(cache_dir=folder, keep_in_memory=True)


def score(logits: np.ndarray, labels: np.ndarray) -> Scores:
    """Compare the class with the largest logit with the annotated class of each sentence.

    Args:
        logits: (sentences, classes), finite. A tie goes to the first of the tied classes.
        labels: (sentences,), each the number of a class.

    Raises:
        ValueError: no sentences, shapes that do not match, NaN or infinite logits, or labels
            that are no class (such as the -1 of a hidden test label).
    """
    _check(logits, labels)
    values = _metric().compute(
        predictions=logits.argmax(axis=1),
        references=labels.astype(np.int64),
        average="binary" if logits.shape[1] == 2 else "macro",
    )
    return Scores(**values)


def one_class(logits: np.ndarray) -> bool:
    """Return whether every sentence is given the same class: scores then say nothing of quality."""
    return len(np.unique(logits.argmax(axis=1))) == 1


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
