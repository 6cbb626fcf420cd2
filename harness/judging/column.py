"""A column of a leaderboard: what it is made from, and how its values are written for people."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from harness.judging.gates import Judgement
from harness.store.records import Record, Scores
from harness.suite.plan import Cell
from harness.text import two_digits

Value = str | int | float | None
"""What one field of a row holds; None where nothing was measured."""

Row = dict[str, Value]

MISSING = "-"
BETWEEN_WARNINGS = " | "

ROUGH = "order of magnitude"
"""What the column `times` says of times that tell no more."""


@dataclass(frozen=True)
class Facts:
    """What a row is made from: a cell, all its runs, those with a score, and its judgement."""

    cell: Cell
    runs: Sequence[Record]
    scored: Sequence[Record]
    judgement: Judgement

    def scores(self) -> Iterator[Scores]:
        """Yield the scores of the runs that have some."""
        return (run.scores for run in self.scored if run.scores is not None)


@dataclass(frozen=True)
class Column:
    """A column of a leaderboard.

    Args:
        name: in CSV and JSON.
        type: the pandas type, which holds a null as a null.
        value: its value in a row; `leaderboard` ranks the rows.
        heading: over the column in a document; empty for a column that only programs read.
        short: over the column in a terminal.
        meaning: one line of the legend.
        write: a value that is not None, as text.
        text: the same of a whole row, where other columns are written with it.
        first: rows are chosen by it: the page shows it, and all others on request.
        spread: written with its standard deviation, which has a column of its own.
        timed: rounded where the row's times tell an order of magnitude only.
        tells: whether it tells something about some of the rows that it stands in.
    """

    name: str
    type: Literal["Int64", "Float64", "string"]
    value: Callable[[Facts], Value]
    heading: str = ""
    short: str = ""
    meaning: str = ""
    write: Callable[[float], str] = str
    text_of: Callable[[Row], str] | None = None
    first: bool = False
    spread: bool = False
    timed: bool = False
    tells: Callable[[Sequence[Row], str], bool] = lambda rows, name: values_of(rows, name) != {None}

    @property
    def alignment(self) -> Literal["left", "right"]:
        """Words begin at the left, numbers end at the right."""
        return "left" if self.type == "string" else "right"

    def text(self, row: Row) -> str:
        """Write a row's value, with its standard deviation over seeds where it has one."""
        value = row[self.name]
        if value is None:
            return MISSING
        if self.text_of is not None:
            return self.text_of(row)
        if isinstance(value, str):
            return value
        sd = row.get(f"{self.name}_sd") if self.spread else None
        if self.timed and row["times"] == ROUGH:
            return f"~{two_digits(float(value))}{spread(sd, two_digits)}"
        return self.write(value) + spread(sd, self.write)


def gate(threshold: Value, statistic: Value) -> str:
    """Write the MCC that a gate demands, and of what, if not of the mean."""
    return f"{'lower bound ' if statistic == 'lower-bound' else ''}{threshold}"


def decimals(places: int) -> Callable[[float], str]:
    """Return a writer of numbers with so many decimals, which never writes -0."""
    return lambda value: f"{value:z.{places}f}"


def spread(sd: Value, write: Callable[[float], str]) -> str:
    """Write what follows a mean: its standard deviation, or nothing where there is none."""
    return "" if sd is None else f" ± {write(float(sd))}"


def values_of(rows: Sequence[Row], name: str) -> set[Value]:
    """Return the different values of a column."""
    return {row[name] for row in rows}
