"""The column of a user's own data that names the group of each sentence, such as its author."""

import math
from collections.abc import Iterator, Sequence

from harness.inputs.data.rows import shown
from harness.inputs.data.table import TableRow
from harness.text import counted


def name_of(value: object) -> str:
    """Return the name of a group; "" for data without a column of groups.

    Whole numbers lose their decimals: 7 and 7.0 are one group, as files of different formats have.
    """
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return "" if value is None else str(value)


def problems(rows: Sequence[TableRow], column: str | None) -> Iterator[str]:
    """Yield a problem for each row whose value cannot name a group.

    Args:
        column: None for data without a column of groups.
    """
    for row in rows if column is not None else ():
        if problem := _problem_of_value(row.group):
            yield f"{row.where}: column {shown(column)}: {problem}"


def _problem_of_value(value: object) -> str | None:
    """Return why a value cannot name a group, and the way out; None if it can."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "missing group; fill it in or remove the row"
    if not isinstance(value, str | int | float):
        return f"{shown(value)} is not text or a number; a group must be one"
    text = str(value)
    if not text.strip():
        return "empty group; fill it in or remove the row"
    if "\0" in text:
        return f"{shown(value)} contains a NUL character; remove it"
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return f"{shown(value)} contains half of a surrogate pair; write the whole character"
    return None


def problems_of_all(where: object, groups: Sequence[str], column: str | None) -> list[str]:
    """Return why the groups of all sentences cannot be used, and the way out.

    Args:
        groups: of all sentences of all splits.
        column: None for data without a column of groups.
    """
    different = len(set(groups))
    sentences = counted(len(groups), "sentence")
    way_out = "name a column whose values are each in several rows, or remove dataset.group_column"
    start = f"{where}: column {shown(column)}:"
    if column is None:
        return []
    if different == 1:
        return [f"{start} all {sentences} are of group {shown(groups[0])}; {way_out}"]
    if different == len(groups):
        return [f"{start} each of the {sentences} is a group of its own; {way_out}"]
    return []
