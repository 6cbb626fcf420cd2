"""The tables at the end of a pytest session: written, and shown on the terminal."""

import os
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path

import pandas as pd
import pytest

from harness.errors import BadInput
from harness.judging.hard_sentences import in_brief, missed_by_best
from harness.judging.leaderboard import judge_all, leaderboard, runs_by_cell
from harness.plugin.stash import PROBLEMS, SESSION, TOLD, WRITTEN
from harness.report import (
    LEADERBOARD,
    append_summary,
    as_summary,
    replacement,
    terminal_table,
    terminal_warnings,
    write_tables,
)
from harness.report.locations import store_locations
from harness.session.found import Inputs
from harness.session.overwriting import objection, where
from harness.session.session import Planned, Session
from harness.store.records import Record
from harness.store.run_store import Stored
from harness.suite.plan import Run, suite_gates
from harness.text import counted


def write_all(
    config: pytest.Config, read_from: Path | None
) -> tuple[dict[str, Sequence[Path]], list[str]]:
    """Write the tables of every suite that has a score.

    Args:
        read_from: the file of the session's baseline, which no worse tables may replace.

    Returns:
        their paths, by suite, and a line for each problem.
    """
    running = config.stash[SESSION]
    config.stash[TOLD] = {}
    written: dict[str, Sequence[Path]] = {}
    problems: list[str] = []
    for planned in running.planned:
        stored = running.stored(planned)
        # Published tables are not replaced by a session in which nothing could run.
        name = planned.suite.name
        if any(item.record.scores for item in stored):
            if _is_its_own_baseline(running, planned, read_from):
                problems.append(
                    f"{config.getoption('baseline')} is the baseline, and not every cell passed "
                    "against it: it is left as it was, for the next session would compare with "
                    "today's; name another --results-dir to have both"
                )
                continue
            if (why := _what_stands_against(config, planned, stored)) is not None:
                # What lies there is another session's: nobody may take it for this one's.
                config.stash[TOLD][name] = why
                problems.append(f"{name}: {why}")
                continue
            try:
                written[name] = write_tables(
                    running.folder(name),
                    name,
                    planned.cells,
                    stored,
                    running.baseline(name),
                    planned.references,
                    suite_gates(planned.suite),
                    planned.suite.dataset,
                )
                folder = running.folder(name)
                store_locations(folder, where(planned, running.inputs(name), folder))
            except BadInput as error:
                problems += error.problems
            except OSError as error:  # a full disk: the tables are written
                problems.append(f"{running.folder(name)}: cannot be written ({error.strerror})")
    return written, problems


def refused(
    config: pytest.Config, planned: Planned, asked: Sequence[Run], to_train: int, inputs: Inputs
) -> list[str]:
    """Return a line if a suite's tables show runs that a session does not ask for, nor has.

    What it loses on the way is told at its end: see _what_stands_against.
    """
    if config.getoption("replace"):
        return []
    running = config.stash[SESSION]
    records = [item.record for item in running.stored(planned)]
    folder = running.folder(planned.suite.name)
    line = objection(planned, asked, records, to_train, inputs, folder)
    return [] if line is None else [line]


def _what_stands_against(
    config: pytest.Config, planned: Planned, stored: Sequence[Stored]
) -> str | None:
    """Return why a suite's earlier tables stay; where they do not, keep what is lost of them."""
    name = planned.suite.name
    running = config.stash[SESSION]
    records = [item.record for item in stored]
    folder = running.folder(name)
    here = where(planned, running.inputs(name), folder)
    now = replacement.runs_of_records(records, here)
    unasked = not config.getoption("replace")
    try:
        before = replacement.runs_in_tables(folder)
    except BadInput as error:
        return f"{error.problems[0]}; --replace replaces it" if unasked else None
    if before is None:
        return None
    if unasked and (line := replacement.shortfall(before, now)) is not None:
        return line
    if (line := replacement.replaced(before, now)) is not None:
        config.stash[TOLD][name] = line
    return None


def _is_its_own_baseline(running: Session, planned: Planned, read_from: Path | None) -> bool:
    """Return whether a suite's tables would replace a baseline that some cell fell short of."""
    name = planned.suite.name
    baseline, published = running.baseline(name), running.folder(name) / LEADERBOARD
    if baseline is None or read_from is None or not _same_file(published, read_from):
        return False
    records = [item.record for item in running.stored(planned)]
    judgements = judge_all(planned.cells, runs_by_cell(planned.cells, records), baseline)
    checks = [check for each in judgements.values() for check in each.checks]
    return any(check.gate == "max_drop" and check.verdict != "pass" for check in checks)


def _same_file(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:  # one of them is not there, or not any more
        return False


def summarize_all(config: pytest.Config) -> None:
    """Add each suite's leaderboard to a job's summary, where it has one."""
    running = config.stash[SESSION]
    for planned in running.planned if os.environ.get("GITHUB_STEP_SUMMARY") else ():
        name = planned.suite.name
        problem = append_summary(
            Path(os.environ["GITHUB_STEP_SUMMARY"]), as_summary(name, _table(running, planned))
        )
        if problem is not None:
            config.stash[PROBLEMS] = [*config.stash.get(PROBLEMS, ()), problem]


def _table(running: Session, planned: Planned) -> pd.DataFrame:
    records = [item.record for item in running.stored(planned)]
    return leaderboard(planned.cells, records, running.baseline(planned.suite.name))


def show_all(reporter: pytest.TerminalReporter) -> None:
    """Print each suite's leaderboard and where it was written."""
    config = reporter.config
    running = config.stash[SESSION]
    for planned in running.planned:
        name = planned.suite.name
        reporter.section(f"leaderboard: {name}")
        folder = os.path.relpath(running.folder(name))
        told = config.stash[TOLD].get(name)
        written = config.stash[WRITTEN].get(name)
        if written is not None or told is not None:  # where it is not written, it is seen here only
            reporter.write_line(terminal_table(_table(running, planned)))
        if written is None:
            why = "" if told is None else f"; {told}"
            reporter.write_line(f"no table was written; {folder} is as it was{why}", yellow=True)
            continue
        records = [item.record for item in running.stored(planned)]
        for line in terminal_warnings(planned.cells, records):
            reporter.write_line(line)
        names = [path.name for path in written]
        tables = [each for each in names if not each.endswith((".png", ".svg"))]
        pictures = (
            f" and {counted(count, 'picture')}" if (count := len(names) - len(tables)) else ""
        )
        reporter.write_line(f"written to {folder}: {', '.join(tables)}{pictures}")
        if told is not None:
            reporter.write_line(told, yellow=True)
        for line in _missed(planned, records, folder, config.getoption("cola_dir")):
            reporter.write_line(line)


def _missed(
    planned: Planned, records: Sequence[Record], folder: str, cola_dir: str | None
) -> Iterator[str]:
    """Yield which sentences no run gets right: some of them, and the command that prints all."""
    missed = missed_by_best(planned.cells, records)
    if missed is None or not missed.positions:
        return
    yield (
        f"{len(missed.positions):,} of {counted(missed.sentences, 'validation sentence')} "
        "are judged wrong "
        "by every run of each checkpoint's best cell"
    )
    yield from in_brief(missed, planned.suite.dataset, planned.path.resolve().parent)
    command = ["harness", "mistakes", folder, "--suite", os.path.relpath(planned.path)]
    command += [] if cola_dir is None else ["--cola-dir", cola_dir]
    yield f"all of them: {shlex.join(command)}"
