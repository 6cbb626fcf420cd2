"""Mistakes in a suite's looks and race that only its plan shows."""

from collections.abc import Iterator, Sequence

from harness.suite.looks import LEAST_SEEDS, judged_by_looks
from harness.suite.plan import Cell
from harness.suite.spec import Suite
from harness.text import counted, some

MOST_CELLS = 5
"""Maximum number of cells that a message names."""


def look_problems(suite: Suite, cells: Sequence[Cell]) -> Iterator[str]:
    """Yield every mistake in a suite's looks and race: key, value seen, the way out.

    Args:
        cells: the suite's plan.
    """
    limits = suite.limits
    if limits.race:
        yield from _race_problems(suite, cells)
    else:
        for key in ("race_margin", "race_settled"):
            if (value := getattr(limits, key)) is not None:
                yield (
                    f"limits.{key}: {value}: has no effect without a race; set "
                    "limits.race = true (--race), or remove it"
                )
        if limits.looks is not None and not any(map(_judged, cells)):
            yield (
                f"limits.looks: {list(limits.looks)}: nothing is decided at these looks: no cell "
                'has a gate with gates.statistic = "lower-bound" and min_mcc or min_accuracy, and '
                "limits.race is not set; add one of them, or remove the looks"
            )
        elif limits.looks is not None:
            yield from _one_seed(limits.looks)
    if limits.looks is None and not limits.race:
        if limits.spending is not None:
            yield (
                f"limits.spending: {limits.spending!r}: has no effect without looks; set "
                "limits.looks or limits.race, or remove it"
            )
        return
    yield from _seed_problems(limits.looks, cells)


def _race_problems(suite: Suite, cells: Sequence[Cell]) -> Iterator[str]:
    if len(cells) == 1:
        yield (
            f"limits.race: true: a race needs at least two cells, and the suite plans one, "
            f"{cells[0].id}; add cells to [matrix], or leave out the race"
        )
    other = [cell.id for cell in cells if cell.seeds != cells[0].seeds]
    if other:
        yield (
            "limits.race: true: a race compares cells seed by seed, so all need the seeds of "
            f"{cells[0].id}, {list(cells[0].seeds)}: not those of {some(other, MOST_CELLS)}; give "
            "them the same seeds in the same order, or leave out the race"
        )
    looks = suite.limits.looks
    if suite.limits.spending == "pocock" and (looks is None or looks[0] < LEAST_SEEDS):
        yield (
            "limits.spending: 'pocock': a race that looks after one seed drops too many cells "
            f"wrongly in this form; begin limits.looks with {LEAST_SEEDS}, or use 'obrien-fleming'"
        )
    gates = suite.gates.suite
    for name, value in (
        ("every_checkpoint_min_mcc", gates.every_checkpoint_min_mcc),
        ("order", list(gates.order) or None),
    ):
        if value is not None:
            yield (
                f"gates.suite.{name}: {value}: needs all seeds of some cell of every checkpoint, "
                "and a race drops cells; remove this gate or limits.race (--race)"
            )


def _one_seed(looks: Sequence[int]) -> Iterator[str]:
    if looks[0] < LEAST_SEEDS:
        yield (
            f"limits.looks: {list(looks)}: the first look is after {looks[0]} seed, which does not "
            f"show the spread over seeds; begin with {LEAST_SEEDS} (only a race can look after 1)"
        )


def _seed_problems(looks: Sequence[int] | None, cells: Sequence[Cell]) -> Iterator[str]:
    """Yield a line if the last look is not the number of seeds of every cell."""
    last = max((len(cell.seeds) for cell in cells), default=1) if looks is None else looks[-1]
    fewer = [f"{c.id} lacks {last - len(c.seeds)}" for c in cells if len(c.seeds) < last]
    more = [f"{c.id} has {len(c.seeds) - last} more" for c in cells if len(c.seeds) > last]
    shown = "limits.race: true" if looks is None else f"limits.looks: {list(looks)}"
    if fewer or more:
        yield (
            f"{shown}: the last look is after {counted(last, 'seed')}, and every cell must have as "
            f"many: {some([*fewer, *more], MOST_CELLS)}; change the seeds, or the last look"
        )
    elif looks is None and last < 2:
        yield (
            f"{shown}: with one seed per cell there is nothing to stop early; plan at least two "
            "seeds, such as --seeds 1,2,3,4,5"
        )


def _judged(cell: Cell) -> bool:
    return judged_by_looks(cell.gates)
