"""The verdict of a gate on a mean over seeds, look by look."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Literal

import numpy as np

from harness.errors import BadInput
from harness.stats.checks import check
from harness.stats.scores import Statistic, linearise
from harness.stats.sequential.levels import Form, nominal_levels, problems_of_looks
from harness.stats.sources import Sources
from harness.stats.variance import (
    LEVEL,
    LinearisedRuns,
    Variance,
    bounds_of_mean,
    distance_of_mean,
    p_value,
    uses_fishers_scale,
    variance_of_mean,
)

Outcome = Literal["pass", "fail", "not-enough-evidence", "undecided"]


@dataclass(frozen=True, kw_only=True)
class SequentialVerdict:
    """The verdict of a gate by looks, at the look that decided or the last one possible so far.

    Attributes:
        outcome: "pass" or "fail" if the interval of a look excludes the threshold;
            "not-enough-evidence" if no interval does, the last look's included; "undecided" if
            later looks need more seeds than there are.
        look: number of the look, from 1; 0 if none is possible with these seeds.
        seeds: number of seeds of this look.
        mean: of the statistic over these seeds; None without a look.
        low: lower end of this look's interval, of confidence 1 - `level`.
        high: its upper end.
        p_value: two-sided, for a true mean that equals the threshold: below `level` if the
            interval excludes the threshold.
        level: nominal level of this look.
        share: estimated share of one seed's variance that all looks have in common.
    """

    outcome: Outcome
    look: int
    seeds: int
    mean: float | None
    low: float | None
    high: float | None
    p_value: float | None
    level: float | None
    share: float | None


def gate_verdict(
    labels: np.ndarray,
    predictions: np.ndarray,
    threshold: float,
    looks: Sequence[int],
    form: Form,
    classes: int = 2,
    statistic: Statistic = "mcc",
    sources: Sources | None = None,
) -> SequentialVerdict:
    """Return whether the mean over seeds is above or below a threshold, by looks at the seeds.

    At each look, the interval of the first seeds has confidence 1 - the look's nominal level; it is
    otherwise that of `mean_interval`. The first interval that excludes the threshold decides. If
    the true mean is below the threshold, a "pass" has a probability of at most 0.025; if above, so
    has a "fail".

    With sources, a look does not count if none of its runs shows any variation, because nothing is
    then known of the difference between sources.

    Args:
        labels: (sentences,), each from 0 to `classes` - 1.
        predictions: (seeds, sentences), likewise, in the order of seeds; those beyond the last
            look do not count.
        threshold: of the statistic.
        looks: numbers of seeds, ascending, each at least 2: one seed does not show the spread.
        form: of the spending function.
        sources: of the sentences, for a verdict about other sources.

    Raises:
        BadInput: other shapes, values or looks.
    """
    if problems := problems_of_looks(looks, least=2):
        raise BadInput(problems)
    check(labels, {"predictions": predictions}, classes)
    runs = linearise(labels, predictions[: looks[-1]], statistic, classes)
    varied = [sources is None or bool((runs.unseen[:seeds] == 0).any()) for seeds in looks]
    possible = [
        number for number, seeds in enumerate(looks) if seeds <= len(predictions) and varied[number]
    ]
    undecided: Outcome = "undecided" if len(predictions) < looks[-1] else "not-enough-evidence"
    if not possible:
        return SequentialVerdict(
            outcome=undecided,
            look=0,
            seeds=0,
            mean=None,
            low=None,
            high=None,
            p_value=None,
            level=None,
            share=None,
        )
    fishers_scale = uses_fishers_scale(statistic, sources)
    outcome: Outcome = undecided
    for number in possible:
        seeds = looks[number]
        first = LinearisedRuns(
            runs.values[:seeds], runs.influence[:seeds], float(runs.unseen[:seeds].mean())
        )
        variance = variance_of_mean(first, sources=sources)
        mean, share = float(first.values.mean()), _share(variance)
        level = nominal_levels(looks, share, form, 1 - LEVEL)[number]
        error, freedom = sqrt(variance.total), variance.degrees_of_freedom
        low, high = bounds_of_mean(
            mean, error, freedom, statistic, 1 - level, fishers_scale=fishers_scale
        )
        if low >= threshold or high < threshold:
            outcome = "pass" if low >= threshold else "fail"
            break
    distance = distance_of_mean(mean, threshold, fishers_scale=fishers_scale)
    return SequentialVerdict(
        outcome=outcome,
        look=number + 1,
        seeds=seeds,
        mean=mean,
        low=low,
        high=high,
        p_value=p_value(distance, error, freedom),
        level=level,
        share=share,
    )


def _share(variance: Variance) -> float:
    """Return the share of one seed's variance that every number of seeds has in common."""
    lasting, one_seed = variance.lasting or 0.0, variance.one_seed or 0.0
    return lasting / (lasting + one_seed) if lasting + one_seed > 0 else 0.0
