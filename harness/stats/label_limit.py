"""The highest MCC of any classifier on sentences of which equal texts have different labels."""

import numpy as np


def highest_mcc(labels: np.ndarray, texts: np.ndarray) -> float:
    """Return the highest MCC of all classifiers that give equal texts the same class.

    For a fixed number q of sentences predicted as class 1, MCC grows with the true positives, so
    the best classifier predicts class 1 for the texts with the largest shares of label 1 (Koyejo
    et al. 2014, "Consistent binary classification with generalized performance metrics"). Between
    two texts in this order, MCC is the ratio of a linear function of q and a concave one, and so
    highest at one of the two ends: it suffices to test each text as the last one of class 1.

    Args:
        labels: 0 or 1, one for each sentence; both occur.
        texts: equal numbers for equal texts, one for each sentence.

    Returns:
        1.0 if no text has two labels.
    """
    _, text = np.unique(texts, return_inverse=True)
    sizes = np.bincount(text)
    ones = np.bincount(text, weights=labels)
    order = np.argsort(-ones / sizes, kind="stable")
    predicted, hits = np.cumsum(sizes[order])[:-1], np.cumsum(ones[order])[:-1]
    n, positive = len(labels), ones.sum()
    above = hits * n - predicted * positive
    below = np.sqrt(predicted * (n - predicted) * positive * (n - positive))
    return float(min(1.0, (above / below).max(initial=0.0)))
