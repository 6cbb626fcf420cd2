"""Records to a leaderboard: a row for each cell of the plan, ranked by mean MCC."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

import pandas as pd

from harness import costs, stats
from harness.baseline import Baseline
from harness.costs import all_measured, deviation, mean
from harness.evidence import Evidence
from harness.gates import Judgement, judge
from harness.plan import Cell
from harness.records import Record, time_to_target

COLUMNS = {
    "rank": "Int64",
    "checkpoint": "string",
    "batch_size": "Int64",
    "learning_rate": "Float64",
    "seeds": "Int64",
    "status": "string",
    "mcc": "Float64",
    "mcc_sd": "Float64",
    "mcc_low": "Float64",
    "mcc_high": "Float64",
    "mcc_last_epoch": "Float64",
    "mcc_adjusted": "Float64",
    "accuracy": "Float64",
    "accuracy_sd": "Float64",
    "accuracy_low": "Float64",
    "accuracy_high": "Float64",
    "f1": "Float64",
    "train_seconds": "Float64",
    "train_seconds_sd": "Float64",
    "samples_per_second": "Float64",
    "samples_per_second_sd": "Float64",
    "eval_ms_per_sentence": "Float64",
    "eval_ms_per_sentence_sd": "Float64",
    "peak_memory_mb": "Float64",
    "peak_memory_mb_sd": "Float64",
    "parameters_m": "Float64",
    "time_to_target_seconds": "Float64",
    "time_to_target_seconds_sd": "Float64",
    "threshold": "Float64",
    "threshold_statistic": "string",
    "verdict": "string",
    "concurrency": "Int64",
    "times": "string",
    "warnings": "string",
}
"""Columns of a leaderboard in order, with their pandas types, which hold a null as a null."""

BETWEEN_WARNINGS = " | "

ROUGH = "order of magnitude"
"""What `times` says of times that tell no more."""

Value = str | int | float | None
"""What one field of a row holds; None where nothing was measured."""


def leaderboard(
    cells: Sequence[Cell],
    records: Iterable[Record],
    baseline: Baseline | None = None,
    judgements: Mapping[str, Judgement] | None = None,
) -> pd.DataFrame:
    """Return a row for each cell, by rank, then in the plan's order, cells without a score last.

    `seeds` counts the runs that were scored. `mcc`, `accuracy`, `f1` and all times are means over
    those runs, `*_sd` is their sample standard deviation, `peak_memory_mb` and `concurrency`
    are their largest values: the worst that a run needed, and was disturbed by. What one of them
    did not measure is null, never 0 and never a mean of fewer runs. Equal means share a rank.

    `mcc_low` to `mcc_high` is the 95 % interval of the mean MCC: over sentences and seeds, with
    one seed over sentences only, with records that hold no predictions over seeds only, and null
    where both are so. `mcc_last_epoch` is the mean MCC after the last epoch, whichever was
    selected; `mcc_adjusted` that of the selected epochs were they chosen on other sentences than
    those that score them (stats.selection_adjusted). `accuracy_*` are as those of MCC.

    `time_to_target_seconds` is the training time up to the first epoch that reached the cell's
    target; null unless every scored run reached it. It is taken from the epochs because a run
    may have been trained when the suite set another target. `warnings` holds each warning of the
    runs once, then why their times tell little (costs.doubts).

    `threshold` is the least MCC that is demanded, `threshold_statistic` whether of the mean or of
    the lower bound of its interval (`lower-bound`). `times` is ROUGH where a cell's times tell an
    order of magnitude only (costs.rough); they are the exact numbers all the same.

    `status` is `ok` (every seed scored), `failed` (some run failed), `skipped` (every run was),
    `not run` (no record) or `partial`. `verdict` is what gates.judge says of the cell.

    Args:
        records: at most one for each cell and seed; those of other cells and seeds are left out.
        baseline: what the cells are judged against besides their thresholds.
        judgements: of the cells by their ids, where they were judged already.

    Raises:
        ValueError: two records of one cell and seed.
    """
    runs = runs_by_cell(cells, records)
    if judgements is None:
        judgements = judge_all(cells, runs, baseline)
    rows = [_row(cell, runs[cell.id], judgements[cell.id]) for cell in cells]
    frame = pd.DataFrame(rows, columns=list(COLUMNS), dtype=object).astype(COLUMNS)
    frame["rank"] = frame["mcc"].rank(method="min", ascending=False).astype("Int64")
    return frame.sort_values("rank", kind="stable", na_position="last", ignore_index=True)


def judge_all(
    cells: Sequence[Cell],
    runs: Mapping[str, Sequence[Record]],
    baseline: Baseline | None = None,
) -> dict[str, Judgement]:
    """Judge every cell by its records, and return the judgements by the cells' ids."""
    return {cell.id: judge(cell, runs[cell.id], baseline) for cell in cells}


def runs_by_cell(cells: Sequence[Cell], records: Iterable[Record]) -> dict[str, list[Record]]:
    """Return the records of each cell's own seeds, by seed, under the cell's id, in plan order.

    Raises:
        ValueError: two records of one cell and seed.
    """
    seeds = {cell.id: set(cell.seeds) for cell in cells}
    found: dict[str, dict[int, Record]] = {cell.id: {} for cell in cells}
    for record in records:
        if record.seed not in seeds.get(record.cell, ()):
            continue
        if record.seed in found[record.cell]:
            raise ValueError(f"two records of {record.cell} with seed {record.seed}")
        found[record.cell][record.seed] = record
    return {cell: [runs[seed] for seed in sorted(runs)] for cell, runs in found.items()}


def doubts_by_cell(cells: Sequence[Cell], records: Iterable[Record]) -> Iterator[tuple[str, str]]:
    """Yield a cell's id and a reason why its times tell little, for each there is.

    Raises:
        ValueError: two records of one cell and seed.
    """
    for cell, runs in runs_by_cell(cells, records).items():
        for doubt in costs.doubts(scored(runs)):
            yield cell, doubt


def scored(runs: Iterable[Record]) -> list[Record]:
    """Return the runs that ended with a score."""
    return [run for run in runs if run.status == "ok" and run.scores is not None]


def rows_of(frame: pd.DataFrame) -> list[dict[str, Value]]:
    """Return a leaderboard as plain rows, each null as None."""
    columns = [
        [None if value is pd.NA else value for value in frame[column].tolist()]
        for column in COLUMNS
    ]
    return [dict(zip(COLUMNS, values, strict=True)) for values in zip(*columns, strict=True)]


def _row(cell: Cell, runs: Sequence[Record], judgement: Judgement) -> dict[str, Value]:
    ended = scored(runs)
    scores = [run.scores for run in ended if run.scores is not None]
    mccs = [score.mcc for score in scores]
    parameters = mean(run.parameters for run in ended)
    mcc, accuracy = judgement.mcc_interval, judgement.accuracy_interval
    to_target = [time_to_target(run.epochs, cell.target) for run in ended]
    told = [*(warning for run in runs for warning in run.warnings), *costs.doubts(ended)]
    return {
        "checkpoint": cell.checkpoint,
        "batch_size": cell.batch_size,
        "learning_rate": cell.learning_rate,
        "seeds": len(ended),
        "status": _status(cell, runs),
        "mcc": judgement.mcc,  # the very number that was judged, to its last bit
        "mcc_sd": deviation(mccs),
        "mcc_low": None if mcc is None else mcc.low,
        "mcc_high": None if mcc is None else mcc.high,
        "mcc_last_epoch": mean(run.epochs[-1].scores.mcc if run.epochs else None for run in ended),
        "mcc_adjusted": _adjusted(judgement.evidence),
        "accuracy": mean(score.accuracy for score in scores),
        "accuracy_sd": deviation(score.accuracy for score in scores),
        "accuracy_low": None if accuracy is None else accuracy.low,
        "accuracy_high": None if accuracy is None else accuracy.high,
        "f1": mean(score.f1 for score in scores),
        **_costs(ended),
        "parameters_m": None if parameters is None else parameters / 1e6,
        "time_to_target_seconds": mean(to_target),
        "time_to_target_seconds_sd": deviation(to_target),
        "threshold": cell.threshold,
        "threshold_statistic": None if cell.threshold is None else cell.gates.statistic or "mean",
        "verdict": judgement.verdict,
        "concurrency": max(all_measured(run.concurrency for run in ended), default=None),
        "times": ROUGH if ended and costs.rough(ended) else None,
        "warnings": BETWEEN_WARNINGS.join(dict.fromkeys(told)) or None,
    }


def _costs(runs: Sequence[Record]) -> dict[str, Value]:
    found: dict[str, Value] = {}
    for column, cost in costs.COSTS.items():
        amount = costs.amount(cost, runs)
        found |= {column: amount.value, f"{column}_sd": amount.sd}
    return found


def _adjusted(found: Evidence | None) -> float | None:
    if found is None:
        return None
    selection = stats.selection_adjusted(found.labels, [found.candidates])
    return None if selection is None else selection.adjusted[0]


def _status(cell: Cell, runs: Sequence[Record]) -> str:
    statuses = {run.status for run in runs}
    if not runs:
        return "not run"
    if "failed" in statuses:
        return "failed"
    if len(statuses) == 1 and len(runs) == len(cell.seeds):
        return runs[0].status
    return "partial"
