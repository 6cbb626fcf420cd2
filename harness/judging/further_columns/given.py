"""The rows of given predictions in a leaderboard, and the column that marks them."""

from collections.abc import Collection, Sequence
from statistics import mean

from harness import stats
from harness.judging import costs
from harness.judging.column import Column, Row, with_after
from harness.judging.evidence import Evidence
from harness.judging.populations import source_interval
from harness.stats import Interval, Refusal
from harness.store.given import NOT_TRAINED, Given

GIVEN = Column(
    "given",
    "string",
    lambda facts: None,  # rows of given predictions are made by `row_of_given`
    "given",
    "given",
    "marks a row of predictions that another program made and that were only scored here; its "
    "settings and costs are not known, and its files are its seeds",
    first=True,
)


def with_given(columns: Sequence[Column]) -> list[Column]:
    """Return the columns with the mark of given predictions after the checkpoint."""
    return with_after("checkpoint", (GIVEN,), columns)


def row_of_given(given: Given, found: Evidence, names: Collection[str]) -> Row:
    """Return a row with scores and intervals as those of a trained cell; the rest is null.

    Args:
        found: the predictions, from `evidence_of_given`.
        names: of the leaderboard's columns.
    """
    scores = [seed.scores for seed in given.seeds]
    mccs = [each.mcc for each in scores]
    accuracies = [each.accuracy for each in scores]
    mcc, accuracy = (
        stats.mean_interval(found.labels, found.selected, statistic, found.classes)
        for statistic in ("mcc", "accuracy")
    )
    sources = found.groups.get("source")
    on_sources = source_interval(found)
    known: Row = {
        "checkpoint": given.name,
        GIVEN.name: NOT_TRAINED,
        "seeds": len(scores),
        "status": "ok",
        "mcc": mean(mccs),
        "mcc_sd": costs.deviation(mccs),
        "mcc_low": mcc.low,
        "mcc_high": mcc.high,
        "accuracy": costs.mean(accuracies),
        "accuracy_sd": costs.deviation(accuracies),
        "accuracy_low": accuracy.low,
        "accuracy_high": accuracy.high,
        "f1": costs.mean(each.f1 for each in scores),
        "classes": given.class_count,
        "sources": None if sources is None else len(sources[0]),
        "sources_reason": on_sources.reason if isinstance(on_sources, Refusal) else None,
    }
    if isinstance(on_sources, Interval):
        known |= {"mcc_low_sources": on_sources.low, "mcc_high_sources": on_sources.high}
    return {name: known.get(name) for name in names}
