"""The difference of one system on two parts of the sentences, such as two domains."""

import numpy as np

from harness.errors import BadInput
from harness.stats.checks import check
from harness.stats.differences import Difference, difference_with
from harness.stats.scores import Statistic, linearise
from harness.stats.sources import Sources
from harness.stats.variance import combined, runs_of, variance_of_mean


def difference_of_parts(
    labels: np.ndarray,
    predictions: np.ndarray,
    first: np.ndarray,
    second: np.ndarray,
    *,
    statistic: Statistic = "mcc",
    classes: int = 2,
    sources: tuple[Sources, Sources] | None = None,
) -> Difference:
    """Return the mean over seeds on a first part of the sentences minus that on a second part.

    The parts are independent samples of sentences, scored by the same seeds: the effect of a seed
    on both parts cancels.

    Args:
        labels: (sentences,), each from 0 to `classes` - 1.
        predictions: (seeds, sentences), likewise.
        first: (sentences,) of booleans.
        second: likewise; no sentence is in both.
        sources: of the sentences of each part, no source in both, for the difference on sentences
            of other sources; None for other sentences of the same sources.

    Raises:
        BadInput: other shapes or values, an empty part, or a sentence in both parts.
    """
    check(labels, {"predictions": predictions}, classes)
    if not first.any() or not second.any() or (first & second).any():
        sizes = f"{int(first.sum())} and {int(second.sum())} sentences"
        both = int((first & second).sum())
        raise BadInput([f"parts of {sizes}, {both} in both: expected one or more, none in both"])
    parts = [
        linearise(labels[chosen], predictions[:, chosen], statistic, classes)
        for chosen in (first, second)
    ]
    of_parts = [
        variance_of_mean(runs_of(part), sources=None if sources is None else sources[number])
        for number, part in enumerate(parts)
    ]
    values = parts[0].values - parts[1].values
    variance = combined(of_parts, values)
    return difference_with(variance, float(values.mean()), statistic, (parts[0], parts[1]))
