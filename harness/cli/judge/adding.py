"""`harness judge --add-to`: given predictions as a row of a leaderboard."""

import functools
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click
import numpy as np

from harness.errors import BadInput, problems_of
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


def misused(
    add_to: Path | None, name: str | None, replace: bool, suite: str | None, cell: str | None
) -> Iterator[str]:
    """Yield a line for each option that does not go together with the others."""
    if add_to is None:
        for flag, typed in (("--name", name is not None), ("--replace", replace)):
            if typed:
                yield f"{flag}: only with --add-to FOLDER, which adds a row"
        return
    if name is None:
        yield "--add-to: name the row with --name NAME"
    if cell is not None:
        yield "--add-to: for files of predictions, not with --cell"
    elif suite is None:
        yield (
            "--add-to: name the leaderboard's suite with --suite FILE, whose data the labels are "
            "compared with"
        )


def destination(folder: Path, name: str, may_replace: bool, held: bool) -> Destination:
    """Return the leaderboard to which a row is added.

    Args:
        held: whether it is held until the command ends: other commands and sessions would lose the
            row. Where nothing will be added, waiting for them is of no use.

    Raises:
        BadInput: it cannot be read, a session holds it, or the name is not allowed or taken.
    """
    from harness.store.given import name_problem

    problem = name_problem(name)
    problems = [] if problem is None else [f"--name: {problem}"]
    read = functools.cache(lambda: _leaderboard(folder, held and not problems))
    problems += problems_of(read)
    if not problems:
        problems += _taken(folder, read(), name, may_replace)
    if problems:
        raise BadInput(problems)
    return Destination(folder, read(), name)


def _leaderboard(folder: Path, held: bool) -> "Published":
    from harness.report.given import readable

    if held:
        context = click.get_current_context()
        context.with_resource(lock.tables(folder))
        if passes(Path.is_dir, folder / "runs"):
            runs = lock.hold(folder / "runs")
            context.call_on_close(functools.partial(lock.release, runs))
    return readable(folder)


def _taken(folder: Path, published: "Published", name: str, may_replace: bool) -> Iterator[str]:
    """Yield why a row cannot have a name that the leaderboard has, if it has it."""
    from harness.store.given import taken_names

    if name in taken_names(published.cells):
        yield f"--name: {name!r}: a checkpoint or cell of {folder} has this name; choose another"
    elif not may_replace and any(each.name == name for each in published.given):
        yield (
            f"--name: {name!r}: {folder} has given predictions of this name; add --replace to "
            "replace them, or choose another name"
        )


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
