"""Could a line of a delimited file be a row of it? Asked where a quotation mark may be in doubt."""

import re
from collections.abc import Callable, Sequence

from harness.suite.class_names import classes_of_labels, meaning_of

NUMBER = re.compile(r"[+-]?[0-9]+([.,][0-9]+)?", re.ASCII)

FEW = 2
"""So many different values of a column may be all that it has, however short the file is."""

Test = Callable[[Sequence[str]], bool]


def has_label(columns: int, label: int, class_names: tuple[str, str]) -> Test:
    """Return what tells whether values are as many as the columns, with a label among them.

    Args:
        columns: of the file.
        label: position of the column of labels.
    """
    known = classes_of_labels(class_names)
    return lambda values: len(values) == columns and meaning_of(values[label]) in known


def fits_columns(columns: int, text: int, rows: Sequence[Sequence[str]]) -> Test:
    """Return what tells whether values could stand beside a sentence, by what the other rows hold.

    A column of numbers takes numbers, one of few different values these alone, any other whatever
    it is given. So of a file without labels more is in doubt than of one with them.

    Args:
        columns: of the file.
        text: position of the column of sentences.
        rows: the values of the file's rows.
    """
    whole = [values for values in rows if len(values) == columns]
    takes = {
        position: _takes([values[position].strip() for values in whole])
        for position in range(columns)
        if position != text
    }
    return lambda values: (
        len(values) == columns
        and all(takes[position](values[position].strip()) for position in takes)
    )


def _takes(column: Sequence[str]) -> Callable[[str], bool]:
    known = set(column)
    if known and all(map(_is_number, known)):
        return _is_number
    if len(known) <= max(FEW, len(column) // 2):
        return known.__contains__
    return lambda _: True


def _is_number(value: str) -> bool:
    return NUMBER.fullmatch(value) is not None
