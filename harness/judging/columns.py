"""The columns of a leaderboard: each one's value, its type, and how people see it, declared once.

Table, page, CSV, JSON, terminal and documentation follow from `COLUMNS`.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from harness import stats
from harness.judging import costs
from harness.judging.costs import COSTS, all_measured, deviation, mean
from harness.judging.gates import Judgement
from harness.stats import Interval
from harness.store.records import Record, Scores, time_to_target
from harness.suite.plan import Cell
from harness.text import scientific, two_digits

Value = str | int | float | None
"""What one field of a row holds; None where nothing was measured."""

Row = dict[str, Value]

MISSING = "-"
BETWEEN_WARNINGS = " | "

ROUGH = "order of magnitude"
"""What the column `times` says of times that tell no more."""

ROUGHLY = (
    "with ~ and two digits where they tell an order of magnitude only: seeds of the row differ by "
    "more than a third, or were timed under different circumstances or beside busy programs"
)


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
    timed: bool = False
    tells: Callable[[Sequence[Row], str], bool] = lambda rows, name: _values(rows, name) != {None}

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
        sd = row.get(f"{self.name}_sd") if self.name in WITH_SPREAD else None
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


def informative(rows: Sequence[Row]) -> list[Column]:
    """Return the columns for people that tell rows apart, or tell something about them."""
    return [column for column in SHOWN if column.tells(rows, column.name)]


def _values(rows: Sequence[Row], name: str) -> set[Value]:
    return {row[name] for row in rows}


def _differs_from_mcc(rows: Sequence[Row], name: str) -> bool:
    """Return whether a column is told apart from the MCC by the digits that are shown."""
    pairs = ((row[name], row["mcc"]) for row in rows)
    return any(
        isinstance(value, float) and isinstance(mcc, float) and abs(value - mcc) >= 0.0005
        for value, mcc in pairs
    )


def _status(facts: Facts) -> str:
    statuses = {run.status for run in facts.runs}
    if not facts.runs:
        return "not run"
    if "failed" in statuses:
        return "failed"
    if len(statuses) == 1 and len(facts.runs) == len(facts.cell.seeds):
        return facts.runs[0].status
    return "partial"


def _adjusted(facts: Facts) -> float | None:
    found = facts.judgement.evidence
    if found is None:
        return None
    selection = stats.selection_adjusted(found.labels, [found.candidates])
    return None if selection is None else selection.adjusted[0]


def _end(interval: Interval | None, end: Literal["low", "high"]) -> float | None:
    if interval is None:
        return None
    return interval.low if end == "low" else interval.high


def _threshold_statistic(facts: Facts) -> str | None:
    return None if facts.cell.threshold is None else facts.cell.gates.statistic or "mean"


def _last_epoch(facts: Facts) -> float | None:
    return mean(run.epochs[-1].scores.mcc if run.epochs else None for run in facts.scored)


def _parameters(facts: Facts) -> float | None:
    parameters = mean(run.parameters for run in facts.scored)
    return None if parameters is None else parameters / 1e6


def _to_target(facts: Facts) -> list[float | None]:
    """Return the training time to the target of each run.

    From the epochs: a run may have been trained when the suite set another target.
    """
    return [time_to_target(run.epochs, facts.cell.target) for run in facts.scored]


def _warnings(facts: Facts) -> str | None:
    given = (warning for run in facts.runs for warning in run.warnings)
    return BETWEEN_WARNINGS.join(dict.fromkeys([*given, *costs.doubts(facts.scored)])) or None


def _count_of_warnings(row: Row) -> str:
    return str(str(row["warnings"]).count(BETWEEN_WARNINGS) + 1)


def _interval(row: Row) -> str:
    write = decimals(3)
    return f"{write(float(row['mcc_low'] or 0))} to {write(float(row['mcc_high'] or 0))}"


def _cost(name: str, heading: str, short: str, meaning: str, first: bool) -> tuple[Column, Column]:
    """Return the column of a cost, and that of its standard deviation."""
    cost = COSTS[name]
    return (
        Column(
            name,
            "Float64",
            lambda facts: costs.amount(cost, facts.scored).value,
            heading,
            short,
            meaning,
            decimals(cost.digits),
            first=first,
            timed=cost.timed,
        ),
        Column(f"{name}_sd", "Float64", lambda facts: costs.amount(cost, facts.scored).sd),
    )


COLUMNS = (
    Column(
        "rank",
        "Int64",
        lambda facts: None,
        "rank",
        "#",
        "by MCC, the highest first; equal means share a rank",
        first=True,
    ),
    Column(
        "checkpoint",
        "string",
        lambda facts: facts.cell.checkpoint,
        "checkpoint",
        "checkpoint",
        "the pretrained model",
        first=True,
    ),
    Column(
        "batch_size",
        "Int64",
        lambda facts: facts.cell.batch_size,
        "batch size",
        "batch",
        "sentences a training step",
        first=True,
    ),
    Column(
        "learning_rate",
        "Float64",
        lambda facts: facts.cell.learning_rate,
        "learning rate",
        "lr",
        "its peak",
        scientific,
        first=True,
    ),
    Column(
        "seeds",
        "Int64",
        lambda facts: len(facts.scored),
        "seeds",
        "seeds",
        "runs that were scored; the means are over these",
        tells=lambda rows, name: bool(_values(rows, name) - {0, 1}),
    ),
    Column(
        "status",
        "string",
        _status,
        "status",
        "status",
        "ok: every seed was scored; failed: a run failed; skipped: no run was possible; "
        "partial: some seeds have no record yet; not run: none has",
        first=True,
        tells=lambda rows, name: _values(rows, name) != {"ok"},
    ),
    Column(
        "mcc",
        "Float64",
        lambda facts: facts.judgement.mcc,  # the very number that was judged, to its last bit
        "MCC",
        "MCC",
        "Matthews correlation coefficient on the validation split: 1 is perfect, 0 is no better "
        "than guessing; mean over seeds ± sample standard deviation",
        decimals(3),
        first=True,
    ),
    Column("mcc_sd", "Float64", lambda facts: deviation(score.mcc for score in facts.scores())),
    Column(
        "mcc_low",
        "Float64",
        lambda facts: _end(facts.judgement.mcc_interval, "low"),
        "95 % interval",
        "95 %",
        "95 % confidence interval of the mean MCC over sentences and seeds; over sentences alone "
        "where there is one seed, over seeds alone where records hold no predictions",
        text_of=_interval,
        first=True,
    ),
    Column(
        "mcc_high",
        "Float64",
        lambda facts: _end(facts.judgement.mcc_interval, "high"),
    ),
    Column(
        "mcc_last_epoch",
        "Float64",
        _last_epoch,
        "last epoch",
        "last",
        "mean MCC after the last epoch, whichever epoch was selected",
        decimals(3),
        tells=_differs_from_mcc,
    ),
    Column(
        "mcc_adjusted",
        "Float64",
        _adjusted,
        "adjusted",
        "adj",
        "mean MCC with each run's epoch chosen on one half of the sentences and scored on the "
        "other: without the luck of the choice",
        decimals(3),
        tells=_differs_from_mcc,
    ),
    Column(
        "accuracy",
        "Float64",
        lambda facts: mean(score.accuracy for score in facts.scores()),
        "accuracy",
        "acc",
        "share of sentences classified correctly",
        decimals(3),
    ),
    Column(
        "accuracy_sd",
        "Float64",
        lambda facts: deviation(score.accuracy for score in facts.scores()),
    ),
    Column(
        "accuracy_low",
        "Float64",
        lambda facts: _end(facts.judgement.accuracy_interval, "low"),
    ),
    Column(
        "accuracy_high",
        "Float64",
        lambda facts: _end(facts.judgement.accuracy_interval, "high"),
    ),
    Column(
        "f1",
        "Float64",
        lambda facts: mean(score.f1 for score in facts.scores()),
        "F1",
        "F1",
        "F1 of the class labelled 1",
        decimals(3),
    ),
    *_cost(
        "train_seconds",
        "train s",
        "train s",
        "seconds of `trainer.train()`; this and the other costs are means over seeds ± sample "
        f"standard deviation, all times {ROUGHLY}",
        first=True,
    ),
    *_cost(
        "samples_per_second",
        "sentences/s",
        "sent/s",
        "training sentences a second, each epoch's evaluation included in the time",
        first=False,
    ),
    *_cost(
        "eval_ms_per_sentence",
        "eval ms",
        "eval ms",
        "milliseconds of evaluation for a sentence",
        first=True,
    ),
    *_cost(
        "peak_memory_mb",
        "peak MB",
        "MB",
        "most memory that any run took, the GPU's where there is one, ± the sample standard "
        "deviation of the runs' own peaks; 1 MB is 2^20 bytes",
        first=True,
    ),
    Column(
        "parameters_m",
        "Float64",
        _parameters,
        "params M",
        "M par",
        "millions of parameters",
        decimals(1),
    ),
    Column(
        "time_to_target_seconds",
        "Float64",
        lambda facts: mean(_to_target(facts)),
        "s to target",
        "target s",
        "training seconds until an epoch first reached the target MCC, if every seed did",
        decimals(1),
        timed=True,
    ),
    Column("time_to_target_seconds_sd", "Float64", lambda facts: deviation(_to_target(facts))),
    Column(
        "threshold",
        "Float64",
        lambda facts: facts.cell.threshold,
        "gate",
        "gate",
        "the least MCC that the suite demands: of the mean, or where it says so of the lower bound "
        "of the 95 % interval",
        text_of=lambda row: gate(row["threshold"], row["threshold_statistic"]),
        first=True,
    ),
    Column(
        "threshold_statistic",
        "string",
        _threshold_statistic,
    ),
    Column(
        "verdict",
        "string",
        lambda facts: facts.judgement.verdict,
        "verdict",
        "verdict",
        "pass: every gate is met, and no run failed; fail: one is not; not-enough-evidence: one "
        "can be neither met nor missed with what is known, Gates says why",
        first=True,
    ),
    Column(
        "concurrency",
        "Int64",
        lambda facts: max(all_measured(run.concurrency for run in facts.scored), default=None),
        "runs at once",
        "runs",
        "most runs that shared the machine; compare times between equal numbers only",
        tells=lambda rows, name: len(_values(rows, name) - {None}) > 1,
    ),
    Column(
        "times",
        "string",
        lambda facts: ROUGH if facts.scored and costs.rough(facts.scored) else None,
    ),
    Column(
        "warnings",
        "string",
        _warnings,
        "warnings",
        "warn",
        "how many warnings its runs gave, listed below the table",
        text_of=_count_of_warnings,
    ),
)
"""In order. `leaderboard` documents what each holds."""

SHOWN = tuple(column for column in COLUMNS if column.heading)
"""The columns that people see."""

WITH_SPREAD = {"mcc", "time_to_target_seconds", *COSTS}
"""Columns written with their standard deviation; those of accuracy are for programs."""
