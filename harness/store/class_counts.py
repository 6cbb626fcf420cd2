"""Numbers of sentences by class, of any number of classes, and the scores that follow."""

import math
from dataclasses import dataclass

import numpy as np

from harness.store.classes import Counts, number_of_classes, tally, unpack


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

    @property
    def mcc(self) -> float | None:
        """Gorodkin's R_K; None if labels or predictions have one class only.

        (n h - sum p t) / sqrt((n^2 - sum p^2)(n^2 - sum t^2)) with n sentences, h of them right,
        and for each class p predictions and t labels (Gorodkin 2004). With two classes it equals
        the Matthews correlation of `Counts` to the last digit.
        """
        predicted: list[int] = self.predicted.tolist()
        labelled: list[int] = self.labelled.tolist()
        hits, sentences = int(self.hits.sum()), sum(labelled)
        given = sentences**2 - sum(p * p for p in predicted)
        true = sentences**2 - sum(t * t for t in labelled)
        if given * true == 0:
            return None
        products = sum(p * t for p, t in zip(predicted, labelled, strict=True))
        return (sentences * hits - products) / math.sqrt(given * true)

    @property
    def accuracy(self) -> float | None:
        """The share of sentences classified correctly; None if there are no sentences."""
        sentences = int(self.labelled.sum())
        return int(self.hits.sum()) / sentences if sentences else None

    @property
    def f1(self) -> float | None:
        """The mean F1 of the classes that are predicted or true; None if there are none.

        A class that is predicted but never true, or true but never predicted, has F1 0. This is
        scikit-learn's `f1_score(average="macro")`.
        """
        found = self.predicted + self.labelled
        occurs = found > 0
        if not occurs.any():
            return None
        return math.fsum((2 * self.hits[occurs] / found[occurs]).tolist()) / int(occurs.sum())


def packed_counts(labels: str, classes: str, sentences: int) -> Counts | ClassCounts:
    """Count the sentences of texts that `harness.store.classes.pack` made.

    Raises:
        ValueError: a text does not hold that many sentences, or the two have other numbers of
            classes.
    """
    if ":" not in labels and ":" not in classes:  # two classes, on the fast path
        return tally(labels, classes, sentences)
    number = number_of_classes(labels)
    if (given := number_of_classes(classes)) != number:
        raise ValueError(f"labels of {number} classes, but predictions of {given}")
    return count(unpack(labels, sentences), unpack(classes, sentences), number)


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
