"""A suite's plan and records to the files in its results folder, and back from the published one.

`write_tables` is the entry point. Everything it writes but predictions.parquet is a pure function
of what leaderboard.json holds, so `render(read_published(path))` gives the same bytes again.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from harness.baseline import Baseline
from harness.errors import BadInput
from harness.leaderboard import judge_all, leaderboard, runs_by_cell
from harness.plan import Cell
from harness.references import Reference
from harness.report.changes import changed_files, differences
from harness.report.charts import FORMATS, PICTURES, Picture, lines_of, with_score
from harness.report.findings import findings
from harness.report.logits import PREDICTIONS, joined, predictions_beside, predictions_unlike
from harness.report.markdown import as_markdown
from harness.report.published import (
    LEADERBOARD,
    NO_GATES,
    TRAIN_FIRST,
    Published,
    as_baseline,
    as_csv,
    as_json,
    leaderboard_in,
    publish,
    read_published,
)
from harness.report.summary import append_summary, as_summary
from harness.report.terminal import terminal_table, terminal_warnings
from harness.run_store import Stored, write_atomically
from harness.spec import DatasetSpec, SuiteGates

__all__ = [
    "LEADERBOARD",
    "PREDICTIONS",
    "TRAIN_FIRST",
    "Published",
    "append_summary",
    "as_baseline",
    "as_summary",
    "changed_files",
    "contents_of",
    "differences",
    "file_names",
    "leaderboard_in",
    "predictions_beside",
    "predictions_unlike",
    "publish",
    "read_published",
    "render",
    "stale_files",
    "terminal_table",
    "terminal_warnings",
    "write_files",
    "write_tables",
]


TABLES = ("md", "html", "csv", "json")


def write_tables(
    folder: Path,
    suite: str,
    cells: Sequence[Cell],
    stored: Sequence[Stored],
    baseline: Baseline | None = None,
    references: Sequence[Reference] = (),
    gates: SuiteGates = NO_GATES,
    dataset: DatasetSpec | None = None,
) -> list[Path]:
    """Write leaderboard.md, .html, .csv and .json, pictures, and predictions.parquet.

    Returns their paths.

    Each file is replaced whole or not at all, leaderboard.json last. The same plan and records
    give the same bytes; predictions.parquet, which holds a row for every run and sentence with
    the run's key in front, as long as pyarrow stays the same.

    Args:
        folder: the suite's results folder; made where it does not exist.
        cells: the suite's plan.
        stored: at most one record for each cell and seed; those of other cells are left out.
        baseline: what the cells are held against.
        references: published scores; those of other checkpoints are left out.
        gates: what all cells together must reach, in published names.
        dataset: where the suite's data come from.

    Raises:
        BadInput: the folder cannot be written.
        ValueError: two records of one cell and seed.
    """
    contents = contents_of(suite, cells, stored, baseline, references, gates, dataset)
    write_files(folder, contents)
    return [folder / name for name in contents]


def contents_of(
    suite: str,
    cells: Sequence[Cell],
    stored: Sequence[Stored],
    baseline: Baseline | None = None,
    references: Sequence[Reference] = (),
    gates: SuiteGates = NO_GATES,
    dataset: DatasetSpec | None = None,
) -> dict[str, bytes]:
    """Return the content of every file that `write_tables` writes, by name, in its order.

    Raises:
        ValueError: two records of one cell and seed.
    """
    records = [item.record for item in stored]
    published = publish(suite, cells, records, baseline, references, gates, dataset)
    return {PREDICTIONS: joined(published, stored), **render(published)}


def write_files(folder: Path, contents: Mapping[str, bytes]) -> None:
    """Write the files that are missing or hold something else, each whole or not at all.

    Args:
        contents: of every file of a leaderboard; pictures that it has not are removed.

    Raises:
        BadInput: the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in changed_files(folder, contents):
            write_atomically(folder / name, contents[name])
        # What an earlier leaderboard had, and this one has not.
        for name in stale_files(folder, contents):
            (folder / name).unlink(missing_ok=True)
    except OSError as error:
        raise BadInput(
            [f"{folder}: the tables cannot be written ({error.strerror}); name a folder that can"]
        ) from None


def stale_files(folder: Path, contents: Mapping[str, bytes]) -> list[str]:
    """Return the names of pictures in a folder that these tables do not have."""
    return [name for name in _picture_names() if name not in contents and (folder / name).exists()]


def file_names() -> list[str]:
    """Return the names of all files that tables of any suite may have."""
    return [*_picture_names(), PREDICTIONS, *(f"leaderboard.{kind}" for kind in TABLES)]


def _picture_names() -> list[str]:
    return [f"{name}.{kind}" for name in PICTURES for kind in FORMATS]


def render(published: Published, predictions: bool = True) -> dict[str, bytes]:
    """Return the content of every file but predictions.parquet, by name; leaderboard.json last.

    The pictures' bytes are the same as long as matplotlib stays the same.

    Args:
        predictions: whether predictions.parquet lies beside them, so that they may link to it.
    """
    # Only here: collecting tests imports this module, and should not wait for what draws.
    from harness.report.page import as_html

    runs = runs_by_cell(published.cells, published.records)
    judgements = judge_all(published.cells, runs, published.baseline)
    frame = leaderboard(published.cells, published.records, judgements=judgements)
    found = list(findings(published, judgements))
    pictures, files = _pictures(published, frame)
    texts = {
        "leaderboard.md": as_markdown(published, frame, found, pictures, predictions),
        "leaderboard.html": as_html(published, frame, found, predictions),
        "leaderboard.csv": as_csv(frame),
        LEADERBOARD: as_json(published, frame),
    }
    return {**files, **{name: text.encode() for name, text in texts.items()}}


def _pictures(published: Published, frame: pd.DataFrame) -> tuple[list[Picture], dict[str, bytes]]:
    """Return what the leaderboard's pictures show, and their files by name."""
    if not with_score(lines_of(published, frame)):
        return [], {}
    from harness.report.plots import draw, pictures

    found = pictures(published, frame)
    return found, draw(found)
