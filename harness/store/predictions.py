"""A run's predictions as a table: its columns, and reading it."""

from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

FILE = "predictions.parquet"

PREDICTIONS = pa.schema(
    [
        ("split", pa.string()),
        ("idx", pa.int32()),
        ("label", pa.int8()),
        ("domain", pa.string()),
        ("source", pa.string()),
        ("tokens", pa.int32()),
        ("logit_0", pa.float32()),
        ("logit_1", pa.float32()),
    ]
)
"""Columns of predictions.parquet: a row for every sentence scored or predicted.

`label` is null where it is hidden; `domain` and `source` are empty where they are unknown.
"""

CHECKED_COLUMNS = ("split", "label", "domain", "source", "logit_0", "logit_1")
"""The columns that a run's record can be checked against."""

JOINED_PREDICTIONS = pa.schema([("key", pa.string()), *PREDICTIONS])
"""Columns of the predictions of many runs: each run's key in front of PREDICTIONS."""


def read_predictions(folder: Path) -> pa.Table:
    """Read a run's predictions, with the columns of PREDICTIONS."""
    return pq.read_table(folder / FILE, schema=PREDICTIONS)


def join_predictions(runs: Iterable[tuple[str, Path]]) -> pa.Table:
    """Put the predictions of many runs, given by key and folder, into one table."""
    tables = [
        table.add_column(0, "key", pa.array([key] * table.num_rows, pa.string()))
        for key, folder in runs
        for table in [read_predictions(folder)]
    ]
    return pa.concat_tables(tables) if tables else JOINED_PREDICTIONS.empty_table()


def as_parquet(table: pa.Table) -> bytes:
    """Return the content of a run's predictions.parquet; the record stores its digest.

    The same rows give the same bytes with the same version of pyarrow.

    Args:
        table: with the columns of PREDICTIONS.
    """
    buffer = pa.BufferOutputStream()
    pq.write_table(table.cast(PREDICTIONS), buffer)
    content: bytes = buffer.getvalue().to_pybytes()
    return content


def read_checked_columns(folder: Path) -> pa.Table:
    """Read the columns CHECKED_COLUMNS of a run's predictions.

    Reading no others makes it fast enough to check a store of thousands of runs.

    Raises:
        ValueError: the file is damaged, or has other columns than PREDICTIONS.
    """
    try:
        with pq.ParquetFile(folder / FILE) as file:
            if not file.schema_arrow.equals(PREDICTIONS):
                raise ValueError("it has other columns")
            return file.read(list(CHECKED_COLUMNS), use_threads=False)
    except (pa.ArrowException, OSError) as error:
        raise ValueError(f"it cannot be read as Parquet ({type(error).__name__})") from None
