"""Writes a suite's plan and records to its results folder, and reads the published file again.

`write_tables` is the entry point. Every file that it writes, except predictions.parquet, is a pure
function of leaderboard.json, so `render(read_published(path))` gives the same bytes again.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from harness.errors import BadInput
from harness.judging.baseline import Baseline
from harness.judging.gates import Judgement
from harness.judging.leaderboard import leaderboard
from harness.paths import passes
from harness.report.checks.changes import changed_files
from harness.report.checks.logits import PREDICTIONS, joined
from harness.report.findings import findings
from harness.report.markdown import as_markdown
from harness.report.pictures.charts import Line, of_cells, table_lines, with_score
from harness.report.pictures.content import FORMATS, PICTURES, Picture
from harness.report.published import (
    LEADERBOARD,
    NO_GATES,
    TRAIN_FIRST,
    Published,
    as_csv,
    as_json,
    leaderboard_in,
    publish,
    read_published,
)
from harness.store.given import Given
from harness.store.run_store import Stored, write_atomically
from harness.store.slices import Slices
from harness.suite.plan import Cell
from harness.suite.references import Reference
from harness.suite.spec import DatasetSpec, SuiteGates

__all__ = [
    "LEADERBOARD",
    "PREDICTIONS",
    "TRAIN_FIRST",
    "Published",
    "contents_of",
    "file_names",
    "leaderboard_in",
    "publish",
    "read_published",
    "render",
    "stale_files",
    "write_files",
    "write_tables",
]


def write_tables(
    folder: Path,
    suite: str,
    cells: Sequence[Cell],
    stored: Sequence[Stored],
    baseline: Baseline | None = None,
    references: Sequence[Reference] = (),
    gates: SuiteGates = NO_GATES,
    dataset: DatasetSpec | None = None,
    slices: Slices | None = None,
    given: Sequence[Given] = (),
    judgements: Mapping[str, Judgement] | None = None,
) -> list[Path]:
    """Write leaderboard.md, .html, .csv and .json, pictures, and predictions.parquet.

    Returns their paths.

    Each file is replaced atomically, leaderboard.json last. The same plan and records give the
    same bytes; predictions.parquet only with the same version of pyarrow. It has a row for every
    run and sentence, with the run's key in the first column.

    Args:
        folder: the suite's results folder; it is created if it does not exist.
        stored: at most one record for each cell and seed; those of other cells are left out.
        references: those of other checkpoints are left out.
        gates: on all cells together, with published names.
        dataset: the source of the suite's data.
        slices: of the validation sentences.
        given: predictions of other programs on the same sentences.
        judgements: of the cells by these records, by cell id, if they were made before.

    Raises:
        BadInput: the folder cannot be written.
        ValueError: two records of one cell and seed.
    """
    records = [item.record for item in stored]
    published = publish(suite, cells, records, baseline, references, gates, dataset, slices, given)
    contents = contents_of(published.judged(judgements), stored)
    write_files(folder, contents)
    return [folder / name for name in contents]


def contents_of(published: Published, stored: Iterable[Stored]) -> dict[str, bytes]:
    """Return the content of every file that `write_tables` writes, by name, in its order."""
    return {PREDICTIONS: joined(published, stored), **render(published)}


def write_files(folder: Path, contents: Mapping[str, bytes]) -> list[str]:
    """Write the files that are missing or have other content, each atomically; return their names.

    Args:
        contents: of every file of a leaderboard; pictures that are not among them are removed.

    Raises:
        BadInput: the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        changed = changed_files(folder, contents)
        for name in changed:
            write_atomically(folder / name, contents[name])
        for name in stale_files(folder, contents):
            (folder / name).unlink(missing_ok=True)
    except OSError as error:
        raise BadInput(
            [f"{folder}: the tables cannot be written ({error.strerror}); name another folder"]
        ) from None
    return changed


def stale_files(folder: Path, contents: Mapping[str, bytes]) -> list[str]:
    """Return the names of pictures in a folder that do not belong to these tables."""
    others = (name for name in _picture_names() if name not in contents)
    return [name for name in others if passes(Path.exists, folder / name)]


def file_names() -> list[str]:
    """Return the names of all files that tables of any suite may have."""
    tables = [f"leaderboard.{kind}" for kind in ("md", "html", "csv", "json")]
    return [*_picture_names(), PREDICTIONS, *tables]


def _picture_names() -> list[str]:
    return [f"{name}.{kind}" for name in PICTURES for kind in FORMATS]


def render(published: Published, predictions: bool = True) -> dict[str, bytes]:
    """Return the content of every file except predictions.parquet, by name; leaderboard.json last.

    The pictures' bytes depend on the version of matplotlib.

    Args:
        predictions: whether predictions.parquet is in the same folder, so that links to it work.
    """
    # Imported here: collecting tests imports this module, and should not load plotting libraries.
    from harness.report.page import as_html

    frame = leaderboard(
        published.cells, published.records, judgements=published.judgements, given=published.given
    )
    lines = table_lines(published, frame)
    found = list(findings(published, published.judgements))
    pictures, files = _pictures(with_score(of_cells(lines)))
    texts = {
        "leaderboard.md": as_markdown(published, lines, found, pictures, predictions),
        "leaderboard.html": as_html(published, lines, found, predictions),
        "leaderboard.csv": as_csv(frame),
        LEADERBOARD: as_json(published, frame),
    }
    return {**files, **{name: text.encode() for name, text in texts.items()}}


def _pictures(scored: Sequence[Line]) -> tuple[list[Picture], dict[str, bytes]]:
    """Return the pictures of the lines with a score, and their files by name."""
    if not scored:
        return [], {}
    from harness.report.pictures.choice import pictures
    from harness.report.pictures.drawn import drawn

    found = list(pictures(scored))
    return found, drawn(found)
