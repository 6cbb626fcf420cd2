"""Stores the runs of a published leaderboard again, so that sessions continue from them."""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from harness.errors import BadInput
from harness.report.checks.logits import PREDICTIONS, predictions_beside, rows_by_run
from harness.report.published import Published
from harness.store import lock, run_store
from harness.store.predictions import as_parquet
from harness.suite.plan import Run
from harness.validation import shown

SAFE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*")
"""The form of ids of cells, names of suites and keys of runs, which become names of folders."""


@dataclass(frozen=True)
class Restored:
    """What was restored: numbers of runs, and a line for each run that could not be.

    `new` were written, `present` were in the store already.
    """

    new: int
    present: int
    left_out: tuple[str, ...]


def restore(folder: Path, published: Published, results: Path) -> Restored:
    """Write the record and the predictions of every scored run of a leaderboard into a store.

    Runs that are in the store stay as they are. A run whose predictions, written with the installed
    pyarrow, have another digest than its record says is left out: the store would reject it.

    Args:
        folder: with the leaderboard's predictions.parquet.
        results: the results folder of the suite.

    Raises:
        BadInput: there are no predictions, they do not match the records, a name cannot be that of
            a folder, or the store is in use or cannot be written.
    """
    if problems := [
        f"{folder}: {what} {shown(name)}: cannot be the name of a folder; use a leaderboard.json "
        "that the harness wrote"
        for what, name in _names(published)
        if not SAFE.fullmatch(name)
    ]:
        raise BadInput(problems)
    content, _ = predictions_beside(folder, published)
    if content is None:
        raise BadInput(
            [
                f"{folder / PREDICTIONS}: missing, and a run needs its predictions; name a folder "
                "that has them, or train the runs again"
            ]
        )
    cells = {cell.id: cell for cell in published.cells}
    new, present, left_out = 0, 0, list[str]()
    held = lock.hold(results / "runs")  # as sessions do
    try:
        for record, rows in rows_by_run(folder, published):
            run = Run(cells[record.cell], record.seed, record.training)
            to = run_store.run_folder(results, run, record.key)
            if (to / "record.json").exists():
                present += 1
            elif hashlib.sha256(as_parquet(rows)).hexdigest() != record.predictions_sha256:
                since = record.versions.get("pyarrow") or "another version of pyarrow"
                left_out.append(
                    f"{record.cell}, seed {record.seed}: its predictions were written by pyarrow "
                    f"{since}, and have another digest with the installed one"
                )
            else:
                run_store.write_record(to, record, rows)
                new += 1
    except OSError as error:
        raise BadInput(
            [
                f"{results}: cannot be written ({error.strerror}) after {new} runs; free some "
                "space or name another --results-dir, and restore again"
            ]
        ) from None
    finally:
        lock.release(held)
    return Restored(new, present, tuple(left_out))


def _names(published: Published) -> list[tuple[str, str]]:
    keys = [str(run.key) for run in published.records if run.status == "ok"]
    names = [("suite", published.suite), *(("cell", cell.id) for cell in published.cells)]
    return [*names, *(("key", key) for key in keys)]
