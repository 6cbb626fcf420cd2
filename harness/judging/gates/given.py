"""Judges predictions of another program by the gates on scores, as those of a trained cell."""

from collections.abc import Iterator

import numpy as np

from harness import stats
from harness.judging.gates.cell import score_check
from harness.judging.gates.check import Check
from harness.suite.gates import GatesSpec, Thresholds

JUDGED = ("min_mcc", "min_accuracy")


def cannot_judge(gates: GatesSpec) -> Iterator[str]:
    """Yield each gate of a suite that labels and predictions alone cannot answer."""
    yield from (
        name
        for name in gates.model_dump(include=set(Thresholds.model_fields), exclude_none=True)
        if name not in (*JUDGED, "statistic", "on_doubt", "population", "slice")
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
