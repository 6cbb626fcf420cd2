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

from harness.text import shortened


def changed_files(folder: Path, contents: Mapping[str, bytes]) -> list[str]:
    """Return the names of the files that are missing in a folder, or hold something else there.

    Parquet files are compared by their rows: other versions of pyarrow write other bytes.
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
    """Return a line for each place where a file is not what it should be; of a table, for each row.

    Args:
        content: what it should hold; something else than it does.
    """
    try:
        present = path.read_bytes()
    except FileNotFoundError:
        return ["missing"]
    except OSError as error:
        return [f"cannot be read ({error.strerror})"]
    found: list[str] = []
    if path.suffix in (".json", ".csv"):
        try:
            read = _rows_of_json if path.suffix == ".json" else _rows_of_csv
            found = list(_rows(read(present), read(content)))
        except (ValueError, LookupError, TypeError, csv.Error):
            found = []
    if not found and path.suffix in (".png", ".parquet"):
        found = ["other content"]
    return found or [_first_line(present, content)]


def _rows_of_json(content: bytes) -> list[dict[str, Any]]:
    return [dict(row) for row in json.loads(content)["rows"]]


def _rows_of_csv(content: bytes) -> list[dict[str, Any]]:
    return list(csv.DictReader(io.StringIO(content.decode(), newline="")))


def _rows(present: list[dict[str, Any]], expected: list[dict[str, Any]]) -> Iterator[str]:
    for number, (held, right) in enumerate(zip_longest(present, expected), start=1):
        if held == right:
            continue
        if held is None or right is None:
            what = "missing" if held is None else "too many"
            yield f"row {number}: {what}: {_cell(held or right)}"
            continue
        others = [name for name in {**right, **held} if held.get(name) != right.get(name)]
        said = ", ".join(
            f"{name} is {held.get(name)!r} and not {right.get(name)!r}" for name in others[:3]
        )
        more = f" and {len(others) - 3} more" if len(others) > 3 else ""
        yield f"row {number}: {_cell(right)}: {said}{more}"


def _cell(row: Mapping[str, Any] | None) -> str:
    named = row or {}
    return (
        f"{named.get('checkpoint')}, batch {named.get('batch_size')}, "
        f"learning rate {named.get('learning_rate')}"
    )


def _first_line(present: bytes, content: bytes) -> str:
    lines = zip_longest(
        present.decode(errors="replace").split("\n"), content.decode(errors="replace").split("\n")
    )
    for number, (held, right) in enumerate(lines, start=1):
        if held != right:
            said = "one line too many" if right is None else f"it should be {shortened(right)}"
            return f"first in line {number}: {said}"
    return "other bytes"
