"""Scores of any number of classes from counts: R_K, accuracy and macro-F1."""

import math
from dataclasses import dataclass

import numpy as np

from harness.store.classes import accuracy, f1, matthews, number_of_classes, tally, unpack

ScoreValues = tuple[float | None, float | None, float | None]
"""MCC, accuracy and F1; None where a score is undefined."""


@dataclass(frozen=True)
class ClassCounts:
    """Numbers of sentences by class; each (classes,).

    Attributes:
        hits: label and prediction are the class.
        predicted: the prediction is the class.
        labelled: the label is the class.
    """

    hits: np.ndarray
    predicted: np.ndarray
    labelled: np.ndarray


def packed_scores(labels: str, classes: str, sentences: int) -> ScoreValues:
    """Return MCC, accuracy and F1 of texts that `harness.store.classes.pack` made.

    With two classes, F1 is the F1 of class 1; with more, it is `macro_f1`.

    Raises:
        ValueError: a text does not hold that many sentences, or the two have other numbers of
            classes.
    """
    if ":" not in labels and ":" not in classes:  # two classes, on the fast path
        counts = tally(labels, classes, sentences)
        return matthews(*counts), accuracy(*counts), f1(*counts)
    number = number_of_classes(labels)
    if (given := number_of_classes(classes)) != number:
        raise ValueError(f"labels of {number} classes, but predictions of {given}")
    by_class = count(unpack(labels, sentences), unpack(classes, sentences), number)
    return correlation(by_class), share_right(by_class), macro_f1(by_class)


def count(labels: np.ndarray, predicted: np.ndarray, number: int) -> ClassCounts:
    """Count labels and predicted classes, each (sentences,) from 0 to `number` - 1."""
    return ClassCounts(
        hits=np.bincount(labels[labels == predicted], minlength=number),
        predicted=np.bincount(predicted, minlength=number),
        labelled=np.bincount(labels, minlength=number),
    )


def confusion_matrix(labels: np.ndarray, predicted: np.ndarray, number: int) -> np.ndarray:
    """Return (classes, classes): the number of sentences by label (row) and predicted class.

    Args:
        labels: (sentences,), each from 0 to `number` - 1.
        predicted: (..., sentences), likewise, for example one row per seed; all are added.
    """
    pairs = labels.astype(np.intp) * number + predicted
    return np.bincount(pairs.ravel(), minlength=number**2).reshape(number, number)


def correlation(counts: ClassCounts) -> float | None:
    """Return Gorodkin's R_K; None if labels or predictions have one class only.

    (n h - sum p t) / sqrt((n^2 - sum p^2)(n^2 - sum t^2)) with n sentences, h of them right, and
    for each class p predictions and t labels (Gorodkin 2004). With two classes it equals
    `matthews` to the last digit.
    """
    predicted: list[int] = counts.predicted.tolist()
    labelled: list[int] = counts.labelled.tolist()
    hits, sentences = int(counts.hits.sum()), sum(labelled)
    given = sentences**2 - sum(p * p for p in predicted)
    true = sentences**2 - sum(t * t for t in labelled)
    if given * true == 0:
        return None
    products = sum(p * t for p, t in zip(predicted, labelled, strict=True))
    return (sentences * hits - products) / math.sqrt(given * true)


def share_right(counts: ClassCounts) -> float | None:
    """Return the share of sentences classified correctly; None if there are no sentences."""
    sentences = int(counts.labelled.sum())
    return int(counts.hits.sum()) / sentences if sentences else None


def macro_f1(counts: ClassCounts) -> float | None:
    """Return the mean F1 of the classes that are predicted or true; None if there are none.

    A class that is predicted but never true, or true but never predicted, has F1 0. This is
    scikit-learn's `f1_score(average="macro")`.
    """
    found = counts.predicted + counts.labelled
    occurs = found > 0
    if not occurs.any():
        return None
    return math.fsum((2 * counts.hits[occurs] / found[occurs]).tolist()) / int(occurs.sum())
