"""What the functions of this package accept, checked in one place."""

from collections.abc import Mapping

import numpy as np

from harness.errors import BadInput


def check(
    labels: np.ndarray, predictions: Mapping[str, np.ndarray], level: float | None = None
) -> None:
    """Refuse arrays and a level that no statistic can be made of.

    Args:
        labels: (sentences,), each 0 or 1.
        predictions: under the name that a message calls it by, (..., sentences), each 0 or 1.
        level: between 0 and 1, where there is one.

    Raises:
        BadInput: with every mistake found.
    """
    problems = [] if level is None else _problems_of_level(level)
    if labels.ndim != 1 or labels.size == 0:
        problems.append(f"labels have shape {labels.shape}: expected (sentences,), at least one")
    problems += _problems_of_values("labels", labels)
    for name, rows in predictions.items():
        if rows.ndim < 2 or rows.shape[-1:] != labels.shape or rows.size == 0:
            problems.append(
                f"{name} have shape {rows.shape}: expected a row a seed over the "
                f"{labels.size} sentences of the labels, in their order"
            )
        problems += _problems_of_values(name, rows)
    if problems:
        raise BadInput(problems)


def check_level(level: float) -> None:
    """Refuse a level that is not between 0 and 1.

    Raises:
        BadInput: saying so.
    """
    problems = _problems_of_level(level)
    if problems:
        raise BadInput(problems)


def _problems_of_level(level: float) -> list[str]:
    return [] if 0 < level < 1 else [f"level is {level}: expected between 0 and 1, such as 0.95"]


def _problems_of_values(name: str, values: np.ndarray) -> list[str]:
    wrong = values[(values != 0) & (values != 1)]
    if wrong.size == 0:
        return []
    seen = ", ".join(str(value) for value in np.unique(wrong)[:5])
    return [f"{name} hold {seen}: expected 0 (unacceptable) or 1 (acceptable) only"]
