"""A suite's verdicts in a few lines of Markdown, for the summary page of a CI job."""

from collections import Counter
from pathlib import Path

import pandas as pd
from tabulate import tabulate

from harness.judging.column import Row, gate
from harness.judging.leaderboard import rows_of
from harness.judging.settings import settings_in
from harness.markup import code
from harness.text import scientific

MOST_ROWS = 50
"""How many cells are shown; the rest are only counted."""

ORDER = {"fail": 0, "not-enough-evidence": 1}
"""Verdicts that come first, regardless of rank."""

HEADINGS = (
    "checkpoint",
    "batch size",
    "learning rate",
    "MCC",
    "95 % interval",
    "gate",
    "verdict",
)


def as_summary(suite: str, frame: pd.DataFrame) -> str:
    """Return a heading that counts verdicts, and a row for each cell, with its verdict.

    Args:
        frame: a leaderboard; cells that fail come first, then the others by rank.
    """
    rows = rows_of(frame)
    verdicts = [str(row["verdict"] or _without_verdict(str(row["status"]))) for row in rows]
    times = Counter(verdicts)
    counts = ", ".join(f"{count} {verdict}" for verdict, count in sorted(times.items()))
    order = sorted(range(len(rows)), key=lambda index: ORDER.get(verdicts[index], len(ORDER)))
    different = [
        column
        for column in settings_in(rows[0] if rows else ())
        if column.is_informative(rows, column.name)
    ]
    lines = [
        (
            code(str(rows[index]["checkpoint"])).replace("|", "\\|"),
            str(rows[index]["batch_size"]),
            scientific(float(rows[index]["learning_rate"] or 0)),
            *(column.text(rows[index]) for column in different),
            _number(rows[index]["mcc"]),
            _interval(rows[index]["mcc_low"], rows[index]["mcc_high"]),
            _gate(rows[index]),
            verdicts[index],
        )
        for index in order[:MOST_ROWS]
    ]
    headings = [*HEADINGS[:3], *(column.heading for column in different), *HEADINGS[3:]]
    table = tabulate(lines, headings, "pipe", disable_numparse=True)
    more = len(rows) - len(lines)
    blocks = [f"### {code(suite)}: {counts}", table, *([f"and {more} more"] if more else [])]
    return "\n\n".join(blocks) + "\n"


def append_summary(path: Path, text: str) -> str | None:
    """Append text to a job's summary; return the problem if that fails, else None."""
    try:
        with path.open("a", encoding="utf-8") as file:
            file.write(text + "\n")
    except OSError as error:
        return f"GITHUB_STEP_SUMMARY: {path}: cannot be written ({error.strerror})"
    return None


def _without_verdict(status: str) -> str:
    return "no gate" if status == "ok" else status


def _gate(row: Row) -> str:
    """Write the required MCC as the leaderboard does, but with three decimals."""
    number = _number(row["threshold"])
    return number if row["threshold"] is None else gate(number, row["threshold_statistic"])


def _number(value: object) -> str:
    return f"{value:.3f}" if isinstance(value, float) else "-"


def _interval(low: object, high: object) -> str:
    return "-" if low is None or high is None else f"{_number(low)} to {_number(high)}"
