"""Writes the tables at the end of a pytest session, and shows them on the terminal."""

import os
import shlex
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harness.errors import BadInput
from harness.garbage import uncollected
from harness.judging.gates import Judgement, judge_suite
from harness.judging.hard_sentences import in_brief, missed_by_best
from harness.judging.leaderboard import leaderboard, runs_by_cell
from harness.judging.looks.race import standings
from harness.markup import code, escaped
from harness.paths import passes
from harness.plugin.elsewhere import option_value, spelled
from harness.plugin.stash import GIVEN, PROBLEMS, SESSION, TABLE_NOTES, WRITTEN
from harness.report import LEADERBOARD, replacement, write_tables
from harness.report.brief import (
    append_summary,
    as_summary,
    terminal_table,
    terminal_warnings,
)
from harness.report.given import kept
from harness.report.locations import store_locations
from harness.report.undecided import outside_budget, undecided
from harness.session.options import Planned
from harness.session.overwriting import where
from harness.session.session import Session
from harness.store.given import Given
from harness.store.records import Record
from harness.store.run_store import Stored
from harness.suite.by_name import as_typed
from harness.suite.gates import AGAINST_BASELINE
from harness.suite.plan import suite_gates
from harness.text import counted, printable

if TYPE_CHECKING:  # loaded where a table is made
    import pandas as pd


@uncollected()
def write_all(
    config: pytest.Config, read_from: Path | None
) -> tuple[dict[str, Sequence[Path]], list[str]]:
    """Write the tables of every suite that has a score.

    Args:
        read_from: the file of the session's baseline, which no worse tables may replace.

    Returns:
        their paths by suite, and a line for each problem.
    """
    running = config.stash[SESSION]
    config.stash[TABLE_NOTES], config.stash[GIVEN] = {}, {}
    written: dict[str, Sequence[Path]] = {}
    problems: list[str] = []
    for planned in running.planned:
        name, folder = planned.suite.name, running.folder(planned.suite.name)
        stored = running.stored(planned)
        if not any(item.record.scores for item in stored):
            continue  # published tables are not replaced by a session in which nothing could run
        if _is_its_own_baseline(running, planned, read_from):
            problems.append(
                f"{option_value(config, 'baseline')} is the baseline, and not every cell passed "
                "against it: it is not replaced, because the next session would compare with "
                "the new one; name another --results-dir to keep both"
            )
        elif (why := _reason_to_keep_tables(config, planned, stored)) is not None:
            # The tables there are from another session; users must not confuse them.
            config.stash[TABLE_NOTES][name] = why
            problems.append(f"{name}: {why}")
        else:
            given, lost = kept(folder, planned.cells, [item.record for item in stored])
            config.stash[GIVEN][name] = given
            if lost is not None:
                notes = (config.stash[TABLE_NOTES].get(name), lost)
                config.stash[TABLE_NOTES][name] = "; ".join(filter(None, notes))
            try:
                written[name] = write_tables(
                    folder,
                    name,
                    planned.cells,
                    stored,
                    running.baseline(name),
                    planned.references,
                    suite_gates(planned.suite),
                    planned.suite.dataset,
                    running.slices(name),
                    given,
                    judgements_of(running, planned, [item.record for item in stored]),
                )
                store_locations(folder, where(planned, running.inputs(name), folder))
            except BadInput as error:
                problems += error.problems
            except OSError as error:  # a full disk: the tables are written
                problems.append(f"{folder}: cannot be written ({error.strerror})")
    return written, problems


def _reason_to_keep_tables(
    config: pytest.Config, planned: Planned, stored: Sequence[Stored]
) -> str | None:
    """Return why a suite's earlier tables must stay, or None; the stash gets what is lost then."""
    name = planned.suite.name
    running = config.stash[SESSION]
    records = [item.record for item in stored]
    folder = running.folder(name)
    here = where(planned, running.inputs(name), folder)
    now = replacement.runs_of_records(records, here)
    protected = not option_value(config, "replace")
    try:
        before = replacement.runs_in_tables(folder)
    except BadInput as error:
        return f"{error.problems[0]}; --replace replaces it" if protected else None
    if before is None:
        return None
    digests = {each: found.digest for each, found in running.inputs(name).checkpoints.items()}
    spared = replacement.planned_runs(
        running.spared(name), running.inputs(name).dataset, here, digests
    )  # looks made them unnecessary: they are not missing
    if protected and (line := replacement.shortfall(before, [*now, *spared])) is not None:
        return line
    if (line := replacement.replaced(before, now)) is not None:
        config.stash[TABLE_NOTES][name] = line
    return None


def _is_its_own_baseline(running: Session, planned: Planned, read_from: Path | None) -> bool:
    """Return whether a suite's tables would replace a baseline that some cell did not reach."""
    name = planned.suite.name
    baseline, published = running.baseline(name), running.folder(name) / LEADERBOARD
    if baseline is None or read_from is None or not passes(read_from.samefile, published):
        return False
    records = [item.record for item in running.stored(planned)]
    judgements = judgements_of(running, planned, records)
    checks = [check for each in judgements.values() for check in each.checks]
    return any(check.gate in AGAINST_BASELINE and check.verdict != "pass" for check in checks)


def summarize_all(config: pytest.Config) -> None:
    """Add each suite's leaderboard to the CI job's summary, if there is one."""
    running = config.stash[SESSION]
    if not (summary := os.environ.get("GITHUB_STEP_SUMMARY")):
        return
    for planned in running.planned:
        text = as_summary(planned.suite.name, _table(running, planned))
        if lines := list(_undecided(running, planned, code, escaped)):
            text += "\n" + "\n".join(f"- {line}" for line in lines) + "\n"
        if (problem := append_summary(Path(summary), text)) is not None:
            config.stash[PROBLEMS] = [*config.stash.get(PROBLEMS, ()), problem]


def _table(running: Session, planned: Planned, given: Sequence[Given] = ()) -> "pd.DataFrame":
    records = [item.record for item in running.stored(planned)]
    name = planned.suite.name
    judgements = judgements_of(running, planned, records)
    return leaderboard(
        planned.cells, records, running.baseline(name), judgements=judgements, given=given
    )


def judgements_of(
    running: Session, planned: Planned, records: Sequence[Record]
) -> dict[str, Judgement]:
    """Return the judgements of a suite's cells, by cell id, as the tables need them."""
    name, runs = planned.suite.name, runs_by_cell(planned.cells, records)
    slices = running.slices(name)
    return running.judged.judge_all(planned.cells, runs, running.baseline(name), slices)


def _undecided(
    running: Session,
    planned: Planned,
    name: Callable[[str], str] = printable,
    plain: Callable[[str], str] = printable,
) -> Iterator[str]:
    """Yield what a suite's budget left open; see `undecided`."""
    records = [item.record for item in running.stored(planned)]
    if not outside_budget(records):
        return
    cells, suite = planned.cells, planned.suite.name
    runs, baseline = runs_by_cell(cells, records), running.baseline(suite)
    found = standings(cells, runs, baseline is not None)
    judgements = judgements_of(running, planned, records)
    checks = judge_suite(suite_gates(planned.suite), cells, runs, found)
    yield from undecided(cells, runs, judgements, checks, baseline is not None, name, plain)


@uncollected()
def show_all(reporter: pytest.TerminalReporter) -> None:
    """Print each suite's leaderboard and the folder it was written to."""
    config = reporter.config
    running = config.stash[SESSION]
    for planned in running.planned:
        name = planned.suite.name
        reporter.section(f"leaderboard: {name}")
        folder = os.path.relpath(running.folder(name))
        note = config.stash[TABLE_NOTES].get(name)
        written = config.stash[WRITTEN].get(name)
        records = [item.record for item in running.stored(planned)]
        if written is not None or note is not None:  # if it is not written, it appears only here
            given = config.stash[GIVEN].get(name, ())
            reporter.write_line(terminal_table(_table(running, planned, given)))
            for line in terminal_warnings(planned.cells, records):
                reporter.write_line(line)
            for line in running.looks_at_end(name):
                reporter.write_line(line)
        for line in _undecided(running, planned):
            reporter.write_line(spelled(config, line), yellow=True)
        if written is None:
            earlier = (running.folder(name) / LEADERBOARD).exists()
            failed = note is None and PROBLEMS in config.stash  # perhaps while writing them
            unchanged = f"the tables in {folder} are unchanged" if earlier and not failed else None
            lines = filter(None, ("no table was written", unchanged, note))
            reporter.write_line(spelled(config, "; ".join(lines)), yellow=True)
            continue
        names = [path.name for path in written]
        tables = [each for each in names if not each.endswith((".png", ".svg"))]
        count = len(names) - len(tables)
        pictures = f" and {counted(count, 'picture')}" if count else ""
        reporter.write_line(f"written to {folder}: {', '.join(tables)}{pictures}")
        if note is not None:
            reporter.write_line(spelled(config, note), yellow=True)
        compared = running.baseline(name) is not None
        cola_dir = option_value(config, "cola_dir")
        for line in _missed(planned, records, compared, folder, cola_dir):
            reporter.write_line(line)


def _missed(
    planned: Planned, records: Sequence[Record], compared: bool, folder: str, cola_dir: str | None
) -> Iterator[str]:
    """Yield some sentences that every run misclassifies, and the command that prints all.

    Args:
        compared: whether the cells are compared with a baseline.
    """
    missed = missed_by_best(planned.cells, records, compared)
    if missed is None or not missed.positions:
        return
    yield (
        f"{len(missed.positions):,} of {counted(missed.sentences, 'validation sentence')} "
        "are misclassified by every run of each checkpoint's best cell"
    )
    yield from in_brief(missed, planned.suite.dataset, planned.base)
    command = ["harness", "mistakes", folder, "--suite", as_typed(planned.path)]
    command += [] if cola_dir is None else ["--cola-dir", cola_dir]
    yield f"all of them: {shlex.join(command)}"
