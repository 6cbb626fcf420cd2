"""Slices: which validation sentences have which value of a column, as published tables hold them.

Slices are facts of the data, not of a run, so no run's key or record contains them.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from pydantic import BaseModel, Field, model_validator
from pydantic_core import PydanticCustomError

from harness.store.classes import number_of_classes, pack, unpack
from harness.store.grouping import Grouping
from harness.store.records import FROZEN, Confusion, Record
from harness.suite.fields import Count, Whole
from harness.text import by_first_number

MOST_VALUES = 100
"""Maximum number of different values of a column of slices."""

YES_OR_NO = (frozenset({"0", "1"}), frozenset({"false", "true"}), frozenset({"no", "yes"}))
"""Values of columns that say whether a sentence has a feature."""

YES = frozenset({"1", "true", "yes"})


@dataclass(frozen=True)
class Slice:
    """The validation sentences with one value of a column.

    Attributes:
        chosen: (sentences,), whether each is in the slice.
        listed: whether tables list it. Of a column of 0 and 1, only the sentences with 1 are
            listed: the others are the rest of the data.
    """

    column: str
    value: str
    chosen: np.ndarray
    listed: bool

    @property
    def name(self) -> str:
        """The name in gates: `column=value`."""
        return f"{self.column}={self.value}"


class SliceColumn(BaseModel):
    """A column: its values, and the value of each validation sentence.

    `members` are packed by harness.store.classes: 0 for a sentence without a value, otherwise
    the position of its value in `values`, from 1.
    """

    model_config = FROZEN

    name: str = Field(min_length=1)
    values: tuple[str, ...] = Field(min_length=1, max_length=MOST_VALUES)
    members: str

    @property
    def is_yes_or_no(self) -> bool:
        """Whether the column says whether a sentence has a feature."""
        return frozenset(value.casefold() for value in self.values) in YES_OR_NO


class Annotations(BaseModel):
    """The file from which columns were taken: its name, its digest, and its matched sentences."""

    model_config = FROZEN

    file: str
    sha256: str
    matched: Whole


class Slices(BaseModel):
    """The slices of a data set's validation sentences.

    `fingerprint` is the data's; `annotations` is None if no file of annotations was read.
    """

    model_config = FROZEN

    fingerprint: str
    sentences: Count
    columns: tuple[SliceColumn, ...]
    annotations: Annotations | None = Field(None, exclude_if=lambda value: value is None)

    @model_validator(mode="after")
    def _members_fit(self) -> Self:
        names = [column.name for column in self.columns]
        if len(set(names)) < len(names):
            raise PydanticCustomError("slices", "a column of slices occurs twice")
        for column in self.columns:
            try:
                unpack(column.members, self.sentences)
                number = number_of_classes(column.members)
            except ValueError as error:
                problem = {"column": column.name, "problem": str(error)}
                raise PydanticCustomError("slices", "column {column}: {problem}", problem) from None
            if number != len(column.values) + 1 or len(set(column.values)) < len(column.values):
                problem = {"column": column.name}
                raise PydanticCustomError(
                    "slices", "column {column}: its members do not fit its values", problem
                )
        return self

    def members(self, column: SliceColumn) -> np.ndarray:
        """Return (sentences,): the position of each sentence's value, from 1; 0 without one."""
        return unpack(column.members, self.sentences)

    def each(self) -> Iterator[Slice]:
        """Yield every slice, by column and value."""
        for column in self.columns:
            members = self.members(column)
            for position, value in enumerate(column.values, start=1):
                listed = not column.is_yes_or_no or value.casefold() in YES
                yield Slice(column.name, value, members == position, listed)


def slice_column(name: str, values: Sequence[str]) -> SliceColumn:
    """Return a column from the value of each validation sentence; "" means no value.

    Values are sorted by the numbers at their beginning, so that lengths ascend, then by text.

    Raises:
        ValueError: no sentence has a value, or there are more than MOST_VALUES.
    """
    known = sorted(set(values) - {""}, key=by_first_number)
    if not 0 < len(known) <= MOST_VALUES:
        raise ValueError(f"{len(known):,} different values: expected 1 to {MOST_VALUES}")
    positions = {value: position for position, value in enumerate(("", *known))}
    members = np.array([positions[value] for value in values])
    return SliceColumn(name=name, values=tuple(known), members=pack(members, len(known) + 1))


def make_slices(
    fingerprint: str, columns: Mapping[str, Sequence[str]], annotations: Annotations | None = None
) -> Slices | None:
    """Return the slices of a data set from the values of each column; None without any column.

    Args:
        columns: by name, the value of each validation sentence, "" without a value.
    """
    if not columns:
        return None
    sentences = len(next(iter(columns.values())))
    found = tuple(slice_column(name, values) for name, values in columns.items())
    return Slices(
        fingerprint=fingerprint, sentences=sentences, columns=found, annotations=annotations
    )


def slice_problems(slices: Slices, records: Iterable[Record]) -> Iterator[str]:
    """Yield how slices contradict the records of runs on the same data.

    Records of two classes count the sentences of each source and of each length, by label, and
    records of any number of classes contain the source and the domain of each sentence: the slices
    of these columns must have the same.
    """
    columns = {column.name: slices.members(column) for column in slices.columns}
    values = {column.name: column.values for column in slices.columns}
    fingerprints = set()
    for record in records:
        facts = record.dataset
        if facts is None or record.status != "ok" or record.labels is None:
            continue
        fingerprints.add(facts.fingerprint)
        if facts.fingerprint != slices.fingerprint:
            continue
        if facts.validation != slices.sentences:
            yield f"slices: {slices.sentences} sentences, but {record.cell} has {facts.validation}"
            return
        for kind, grouping in (record.groupings or {}).items():
            if kind in columns and not _same_groups(
                grouping, (("", *values[kind]), columns[kind]), slices.sentences
            ):
                yield (
                    f"slices: the {kind} of some sentences is another one than in the record of "
                    f"{record.cell} with seed {record.seed}"
                )
                return
        labels = unpack(record.labels, facts.validation)
        for kind, groups in record.confusion_by.items():
            if kind not in columns:
                continue
            for position, value in enumerate(values[kind], start=1):
                of_slice = labels[columns[kind] == position]
                counts = groups.get(value)
                held = None if counts is None else _by_label(counts)
                found = (int((of_slice == 0).sum()), int((of_slice == 1).sum()))
                if held != found:
                    yield (
                        f"slices: {kind}={value} has sentences by label {found}, but the record "
                        f"of {record.cell} with seed {record.seed} counts {held}"
                    )
                    return
    if fingerprints and slices.fingerprint not in fingerprints:
        yield "slices: they are of other data than the records"


def _same_groups(
    grouping: Grouping, column: tuple[Sequence[str], np.ndarray], sentences: int
) -> bool:
    """Return whether a record has the same group of each sentence as a column of slices.

    Args:
        column: its values, the first for a sentence without one, and (sentences,) positions.
    """
    try:
        numbers = grouping.unpacked(sentences)
    except ValueError:  # store.checks.consistency reports it
        return True
    values, positions = column
    held = np.array(grouping.names, dtype=object)[numbers]
    return bool((held == np.array(values, dtype=object)[positions]).all())


def _by_label(counts: Confusion) -> tuple[int, int]:
    negative = counts.true_negative + counts.false_positive
    return negative, counts.true_positive + counts.false_negative
