"""The formats of a user's file, each with its reader.

The files are read with csv, json and pyarrow instead of the loaders of `datasets`, because a
message must name the line and the value, and a sentence such as "NA" or "1" must stay text.
"""

import json
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from harness.errors import BadInput
from harness.inputs.data.delimited import read_delimited
from harness.inputs.data.json_rows import read_json
from harness.inputs.data.rows import read_bytes, shown
from harness.inputs.data.table import Table, Wanted, column_error
from harness.suite.file_names import extension


def _read_parquet(path: Path, wanted: Wanted) -> Table:
    content = read_bytes(path)
    try:
        file = pq.ParquetFile(pa.BufferReader(content))
        if error := column_error(path, file.schema_arrow.names, wanted):
            raise error
        table = file.read(columns=list(wanted.columns), use_threads=False)
        table.validate(full=True)
        columns = [table.column(name).to_pylist() for name in wanted.columns]
        declared = _declared_names(file.schema_arrow, wanted.label)
    except BadInput:
        raise
    except Exception as error:  # a damaged file or an unusual value may raise any exception
        what = " ".join(str(error).split())
        raise BadInput([f"{path}: not a readable Parquet file ({what}); write it again"]) from None
    rows = enumerate(zip(*columns, strict=True), start=1)
    records = [wanted.row(f"{path}: row {n}", values) for n, values in rows]
    return Table(records, [], class_names=declared)


def _declared_names(schema: pa.Schema, label: str | None) -> tuple[str, ...] | None:
    """Return the class names of a column of integers, as `datasets` writes them into a file."""
    content = (schema.metadata or {}).get(b"huggingface")
    if content is None or label is None or not pa.types.is_integer(schema.field(label).type):
        return None
    try:
        names = json.loads(content)["info"]["features"][label]["names"]
    except (ValueError, LookupError, TypeError):
        return None  # another program's metadata, or a column without names
    is_list = isinstance(names, list) and all(isinstance(name, str) for name in names)
    return tuple(names) if is_list and names else None


READERS: dict[str, Callable[[Path, Wanted], Table]] = {
    ".csv": read_delimited,
    ".tsv": read_delimited,
    ".jsonl": read_json,
    ".json": read_json,
    ".parquet": _read_parquet,
}


Reader = Callable[[Path, Wanted], Table]


def reader_of(path: Path) -> Reader:
    """Return the reader of a file, by its extension; a final .gz is ignored.

    Raises:
        BadInput: an extension that is not in READERS.
    """
    if (reader := READERS.get(extension(path))) is not None:
        return reader
    allowed = f"allowed are {', '.join(READERS)}, each also with .gz"
    raise BadInput([f"{path}: extension {shown(path.suffix)}; {allowed}"])


def check_file(path: Path, role: str) -> None:
    """Check that a file exists and that its extension is a supported format.

    Args:
        role: of the file, for messages: what names it, and what it must be.

    Raises:
        BadInput: no such file, it cannot be looked up, or an extension that is not in READERS.
    """
    try:
        found, is_file = path.exists(), path.is_file()
    except OSError as error:
        raise BadInput([f"{path}: cannot be read ({error.strerror})"]) from None
    if not is_file:
        raise BadInput([f"{path}: {'not a file' if found else 'no such file'}; {role}"])
    reader_of(path)


def is_table(path: Path) -> bool:
    """Return whether a file is a table, by its extension."""
    return extension(path) in READERS
