"""A leaderboard in a terminal."""

from collections.abc import Iterable, Sequence

import pandas as pd
from tabulate import tabulate

from harness.judging.columns import informative
from harness.judging.leaderboard import doubts_by_cell, rows_of
from harness.store.records import Record
from harness.suite.plan import Cell
from harness.text import printable

DISPENSABLE = (
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
    "seeds",
)
"""Columns that are dropped, in this order, if the table is too wide."""

GAP = 2


def terminal_table(frame: pd.DataFrame, width: int = 120) -> str:
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
    rule = ["-" * widths[name] for name in widths]
    headings, *lines = zip(*(texts[name] for name in widths), strict=True)
    # Not tabulate's own "simple" format: it makes every column two wider than its heading.
    return tabulate(
        [headings, rule, *lines],
        tablefmt="plain",
        disable_numparse=True,
        colalign=[columns[name].alignment for name in widths],
    )


def terminal_warnings(cells: Sequence[Cell], records: Iterable[Record]) -> list[str]:
    """Return a line for each reason why the times of a cell in the table are unreliable."""
    return [
        printable(f"warning: {cell}: {doubt}") for cell, doubt in doubts_by_cell(cells, records)
    ]
