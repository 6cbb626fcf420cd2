"""What every reader of a user's file is asked and returns, and what they say of its columns."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from harness.inputs.data.rows import shown

COLUMNS_SHOWN = 10

Key = Literal["text_column", "label_column", "delimiter", "quoting"]
"""What a user may say of a file, as the suite's section [dataset] calls it."""


@dataclass(frozen=True)
class Wanted:
    """Which columns of a file are read, how the file is written, and who says so.

    Attributes:
        text: the column of sentences; None where nobody named it: then a reader says which there
            are, as a mistake.
        label: the column of labels; None where none is read.
        class_names: of label 0 and 1; None without labels.
        delimiter: between the columns of a delimited file; by default that of its extension.
        quoting: as `dataset.quoting` of a suite.
        by_options: whether the user says all this by options of a command, not in a suite file.
    """

    text: str | None
    label: str | None = None
    class_names: tuple[str, str] | None = None
    delimiter: str | None = None
    quoting: Literal["csv", "none"] | None = None
    by_options: bool = False

    @property
    def columns(self) -> tuple[str | None, ...]:
        """The columns that are read, in the order of a Record's fields."""
        return (self.text,) if self.label is None else (self.text, self.label)

    @property
    def shapes(self) -> str:
        """What a JSON file may be."""
        holds = "a sentence" if self.label is None else "a sentence and a label"
        return f"write an array of objects, or one object a line, each with {holds}"

    def name(self, key: Key) -> str:
        """Return what a user calls a setting."""
        return f"--{key.replace('_', '-')}" if self.by_options else f"dataset.{key}"

    def set_to(self, key: Key, value: str) -> str:
        """Return what a user writes to give a setting a value."""
        written = '"\\t"' if value == "\t" else f'"{value}"'
        return f"{self.name(key)} {written}" if self.by_options else f"{self.name(key)} = {written}"


@dataclass(frozen=True)
class Record:
    """One row as the file has it; `where` is the place that a message names.

    `label` is None where none is read.
    """

    where: str
    sentence: object
    label: object = None


@dataclass(frozen=True)
class Table:
    """The rows that a reader could make out, a complaint for every other, and what it noticed."""

    records: list[Record]
    problems: list[str]
    notes: list[str] = field(default_factory=list)


def column_problems(where: object, columns: Sequence[str], wanted: Wanted) -> list[str]:
    """Return a complaint for each of the wanted columns that is not there exactly once."""
    problems = []
    there = listed(columns, COLUMNS_SHOWN)
    keys: tuple[Key, ...] = ("text_column", "label_column")
    for key, name in zip(keys, wanted.columns, strict=False):
        if name is None:
            what = f"a table with the columns {there}"
            problems.append(f"{where}: {what}; name that of the sentences with {wanted.name(key)}")
        elif columns.count(name) != 1:
            what = "no column" if name not in columns else "more than one column"
            remedy = f"set {wanted.name(key)} to one of them"
            problems.append(f"{where}: {what} {shown(name)}; there are {there}: {remedy}")
    return problems


def listed(values: Sequence[object], most: int) -> str:
    """Return values as a message quotes them, the first of many."""
    more = f" and {len(values) - most:,} more" if len(values) > most else ""
    return ", ".join(map(shown, values[:most])) + more
