"""Whether a record's numbers agree with each other, and with the run's predictions."""

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa

from harness.store.checks.contradiction import contradiction
from harness.store.class_counts import confusion_matrix, count
from harness.store.classes import Counts, number_of_classes, pack, tally, unpack
from harness.store.early_ends import early_end_problems
from harness.store.groups import scores_of, sentences_of, with_groups
from harness.store.measured.serving import serving_problems
from harness.store.predictions import logits_of, null_problem
from harness.store.records import (
    TOLERANCE,
    Confusion,
    GroupCounts,
    Record,
    Scores,
    Times,
    classes_of,
    selected_classes,
    time_to_target,
)
from harness.store.stopped import epochs_trained, verdict_of

RECIPE_WITH_ONE_CLOCK = 3
"""From this recipe on, epochs and their evaluation are timed by one clock."""

RELATIVE = 1e-9
"""Relative difference allowed between a stored number and the same number computed again."""

ROUNDING_SECONDS = 1e-6
"""Rounding error allowed in a sum of times."""

MOST_NAMED = 3
"""How many inconsistent fields of a record are named; the rest are only counted."""

SPLITS = {"validation": "scores", "test": "scores_test"}
"""The field that holds a split's scores."""


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
        found += [*_derived(record), *early_end_problems(record), *_counts(record)]
        found += [*_groupings(record), *_durations(record), *_sizes(record)]
        assert record.dataset is not None  # a record that is ok has one
        found += serving_problems(record.serving, record.dataset.validation, record.threads)
    return _listed(found)


def _listed(problems: Sequence[str]) -> str | None:
    """Join the problems of one record into one line; None if there are none."""
    more = len(problems) - MOST_NAMED
    rest = [f"and {more} more fields"] if more > 0 else []
    return "; ".join([*problems[:MOST_NAMED], *rest]) or None


def _text(value: float | str | None) -> str:
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
    trained = facts.train * epochs_trained(record.training, record.epochs, record.stopped)
    rates = (
        (
            "samples_per_second",
            trained / times.train if times.train else None,
            f"{trained} sentences in times.train of {_text(times.train)} s",
        ),
        (
            "eval_ms_per_sentence",
            1000 * times.evaluate / facts.validation if facts.validation else None,
            f"{facts.validation} sentences in times.evaluate of {_text(times.evaluate)} s",
        ),
    )
    for name, computed, source in rates:
        stored = getattr(record, name)
        if stored is None:  # not measured
            continue
        if computed is None:
            yield f"{name} is {_text(stored)}, but it cannot be computed from {source}"
        elif not math.isclose(stored, computed, rel_tol=RELATIVE):
            yield f"{name} is {_text(stored)}, but {source} give {_text(computed)}"
    reached = time_to_target(record.epochs, record.target_mcc)
    if record.time_to_target_seconds != reached:
        yield (
            f"time_to_target_seconds is {_text(record.time_to_target_seconds)}, but its epochs and "
            f"target_mcc of {_text(record.target_mcc)} give {_text(reached)}"
        )
    if record.verdict is not None:
        threshold = record.threshold
        passed = verdict_of(scores.mcc, threshold, record.stopped is not None)
        if record.verdict != passed:
            yield (
                f"verdict is {record.verdict}, but MCC {_text(scores.mcc)} and threshold "
                f"{_text(threshold)} give {_text(passed)}"
            )


def _counts(record: Record) -> Iterator[str]:
    """Compare the sum of the groups' counts with the counts of all validation sentences.

    Every sentence has a length, so the counts by length must add up to the counts of all
    sentences. Not every sentence has a source, so the counts by source may add up to less.
    """
    packed = selected_classes(record)
    if packed is None or record.labels is None or record.dataset is None:
        return
    if (number := number_of_classes(record.labels)) > 2:
        if record.confusion_by:
            yield f"confusion_by counts two classes, but its labels have {number} classes"
        yield from _matrix(record, record.labels, packed, number)
        yield from _counts_by(record, record.labels, packed, number)
        return
    if record.confusion_matrix is not None:
        yield "confusion_matrix is of more than two classes, but its labels have 2 classes"
    if record.counts_by is not None:
        yield "counts_by is of more than two classes, but its labels have 2 classes"
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


def _groupings(record: Record) -> Iterator[str]:
    """Check that groupings have a group for each sentence, in the sizes of the counts by source."""
    assert record.dataset is not None  # a record that is ok has one
    for kind, grouping in (record.groupings or {}).items():
        try:
            numbers = grouping.unpacked(record.dataset.validation)
        except ValueError as error:
            yield f"groupings.{kind}: {error}"
            continue
        counts = record.confusion_by.get("source", {}) if kind == "source" else {}
        sizes = dict(zip(grouping.names, np.bincount(numbers).tolist(), strict=True))
        if counts and {name: each.sentences for name, each in counts.items()} != sizes:
            yield f"groupings.{kind} has other groups or sizes than confusion_by.{kind}"


def _matrix(record: Record, labels: str, packed: str, number: int) -> Iterator[str]:
    """Compare the confusion matrix with the one of the record's labels and predicted classes."""
    assert record.dataset is not None  # a record that is ok has one
    held, sentences = record.confusion_matrix, record.dataset.validation
    if held is None:
        return
    if len(held) != number or any(len(row) != number for row in held):
        yield f"confusion_matrix has {len(held)} rows, but its labels have {number} classes"
        return
    computed = confusion_matrix(unpack(labels, sentences), unpack(packed, sentences), number)
    for label, row in enumerate(computed.tolist()):
        for given, times in enumerate(row):
            if held[label][given] != times:
                yield (
                    f"confusion_matrix[{label}][{given}] is {held[label][given]}, but the record's "
                    f"classes give {times}"
                )


def _counts_by(record: Record, labels: str, packed: str, number: int) -> Iterator[str]:
    """Compare the sums of the groups' counts by class with the counts of all sentences."""
    assert record.dataset is not None  # a record that is ok has one
    sentences = record.dataset.validation
    every = count(unpack(labels, sentences), unpack(packed, sentences), number)
    for kind, groups in (record.counts_by or {}).items():
        for name in GroupCounts.model_fields:
            lists = [getattr(each, name) for each in groups.values()]
            if any(len(each) != number for each in lists):
                yield f"counts_by.{kind} has other numbers of {name} than one of each class"
                continue
            for label, computed in enumerate(getattr(every, name).tolist()):
                held = sum(each[label] for each in lists)
                if held != computed:
                    yield (
                        f"counts_by.{kind} adds up to {name} {held} of class {label}, but the "
                        f"record's classes give {computed}"
                    )


def _durations(record: Record) -> Iterator[str]:
    """Check that times are above 0, epochs end in order, and no part is longer than the whole."""
    times = record.times
    assert times is not None
    for name in Times.model_fields:
        if (value := getattr(times, name)) <= 0:
            yield f"times.{name} is {_text(value)} s, but must be more than 0"
    for last in ("train", "evaluate"):
        parts = ("load", "tokenise", last)
        together = sum(getattr(times, name) for name in parts)
        if together > times.total + ROUNDING_SECONDS:
            yield (
                f"times.total is {_text(times.total)} s, but {', '.join(parts[:-1])} and {last} "
                f"alone take {_text(together)} s"
            )
    ends = [0.0, *(epoch.seconds for epoch in record.epochs)]
    for epoch, (before, after) in zip(record.epochs, itertools.pairwise(ends), strict=True):
        if after <= before:
            yield (
                f"epoch {epoch.epoch} ends after {_text(after)} s, but must end after more than "
                f"{_text(before)} s"
            )
        if epoch.epoch != record.selected_epoch or record.recipe_version < RECIPE_WITH_ONE_CLOCK:
            continue
        if times.evaluate > after - before + ROUNDING_SECONDS:
            yield (
                f"times.evaluate is {_text(times.evaluate)} s, but epoch {epoch.epoch}, which "
                f"includes it, took only {_text(after - before)} s"
            )
    if ends[-1] > times.train + ROUNDING_SECONDS:
        yield (
            f"times.train is {_text(times.train)} s, but the last epoch ends at {_text(ends[-1])} s"
        )


def _sizes(record: Record) -> Iterator[str]:
    """Check amounts that are never 0, the parts of a batch, and the number of threads."""
    for name in ("peak_memory_mb", "parameters"):
        value = getattr(record, name)
        if value is not None and value <= 0:
            yield f"{name} is {_text(value)}, but must be more than 0"
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
            f"times.total is {_text(record.times.total)} s, but only {between:.0f} s lie between "
            "started_at and finished_at"
        )


def _moment(text: str) -> datetime | None:
    """Parse an ISO 8601 time with a time zone; return None for any other text."""
    try:
        moment = datetime.fromisoformat(text)
        return None if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):  # the latter before year 1 or after 9999 in UTC
        return None


def unlike_predictions(record: Record, rows: pa.Table) -> str | None:
    """Return how a record differs from its predictions, in one line, or None.

    Their labels and classes of the validation split must be the record's, unless it is an older
    record, which does not hold them. Each score and count that differs is named with the value
    stored and the value computed. Counts by length are not checked: predictions contain no words.

    Args:
        record: of a run that was scored.
        rows: its predictions, with at least the columns of CHECKED_COLUMNS and the logits.
    """
    if (problem := null_problem(rows)) is not None:
        return problem
    sentences, selected = sentences_of(rows), selected_classes(record)
    labels, validation = sentences.label, sentences.validation
    packed = record.labels is not None and selected is not None
    number = classes_of(record)
    if packed and sentences.packed_labels(number) != record.labels:
        return f"its labels are not the record's{_first(labels[validation], record.labels)}"
    logits = logits_of(rows)
    if logits.shape[1] != number:
        return f"it has logits of {logits.shape[1]} classes, its record has {number}"
    if not np.isfinite(logits).all():  # argmax would return the first NaN
        return "its logits are not all finite"
    given = logits.argmax(axis=1)
    if packed and pack(given[validation], number) != selected:
        first = _first(given[validation], selected)
        return f"its logits do not give the record's classes{first}"
    assert record.dataset is not None  # a record that is ok has one
    problems = []
    for name, field in SPLITS.items():
        chosen = sentences.rows_of(name)
        count, recorded = int(chosen.sum()), getattr(record.dataset, name)
        if count not in ((recorded,) if name == "validation" else (0, recorded)):
            problems.append(
                f"dataset.{name} is {recorded}, but its predictions contain {count} sentences"
            )
        known = bool((labels[chosen] >= 0).all())  # a test split's labels may be hidden
        computed = scores_of(chosen, labels, given, number) if known else None
        problems += _unlike_scores(field, getattr(record, field), computed)
    grouped = with_groups(record, rows)
    for field in ("scores_in_domain", "scores_out_of_domain"):
        problems += _unlike_scores(field, getattr(record, field), getattr(grouped, field))
    held_scores, actual_scores = record.scores_by_domain or {}, grouped.scores_by_domain or {}
    for domain in dict.fromkeys((*held_scores, *actual_scores)):
        field = f"scores_by_domain.{domain}"
        problems += _unlike_scores(field, held_scores.get(domain), actual_scores.get(domain))
    if record.confusion_by:  # records of the first versions have none
        held, actual = (by.get("source", {}) for by in (record.confusion_by, grouped.confusion_by))
        problems += _unlike_counts("confusion_by.source", held, actual)
    problems += [
        f"groupings.{kind} are not those of its predictions"
        for kind, grouping in (record.groupings or {}).items()
        if (grouped.groupings or {}).get(kind) != grouping
    ]
    return _listed(problems)


def _first(computed: np.ndarray, packed: str | None) -> str:
    """Return the first validation row, from 1, of another class than the record's, if known."""
    try:
        held = None if packed is None else unpack(packed, len(computed))
    except ValueError:  # of another number of sentences
        return ""
    if held is None or not (unlike := held != computed).any():
        return ""
    place = int(unlike.argmax())
    return f": class {computed[place]} in validation row {place + 1}, the record's {held[place]}"


def _unlike_scores(field: str, stored: Scores | None, computed: Scores | None) -> Iterator[str]:
    for name in Scores.model_fields:
        held, actual = (
            None if each is None else getattr(each, name) for each in (stored, computed)
        )
        if held is None and actual is None:
            continue
        if held is None or actual is None or abs(held - actual) > TOLERANCE:
            yield f"{field}.{name} is {_text(held)}, but its predictions give {_text(actual)}"


def _unlike_counts(
    field: str, stored: Mapping[str, Confusion], computed: Mapping[str, Confusion]
) -> Iterator[str]:
    for group in sorted({*stored, *computed}):
        held, actual = stored.get(group), computed.get(group)
        if held is None or actual is None:
            sizes = [None if each is None else sum(each.counts) for each in (held, actual)]
            yield (
                f"{field}.{group} has sentences: {_text(sizes[0])}, but its predictions give "
                f"{_text(sizes[1])}"
            )
            continue
        for name in Confusion.model_fields:
            if getattr(held, name) != getattr(actual, name):
                yield (
                    f"{field}.{group}.{name} is {getattr(held, name)}, but its predictions give "
                    f"{getattr(actual, name)}"
                )
