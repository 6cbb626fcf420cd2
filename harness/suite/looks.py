"""When the cells of a suite are judged before all their seeds are trained: looks and races."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, Field
from pydantic_core import PydanticCustomError

from harness.suite.fields import STRICT, Count, Positive
from harness.text import counted, some

if TYPE_CHECKING:
    from harness.suite.plan import Cell
    from harness.suite.spec import Suite

Spending = Literal["obrien-fleming", "pocock"]

DEFAULT_SPENDING: Spending = "obrien-fleming"

LEAST_SEEDS = 2
"""One seed does not show the spread over seeds, which a lower bound needs."""

MOST_CELLS = 5
"""Maximum number of cells that a message names."""


def _ascending(values: tuple[int, ...] | None) -> tuple[int, ...] | None:
    if values and list(values) != sorted(set(values)):
        raise PydanticCustomError(
            "looks", "input should be ascending numbers of seeds, such as [2, 3, 5]"
        )
    return values


class LooksSpec(BaseModel):
    """The keys of [limits] that let a session judge cells before all their seeds are trained.

    They are not part of a run's key.
    """

    model_config = STRICT

    looks: (
        Annotated[tuple[Count, ...], Field(min_length=1, strict=False), AfterValidator(_ascending)]
        | None
    ) = Field(
        None,
        description="numbers of seeds after which cells are judged, ascending; the last is the "
        "number of seeds of every cell. A gate on a lower bound that is decided at a look, and a "
        "race, end the training; the whole procedure errs in at most 5 % of cases. By default "
        "cells are judged with all their seeds, and a race looks after 1, 2, 3, 5, 8, ... and all",
    )
    spending: Spending | None = Field(
        None,
        description="how looks share the 5 %: `obrien-fleming` (the default), little at early "
        "looks, or `pocock`, about the same at every look",
    )
    race: bool = Field(
        False,
        description="after each look, drop the cells that are worse than the leader beyond chance; "
        "their remaining seeds are not trained",
    )
    race_margin: Positive | None = Field(
        None,
        description="the race also ends when all cells left are shown to be within this MCC of "
        "each other",
    )

    @property
    def by_looks(self) -> bool:
        """Whether cells may be judged before all their seeds are trained."""
        return self.race or self.looks is not None


class Looks(BaseModel):
    """The looks at a cell: after how many of its seeds it is judged, and in which way.

    `after` are numbers of seeds, ascending; the last is the cell's number of seeds. `race` is
    whether cells that are worse than the leader are dropped, and `margin` the difference in MCC
    below which all cells of a race count as equally good. `whole` is whether the cells that a race
    leaves are trained with all their seeds, because the suite's own gates judge their means.
    """

    model_config = STRICT

    after: Annotated[tuple[int, ...], Field(strict=False)]
    spending: Spending = DEFAULT_SPENDING
    race: bool = False
    margin: Positive | None = None
    whole: bool = False


def default_looks(seeds: int) -> tuple[int, ...]:
    """Return the looks of a race whose suite sets none: after 1, 2, 3, 5, 8, ... and all seeds."""
    looks, following = [], (1, 2)
    while following[0] < seeds:
        looks.append(following[0])
        following = (following[1], sum(following))
    return (*looks, seeds)


def looks_of(suite: "Suite", most_seeds: int) -> Looks | None:
    """Return the looks of a suite's cells; None if cells are judged with all their seeds only.

    Args:
        most_seeds: the largest number of seeds of a cell.
    """
    limits = suite.limits
    if not limits.by_looks:
        return None
    return Looks(
        after=limits.looks or default_looks(most_seeds),
        spending=limits.spending or DEFAULT_SPENDING,
        race=limits.race,
        margin=limits.race_margin,
        whole=limits.race and suite.gates.suite.best_min_mcc is not None,
    )


def limits_of(cells: Sequence["Cell"]) -> dict[str, Any]:
    """Return the keys of [limits] that give some cells their looks; none if they have none."""
    looks = cells[0].looks if cells else None
    if looks is None or any(len(cell.seeds) != looks.after[-1] for cell in cells):
        return {}
    keys = {"looks": list(looks.after), "spending": looks.spending}
    return keys | ({"race": True, "race_margin": looks.margin} if looks.race else {})


def judged_by_looks(cell: "Cell") -> bool:
    """Return whether a gate of a cell can be decided at a look: one on an interval's bound."""
    gates = cell.gates
    scores = (gates.min_mcc, gates.min_accuracy)
    return gates.statistic == "lower-bound" and any(each is not None for each in scores)


def look_problems(suite: "Suite", cells: Sequence["Cell"]) -> Iterator[str]:
    """Yield every mistake in a suite's looks and race: key, value seen, the way out.

    Args:
        cells: the suite's plan.
    """
    limits = suite.limits
    if limits.race:
        yield from _race_problems(suite, cells)
    else:
        if limits.race_margin is not None:
            yield (
                f"limits.race_margin: {limits.race_margin}: has no effect without a race; set "
                "limits.race = true (--race), or remove it"
            )
        if limits.looks is not None and not any(map(judged_by_looks, cells)):
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


def _race_problems(suite: "Suite", cells: Sequence["Cell"]) -> Iterator[str]:
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


def _seed_problems(looks: Sequence[int] | None, cells: Sequence["Cell"]) -> Iterator[str]:
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
