"""Two columns of a CSV, TSV, JSON lines or Parquet file, every row with its place in the file.

The files are read with csv, json and pyarrow rather than with the loaders of `datasets`, because a
message must name the line and the value, and a sentence that reads "NA" or "1" must stay text.
A TSV file is quoted as a CSV file is, which is how spreadsheets and pandas write it.
"""

import csv
import io
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from harness.data.rows import read_bytes, read_text, shown
from harness.errors import BadInput


@dataclass(frozen=True)
class Record:
    """One row as the file has it; `where` is the place that a message names."""

    where: str
    sentence: object
    label: object


@dataclass(frozen=True)
class Table:
    """What a reader returns: the rows it could make out, and a complaint for every other."""

    records: list[Record]
    problems: list[str]


def _read_delimited(path: Path, wanted: tuple[str, str], delimiter: str) -> Table:
    records: list[Record] = []
    problems: list[str] = []
    lines = csv.reader(io.StringIO(read_text(path), newline=""), delimiter=delimiter, strict=True)
    header: list[str] | None = None
    line = 1
    try:
        for values in lines:
            where, line = f"{path}:{line}", lines.line_num + 1
            if not values:
                continue
            if header is None:
                header = values
                _check_columns(path, header, wanted)
            elif len(values) != len(header):
                problems.append(
                    f"{where}: columns seen: {len(values)}, the header has {len(header)}; "
                    f"a value that holds {shown(delimiter)} needs double quotes around it"
                )
            else:
                row = dict(zip(header, values, strict=True))
                records.append(Record(where, row[wanted[0]], row[wanted[1]]))
    except csv.Error as error:
        problems.append(
            f"{path}:{line}: {error}; a value that begins with a double quote must end with one, "
            "and those inside it are doubled"
        )
    return Table(records, problems)


def _read_json_lines(path: Path, wanted: tuple[str, str]) -> Table:
    text = read_text(path)
    if text.lstrip().startswith("["):
        raise BadInput([f"{path}: a JSON array; write one object a line (JSON lines) instead"])
    rows: list[tuple[str, dict[str, Any]]] = []
    problems: list[str] = []
    for number, line in enumerate(text.split("\n"), start=1):
        where = f"{path}:{number}"
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except json.JSONDecodeError as error:
            problems.append(f"{where}: not JSON ({error.msg}, column {error.colno})")
        except (ValueError, RecursionError) as error:  # a number or a nesting beyond all bounds
            problems.append(f"{where}: not usable JSON ({error})")
        else:
            if isinstance(value, dict):
                rows.append((where, value))
            else:
                problems.append(f"{where}: {shown(value)}; a line is one JSON object")
    if rows:
        columns = list(dict.fromkeys(name for _, row in rows for name in row))
        _check_columns(path, columns, wanted)
    records = [Record(where, row.get(wanted[0]), row.get(wanted[1])) for where, row in rows]
    return Table(records, problems)


def _read_parquet(path: Path, wanted: tuple[str, str]) -> Table:
    content = read_bytes(path)
    try:
        file = pq.ParquetFile(pa.BufferReader(content))
        _check_columns(path, file.schema_arrow.names, wanted)
        table = file.read(columns=list(wanted), use_threads=False)
        table.validate(full=True)
        sentences, labels = (table.column(name).to_pylist() for name in wanted)
    except BadInput:
        raise
    except Exception as error:  # damage, or a value beyond Python's types, raises nearly anything
        what = " ".join(str(error).split())
        raise BadInput([f"{path}: not a readable Parquet file ({what}); write it again"]) from None
    rows = enumerate(zip(sentences, labels, strict=True), start=1)
    return Table([Record(f"{path}: row {n}", *values) for n, values in rows], [])


def _check_columns(path: Path, columns: Sequence[str], wanted: tuple[str, str]) -> None:
    problems = []
    for key, name in zip(("text_column", "label_column"), wanted, strict=True):
        if columns.count(name) != 1:
            what = "no column" if name not in columns else "more than one column"
            there = ", ".join(map(shown, columns))
            problems.append(
                f"{path}: {what} {shown(name)}; there are {there}: set dataset.{key} to one of them"
            )
    if problems:
        raise BadInput(problems)


READERS: dict[str, Callable[[Path, tuple[str, str]], Table]] = {
    ".csv": partial(_read_delimited, delimiter=","),
    ".tsv": partial(_read_delimited, delimiter="\t"),
    ".jsonl": _read_json_lines,
    ".json": _read_json_lines,
    ".parquet": _read_parquet,
}
