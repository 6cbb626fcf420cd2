"""Counts of repeated sentences in the data: within a split, between splits, with several labels."""

from collections.abc import Iterator
from typing import Self

from pydantic import BaseModel, ConfigDict, model_validator
from pydantic_core import PydanticCustomError

from harness.suite.fields import MatthewsCorrelation, Whole
from harness.text import counted

FROZEN = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def _unknown(value: object) -> bool:
    """Return whether to omit a field from the file, as versions without the field do."""
    return value is None


class Overlap(BaseModel):
    """Sentences of a split that occur again in the same split or in another split.

    Within a split (`split` equals `other`), a sentence counts once, however often it occurs.
    Between splits, every row of `split` counts whose sentence `other` contains.

    Attributes:
        sentences: number of rows of `split`.
        verbatim: number of sentences that occur again as the same text.
        verbatim_labels: number of these with more than one label within the split, or with another
            label in `other`; None if labels are hidden.
        normalised: number of sentences that occur again if case, punctuation and blanks are
            ignored.
        normalised_labels: number of these with several labels, as `verbatim_labels`.
        near: number of rows of `split` with a sentence in `other` from which they differ by one
            word, which is replaced, added or removed; case, punctuation and blanks are ignored.
            None if not counted, because there are too many words.
    """

    model_config = FROZEN

    split: str
    other: str
    sentences: Whole
    verbatim: Whole
    verbatim_labels: Whole | None
    normalised: Whole
    normalised_labels: Whole | None
    near: Whole | None

    @model_validator(mode="after")
    def _is_possible(self) -> Self:
        for name, count, of in (
            ("verbatim", self.verbatim, self.sentences),
            ("verbatim_labels", self.verbatim_labels, self.verbatim),
            ("normalised", self.normalised, self.sentences),
            ("normalised_labels", self.normalised_labels, self.normalised),
            ("near", self.near, self.sentences),
        ):
            if count is not None and count > of:
                problem = f"{name} is {count}, but there are only {of} such sentences"
                raise PydanticCustomError("overlap", "{problem}", {"problem": problem})
        return self

    @property
    def within(self) -> bool:
        """Whether the repeats are in one split."""
        return self.split == self.other


class Limit(BaseModel):
    """The highest possible MCC on a split in which a text has several labels.

    A classifier gives the same text the same class, so some of these sentences are always
    misclassified.
    """

    model_config = FROZEN

    split: str
    mcc: MatthewsCorrelation


class Duplicates(BaseModel):
    """Repeated sentences of a data set as it was read, before any are dropped.

    Attributes:
        overlaps: one for each split, then one for each pair of splits.
        limits: of the labelled splits in which a text has several labels; of two classes only.
        dropped: number of training sentences that `dataset.duplicates = "drop"` removed; None with
            other settings.
    """

    model_config = FROZEN

    overlaps: tuple[Overlap, ...]
    limits: tuple[Limit, ...] = ()
    dropped: Whole | None = None


NO_PREFIX = ""


def in_full(split: str) -> str:
    """Return the name of a split as it is written before "sentences"."""
    return "training" if split == "train" else split


def notes(found: Duplicates, prefix: str = NO_PREFIX) -> Iterator[str]:
    """Yield a sentence for every overlap and limit, and one for dropped sentences.

    Near neighbours are not included: templates and minimal pairs have them on purpose.

    Args:
        prefix: of the name of another split, such as "dataset." if the user named its files.
    """
    for overlap in found.overlaps:
        if overlap.normalised:
            yield _within(overlap) if overlap.within else _between(overlap, prefix)
    for limit in found.limits:
        yield (
            f"the same {limit.split} sentence has several labels, so no classifier can reach a "
            f"{limit.split} MCC above {limit.mcc:.3f}"
        )
    if found.dropped is not None:
        dropped = counted(found.dropped, "repeated training sentence")
        yield f'{dropped} {_are(found.dropped)} dropped (dataset.duplicates = "drop")'


def near_in_words(found: Duplicates) -> str:
    """Return the numbers of near neighbours as a phrase."""
    if any(overlap.near is None for overlap in found.overlaps):
        return "sentences one word apart: not counted, because there are too many words"
    counts = ", ".join(
        f"{overlap.near:,} of {overlap.split} in {overlap.other}"
        for overlap in found.overlaps
        if overlap.near
    )
    return f"sentences one word apart: {counts or 'none'}"


def _within(overlap: Overlap) -> str:
    labels = _labels(overlap.verbatim_labels, "with several labels")
    more = _more(overlap, "with several labels")
    verb = "occurs" if overlap.verbatim == 1 else "occur"
    some = counted(overlap.verbatim, f"{in_full(overlap.split)} sentence")
    return f"{some} {verb} more than once{labels}{more}"


def _between(overlap: Overlap, prefix: str) -> str:
    sentences = counted(overlap.sentences, f"{in_full(overlap.split)} sentence")
    some = f"{overlap.verbatim:,} of {sentences} {_are(overlap.verbatim)}"
    labels = _labels(overlap.verbatim_labels, "with another label")
    more = _more(overlap, "with another label")
    return f"{some} also in {prefix}{overlap.other}{labels}{more}"


def _more(overlap: Overlap, kind: str) -> str:
    """Return the numbers if case, punctuation and blanks are ignored, where they are higher."""
    if overlap.normalised == overlap.verbatim:
        return ""
    labels = _labels(overlap.normalised_labels, kind)
    return f"; {overlap.normalised:,} without case, punctuation and blanks{labels}"


def _labels(count: int | None, kind: str) -> str:
    return f", {count:,} {kind}" if count else ""


def _are(count: int) -> str:
    return "is" if count == 1 else "are"
