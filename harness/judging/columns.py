"""The columns of a leaderboard: value, type, heading and legend of each, declared once.

Table, page, CSV, JSON, terminal and documentation are generated from `COLUMNS`.
"""

from collections.abc import Collection, Sequence

from harness.judging import costs, values
from harness.judging.column import (
    BETWEEN_WARNINGS,
    INCOMPLETE_MEANING,
    ROUGH,
    Column,
    Row,
    decimals,
    gate,
    marked,
    plus_minus,
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
from harness.text import scientific

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
        values.status,
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
        text_of=lambda row: values.mcc_text(row) + plus_minus(row["mcc_sd"], decimals(3)),
        first=True,
        with_sd=True,
    ),
    Column("mcc_sd", "Float64", lambda facts: deviation(score.mcc for score in facts.scores())),
    Column(
        "mcc_low",
        "Float64",
        lambda facts: values.end_of(facts.judgement.mcc_interval, "low"),
        "95 % interval",
        "95 %",
        "95 % confidence interval of the mean MCC; it covers sentences and seeds; with one seed, "
        "only sentences; if records contain no predictions, only seeds",
        text_of=values.mcc_interval,
        first=True,
    ),
    Column(
        "mcc_high", "Float64", lambda facts: values.end_of(facts.judgement.mcc_interval, "high")
    ),
    Column(
        "test_mcc",
        "Float64",
        lambda facts: mean(values.mccs_of_test(facts)),
        "test MCC",
        "test MCC",
        "MCC on the labelled test split, by which nothing is selected or judged; mean over seeds ± "
        "sample standard deviation, which does not cover other sentences",
        decimals(3),
        first=True,
        with_sd=True,
        optional=True,
    ),
    Column(
        "test_mcc_sd", "Float64", lambda facts: deviation(values.mccs_of_test(facts)), optional=True
    ),
    Column(
        "mcc_last_epoch",
        "Float64",
        values.last_epoch,
        "last epoch",
        "last",
        "mean MCC after the last epoch, whichever epoch was selected",
        decimals(3),
        is_informative=values.differs_from_mcc,
    ),
    Column(
        "mcc_adjusted",
        "Float64",
        values.adjusted,
        "adjusted",
        "adj",
        "MCC without selection bias: each run's epoch is selected on one half of the sentences and "
        "scored on the other; mean over seeds",
        decimals(3),
        is_informative=values.differs_from_mcc,
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
        lambda facts: values.end_of(facts.judgement.accuracy_interval, "low"),
    ),
    Column(
        "accuracy_high",
        "Float64",
        lambda facts: values.end_of(facts.judgement.accuracy_interval, "high"),
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
        values.millions_of_parameters,
        "params M",
        "M par",
        "millions of parameters",
        decimals(1),
    ),
    Column(
        "time_to_target_seconds",
        "Float64",
        lambda facts: mean(values.to_target(facts)),
        "s to target",
        "target s",
        "training seconds until an epoch first reached the target MCC; no value unless every seed "
        "reached it",
        decimals(1),
        with_sd=True,
        timed=True,
    ),
    Column(
        "time_to_target_seconds_sd", "Float64", lambda facts: deviation(values.to_target(facts))
    ),
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
    Column("threshold_statistic", "string", values.threshold_statistic),
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
        values.warnings,
        "warnings",
        "warn",
        "number of warnings of its runs, listed below the table",
        text_of=lambda row: str(str(row["warnings"]).count(BETWEEN_WARNINGS) + 1),
    ),
)
"""In the order of the tables. `leaderboard` describes also the columns without a `meaning`."""

SHOWN = tuple(column for column in COLUMNS if column.heading)
"""The columns shown to people."""
