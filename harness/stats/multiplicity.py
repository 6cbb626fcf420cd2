"""Correction of p-values for multiple comparisons."""

from collections.abc import Sequence

import numpy as np

from harness.errors import BadInput

ALPHA = 0.05
"""The probability that corrected comparisons report at least one difference that does not exist is
at most this."""


def holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """Return each p-value adjusted for multiple comparisons (Holm 1979), in the given order.

    If every adjusted value below ALPHA is reported as a difference, the probability that at least
    one of these reports is wrong stays below ALPHA, however the comparisons depend on each other.

    Raises:
        BadInput: a value that is not between 0 and 1.
    """
    invalid = [value for value in p_values if not 0 <= value <= 1]
    if invalid:
        raise BadInput([f"p-value {value}: expected between 0 and 1" for value in invalid])
    values = np.asarray(p_values, dtype=float)
    order = np.argsort(values, kind="stable")
    stepped = values[order] * np.arange(len(values), 0, -1)
    adjusted = np.empty_like(values)
    adjusted[order] = np.minimum(np.maximum.accumulate(stepped), 1.0)
    return tuple(adjusted.tolist())
