"""`harness judge --add-to`: given predictions as a row of a leaderboard."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click
import numpy as np

from harness.errors import BadInput
from harness.paths import passes
from harness.store import lock

if TYPE_CHECKING:  # they import `datasets` and pandas
    from harness.inputs.given_labels import ValidationSplit
    from harness.inputs.given_predictions import GivenRun
    from harness.report import Published


@dataclass(frozen=True)
class Destination:
    """A leaderboard, its folder, and the name of the row that is added to it."""

    folder: Path
    published: "Published"
    name: str


def check_options(
    add_to: Path | None, name: str | None, replace: bool, suite: str | None, cell: str | None
) -> None:
    """Raise a usage error for options that do not go together."""
    if add_to is None:
        if name is not None or replace:
            flag = "--name" if name is not None else "--replace"
            raise click.UsageError(f"{flag}: only with --add-to FOLDER, which adds a row")
        return
    if name is None:
        raise click.UsageError("--add-to: name the row with --name NAME")
    if cell is not None:
        raise click.UsageError("--add-to: for files of predictions, not with --cell")
    if suite is None:
        raise click.UsageError(
            "--add-to: name the leaderboard's suite with --suite FILE, whose data the labels are "
            "compared with"
        )


def destination(folder: Path, name: str, may_replace: bool) -> Destination:
    """Return the leaderboard to which a row is added.

    Until the command ends, no other one and no session changes it: they would lose the row.

    Raises:
        BadInput: it cannot be read, a session holds it, or the name is not allowed or taken.
    """
    from harness.report.given import readable
    from harness.store.given import name_problem, taken_names

    if (problem := name_problem(name)) is not None:
        raise BadInput([f"--name: {problem}"])
    context = click.get_current_context()
    context.with_resource(lock.tables(folder))
    if passes(Path.is_dir, folder / "runs"):
        held = lock.hold(folder / "runs")
        context.call_on_close(partial(lock.release, held))
    published = readable(folder)
    if name in taken_names(published.cells):
        raise BadInput(
            [f"--name: {name!r}: a checkpoint or cell of {folder} has this name; choose another"]
        )
    if not may_replace and any(each.name == name for each in published.given):
        raise BadInput(
            [
                f"--name: {name!r}: {folder} has given predictions of this name; add --replace to "
                "replace them, or choose another name"
            ]
        )
    return Destination(folder, published, name)


def add_row(
    to: Destination,
    files: Sequence[Path],
    runs: "Sequence[GivenRun]",
    split: "ValidationSplit | str | None",
) -> list[Path]:
    """Add predictions to a leaderboard, and return the files that changed.

    Args:
        runs: of the files, in their order; labels and sentences are those of the split.
        split: of the suite's data; text if they cannot be reached, and why.

    Raises:
        BadInput: the data cannot be reached or are not the leaderboard's, or its folder cannot be
            written.
    """
    from harness.report.given import add, data_of
    from harness.store.given import given_of

    if split is None or isinstance(split, str):
        raise BadInput(
            [
                f"--add-to: the labels could not be compared with the suite's data ({split}), and "
                "a row needs that; make the data available, for CoLA with --cola-dir FOLDER"
            ]
        )
    digests = [hashlib.sha256(path.read_bytes()).hexdigest() for path in files]
    first = {digest: path for path, digest in reversed([*zip(files, digests, strict=True)])}
    if problems := [
        f"{path}: the same content as {first[digest]}; a file is one seed, so name each once"
        for path, digest in zip(files, digests, strict=True)
        if first[digest] is not path
    ]:
        raise BadInput(problems)
    facts = data_of(to.folder, to.published, split.fingerprint, split.origin)
    given = given_of(
        to.name,
        facts,
        split.labels,
        np.stack([run.predicted for run in runs]),
        len(split.class_names),
        digests,
        sentences_compared=all(run.texts is not None for run in runs),
    )
    return add(to.folder, to.published, given)
