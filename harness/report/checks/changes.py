"""Which files of a leaderboard differ from those in a folder, and where."""

import csv
import io
import json
from collections.abc import Iterator, Mapping
from itertools import zip_longest
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from harness.judging.further_columns.settings import settings_in
from harness.text import counted, shortened, some

SAME_DATA = "the same data, but not byte for byte what the records give"

MOST_VALUES = 10
"""How many values outside the table's rows are told; the rest are only counted."""


def changed_files(folder: Path, contents: Mapping[str, bytes]) -> list[str]:
    """Return the names of the files that are missing in a folder, or have other content there.

    Parquet files are compared by their rows, because versions of pyarrow write different bytes.
    """
    return [name for name, content in contents.items() if not _same(folder / name, content)]


def _same(path: Path, content: bytes) -> bool:
    try:
        present = path.read_bytes()
    except OSError:
        return False
    if present == content or path.suffix != ".parquet":
        return present == content
    try:
        return bool(pq.read_table(io.BytesIO(present)).equals(pq.read_table(io.BytesIO(content))))
    except pa.ArrowException:
        return False


def differences(path: Path, content: bytes) -> list[str]:
    """Return a line for each difference of a file from its expected content; in a table, per row.

    Args:
        content: the expected content, which differs from the file's.
    """
    try:
        present = path.read_bytes()
    except FileNotFoundError:
        return ["missing"]
    except OSError as error:
        return [f"cannot be read ({error.strerror})"]
    if (form := other_form(path, content)) is not None:
        return [form]
    found: list[str] = []
    try:
        if path.suffix == ".json":
            actual, wanted = json.loads(present), json.loads(content)
            found = list(_rows(actual["rows"], wanted["rows"]))
            others = list(_values(actual | {"rows": None}, wanted | {"rows": None}))
            more = len(others) - MOST_VALUES
            found += others[:MOST_VALUES]
            found += [f"and {counted(more, 'further value')}"] if more > 0 else []
        elif path.suffix == ".csv":
            found = list(_rows(*map(_rows_of_csv, (present, content))))
        elif path.suffix in (".png", ".parquet"):
            found = ["different content"]
    except (ValueError, LookupError, TypeError, AttributeError, csv.Error):
        pass  # not what it should be: the first line that differs shows it
    return found or [_first_line(present, content)]


def other_form(path: Path, content: bytes) -> str | None:
    """Return in what form a file holds the data that are expected; None if it holds other data.

    Args:
        content: the expected content, which differs from the file's.
    """
    try:
        present = path.read_bytes()
        if path.suffix in (".png", ".parquet"):
            return None
        if present.replace(b"\r\n", b"\n") == content:
            return f"{SAME_DATA} (other line ends)"
        if path.suffix == ".json" and json.loads(present) == json.loads(content):
            return f"{SAME_DATA} (other white space, order of keys or notation of numbers)"
        if path.suffix == ".csv" and _rows_of_csv(present) == _rows_of_csv(content):
            return f"{SAME_DATA} (other line ends, quotation marks or order of columns)"
    except (OSError, ValueError, csv.Error):
        pass
    return None


def _rows_of_csv(content: bytes) -> list[dict[str, Any]]:
    return list(csv.DictReader(io.StringIO(content.decode(), newline="")))


def _rows(present: list[dict[str, Any]], expected: list[dict[str, Any]]) -> Iterator[str]:
    for number, (actual, wanted) in enumerate(zip_longest(present, expected), start=1):
        if actual == wanted:
            continue
        row = wanted or actual or {}
        cell = (
            f"{row.get('checkpoint')}, batch {row.get('batch_size')}, "
            f"learning rate {row.get('learning_rate')}"
            + "".join(f", {each.heading} {row[each.name]}" for each in settings_in(row))
        )
        if actual is None or wanted is None:
            yield f"row {number}: {'missing' if actual is None else 'extra'}: {cell}"
            continue
        others = [name for name in {**wanted, **actual} if actual.get(name) != wanted.get(name)]
        changes = [
            f"{name} is {actual.get(name)!r}, the records give {wanted.get(name)!r}"
            for name in others
        ]
        yield f"row {number}: {cell}: {some(changes)}"


def _values(present: Any, expected: Any, place: str = "") -> Iterator[str]:
    """Yield the place of each value that differs, such as records[2].seed, with both values."""
    if present == expected:
        return
    if isinstance(present, dict) and isinstance(expected, dict):
        for key in {**expected, **present}:
            inner = f"{place}.{key}" if place else str(key)
            if key not in present:
                yield f"{inner} is missing, the records give {_brief(expected[key])}"
            elif key not in expected:
                yield f"{inner} is extra: {_brief(present[key])}"
            else:
                yield from _values(present[key], expected[key], inner)
    elif isinstance(present, list) and isinstance(expected, list) and len(present) == len(expected):
        for number, (actual, wanted) in enumerate(zip(present, expected, strict=True)):
            yield from _values(actual, wanted, f"{place}[{number}]")
    elif isinstance(present, list) and isinstance(expected, list):
        yield f"{place} has {len(present)} entries, the records give {len(expected)}"
    else:
        yield f"{place} is {_brief(present)}, the records give {_brief(expected)}"


def _brief(value: Any) -> str:
    """Return a value as text; a long one is shortened, a number never is."""
    return repr(value) if isinstance(value, int | float | None) else shortened(str(value))


def _first_line(present: bytes, content: bytes) -> str:
    lines = zip_longest(
        present.decode(errors="replace").split("\n"), content.decode(errors="replace").split("\n")
    )
    for number, (actual, wanted) in enumerate(lines, start=1):
        if actual != wanted:
            change = "an extra line" if wanted is None else f"the records give {shortened(wanted)}"
            return f"first difference in line {number}: {change}"
    return "different bytes"
