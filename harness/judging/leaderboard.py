"""Builds a leaderboard from records: a row for each cell of the plan, ranked by mean MCC."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

import pandas as pd

from harness.judging import costs
from harness.judging.baseline import Baseline
from harness.judging.class_columns import CLASSES
from harness.judging.column import Column, Facts, Row
from harness.judging.columns import columns_of
from harness.judging.gates import Judgement, judge
from harness.store.records import Record, classes_of
from harness.suite.plan import Cell


def leaderboard(
    cells: Sequence[Cell],
    records: Iterable[Record],
    baseline: Baseline | None = None,
    judgements: Mapping[str, Judgement] | None = None,
) -> pd.DataFrame:
    """Return a row for each cell, by rank, then in the plan's order, cells without a score last.

    `seeds` is the number of scored runs. `mcc`, `accuracy`, `f1` and all times are means over
    these runs, and `*_sd` are their sample standard deviations. `peak_memory_mb` and
    `concurrency` are the largest values of these runs. A value that some run did not measure is
    null, never 0 and never a mean of fewer runs. Equal means share a rank.

    `mcc_low` to `mcc_high` is the 95 % interval of the mean MCC. It covers sentences and seeds;
    with one seed, sentences only; with records without predictions, seeds only; with one seed and
    no predictions, it is null. `mcc_last_epoch` is the mean MCC after the last epoch, whichever
    epoch was selected. `mcc_adjusted` is the mean MCC if epochs are selected on other sentences
    than those that score them (stats.selection_adjusted). `accuracy_*` correspond to `mcc_*`.

    `time_to_target_seconds` is the training time up to the first epoch that reached the cell's
    target; null unless every scored run reached it. It is computed from the epochs because a run
    may have been trained when the suite had another target. `warnings` contains each warning of
    the runs once, then the reasons why their times are unreliable (costs.doubts).

    `f1` is the F1 of class 1 of two. If some run has more classes, it is the mean of their F1
    (macro-F1), and the last column, `classes`, is their number.

    Training settings of which the plan has several values have a column each, after the learning
    rate.

    `threshold` is the required MCC. `threshold_statistic` is what must reach it: the `mean` or the
    lower bound of its interval (`lower-bound`). `times` is ROUGH if only the order of magnitude of
    a cell's times is meaningful (costs.rough); the times themselves stay unrounded.

    `status` is `ok` (every seed scored), `failed` (a run failed), `skipped` (all runs skipped),
    `not run` (no record) or `partial`. `verdict` is the verdict of gates.judge.

    Args:
        records: at most one for each cell and seed; those of other cells and seeds are ignored.
        baseline: compared with the cells, in addition to their thresholds.
        judgements: by cell id, if the cells are already judged.

    Raises:
        ValueError: two records of one cell and seed.
    """
    runs = runs_by_cell(cells, records)
    if judgements is None:
        judgements = judge_all(cells, runs, baseline)
    names = {name for cell in cells for name in cell.settings}
    if any(classes_of(run) > 2 for own in runs.values() for run in own):
        names.add(CLASSES.name)
    columns = columns_of(names)
    rows = [_row(columns, cell, runs[cell.id], judgements[cell.id]) for cell in cells]
    types = {column.name: column.type for column in columns}
    frame = pd.DataFrame(rows, columns=list(types), dtype=object).astype(types)
    frame["rank"] = frame["mcc"].rank(method="min", ascending=False).astype("Int64")
    return frame.sort_values("rank", kind="stable", na_position="last", ignore_index=True)


def judge_all(
    cells: Sequence[Cell],
    runs: Mapping[str, Sequence[Record]],
    baseline: Baseline | None = None,
) -> dict[str, Judgement]:
    """Judge every cell by its records, and return the judgements by cell id."""
    return {cell.id: judge(cell, runs[cell.id], baseline) for cell in cells}


def runs_by_cell(cells: Sequence[Cell], records: Iterable[Record]) -> dict[str, list[Record]]:
    """Return the records of each cell's seeds by cell id, in plan order, sorted by seed.

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
    """Yield a cell's id and a reason why its times are unreliable, for each such reason.

    Raises:
        ValueError: two records of one cell and seed.
    """
    for cell, runs in runs_by_cell(cells, records).items():
        for doubt in costs.doubts(scored(runs)):
            yield cell, doubt


def scored(runs: Iterable[Record]) -> list[Record]:
    """Return the runs that ended with a score."""
    return [run for run in runs if run.status == "ok" and run.scores is not None]


def rows_of(frame: pd.DataFrame) -> list[Row]:
    """Return a leaderboard as plain rows, with None for null."""
    names = [str(name) for name in frame.columns]
    columns = [[None if value is pd.NA else value for value in frame[n].tolist()] for n in names]
    return [dict(zip(names, values, strict=True)) for values in zip(*columns, strict=True)]


def _row(
    columns: Sequence[Column], cell: Cell, runs: Sequence[Record], judgement: Judgement
) -> Row:
    facts = Facts(cell, runs, scored(runs), judgement)
    return {column.name: column.value(facts) for column in columns}
