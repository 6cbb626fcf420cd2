"""The tables at the end of a pytest session: written, and shown on the terminal."""

import os
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from harness.errors import BadInput
from harness.hard_sentences import in_brief, missed_by_best
from harness.leaderboard import judge_all, leaderboard, runs_by_cell
from harness.plan import suite_gates
from harness.records import Record
from harness.report import append_summary, as_summary, terminal_table, write_tables
from harness.session import Planned, Session
from harness.stash import PROBLEMS, SESSION, WRITTEN


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
            try:
                written[name] = write_tables(
                    running.folder(name),
                    name,
                    planned.cells,
                    stored,
                    running.baseline(name),
                    planned.references,
                    suite_gates(planned.suite),
                )
            except BadInput as error:
                problems += error.problems
    return written, problems


def _is_its_own_baseline(running: Session, planned: Planned, read_from: Path | None) -> bool:
    """Return whether a suite's tables would replace a baseline that some cell fell short of."""
    name = planned.suite.name
    baseline, published = running.baseline(name), running.folder(name) / "leaderboard.json"
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


def show_all(reporter: pytest.TerminalReporter) -> None:
    """Print each suite's leaderboard and where it was written; add it to a job's summary."""
    config = reporter.config
    running = config.stash[SESSION]
    for planned in running.planned:
        name = planned.suite.name
        reporter.section(f"leaderboard: {name}")
        records = [item.record for item in running.stored(planned)]
        table = leaderboard(planned.cells, records, running.baseline(name))
        if summary := os.environ.get("GITHUB_STEP_SUMMARY"):
            problem = append_summary(Path(summary), as_summary(name, table))
            if problem is not None:
                config.stash[PROBLEMS] = [*config.stash.get(PROBLEMS, ()), problem]
        folder = os.path.relpath(running.folder(name))
        if name not in config.stash[WRITTEN]:
            reporter.write_line(f"no table was written; {folder} is as it was")
            continue
        reporter.write_line(terminal_table(table))
        names = [path.name for path in config.stash[WRITTEN][name]]
        tables = [written for written in names if not written.endswith((".png", ".svg"))]
        pictures = f" and {count} pictures" if (count := len(names) - len(tables)) else ""
        reporter.write_line(f"written to {folder}: {', '.join(tables)}{pictures}")
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
        f"{len(missed.positions):,} of {missed.sentences:,} validation sentences are judged wrong "
        "by every run of each checkpoint's best cell"
    )
    yield from in_brief(missed, planned.suite.dataset, planned.path.resolve().parent)
    command = ["harness", "mistakes", folder, "--suite", os.path.relpath(planned.path)]
    command += [] if cola_dir is None else ["--cola-dir", cola_dir]
    yield f"all of them: {shlex.join(command)}"
