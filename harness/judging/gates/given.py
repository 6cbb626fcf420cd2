"""Judges predictions of another program by the gates on scores, as those of a trained cell."""

from collections.abc import Iterator
from dataclasses import dataclass
from statistics import mean
from typing import Any

import numpy as np

from harness import stats
from harness.judging.baseline import DEFAULT_MAX_DROP
from harness.judging.evidence import Evidence
from harness.judging.gates.cell import COST_GATES, score_check
from harness.judging.gates.check import Check
from harness.judging.gates.cost_ratio import COLUMNS
from harness.judging.gates.drop import drop_check
from harness.judging.populations import difference
from harness.suite import ids
from harness.suite.gates import HOW_JUDGED, GatesSpec, Thresholds
from harness.validation import place

COSTS = frozenset({*COST_GATES, *COLUMNS})
"""Gates on costs, which predictions do not tell."""

COSTS_UNKNOWN = "the costs of given predictions are not known"
NO_BASELINE = "there is no baseline; name its predictions with --baseline FILE"
NO_SLICES = "predictions do not tell which sentences are of the slice"
NO_SOURCES = "its population is the sources, and predictions do not tell those of their sentences"
BY_SESSION = (
    "only the predictions of the cell are judged here; `harness run` with its suite judges its {}, "
    "and trains no stored run again (`harness restore` stores those of a published leaderboard)"
)
"""Why a gate on a published cell is not judged that its session judges."""

OF_ALL_CELLS = "about all cells of the suite together, and these are predictions of one"

OPTIONS = {"min_mcc": "--min-mcc", "max_drop": "--max-drop"}
"""The flags of `harness judge` that set a threshold."""


@dataclass(frozen=True)
class NotJudged:
    """A gate that labels and predictions alone cannot answer.

    Attributes:
        gate: its key below `gates`, as in a suite file.
        threshold: the value of that key.
        reason: why it is not judged.
    """

    gate: str
    threshold: Any
    reason: str


def judged(gates: Thresholds, with_baseline: bool) -> tuple[str, ...]:
    """Return the thresholds that labels and predictions answer.

    Args:
        with_baseline: whether there are predictions of a baseline: the drop from it is judged also
            if no threshold is set.
    """
    names = [name for name in ("min_mcc", "min_accuracy") if getattr(gates, name) is not None]
    names += ["max_drop"] if with_baseline else []
    return tuple(name for name in names if name not in about_sources(gates))


def not_judged(gates: Thresholds, with_baseline: bool, of_cell: bool) -> Iterator[NotJudged]:
    """Yield each threshold for predictions that they cannot answer.

    Args:
        with_baseline: whether there are predictions of a baseline, for `max_drop`.
        of_cell: whether they are of a published cell, whose costs and slices its session knows.
    """
    costs, slices, sources = COSTS_UNKNOWN, NO_SLICES, NO_SOURCES
    if of_cell:
        costs, slices = BY_SESSION.format("costs"), BY_SESSION.format("slices")
        sources = f"its population is the sources: {BY_SESSION.format('sources')}"
    of_sources = about_sources(gates)
    for name, value in _keys(gates).items():
        if name in COSTS:
            yield NotJudged(name, value, costs)
        elif name == "slice":
            for each, threshold in gates.slice.items():
                yield NotJudged(place((name, each)), threshold.min_mcc, slices)
        elif name == "max_drop" and not with_baseline:
            yield NotJudged(name, value, NO_BASELINE)
        elif name in of_sources:
            yield NotJudged(name, value, sources)
    if with_baseline and gates.max_drop is None and "max_drop" in of_sources:
        yield NotJudged("max_drop", DEFAULT_MAX_DROP, sources)


def not_judged_of_others(gates: GatesSpec, cell: tuple[str, str] | None) -> Iterator[NotJudged]:
    """Yield each gate of a suite that is not about predictions, but about other cells or all.

    Args:
        cell: its checkpoint's name in the suite and its id; None for files, which tell neither.
    """
    for kind, own, name in (
        ("checkpoint", gates.checkpoint, cell and cell[0]),
        ("cell", gates.cell, cell and ids.find(cell[1], gates.cell)),
    ):
        for each, thresholds in own.items():
            if each == name:
                continue
            of_other = f"of another {kind} than that of {cell[1]}" if cell else None
            for key, value in _keys(thresholds).items():
                reason = of_other or (
                    f"in place of gates.{key} for this {kind}, and files do not tell theirs"
                    f"{_if_it_is(key, value)}"
                )
                yield NotJudged(place((kind, each, key)), value, reason)
    for key, value in gates.suite:
        if value not in (None, ()):
            yield NotJudged(f"suite.{key}", value, OF_ALL_CELLS)


def _keys(thresholds: Thresholds) -> dict[str, Any]:
    """Return the gates of thresholds that are set."""
    gates = set(Thresholds.model_fields) - HOW_JUDGED
    return thresholds.model_dump(include=gates, exclude_none=True)


def about_sources(gates: Thresholds) -> frozenset[str]:
    """Return the gates whose verdict uses an interval for sentences of other sources."""
    if gates.population != "sources":
        return frozenset()
    by_bound = {"min_mcc", "min_accuracy"} if gates.statistic == "lower-bound" else set()
    return frozenset({"max_drop", *by_bound})


def _if_it_is(key: str, value: object) -> str:
    """Return how to judge files of the checkpoint or cell that has its own threshold."""
    flag = OPTIONS.get(key)
    return "" if flag is None else f"; if they are of it, judge them with {flag} {value}"


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
    """Judge the thresholds on MCC and accuracy that are `judged`.

    The other arguments are those of `given_intervals`.
    """
    answered = judged(gates, with_baseline=False)
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
        if threshold is not None and f"min_{statistic}" in answered
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
