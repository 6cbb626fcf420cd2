"""Builds a leaderboard from records: a row for each cell of the plan, ranked by mean MCC."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from operator import is_
from typing import TYPE_CHECKING

from harness.judging import costs
from harness.judging.baseline import Baseline
from harness.judging.column import Facts, Row
from harness.judging.columns import columns_of
from harness.judging.evidence import evidence_of_given
from harness.judging.further_columns.classes import CLASSES
from harness.judging.further_columns.given import GIVEN, row_of_given
from harness.judging.further_columns.looks import LOOKS
from harness.judging.further_columns.serving import SERVING
from harness.judging.further_columns.sources import SOURCES
from harness.judging.further_columns.stopped import STOPPED, UNKNOWN
from harness.judging.gates import Judgement, judge
from harness.judging.looks.race import standings
from harness.judging.looks.standing import Standing
from harness.store.given import Given
from harness.store.records import Record, classes_of
from harness.store.slices import Slices
from harness.suite.plan import Cell

if TYPE_CHECKING:  # loaded where a table is made
    import pandas as pd


def leaderboard(
    cells: Sequence[Cell],
    records: Iterable[Record],
    baseline: Baseline | None = None,
    judgements: Mapping[str, Judgement] | None = None,
    slices: Slices | None = None,
    given: Sequence[Given] = (),
) -> "pd.DataFrame":
    """Return a row for each cell, by rank, then in the plan's order, cells without a score last.

    Given predictions have a row each, ranked among the cells, of which only scores are known; the
    column `given` marks it. Of equal ranks, they come last.

    COLUMNS describes the columns. `*_sd` are sample standard deviations over the scored runs, and
    `accuracy_*` correspond to `mcc_*`. A value that some run did not measure is null, never 0 and
    never a mean of fewer runs. The interval of the mean is null with one seed and no predictions.

    Cells that left a race have no rank; they come after the others, those with the most seeds
    first, before cells without a score.

    Training settings of which the plan has several values have a column each, after the learning
    rate. `f1` is the F1 of class 1 of two. If some run has more classes, it is the mean of their F1
    (macro-F1), and the last column, `classes`, is their number.

    If records contain the source of each sentence, `mcc_low_sources` and `mcc_high_sources` are
    the interval for sentences of other sources, `sources` is the number of sources here, and
    `sources_reason` is why there is no such interval.

    In rows with a stopped run, `stopped` says after which epoch, `mcc_at_least` is the mean MCC,
    which that of whole runs cannot be below, and what is only known of whole runs is null.

    If a run measured how fast its model answers, `latency_ms` and `latency_p95_ms` are the time of
    one sentence, `predictions_per_second` is the speed at the best batch size, which is
    `predictions_batch_size`, and `serving_times` is to these what `times` is to the other times.

    `warnings` contains each warning of the runs once, then the reasons why their times are
    unreliable (costs.doubts). `threshold_statistic` is what must reach the threshold: the `mean` or
    the lower bound of its interval (`lower-bound`). `times` is ROUGH if only the order of magnitude
    of a cell's times is meaningful (costs.rough); the times themselves stay unrounded.

    Args:
        records: at most one for each cell and seed; those of other cells and seeds are ignored.
        baseline: compared with the cells, in addition to their thresholds.
        judgements: by cell id, if the cells are already judged.
        slices: of the validation sentences, for the gates on slices.
        given: predictions of other programs on the same sentences.

    Raises:
        ValueError: two records of one cell and seed.
    """
    import pandas as pd  # a third of a second, which collecting cells does not need

    records = list(records)
    runs = runs_by_cell(cells, records)
    if judgements is None:
        judgements = judge_all(cells, runs, baseline, slices)
    names = {name for cell in cells for name in cell.settings}
    if any(classes_of(run) > 2 for own in runs.values() for run in own):
        names.add(CLASSES.name)
    if any(each.mcc_on_sources is not None for each in judgements.values()):
        names.add(SOURCES.name)
    if any(run.serving is not None for own in runs.values() for run in own):
        names.add(SERVING.name)
    if any(cell.looks is not None for cell in cells):
        names.add(LOOKS.name)
    if any(each.mcc_at_least is not None for each in judgements.values()):
        names.add(STOPPED.name)
    if given:
        names.add(GIVEN.name)
    columns = columns_of(names)
    facts = [
        Facts(cell, runs[cell.id], scored(runs[cell.id]), judgements[cell.id]) for cell in cells
    ]
    rows = [
        {
            column.name: None
            if column.name in UNKNOWN and each.judgement.mcc_at_least is not None
            else column.value(each)
            for column in columns
        }
        for each in facts
    ]
    types = {column.name: column.type for column in columns}
    rows += [row_of_given(each, evidence_of_given(each, records), types) for each in given]
    frame = pd.DataFrame(rows, columns=list(types), dtype=object).astype(types)
    out = [*(_place_after_race(judgements[cell.id]) for cell in cells), *[None] * len(given)]
    still_in = pd.Series([place is None for place in out], dtype=bool)
    ranked = frame["mcc"].where(still_in).rank(method="min", ascending=False)
    frame["rank"] = ranked.astype("Int64")
    ranks = [None if pd.isna(rank) else float(rank) for rank in ranked]
    order = sorted(range(len(frame)), key=lambda row: _place(ranks[row], out[row]))
    return frame.iloc[order].reset_index(drop=True)


def _place(rank: float | None, after_race: tuple[int, float] | None) -> tuple[float, ...]:
    """Return what sorts a row: by rank, then cells that left a race, then those without a score."""
    if after_race is not None:
        return (1, *after_race)
    return (2,) if rank is None else (0, rank)


def _place_after_race(judgement: Judgement) -> tuple[int, float] | None:
    """Return what sorts a cell that left a race: more seeds first, then a higher MCC.

    Returns:
        None for a cell that is in no race, or left in it.
    """
    standing = judgement.standing
    if standing is None or not standing.out or judgement.mcc is None:
        return None
    return -standing.looked, -judgement.mcc


class Judged:
    """Judgements of cells, each made once for the same records and the same baseline.

    A session judges every cell in its test, for the tables and for the terminal.
    """

    def __init__(self) -> None:
        self._known: dict[
            tuple[str, str], tuple[tuple[object, ...], Standing | None, Judgement]
        ] = {}

    def judge(
        self,
        cell: Cell,
        runs: Sequence[Record],
        baseline: Baseline | None = None,
        slices: Slices | None = None,
        standing: Standing | None = None,
    ) -> Judgement:
        """Return what harness.judging.gates.judge returns."""
        place, given = (cell.suite, cell.id), (cell, baseline, slices, *runs)
        if (known := self._known.get(place)) is not None:
            before, then, judgement = known
            same = len(before) == len(given) and all(map(is_, before, given))
            if same and then == standing:
                return judgement
        judgement = judge(cell, runs, baseline, slices, standing)
        self._known[place] = given, standing, judgement
        return judgement

    def judge_all(
        self,
        cells: Sequence[Cell],
        runs: Mapping[str, Sequence[Record]],
        baseline: Baseline | None = None,
        slices: Slices | None = None,
        known: Mapping[str, Standing] | None = None,
    ) -> dict[str, Judgement]:
        """Judge every cell by its records, and return the judgements by cell id.

        Args:
            known: how far the looks at each cell have come, if that was computed before.
        """
        found = standings(cells, runs, baseline is not None) if known is None else known
        return {
            cell.id: self.judge(cell, runs[cell.id], baseline, slices, found.get(cell.id))
            for cell in cells
        }


def judge_all(
    cells: Sequence[Cell],
    runs: Mapping[str, Sequence[Record]],
    baseline: Baseline | None = None,
    slices: Slices | None = None,
    known: Mapping[str, Standing] | None = None,
) -> dict[str, Judgement]:
    """Judge every cell of a leaderboard afresh; see Judged.judge_all."""
    return Judged().judge_all(cells, runs, baseline, slices, known)


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


def rows_of(frame: "pd.DataFrame") -> list[Row]:
    """Return a leaderboard as plain rows, with None for null."""
    import pandas as pd

    names = [str(name) for name in frame.columns]
    columns = [[None if value is pd.NA else value for value in frame[n].tolist()] for n in names]
    return [dict(zip(names, values, strict=True)) for values in zip(*columns, strict=True)]
