"""Gorodkin's R_K, the Matthews correlation of many classes, and each sentence's influence on it.

With two classes it is the Matthews correlation. docs/statistics.md derives the influence.
"""

from dataclasses import dataclass

import numpy as np

from harness.products import dot, matrix_product

NO_VARIATION = 1e-18
"""Mean square of influences below which they are 0 but for rounding."""

PSEUDO_RIGHT = 1.0
PSEUDO_WRONG = 1.0
"""Sentences added to a run that shows no variation: one right, spread evenly over the classes, and
one wrong, spread evenly over all pairs of different classes. With two classes, each of the four
counts gets a half (Haldane 1956; Anscombe 1956)."""


@dataclass(frozen=True)
class _Terms:
    """The influence of each outcome, in parts: by_label[y] + by_prediction[p] + right if y = p.

    Attributes:
        by_label: (runs, classes).
        by_prediction: (runs, classes).
        right: (runs,).
    """

    by_label: np.ndarray
    by_prediction: np.ndarray
    right: np.ndarray


def class_counts(values: np.ndarray, classes: int) -> np.ndarray:
    """Return (..., classes): how often each class occurs on the last axis of (..., sentences)."""
    rows = values.reshape(-1, values.shape[-1]).astype(np.intp)
    places = rows + classes * np.arange(len(rows))[:, None]
    counts = np.bincount(places.ravel(), minlength=classes * len(rows))
    return counts.reshape(*values.shape[:-1], classes)


def rk(labels: np.ndarray, predictions: np.ndarray, classes: int) -> np.ndarray:
    """Return each run's R_K (Gorodkin 2004), 0 if labels or predictions have one class only.

    Args:
        labels: (sentences,), each from 0 to `classes` - 1.
        predictions: (..., sentences).

    Returns:
        (...), at most 1; -1 is reached only if all labels and predictions are of two classes.
    """
    predicted, labelled = class_counts(predictions, classes), class_counts(labels, classes)
    hits = (predictions == labels).sum(axis=-1)
    squares = (predicted**2).sum(axis=-1)
    return rk_of_sums(hits, predicted @ labelled, squares, int(labelled @ labelled), labels.size)


def rk_of_sums(
    hits: np.ndarray,
    products: np.ndarray,
    predicted_squares: np.ndarray,
    labelled_squares: int | np.ndarray,
    sentences: int | np.ndarray,
) -> np.ndarray:
    """Return R_K from counts, 0 if labels or predictions have one class.

    With two classes it equals `mcc_of_counts` to the last digit: the numerator is twice, and the
    product under the root four times, the one of the Matthews correlation.

    Args:
        hits: number of sentences whose prediction is their label.
        products: sum over classes of the number predicted times the number labelled.
        predicted_squares: sum over classes of the square of the number predicted.
        labelled_squares: sum over classes of the square of the number labelled.
        sentences: number of all sentences.
    """
    covariance = sentences * np.asarray(hits, dtype=float) - products
    spread = (sentences**2 - predicted_squares) * (1.0 * (sentences**2 - labelled_squares))
    some = spread > 0
    return np.where(some, covariance / np.sqrt(np.where(some, spread, 1.0)), 0.0)


def rk_influence(
    labels: np.ndarray, predictions: np.ndarray, classes: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return R_K of each run, and what `Linearised` needs.

    Args:
        labels: (sentences,), each from 0 to `classes` - 1.
        predictions: (seeds, sentences).

    Returns:
        (seeds,) values, (seeds, sentences) influences, and (seeds,) standard errors of the runs
        whose influences do not show their error: they predict one class only, classify every
        sentence correctly or misclassify every one, or every sample of their outcomes has the
        same R_K (such as 1/2, if all of one class are right and all of a second one are called a
        third).
    """
    sentences = labels.size
    labels, predictions = labels.astype(np.intp), predictions.astype(np.intp)
    predicted, labelled = class_counts(predictions, classes), class_counts(labels, classes)
    right = predictions == labels
    hits = right.sum(axis=1)
    one_class = (predicted.max(axis=1) == sentences) | (labelled.max() == sentences)
    terms = _terms(hits / sentences, predicted / sentences, labelled / sentences)
    influence = _of_sentences(terms, labels, predictions, right)
    # All wrong: the influences show which wrong classes, but not whether some would be right.
    hidden = one_class | (hits == 0) | (hits == sentences)
    hidden |= (influence**2).mean(axis=1) < NO_VARIATION
    influence[hidden] = 0
    unseen = np.zeros(len(hits))
    if hidden.any():
        padded = sentences + PSEUDO_RIGHT + PSEUDO_WRONG
        more = (PSEUDO_RIGHT + PSEUDO_WRONG) / classes
        terms = _terms(
            (hits[hidden] + PSEUDO_RIGHT) / padded,
            (predicted[hidden] + more) / padded,
            (labelled + more) / padded,
        )
        squares = (_of_sentences(terms, labels, predictions[hidden], right[hidden]) ** 2).sum(
            axis=1
        )
        unseen[hidden] = np.sqrt((squares + _pseudo_squares(terms)) / padded / sentences)
    return rk(labels, predictions, classes), influence, unseen


def disagreement_error(
    labels: np.ndarray, predictions: np.ndarray, classes: int, units: float
) -> np.ndarray:
    """Return (seeds,): the standard error of a difference of R_K from a system that never differed.

    Identical predictions show no variation, so two sentences are added: one that only the first
    system classifies correctly, and one that only the second does (Bonett and Price 2012), each
    spread evenly over all pairs of a label and a wrong class. Such a sentence changes the
    difference by the influence of the right outcome minus that of the wrong one. Each system alone
    is then padded as a run without variation is.

    Args:
        labels: (sentences,).
        predictions: (seeds, sentences), of both systems.
        classes: 2 or more.
        units: number of independently drawn sentences, or sources.
    """
    sentences = labels.size
    labels, predictions = labels.astype(np.intp), predictions.astype(np.intp)
    padded = sentences + PSEUDO_RIGHT + PSEUDO_WRONG
    more = (PSEUDO_RIGHT + PSEUDO_WRONG) / classes
    terms = _terms(
        ((predictions == labels).sum(axis=1) + PSEUDO_RIGHT) / padded,
        (class_counts(predictions, classes) + more) / padded,
        (class_counts(labels, classes) + more) / padded,
    )
    # The sum over all pairs of (right + b_y - b_p)², without a table of pairs.
    pairs, changes = classes * (classes - 1), terms.by_prediction
    squares = pairs * terms.right**2
    squares += 2 * (classes * (changes**2).sum(axis=1) - changes.sum(axis=1) ** 2)
    added = PSEUDO_RIGHT + PSEUDO_WRONG
    error: np.ndarray = np.sqrt(added * squares / pairs / (units + added) / units)
    return error


def _terms(hits: np.ndarray, predicted: np.ndarray, labelled: np.ndarray) -> _Terms:
    """Return the influence function of R_K, the derivative of C / sqrt(A B) in one outcome's share.

    Args:
        hits: (runs,), shares of sentences classified correctly.
        predicted: (runs, classes), shares p of the predicted classes.
        labelled: (classes,), shares t of the labels.
    """
    expected = matrix_product(predicted, labelled)
    predicted_spread = 1 - (predicted**2).sum(axis=1)
    labelled_spread = 1 - dot(labelled, labelled)
    product = predicted_spread * labelled_spread
    some = product > 0  # otherwise one class only, and the caller replaces the influences
    scale = 1 / np.sqrt(np.where(some, product, 1.0))
    value = (hits - expected) * scale
    of_predictions = value / np.where(some, predicted_spread, 1.0)
    of_labels = value / np.where(some, labelled_spread, 1.0)
    constant = (2 * expected - hits) * scale
    constant -= of_predictions * (1 - predicted_spread) + of_labels * (1 - labelled_spread)
    return _Terms(
        by_label=constant[:, None] - predicted * scale[:, None] + np.outer(of_labels, labelled),
        by_prediction=of_predictions[:, None] * predicted - np.outer(scale, labelled),
        right=scale,
    )


def _of_sentences(
    terms: _Terms, labels: np.ndarray, predictions: np.ndarray, right: np.ndarray
) -> np.ndarray:
    """Return (runs, sentences): the influence of each sentence."""
    influence: np.ndarray = terms.by_label[:, labels]
    influence += np.take_along_axis(terms.by_prediction, predictions, axis=1)
    influence += terms.right[:, None] * right
    return influence


def _pseudo_squares(terms: _Terms) -> np.ndarray:
    """Return (runs,): the sum of the squared influences of the added sentences.

    The sum over all pairs of classes follows from sums over classes, without a table of pairs.
    """
    classes = terms.by_label.shape[1]
    right, wrong = PSEUDO_RIGHT / classes, PSEUDO_WRONG / (classes * (classes - 1))
    label_sum, prediction_sum = terms.by_label.sum(axis=1), terms.by_prediction.sum(axis=1)
    pairs = classes * (terms.by_label**2 + terms.by_prediction**2).sum(axis=1)
    pairs += 2 * label_sum * prediction_sum
    without_hit = terms.by_label + terms.by_prediction
    with_hit = without_hit + terms.right[:, None]
    squares: np.ndarray = wrong * (pairs - (without_hit**2).sum(axis=1))
    squares += right * (with_hit**2).sum(axis=1)
    return squares
