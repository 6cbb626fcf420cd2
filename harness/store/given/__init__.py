"""Predictions of another program in a leaderboard: what it holds of them, and whether that agrees.

They are no run: they have no settings, no costs and no place in a store, so they are no Record.
"""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from pydantic import BaseModel, Field

from harness.store.class_counts import packed_counts
from harness.store.classes import number_of_classes, pack, unpack
from harness.store.records import (
    FROZEN,
    TOLERANCE,
    DatasetFacts,
    PackedClasses,
    Record,
    Scores,
    content_key,
)
from harness.suite.plan import Cell
from harness.validation import shown

NOT_TRAINED = "predictions given, not trained here"
"""The mark of such a row in tables, comparisons and messages."""

MOST_CHARACTERS = 100
"""The longest name of a row."""


class GivenSeed(BaseModel):
    """One file of predictions, which is one seed.

    `classes` are the predicted classes of the validation sentences, packed by
    harness.store.classes; `scores` follow from them. `key` is the result of `key_of`, and marks
    their rows in predictions.parquet. `file_sha256` is the digest of the file as it was given.
    """

    model_config = FROZEN

    key: str
    file_sha256: str
    classes: PackedClasses
    scores: Scores


class Given(BaseModel):
    """Predictions of another program on a leaderboard's validation sentences.

    `name` is the name of their row, `dataset` the data that the labels were compared with.
    `sentences_compared` is whether every file also had the sentences, which were then those of the
    data. `labels` are packed by harness.store.classes. What the other program is, and what it was
    trained on, is not known.
    """

    model_config = FROZEN

    name: str
    dataset: DatasetFacts
    sentences_compared: bool
    labels: PackedClasses
    seeds: tuple[GivenSeed, ...] = Field(min_length=1)

    @property
    def class_count(self) -> int:
        """The number of classes of the data."""
        return number_of_classes(self.labels)

    def unpacked(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the labels, (sentences,), and the predicted classes, (seeds, sentences)."""
        sentences = self.dataset.validation
        predicted = [unpack(seed.classes, sentences) for seed in self.seeds]
        return unpack(self.labels, sentences), np.stack(predicted)


def given_of(
    name: str,
    dataset: DatasetFacts,
    labels: np.ndarray,
    predicted: np.ndarray,
    classes: int,
    digests: Sequence[str],
    sentences_compared: bool,
) -> Given:
    """Return what a leaderboard holds of predictions.

    Args:
        labels: (sentences,), each from 0 to `classes` - 1.
        predicted: (seeds, sentences), likewise.
        digests: of each seed's file.
    """
    packed = pack(labels, classes)
    seeds = []
    for number, (row, digest) in enumerate(zip(predicted, digests, strict=True), start=1):
        own = pack(row, classes)
        seeds.append(
            GivenSeed(
                key=key_of(name, number, dataset.fingerprint, packed, own),
                file_sha256=digest,
                classes=own,
                scores=Scores.of(packed_counts(packed, own, len(labels))),
            )
        )
    return Given(
        name=name,
        dataset=dataset,
        sentences_compared=sentences_compared,
        labels=packed,
        seeds=tuple(seeds),
    )


def key_of(name: str, number: int, fingerprint: str, labels: str, classes: str) -> str:
    """Return the content key of one seed: 16 hex digits, which no trained run has.

    Args:
        number: of the seed, from 1, in the order of the files.
        labels: packed, as are `classes`.
    """
    return content_key(
        given=name, number=number, dataset=fingerprint, labels=labels, classes=classes
    )


def name_problem(name: str) -> str | None:
    """Return what is wrong with the name of a row, or None."""
    allowed = name[:1].isalnum() and name.isprintable() and name == name.strip()
    if allowed and len(name) <= MOST_CHARACTERS:
        return None
    return (
        f"{shown(name)}: a name is one line of 1 to {MOST_CHARACTERS} printable characters that "
        "begins with a letter or digit and does not end with a blank"
    )


def taken_names(cells: Iterable[Cell]) -> set[str]:
    """Return the names of checkpoints and cells, which no row of given predictions may have."""
    return {name for cell in cells for name in (cell.id, cell.checkpoint)}


def given_problems(
    given: Sequence[Given], cells: Iterable[Cell], records: Iterable[Record]
) -> Iterator[str]:
    """Yield the contradictions of given predictions, in themselves and with the runs beside them.

    Their labels must be those of a run on the same data.
    """
    taken = taken_names(cells)
    labels = {
        (record.dataset.fingerprint, record.dataset.validation): record.labels
        for record in records
        if record.dataset is not None and record.labels is not None
    }
    for position, each in enumerate(given):
        named = f"given[{position}]: {shown(each.name)}"
        if (problem := name_problem(each.name)) is not None:
            yield f"given[{position}].name: {problem}"
        if each.name in taken:
            yield f"{named}: the name of another row, a checkpoint or a cell"
        taken.add(each.name)
        data = (each.dataset.fingerprint, each.dataset.validation)
        if labels.get(data) != each.labels:
            yield f"{named}: its labels are not those of a run on the same data"
        for number, seed in enumerate(each.seeds, start=1):
            if (problem := _contradiction(each, number, seed)) is not None:
                yield f"{named}, seed {number}: it contradicts itself: {problem}"


def _contradiction(given: Given, number: int, seed: GivenSeed) -> str | None:
    """Return the first inconsistency of one seed, or None."""
    facts = given.dataset
    key = key_of(given.name, number, facts.fingerprint, given.labels, seed.classes)
    if seed.key != key:
        return f"its key is {shown(seed.key)}, but its contents hash to {key}"
    try:
        computed = Scores.of(packed_counts(given.labels, seed.classes, facts.validation))
    except ValueError as error:
        return str(error)
    for name in Scores.model_fields:
        stored, value = getattr(seed.scores, name), getattr(computed, name)
        if abs(stored - value) > TOLERANCE:
            return f"scores.{name} is {stored:.6f}, but its classes give {value:.6f}"
    return None
