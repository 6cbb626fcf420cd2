"""What `harness judge` is asked: predictions, gates and a row; every mistake in them at once."""

import functools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.cli.judge.adding import Destination
from harness.cli.judge.gates import Gates, check_thresholds, gates_of, overrides, read_suite
from harness.errors import BadInput, problems_of
from harness.paths import is_absent, passes
from harness.session.options import flag_of, located
from harness.suite.spec import Suite
from harness.text import counted, printable

if TYPE_CHECKING:  # it imports `datasets` and pandas
    from harness.cli.judge.published import PublishedCell


@dataclass(frozen=True)
class Request:
    """Predictions to judge, and what they are judged by.

    Attributes:
        files: of the predictions, one a seed; none for a published cell.
        baseline: the files to compare with, likewise.
        suite: with the thresholds of the command line, from the file at `path`.
        row: where the predictions are added.
    """

    files: Sequence[Path]
    baseline: Sequence[Path]
    paired_seeds: bool
    suite: Suite | None
    path: Path | None
    published: "PublishedCell | None"
    gates: Gates
    row: Destination | None


def not_with_cell(
    predictions: Sequence[Path], cell: str | None, of_files: Sequence[str]
) -> Iterator[str]:
    """Yield what does not go together with the option --cell.

    Args:
        of_files: the options that were typed and describe files of predictions.
    """
    if cell is None:
        return
    if len(predictions) > 1:
        yield "--cell: a cell is of one results folder; name one"
    if of_files:
        flags = ", ".join(map(flag_of, of_files))
        yield f"{flags}: for files of predictions; leave it out with --cell"


def read_request(
    predictions: Sequence[Path],
    baseline: Sequence[Path],
    paired_seeds: bool,
    suite: str | None,
    cell: str | None,
    min_mcc: float | None,
    max_drop: float | None,
    row: Callable[[bool], Destination] | None,
) -> Request:
    """Read what the command line names, except the predictions and the suite's data.

    Args:
        row: reads the leaderboard to which the predictions are added, if it is given True after it
            has waited for other commands that change it; None to add no row.

    Raises:
        BadInput: every mistake in it.
    """
    files = predictions if cell is None else ()
    path = None if suite is None else located(suite, Path())
    typed = overrides(min_mcc, max_drop)
    read_given = functools.cache(lambda: None if path is None else read_suite(path, typed))
    read_cell = functools.cache(lambda: None if cell is None else _cell(predictions[0], cell))
    unread = problems_of(lambda: check_thresholds(typed), read_given, read_cell)
    problems = [*unread, *_not_files([*files, *baseline])]
    if not baseline and (max_drop is not None or paired_seeds):
        flag = "--max-drop" if max_drop is not None else "--paired-seeds"
        problems.append(f"{flag}: there is no baseline; name its predictions with --baseline FILE")
    if cell is None:
        problems += _unpaired(len(files), baseline, paired_seeds)
    destination = None
    if row is not None:
        try:
            destination = row(not problems)
        except BadInput as error:
            problems += error.problems
    if unread:  # the gates are not known
        raise BadInput(problems)
    given, published = read_given(), read_cell()
    with_baseline = bool(baseline) or max_drop is not None
    gates = gates_of(
        None if given is None else (str(suite), given),
        None if published is None else (f"{predictions[0]}: {published.cell.id}", published.cell),
        typed,
        with_baseline,
    )
    if published is not None:
        problems += _unpaired(len(published.runs), baseline, paired_seeds)
    refused = gates.refused(typed)
    problems += refused
    if row is None and not refused:
        problems += gates.none_applies(with_baseline)
    if problems:
        raise BadInput(problems)
    return Request(
        files=files,
        baseline=baseline,
        paired_seeds=paired_seeds,
        suite=given,
        path=path,
        published=published,
        gates=gates,
        row=destination,
    )


def _unpaired(seeds: int, baseline: Sequence[Path], paired: bool) -> Iterator[str]:
    """Yield why the seeds of predictions and baseline cannot be paired, if they are to be."""
    if baseline and paired and seeds != len(baseline):
        yield (
            f"--paired-seeds: {counted(seeds, 'seed')}, but {len(baseline)} of --baseline; name "
            "as many files for both, in the same order of seeds"
        )


def _not_files(paths: Sequence[Path]) -> Iterator[str]:
    """Yield a line for each path that is not a file of predictions."""
    from harness.inputs.data.formats import reader_of

    for path in paths:
        if passes(Path.is_dir, path):
            yield (
                f"{path}: a folder; name a file of predictions, or with --cell ID one cell of the "
                "results folder that is judged"
            )
        elif is_absent(path):
            yield f"{path}: no such file; name a file of predictions"
        else:
            yield from problems_of(functools.partial(reader_of, path))


def _cell(results: Path, cell: str) -> "PublishedCell":
    """Read the cell that is judged, and print which of its predictions could not be checked."""
    from harness.cli.judge.published import published_cell

    found = published_cell(results, cell)
    for line in found.unchecked:
        click.echo(printable(line), err=True)
    return found
