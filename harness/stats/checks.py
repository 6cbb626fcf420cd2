"""Input checks shared by the functions of this package."""

from collections.abc import Mapping

import numpy as np

from harness.errors import BadInput


def check(labels: np.ndarray, predictions: Mapping[str, np.ndarray]) -> None:
    """Reject invalid arrays.

    Args:
        labels: (sentences,), each 0 or 1.
        predictions: (..., sentences), each 0 or 1, by the name used in messages.

    Raises:
        BadInput: with all problems.
    """
    problems = []
    if labels.ndim != 1 or labels.size == 0:
        problems.append(f"labels have shape {labels.shape}: expected (sentences,), at least one")
    problems += _problems_of_values("labels", labels)
    for name, rows in predictions.items():
        if rows.ndim < 2 or rows.shape[-1:] != labels.shape or rows.size == 0:
            problems.append(
                f"{name} have shape {rows.shape}: expected one row per seed over the "
                f"{labels.size} sentences of the labels, in the same order"
            )
        problems += _problems_of_values(name, rows)
    if problems:
        raise BadInput(problems)


def _problems_of_values(name: str, values: np.ndarray) -> list[str]:
    invalid = values[(values != 0) & (values != 1)]
    if invalid.size == 0:
        return []
    seen = ", ".join(str(value) for value in np.unique(invalid)[:5])
    return [f"{name} contain {seen}: expected 0 (unacceptable) or 1 (acceptable) only"]
