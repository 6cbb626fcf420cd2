"""The store of runs: each a folder with a record and predictions, written atomically, verified.

Runs whose records failed verification are moved aside with the reason, so that they run again.
Nothing is deleted: it may be the only copy of hours of work, or evidence of the cause.
"""

import contextlib
import errno
import hashlib
import itertools
import json
import os
import shutil
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from io import BufferedReader
from pathlib import Path

import pyarrow as pa
from pydantic import ValidationError

from harness.errors import BadInput
from harness.store.checks.consistency import inconsistency, unlike_predictions
from harness.store.groups import Sentences, sentences_of
from harness.store.predictions import FILE as PREDICTIONS_FILE
from harness.store.predictions import as_parquet, checked_columns
from harness.store.records import Record
from harness.suite.plan import Run
from harness.text import printable

MOST_BYTES = 64 * 2**20
"""The largest record that is read: one of 20 epochs on a million sentences has 4 MB."""

LEFT = ".record.json.*.partial"
"""Records that were not renamed yet, or that a killed process left."""

QUARANTINE = "quarantine"
"""Folder in a cell's folder for runs whose records failed verification."""


def run_folder(suite_folder: Path, run: Run, key: str | None) -> Path:
    """Return the folder of a run in the store; a skipped run has no key."""
    return suite_folder / "runs" / run.cell.id / f"seed-{run.seed}-{key or 'skipped'}"


def write_record(folder: Path, record: Record, predictions: pa.Table | None) -> Record:
    """Write a run's predictions, then its record, each atomically.

    record.json comes last: if it exists, the run ended and everything else is in place. The files
    of an earlier run stay until both new files are on disk, as the disk may be full. If this ends
    between the two renames, readers find the new record beside its predictions; see `_left_behind`.
    Returns the record as written, with the predictions' digest.

    Raises:
        OSError: one of them cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written: list[Path] = []
    try:
        if predictions is not None:
            content = as_parquet(predictions)
            digest = hashlib.sha256(content).hexdigest()
            record = record.model_copy(update={"predictions_sha256": digest})
            written.append(_beside(folder / PREDICTIONS_FILE, content))
        written.append(_beside(folder / "record.json", _text(record)))
        if predictions is not None:
            written[0].replace(folder / PREDICTIONS_FILE)
    except Exception:  # no Ctrl-C: the predictions may be replaced already, and need their record
        for path in written:
            path.unlink(missing_ok=True)
        raise
    written[-1].replace(folder / "record.json")
    for left in filter(_is_left, folder.glob(".*.partial")):
        with contextlib.suppress(OSError):
            left.unlink()
    return record


def write_atomically(path: Path, content: bytes) -> None:
    """Write a temporary file beside the target, flush it to disk, and rename it into place."""
    written = _beside(path, content)
    try:
        written.replace(path)
    finally:
        written.unlink(missing_ok=True)


def _beside(path: Path, content: bytes) -> Path:
    """Write a temporary file beside a file, and flush it to disk; if that fails, remove it."""
    beside = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with beside.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    return beside


def _is_left(partial: Path) -> bool:
    """Return whether a temporary file is of a process that has ended, and not of a living one.

    One with the number of this process is of an earlier process: in a container, the processes of
    two sessions may have the same number.
    """
    number = partial.name.split(".")[-2]
    if not number.isdecimal() or int(number) == os.getpid():
        return True
    try:
        os.kill(int(number), 0)
    except (ProcessLookupError, OverflowError):
        return True
    except PermissionError:  # it belongs to another user
        return False
    return False


def discard_run(folder: Path) -> None:
    """Remove a run's folder, its record first, so that no half-removed run looks finished."""
    (folder / "record.json").unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)


def discard_skipped(suite_folder: Path, run: Run) -> None:
    """Remove the record of a run that was skipped before, if there is one and it can be removed.

    A run that ended is used instead of it, so whoever stores that run does not fail because of it.
    """
    with contextlib.suppress(OSError):
        discard_run(run_folder(suite_folder, run, None))


@dataclass(frozen=True)
class Stored:
    """A record, and the folder where it lies.

    `sentences` are those of its predictions, if they were read when the record was verified.
    """

    record: Record
    folder: Path
    sentences: Sentences | None = field(default=None, compare=False, repr=False)


def write_skipped(suite_folder: Path, run: Run, record: Record) -> Stored:
    """Write the record of a run that is skipped, and return it even if it cannot be written."""
    folder = run_folder(suite_folder, run, None)
    with contextlib.suppress(OSError):  # such as a full disk; the next session detects the same
        write_record(folder, record, None)
    return Stored(record, folder)


def read_store(suite_folder: Path) -> tuple[list[Stored], list[str]]:
    """Read every record under a suite's results folder, in the order of their paths.

    A record is rejected if it is truncated, does not fit the schema, contradicts itself, or lies
    beside other predictions than it was written with. Its run counts as not finished.

    Returns:
        the valid records, and one line for each rejected record.

    Raises:
        BadInput: the folder cannot be read.
    """
    try:
        found, rejected = _scan(suite_folder)
    except OSError as error:  # too long, or without read permission
        problem = f"{suite_folder}: cannot be read ({error.strerror}); name another folder"
        raise BadInput([problem]) from None
    return found, [
        printable(f"{folder.relative_to(suite_folder)}/record.json: {reason}; it will run again")
        for folder, reason in rejected.items()
    ]


def read_store_and_move_rejected(suite_folder: Path) -> tuple[list[Stored], list[str]]:
    """Read the store of a suite like read_store, for a session that will write there.

    The whole folder of every run whose record failed verification is moved to
    `runs/<cell>/quarantine/`, with the reason in `reason.txt`. A record that a killed process did
    not rename is renamed.
    """
    found, rejected = _scan(suite_folder, put_in_place=True)
    return found, [_move(suite_folder, folder, reason) for folder, reason in rejected.items()]


def _scan(suite_folder: Path, put_in_place: bool = False) -> tuple[list[Stored], dict[Path, str]]:
    """Return the valid records, and why others were rejected, by the folder of their run.

    Args:
        put_in_place: whether to rename the records that killed processes did not rename.
    """
    found: list[Stored] = []
    rejected: dict[Path, str] = {}
    names = ("record.json", LEFT)
    folders = {path.parent for name in names for path in suite_folder.glob(f"runs/*/*/{name}")}
    for folder in sorted(folders):
        if folder.name == QUARANTINE:
            continue
        path = folder / "record.json"
        try:
            found.append(_read_run(path))
        except ValueError as error:
            if (left := _left_behind(folder)) is not None:
                found.append(left[1])
                if put_in_place:
                    with contextlib.suppress(OSError):  # the next session tries again
                        left[0].replace(path)
            elif os.path.lexists(path) and all(map(_is_left, folder.glob(LEFT))):
                rejected[folder] = str(error)
    return found, rejected


def _left_behind(folder: Path) -> tuple[Path, Stored] | None:
    """Return the scored run whose record a killed process wrote, but did not rename, and its file.

    It had renamed the predictions before, which are those of this record. Another process may
    still rename what it writes now.
    """
    found: list[tuple[Path, Stored]] = []
    for path in filter(_is_left, folder.glob(LEFT)):
        with contextlib.suppress(ValueError):
            found.append((path, _read_run(path)))
    scored = [each for each in found if each[1].record.status == "ok"]
    return max(scored, key=lambda each: each[1].record.finished_at or "", default=None)


def _move(suite_folder: Path, folder: Path, reason: str) -> str:
    problem = printable(f"{folder.relative_to(suite_folder)}: {reason}")
    aside = folder.parent / QUARANTINE
    names = (f"{folder.name}-{n}" if n > 1 else folder.name for n in itertools.count(1))
    try:
        aside.mkdir(exist_ok=True)
        to = next(aside / name for name in names if not (aside / name).exists())
        folder.rename(to)
        write_atomically(to / "reason.txt", f"{reason}\n".encode())
    except OSError as error:
        return f"{problem}; it will run again (and was not moved aside: {error.strerror})"
    return printable(f"{problem}; moved to {to.relative_to(suite_folder)}, it will run again")


def _read_run(path: Path) -> Stored:
    """Read a record, and verify it against itself and its predictions.

    Raises:
        ValueError: why the record is rejected.
    """
    sentences = None
    try:
        content = _json(path)
        record = Record.model_validate_json(content)
    except OSError as error:
        raise ValueError(f"it cannot be read ({error.strerror})") from None
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        # The keys of an invalid file may contain anything, even line breaks.
        where = ascii(".".join(map(str, first["loc"])) or "the file")[1:-1]
        raise ValueError(f"not a record: {where}: {first['msg']}") from None
    if content != _text(record):  # written by an earlier version or by another program
        json.loads(content, object_pairs_hook=_refuse_repeated_fields)
    if record.status == "ok":
        if (problem := inconsistency(record)) is not None:
            raise ValueError(f"it contradicts itself: {problem}")
        try:
            with _opened(path.parent / PREDICTIONS_FILE) as file:
                predictions = file.read()
        except FileNotFoundError:
            raise ValueError("its predictions.parquet is missing") from None
        except OSError as error:
            reason = f"its predictions.parquet cannot be read ({error.strerror})"
            raise ValueError(reason) from None
        if hashlib.sha256(predictions).hexdigest() != record.predictions_sha256:
            raise ValueError("its predictions.parquet is not the one it was written with")
        try:
            rows = checked_columns(predictions)
            sentences = sentences_of(rows)
            problem = None if record.labels is None else unlike_predictions(record, rows)
        except ValueError as error:
            problem = str(error)
        if problem is not None:
            raise ValueError(f"its predictions.parquet does not match the record: {problem}")
    return Stored(record, path.parent, sentences)


def _opened(path: Path) -> BufferedReader:
    """Open a regular file and refuse others: opening a pipe could wait forever for its writer."""
    if stat.S_ISREG(path.stat().st_mode):
        return path.open("rb")
    raise OSError(errno.EINVAL, "not a regular file")


def _json(path: Path) -> bytes:
    """Return a record's text, which must not be longer than MOST_BYTES."""
    with _opened(path) as file:
        if (size := os.fstat(file.fileno()).st_size) > MOST_BYTES:
            raise ValueError(f"not a record: {size:,} bytes, {MOST_BYTES:,} are allowed")
        return file.read()


def _text(record: Record) -> bytes:
    return record.model_dump_json(indent=1).encode() + b"\n"


def _refuse_repeated_fields(pairs: list[tuple[str, object]]) -> None:
    if len(dict(pairs)) != len(pairs):
        raise ValueError("not a record: it repeats a JSON field")  # the value would be ambiguous


def finished(stored: Sequence[Stored]) -> Iterator[tuple[str, Stored]]:
    """Yield the key and record of every run that ended with a score."""
    for item in stored:
        if item.record.status == "ok" and item.record.key is not None:
            yield item.record.key, item
