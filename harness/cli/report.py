"""`harness report`: rebuilds the tables from the store or from a published leaderboard.json."""

import contextlib
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness.cli.choices import MATRIX, chosen, only_suite, options
from harness.cli.evidence import Evidence, print_contradictions, print_differences
from harness.errors import BadInput, problems_of
from harness.garbage import uncollected
from harness.paths import is_absent, passes
from harness.session.options import cola_folder, flag_of, located
from harness.store import lock
from harness.suite.by_name import NAMES
from harness.suite.references import load_references
from harness.suite.spec import DatasetSpec, load_suite
from harness.text import counted

if TYPE_CHECKING:
    from harness.inputs.data import Source
    from harness.report import Published
    from harness.store.slices import Slices


@click.command(short_help="rebuild or check every table")
@click.argument("source", type=click.Path(path_type=Path), metavar="FOLDER|LEADERBOARD.JSON")
@options(
    ("suite", "cola_dir", *MATRIX, "baseline", "replace"),
    suite=f"rebuild from the store, by the plan of this suite: a file, or {', '.join(NAMES)}; by "
    "default the evidence is leaderboard.json",
    cola_dir="count the repeated sentences in CoLA's own folder, and add them to the records; with "
    "--slices, also where the suite's data are, by default in the environment's COLA_DIR",
    replace="replace tables that show runs which the new ones do not; without it they stay",
)
@click.option(
    "--slices",
    metavar="SUITE",
    help="divide the validation sentences into slices as this suite says (its data, annotations "
    f"and slice_columns), which trains nothing; a file, or {', '.join(NAMES)}; by default the "
    "slices stay",
)
@click.option(
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    help="the folder to write to; by default the folder of the evidence",
)
@click.option(
    "--references",
    type=click.Path(path_type=Path, dir_okay=False),
    help="a file of published scores, which replace those of leaderboard.json; with --suite, the "
    "suite names it",
)
@click.option(
    "--without",
    multiple=True,
    metavar="NAME",
    help="leave out a row of given predictions, which `harness judge --add-to` added; repeatable",
)
@click.option(
    "--check",
    is_flag=True,
    help="write nothing; print where files differ from the records (predictions.parquet by each "
    "run's digest), and exit 1 if any file differs",
)
def report(
    source: Path,
    output: Path | None,
    references: Path | None,
    check: bool,
    slices: str | None,
    without: tuple[str, ...],
    **values: Any,
) -> None:
    """Rebuild every table from its evidence, and print which files changed.

    The evidence is a published leaderboard.json, which contains every record in full, with the
    predictions.parquet in the same folder. With --suite the evidence is the store: the records
    under FOLDER/runs that belong to the suite's plan; the options after --suite change this plan
    as they do for `pytest benchmarks/`. With --output the tables are published in another folder;
    by default, sessions do not write to results/SUITE. With --cola-dir, repeated sentences are
    counted in that folder and added to records on the same data, which earlier versions lack.

    \b
    Examples:
      harness report results/local/quickstart
      harness report results/local/quickstart --output results/quickstart
      harness report results/cola --check
      harness report results/cola --slices annotated.toml --cola-dir ~/cola_public
      harness report results/cola --cola-dir ~/cola_public
      harness report results/study --references benchmarks/references.toml
      harness report results/local/mine --suite mine.toml
      harness report results/mine --without "our model"
      harness report downloaded.json --output tables/
    """
    if check and output is not None and not passes(Path.exists, output):
        way_out = "name the folder to check; without --check the folder is written"
        missing = [] if passes(Path.exists, source) else [f"{source}: no such file or folder"]
        raise BadInput([*missing, f"--output: {output}: no such folder; {way_out}"])
    if check and slices is not None:
        raise click.UsageError("--check writes nothing, and --slices changes tables; leave out one")
    if without and (check or values["suite"]):
        other = "--check, which writes nothing" if check else "--suite"
        raise click.UsageError(f"--without: not with {other}; name a folder with tables alone")
    if values["suite"] and references is not None:
        raise click.UsageError("--references: not with --suite, whose key references names it")
    if not check:
        written = output or (source if passes(Path.is_dir, source) else source.parent)
        click.get_current_context().with_resource(lock.tables(written))
    if values["suite"]:
        evidence = _from_store(source, slices, values)
    elif given := [name for name in (*MATRIX, "baseline") if values[name] not in (None, False)]:
        flags = ", ".join(map(flag_of, given))
        raise click.UsageError(f"{flags}: only with a suite's plan; name the suite with --suite")
    else:
        evidence = _from_published(source, output, check, references, slices, without, values)
    folder = evidence.folder if output is None else output
    for note in evidence.notes:
        click.echo(note, err=True)
    if check:
        print_differences(folder, evidence)
    else:
        _write(folder, evidence, values["replace"])


def _write(folder: Path, evidence: Evidence, may_replace: bool) -> None:
    from harness.report import LEADERBOARD, write_files
    from harness.report.checks.changes import changed_files

    runs = {LEADERBOARD: evidence.contents[LEADERBOARD]}
    if changed_files(folder, runs):  # otherwise it shows the same runs
        _say_what_is_replaced(folder, evidence, may_replace)
    changed = write_files(folder, evidence.contents)
    for name in evidence.contents:
        state = "written" if name in changed else "unchanged"
        click.echo(f"{state}: {os.path.relpath(folder / name)}")


def _say_what_is_replaced(folder: Path, evidence: Evidence, may_replace: bool) -> None:
    """Print which runs new tables show instead of those in a folder.

    Raises:
        BadInput: some would no longer be shown, which only --replace allows.
    """
    from harness.report import given, replacement

    now = replacement.runs_of_records(evidence.records)
    if (
        not may_replace
        and (line := replacement.refusal(folder, now, "--output FOLDER")) is not None
    ):
        raise BadInput(line.splitlines())
    if not may_replace and (line := given.left_out(folder, evidence.given)) is not None:
        raise BadInput([line])
    with contextlib.suppress(BadInput):  # an unreadable leaderboard is replaced without a message
        before = replacement.runs_in_tables(folder)
        if before is not None and (line := replacement.replaced(before, now)) is not None:
            click.echo(line, err=True)


def _with_repeats(published: "Published", path: Path, values: dict[str, Any]) -> "Published":
    """Add the repeated sentences in the folder of --cola-dir to the records on the same data.

    Raises:
        BadInput: the folder is not the data of any record, or cannot be read.
    """
    if values["cola_dir"] is None:
        return published
    from harness.inputs import data  # imports the library `datasets`, which is slow
    from harness.report.findings.repeats import with_duplicates

    loaded = data.load(_cola(values))
    if not any(facts.fingerprint == loaded.fingerprint for facts in published.datasets):
        flag = f"{flag_of('cola_dir')}: {values['cola_dir']}"
        problem = f"not the data of the runs in {path}; name their folder, or leave it out"
        raise BadInput([f"{flag}: {problem}"])
    assert loaded.duplicates is not None
    return with_duplicates(published, loaded.fingerprint, loaded.duplicates)


def _cola(values: dict[str, Any]) -> "Source":
    """Return where the data in the folder of --cola-dir are.

    Raises:
        BadInput: no such folder, or not one of CoLA.
    """
    from harness.inputs import data
    from harness.inputs.hub import Hub

    typed, offline = chosen(values), Hub("", False, "not asked")
    return data.find(DatasetSpec(source="cola"), cola_folder(typed), offline, typed.here)


@uncollected()
def _from_published(
    source: Path,
    output: Path | None,
    check: bool,
    references: Path | None,
    slices: str | None,
    without: Sequence[str],
    values: dict[str, Any],
) -> Evidence:
    from harness.report import PREDICTIONS, leaderboard_in, read_published, render
    from harness.report.checks.changes import changed_files
    from harness.report.checks.logits import (
        mismatched_predictions,
        predictions_beside,
        with_given,
        with_groupings,
    )
    from harness.report.given import others
    from harness.report.published import read_and_check, with_references

    path = leaderboard_in(source)
    problems = problems_of(
        lambda: _leaderboard_at(path, source),
        lambda: _slices_suite(slices),
        lambda: None if references is None else load_references(references),
        lambda: None if values["cola_dir"] is None else _cola(values),
    )
    if problems:
        if not is_absent(path) and not check:  # what it has wrong, beside them
            problems += problems_of(lambda: others(read_published(path).given, without, source))
        raise BadInput(problems)
    if check:
        found, wrong = read_and_check(path)
        if found is None:
            print_contradictions(path, wrong)
    else:
        found, wrong = read_published(path), []
    published = _with_repeats(found, path, values)
    if references is not None:
        published = with_references(published, load_references(references))
    published, remarks = _with_slices(published, slices, values)
    folder = path.parent
    if check:
        checked = folder if output is None else output
        contents = render(published)
        if is_absent(checked / PREDICTIONS):  # and tables that were made without it say so
            both = contents, render(published, predictions=False)
            contents = min(both, key=lambda each: len(changed_files(checked, each)))
        unlike = mismatched_predictions(checked, published)
        lines = [f"{os.path.relpath(path)}: {line}" for line in wrong]
        return Evidence(folder, contents, published.records, (), unlike, lines, published=True)
    predictions, notes = predictions_beside(folder, published)
    before = published.given
    published = replace(published, given=others(before, without, folder))
    if predictions is not None:
        published = with_groupings(folder, published)
        if without:
            predictions = with_given(predictions, before, published.given)
        contents = {PREDICTIONS: predictions, **render(published)}
        notes = [*remarks, *notes]
        return Evidence(folder, contents, published.records, notes, given=before)
    beside = None
    if output is not None:  # its predictions may belong to other runs
        beside, notes = predictions_beside(output, published)
    note = f"{folder / PREDICTIONS}: missing, and not written: leaderboard.json contains no logits"
    contents = render(published, beside is not None)
    notes = [*remarks, note, *notes]
    return Evidence(folder, contents, published.records, notes, given=before)


@uncollected()
def _from_store(folder: Path, slices: str | None, values: dict[str, Any]) -> Evidence:
    from harness.judging import baseline as baselines
    from harness.report import contents_of, publish
    from harness.report.given import kept
    from harness.session.reuse import records_for_plan
    from harness.store.run_store import read_store
    from harness.suite.plan import suite_gates

    typed = chosen(values)
    planned, session = only_suite(typed, lambda: _slices_suite(slices), lambda: _runs_in(folder))
    store, notes = read_store(folder)
    stored, left_out = records_for_plan(planned.suite, planned.cells, store)
    if not any(item.record.scores for item in stored):
        problem = f"{folder / 'runs'}: no scored run of the plan of {planned.path.name} among "
        problem += f"{counted(len(store), 'record')}; name the folder of its results, or train it"
        raise BadInput([problem, *notes])
    records = [item.record for item in stored]
    facts = next(each.dataset for each in records if each.scores)
    if problems := list(baselines.problems(session.baseline, {planned.suite.name: facts})):
        raise BadInput(problems)
    given, lost = kept(folder, planned.cells, records)
    published = publish(
        planned.suite.name,
        planned.cells,
        records,
        session.baseline,
        planned.references,
        suite_gates(planned.suite),
        planned.suite.dataset,
        _earlier_slices(folder),
        given,
    )
    published, remarks = _with_slices(published, slices, values)
    contents = contents_of(published, stored)
    notes = [*notes, *left_out, *remarks, *filter(None, [lost])]
    return Evidence(folder, contents, published.records, notes, given=given)


def _leaderboard_at(path: Path, source: Path) -> None:
    """Raise BadInput if there is no leaderboard.json."""
    from harness.report import LEADERBOARD

    if is_absent(path):
        missing = f"no {path.name}" if source.is_dir() else "no such file or folder"
        way_out = "a folder with only runs/ also needs the plan: --suite FILE"
        raise BadInput(
            [f"{source}: {missing}; name a results folder with a {LEADERBOARD} ({way_out})"]
        )


def _slices_suite(slices: str | None) -> None:
    """Raise BadInput with every mistake in the suite of --slices, if there is one."""
    if slices is not None:
        load_suite(located(slices, Path()))


def _runs_in(folder: Path) -> None:
    """Raise BadInput if there is no store."""
    if not passes(Path.is_dir, folder / "runs"):
        way_out = "name the results folder in which sessions of the suite stored their runs"
        raise BadInput([f"{folder / 'runs'}: no such folder; {way_out}"])


def _with_slices(
    published: "Published", suite: str | None, values: dict[str, Any]
) -> "tuple[Published, tuple[str, ...]]":
    """Return a leaderboard with the slices of a suite, if one is named, and remarks on them.

    Slices that do not fit the records, such as those of other data, are left out.

    Raises:
        BadInput: the suite's slices contradict the records.
    """
    fingerprints = {facts.fingerprint for facts in published.datasets}
    from harness.store.slices import slice_problems

    if suite is None:
        known = published.slices
        unfit = known is not None and any(slice_problems(known, published.records))
        return (replace(published, slices=None) if unfit else published), ()
    from harness.session.slicing import slices_of_suite

    file = located(suite, Path())
    found = slices_of_suite(file, cola_folder(chosen(values)), fingerprints)
    if found.slices is not None and (
        problems := list(slice_problems(found.slices, published.records))
    ):
        way_out = "use the group_column with which they ran, or run the suite, which updates them"
        raise BadInput([f"--slices: {suite}: {problem}; {way_out}" for problem in problems])
    return replace(published, slices=found.slices), found.notes


def _earlier_slices(folder: Path) -> "Slices | None":
    """Return the slices of the tables in a folder, None if it has no readable ones."""
    from harness.report import leaderboard_in, read_published

    with contextlib.suppress(BadInput):
        return read_published(leaderboard_in(folder)).slices
    return None
