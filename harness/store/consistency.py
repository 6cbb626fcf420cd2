"""Whether the numbers of a record agree with each other: counts, times, costs and the verdict."""

import itertools
import math
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from harness.store.classes import Counts, tally
from harness.store.records import (
    Record,
    Times,
    contradiction,
    selected_classes,
    time_to_target,
)

RECIPE_WITH_ONE_CLOCK = 3
"""From this recipe on, epochs and their evaluation are timed by one clock."""

RELATIVE = 1e-9
"""Relative difference allowed between a stored number and the same number computed again."""

ROUNDING_SECONDS = 1e-6
"""Rounding error allowed in a sum of times."""

MOST_NAMED = 3
"""How many inconsistent fields of a record are named; the rest are only counted."""


def inconsistency(record: Record) -> str | None:
    """Return the record's inconsistencies in one line, or None.

    First `contradiction` checks the key, the selected epoch and the scores. If they are right,
    every other number that can be computed from other fields must equal the computed value: the
    first MOST_NAMED that differ are named with both values, the others are counted.
    """
    if (problem := contradiction(record)) is not None:
        return problem
    found = [*_dates(record)]
    if record.status == "ok":
        found += [*_derived(record), *_counts(record), *_durations(record), *_sizes(record)]
    return listed(found)


def listed(problems: Sequence[str]) -> str | None:
    """Join the problems of one record into one line; None if there are none."""
    more = len(problems) - MOST_NAMED
    rest = [f"and {more} more fields"] if more > 0 else []
    return "; ".join([*problems[:MOST_NAMED], *rest]) or None


def shown(value: float | str | None) -> str:
    """Format a value of a record for a message; None becomes null."""
    if value is None:
        return "null"
    return f"{value:.10g}" if isinstance(value, float) else str(value)


def _derived(record: Record) -> Iterator[str]:
    """Compare speed, latency, time to target and verdict with values computed from other fields."""
    times, facts, scores = record.times, record.dataset, record.scores
    assert times is not None
    assert facts is not None
    assert scores is not None
    trained = facts.train * record.training.epochs
    speed = trained / times.train if times.train else None
    yield from _differs(
        "samples_per_second",
        record.samples_per_second,
        speed,
        f"{trained} sentences in times.train of {shown(times.train)} s",
    )
    latency = 1000 * times.evaluate / facts.validation if facts.validation else None
    yield from _differs(
        "eval_ms_per_sentence",
        record.eval_ms_per_sentence,
        latency,
        f"{facts.validation} sentences in times.evaluate of {shown(times.evaluate)} s",
    )
    reached = time_to_target(record.epochs, record.target_mcc)
    if record.time_to_target_seconds != reached:
        yield (
            f"time_to_target_seconds is {shown(record.time_to_target_seconds)}, but its epochs and "
            f"target_mcc of {shown(record.target_mcc)} give {shown(reached)}"
        )
    if record.verdict is not None:
        threshold = record.threshold
        passed = None if threshold is None else "pass" if scores.mcc >= threshold else "fail"
        if record.verdict != passed:
            yield (
                f"verdict is {record.verdict}, but MCC {shown(scores.mcc)} and threshold "
                f"{shown(threshold)} give {shown(passed)}"
            )


def _differs(name: str, stored: float | None, computed: float | None, source: str) -> Iterator[str]:
    """Compare a stored number with the computed one; do not compare a None (not measured)."""
    if stored is None or (
        computed is not None and math.isclose(stored, computed, rel_tol=RELATIVE)
    ):
        return
    contrast = f"it cannot be computed from {source}"
    if computed is not None:
        contrast = f"{source} give {shown(computed)}"
    yield f"{name} is {shown(stored)}, but {contrast}"


def _counts(record: Record) -> Iterator[str]:
    """Compare the sum of the groups' counts with the counts of all validation sentences.

    Every sentence has a length, so the counts by length must add up to the counts of all
    sentences. Not every sentence has a source, so the counts by source may add up to less.
    """
    packed = selected_classes(record)
    if packed is None or record.labels is None or record.dataset is None:
        return
    every = tally(record.labels, packed, record.dataset.validation)
    for kind, groups in record.confusion_by.items():
        for name in Counts._fields:
            held = sum(getattr(each, name) for each in groups.values())
            all_sentences = getattr(every, name)
            if held > all_sentences or (kind == "length" and held != all_sentences):
                yield (
                    f"confusion_by.{kind} adds up to {name} {held}, but the record's classes give "
                    f"{all_sentences}"
                )


def _durations(record: Record) -> Iterator[str]:
    """Check that times are above 0, epochs end in order, and no part is longer than the whole."""
    times = record.times
    assert times is not None
    for name in Times.model_fields:
        if (value := getattr(times, name)) <= 0:
            yield f"times.{name} is {shown(value)} s, but must be more than 0"
    for last in ("train", "evaluate"):
        parts = ("load", "tokenise", last)
        together = sum(getattr(times, name) for name in parts)
        if together > times.total + ROUNDING_SECONDS:
            yield (
                f"times.total is {shown(times.total)} s, but {', '.join(parts[:-1])} and {last} "
                f"alone take {shown(together)} s"
            )
    ends = [0.0, *(epoch.seconds for epoch in record.epochs)]
    for epoch, (before, after) in zip(record.epochs, itertools.pairwise(ends), strict=True):
        if after <= before:
            yield (
                f"epoch {epoch.epoch} ends after {shown(after)} s, but must end after more than "
                f"{shown(before)} s"
            )
        if epoch.epoch != record.selected_epoch or record.recipe_version < RECIPE_WITH_ONE_CLOCK:
            continue
        if times.evaluate > after - before + ROUNDING_SECONDS:
            yield (
                f"times.evaluate is {shown(times.evaluate)} s, but epoch {epoch.epoch}, which "
                f"includes it, took only {shown(after - before)} s"
            )
    if ends[-1] > times.train + ROUNDING_SECONDS:
        yield (
            f"times.train is {shown(times.train)} s, but the last epoch ends at {shown(ends[-1])} s"
        )


def _sizes(record: Record) -> Iterator[str]:
    """Check amounts that are never 0, the parts of a batch, and the number of threads."""
    for name in ("peak_memory_mb", "parameters"):
        value = getattr(record, name)
        if value is not None and value <= 0:
            yield f"{name} is {shown(value)}, but must be more than 0"
    if record.batch_size_used is not None and record.accumulation is not None:
        whole = record.batch_size_used * record.accumulation
        if whole != record.batch_size:
            yield (
                f"batch_size is {record.batch_size}, but batch_size_used {record.batch_size_used} "
                f"times accumulation {record.accumulation} is {whole}"
            )
    if record.contention is not None and record.threads is not None:
        fewest = record.contention.fewest_threads
        if fewest > record.threads:
            yield f"contention.fewest_threads is {fewest}, but threads is only {record.threads}"


def _dates(record: Record) -> Iterator[str]:
    """Check that a run ended after it began, and that its times fit in between.

    1 s is allowed because both dates are cut to whole seconds, and 0.1 % because the system may
    adjust its clock gradually, by up to 0.05 % (adjtimex(2)).
    """
    moments: list[datetime] = []
    for name in ("started_at", "finished_at"):
        if (text := getattr(record, name)) is not None:
            moment = _moment(text)
            if moment is None:
                yield f"{name} is {text!r:.50}, but must be a time with a time zone (ISO 8601)"
                return
            moments.append(moment)
    if len(moments) < 2:
        return
    started, finished = moments
    between = (finished - started) / timedelta(seconds=1)
    if between < 0:
        yield f"finished_at is {record.finished_at}, before started_at, {record.started_at}"
    elif record.times is not None and record.times.total > (between + 1) * 1.001:
        yield (
            f"times.total is {shown(record.times.total)} s, but only {between:.0f} s lie between "
            "started_at and finished_at"
        )


def _moment(text: str) -> datetime | None:
    """Parse an ISO 8601 time with a time zone; return None for any other text."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return None if moment.tzinfo is None else moment
