"""A suite's plan and records to the files in its results folder, and back from the published one.

`write_tables` is the entry point. Everything it writes but predictions.parquet is a pure function
of what leaderboard.json holds, so `render(read_published(path))` gives the same bytes again.
"""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from harness.baseline import Baseline
from harness.errors import BadInput
from harness.leaderboard import judge_all, leaderboard, runs_by_cell
from harness.plan import Cell
from harness.predictions import join_predictions
from harness.records import Stored, write_atomically
from harness.references import Reference
from harness.report.charts import FORMATS, PICTURES, Picture, lines_of, with_score
from harness.report.findings import findings
from harness.report.markdown import as_markdown
from harness.report.published import (
    NO_GATES,
    Published,
    as_baseline,
    as_csv,
    as_json,
    publish,
    read_published,
)
from harness.report.summary import append_summary, as_summary
from harness.report.terminal import terminal_table, terminal_warnings
from harness.spec import SuiteGates

__all__ = [
    "Published",
    "append_summary",
    "as_baseline",
    "as_summary",
    "changed_files",
    "contents_of",
    "file_names",
    "predictions_beside",
    "publish",
    "read_published",
    "render",
    "terminal_table",
    "terminal_warnings",
    "write_files",
    "write_tables",
]


PREDICTIONS = "predictions.parquet"
TABLES = ("md", "html", "csv", "json")

OTHER_PREDICTIONS = (
    "put the file there that was written with leaderboard.json, or take it away; "
    "`pytest benchmarks/` writes both"
)


def write_tables(
    folder: Path,
    suite: str,
    cells: Sequence[Cell],
    stored: Sequence[Stored],
    baseline: Baseline | None = None,
    references: Sequence[Reference] = (),
    gates: SuiteGates = NO_GATES,
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

    Raises:
        BadInput: the folder cannot be written.
        ValueError: two records of one cell and seed.
    """
    contents = contents_of(suite, cells, stored, baseline, references, gates)
    write_files(folder, contents)
    return [folder / name for name in contents]


def contents_of(
    suite: str,
    cells: Sequence[Cell],
    stored: Sequence[Stored],
    baseline: Baseline | None = None,
    references: Sequence[Reference] = (),
    gates: SuiteGates = NO_GATES,
) -> dict[str, bytes]:
    """Return the content of every file that `write_tables` writes, by name, in its order.

    Raises:
        ValueError: two records of one cell and seed.
    """
    records = [item.record for item in stored]
    published = publish(suite, cells, records, baseline, references, gates)
    return {PREDICTIONS: _predictions(published, stored), **render(published)}


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
        for name in {*_picture_names()} - {*contents}:
            (folder / name).unlink(missing_ok=True)
    except OSError as error:
        raise BadInput(
            [f"{folder}: the tables cannot be written ({error.strerror}); name a folder that can"]
        ) from None


def file_names() -> list[str]:
    """Return the names of all files that tables of any suite may have."""
    return [*_picture_names(), PREDICTIONS, *(f"leaderboard.{kind}" for kind in TABLES)]


def _picture_names() -> list[str]:
    return [f"{name}.{kind}" for name in PICTURES for kind in FORMATS]


def changed_files(folder: Path, contents: Mapping[str, bytes]) -> list[str]:
    """Return the names of the files that are missing in a folder, or hold something else there.

    Parquet files are compared by their rows: other versions of pyarrow write other bytes.
    """
    return [name for name, content in contents.items() if not _same(folder / name, content)]


def _same(path: Path, content: bytes) -> bool:
    try:
        present = path.read_bytes()
    except OSError:
        return False
    if present == content or path.suffix != ".parquet":
        return present == content
    try:
        return bool(pq.read_table(io.BytesIO(present)).equals(pq.read_table(io.BytesIO(content))))
    except pa.ArrowException:
        return False


def render(published: Published) -> dict[str, bytes]:
    """Return the content of every file but predictions.parquet, by name; leaderboard.json last.

    The pictures' bytes are the same as long as matplotlib stays the same.
    """
    # Only here: collecting tests imports this module, and should not wait for what draws.
    from harness.report.page import as_html

    runs = runs_by_cell(published.cells, published.records)
    judgements = judge_all(published.cells, runs, published.baseline)
    frame = leaderboard(published.cells, published.records, judgements=judgements)
    found = list(findings(published, judgements))
    pictures, files = _pictures(published, frame)
    texts = {
        "leaderboard.md": as_markdown(published, frame, found, pictures),
        "leaderboard.html": as_html(published, frame, found),
        "leaderboard.csv": as_csv(frame),
        "leaderboard.json": as_json(published, frame),
    }
    return {**files, **{name: text.encode() for name, text in texts.items()}}


def _pictures(published: Published, frame: pd.DataFrame) -> tuple[list[Picture], dict[str, bytes]]:
    """Return what the leaderboard's pictures show, and their files by name."""
    if not with_score(lines_of(published, frame)):
        return [], {}
    from harness.report.plots import draw, pictures

    found = pictures(published, frame)
    return found, draw(found)


def predictions_beside(folder: Path, published: Published) -> bytes | None:
    """Return the predictions.parquet in a folder; None where there is none.

    Raises:
        BadInput: it cannot be read, or holds the predictions of other runs than those of the
            leaderboard.
    """
    path = folder / PREDICTIONS
    if not path.exists():
        return None
    try:
        content = path.read_bytes()
        found = set(pq.read_table(io.BytesIO(content), columns=["key"])["key"].to_pylist())
    except (OSError, pa.ArrowException, KeyError) as error:
        what = " ".join(str(error).split())[:200]
        raise BadInput([f"{path}: cannot be read ({what}); {OTHER_PREDICTIONS}"]) from None
    if found != {run.key for run in published.records if run.status == "ok"}:
        raise BadInput(
            [
                f"{path}: holds the predictions of other runs than those of the leaderboard; "
                f"{OTHER_PREDICTIONS}"
            ]
        )
    return content


def _predictions(published: Published, stored: Sequence[Stored]) -> bytes:
    found = {(item.record.cell, item.record.seed): item for item in stored}
    ended = [found[run.cell, run.seed] for run in published.records if run.status == "ok"]
    table = join_predictions((str(item.record.key), item.folder) for item in ended)
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd")
    return buffer.getvalue()
