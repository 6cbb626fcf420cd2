"""Groups of sentences: each sentence's domain and source, and a group's scores and counts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from harness.store.class_counts import count
from harness.store.grouping import groupings
from harness.store.predictions import logits_of
from harness.store.records import Confusion, GroupCounts, Record, Scores

COLA_DOMAINS = ("in", "out")
"""Domains whose scores have fields of their own in a record."""


@dataclass(frozen=True)
class Groups:
    """The domain and source of each sentence of a split; "" where unknown.

    A domain is CoLA's "in" or "out", or a suite's own name for a validation file.
    """

    domains: Sequence[str]
    sources: Sequence[str]


def confusion_by(
    groups: Sequence[str], labels: np.ndarray, predicted: np.ndarray
) -> dict[str, Confusion]:
    """Count labels and predicted classes in each group of sentences; "" means no group."""
    of_sentences = np.asarray(groups, dtype=object)
    found = {}
    for group in sorted(set(groups) - {""}):
        chosen = of_sentences == group
        found[group] = _confusion(labels[chosen], predicted[chosen])
    return found


def counts_by(
    groups: Sequence[str], labels: np.ndarray, predicted: np.ndarray, number: int
) -> dict[str, GroupCounts]:
    """Count labels and predictions of each of `number` classes in each group of sentences."""
    of_sentences = np.asarray(groups, dtype=object)
    found = {}
    for group in sorted(set(groups)):
        chosen = of_sentences == group
        counts = count(labels[chosen], predicted[chosen], number)
        found[group] = GroupCounts(
            hits=tuple(counts.hits.tolist()),
            predicted=tuple(counts.predicted.tolist()),
            labelled=tuple(counts.labelled.tolist()),
        )
    return found


def _confusion(labels: np.ndarray, predicted: np.ndarray) -> Confusion:
    label, given = labels == 1, predicted == 1
    return Confusion(
        true_positive=int((label & given).sum()),
        false_positive=int((~label & given).sum()),
        false_negative=int((label & ~given).sum()),
        true_negative=int((~label & ~given).sum()),
    )


def scores_of(
    chosen: np.ndarray, labels: np.ndarray, predicted: np.ndarray, number: int = 2
) -> Scores | None:
    """Return the scores on the chosen sentences; None if none is chosen.

    Args:
        chosen: (sentences,) of booleans.
        labels: (sentences,), each from 0 to `number` - 1.
        predicted: likewise.
        number: of classes.
    """
    if not chosen.any():
        return None
    labels, predicted = labels[chosen], predicted[chosen]
    if number > 2:
        return Scores.of(count(labels, predicted, number))
    return Scores.of(_confusion(labels, predicted).counts)


def scores_by_domain(
    domains: np.ndarray, labels: np.ndarray, predicted: np.ndarray, number: int = 2
) -> dict[str, Scores] | None:
    """Return the scores on each domain that a suite names; None if there is none.

    A domain whose sentences are all of one class has no scores: their MCC is undefined.
    """
    found = {}
    for domain in dict.fromkeys(domains.tolist()):
        chosen = domains == domain
        if domain in ("", *COLA_DOMAINS) or len(set(labels[chosen].tolist())) < 2:
            continue
        if (scores := scores_of(chosen, labels, predicted, number)) is not None:
            found[domain] = scores
    return found or None


def regrouped(
    record: Record, predictions: pa.Table, groups: Mapping[str, Groups]
) -> tuple[Record, pa.Table] | None:
    """Return a run's record and predictions with the current domains and sources of its data.

    A domain or source that the current data lack keeps its stored value: the sentences are the
    same.

    Args:
        record: of a run on these sentences; their groups may have been different.
        groups: by split, in the order of the predictions.

    Returns None if nothing changes.
    """
    split = np.asarray(predictions["split"])
    columns = {
        name: np.asarray(predictions[name].to_pylist(), dtype=object)
        for name in ("domain", "source")
    }
    for name, of_split in groups.items():
        rows = split == name
        for column, today in (("domain", of_split.domains), ("source", of_split.sources)):
            if rows.sum() == len(today) and any(today):
                columns[column][rows] = today
    same = all(values.tolist() == predictions[name].to_pylist() for name, values in columns.items())
    # Records of earlier versions have no groupings, though their predictions have the groups.
    if same and with_groups(record, predictions).groupings == record.groupings:
        return None
    for column, values in columns.items():
        place = predictions.schema.get_field_index(column)
        predictions = predictions.set_column(place, column, pa.array(values, pa.string()))
    return with_groups(record, predictions), predictions


def with_groups(record: Record, predictions: pa.Table) -> Record:
    """Return a record with scores and counts by domain and source computed from predictions."""
    table = predictions.filter(pc.equal(predictions["split"], "validation"))
    labels = np.asarray(table["label"])
    logits = logits_of(table)
    predicted, number = logits.argmax(axis=1), logits.shape[1]
    domains = np.asarray(table["domain"].to_pylist(), dtype=object)
    sources = table["source"].to_pylist()
    by_source = confusion_by(sources, labels, predicted) if number == 2 else {}
    by = {"source": by_source, **{k: v for k, v in record.confusion_by.items() if k != "source"}}
    return record.model_copy(
        update={
            "scores_in_domain": scores_of(domains == "in", labels, predicted, number),
            "scores_out_of_domain": scores_of(domains == "out", labels, predicted, number),
            "scores_by_domain": scores_by_domain(domains, labels, predicted, number),
            "confusion_by": {name: counts for name, counts in by.items() if counts},
            "groupings": groupings(
                None if record.dataset is None else record.dataset.name, sources, domains.tolist()
            ),
        }
    )
