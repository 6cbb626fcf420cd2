"""A race needs all cells of its suite; and what a plan with looks trains at least and at most."""

from collections.abc import Iterator, Sequence
from math import ceil

from harness.session.options import Planned
from harness.stats.racing import FEWEST_PROBED, PROBED
from harness.suite.looks import LEAST_SEEDS, judged_by_looks
from harness.suite.plan import Cell
from harness.text import counted, some

MOST_CELLS = 5
"""Maximum number of cells that a message names."""


def race_refusals(planned: Sequence[Planned], cells: Sequence[Cell]) -> Iterator[str]:
    """Yield why a session of some cells is refused: a race of a suite lacks cells.

    Args:
        cells: the selected ones.
    """
    selected = {(cell.suite, cell.id) for cell in cells}
    for each in planned:
        name = each.suite.name
        left_out = [cell.id for cell in each.cells if (name, cell.id) not in selected]
        if each.suite.limits.race and 0 < len(left_out) < len(each.cells):
            yield (
                f"{name}: limits.race: a race compares all cells of a suite, and "
                f"{counted(len(left_out), 'cell')} not selected: {some(left_out, MOST_CELLS)}; "
                "select a part of the suite with --checkpoints, --batch-sizes or --learning-rates "
                "instead, or leave out the race"
            )


def looks_in_words(cells: Sequence[Cell], compared: bool) -> Iterator[str]:
    """Yield a line on the looks at a suite's cells, with the fewest and the most runs, if any.

    Args:
        compared: whether the cells are compared with a baseline.
    """
    looks = next((cell.looks for cell in cells if cell.looks is not None), None)
    if looks is None:
        return
    *most, last = map(str, looks.after)
    numbers = f"{', '.join(most)} and {last}" if most else last
    what = f"race of {counted(len(cells), 'cell')}" if looks.race else "looks"
    fewest, all_runs = fewest_runs(cells, compared), sum(len(cell.seeds) for cell in cells)
    yield (
        f"{what}: judged after {numbers} seeds ({looks.spending} spending); "
        f"{fewest} to {counted(all_runs, 'run')} in all, finished ones included; the expected "
        "time is that of all"
    )


def fewest_runs(cells: Sequence[Cell], compared: bool) -> int:
    """Return the number of runs of a plan if the first possible look decides everything.

    Args:
        compared: whether the cells are compared with a baseline, which needs all seeds of the cells
            that are left in a race.
    """
    looks = cells[0].looks
    if looks is None or not looks.race:
        return sum(map(_fewest_seeds, cells))
    first, count = looks.after[0], len(cells)
    probed = min(max(ceil(count / PROBED), FEWEST_PROBED), count) if first == 1 else 0
    whole = looks.whole or compared
    gated = [max(_fewest_seeds(cell, whole) - first, 0) for cell in cells]
    return count * first + max(probed, min(gated))


def _fewest_seeds(cell: Cell, whole: bool = False) -> int:
    """Return the number of seeds that the gates of a cell need at least, 0 for one without gates.

    Args:
        whole: whether something else needs all its seeds.
    """
    raced = cell.looks is not None and cell.looks.race
    if raced and not whole and not cell.gates.without_baseline().any_set:
        return 0
    if whole or cell.looks is None or not judged_by_looks(cell.gates):
        return len(cell.seeds)
    return next(look for look in cell.looks.after if look >= LEAST_SEEDS)
