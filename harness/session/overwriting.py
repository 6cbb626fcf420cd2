"""Whether a session is refused because of the tables in its results folder."""

from collections.abc import Sequence
from pathlib import Path

from harness.report import replacement
from harness.report.locations import Locations, find_locations
from harness.session.options import Options, Planned
from harness.session.reuse import latest
from harness.session.run_status import RunStatus
from harness.session.suite_inputs import Inputs
from harness.store.records import Record
from harness.store.run_store import Stored
from harness.suite.plan import Run, runs_of


def where(planned: Planned, inputs: Inputs, folder: Path) -> Locations:
    """Return the locations of a suite's data and checkpoints; see harness.report.locations.

    Args:
        folder: the suite's results folder.
    """
    fingerprint = None if inputs.dataset is None else inputs.dataset.fingerprint
    return find_locations(planned.suite, planned.base, folder, fingerprint)


def objection(
    planned: Planned,
    requested: Sequence[Run],
    stored: Sequence[Record],
    to_train: int,
    inputs: Inputs,
    options: Options,
) -> str | None:
    """Return why a session may not replace the tables of a suite; None if it may.

    Args:
        requested: the selected runs.
        stored: the records that its tables can already show.
        to_train: how many of the runs have to train.
    """
    if options.replace:
        return None
    folder = options.results / planned.suite.name
    here = where(planned, inputs, folder)
    digests = {name: found.digest for name, found in inputs.checkpoints.items()}
    return replacement.objection(
        folder,
        replacement.planned_runs(requested, inputs.dataset, here, digests),
        replacement.runs_of_records(stored, here),
        to_train,
    )


def foreseen(
    planned: Planned,
    statuses: Sequence[RunStatus],
    store: Sequence[Stored],
    to_train: int,
    inputs: Inputs,
    options: Options,
) -> str | None:
    """Predict the result of `objection` for a session of all cells that has not begun.

    Args:
        statuses: runs of the suite that were looked up in the store.
        store: every record of the suite.
        to_train: how many of its runs have to train.
    """
    suite, cells = planned.suite, planned.cells
    finished = {(i.run.cell.id, i.run.seed): i.stored for i in statuses if i.stored is not None}
    shown = latest(store, suite, cells, inputs) | finished
    requested = [run for cell in cells for run in runs_of(cell, suite.training)]
    records = [
        shown[place].record for run in requested if (place := (run.cell.id, run.seed)) in shown
    ]
    return objection(planned, requested, records, to_train, inputs, options)
