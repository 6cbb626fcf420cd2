"""The predictions of a cell of a published leaderboard, for `harness judge --cell`."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.compute as pc

from harness.errors import BadInput
from harness.inputs.given_predictions import GivenRun
from harness.judging.gates.stopped import any_stopped
from harness.report import leaderboard_in, read_published
from harness.report.checks.logits import PREDICTIONS, predictions_beside, rows_by_run
from harness.report.published import LEADERBOARD
from harness.store.predictions import logits_of
from harness.store.records import Record, classes_of
from harness.suite import ids
from harness.suite.plan import Cell


@dataclass(frozen=True)
class PublishedCell:
    """A cell's runs, by seed, on the validation split.

    `unchecked` has a line for each run whose predictions could not be checked completely.
    """

    cell: Cell
    runs: list[GivenRun]
    classes: int
    unchecked: list[str]


def published_cell(path: Path, typed: str) -> PublishedCell:
    """Read one cell of a results folder, named by the folder or by a file of its leaderboard.

    Raises:
        BadInput: no leaderboard, predictions that are missing or not those of its records, an
            unknown cell, or one whose runs are not all scored and whole.
    """
    folder = path.parent if path.name in (LEADERBOARD, PREDICTIONS) else path
    published = read_published(leaderboard_in(folder))
    known = [cell.id for cell in published.cells]
    problem = f"not a cell of {folder}, which has {', '.join(known)}"
    (name,) = ids.find_all([typed], known, lambda each: f"--cell: {each!r}: {problem}")
    cell = next(each for each in published.cells if each.id == name)
    records = published.runs[name]
    content, unchecked = predictions_beside(folder, published)
    problems = [f"{folder}: {each}" for each in _obstacles(cell, records)]
    if content is None:
        way_out = "it is written by `pytest benchmarks/`, beside the leaderboard"
        problems.append(f"{folder / PREDICTIONS}: no such file; {way_out}")
    if problems:
        raise BadInput(problems)
    runs = {}
    for record, rows in rows_by_run(folder, published):
        if record.cell == name and record.seed in cell.seeds:
            validation = rows.filter(pc.equal(rows["split"], "validation"))
            runs[record.seed] = GivenRun(
                where=f"{folder}: {name}, seed {record.seed}",
                labels=np.asarray(validation["label"], dtype=np.int16),
                predicted=logits_of(validation).argmax(axis=1).astype(np.int16),
            )
    in_order = [runs[seed] for seed in sorted(runs)]
    return PublishedCell(cell, in_order, classes_of(records[0]), unchecked)


def _obstacles(cell: Cell, records: Sequence[Record]) -> list[str]:
    """Return why a cell has no score of its own: as a trained cell, it then meets no gate."""
    ended = {run.seed for run in records if run.status == "ok"}
    problems = [
        f"{cell.id}: seed {seed} has no score; finish it with `pytest benchmarks/`"
        for seed in cell.seeds
        if seed not in ended
    ]
    if any_stopped(records):
        problems.append(f"{cell.id}: runs were stopped; train them without --stop decided")
    return problems
