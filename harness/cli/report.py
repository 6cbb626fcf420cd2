"""`harness report`: the tables anew, from the store or from a published leaderboard.json."""

import os
import sys
from pathlib import Path
from typing import Any

import click

from harness.archive import of_plan
from harness.cli.choices import MATRIX, chosen, options
from harness.errors import BadInput
from harness.options import planned_suites, session_options
from harness.plan import suite_gates
from harness.records import read_store

PUBLISHED = "leaderboard.json"


@click.command(short_help="rebuild every table from its evidence")
@click.argument("source", type=click.Path(path_type=Path), metavar="FOLDER|LEADERBOARD.JSON")
@options(("suite", *MATRIX, "baseline"))
@click.option(
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    help="where the files go; by default where the evidence lies",
)
@click.option("--check", is_flag=True, help="write nothing; exit 1 if a file would change")
def report(source: Path, output: Path | None, check: bool, **values: Any) -> None:
    """Rebuild every table from its evidence, and say which files changed.

    The evidence is a published leaderboard.json, which holds every record in full; the
    predictions.parquet beside it goes with it. With --suite it is the store, the records under
    FOLDER/runs, of which those of the suite's plan count; the options after --suite change that
    plan as they do for `pytest benchmarks/`. With --output the tables are published elsewhere: no
    session writes to results/SUITE by itself.

    \b
    Examples:
      harness report results/local/quickstart
      harness report results/local/quickstart --output results/quickstart
      harness report results/cola --check
      harness report results/local/mine --suite mine.toml
      harness report downloaded.json --output tables/
    """
    if values["suite"]:
        folder, contents, notes = source, *_from_store(source, values)
    elif given := [name for name in (*MATRIX, "baseline") if values[name] is not None]:
        flags = ", ".join(f"--{name.replace('_', '-')}" for name in given)
        raise click.UsageError(f"{flags}: changes a suite's plan; name the suite with --suite")
    else:
        folder, contents, notes = _from_published(source, output)
    from harness.report import changed_files, write_files

    folder = folder if output is None else output
    changed = changed_files(folder, contents)
    if not check:
        write_files(folder, contents)
    for note in notes:
        click.echo(note, err=True)
    for name in contents:
        verb = "would change" if check else "written"
        state = verb if name in changed else "as it was"
        click.echo(f"{state}: {os.path.relpath(folder / name)}")
    if check and changed:
        click.echo("the files differ from the evidence; run it without --check", err=True)
        sys.exit(1)


def _from_published(source: Path, output: Path | None) -> tuple[Path, dict[str, bytes], list[str]]:
    """Return the evidence's folder, the content of every file, and what is to be said of it."""
    from harness.report import PREDICTIONS, predictions_beside, read_published, render

    path = source / PUBLISHED if source.is_dir() else source
    if not path.exists():
        where = f"{source}: no {PUBLISHED}" if source.is_dir() else f"{source}: no such file"
        way_out = "a folder with runs/ alone needs --suite FILE to know the plan"
        raise BadInput([f"{where}; name a results folder that has one ({way_out})"])
    published = read_published(path)
    contents = render(published)
    predictions = predictions_beside(path.parent, published)
    if predictions is not None:
        return path.parent, {PREDICTIONS: predictions, **contents}, []
    if output is not None:  # what lies there may be of other runs
        predictions_beside(output, published)
    missing = path.parent / PREDICTIONS
    note = f"{missing}: not there, and not written: a leaderboard.json holds no logits"
    return path.parent, contents, [note]


def _from_store(folder: Path, values: dict[str, Any]) -> tuple[dict[str, bytes], list[str]]:
    from harness.report import contents_of

    if len(values["suite"]) > 1:
        raise click.UsageError("--suite: one suite a folder; name one")
    typed = chosen(values)
    (planned,) = planned_suites(typed)
    store, notes = read_store(folder)
    stored, left_out = of_plan(planned.suite, planned.cells, store)
    if not any(item.record.scores for item in stored):
        problem = f"{folder / 'runs'}: no scored run of the plan of {planned.path.name} among "
        problem += f"{len(store)} records; name the folder of its results, or train it"
        raise BadInput([problem, *notes])
    name, baseline = planned.suite.name, session_options(typed).baseline
    baseline = baseline if baseline is not None and baseline.suite == name else None
    contents = contents_of(
        name, planned.cells, stored, baseline, planned.references, suite_gates(planned.suite)
    )
    return contents, notes + left_out
