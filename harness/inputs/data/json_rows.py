"""Reads columns of a JSON file: an array of objects, or one object per line (JSON Lines)."""

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness.errors import BadInput
from harness.inputs.data.rows import lines_of, read_text, shown
from harness.inputs.data.table import (
    COLUMNS_SHOWN,
    Table,
    Wanted,
    column_error,
    listed,
)


class _Object(dict[str, Any]):
    """An object of the file, and its repeated keys."""

    repeated: frozenset[str] = frozenset()


Values = list[tuple[str, Any]]
"""What should be the file's rows: the place of each, and the value."""


def read_json(path: Path, wanted: Wanted) -> Table:
    """Return the rows of an array of objects or of JSON Lines; the file's extension is ignored.

    Raises:
        BadInput: the columns do not exist, or the file has another structure, named in one line.
    """
    text = read_text(path)
    if _is_lines(text):
        values, problems = _lines(path, text)
        if len(values) == 1 and not problems and (shape := _shape(values[0][1], wanted)):
            problem = f"{path}: {shape}; {wanted.shapes}"
            raise _shape_error(values[0][1], wanted, problem)
        what = "a line is one JSON object"
    else:
        values, problems = _items(path, text, wanted), []
        what = "an array's items are JSON objects"
    rows = [each for each in values if isinstance(each[1], _Object)]
    if values and not rows and not problems:
        first = shown(values[0][1])
        raise BadInput(
            [f"{path}: contains no JSON object; the first value is {first}; {wanted.shapes}"]
        )
    problems += [
        f"{where}: {shown(value)}; {what}"
        for where, value in values
        if not isinstance(value, _Object)
    ]
    if rows:
        columns = list(dict.fromkeys(name for _, row in rows for name in row))
        if error := column_error(path, columns, wanted):
            raise error
    records = []
    for where, row in rows:
        if twice := [name for name in wanted.columns if name in row.repeated]:
            problems.append(f"{where}: repeated key {shown(twice[0])}; remove all but one")
        else:
            records.append(wanted.row(where, map(row.get, wanted.columns)))
    return Table(records, problems)


def _is_lines(text: str) -> bool:
    """Return whether a file is JSON Lines: its first line, or half of its lines, are objects."""
    lines = [line for line in lines_of(text) if line.strip()]
    if is_object(lines[0]):
        return True
    return lines[0].lstrip()[0] != "[" and 2 * sum(map(is_object, lines)) >= len(lines)


def is_object(line: str) -> bool:
    """Return whether a line is a JSON object."""
    try:
        return line.lstrip().startswith("{") and isinstance(_parsed(line), _Object)
    except (ValueError, RecursionError):
        return False


def _lines(path: Path, text: str) -> tuple[Values, list[str]]:
    values: Values = []
    problems = []
    for number, line in enumerate(lines_of(text), start=1):
        where = f"{path}:{number}"
        if not line.strip():
            continue
        try:
            values.append((where, _parsed(line)))
        except json.JSONDecodeError as error:
            problems.append(f"{where}: not JSON ({error.msg}, column {error.colno})")
        except (ValueError, RecursionError) as error:  # too long a number, or too deep a nesting
            problems.append(f"{where}: not usable JSON ({error})")
    return values, problems


def _items(path: Path, text: str, wanted: Wanted) -> Values:
    """Return the items of a file that is one JSON array.

    Raises:
        BadInput: the file is not JSON, or not an array.
    """
    try:
        whole = _parsed(text)
    except json.JSONDecodeError as error:
        where = f"{path}:{error.lineno}"
        if error.msg == "Extra data":
            what = f"{shown(lines_of(text[error.pos :])[0])} after the first JSON value"
            raise BadInput([f"{where}: {what}, column {error.colno}; {wanted.shapes}"]) from None
        problem = f"{where}: not JSON ({error.msg}, column {error.colno})"
        raise BadInput([f"{problem}; fix it, or write one object per line"]) from None
    except (ValueError, RecursionError) as error:
        raise BadInput([f"{path}:1: not usable JSON ({error})"]) from None
    if not isinstance(whole, list):
        shape = _shape(whole, wanted) or "one JSON object, spread over several lines"
        raise BadInput([f"{path}: {shape}; {wanted.shapes}"])
    if not whole:
        raise BadInput([f"{path}: an empty JSON array; it must contain sentences"])
    return [(f"{path}: row {number}", value) for number, value in enumerate(whole, start=1)]


def _shape(value: object, wanted: Wanted) -> str | None:
    """Return a description of a file's only JSON value; None if it is a row."""
    if not isinstance(value, _Object):
        return f"one JSON value, {shown(value)}"
    columns = [value.get(name) for name in wanted.columns if name is not None]
    if columns and all(isinstance(column, list | dict) for column in columns):
        return "one JSON object of columns"
    if columns and all(name in value for name in wanted.columns):
        return None
    nested = [name for name, inner in value.items() if _is_rows(inner)]
    if nested:
        return f"one JSON object, whose key {shown(nested[0])} contains the array of objects"
    if wanted.label is None:  # a file of one sentence
        return None
    return f"one JSON object with the keys {listed(list(value), COLUMNS_SHOWN)}"


def _shape_error(value: object, wanted: Wanted, problem: str) -> BadInput:
    columns = list(value) if isinstance(value, _Object) else []
    return column_error("", columns, wanted, [problem]) or BadInput([problem])


def _is_rows(value: object) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], _Object)


def _parsed(text: str) -> Any:
    return json.loads(text, object_pairs_hook=_object)


def _object(pairs: Sequence[tuple[str, Any]]) -> _Object:
    found = _Object(pairs)
    if len(found) < len(pairs):
        times = Counter(name for name, _ in pairs)
        found.repeated = frozenset(name for name, seen in times.items() if seen > 1)
    return found
