"""Records to a leaderboard: a row for each cell of the plan, ranked by mean MCC."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

import pandas as pd

from harness.judging import costs
from harness.judging.baseline import Baseline
from harness.judging.column import Facts, Row
from harness.judging.columns import COLUMNS
from harness.judging.gates import Judgement, judge
from harness.store.records import Record
from harness.suite.plan import Cell


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
    types = {column.name: column.type for column in COLUMNS}
    frame = pd.DataFrame(rows, columns=list(types), dtype=object).astype(types)
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


def rows_of(frame: pd.DataFrame) -> list[Row]:
    """Return a leaderboard as plain rows, each null as None."""
    names = [column.name for column in COLUMNS]
    columns = [[None if value is pd.NA else value for value in frame[n].tolist()] for n in names]
    return [dict(zip(names, values, strict=True)) for values in zip(*columns, strict=True)]


def _row(cell: Cell, runs: Sequence[Record], judgement: Judgement) -> Row:
    facts = Facts(cell, runs, scored(runs), judgement)
    return {column.name: column.value(facts) for column in COLUMNS}
