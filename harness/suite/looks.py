"""When the cells of a suite are judged before all their seeds are trained: looks and races."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, Field
from pydantic_core import PydanticCustomError

from harness.suite.fields import STRICT, BelowOne, BetweenZeroAndOne, Count, Positive
from harness.suite.gates import Thresholds

Spending = Literal["obrien-fleming", "pocock"]

DEFAULT_SPENDING: Spending = "obrien-fleming"

SETTLED = 0.05
"""By default, a race ends when its winner would change with a smaller probability than this."""

LEAST_SEEDS = 2
"""One seed does not show the spread over seeds, which a lower bound needs."""


def _ascending(values: tuple[int, ...]) -> tuple[int, ...]:
    if list(values) != sorted(set(values)):
        raise PydanticCustomError(
            "looks", "input should be ascending numbers of seeds, such as [2, 3, 5]"
        )
    return values


LookSizes = Annotated[
    tuple[Count, ...], Field(min_length=1, strict=False), AfterValidator(_ascending)
]


class LooksSpec(BaseModel):
    """The keys of [limits] that let a session judge cells before all their seeds are trained.

    They are not part of a run's key.
    """

    model_config = STRICT

    looks: LookSizes | None = Field(
        None,
        description="numbers of seeds after which cells are judged, ascending; the last is the "
        "number of seeds of every cell. A gate on a lower bound that is decided at a look, and a "
        "race, end the training; the whole procedure errs in about 5 % of cases. By default "
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
    race_settled: BelowOne | None = Field(
        None,
        description="the race goes on without the cells that would hardly become its winner: with "
        "all seeds better than the leader beyond chance with predicted probabilities that add up "
        "to less than this; it ends when these are all other cells; by default 0.05; with 0 only "
        "worse cells leave",
    )

    @property
    def by_looks(self) -> bool:
        """Whether cells may be judged before all their seeds are trained."""
        return self.race or self.looks is not None


class Looks(BaseModel):
    """The looks at a cell: after how many of its seeds it is judged, and in which way.

    `after` are numbers of seeds, ascending; the last is the cell's number of seeds. `race` is
    whether cells that are worse than the leader are dropped, and `margin` the difference in MCC
    below which all cells of a race count as equally good; `settled` is the probability, over the
    whole race, of another winner among the cells that it goes on without. `whole` is whether cells
    are trained with all their seeds unless they fail their own gates or are dropped, because the
    suite's own gates judge their means.
    """

    model_config = STRICT

    after: LookSizes
    spending: Spending = DEFAULT_SPENDING
    race: bool = False
    margin: Positive | None = None
    settled: BetweenZeroAndOne | None = None
    whole: bool = False


def default_looks(seeds: int) -> tuple[int, ...]:
    """Return the looks of a race whose suite sets none: after 1, 2, 3, 5, 8, ... and all seeds."""
    looks, following = [], (1, 2)
    while following[0] < seeds:
        looks.append(following[0])
        following = (following[1], sum(following))
    return (*looks, seeds)


def looks_of(limits: LooksSpec, most_seeds: int, whole: bool) -> Looks | None:
    """Return the looks of a suite's cells; None if cells are judged with all their seeds only.

    Args:
        most_seeds: the largest number of seeds of a cell.
        whole: see Looks.
    """
    if not limits.by_looks:
        return None
    return Looks(
        after=limits.looks or default_looks(most_seeds),
        spending=limits.spending or DEFAULT_SPENDING,
        race=limits.race,
        margin=limits.race_margin,
        settled=SETTLED if limits.race_settled is None else limits.race_settled or None,
        whole=whole,
    )


def limits_of(looks: Looks | None, seeds: set[int]) -> dict[str, Any]:
    """Return the keys of [limits] that give cells these looks.

    Args:
        seeds: the numbers of seeds of the cells; if they do not fit, no key gives them the looks.
    """
    if looks is None or seeds != {looks.after[-1]}:
        return {}
    keys = {"looks": list(looks.after), "spending": looks.spending}
    if not looks.race:
        return keys
    return {**keys, "race": True, "race_margin": looks.margin, "race_settled": looks.settled or 0.0}


def judged_by_looks(gates: Thresholds) -> bool:
    """Return whether a gate of a cell can be decided at a look: one on an interval's bound."""
    scores = (gates.min_mcc, gates.min_accuracy)
    return gates.statistic == "lower-bound" and any(each is not None for each in scores)
