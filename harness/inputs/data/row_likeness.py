"""Tests whether a line of a delimited file could be a row, to detect ambiguous quotation marks."""

import re
from collections.abc import Callable, Sequence

from harness.suite.class_names import classes_of_labels, meaning_of

NUMBER = re.compile(r"[+-]?[0-9]+([.,][0-9]+)?", re.ASCII)

FEW = 2
"""A column with at most this many different values is a closed set, even in a short file."""

Test = Callable[[Sequence[str]], bool]


def has_label(columns: int, label: int, class_names: Sequence[str]) -> Test:
    """Return a test of whether values are as many as the columns and contain a valid label.

    Args:
        columns: number of the file's columns.
        label: position of the label column.
    """
    known = classes_of_labels(class_names)
    return lambda values: len(values) == columns and meaning_of(values[label]) in known


def fits_columns(columns: int, text: int, rows: Sequence[Sequence[str]]) -> Test:
    """Return a test of whether values fit the columns of a file without labels.

    A column of numbers accepts numbers, a column of few different values accepts only these, any
    other column accepts everything. So more lines are ambiguous than in a file with labels.

    Args:
        columns: number of the file's columns.
        text: position of the column of sentences, which accepts everything.
        rows: the values of the file's rows.
    """
    whole = [values for values in rows if len(values) == columns]
    accepts = {
        position: _accepts([values[position].strip() for values in whole])
        for position in range(columns)
        if position != text
    }
    return lambda values: (
        len(values) == columns
        and all(accepts[position](values[position].strip()) for position in accepts)
    )


def _accepts(column: Sequence[str]) -> Callable[[str], object]:
    known = set(column)
    if known and all(map(NUMBER.fullmatch, known)):
        return NUMBER.fullmatch
    if len(known) <= max(FEW, len(column) // 2):
        return known.__contains__
    return lambda _: True
