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
from harness.text import shortened, some


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
    found: list[str] = []
    try:
        if path.suffix == ".json":
            found = list(_rows(*(json.loads(each)["rows"] for each in (present, content))))
        elif path.suffix == ".csv":
            found = list(_rows(*map(_rows_of_csv, (present, content))))
        elif path.suffix in (".png", ".parquet"):
            found = ["different content"]
    except (ValueError, LookupError, TypeError, AttributeError, csv.Error):
        pass  # not what it should be: the first line that differs shows it
    return found or [_first_line(present, content)]


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


def _first_line(present: bytes, content: bytes) -> str:
    lines = zip_longest(
        present.decode(errors="replace").split("\n"), content.decode(errors="replace").split("\n")
    )
    for number, (actual, wanted) in enumerate(lines, start=1):
        if actual != wanted:
            change = "an extra line" if wanted is None else f"the records give {shortened(wanted)}"
            return f"first difference in line {number}: {change}"
    return "different bytes"
