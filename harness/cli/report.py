"""`harness report`: rebuilds the tables from the store or from a published leaderboard.json."""

import contextlib
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from harness.cli.choices import MATRIX, chosen, only_suite, options
from harness.errors import BadInput
from harness.session.options import flag_of, session_options
from harness.session.reuse import records_for_plan
from harness.store.records import Record
from harness.store.run_store import read_store
from harness.suite.plan import suite_gates
from harness.text import counted, printable


@click.command(short_help="rebuild or check every table")
@click.argument("source", type=click.Path(path_type=Path), metavar="FOLDER|LEADERBOARD.JSON")
@options(("suite", *MATRIX, "baseline", "replace"))
@click.option(
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    help="the folder to write to; by default the folder of the evidence",
)
@click.option(
    "--check",
    is_flag=True,
    help="write nothing; print where files differ from the records (predictions.parquet by each "
    "run's digest), and exit 1 if any file differs",
)
def report(source: Path, output: Path | None, check: bool, **values: Any) -> None:
    """Rebuild every table from its evidence, and print which files changed.

    The evidence is a published leaderboard.json, which contains every record in full, with the
    predictions.parquet in the same folder. With --suite the evidence is the store: the records
    under FOLDER/runs that belong to the suite's plan; the options after --suite change this plan
    as they do for `pytest benchmarks/`. With --output the tables are published in another folder;
    by default, sessions do not write to results/SUITE.

    \b
    Examples:
      harness report results/local/quickstart
      harness report results/local/quickstart --output results/quickstart
      harness report results/cola --check
      harness report results/local/mine --suite mine.toml
      harness report downloaded.json --output tables/
    """
    if check and output is not None and not output.exists():
        way_out = "name the folder to check; without --check the folder is written"
        missing = [] if source.exists() else [f"{source}: no such file or folder"]
        raise BadInput([*missing, f"--output: {output}: no such folder; {way_out}"])
    if values["suite"]:
        evidence = _from_store(source, values)
    elif given := [name for name in (*MATRIX, "baseline") if values[name] is not None]:
        flags = ", ".join(map(flag_of, given))
        raise click.UsageError(f"{flags}: only with a suite's plan; name the suite with --suite")
    else:
        evidence = _from_published(source, output, check)
    folder = evidence.folder if output is None else output
    for note in evidence.notes:
        click.echo(note, err=True)
    if check:
        _print_differences(folder, evidence)
    else:
        _write(folder, evidence, values["replace"])


@dataclass(frozen=True)
class _Evidence:
    """The input of a report.

    `contents` are the expected contents of every file, by name; `records` are the records in them;
    `notes` are printed. `unlike` are lines about differences between records and
    predictions.parquet, which are searched for only with --check. `published` is whether the input
    is a leaderboard.json.
    """

    folder: Path
    contents: Mapping[str, bytes]
    records: Sequence[Record]
    notes: Sequence[str]
    unlike: Sequence[str] = ()
    published: bool = False


def _write(folder: Path, evidence: _Evidence, replace: bool) -> None:
    from harness.report import replacement, write_files
    from harness.report.checks.changes import changed_files

    now = replacement.runs_of_records(evidence.records)
    if not replace and (line := replacement.refusal(folder, now, "--output FOLDER")) is not None:
        raise BadInput(line.splitlines())
    with contextlib.suppress(BadInput):  # an unreadable leaderboard is replaced without a message
        before = replacement.runs_in_tables(folder)
        if before is not None and (line := replacement.replaced(before, now)) is not None:
            click.echo(line, err=True)
    changed = changed_files(folder, evidence.contents)
    write_files(folder, evidence.contents)
    for name in evidence.contents:
        state = "written" if name in changed else "unchanged"
        click.echo(f"{state}: {os.path.relpath(folder / name)}")


def _print_differences(folder: Path, evidence: _Evidence) -> None:
    """Print for every file whether it is as expected, and exit with 1 if one is not."""
    from harness.report import LEADERBOARD, PREDICTIONS, stale_files
    from harness.report.checks.changes import changed_files, differences

    changed = changed_files(folder, evidence.contents)
    stale = stale_files(folder, evidence.contents)
    if not any((folder / name).exists() for name in [*evidence.contents, PREDICTIONS]):
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
        click.echo(_conclusion(evidence), err=True)
    if changed or stale or evidence.unlike:
        sys.exit(1)


def _conclusion(evidence: _Evidence) -> str:
    """Return what differing tables mean, and the way out."""
    if not evidence.published:
        return "the tables differ from the records in the store; run it without --check"
    way_out = "; if leaderboard.json is the published one, run it without --check"
    return (
        "leaderboard.json and the tables disagree: one of them was edited, or different versions "
        "made them; version control, or the place where they were published, tells which"
        f"{'' if evidence.unlike else way_out}"
    )


def _from_published(source: Path, output: Path | None, check: bool) -> _Evidence:
    from harness.report import LEADERBOARD, PREDICTIONS, leaderboard_in, read_published, render
    from harness.report.checks.logits import mismatched_predictions, predictions_beside

    path = leaderboard_in(source)
    if not path.exists():
        where = f"{source}: no {LEADERBOARD}" if source.is_dir() else f"{source}: no such file"
        way_out = "a folder with only runs/ also needs the plan: --suite FILE"
        raise BadInput([f"{where}; name a results folder that has one ({way_out})"])
    published = read_published(path)
    folder = path.parent
    if check:
        checked = folder if output is None else output
        contents = render(published, (checked / PREDICTIONS).exists())
        unlike = mismatched_predictions(checked, published)
        return _Evidence(folder, contents, published.records, (), unlike, published=True)
    predictions, notes = predictions_beside(folder, published)
    if predictions is not None:
        contents = {PREDICTIONS: predictions, **render(published)}
        return _Evidence(folder, contents, published.records, notes)
    beside = None
    if output is not None:  # its predictions may belong to other runs
        beside, notes = predictions_beside(output, published)
    note = f"{folder / PREDICTIONS}: missing, and not written: leaderboard.json contains no logits"
    contents = render(published, beside is not None)
    return _Evidence(folder, contents, published.records, [note, *notes])


def _from_store(folder: Path, values: dict[str, Any]) -> _Evidence:
    from harness.report import contents_of, publish

    typed = chosen(values)
    planned = only_suite(typed)
    store, notes = read_store(folder)
    stored, left_out = records_for_plan(planned.suite, planned.cells, store)
    if not any(item.record.scores for item in stored):
        problem = f"{folder / 'runs'}: no scored run of the plan of {planned.path.name} among "
        problem += f"{counted(len(store), 'record')}; name the folder of its results, or train it"
        raise BadInput([problem, *notes])
    published = publish(
        planned.suite.name,
        planned.cells,
        [item.record for item in stored],
        session_options(typed).baseline_of(planned.suite.name),
        planned.references,
        suite_gates(planned.suite),
        planned.suite.dataset,
    )
    contents = contents_of(published, stored)
    return _Evidence(folder, contents, published.records, notes + left_out)
