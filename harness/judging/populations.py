"""The two populations of an interval: other sentences of the same sources, and other sources."""

from typing import Literal

from harness import stats
from harness.judging.evidence import Evidence
from harness.stats import Difference, Interval, Refusal, Sources
from harness.stats.variance import LEVEL

Population = Literal["sentences", "sources"]

IN_WORDS: dict[Population, str] = {
    "sentences": "other sentences of these sources",
    "sources": "sentences of other sources",
}
"""What an interval is about."""

UNKNOWN = Refusal("the records do not contain the source of each sentence")


def source_interval(
    found: Evidence, statistic: stats.Statistic = "mcc"
) -> Interval | Refusal | None:
    """Return the interval for sentences of other sources, or why there is none.

    Returns:
        None if the records do not contain the source of each sentence.
    """
    sources = found.sources
    if not isinstance(sources, Sources):
        return sources
    interval = found.interval(statistic, sources)
    if interval.one_class_or_perfect == interval.seeds:
        return Refusal(
            "every run predicts one class only, or is right or wrong on all sentences: no "
            "difference between sources is visible"
        )
    return interval


def difference(
    a: Evidence, b: Evidence, *, paired_seeds: bool, population: Population
) -> Difference | Refusal:
    """Return the difference of two cells' MCC for a population, or why there is none.

    Args:
        a: on the same sentences as `b`.
    """
    sources = a.sources or b.sources if population == "sources" else None
    if population == "sources" and not isinstance(sources, Sources):
        return sources or UNKNOWN
    assert not isinstance(sources, Refusal)
    return stats.paired_difference(
        a.labels,
        a.selected,
        b.selected,
        paired_seeds=paired_seeds,
        classes=a.classes,
        sources=sources,
        same_runs=a.same_runs(b),
    )


def no_source_interval(refusal: Refusal) -> str:
    """Return that a gate has no interval for sentences of other sources, why, and the way out."""
    return (
        f"there is no interval for {IN_WORDS['sources']}: {refusal.reason}; without "
        f"gates.population it is for {IN_WORDS['sentences']}"
    )


def sampled(estimate: Interval | Difference) -> str:
    """Return what more of would make an estimate more precise, beside seeds."""
    return "sources" if "sources" in estimate.covers else "validation sentences"


def way_out(estimate: Interval | Difference, threshold: float, level: float = LEVEL) -> str:
    """Return how many seeds would decide on which side of a threshold it is, to end a sentence.

    Args:
        estimate: of which the interval does not decide it.
        level: confidence level with which the gate decides.
    """
    needed = stats.seeds_needed(estimate, threshold, level)
    if needed is None:
        return (
            f"; no number of seeds would be enough: there are too few {sampled(estimate)} for a "
            "threshold this close"
        )
    return f"; about {needed} seeds in total would be enough"
