"""Values of the columns of a leaderboard that take more than an expression, and their text."""

from collections.abc import Sequence
from typing import Literal

from harness import stats
from harness.judging import costs
from harness.judging.column import BETWEEN_WARNINGS, Facts, Row
from harness.judging.costs import mean
from harness.stats import Interval
from harness.store.records import time_to_target
from harness.text import beside


def differs_from_mcc(rows: Sequence[Row], name: str) -> bool:
    """Return whether a column differs from the MCC of some row by at least 0.0005."""
    pairs = ((row[name], row["mcc"]) for row in rows)
    return any(
        isinstance(value, float) and isinstance(mcc, float) and abs(value - mcc) >= 0.0005
        for value, mcc in pairs
    )


def status(facts: Facts) -> str:
    """Return what became of a cell's runs, as the legend of the column explains."""
    statuses = {run.status for run in facts.runs}
    if not facts.runs:
        return "not run"
    if facts.judgement.failures:  # not those of runs that looks made unnecessary
        return "failed"
    if len(statuses) == 1 and len(facts.runs) == len(facts.cell.seeds):
        return facts.runs[0].status
    return "partial"


def adjusted(facts: Facts) -> float | None:
    """Return the MCC without the optimism of selecting the epoch by the sentences that score it."""
    found = facts.judgement.evidence
    if found is None:
        return None
    selection = stats.selection_of([found.halved])
    return None if selection is None else selection.adjusted[0]


def mccs_of_test(facts: Facts) -> list[float | None]:
    """Return each run's MCC on a labelled test split."""
    return [None if run.scores_test is None else run.scores_test.mcc for run in facts.scored]


def end_of(interval: Interval | None, end: Literal["low", "high"]) -> float | None:
    """Return an end of an interval, if there is one."""
    return None if interval is None else interval.low if end == "low" else interval.high


def threshold_statistic(facts: Facts) -> str | None:
    """Return which statistic of the MCC the gate is about; None without a gate."""
    return None if facts.cell.threshold is None else facts.cell.gates.statistic or "mean"


def last_epoch(facts: Facts) -> float | None:
    """Return the mean MCC after the last epoch."""
    return mean(run.epochs[-1].scores.mcc if run.epochs else None for run in facts.scored)


def millions_of_parameters(facts: Facts) -> float | None:
    """Return the mean over the runs."""
    parameters = mean(run.parameters for run in facts.scored)
    return None if parameters is None else parameters / 1e6


def to_target(facts: Facts) -> list[float | None]:
    """Return each run's training time to the target.

    Not read from the records: the suite may have had another target when a run was trained.
    """
    return [time_to_target(run.epochs, facts.cell.target) for run in facts.scored]


def warnings(facts: Facts) -> str | None:
    """Return the warnings of all runs, each once, and doubts about their costs; None if none."""
    given = (warning for run in facts.runs for warning in run.warnings)
    texts = dict.fromkeys([*given, *costs.doubts(facts.scored)])
    # Only the mark between warnings has this character: it tells where one ends.
    mark = BETWEEN_WARNINGS.strip()
    return BETWEEN_WARNINGS.join(text.replace(mark, "/") for text in texts) or None


def mcc_text(row: Row, name: str = "mcc") -> str:
    """Format an MCC of a row with so many digits that it is on its side of the row's gate."""
    value, gate = row[name], row["threshold"]
    return beside(float(value or 0), *([] if gate is None else [float(gate)]), least=3)


def mcc_interval(row: Row) -> str:
    """Format the MCC's interval as `mcc_text` formats the MCC."""
    return f"{mcc_text(row, 'mcc_low')} to {mcc_text(row, 'mcc_high')}"
