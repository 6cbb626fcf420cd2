"""A record checked against its predictions: labels, classes, scores and counts computed again."""

from collections.abc import Iterator, Mapping

import numpy as np
import pyarrow as pa

from harness.store.classes import pack
from harness.store.consistency import listed, shown
from harness.store.groups import scores_of, with_groups
from harness.store.records import TOLERANCE, Confusion, Record, Scores, selected_classes

SPLITS = {"validation": "scores", "test": "scores_test"}
"""The field that holds a split's scores."""


def unlike_predictions(record: Record, rows: pa.Table) -> str | None:
    """Return how a record differs from its predictions, in one line, or None.

    Their labels and classes of the validation split must be the record's, unless it is an older
    record, which does not hold them. Each score and count that differs is named with the value
    stored and the value computed. Counts by length are not checked: predictions contain no words.

    Args:
        record: of a run that was scored.
        rows: its predictions, with at least the columns of CHECKED_COLUMNS.
    """
    labels, split = np.asarray(rows["label"].fill_null(-1)), np.asarray(rows["split"])
    validation, selected = split == "validation", selected_classes(record)
    packed = record.labels is not None and selected is not None
    if packed and _packed(labels[validation]) != record.labels:
        return "its labels are not the record's"
    logits = np.column_stack([rows["logit_0"], rows["logit_1"]])
    if not np.isfinite(logits).all():  # argmax would return the first NaN
        return "its logits are not all finite"
    given = logits.argmax(axis=1)
    if packed and pack(given[validation]) != selected:
        return "its logits do not give the record's classes"
    assert record.dataset is not None  # a record that is ok has one
    problems = []
    for name, field in SPLITS.items():
        chosen = split == name
        count, recorded = int(chosen.sum()), getattr(record.dataset, name)
        if count not in ((recorded,) if name == "validation" else (0, recorded)):
            problems.append(
                f"dataset.{name} is {recorded}, but its predictions contain {count} sentences"
            )
        known = bool((labels[chosen] >= 0).all())  # a test split's labels may be hidden
        computed = scores_of(chosen, labels, given) if known else None
        problems += _unlike_scores(field, getattr(record, field), computed)
    grouped = with_groups(record, rows)
    for field in ("scores_in_domain", "scores_out_of_domain"):
        problems += _unlike_scores(field, getattr(record, field), getattr(grouped, field))
    if record.confusion_by:  # records of the first versions have none
        held, actual = (by.get("source", {}) for by in (record.confusion_by, grouped.confusion_by))
        problems += _unlike_counts("confusion_by.source", held, actual)
    return listed(problems)


def _packed(labels: np.ndarray) -> str | None:
    """Pack labels; None if one is hidden."""
    return pack(labels) if np.isin(labels, (0, 1)).all() else None


def _unlike_scores(field: str, stored: Scores | None, computed: Scores | None) -> Iterator[str]:
    for name in Scores.model_fields:
        held, actual = (
            None if each is None else getattr(each, name) for each in (stored, computed)
        )
        if held is None and actual is None:
            continue
        if held is None or actual is None or abs(held - actual) > TOLERANCE:
            yield f"{field}.{name} is {shown(held)}, but its predictions give {shown(actual)}"


def _unlike_counts(
    field: str, stored: Mapping[str, Confusion], computed: Mapping[str, Confusion]
) -> Iterator[str]:
    for group in sorted({*stored, *computed}):
        held, actual = stored.get(group), computed.get(group)
        if held is None or actual is None:
            sizes = [None if each is None else sum(each.counts) for each in (held, actual)]
            yield (
                f"{field}.{group} has sentences: {shown(sizes[0])}, but its predictions give "
                f"{shown(sizes[1])}"
            )
            continue
        for name in Confusion.model_fields:
            if getattr(held, name) != getattr(actual, name):
                yield (
                    f"{field}.{group}.{name} is {getattr(held, name)}, but its predictions give "
                    f"{getattr(actual, name)}"
                )
