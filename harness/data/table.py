"""What every reader of a user's file returns, and what they say of its columns."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from harness.data.rows import shown

COLUMNS_SHOWN = 10


@dataclass(frozen=True)
class Record:
    """One row as the file has it; `where` is the place that a message names."""

    where: str
    sentence: object
    label: object


@dataclass(frozen=True)
class Table:
    """The rows that a reader could make out, a complaint for every other, and what it noticed."""

    records: list[Record]
    problems: list[str]
    notes: list[str] = field(default_factory=list)


def column_problems(
    where: object, columns: Sequence[str], wanted: tuple[str, str], way_out: str = ""
) -> list[str]:
    """Return a complaint for each of the two wanted columns that is not there exactly once.

    Args:
        wanted: the column of sentences and that of labels.
        way_out: in place of naming another column.
    """
    problems = []
    for key, name in zip(("text_column", "label_column"), wanted, strict=True):
        if columns.count(name) != 1:
            what = "no column" if name not in columns else "more than one column"
            there = listed(columns, COLUMNS_SHOWN)
            remedy = way_out or f"set dataset.{key} to one of them"
            problems.append(f"{where}: {what} {shown(name)}; there are {there}: {remedy}")
    return problems


def listed(values: Sequence[object], most: int) -> str:
    """Return values as a message quotes them, the first of many."""
    more = f" and {len(values) - most:,} more" if len(values) > most else ""
    return ", ".join(map(shown, values[:most])) + more
