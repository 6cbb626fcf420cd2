"""An earlier leaderboard that today's cells are held against, cell by cell."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from harness.store.records import DatasetFacts, Record
from harness.suite.plan import Cell

DEFAULT_MAX_DROP = 0.02
"""The drop in MCC that a baseline allows where the suite does not say: about the standard error
of a difference between two cells of three seeds."""


@dataclass(frozen=True)
class Baseline:
    """Records of an earlier leaderboard; `source` names the file for messages."""

    source: str
    suite: str
    records: tuple[Record, ...]


def runs_of_cell(baseline: Baseline, cell: Cell) -> list[Record]:
    """Return the baseline's runs of the cell with the same checkpoint, batch size and rate."""
    asked = (cell.checkpoint, cell.batch_size, cell.learning_rate)
    return [
        record
        for record in baseline.records
        if (record.checkpoint, record.batch_size, record.learning_rate) == asked
    ]


def problems(
    baseline: Baseline | None, datasets: Mapping[str, DatasetFacts | None]
) -> Iterator[str]:
    """Yield what keeps a baseline from being compared with the suites of a session.

    Args:
        baseline: None, with which nothing is compared, has no obstacle.
        datasets: the data of each suite of the session; None where they could not be had.
    """
    if baseline is None:
        return
    if baseline.suite not in datasets:
        yield (
            f"--baseline: {baseline.source}: a leaderboard of the suite {baseline.suite!r}, which "
            f"this session does not run ({', '.join(map(repr, datasets))}); name that suite or "
            "another baseline"
        )
        return
    today = datasets[baseline.suite]
    known = {r.dataset.fingerprint: r.dataset for r in baseline.records if r.dataset is not None}
    if today is None:
        return
    for facts in known.values():
        if facts.fingerprint != today.fingerprint:
            yield (
                f"--baseline: {baseline.source}: its scores are of other data ({facts.origin}, "
                f"{facts.validation:,} validation sentences) than today's ({today.origin}, "
                f"{today.validation:,}); scores on different sentences cannot be compared"
            )
    if not known:
        yield (
            f"--baseline: {baseline.source}: holds no scored run; write it anew with "
            "`pytest benchmarks/`"
        )
