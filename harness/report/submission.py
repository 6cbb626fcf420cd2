"""GLUE's submission file for CoLA: a prediction for each of its test sentences."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from harness.errors import BadInput
from harness.paths import passes
from harness.report import LEADERBOARD, PREDICTIONS, read_published
from harness.report.checks.logits import predictions_beside
from harness.store.predictions import JOINED_PREDICTIONS, read_predictions
from harness.store.records import Record
from harness.store.run_store import read_store
from harness.suite import ids

SENTENCES = 1063

TRAIN_WITH_TEST = (
    "train it with data that has the test sentences: the hub's nyu-mll/glue, or a folder with "
    "GLUE's test.tsv (the corpus' own raw/ files have no test split)"
)


@dataclass(frozen=True)
class Candidate:
    """A scored run, and the location of its predictions.

    `folder` is the run's folder in the store; None if its predictions are in the published file.
    """

    record: Record
    folder: Path | None


def candidates(folder: Path) -> list[Candidate]:
    """Return the scored runs of a results folder: the published ones, else those in the store.

    Raises:
        BadInput: the folder has neither, or the published files cannot be read or contradict each
            other.
    """
    if all(passes(Path.is_file, folder / name) for name in (LEADERBOARD, PREDICTIONS)):
        board = read_published(folder / LEADERBOARD)
        predictions_beside(folder, board)  # raises if they do not match the records
        found = [Candidate(record, None) for record in board.records]
    else:
        found = [Candidate(item.record, item.folder) for item in read_store(folder)[0]]
    scored = [candidate for candidate in found if candidate.record.scores is not None]
    if not scored:
        raise BadInput(
            [
                f"{folder}: no scored run here, neither published (leaderboard.json with "
                "predictions.parquet) nor in runs/; name a suite's folder under results/local/"
            ]
        )
    return scored


def choose(found: Sequence[Candidate], cell: str | None, seed: int | None) -> Candidate:
    """Return the run with the highest validation MCC among the runs of a cell and a seed.

    Args:
        cell: None for any.
        seed: None for any.

    Raises:
        BadInput: there is no such run.
    """
    cells = list(dict.fromkeys(item.record.cell for item in found))
    available = f"no scored run of this cell; cells with one: {', '.join(cells)}"
    names = cells if cell is None else [cell]
    wanted = ids.find_all(names, cells, lambda name: f"--cell: {name!r}: {available}")
    of_cell = [item for item in found if item.record.cell in wanted]
    of_seed = [item for item in of_cell if seed in (None, item.record.seed)]
    if not of_seed:
        known = ", ".join(map(str, dict.fromkeys(item.record.seed for item in of_cell)))
        raise BadInput([f"--seed: {seed}: no scored run with this seed; seeds with one: {known}"])
    return max(of_seed, key=_mcc)


def _mcc(candidate: Candidate) -> float:
    assert candidate.record.scores is not None
    return candidate.record.scores.mcc


def submission(folder: Path, chosen: Candidate) -> str:
    """Return the file: a header, then index and class of every test sentence, by index.

    Args:
        folder: the results folder that the run was found in.

    Raises:
        BadInput: the run has no test predictions, or not those of GLUE's sentences.
    """
    record, facts = chosen.record, chosen.record.dataset
    assert facts is not None
    if facts.name != "cola":
        raise BadInput([f"{record.cell}: trained on {facts.name!r} data; GLUE scores CoLA only"])
    rows = _test_rows(folder, chosen)
    run = f"{record.cell}, seed {record.seed}"
    if rows.num_rows == 0:
        raise BadInput([f"{run}: no test predictions; {TRAIN_WITH_TEST}"])
    # Two cells of a suite may share a run, which is then published twice.
    indices, places = np.unique(rows["idx"].to_numpy(), return_index=True)
    if not np.array_equal(indices, np.arange(SENTENCES)):
        raise BadInput(
            [
                f"{run}: {len(indices):,} test predictions, but not for GLUE's sentences 0 to "
                f"{SENTENCES - 1:,}; {TRAIN_WITH_TEST}"
            ]
        )
    logits = np.column_stack([rows["logit_0"], rows["logit_1"]])
    classes = logits[places].argmax(axis=1)
    lines = ["index\tprediction", *(f"{index}\t{given}" for index, given in enumerate(classes))]
    return "\n".join(lines) + "\n"


def _test_rows(folder: Path, chosen: Candidate) -> pa.Table:
    if chosen.folder is not None:
        return read_predictions(chosen.folder).filter(pc.field("split") == "test")
    path = folder / PREDICTIONS
    of_run = (pc.field("key") == chosen.record.key) & (pc.field("split") == "test")
    try:
        return pq.read_table(path, schema=JOINED_PREDICTIONS, filters=of_run)
    except (OSError, pa.ArrowException) as error:
        problem = " ".join(str(error).split())[:200]
        raise BadInput([f"{path}: cannot be read ({problem}); write it again"]) from None
