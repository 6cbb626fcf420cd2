"""Whether given labels and sentences are those of a suite's validation split, row by row."""

from collections import Counter
from dataclasses import dataclass

import numpy as np

from harness.inputs.annotations import comparable
from harness.inputs.data import Data
from harness.inputs.given_predictions import GivenRun, differing_rows, rows_in_words


@dataclass(frozen=True)
class ValidationSplit:
    """The rows that predictions must be about.

    Attributes:
        origin: a description of the data, for messages.
        labels: (sentences,), each a class from 0.
        texts: the sentences, as `comparable` returns them.
        class_names: of the classes, in the order of their numbers.
        fingerprint: of the data, as `Data` has it.
    """

    origin: str
    labels: np.ndarray
    texts: tuple[str, ...]
    class_names: tuple[str, ...]
    fingerprint: str


def validation_split(loaded: Data) -> ValidationSplit:
    """Return the validation split of a suite's data."""
    rows = loaded.rows["validation"]
    return ValidationSplit(
        origin=loaded.origin,
        labels=np.asarray(rows.label, dtype=np.int16),
        texts=tuple(map(comparable, rows.sentence)),
        class_names=loaded.class_names,
        fingerprint=loaded.fingerprint,
    )


def unlike_split(run: GivenRun, split: ValidationSplit) -> str | None:
    """Return how a run's labels or sentences differ from the split, in one line, or None.

    The line has numbers of rows and class names, never a sentence.
    """
    named = f"the validation split of {split.origin}"
    if len(run.labels) != len(split.labels):
        return (
            f"{run.where}: {len(run.labels):,} rows, but {named} has {len(split.labels):,}; "
            "write one row for each of its sentences, in its order"
        )
    labels, texts = differing_rows(run, split.labels, split.texts)
    if not labels.size and not texts.size:
        return None
    seen = []
    if labels.size:
        here, there = (each[labels[0]] for each in (run.labels, split.labels))
        seen.append(
            f"{labels.size:,} of {len(split.labels):,} labels are not those of {named}: "
            f"{rows_in_words(labels)}; the first is {split.class_names[here]!r}, there "
            f"{split.class_names[there]!r}"
        )
    if texts.size:
        seen.append(
            f"{texts.size:,} of {len(split.labels):,} sentences are not those of {named}: "
            f"{rows_in_words(texts)}"
        )
    return f"{run.where}: {'; '.join(seen)}; {_way_out(run, split)}"


def _way_out(run: GivenRun, split: ValidationSplit) -> str:
    if run.texts is not None:
        if Counter(run.texts) == Counter(split.texts):
            return "the sentences are the same in another order: write them in the split's order"
    elif np.array_equal(np.sort(run.labels), np.sort(split.labels)):
        return "each class is as frequent, so the order may differ: write the rows in its order"
    return "predict the sentences of that split, or name the suite and data of these labels"
