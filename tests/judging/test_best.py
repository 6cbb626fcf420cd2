"""A checkpoint's best cell: of equals the first, never an incomplete one, the same everywhere."""

import pytest
from builders.records import make_cell, make_record

from harness.judging.best import best_by_checkpoint
from harness.judging.comparison import best_cells
from harness.judging.gates import judge_suite
from harness.store.records import Record
from harness.suite.plan import Cell
from harness.suite.spec import SuiteGates


def cells_of(*mccs: list[float]) -> tuple[list[Cell], dict[str, list[Record]]]:
    """Return a cell for each list of scores, one a seed, all of one checkpoint."""
    cells = [
        make_cell("a", batch_size=2**position, seeds=(0, 1)) for position, _ in enumerate(mccs)
    ]
    runs = {
        cell.id: [make_record(cell, seed, mcc=mcc) for seed, mcc in enumerate(values)]
        for cell, values in zip(cells, mccs, strict=True)
    }
    return cells, runs


@pytest.mark.parametrize(
    ("mccs", "expected"),
    [
        ([[0.1, 0.1], [0.5, 0.3], [0.2, 0.2]], 1),
        # 0.1 + 0.3 and 0.3 + 0.1 have equal means: the first in the plan's order stands.
        ([[0.1, 0.3], [0.3, 0.1]], 0),
        ([[0.2, 0.2], [0.9]], 0),
    ],
)
def test_the_best_cell_is_the_first_of_the_highest_mean(
    mccs: list[list[float]], expected: int
) -> None:
    cells, runs = cells_of(*mccs)
    best = best_by_checkpoint(cells, runs, {})["a"]
    assert best.cell == cells[expected]
    assert best.mcc == pytest.approx(sum(mccs[expected]) / 2)
    assert best.tried == sum(len(values) == 2 for values in mccs)


def test_comparisons_and_gates_mean_the_same_cell_where_two_are_equal() -> None:
    cells, runs = cells_of([0.1, 0.3], [0.3, 0.1])
    (contestant,) = best_cells(cells, runs, {})
    (check,) = judge_suite(SuiteGates(best_min_mcc=0.9), cells, runs, {})
    assert contestant.runs[0].cell == cells[0].id
    assert f"the best cell, {cells[0].id}, has MCC" in check.reason
