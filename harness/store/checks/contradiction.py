"""Whether a record's key and scores are those of its contents."""

import reprlib

from harness.store.class_counts import packed_counts
from harness.store.records import TOLERANCE, Epoch, Record, key_of

RECIPE_WITH_CLASSES = 2
"""Records of this recipe and later ones hold labels, and the classes predicted after each epoch."""


def contradiction(record: Record) -> str | None:
    """Return the record's first inconsistency, or None.

    The key must be the hash of the record's contents, and the scores must follow from the
    predicted classes.
    """
    if record.status != "ok":
        return None
    if record.key != (key := key_of(record)):
        return f"its key is {reprlib.repr(record.key)}, but its contents hash to {key}"
    if record.recipe_version >= RECIPE_WITH_CLASSES:
        if (missing := _missing_evidence(record)) is not None:
            return f"it has a score but no {missing}"
        if record.selected_epoch != (by_rule := _selected_by_rule(record)):
            return f"it selects epoch {record.selected_epoch}, but its rule selects epoch {by_rule}"
    for epoch in record.epochs:
        if (problem := _score_problem(record, epoch)) is not None:
            return problem
    return None


def _score_problem(record: Record, epoch: Epoch) -> str | None:
    """Return the first score of an epoch, or of its run, that differs from the epoch's classes."""
    if record.labels is None or record.dataset is None or epoch.classes is None:
        return None
    try:
        counts = packed_counts(record.labels, epoch.classes, record.dataset.validation)
    except ValueError as error:
        return f"epoch {epoch.epoch}: {error}"
    selected = record.scores if epoch.epoch == record.selected_epoch else None
    for field, name in (("mcc", "MCC"), ("accuracy", "accuracy"), ("f1", "F1")):
        value, stored = getattr(counts, field) or 0.0, getattr(epoch.scores, field)
        if abs(stored - value) > TOLERANCE:
            found = f"{stored:.6f}, but its classes give {value:.6f}"
            return f"epoch {epoch.epoch} has {name} {found}"
        if selected is not None and abs(getattr(selected, field) - value) > TOLERANCE:
            held, rule = f"{getattr(selected, field):.6f}", f"not the {name} of its selected epoch"
            return f"its {name} is {rule} {epoch.epoch}: {held}, but its classes give {value:.6f}"
    return None


def _missing_evidence(record: Record) -> str | None:
    """Return the first missing field that is needed to check the score, or None."""
    if record.labels is None:
        return "labels"
    if record.selected_epoch not in [epoch.epoch for epoch in record.epochs]:
        return "selected epoch"
    if any(epoch.classes is None for epoch in record.epochs):
        return "classes of some epoch"
    return None


def _selected_by_rule(record: Record) -> int:
    """Return the epoch that the training's rule selects: the last, or the first of the best."""
    if record.training.selection == "last-epoch":
        return record.epochs[-1].epoch
    return max(record.epochs, key=lambda epoch: epoch.scores.mcc).epoch
