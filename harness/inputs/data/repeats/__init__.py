"""Counts sentences that occur more than once in the data, before anything is trained on it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain, combinations, compress

import numpy as np

from harness.inputs.data.repeats.near import MOST_WORDS, Flags, near_neighbours
from harness.inputs.data.repeats.texts import first_rows, normalised
from harness.inputs.data.rows import HIDDEN_LABEL, Rows
from harness.inputs.duplicates import Duplicates, Limit, Overlap
from harness.stats.label_limit import highest_mcc
from harness.suite.class_names import MOST_CLASSES


@dataclass(frozen=True)
class Texts:
    """The texts of one split as numbers; equal numbers mean equal texts, in all splits.

    Attributes:
        verbatim: by the text itself.
        normalised: without case, punctuation and blanks.
        labels: the classes; None if hidden.
    """

    verbatim: np.ndarray
    normalised: np.ndarray
    labels: np.ndarray | None


def texts_of(splits: Mapping[str, Rows]) -> dict[str, Texts]:
    """Return the numbers of the texts of every split."""
    sizes = [len(rows.sentence) for rows in splits.values()]
    ends = np.cumsum(sizes)
    verbatim = first_rows(_Sentences(splits), sum(sizes))
    same = first_rows(_Sentences(splits), sum(sizes), normalised)
    found = {}
    for (name, rows), end, size in zip(splits.items(), ends, sizes, strict=True):
        labels = np.fromiter(rows.label, np.int64, size)
        own = slice(end - size, end)
        hidden = bool((labels == HIDDEN_LABEL).any())
        found[name] = Texts(verbatim[own], same[own], None if hidden else labels)
    return found


def count(splits: Mapping[str, Rows], texts: Mapping[str, Texts], classes: int) -> Duplicates:
    """Return the repeated sentences within each split and between each pair of splits.

    Args:
        texts: of the same splits, from texts_of.
        classes: number of classes.
    """
    near = _near(splits, texts)
    overlaps = []
    for split in texts:
        overlaps.append(_within(split, texts[split], near))
    for other, split in combinations(texts, 2):
        overlaps.append(_between(split, other, texts, near))
    limits = _limits(texts) if classes == 2 else ()
    return Duplicates(overlaps=tuple(overlaps), limits=tuple(limits))


class _Sentences:
    """The sentences of all splits, which can be iterated several times."""

    def __init__(self, splits: Mapping[str, Rows]) -> None:
        self._splits = splits

    def __iter__(self) -> Iterator[str]:
        return chain.from_iterable(rows.sentence for rows in self._splits.values())


Near = Mapping[tuple[str, str], int] | None
"""Number of rows of a split with a near neighbour in another, by both; None if not counted."""


def _near(splits: Mapping[str, Rows], texts: Mapping[str, Texts]) -> Near:
    every = np.concatenate([each.normalised for each in texts.values()])
    first = every == np.arange(len(every))  # a text's number is the position of its first row
    blanks = (text.count(" ") for text in compress(_Sentences(splits), first.tolist()))
    if sum(blanks) > MOST_WORDS:  # about as many words: not worth splitting them to know
        return None
    number = (np.cumsum(first) - 1)[every]
    member: Flags = np.zeros((int(first.sum()), len(texts)), dtype=bool)
    own = np.split(number, np.cumsum([len(each.normalised) for each in texts.values()])[:-1])
    for position, rows in enumerate(own):
        member[rows, position] = True
    sentences = (
        normalised(text) for text, chosen in zip(_Sentences(splits), first, strict=True) if chosen
    )
    found = near_neighbours(sentences, member)
    if found is None:
        return None
    return {
        (split, other): int(found[rows, position].sum())
        for split, rows in zip(texts, own, strict=True)
        for position, other in enumerate(texts)
    }


def _within(split: str, own: Texts, near: Near) -> Overlap:
    verbatim, verbatim_labels = _repeated(own.verbatim, own.labels)
    same, same_labels = _repeated(own.normalised, own.labels)
    return Overlap(
        split=split,
        other=split,
        sentences=len(own.verbatim),
        verbatim=verbatim,
        verbatim_labels=verbatim_labels,
        normalised=same,
        normalised_labels=same_labels,
        near=None if near is None else near[split, split],
    )


def _repeated(texts: np.ndarray, labels: np.ndarray | None) -> tuple[int, int | None]:
    """Return how many texts occur more than once, and how many with more than one label."""
    times = np.bincount(texts)
    repeated = int((times > 1).sum())
    if labels is None:
        return repeated, None
    again = times[texts] > 1
    _, kinds = _labels_by_text(texts[again], labels[again])
    return repeated, int((kinds > 1).sum())


def _between(split: str, other: str, texts: Mapping[str, Texts], near: Near) -> Overlap:
    one, two = texts[split], texts[other]
    verbatim, verbatim_labels = _shared(one.verbatim, one.labels, two.verbatim, two.labels)
    same, same_labels = _shared(one.normalised, one.labels, two.normalised, two.labels)
    return Overlap(
        split=split,
        other=other,
        sentences=len(one.verbatim),
        verbatim=verbatim,
        verbatim_labels=verbatim_labels,
        normalised=same,
        normalised_labels=same_labels,
        near=None if near is None else near[split, other],
    )


def _shared(
    texts: np.ndarray, labels: np.ndarray | None, known: np.ndarray, known_labels: np.ndarray | None
) -> tuple[int, int | None]:
    """Return how many texts are among the known ones, and how many with another label there."""
    shared = _among(texts, known)
    count = int(shared.sum())
    if labels is None or known_labels is None:
        return count, None
    texts, labels = texts[shared], labels[shared]
    asked = _among(known, texts)
    known, known_labels = known[asked], known_labels[asked]
    different, kinds = _labels_by_text(known, known_labels)
    own = np.isin(_pairs(texts, labels), _pairs(known, known_labels))
    others = kinds[np.searchsorted(different, texts)] - own
    return count, int((others > 0).sum())


def _among(texts: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Return for each text whether it is among the known ones, without sorting."""
    present = np.zeros(max(texts.max(initial=-1), known.max(initial=-1)) + 1, dtype=bool)
    present[known] = True
    return np.asarray(present[texts])


def _labels_by_text(texts: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the different texts in order, and the number of different labels of each."""
    return np.unique(np.unique(_pairs(texts, labels)) // MOST_CLASSES, return_counts=True)


def _pairs(texts: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return one number for each text with its label."""
    return np.asarray(texts * MOST_CLASSES + labels)


def _limits(texts: Mapping[str, Texts]) -> Iterator[Limit]:
    """Yield the highest MCC on each labelled split with a text of both labels."""
    for split, own in texts.items():
        if split == "train" or own.labels is None or len(np.unique(own.labels)) < 2:
            continue
        _, kinds = _labels_by_text(own.verbatim, own.labels)
        if kinds.max() > 1:
            yield Limit(split=split, mcc=highest_mcc(own.labels, own.verbatim))
