"""What grows with the number of records, at another commit and at this one: `--growth`."""

import shutil
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from harness.errors import BadInput
from speed import commands, paired
from speed.commands import ROOT, Failed, Timed
from speed.sections import Compared, measurement, section

CHECKPOINTS, CELLS, SEEDS, EPOCHS = 20, 2000, 5, 5
ROUNDS = 5
PUBLISHED = "cola"
"""The published results whose tables are made again, a few records."""


def growth(
    revision: str, commit: str, tree: Path, folder: Path, cells: int = CELLS
) -> Iterator[dict[str, Any]]:
    """Measure another commit and this one in turn; yield the section after every round.

    Every measurement is a whole command, `harness report`, which reads records, judges them and
    writes every table, page and picture. Each commit reads files that it wrote itself.

    Args:
        revision: the other commit, as it was typed.
        commit: its hash.
        tree: its checkout.
        folder: for the records.
        cells: in the large leaderboard.

    Raises:
        BadInput: the other commit cannot make such records.
    """
    trees = {"other commit": tree, "this commit": ROOT}
    measures = {}
    for name, of in trees.items():
        try:
            many, few = leaderboards(of, Path(tempfile.mkdtemp(dir=folder)), cells)
            report(of, few, folder)  # so that its files are compiled
        except (Failed, OSError) as error:
            if of == ROOT:
                raise
            raise BadInput(
                [
                    f"--against {revision}: the harness at {commit[:12]} cannot make these "
                    f"records, so the two cannot be compared; choose a later commit. {error}"
                ]
            ) from None
        measures[f"{name}: many"] = partial(report, of, many, folder)
        measures[f"{name}: few"] = partial(report, of, few, folder)
    kinds = {
        "many": f"`harness report` of {cells * SEEDS} records of {cells} cells",
        "few": f"`harness report` of results/{PUBLISHED}",
    }
    compared = {
        f"{kind}_over_this_commit": Compared(
            f"other commit / this commit, {what}", f"other commit: {kind}", f"this commit: {kind}"
        )
        for kind, what in kinds.items()
    }
    about = (
        f"The harness at commit {commit[:12]} against this one, in the same environment, whole "
        f"commands. {cells} cells of {CHECKPOINTS} checkpoints: {SEEDS} seeds, {EPOCHS} epochs, "
        "predictions for as many sentences as CoLA's validation split has; read, judged, and "
        "written as tables, page and pictures. Above 1, this commit is faster."
    )
    for found in paired.in_turn(measures, ROUNDS):
        measured = {name: [measurement(each) for each in found[name]] for name in found}
        yield {**section(about, measured, compared), "other_commit": commit}


def leaderboards(tree: Path, folder: Path, cells: int) -> tuple[Path, Path]:
    """Make the leaderboards of a checkout: one of many records, and a copy of a published one.

    Raises:
        Failed: the checkout cannot make these records.
    """
    program = ROOT / "benchmarks" / "speed" / "many_records.py"
    size = map(str, (CHECKPOINTS, cells, SEEDS, EPOCHS))
    commands.run(str(program), str(folder / "many"), *size, tree=tree)
    shutil.copytree(tree / "results" / PUBLISHED, folder / "few")
    return folder / "many", folder / "few"


def report(tree: Path, source: Path, folder: Path) -> Timed:
    """Make every table of a leaderboard with the harness of a checkout, into a new folder."""
    with tempfile.TemporaryDirectory(dir=folder) as output:
        return commands.run("-m", "harness", "report", str(source), "--output", output, tree=tree)
