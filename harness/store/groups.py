"""Groups of sentences: each sentence's domain and source, and a group's scores and counts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa

from harness.store.class_counts import count
from harness.store.classes import Counts, pack
from harness.store.grouping import Grouping, groupings
from harness.store.predictions import CHECKED_COLUMNS, logits_of
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


class Sentences:
    """What runs on the same data share of their predictions: everything besides the logits.

    `split`, `domain` and `source` are (rows,) of text, `label` (rows,) of numbers, -1 where hidden.
    """

    def __init__(self, rows: pa.Table) -> None:
        self.split, self.domain, self.source = (
            np.asarray(rows[name].to_pylist(), dtype=object)
            for name in ("split", "domain", "source")
        )
        self.label = np.asarray(rows["label"].fill_null(-1))
        self._rows: dict[str, np.ndarray] = {}
        self._packed: dict[int, str | None] = {}
        self._groupings: dict[str | None, dict[str, Grouping] | None] = {}

    def rows_of(self, split: str) -> np.ndarray:
        """Return (rows,) of booleans: the rows of a split."""
        if split not in self._rows:
            self._rows[split] = np.asarray(self.split == split)
        return self._rows[split]

    @property
    def validation(self) -> np.ndarray:
        """(rows,) of booleans: the rows of the validation split."""
        return self.rows_of("validation")

    @cached_property
    def sources(self) -> "GroupNumbers":
        """The source of each validation sentence."""
        return GroupNumbers(self.source[self.validation].tolist())

    def packed_labels(self, number: int) -> str | None:
        """Return the validation labels, packed; None if some are not one of `number` classes."""
        if number not in self._packed:
            labels = self.label[self.validation]
            known = np.isin(labels, range(number)).all()
            self._packed[number] = pack(labels, number) if known else None
        return self._packed[number]

    def groupings(self, data: str | None) -> dict[str, Grouping] | None:
        """Return the groupings of the validation sentences; see harness.store.grouping."""
        if data not in self._groupings:
            sources, domains = (each[self.validation] for each in (self.source, self.domain))
            self._groupings[data] = groupings(data, sources.tolist(), domains.tolist())
        return self._groupings[data]


MOST_KNOWN = 8
"""Data sets whose sentences are known at a time; the runs of several are mixed in a store."""

_known: tuple[tuple[pa.Table, Sentences], ...] = ()


def sentences_of(rows: pa.Table) -> Sentences:
    """Return the sentences of predictions; the same object as for the predictions before, if equal.

    Most runs in a store are of the same sentences, so what follows from them is computed once, and
    is in memory once, however many runs there are.

    Args:
        rows: with at least the columns of CHECKED_COLUMNS.
    """
    global _known
    shared, known = rows.select(CHECKED_COLUMNS), _known
    found = next((each for each in known if each[0].equals(shared)), None)
    if found is None:
        found = shared, Sentences(shared)
    _known = (found, *(each for each in known if each is not found))[:MOST_KNOWN]
    return found[1]


class GroupNumbers:
    """The group of each sentence as a number; `names` are sorted, and "" is no group."""

    def __init__(self, groups: Sequence[str]) -> None:
        self.names = sorted(set(groups) - {""})
        numbers = {name: number for number, name in enumerate(self.names)}
        self.numbers = np.array([numbers.get(group, len(numbers)) for group in groups], np.int64)

    def confusions(self, labels: np.ndarray, predicted: np.ndarray) -> dict[str, Confusion]:
        """Count labels and predicted classes of two in each group of sentences."""
        places = 4 * self.numbers + 2 * (labels == 1) + (predicted == 1)
        counts = np.bincount(places, minlength=4 * len(self.names))[: 4 * len(self.names)]
        return {
            name: Confusion(
                true_positive=hits, false_positive=false, false_negative=missed, true_negative=rest
            )
            for name, (rest, false, missed, hits) in zip(
                self.names, counts.reshape(-1, 4).tolist(), strict=True
            )
        }


def confusion_by(
    groups: Sequence[str], labels: np.ndarray, predicted: np.ndarray
) -> dict[str, Confusion]:
    """Count labels and predicted classes in each group of sentences; "" means no group."""
    return GroupNumbers(groups).confusions(labels, predicted)


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


def _confusion(labels: np.ndarray, predicted: np.ndarray) -> Counts:
    label, given = labels == 1, predicted == 1
    hits, positives, labelled = (
        int(np.count_nonzero(each)) for each in (label & given, given, label)
    )
    rest = len(labels) - positives - labelled + hits
    return Counts(hits, positives - hits, labelled - hits, rest)


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
    return Scores.of(_confusion(labels, predicted))


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


def is_grouped(record: Record, sentences: Sentences, groups: Mapping[str, Groups]) -> bool:
    """Return whether a run's record and predictions have the current domains and sources.

    Args:
        record: of a run on these sentences; their groups may have been different.
        groups: by split, in the order of the predictions.
    """
    for name, of_split in groups.items():
        rows = sentences.rows_of(name)
        for known, today in (
            (sentences.domain, of_split.domains),
            (sentences.source, of_split.sources),
        ):
            if rows.sum() == len(today) and any(today) and known[rows].tolist() != [*today]:
                return False
    # Records of earlier versions have no groupings, though their predictions have the groups.
    data = None if record.dataset is None else record.dataset.name
    return sentences.groupings(data) == record.groupings


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
    sentences = sentences_of(predictions)
    if is_grouped(record, sentences, groups):
        return None
    columns = {"domain": sentences.domain.copy(), "source": sentences.source.copy()}
    for name, of_split in groups.items():
        rows = sentences.rows_of(name)
        for column, today in (("domain", of_split.domains), ("source", of_split.sources)):
            if rows.sum() == len(today) and any(today):
                columns[column][rows] = today
    for column, values in columns.items():
        place = predictions.schema.get_field_index(column)
        predictions = predictions.set_column(place, column, pa.array(values, pa.string()))
    return with_groups(record, predictions), predictions


def with_groups(record: Record, predictions: pa.Table) -> Record:
    """Return a record with scores and counts by domain and source computed from predictions."""
    sentences, logits = sentences_of(predictions), logits_of(predictions)
    chosen, number = sentences.validation, logits.shape[1]
    labels, predicted = sentences.label[chosen], logits.argmax(axis=1)[chosen]
    domains = sentences.domain[chosen]
    by_source = sentences.sources.confusions(labels, predicted) if number == 2 else {}
    by = {"source": by_source, **{k: v for k, v in record.confusion_by.items() if k != "source"}}
    return record.model_copy(
        update={
            "scores_in_domain": scores_of(domains == "in", labels, predicted, number),
            "scores_out_of_domain": scores_of(domains == "out", labels, predicted, number),
            "scores_by_domain": scores_by_domain(domains, labels, predicted, number),
            "confusion_by": {name: counts for name, counts in by.items() if counts},
            "groupings": sentences.groupings(
                None if record.dataset is None else record.dataset.name
            ),
        }
    )
