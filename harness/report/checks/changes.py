"""Which files of a leaderboard differ from those in a folder, and where."""

import codecs
import csv
import io
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from harness.judging.further_columns.settings import settings_in
from harness.text import counted, some
from harness.validation import shown, shown_apart

SAME_DATA = "the same data, but not byte for byte what the records give"

BYTE_ORDER_MARK = "a byte-order mark at its beginning"

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
    if not present:
        return ["empty"]
    if path.suffix in (".png", ".parquet"):
        return ["different content"]
    text = present.removeprefix(codecs.BOM_UTF8)
    marked = [BYTE_ORDER_MARK] if text != present else []
    found: list[str] = []
    try:
        if path.suffix == ".json":
            found = list(_json_differences(text, content))
        elif path.suffix == ".csv":
            found = list(_csv_differences(text, content))
    except RecursionError:
        found = ["its objects or lists are nested too deeply to be compared"]
    except (ValueError, LookupError, TypeError, AttributeError, csv.Error):
        pass  # not what it should be: the first line that differs shows it
    return marked + (found or [_first_line(text, content)])


def other_form(path: Path, content: bytes) -> str | None:
    """Return in what form a file holds the data that are expected; None if it holds other data.

    Args:
        content: the expected content, which differs from the file's.
    """
    if path.suffix in (".png", ".parquet"):
        return None
    try:
        present = path.read_bytes()
        text = present.removeprefix(codecs.BOM_UTF8)
        form = _form(path.suffix, text, content)
    except (OSError, ValueError, csv.Error, RecursionError):
        return None
    if form is None:
        return None
    marked = BYTE_ORDER_MARK if text != present else ""
    return f"{SAME_DATA} ({'; '.join(filter(None, [marked, form]))})"


def _form(suffix: str, present: bytes, content: bytes) -> str | None:
    """Return how the text of the expected data differs, "" if it does not; None for other data."""
    if present == content:
        return ""
    if suffix == ".csv" and _table(present) != _table(content):
        return None  # line ends may be part of values
    if present.replace(b"\r\n", b"\n") == content:
        return "other line ends"
    if suffix == ".csv":
        return "other line ends, quotation marks or order of columns"
    if suffix == ".json":
        (found, repeated), (wanted, _) = _parsed(present), _parsed(content)
        if not repeated and _alike(found, wanted):
            return "other white space, order of keys, or notation of numbers or text"
    return None


def _parsed(content: bytes) -> tuple[Any, list[str]]:
    """Return the value of a JSON text, and a line for each key that one object has repeatedly."""
    repeated: list[str] = []

    def read(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
        given: dict[str, list[Any]] = {}
        for key, value in pairs:
            given.setdefault(key, []).append(value)
        for key, values in given.items():
            if len(values) > 1:
                seen = some([shown(value) for value in values])
                repeated.append(f"the key {shown(key)} is repeated in one object: {seen}")
        return dict(pairs)

    # Not the bytes, which could be of any encoding.
    return json.loads(content.decode(), object_pairs_hook=read), repeated


def _json_differences(present: bytes, content: bytes) -> Iterator[str]:
    (found, repeated), (wanted, _) = _parsed(present), _parsed(content)
    yield from _rows(found["rows"], wanted["rows"])
    lines = [*repeated, *_values(found | {"rows": None}, wanted | {"rows": None})]
    yield from lines[:MOST_VALUES]
    if (more := len(lines) - MOST_VALUES) > 0:
        yield f"and {counted(more, 'further value')}"


def _lines_of_csv(content: bytes) -> list[tuple[int, list[str]]]:
    """Return every line's number and values, the header's and blank ones' too.

    Raises:
        ValueError: it is not UTF-8.
        csv.Error: quotation marks are not those of CSV.
    """
    reader = csv.reader(io.StringIO(content.decode(), newline=""), strict=True)
    return [(reader.line_num, values) for values in reader]


def _table(content: bytes) -> list[list[str]]:
    """Return the header and rows of a CSV file, with its columns in the order of their names.

    Raises:
        ValueError: programs read it differently: a column is repeated, or a row has a value more or
            less than the header; also as in _lines_of_csv.
    """
    lines = [values for _, values in _lines_of_csv(content)]
    header = lines[0] if lines else []
    if len({*header}) < len(header) or any(len(values) != len(header) for values in lines):
        raise ValueError("not one value for each column")
    order = sorted(range(len(header)), key=header.__getitem__)
    return [[values[place] for place in order] for values in lines]


def _csv_differences(present: bytes, content: bytes) -> Iterator[str]:
    (_, header), *lines = _lines_of_csv(present)
    (_, wanted_header), *wanted_lines = _lines_of_csv(content)
    times = Counter(header)
    columns = [f"{shown(name)} is missing" for name in wanted_header if name not in times]
    columns += [f"{shown(name)} is extra" for name in times if name not in wanted_header]
    columns += [f"{shown(name)} is repeated" for name, seen in times.items() if seen > 1]
    if columns:
        yield f"columns: {some(columns)}"
    if blank := [f"line {number}" for number, values in lines if not values]:
        yield f"blank: {some(blank)}"
    rows = [(number, values) for number, values in lines if values]
    if cut := [
        f"line {number} has {counted(len(values), 'value')}"
        for number, values in rows
        if len(values) != len(header)
    ]:
        yield f"the header has {counted(len(header), 'column')}: {some(cut)}"
    shared = {*header} & {*wanted_header}
    yield from _rows(
        [_of_columns(shared, header, values) for _, values in rows],
        [_of_columns(shared, wanted_header, values) for _, values in wanted_lines],
    )


def _of_columns(names: set[str], header: list[str], values: list[str]) -> dict[str, Any]:
    return {name: value for name, value in zip(header, values, strict=False) if name in names}


def _rows(present: list[dict[str, Any]], expected: list[dict[str, Any]]) -> Iterator[str]:
    for number, (actual, wanted) in enumerate(zip_longest(present, expected), start=1):
        if actual is None or wanted is None:
            row = wanted or actual or {}
            yield f"row {number}: {'missing' if actual is None else 'extra'}{_cell(row)}"
        elif changes := list(_values(actual, wanted)):
            yield f"row {number}{_cell(wanted)}: {some(changes)}"


def _cell(row: dict[str, Any]) -> str:
    """Return ": " and the cell of a row, nothing if the row lacks it."""
    if not {"checkpoint", "batch_size", "learning_rate"} <= row.keys():
        return ""
    return (
        f": {row['checkpoint']}, batch {row['batch_size']}, learning rate {row['learning_rate']}"
        + "".join(f", {each.heading} {row[each.name]}" for each in settings_in(row))
    )


def _alike(present: Any, expected: Any) -> bool:
    return next(_values(present, expected), None) is None


def _values(present: Any, expected: Any, place: str = "") -> Iterator[str]:
    """Yield the place of each value that differs, such as records[2].seed, with both values.

    1 and 1.0 are the same number in JSON, but true is none.
    """
    if isinstance(present, dict) and isinstance(expected, dict):
        for key in {**expected, **present}:
            inner = f"{place}.{key}" if place else str(key)
            if key not in present:
                yield f"{inner} is missing, the records give {shown(expected[key])}"
            elif key not in expected:
                yield f"{inner} is extra: {shown(present[key])}"
            else:
                yield from _values(present[key], expected[key], inner)
    elif isinstance(present, list) and isinstance(expected, list) and len(present) == len(expected):
        for number, (actual, wanted) in enumerate(zip(present, expected, strict=True)):
            yield from _values(actual, wanted, f"{place}[{number}]")
    elif isinstance(present, list) and isinstance(expected, list):
        yield f"{place} has {len(present)} entries, the records give {len(expected)}"
    elif present != expected or isinstance(present, bool) != isinstance(expected, bool):
        held, wanted = shown_apart(present, expected)
        yield f"{place} is {held}, the records give {wanted}"


def _first_line(present: bytes, content: bytes) -> str:
    lines = zip_longest(
        present.decode(errors="replace").split("\n"), content.decode(errors="replace").split("\n")
    )
    for number, (actual, wanted) in enumerate(lines, start=1):
        if actual == wanted:
            continue
        if actual is None or wanted is None:
            change = "an extra line" if wanted is None else "missing"
        else:
            held, right = shown_apart(actual, wanted)
            change = f"the records give {right}, the file has {held}"
        return f"first difference in line {number}: {change}"
    return "different bytes"
