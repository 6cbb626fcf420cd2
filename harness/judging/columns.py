"""The columns of a leaderboard: value, type, heading and legend of each, declared once.

Table, page, CSV, JSON, terminal and documentation are generated from `COLUMNS`.
"""

from collections.abc import Collection, Sequence
from typing import Literal

from harness import stats
from harness.judging import costs
from harness.judging.column import (
    BETWEEN_WARNINGS,
    INCOMPLETE_MEANING,
    ROUGH,
    Column,
    Facts,
    Row,
    decimals,
    gate,
    marked,
    spread,
    values_of,
    with_after,
)
from harness.judging.costs import all_measured, deviation, mean
from harness.judging.further_columns.classes import CLASSES, MACRO_F1
from harness.judging.further_columns.costs import cost_columns
from harness.judging.further_columns.given import GIVEN, with_given
from harness.judging.further_columns.looks import LOOKS, with_looks
from harness.judging.further_columns.serving import SERVING, SERVING_COLUMNS
from harness.judging.further_columns.settings import settings_in
from harness.judging.further_columns.sources import SOURCE_COLUMNS, SOURCES, for_these_sources
from harness.judging.further_columns.stopped import STOPPED, with_stopped
from harness.stats import Interval
from harness.store.records import time_to_target
from harness.text import beside, scientific

ROUGHLY = (
    "~ marks a rough time or speed, with two digits and no ±: it differs between the seeds of the "
    "row by more than a third, or they were timed under different circumstances or beside busy "
    "programs"
)


def informative(rows: Sequence[Row]) -> list[Column]:
    """Return those of the columns shown to people that are worth showing for these rows."""
    columns = columns_of(rows[0] if rows else ())
    return [each for each in columns if each.heading and each.is_informative(rows, each.name)]


def columns_of(names: Collection[str]) -> list[Column]:
    """Return COLUMNS, after the learning rate the settings that are among these names.

    If CLASSES is among them, F1 is the macro-F1, and the number of classes comes last. If SOURCES
    is, the interval for other sources follows the first one, and if SERVING is, the columns of the
    models' answers follow that of evaluation. Others: with_given, with_looks, with_stopped.
    """
    columns = with_after("learning_rate", settings_in(names), COLUMNS)
    columns = with_given(columns) if GIVEN.name in names else columns
    columns = with_looks(columns) if LOOKS.name in names else columns
    columns = with_stopped(columns) if STOPPED.name in names else columns
    if SERVING.name in names:
        columns = with_after("eval_ms_per_sentence_sd", SERVING_COLUMNS, columns)
    if SOURCES.name in names:
        columns = with_after("mcc_high", SOURCE_COLUMNS, columns)
        columns = [for_these_sources(each) if each.name == "mcc_low" else each for each in columns]
    if CLASSES.name not in names:
        return columns
    return [*(MACRO_F1 if column.name == "f1" else column for column in columns), CLASSES]


def _differs_from_mcc(rows: Sequence[Row], name: str) -> bool:
    """Return whether a column differs from the MCC of some row by at least 0.0005."""
    pairs = ((row[name], row["mcc"]) for row in rows)
    return any(
        isinstance(value, float) and isinstance(mcc, float) and abs(value - mcc) >= 0.0005
        for value, mcc in pairs
    )


def _status(facts: Facts) -> str:
    statuses = {run.status for run in facts.runs}
    if not facts.runs:
        return "not run"
    if facts.judgement.failures:  # not those of runs that looks made unnecessary
        return "failed"
    if len(statuses) == 1 and len(facts.runs) == len(facts.cell.seeds):
        return facts.runs[0].status
    return "partial"


def _adjusted(facts: Facts) -> float | None:
    found = facts.judgement.evidence
    if found is None:
        return None
    selection = stats.selection_of([found.halved])
    return None if selection is None else selection.adjusted[0]


def _test_mccs(facts: Facts) -> list[float | None]:
    """Return each run's MCC on a labelled test split."""
    return [None if run.scores_test is None else run.scores_test.mcc for run in facts.scored]


def _end(interval: Interval | None, end: Literal["low", "high"]) -> float | None:
    return None if interval is None else interval.low if end == "low" else interval.high


def _threshold_statistic(facts: Facts) -> str | None:
    return None if facts.cell.threshold is None else facts.cell.gates.statistic or "mean"


def _last_epoch(facts: Facts) -> float | None:
    return mean(run.epochs[-1].scores.mcc if run.epochs else None for run in facts.scored)


def _parameters(facts: Facts) -> float | None:
    parameters = mean(run.parameters for run in facts.scored)
    return None if parameters is None else parameters / 1e6


def _to_target(facts: Facts) -> list[float | None]:
    """Return each run's training time to the target.

    Not read from the records: the suite may have had another target when a run was trained.
    """
    return [time_to_target(run.epochs, facts.cell.target) for run in facts.scored]


def _warnings(facts: Facts) -> str | None:
    given = (warning for run in facts.runs for warning in run.warnings)
    texts = dict.fromkeys([*given, *costs.doubts(facts.scored)])
    # Only the mark between warnings has this character: it tells where one ends.
    mark = BETWEEN_WARNINGS.strip()
    return BETWEEN_WARNINGS.join(text.replace(mark, "/") for text in texts) or None


def mcc_text(row: Row, name: str = "mcc") -> str:
    """Format an MCC of a row with so many digits that it is on its side of the row's gate."""
    value, gate = row[name], row["threshold"]
    return beside(float(value or 0), *([] if gate is None else [float(gate)]), least=3)


def _interval(row: Row) -> str:
    return f"{mcc_text(row, 'mcc_low')} to {mcc_text(row, 'mcc_high')}"


COLUMNS = (
    Column(
        "rank",
        "Int64",
        lambda facts: None,  # `leaderboard` ranks the rows
        "rank",
        "#",
        f"by mean MCC, highest first; equal means share a rank; {INCOMPLETE_MEANING}",
        text_of=lambda row: f"{row['rank']}{marked(row)}",
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
        "sentences per training step",
        first=True,
    ),
    Column(
        "learning_rate",
        "Float64",
        lambda facts: facts.cell.learning_rate,
        "learning rate",
        "lr",
        "highest learning rate of the schedule",
        scientific,
        first=True,
    ),
    Column(
        "seeds",
        "Int64",
        lambda facts: len(facts.scored),
        "seeds",
        "seeds",
        "scored runs; the means are over these",
        is_informative=lambda rows, name: bool(values_of(rows, name) - {0, 1}),
    ),
    Column(
        "status",
        "string",
        _status,
        "status",
        "status",
        "ok: every seed was scored; failed: a run failed; skipped: no run was possible; "
        "partial: some seeds have no record yet; not run: no seed has a record",
        first=True,
        is_informative=lambda rows, name: values_of(rows, name) != {"ok"},
    ),
    Column(
        "mcc",
        "Float64",
        lambda facts: facts.judgement.mcc,  # bit for bit the number that the gates judged
        "MCC",
        "MCC",
        "Matthews correlation coefficient on the validation split: 1 is perfect, 0 is no better "
        "than guessing; mean over seeds ± sample standard deviation",
        decimals(3),
        text_of=lambda row: mcc_text(row) + spread(row["mcc_sd"], decimals(3)),
        first=True,
        spread=True,
    ),
    Column("mcc_sd", "Float64", lambda facts: deviation(score.mcc for score in facts.scores())),
    Column(
        "mcc_low",
        "Float64",
        lambda facts: _end(facts.judgement.mcc_interval, "low"),
        "95 % interval",
        "95 %",
        "95 % confidence interval of the mean MCC; it covers sentences and seeds; with one seed, "
        "only sentences; if records contain no predictions, only seeds",
        text_of=_interval,
        first=True,
    ),
    Column("mcc_high", "Float64", lambda facts: _end(facts.judgement.mcc_interval, "high")),
    Column(
        "test_mcc",
        "Float64",
        lambda facts: mean(_test_mccs(facts)),
        "test MCC",
        "test MCC",
        "MCC on the labelled test split, by which nothing is selected or judged; mean over seeds ± "
        "sample standard deviation, which does not cover other sentences",
        decimals(3),
        first=True,
        spread=True,
        optional=True,
    ),
    Column("test_mcc_sd", "Float64", lambda facts: deviation(_test_mccs(facts)), optional=True),
    Column(
        "mcc_last_epoch",
        "Float64",
        _last_epoch,
        "last epoch",
        "last",
        "mean MCC after the last epoch, whichever epoch was selected",
        decimals(3),
        is_informative=_differs_from_mcc,
    ),
    Column(
        "mcc_adjusted",
        "Float64",
        _adjusted,
        "adjusted",
        "adj",
        "MCC without selection bias: each run's epoch is selected on one half of the sentences and "
        "scored on the other; mean over seeds",
        decimals(3),
        is_informative=_differs_from_mcc,
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
    Column("accuracy_low", "Float64", lambda facts: _end(facts.judgement.accuracy_interval, "low")),
    Column(
        "accuracy_high", "Float64", lambda facts: _end(facts.judgement.accuracy_interval, "high")
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
    *cost_columns(
        "train_seconds",
        "train s",
        "train s",
        "seconds of `trainer.train()`; mean over seeds ± sample standard deviation, as for all "
        f"times and speeds; {ROUGHLY}",
        first=True,
    ),
    *cost_columns(
        "samples_per_second",
        "sentences/s",
        "sent/s",
        "training sentences per second; the time includes each epoch's evaluation",
        first=False,
    ),
    *cost_columns(
        "eval_ms_per_sentence",
        "eval ms",
        "eval ms",
        "milliseconds of evaluation per sentence",
        first=True,
    ),
    *cost_columns(
        "peak_memory_mb",
        "peak MB",
        "MB",
        "largest peak memory among the runs (GPU memory on a GPU) ± sample standard deviation over "
        "the runs; 1 MB is 2^20 bytes",
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
        "training seconds until an epoch first reached the target MCC; no value unless every seed "
        "reached it",
        decimals(1),
        spread=True,
        timed=True,
    ),
    Column("time_to_target_seconds_sd", "Float64", lambda facts: deviation(_to_target(facts))),
    Column(
        "threshold",
        "Float64",
        lambda facts: facts.cell.threshold,
        "gate",
        "gate",
        "the MCC that the suite requires of the mean, or of the lower bound of the 95 % interval",
        text_of=lambda row: gate(row["threshold"], row["threshold_statistic"]),
        first=True,
    ),
    Column("threshold_statistic", "string", _threshold_statistic),
    Column(
        "verdict",
        "string",
        lambda facts: facts.judgement.verdict,
        "verdict",
        "verdict",
        "pass: every gate is met, and no run failed; fail: a gate is missed, or a run failed; "
        "not-enough-evidence: a gate cannot be decided yet; the section Gates contains the reason",
        first=True,
    ),
    Column(
        "concurrency",
        "Int64",
        lambda facts: max(all_measured(run.concurrency for run in facts.scored), default=None),
        "runs at once",
        "runs",
        "largest number of runs that shared the machine; compare times only between rows with the "
        "same number",
        is_informative=lambda rows, name: len(values_of(rows, name) - {None}) > 1,
    ),
    Column(  # not shown; `Column.text` reads it
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
        "number of warnings of its runs, listed below the table",
        text_of=lambda row: str(str(row["warnings"]).count(BETWEEN_WARNINGS) + 1),
    ),
)
"""In the order of the tables. `leaderboard` describes also the columns without a `meaning`."""

SHOWN = tuple(column for column in COLUMNS if column.heading)
"""The columns shown to people."""
