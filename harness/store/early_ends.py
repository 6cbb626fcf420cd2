"""Whether a run with fewer epochs than planned ended where its rule ends it."""

import math
from collections.abc import Iterator, Sequence

from harness.store.records import Record
from harness.store.stopped import Stopped


def early_end_problems(record: Record) -> Iterator[str]:
    """Check that a run trained until its rule ended it, or to its last epoch."""
    trained, planned = len(record.epochs), record.training.epochs
    patience, mccs = record.training.patience, [epoch.scores.mcc for epoch in record.epochs]
    end = None if patience is None else _end(mccs, patience)
    if record.stopped is not None:
        yield from _stopped(record, record.stopped)
        if end is not None:
            yield f"its patience of {patience} ends it after epoch {end}"
    elif patience is not None and trained != (expected := min(end or planned, planned)):
        yield f"it has {trained} epochs, but patience {patience} and its MCCs give {expected}"


def _end(mccs: Sequence[float], patience: int) -> int | None:
    """Return the epoch after which a patience ends a run with these MCCs; None if none does."""
    best, waited = -math.inf, 0
    for number, mcc in enumerate(mccs, start=1):
        waited = 0 if mcc > best else waited + 1
        best = max(best, mcc)
        if waited >= patience:
            return number
    return None


def _stopped(record: Record, stopped: Stopped) -> Iterator[str]:
    """Check that a stopped run ended after the first epoch that reached its target, not later."""
    trained, training = len(record.epochs), record.training
    if stopped.of != training.epochs:
        yield f"stopped.of is {stopped.of}, but training.epochs is {training.epochs}"
    if stopped.after_epoch != trained or trained >= training.epochs:
        yield f"stopped.after_epoch is {stopped.after_epoch}, but it has {trained} epochs"
    if training.selection != "best-epoch":
        yield "it was stopped, but its score is that of the last epoch"
    reached = [each.epoch for each in record.epochs if each.scores.mcc >= stopped.target]
    if reached != [trained]:
        first = "no epoch" if not reached else f"epoch {reached[0]}"
        yield f"it was stopped after epoch {trained}, but {first} is the first with its target"
