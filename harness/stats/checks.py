"""Input checks shared by the functions of this package."""

from collections.abc import Mapping

import numpy as np

from harness.errors import BadInput


def check(labels: np.ndarray, predictions: Mapping[str, np.ndarray], classes: int = 2) -> None:
    """Reject invalid arrays and numbers of classes.

    Args:
        labels: (sentences,), each a class from 0 to `classes` - 1.
        predictions: (..., sentences), each a class, by the name used in messages.
        classes: number of classes.

    Raises:
        BadInput: with all problems.
    """
    if classes < 2:
        raise BadInput([f"classes is {classes}: expected 2 or more"])
    problems = []
    if labels.ndim != 1 or labels.size == 0:
        problems.append(f"labels have shape {labels.shape}: expected (sentences,), at least one")
    problems += _problems_of_values("labels", labels, classes)
    for name, rows in predictions.items():
        if rows.ndim < 2 or rows.shape[-1:] != labels.shape or rows.size == 0:
            problems.append(
                f"{name} have shape {rows.shape}: expected one row per seed over the "
                f"{labels.size} sentences of the labels, in the same order"
            )
        problems += _problems_of_values(name, rows, classes)
    if problems:
        raise BadInput(problems)


def _problems_of_values(name: str, values: np.ndarray, classes: int) -> list[str]:
    if classes == 2:
        wrong = (values != 0) & (values != 1)
        allowed = "0 (unacceptable) or 1 (acceptable) only"
    else:
        wrong = (values < 0) | (values >= classes) | (values != np.floor(values))
        allowed = f"whole numbers from 0 to {classes - 1}, one for each of {classes} classes"
    invalid = values[wrong]
    if invalid.size == 0:
        return []
    seen = ", ".join(str(value) for value in np.unique(invalid)[:5])
    return [f"{name} contain {seen}: expected {allowed}"]
