"""A run's predictions as a table: its columns, and reading it."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

FILE = "predictions.parquet"

LOGIT = "logit_"
"""The name of the column of a class' logits, without the class' number."""

GIVEN = "given"
"""The column of the class that another program predicted, in predictions of many runs."""


def schema_of(classes: int) -> pa.Schema:
    """Return the columns of predictions.parquet: a row for every sentence scored or predicted.

    `label` is null where it is hidden; `domain` and `source` are empty where they are unknown.
    Each class has a column of logits.
    """
    return pa.schema(
        [
            ("split", pa.string()),
            ("idx", pa.int32()),
            ("label", pa.int8() if classes == 2 else pa.int16()),
            ("domain", pa.string()),
            ("source", pa.string()),
            ("tokens", pa.int32()),
            *((f"{LOGIT}{number}", pa.float32()) for number in range(classes)),
        ]
    )


PREDICTIONS = schema_of(2)
"""The columns of predictions of two classes."""

CHECKED_COLUMNS = ("split", "label", "domain", "source")
"""The columns, besides logits, that a run's record can be checked against."""

NEVER_NULL = ("split", "domain", "source")
"""The columns of text: "" is a value that is not known."""

JOINED_PREDICTIONS = pa.schema([("key", pa.string()), *PREDICTIONS])
"""Columns of the predictions of many runs of two classes: each run's key in front of PREDICTIONS.
"""


def joined_schema(names: Iterable[str]) -> pa.Schema:
    """Return the columns of the predictions of many runs, from their names in a file.

    A file with predictions of another program has the column GIVEN as its last one.
    """
    names = list(names)
    given = [(GIVEN, pa.int16())] if GIVEN in names else []
    return pa.schema([("key", pa.string()), *schema_of(max(2, len(_logits_among(names)))), *given])


def logits_of(table: pa.Table) -> np.ndarray:
    """Return the logits of predictions, (sentences, classes)."""
    return np.column_stack([table[name] for name in _logits_among(table.column_names)])


def rows_of_run(table: pa.Table, classes: int) -> pa.Table:
    """Return a run's rows of the predictions of many runs as the run wrote them.

    Runs with fewer classes than others have no values in the columns of the further classes.

    Raises:
        ValueError: they have logits of other classes than these.
    """
    schema = schema_of(classes)
    further = [name for name in table.column_names if name not in ("key", GIVEN, *schema.names)]
    if any(table[name].null_count < table.num_rows for name in further):
        raise ValueError(f"it has logits of more than the record's {classes} classes")
    if missing := [name for name in schema.names if name not in table.column_names]:
        raise ValueError(f"it has no {missing[0]}, but the record has {classes} classes")
    return table.select(schema.names).cast(schema)


def _logits_among(names: Iterable[str]) -> list[str]:
    return [name for name in names if name.startswith(LOGIT)]


def read_predictions(folder: Path) -> pa.Table:
    """Read a run's predictions, with the columns of `schema_of` its number of classes."""
    with pq.ParquetFile(folder / FILE) as file:
        schema = schema_of(max(2, len(_logits_among(file.schema_arrow.names))))
        if file.schema_arrow.equals(schema):
            return file.read(use_threads=False)  # threads cost more than so small a file
    return pq.read_table(folder / FILE, schema=schema)


def join_predictions(runs: Iterable[tuple[str, Path]]) -> pa.Table:
    """Put the predictions of many runs, given by key and folder, into one table."""
    tables = [
        table.add_column(0, "key", pa.repeat(key, table.num_rows))
        for key, folder in runs
        for table in [read_predictions(folder)]
    ]
    if not tables:
        return JOINED_PREDICTIONS.empty_table()
    return pa.concat_tables(tables, promote_options="permissive")  # runs may differ in classes


def as_parquet(table: pa.Table) -> bytes:
    """Return the content of a run's predictions.parquet; the record stores its digest.

    The same rows give the same bytes with the same version of pyarrow.

    Args:
        table: with the columns of `schema_of` its number of classes.
    """
    buffer = pa.BufferOutputStream()
    pq.write_table(table.cast(schema_of(len(_logits_among(table.column_names)))), buffer)
    content: bytes = buffer.getvalue().to_pybytes()
    return content


def checked_columns(content: bytes) -> pa.Table:
    """Return the columns CHECKED_COLUMNS and the logits of the content of predictions.parquet.

    Decoding no others makes it fast enough to check a store of thousands of runs.

    Raises:
        ValueError: the file is damaged, has other columns than those of `schema_of`, or null in
            one of NEVER_NULL.
    """
    try:
        with pq.ParquetFile(pa.BufferReader(content)) as file:
            found = file.schema_arrow
            logits = _logits_among(found.names)
            if not found.equals(schema_of(max(2, len(logits)))):
                raise ValueError("it has other columns")
            rows = file.read([*CHECKED_COLUMNS, *logits], use_threads=False)
    except (pa.ArrowException, OSError) as error:
        raise ValueError(f"it cannot be read as Parquet ({type(error).__name__})") from None
    if (problem := null_problem(rows)) is not None:
        raise ValueError(problem)
    return rows


def null_problem(rows: pa.Table) -> str | None:
    """Return which text is missing in predictions with the columns of CHECKED_COLUMNS, or None."""
    missing = [name for name in NEVER_NULL if rows[name].null_count]
    return f"it has rows without a {missing[0]}" if missing else None
