"""What grows with the number of records, at another commit and at this one: `--growth`."""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from harness.errors import BadInput
from speed import commands, paired
from speed.commands import ROOT, Failed, Timed
from speed.sections import Compared, measurement, section

CHECKPOINTS, CELLS, SEEDS, EPOCHS = 20, 2000, 5, 5
FINISHED, START = (200, 5), (2, 2)
"""Cells and seeds of the sessions whose runs are all finished: many, and as in the quick start."""
ROUNDS = 5
PUBLISHED = "cola"
"""The published results whose tables are made again, a few records."""


def growth(
    revision: str,
    commit: str,
    tree: Path,
    folder: Path,
    cells: int = CELLS,
    finished: tuple[int, int] = FINISHED,
) -> Iterator[dict[str, Any]]:
    """Measure another commit and this one in turn; yield the section after every round.

    Every measurement is a whole command. `harness report` reads records, judges them and writes
    every table, page and picture; a session of pytest verifies finished runs and trains nothing.
    Each commit reads files that it wrote itself.

    Args:
        revision: the other commit, as it was typed.
        commit: its hash.
        tree: its checkout.
        folder: for the records.
        cells: in the large leaderboard.
        finished: cells and seeds of the large session.

    Raises:
        BadInput: the other commit cannot make such records.
    """
    measures: dict[str, Callable[[], Timed]] = {}
    for name, of in (("other commit", tree), ("this commit", ROOT)):
        try:
            found = prepared(of, Path(tempfile.mkdtemp(dir=folder)), cells, finished)
            for kind in ("few", "start", "finished"):  # files are compiled, and tables written
                found[kind]()
        except (Failed, OSError) as error:
            if of == ROOT:
                raise
            raise BadInput(
                [
                    f"--against {revision}: the harness at {commit[:12]} cannot make these "
                    f"records, so the two cannot be compared; choose a later commit. {error}"
                ]
            ) from None
        measures |= {f"{name}: {kind}": measure for kind, measure in found.items()}
    kinds = {
        "many": f"`harness report` of {cells * SEEDS} records of {cells} cells",
        "few": f"`harness report` of results/{PUBLISHED}",
        "finished": f"a session of {finished[0] * finished[1]} finished runs",
        "start": f"a session of {START[0] * START[1]} finished runs, as of the quick start",
    }
    compared = {
        f"{kind}_over_this_commit": Compared(
            f"other commit / this commit, {what}", f"other commit: {kind}", f"this commit: {kind}"
        )
        for kind, what in kinds.items()
    }
    about = (
        f"The harness at commit {commit[:12]} against this one, in the same environment, whole "
        f"commands. Reports: {cells} cells of {CHECKPOINTS} checkpoints: {SEEDS} seeds, {EPOCHS} "
        "epochs, predictions for as many sentences as CoLA's validation split has; read, judged, "
        "and written as tables, page and pictures, all of which are drawn; the other commands find "
        "pictures kept from an earlier one, where a commit keeps them. Sessions verify and reuse "
        "every run, and train nothing. Above 1, this commit is faster."
    )
    for round_ in paired.in_turn(measures, ROUNDS):
        measured = {name: [measurement(each) for each in round_[name]] for name in round_}
        yield {**section(about, measured, compared), "other_commit": commit}


def prepared(
    tree: Path, folder: Path, cells: int, finished: tuple[int, int]
) -> dict[str, Callable[[], Timed]]:
    """Make the records of a checkout; return what measures its harness on them, by kind.

    Raises:
        Failed: the checkout cannot make these records.
    """
    write(tree, "many_records.py", folder / "many", CHECKPOINTS, cells, SEEDS, EPOCHS)
    write(tree, "stores.py", folder / "finished", *finished)
    write(tree, "stores.py", folder / "start", *START)
    shutil.copytree(tree / "results" / PUBLISHED, folder / "few")
    return {
        "many": partial(report, tree, folder / "many", draws=True),
        "few": partial(report, tree, folder / "few"),
        "finished": partial(session, tree, folder / "finished"),
        "start": partial(session, tree, folder / "start"),
    }


def write(tree: Path, program: str, folder: Path, *size: int) -> None:
    """Write records with a program of this checkout and the harness of another one.

    Raises:
        Failed: that harness cannot write them.
    """
    file = ROOT / "benchmarks" / "speed" / program
    commands.run(str(file), str(folder), *map(str, size), tree=tree)


def report(tree: Path, source: Path, draws: bool = False) -> Timed:
    """Make every table of a leaderboard with the harness of a checkout, into a new folder.

    Args:
        draws: draw every picture, without those kept from earlier reports.
    """
    with tempfile.TemporaryDirectory(dir=source.parent) as output:
        cache = {"XDG_CACHE_HOME": f"{output}/cache"} if draws else None
        command = ("-m", "harness", "report", str(source), "--output", f"{output}/tables")
        return commands.run(*command, tree=tree, variables=cache)


def session(tree: Path, folder: Path) -> Timed:
    """Run a session whose runs are all finished; `folder` is that of `stores.finished_runs`."""
    return commands.run(*commands.of_pytest(folder / "many.toml", folder / "results"), tree=tree)
