"""predictions.parquet of a leaderboard: every run's logits, checked against the records."""

import hashlib
import io
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from harness.errors import BadInput
from harness.paths import is_absent
from harness.report.published import LEADERBOARD, Published
from harness.store.checks.consistency import unlike_predictions
from harness.store.given import Given
from harness.store.given.rows import unlike_rows, with_rows, without_rows
from harness.store.grouping import groupings
from harness.store.predictions import (
    CHECKED_COLUMNS,
    as_parquet,
    join_predictions,
    joined_schema,
    rows_of_run,
)
from harness.store.records import Record, classes_of
from harness.store.run_store import Stored
from harness.text import counted, series, some

PREDICTIONS = "predictions.parquet"

WAY_OUT = (
    "use a leaderboard.json and a predictions.parquet that were written together; "
    "`pytest benchmarks/` writes both"
)


def joined(published: Published, stored: Iterable[Stored]) -> bytes:
    """Return the content of predictions.parquet: the rows of every scored run, then given ones."""
    found = {(item.record.cell, item.record.seed): item for item in stored}
    ended = [found[run.cell, run.seed] for run in _ended(published)]
    table = join_predictions((str(item.record.key), item.folder) for item in ended)
    return _as_file(with_rows(table, published.given))


def with_given(content: bytes, before: Iterable[Given], now: Iterable[Given]) -> bytes:
    """Return the content of predictions.parquet with other given predictions than before."""
    return _as_file(with_rows(without_rows(pq.read_table(io.BytesIO(content)), before), now))


def _as_file(table: pa.Table) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd")
    return buffer.getvalue()


def predictions_beside(folder: Path, published: Published) -> tuple[bytes | None, list[str]]:
    """Return the content of the predictions.parquet in a folder, and what could not be checked.

    The content is None if there is no such file.

    Raises:
        BadInput: it cannot be read, or its predictions do not match the leaderboard's runs; a line
            for each run.
    """
    path = folder / PREDICTIONS
    if is_absent(path):
        return None, []
    content, wrong, unchecked = _checked(path, published)
    if wrong:
        raise BadInput([f"{path}: {line}; {WAY_OUT}" for line in wrong])
    return content, [f"{path}: {line}" for line in unchecked]


def with_groupings(folder: Path, published: Published) -> Published:
    """Return a leaderboard with the source and domain of each sentence in every record.

    Records of earlier versions lack them, but the predictions.parquet beside them has them.

    Args:
        folder: with a predictions.parquet that `predictions_beside` has checked.
    """
    if all(run.groupings is not None for run in _ended(published)):
        return published
    table = pq.read_table(folder / PREDICTIONS, columns=["key", *CHECKED_COLUMNS])
    validation = table.filter(pc.equal(table["split"], "validation"))

    def completed(run: Record) -> Record:
        if run.status != "ok" or run.groupings is not None or run.dataset is None:
            return run
        rows = validation.filter(pc.equal(validation["key"], pa.scalar(run.key, pa.string())))
        # Two names of one checkpoint share a key.
        rows = rows.slice(0, run.dataset.validation)
        kinds = (rows[name].to_pylist() for name in ("source", "domain"))
        return run.model_copy(update={"groupings": groupings(run.dataset.name, *kinds)})

    return replace(published, records=tuple(map(completed, published.records)))


def mismatched_predictions(folder: Path, published: Published) -> list[str]:
    """Return a line for each run whose predictions differ or cannot be checked; or one for all.

    Predictions that could not be checked are reported too, so that nobody believes they were.
    """
    path = folder / PREDICTIONS
    if is_absent(path):
        runs = [counted(len(ended), "run")] if (ended := _ended(published)) else []
        missing = series([*runs, *(each.name for each in published.given)])
        return [f"missing, so the predictions of {missing} cannot be checked"] if missing else []
    _, wrong, unchecked = _checked(path, published)
    return wrong + unchecked


def _checked(path: Path, published: Published) -> tuple[bytes, list[str], list[str]]:
    """Read a predictions.parquet, and check it against the records of a leaderboard.

    Each run's rows, written as the run itself wrote them, must give the digest in its record, its
    labels and classes, and its scores and counts of all splits and groups. Versions of pyarrow
    write different bytes: for a file of another version, digests cannot be compared, but the rest
    can.

    Returns its content, a line for each run whose predictions differ, and a line for each run that
    could not be checked completely.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        return b"", [f"cannot be read ({error.strerror})"], []
    try:
        table = pq.read_table(io.BytesIO(content))
        written_by = pq.read_metadata(io.BytesIO(content)).created_by
    except (pa.ArrowException, OSError) as error:
        return content, [f"cannot be read as Parquet ({type(error).__name__})"], []
    if (problem := _unlike_schema(table.schema)) is not None:
        return content, [problem], []
    ended = _ended(published)
    known = {run.key for run in ended} | {
        seed.key for each in published.given for seed in each.seeds
    }
    wrong = [
        f"has predictions of a run of which {LEADERBOARD} has no record (it was removed there, or "
        f"the files are of different runs): key {key!r}"
        for key in pc.unique(table["key"]).to_pylist()
        if key not in known
    ]
    wrong += unlike_rows(table, published.given)
    unchecked: list[str] = []
    ours = written_by == f"parquet-cpp-arrow version {pa.__version__}"
    for run, rows in _by_run(table, ended):
        if rows is None:
            wrong.append(f"has predictions of other runs, and none of {_named(run)}")
            continue
        if (problem := _problem(run, rows)) is None:
            continue
        since = run.versions.get("pyarrow", pa.__version__)
        if problem != OTHER_DIGEST or (ours and since == pa.__version__):
            wrong.append(f"{_named(run)}: {problem}")
        else:
            unchecked.append(
                f"{_named(run)}: its digest cannot be compared: "
                f"{f'pyarrow {since}' if ours else written_by} wrote the file, "
                f"{pa.__version__} is installed; labels, classes and scores match the record"
            )
    return content, wrong, unchecked


def _unlike_schema(schema: pa.Schema) -> str | None:
    """Return which columns, or types of columns, a predictions.parquet should not have, or None."""
    wanted = joined_schema(schema.names)
    if schema.equals(wanted):
        return None
    if schema.names != wanted.names:
        return f"has other columns than {', '.join(wanted.names)}"
    types = [
        f"column {held.name} has the type {_type(held)}, expected {_type(right)}"
        for held, right in zip(schema, wanted, strict=True)
        if not held.equals(right)
    ]
    return f"{some(types)}; another program wrote the file"


def _type(field: pa.Field) -> str:
    return f"{field.type}{'' if field.nullable else ', never null'}"


def rows_by_run(folder: Path, published: Published) -> Iterator[tuple[Record, pa.Table]]:
    """Yield every scored run with its predictions, as the run wrote them.

    Args:
        folder: with a predictions.parquet that `predictions_beside` has checked.
    """
    for run, rows in _by_run(pq.read_table(folder / PREDICTIONS), _ended(published)):
        assert rows is not None
        yield run, rows_of_run(rows, classes_of(run))


def _by_run(table: pa.Table, ended: list[Record]) -> Iterator[tuple[Record, pa.Table | None]]:
    """Yield each run with its rows of a predictions.parquet; None if the table has other rows."""
    times = Counter(run.key for run in ended)
    seen: Counter[str | None] = Counter()
    for run in ended:
        rows = table.filter(pc.equal(table["key"], pa.scalar(run.key, pa.string())))
        # Two names of one checkpoint share a key.
        share, rest = divmod(rows.num_rows, times[run.key])
        rows = rows.slice(seen[run.key] * share, share)
        seen[run.key] += 1
        yield run, rows if share and not rest else None


OTHER_DIGEST = "its predictions do not have the digest in its record"


def _problem(run: Record, rows: pa.Table) -> str | None:
    try:
        rows = rows_of_run(rows, classes_of(run))
    except ValueError as error:
        return f"its predictions contradict its record: {error}"
    if (problem := unlike_predictions(run, rows)) is not None:
        return f"its predictions contradict its record: {problem}"
    same = hashlib.sha256(as_parquet(rows)).hexdigest() == run.predictions_sha256
    return None if same else OTHER_DIGEST


def _ended(published: Published) -> list[Record]:
    return [run for run in published.records if run.status == "ok"]


def _named(run: Record) -> str:
    return f"{run.cell}, seed {run.seed}"
