"""A leaderboard in brief: in a terminal, and on the summary page of a CI job."""

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tabulate import tabulate

from harness.judging.column import INCOMPLETE_MEANING, MISSING, Row, marked
from harness.judging.columns import SHOWN, informative
from harness.judging.further_columns.looks import LOOKS
from harness.judging.further_columns.settings import settings_in
from harness.judging.further_columns.stopped import bound
from harness.judging.leaderboard import doubts_by_cell, rows_of
from harness.judging.values import mcc_text
from harness.markup import code, grid
from harness.report.published import stopped_runs, warned_runs
from harness.store.records import Record
from harness.suite.plan import Cell
from harness.text import printable

if TYPE_CHECKING:  # loaded where a table is made
    import pandas as pd

DISPENSABLE = (
    *("predictions_batch_size", "predictions_per_second", "latency_p95_ms"),
    "parameters_m",
    "eval_ms_per_sentence",
    "f1",
    "samples_per_second",
    "time_to_target_seconds",
    "peak_memory_mb",
    "mcc_last_epoch",
    "mcc_adjusted",
    "concurrency",
    "accuracy",
    "stopped",
    "seeds",
    "latency_ms",
)
"""Columns that are dropped, in this order, if the table is too wide.

What stays longest decides which cell to take: MCC, its interval, training time, latency, verdict.
"""

GAP = 2

MOST_ROWS = 50
"""How many cells are shown; the rest are only counted."""

ORDER = {"fail": 0, "not-enough-evidence": 1}
"""Verdicts that come first, regardless of rank."""

HEADINGS = ("checkpoint", "batch size", "learning rate", "MCC", "95 % interval", "gate", "verdict")


def terminal_table(frame: "pd.DataFrame", width: int = 120) -> str:
    """Return a leaderboard as plain text, with as many columns as fit the width.

    Long checkpoint names are not cut: they may make the table wider than `width`.
    """
    rows = rows_of(frame)
    columns = {column.name: column for column in informative(rows)}
    texts = {
        name: [column.short, *(printable(column.text(row)) for row in rows)]
        for name, column in columns.items()
    }
    widths = {name: max(map(len, lines)) for name, lines in texts.items()}
    for name in DISPENSABLE:
        if sum(widths.values()) + GAP * (len(widths) - 1) > width:
            widths.pop(name, None)
    rule = ["-" * each for each in widths.values()]
    headings, *lines = zip(*(texts[name] for name in widths), strict=True)
    # Not tabulate's own "simple" format: it makes every column two wider than its heading.
    table = tabulate(
        [headings, rule, *lines],
        tablefmt="plain",
        disable_numparse=True,
        colalign=[columns[name].alignment for name in widths],
    )
    return "\n".join([table, *([INCOMPLETE_MEANING] if any(map(marked, rows)) else [])])


def terminal_warnings(cells: Sequence[Cell], records: Iterable[Record]) -> list[str]:
    """Return a line for each warning, with its runs, and for each doubt about a cell's times.

    Before them, a line for each place where runs were stopped, with these runs.
    """
    records = list(records)
    stops = [printable(f"note: {line}") for line in stopped_runs(cells, records, str)]
    given = [(runs, warning) for warning, runs in warned_runs(cells, records, str)]
    given += doubts_by_cell(cells, records)
    return [*stops, *(printable(f"warning: {where}: {text}") for where, text in given)]


def as_summary(suite: str, frame: "pd.DataFrame") -> str:
    """Return a heading that counts verdicts, and a row for each cell, with its verdict.

    Args:
        frame: a leaderboard; cells that fail come first, then the others by rank.
    """
    rows = []
    for row in rows_of(frame):
        without = "no gate" if row["status"] == "ok" else row["status"]
        rows.append((str(row["verdict"] or without), row))
    times = Counter(verdict for verdict, _ in rows)
    counts = ", ".join(f"{count} {verdict}" for verdict, count in sorted(times.items()))
    rows.sort(key=lambda item: ORDER.get(item[0], len(ORDER)))
    all_rows = [row for _, row in rows]
    different = [
        column
        for column in settings_in(all_rows[0] if rows else ())
        if column.is_informative(all_rows, column.name)
    ]
    lines = []
    for verdict, row in rows[:MOST_ROWS]:
        texts = {column.name: column.text(row) for column in SHOWN}
        settings = (code(texts["checkpoint"]), texts["batch_size"], texts["learning_rate"])
        further = [column.text(row) for column in different]
        of_scores = [_mcc(row), texts["mcc_low"], texts["threshold"], verdict]
        of_scores += [LOOKS.text(row)] if LOOKS.name in row else []
        lines.append([*settings, *further, *of_scores])
    headings = [*HEADINGS[:3], *(column.heading for column in different), *HEADINGS[3:]]
    headings += [LOOKS.heading] if rows and LOOKS.name in all_rows[0] else []
    table = grid(headings, lines, ["left"] * len(headings))
    more = len(rows) - len(lines)
    blocks = [f"### {code(suite)}: {counts}", table, *([f"and {more} more"] if more else [])]
    blocks += [INCOMPLETE_MEANING] if any(marked(row) for _, row in rows[:MOST_ROWS]) else []
    return "\n\n".join(blocks) + "\n"


def append_summary(path: Path, text: str) -> str | None:
    """Append text to a job's summary; return the problem if that fails, else None."""
    try:
        with path.open("a", encoding="utf-8") as file:
            file.write(text + "\n")
    except OSError as error:
        return f"GITHUB_STEP_SUMMARY: {path}: cannot be written ({error.strerror})"
    return None


def _mcc(row: Row) -> str:
    """Return a row's MCC; with stopped runs, what it is at least, and where they were stopped."""
    if row["mcc"] is not None:
        return f"{mcc_text(row)}{marked(row)}"
    return MISSING if row.get("stopped") is None else f"{bound(row)} ({row['stopped']})"
