"""The first seeds of a cell: looks judge seeds in the order of the plan, never of arrival."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from harness.judging.evidence import Evidence, NoEvidence, evidence
from harness.store.records import Record
from harness.suite.plan import Cell


@dataclass(frozen=True)
class FirstSeeds:
    """A cell's seeds that a look can judge: those before the first seed without a score.

    `scored` is their number. `found` is their evidence, with a row for each seed in the order of
    the plan; None if there is none. `stop` is the reason why the next seed, or the whole cell if
    `scored` is 0, cannot be judged: it failed or has no predictions; None if it is only missing.
    `runs` are the records of the scored ones.
    """

    cell: Cell
    runs: tuple[Record, ...]
    found: Evidence | None
    stop: str | None

    @property
    def scored(self) -> int:
        """The number of these seeds."""
        return 0 if self.found is None else len(self.found.seeds)

    def stopped_at(self, look: int) -> bool:
        """Return whether the cell cannot be judged after this number of seeds, now or later."""
        return self.stop is not None and self.scored < look


def first_seeds(cell: Cell, records: Sequence[Record]) -> FirstSeeds:
    """Return the first seeds of a cell.

    Args:
        records: at most one for each of the cell's seeds, in any order.
    """
    by_seed = {record.seed: record for record in records}
    runs: list[Record] = []
    stop = None
    for seed in cell.seeds:
        if (record := by_seed.get(seed)) is None:
            break
        if record.scores is None:
            word = "failed" if record.status == "failed" else "cannot run here"
            stop = f"the run with seed {seed} {word}: {record.reason or 'no reason'}"
            break
        runs.append(record)
    if not runs:
        return FirstSeeds(cell, (), None, stop)
    try:
        found = evidence(runs)
    except NoEvidence as error:
        return FirstSeeds(cell, (), None, str(error))
    rows = np.array([found.seeds.index(run.seed) for run in runs])
    ordered = replace(
        found,
        seeds=tuple(run.seed for run in runs),
        selected=found.selected[rows],
        candidates=found.candidates[rows],
    )
    return FirstSeeds(cell, tuple(runs), ordered, stop)
