"""What a run's predictions give again of its record, and where the record says otherwise."""

from collections.abc import Iterator, Mapping

import numpy as np
import pyarrow as pa

from harness.consistency import counts_of, listed, shown
from harness.groups import scores_of, with_groups
from harness.records import TOLERANCE, Confusion, Record, Scores

SPLITS = {"validation": "scores", "test": "scores_test"}
"""The field that holds a split's scores."""


def unlike_predictions(record: Record, rows: pa.Table) -> str | None:
    """Return which of a record's scores and counts are not those of its predictions, in one line.

    Each is named with the value stored and the value computed. Counts by length are not looked at:
    predictions hold no words.

    Args:
        record: of a run that was scored.
        rows: its predictions, with at least the columns split, label, domain, source, logit_0 and
            logit_1.

    Returns None where all are, undefined ones as 0.
    """
    logits = np.column_stack([rows["logit_0"], rows["logit_1"]])
    if not np.isfinite(logits).all():  # of which argmax would take the first
        return "its logits are not all numbers"
    labels = np.asarray(rows["label"].fill_null(-1))
    split, given = np.asarray(rows["split"]), logits.argmax(axis=1)
    assert record.dataset is not None  # a record that is ok has one
    problems = []
    for name, field in SPLITS.items():
        chosen = split == name
        count, told = int(chosen.sum()), getattr(record.dataset, name)
        if count not in ((told,) if name == "validation" else (0, told)):
            problems.append(f"dataset.{name} is {told}, its predictions hold {count} sentences")
        known = bool((labels[chosen] >= 0).all())  # a test split's labels may be hidden
        computed = scores_of(chosen, labels, given) if known else None
        problems += _unlike_scores(field, getattr(record, field), computed)
    grouped = with_groups(record, rows)
    for field in ("scores_in_domain", "scores_out_of_domain"):
        problems += _unlike_scores(field, getattr(record, field), getattr(grouped, field))
    if record.confusion_by:  # records of the first versions have none
        held, right = (by.get("source", {}) for by in (record.confusion_by, grouped.confusion_by))
        problems += _unlike_counts("confusion_by.source", held, right)
    return listed(problems)


def _unlike_scores(field: str, stored: Scores | None, computed: Scores | None) -> Iterator[str]:
    for name in Scores.model_fields:
        held, right = (None if each is None else getattr(each, name) for each in (stored, computed))
        if held is None and right is None:
            continue
        if held is None or right is None or abs(held - right) > TOLERANCE:
            yield f"{field}.{name} is {shown(held)}, its predictions give {shown(right)}"


def _unlike_counts(
    field: str, stored: Mapping[str, Confusion], computed: Mapping[str, Confusion]
) -> Iterator[str]:
    for group in sorted({*stored, *computed}):
        held, right = stored.get(group), computed.get(group)
        if held is None or right is None:
            said = [None if each is None else sum(counts_of(each)) for each in (held, right)]
            yield (
                f"{field}.{group} has sentences: {shown(said[0])}, its predictions give "
                f"{shown(said[1])}"
            )
            continue
        for name in Confusion.model_fields:
            if getattr(held, name) != getattr(right, name):
                yield (
                    f"{field}.{group}.{name} is {getattr(held, name)}, its predictions give "
                    f"{getattr(right, name)}"
                )
