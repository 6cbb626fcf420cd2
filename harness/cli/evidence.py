"""The evidence of `harness report`, and where the files of a folder differ from it."""

import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from harness.paths import is_absent
from harness.store.records import Record
from harness.text import printable

if TYPE_CHECKING:
    from harness.store.given import Given

PUBLISHED_VALUES = (
    "leaderboard.json contradicts itself: it was edited or damaged; version control, or the place "
    "where it was published, tells which value is right"
)


@dataclass(frozen=True)
class Evidence:
    """The input of a report.

    `contents` are the expected contents of every file, by name; `records` are the records in them;
    `notes` are printed. `unlike` are lines about differences between records and
    predictions.parquet, and `wrong` are lines, with the file, about records unlike their cells;
    both are searched for only with --check. `published` is whether the input is a leaderboard.json.
    `given` are the predictions of other programs that it has.
    """

    folder: Path
    contents: Mapping[str, bytes]
    records: Sequence[Record]
    notes: Sequence[str]
    unlike: Sequence[str] = ()
    wrong: Sequence[str] = ()
    published: bool = False
    given: "Sequence[Given]" = ()


def print_contradictions(path: Path, problems: Sequence[str]) -> NoReturn:
    """Print what is wrong in a leaderboard.json of which no table can be made, and exit with 1."""
    for line in problems:
        click.echo(printable(f"differs: {os.path.relpath(path)}: {line}"))
    click.echo("not checked: the other files, which are compared with these records", err=True)
    click.echo(PUBLISHED_VALUES, err=True)
    sys.exit(1)


def print_differences(folder: Path, evidence: Evidence) -> None:
    """Print for every file whether it is as expected, and exit with 1 if one is not."""
    from harness.report import LEADERBOARD, PREDICTIONS, stale_files
    from harness.report.checks.changes import changed_files, differences, other_form

    changed = changed_files(folder, evidence.contents)
    stale = stale_files(folder, evidence.contents)
    for line in evidence.wrong:
        click.echo(printable(f"differs: {line}"))
    if evidence.wrong:
        click.echo(PUBLISHED_VALUES, err=True)
    if all(is_absent(folder / name) for name in [*evidence.contents, PREDICTIONS]):
        files = f"none of the {len(evidence.contents)} files of these records exists"
        click.echo(f"differs: {os.path.relpath(folder)}: {files}")
        click.echo(f"{folder}: run it without --check to write them", err=True)
        sys.exit(1)
    predictions = os.path.relpath(folder / PREDICTIONS)
    for line in evidence.unlike:
        click.echo(printable(f"differs: {predictions}: {line}"))
    for name, content in evidence.contents.items():
        path = os.path.relpath(folder / name)
        if name not in changed:
            click.echo(f"unchanged: {path}")
        for line in differences(folder / name, content) if name in changed else ():
            click.echo(printable(f"differs: {path}: {line}"))
    if not evidence.unlike and PREDICTIONS not in evidence.contents:
        click.echo(f"agrees with the records: {predictions}")
    for name in stale:
        click.echo(
            f"would be removed: {os.path.relpath(folder / name)}: not made from these records"
        )
    if evidence.unlike:
        click.echo(
            f"records and {PREDICTIONS} cannot be rebuilt from the other files: get {LEADERBOARD} "
            f"and {PREDICTIONS} as they were published together, or train these runs again",
            err=True,
        )
    if changed or stale:
        forms = [other_form(folder / name, evidence.contents[name]) for name in changed]
        only_form = not stale and None not in forms
        click.echo(_conclusion(evidence, only_form), err=True)
    if changed or stale or evidence.unlike or evidence.wrong:
        sys.exit(1)


def _conclusion(evidence: Evidence, only_form: bool) -> str:
    """Return what differing tables mean, and the way out.

    Args:
        only_form: every file that differs holds the expected data.
    """
    if only_form and not evidence.unlike and not evidence.wrong:
        return (
            "no data differ: another program wrote these files in its own form; "
            f"`{_writing_command()}` writes them as the records give them"
        )
    if not evidence.published:
        return "the tables differ from the records in the store; run it without --check"
    way_out = "; if leaderboard.json is the published one, run it without --check"
    return (
        "leaderboard.json and the tables disagree: one of them was edited, or different versions "
        "made them; version control, or the place where they were published, tells which"
        f"{'' if evidence.unlike or evidence.wrong else way_out}"
    )


def _writing_command() -> str:
    """Return the command of this process without --check."""
    words = sys.argv[1:]
    options = words.index("--") if "--" in words else len(words)
    kept = [word for word in words[:options] if word != "--check"]
    return shlex.join(["harness", *kept, *words[options:]])
