"""Judges predictions of another program by the gates on scores, as those of a trained cell."""

from collections.abc import Iterator
from statistics import mean

import numpy as np

from harness import stats
from harness.judging.baseline import DEFAULT_MAX_DROP
from harness.judging.evidence import Evidence
from harness.judging.gates.cell import COST_GATES, score_check
from harness.judging.gates.check import Check
from harness.judging.gates.cost_ratio import COLUMNS
from harness.judging.gates.drop import drop_check
from harness.judging.populations import difference
from harness.suite.gates import GatesSpec, Thresholds

JUDGED = ("min_mcc", "min_accuracy")

COSTS = frozenset({*COST_GATES, *COLUMNS})
"""Gates on costs, which predictions do not tell."""


def cannot_judge(gates: GatesSpec, with_baseline: bool = False) -> Iterator[str]:
    """Yield each gate of a suite that labels and predictions alone cannot answer.

    Args:
        with_baseline: whether there are predictions of a baseline, for `max_drop`.
    """
    judged = (*JUDGED, "max_drop") if with_baseline else JUDGED
    yield from (
        name
        for name in gates.model_dump(include=set(Thresholds.model_fields), exclude_none=True)
        if name not in (*judged, "statistic", "on_doubt", "population", "slice")
    )
    if gates.population == "sources":
        yield "population"
    yield from (f"slice.{name!r}" for name in gates.slice)
    yield from (f"checkpoint.{name!r}" for name in gates.checkpoint)
    yield from (f"cell.{name!r}" for name in gates.cell)
    yield from (f"suite.{name}" for name, value in gates.suite if value not in (None, ()))


def given_intervals(
    labels: np.ndarray, predictions: np.ndarray, classes: int
) -> dict[stats.Statistic, stats.Interval]:
    """Return MCC and accuracy, means over seeds, with their intervals for other sentences.

    Args:
        labels: (sentences,), each from 0 to `classes` - 1.
        predictions: (seeds, sentences), likewise.
    """
    return {
        "mcc": stats.mean_interval(labels, predictions, "mcc", classes),
        "accuracy": stats.mean_interval(labels, predictions, "accuracy", classes),
    }


def given_checks(
    labels: np.ndarray, predictions: np.ndarray, classes: int, gates: Thresholds
) -> list[Check]:
    """Judge the thresholds on MCC and accuracy; arguments as those of `given_intervals`."""
    intervals = given_intervals(labels, predictions, classes)
    by_bound = gates.statistic == "lower-bound"
    mccs = stats.mcc(labels, predictions, classes).tolist()
    accuracies = stats.accuracy(labels, predictions, classes).tolist()
    scores: tuple[tuple[str, stats.Statistic, float | None, list[float]], ...] = (
        ("MCC", "mcc", gates.min_mcc, mccs),
        ("accuracy", "accuracy", gates.min_accuracy, accuracies),
    )
    return [
        score_check(name, statistic, threshold, values, intervals[statistic], by_bound, None)
        for name, statistic, threshold, values in scores
        if threshold is not None
    ]


def given_difference(
    labels: np.ndarray,
    predictions: np.ndarray,
    baseline: np.ndarray,
    classes: int,
    paired_seeds: bool,
) -> stats.Difference:
    """Return the MCC of predictions minus that of a baseline's, as `harness compare` does.

    Args:
        baseline: (seeds, sentences), on the same sentences.
        paired_seeds: both have the same seeds, in the same order.
    """
    ours, theirs = (_evidence(labels, each, classes) for each in (predictions, baseline))
    found = difference(ours, theirs, paired_seeds=paired_seeds, population="sentences")
    assert isinstance(found, stats.Difference)  # only sources are refused
    return found


def given_drop_check(
    labels: np.ndarray,
    predictions: np.ndarray,
    baseline: np.ndarray,
    classes: int,
    gates: Thresholds,
    source: str,
    paired_seeds: bool,
) -> Check:
    """Judge the drop from a baseline as that of a trained cell; see `given_difference`.

    Args:
        source: names the baseline, for the message.
    """
    means = [mean(stats.mcc(labels, each, classes).tolist()) for each in (baseline, predictions)]
    return drop_check(
        DEFAULT_MAX_DROP if gates.max_drop is None else gates.max_drop,
        source,
        _evidence(labels, baseline, classes),
        _evidence(labels, predictions, classes),
        (means[0], means[1]),
        gates,
        paired_seeds=paired_seeds,
    )


def _evidence(labels: np.ndarray, predictions: np.ndarray, classes: int) -> Evidence:
    """Return predictions as evidence: their seeds and data have no names, only an order."""
    seeds = tuple(range(len(predictions)))
    return Evidence(seeds, "", labels, predictions, predictions[:, None], classes)
