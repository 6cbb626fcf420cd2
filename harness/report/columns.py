"""How a leaderboard's numbers are shown to people: headings, rounding, what each column means."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from harness import leaderboard
from harness.costs import COSTS
from harness.leaderboard import Value
from harness.text import scientific, two_digits

Row = dict[str, Value]

MISSING = "-"

WITH_SPREAD = {"mcc", *COSTS, "time_to_target_seconds"}
"""Columns written with their standard deviation over seeds, which has a column of its own."""


TIMES = {name for name, cost in COSTS.items() if cost.timed} | {"time_to_target_seconds"}
"""Columns that are rounded where a cell's times tell an order of magnitude only."""

ROUGHLY = (
    "with ~ and two digits where they tell an order of magnitude only: seeds of the row differ by "
    "more than a third, or were timed under different circumstances or beside busy programs"
)


@dataclass(frozen=True)
class Column:
    """A column for people.

    Args:
        name: the leaderboard's column.
        heading: over the column in a document.
        short: over the column in a terminal.
        meaning: one line of the legend.
        write: a value that is not None, as text.
    """

    name: str
    heading: str
    short: str
    meaning: str
    write: Callable[[float], str] = str

    @property
    def alignment(self) -> Literal["left", "right"]:
        """Words begin at the left, numbers end at the right."""
        return "left" if leaderboard.COLUMNS[self.name] == "string" else "right"

    def text(self, row: Row) -> str:
        """Write a row's value."""
        value = row[self.name]
        if value is None:
            return MISSING
        match self.name:
            case "mcc_low":
                return f"{self.write(float(value))} to {self.write(float(row['mcc_high'] or 0))}"
            case "warnings":
                return str(str(value).count(leaderboard.BETWEEN_WARNINGS) + 1)
            case "threshold":
                return gate(value, row["threshold_statistic"])
            case _:
                if isinstance(value, str):
                    return value
                deviation = row[f"{self.name}_sd"] if self.name in WITH_SPREAD else None
                if self.name in TIMES and row["times"] == leaderboard.ROUGH:
                    return f"~{two_digits(float(value))}{spread(deviation, two_digits)}"
                return self.write(value) + spread(deviation, self.write)


def gate(threshold: Value, statistic: Value) -> str:
    """Write the MCC that a gate demands, and of what, if not of the mean."""
    return f"{'lower bound ' if statistic == 'lower-bound' else ''}{threshold}"


def decimals(places: int) -> Callable[[float], str]:
    """Return a writer of numbers with so many decimals, which never writes -0."""
    return lambda value: f"{value:z.{places}f}"


def spread(deviation: Value, write: Callable[[float], str]) -> str:
    """Write what follows a mean: its standard deviation, or nothing where there is none."""
    return "" if deviation is None else f" ± {write(float(deviation))}"


COLUMNS = (
    Column("rank", "rank", "#", "by MCC, the highest first; equal means share a rank"),
    Column("checkpoint", "checkpoint", "checkpoint", "the pretrained model"),
    Column("batch_size", "batch size", "batch", "sentences a training step"),
    Column("learning_rate", "learning rate", "lr", "its peak", scientific),
    Column("seeds", "seeds", "seeds", "runs that were scored; the means are over these"),
    Column(
        "status",
        "status",
        "status",
        "ok: every seed was scored; failed: a run failed; skipped: no run was possible; "
        "partial: some seeds have no record yet; not run: none has",
    ),
    Column(
        "mcc",
        "MCC",
        "MCC",
        "Matthews correlation coefficient on the validation split: 1 is perfect, 0 is no better "
        "than guessing; mean over seeds ± sample standard deviation",
        decimals(3),
    ),
    Column(
        "mcc_low",
        "95 % interval",
        "95 %",
        "where the mean MCC would lie on other sentences and seeds, 95 times of 100; on other "
        "sentences alone where there is one seed, with other seeds alone where records hold no "
        "predictions",
        decimals(3),
    ),
    Column(
        "mcc_last_epoch",
        "last epoch",
        "last",
        "mean MCC after the last epoch, whichever epoch was selected",
        decimals(3),
    ),
    Column(
        "mcc_adjusted",
        "adjusted",
        "adj",
        "mean MCC with each run's epoch chosen on one half of the sentences and scored on the "
        "other: without the luck of the choice",
        decimals(3),
    ),
    Column("accuracy", "accuracy", "acc", "share of sentences judged right", decimals(3)),
    Column("f1", "F1", "F1", "F1 of the class labelled 1", decimals(3)),
    Column(
        "train_seconds",
        "train s",
        "train s",
        "seconds of `trainer.train()`; this and the other costs are means over seeds ± sample "
        f"standard deviation, all times {ROUGHLY}",
        decimals(1),
    ),
    Column(
        "samples_per_second",
        "sentences/s",
        "sent/s",
        "training sentences a second, each epoch's evaluation included in the time",
        decimals(1),
    ),
    Column(
        "eval_ms_per_sentence",
        "eval ms",
        "eval ms",
        "milliseconds of evaluation for a sentence",
        decimals(2),
    ),
    Column(
        "peak_memory_mb",
        "peak MB",
        "MB",
        "most memory that any run took, the GPU's where there is one, ± the sample standard "
        "deviation of the runs' own peaks; 1 MB is 2^20 bytes",
        decimals(0),
    ),
    Column("parameters_m", "params M", "M par", "millions of parameters", decimals(1)),
    Column(
        "time_to_target_seconds",
        "s to target",
        "target s",
        "training seconds until an epoch first reached the target MCC, if every seed did",
        decimals(1),
    ),
    Column(
        "threshold",
        "gate",
        "gate",
        "the least MCC that the suite demands: of the mean, or where it says so of the lower bound "
        "of the 95 % interval",
    ),
    Column(
        "verdict",
        "verdict",
        "verdict",
        "pass: every gate is met, and no run failed; fail: one is not; not-enough-evidence: what "
        "is known of one decides nothing, Gates says why",
    ),
    Column(
        "concurrency",
        "runs at once",
        "runs",
        "most runs that shared the machine; compare times between equal numbers only",
    ),
    Column("warnings", "warnings", "warn", "how many warnings its runs gave, told below the table"),
)
"""In order; `mcc_high` is written with `mcc_low`; what accuracy varies by is for the CSV."""

FIRST = frozenset(
    {
        "rank",
        "checkpoint",
        "batch_size",
        "learning_rate",
        "status",
        "mcc",
        "mcc_low",
        "train_seconds",
        "eval_ms_per_sentence",
        "peak_memory_mb",
        "threshold",
        "verdict",
    }
)
"""Columns by which a row is chosen: the page shows these, and all others on request."""


def informative(rows: Sequence[Row]) -> list[Column]:
    """Return the columns that tell rows apart, or tell something about them."""

    def tells(column: Column) -> bool:
        values = {row[column.name] for row in rows}
        match column.name:
            case "seeds":
                return bool(values - {0, 1})
            case "status":
                return values != {"ok"}
            case "concurrency":
                return len(values - {None}) > 1
            case "mcc_last_epoch" | "mcc_adjusted":
                return any(_differ(row[column.name], row["mcc"]) for row in rows)
            case _:
                return values != {None}

    return [column for column in COLUMNS if tells(column)]


def _differ(value: Value, other: Value) -> bool:
    """Return whether two numbers are told apart by the digits that are shown of them."""
    if not isinstance(value, float) or not isinstance(other, float):
        return False
    return abs(value - other) >= 0.0005
