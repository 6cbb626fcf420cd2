"""The arguments, the result and the column checks of every reader of a user's file."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from harness.errors import BadInput
from harness.inputs.data.rows import shown

COLUMNS_SHOWN = 10

Key = Literal[
    "text_column",
    "prediction_column",
    "label_column",
    "group_column",
    "slice_columns",
    "delimiter",
    "quoting",
]
"""Settings of a file, named as in the suite's [dataset] section."""


@dataclass(frozen=True)
class Wanted:
    """Which columns of a file are read, how the file is written, and where the user set this.

    Attributes:
        text: the column of sentences; None if not named: then a reader reports the existing
            columns as a mistake.
        label: the column of labels; None if no labels are read.
        class_names: the names of the classes; None without labels.
        delimiter: the delimiter of a delimited file; None for the default of its extension.
        quoting: as `dataset.quoting` of a suite.
        group: the column of groups; None if no groups are read.
        by_options: whether the settings are command-line options instead of suite keys.
        further: other columns that are read, in this order.
        text_key: the setting that names `text`; the values may be predictions instead.
    """

    text: str | None
    label: str | None = None
    class_names: Sequence[str] | None = None
    delimiter: str | None = None
    quoting: Literal["csv", "none"] | None = None
    group: str | None = None
    by_options: bool = False
    further: tuple[str, ...] = ()
    text_key: Literal["text_column", "prediction_column"] = "text_column"

    @property
    def named(self) -> list[tuple[Key, str | None]]:
        """The columns that are read, in the order that `row` expects, after their settings."""
        known: list[tuple[Key, str | None]] = [
            ("label_column", self.label),
            ("group_column", self.group),
        ]
        further: list[tuple[Key, str | None]] = [("slice_columns", name) for name in self.further]
        return [
            (self.text_key, self.text),
            *((key, name) for key, name in known if name is not None),
            *further,
        ]

    @property
    def columns(self) -> tuple[str | None, ...]:
        """The columns that are read, in the order that `row` expects."""
        return tuple(name for _, name in self.named)

    def row(self, where: str, values: Iterable[object]) -> "TableRow":
        """Return a row from its values of `columns`."""
        sentence, *rest = values
        label = rest.pop(0) if self.label is not None else None
        group = rest.pop(0) if self.group is not None else None
        return TableRow(where, sentence, label, group, tuple(rest))

    @property
    def shapes(self) -> str:
        """The end of a message: the allowed structures of a JSON file."""
        values = "a sentence" if self.label is None else "a sentence and a label"
        return f"write an array of objects, or one object per line, each with {values}"

    def name(self, key: Key) -> str:
        """Return the user's name of a setting: an option or a suite key."""
        return f"--{key.replace('_', '-')}" if self.by_options else f"dataset.{key}"

    def set_to(self, key: Key, value: str) -> str:
        """Return what the user must write to set a setting to a value."""
        written = '"\\t"' if value == "\t" else f'"{value}"'
        return f"{self.name(key)} {written}" if self.by_options else f"{self.name(key)} = {written}"


@dataclass(frozen=True)
class TableRow:
    """One row with the file's own values; `where` is its place, for messages.

    `label` and `group` are None if none are read. `further` are the values of `Wanted.further`.
    """

    where: str
    sentence: object
    label: object = None
    group: object = None
    further: tuple[object, ...] = ()


@dataclass(frozen=True)
class Table:
    """The rows that could be read, a problem for every other row, and remarks.

    `class_names` are those that the file itself declares, by label from 0; None if it does not.
    """

    records: list[TableRow]
    problems: list[str]
    notes: list[str] = field(default_factory=list)
    class_names: tuple[str, ...] | None = None


class ColumnNotNamed(BadInput):
    """A file has columns, but the column of sentences was not named; `columns` are its columns."""

    def __init__(self, problems: Sequence[str], columns: Sequence[str]) -> None:
        super().__init__(problems)
        self.columns = tuple(columns)


class NoLabelColumn(BadInput):
    """A file has the column of sentences, but no column of labels; a test file may be so."""


def column_error(
    where: object, columns: Sequence[str], wanted: Wanted, problems: Sequence[str] = ()
) -> BadInput | None:
    """Return the error of a file whose columns are not the wanted ones, or None.

    Args:
        problems: what to report; by default what column_problems finds.
    """
    problems = problems or column_problems(where, columns, wanted)
    if not problems:
        return None
    if wanted.text is None:
        return ColumnNotNamed(problems, columns)
    only_labels = columns.count(str(wanted.text)) == 1 and wanted.label not in columns
    return NoLabelColumn(problems) if only_labels else BadInput(problems)


def column_problems(where: object, columns: Sequence[str], wanted: Wanted) -> list[str]:
    """Return a problem for each wanted column that does not exist exactly once."""
    problems = []
    existing = listed(columns, COLUMNS_SHOWN)
    for key, name in wanted.named:
        if name is None:
            what = f"a table with the columns {existing}"
            problems.append(f"{where}: {what}; name the sentences' column with {wanted.name(key)}")
        elif columns.count(name) != 1:
            what = "no column" if name not in columns else "more than one column"
            remedy = f"set {wanted.name(key)} to one of them"
            problems.append(f"{where}: {what} {shown(name)}; there are {existing}: {remedy}")
    return problems


def listed(values: Sequence[object], most: int) -> str:
    """Return the first values, quoted for a message, and the number of the others."""
    more = f" and {len(values) - most:,} more" if len(values) > most else ""
    return ", ".join(map(shown, values[:most])) + more
