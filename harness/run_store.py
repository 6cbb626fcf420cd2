"""The store of runs: each a record and predictions in a folder, written whole and verified."""

import contextlib
import errno
import hashlib
import json
import os
import shutil
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path

import pyarrow as pa
from pydantic import ValidationError

from harness.consistency import inconsistency
from harness.plan import Run
from harness.predictions import FILE as PREDICTIONS_FILE
from harness.predictions import as_parquet, check_predictions
from harness.recomputed import unlike_predictions
from harness.records import Record, selected_classes
from harness.text import printable

MOST_BYTES = 64 * 2**20
"""Of a record that is worth reading: one of 20 epochs on a million sentences has 4 MB."""

QUARANTINE = "quarantine"
"""Folder in a cell's, beside its runs, of those that were moved aside; see harness.quarantine."""


def run_folder(suite_folder: Path, run: Run, key: str | None) -> Path:
    """Return the folder of a run in the store; a skipped run has no key."""
    return suite_folder / "runs" / run.cell.id / f"seed-{run.seed}-{key or 'skipped'}"


def write_record(folder: Path, record: Record, predictions: pa.Table | None) -> Record:
    """Write a run's predictions, then its record, each whole or not at all.

    record.json comes last: where it exists, the run ended and everything else is in place. What
    an earlier run left stays until both are safely on disk, as that may be full.
    Returns the record as written, with the predictions' digest.

    Raises:
        OSError: one of them cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as files:
        if predictions is not None:
            content = as_parquet(predictions)
            digest = hashlib.sha256(content).hexdigest()
            record = record.model_copy(update={"predictions_sha256": digest})
            table = files.enter_context(_beside(folder / PREDICTIONS_FILE, content))
        text = files.enter_context(_beside(folder / "record.json", _text(record)))
        if predictions is not None:
            # An earlier record must not stand beside predictions that it was not written with.
            (folder / "record.json").unlink(missing_ok=True)
            table.replace(folder / PREDICTIONS_FILE)
        text.replace(folder / "record.json")
    for left in folder.glob(".*.partial"):  # by a session that was killed as it wrote
        with contextlib.suppress(OSError):
            left.unlink()
    return record


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file by writing a neighbour, flushing it to disk, and renaming it into place."""
    with _beside(path, content) as written:
        written.replace(path)


@contextlib.contextmanager
def _beside(path: Path, content: bytes) -> Iterator[Path]:
    """Write a neighbour of a file, flush it to disk, and remove it unless it was renamed."""
    beside = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with beside.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        yield beside
    finally:
        beside.unlink(missing_ok=True)


def discard_run(folder: Path) -> None:
    """Remove what a run left, its record first, so that no half-removed run looks finished."""
    (folder / "record.json").unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)


@dataclass(frozen=True)
class Stored:
    """A record, and the folder where it lies."""

    record: Record
    folder: Path


@dataclass(frozen=True)
class Disbelieved:
    """A run's folder whose record is not to be believed, and why, in one line."""

    folder: Path
    reason: str


def scan_store(suite_folder: Path) -> tuple[list[Stored], list[Disbelieved]]:
    """Read every record under a suite's results folder, in the order of their paths.

    A record is not believed where it is torn, foreign, contradicts itself, or lies beside other
    predictions than it was written with.
    """
    found: list[Stored] = []
    disbelieved: list[Disbelieved] = []
    for path in sorted(suite_folder.glob("runs/*/*/record.json")):
        if path.parent.name == QUARANTINE:
            continue
        try:
            found.append(Stored(_read_record(path), path.parent))
        except ValueError as error:
            disbelieved.append(Disbelieved(path.parent, str(error)))
    return found, disbelieved


def read_store(suite_folder: Path) -> tuple[list[Stored], list[str]]:
    """Read every record that is to be believed, and a line for each that is not; see scan_store.

    The run of a record that is not believed counts as not finished.
    """
    found, disbelieved = scan_store(suite_folder)
    places = [item.folder.relative_to(suite_folder) / "record.json" for item in disbelieved]
    return found, [
        printable(f"{place}: {item.reason}; it will run again")
        for place, item in zip(places, disbelieved, strict=True)
    ]


def _read_record(path: Path) -> Record:
    try:
        content = _json(path)
        record = Record.model_validate_json(content)
    except OSError as error:
        raise ValueError(f"it cannot be read ({error.strerror})") from None
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        # A foreign file's key may hold anything, line ends too.
        where = ascii(".".join(map(str, first["loc"])) or "the file")[1:-1]
        raise ValueError(f"not a record: {where}: {first['msg']}") from None
    if content != _text(record):  # as it is where an earlier version wrote it, or somebody else
        json.loads(content, object_pairs_hook=_every_key_once)
    if record.status == "ok":
        if (said := inconsistency(record)) is not None:
            raise ValueError(f"it contradicts itself: {said}")
        try:
            with _opened(path.parent / PREDICTIONS_FILE) as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
        except FileNotFoundError:
            raise ValueError("its predictions.parquet is missing") from None
        except OSError as error:
            reason = f"its predictions.parquet cannot be read ({error.strerror})"
            raise ValueError(reason) from None
        if digest != record.predictions_sha256:
            raise ValueError("its predictions.parquet is not the one it was written with")
        try:
            rows = check_predictions(path.parent, record.labels, selected_classes(record))
        except ValueError as error:
            raise ValueError(f"its predictions.parquet does not bear it out: {error}") from None
        if record.labels is not None and (said := unlike_predictions(record, rows)) is not None:
            raise ValueError(f"its predictions.parquet does not bear it out: {said}")
    return record


def _opened(path: Path) -> BufferedReader:
    """Open an ordinary file; of others, a pipe would wait for its writer forever."""
    if stat.S_ISREG(path.stat().st_mode):
        return path.open("rb")
    raise OSError(errno.EINVAL, "not an ordinary file")


def _json(path: Path) -> bytes:
    """Return a record's text, which must not be longer than any record is."""
    with _opened(path) as file:
        if (size := os.fstat(file.fileno()).st_size) > MOST_BYTES:
            raise ValueError(f"not a record: {size:,} bytes, {MOST_BYTES:,} are allowed")
        return file.read()


def _text(record: Record) -> bytes:
    return record.model_dump_json(indent=1).encode() + b"\n"


def _every_key_once(pairs: list[tuple[str, object]]) -> None:
    if len(dict(pairs)) != len(pairs):
        raise ValueError("not a record: it has a key twice")  # which of the two was meant?


def finished(stored: Sequence[Stored]) -> Iterator[tuple[str, Stored]]:
    """Yield key and record of every run that ended with a score."""
    for item in stored:
        if item.record.status == "ok" and item.record.key is not None:
            yield item.record.key, item
