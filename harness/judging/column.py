"""A leaderboard column: the data it is computed from, and the format of its values."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from harness.judging.gates import Judgement
from harness.store.records import Record, Scores
from harness.suite.plan import Cell
from harness.text import two_digits

Value = str | int | float | None
"""One field of a row; None if nothing was measured."""

Row = dict[str, Value]

MISSING = "-"
INCOMPLETE = "†"
INCOMPLETE_MEANING = (
    f"{INCOMPLETE} some of its seeds have no score (failed, or not run yet): rank and means are of "
    "the others"
)
BETWEEN_WARNINGS = " | "

ROUGH = "order of magnitude"
"""The value of the column `times` if only the order of magnitude of the times is meaningful."""


@dataclass(frozen=True)
class Facts:
    """The data of a row: a cell, all its runs, its scored runs, and its judgement."""

    cell: Cell
    runs: Sequence[Record]
    scored: Sequence[Record]
    judgement: Judgement

    def scores(self) -> Iterator[Scores]:
        """Yield the scores of the scored runs."""
        return (run.scores for run in self.scored if run.scores is not None)


@dataclass(frozen=True)
class Column:
    """A column of a leaderboard.

    Args:
        name: the name in CSV and JSON.
        type: the pandas type; it must be nullable.
        value: computes the value in a row; the rank is filled in by `leaderboard`.
        heading: the heading in documents; empty for columns that only programs read.
        short: the heading in a terminal.
        meaning: its line in the legend.
        write: formats a value that is not None.
        text_of: formats the value from the whole row, if it needs other columns.
        if_none: formats the row if the value is None.
        first: whether the page shows it at once; other columns are shown on request.
        with_sd: whether its standard deviation, a separate column, is shown with it.
        optional: whether CSV and JSON omit it if no row has a value.
        timed: whether it is rounded in rows with times of the order of magnitude only.
        times: the column that says in which rows this is so.
        is_informative: whether it is worth showing for these rows.
    """

    name: str
    type: Literal["Int64", "Float64", "string"]
    value: Callable[[Facts], Value]
    heading: str = ""
    short: str = ""
    meaning: str = ""
    write: Callable[[float], str] = str
    text_of: Callable[[Row], str] | None = None
    if_none: Callable[[Row], str] = lambda row: MISSING
    first: bool = False
    with_sd: bool = False
    timed: bool = False
    times: str = "times"
    optional: bool = False
    is_informative: Callable[[Sequence[Row], str], bool] = lambda rows, name: (
        values_of(rows, name) != {None}
    )

    @property
    def alignment(self) -> Literal["left", "right"]:
        """Left for text, right for numbers."""
        return "left" if self.type == "string" else "right"

    def text(self, row: Row) -> str:
        """Format a row's value, with its standard deviation over seeds if there is one.

        A rough time gets ~ and no deviation: ± 1 % would deny that it is rough.
        """
        value = row[self.name]
        if value is None:
            return self.if_none(row)
        if self.text_of is not None:
            return self.text_of(row)
        if isinstance(value, str):
            return value
        if self.timed and row[self.times] == ROUGH:
            return f"~{two_digits(float(value))}"
        sd = row.get(f"{self.name}_sd") if self.with_sd else None
        return self.write(value) + plus_minus(sd, self.write)


def gate(threshold: Value, statistic: Value) -> str:
    """Format the MCC that a gate requires, and the statistic if it is not the mean."""
    return f"{'lower bound ' if statistic == 'lower-bound' else ''}{threshold}"


def marked(row: Row) -> str:
    """Return INCOMPLETE if a row is ranked by some of its seeds, as others have no score; or ""."""
    some_seeds = row["rank"] is not None and row.get("status") in ("failed", "partial")
    return INCOMPLETE if some_seeds else ""


def decimals(places: int) -> Callable[[float], str]:
    """Return a formatter of numbers with this many decimals that never writes -0."""
    return lambda value: f"{value:z.{places}f}"


def plus_minus(sd: Value, write: Callable[[float], str]) -> str:
    """Format the standard deviation after a mean; an empty string for None."""
    return "" if sd is None else f" ± {write(float(sd))}"


def values_of(rows: Sequence[Row], name: str) -> set[Value]:
    """Return the distinct values of a column."""
    return {row[name] for row in rows}


def with_after(name: str, further: Sequence[Column], columns: Sequence[Column]) -> list[Column]:
    """Return the columns with further ones after the column of this name."""
    place = 1 + next(n for n, column in enumerate(columns) if column.name == name)
    return [*columns[:place], *further, *columns[place:]]
