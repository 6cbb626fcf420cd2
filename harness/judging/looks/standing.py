"""How far the looks at a cell have come: the seeds it needs, and whether it left a race."""

from dataclasses import dataclass
from typing import Literal

from harness.text import apart, counted

Stage = Literal[
    "going on",
    "decided",
    "dropped",
    "set aside",
    "left",
    "alone",
    "won",
    "equivalent",
    "settled",
    "not separated",
]
"""What the looks have shown about a cell: nothing yet; its gates are decided; it is worse than the
leader of the race; more seeds would hardly make it better than the leader; it left the race without
a comparison, because a run failed; all others left in such ways, so it was not compared with them;
it is the only one left; all left are equally good; more seeds
would hardly change the leader of those left; or the last look leaves it among several."""


@dataclass(frozen=True)
class Dropped:
    """Why a cell was dropped from a race: the difference in mean MCC to the leader, leader first.

    `p_value` is that of this pair alone. It is below `level`, which is corrected for all pairs of
    the look and for the other looks.
    """

    against: str
    difference: float
    p_value: float
    level: float


@dataclass(frozen=True)
class SetAside:
    """Why the race went on without a cell: the difference in mean MCC to the leader, leader first.

    `probability` is the predicted one that, with all seeds, the cell would be better than the
    leader beyond chance.
    """

    against: str
    difference: float
    probability: float


@dataclass(frozen=True)
class Standing:
    """How far the looks at a cell have come.

    Attributes:
        seeds: the number of the cell's seeds.
        looked: number of seeds at the last look that judged it; 0 before the first one.
        needed: its first seeds up to this number must be trained now.
        most: seeds beyond this number will never be needed.
        stage: see Stage.
        raced: whether the cell is or was in a race.
        gates_decided: whether its gates, if it has any, are decided by its first seeds.
        dropped: the comparison by which it was dropped from a race.
        set_aside: the prediction by which the race went on without it.
        reason: why it left a race without a comparison.
    """

    seeds: int
    looked: int
    needed: int
    most: int
    stage: Stage
    raced: bool = False
    gates_decided: bool = False
    dropped: Dropped | None = None
    set_aside: SetAside | None = None
    reason: str | None = None

    @property
    def out(self) -> bool:
        """Whether the cell left a race, so that it is not among the best."""
        return self.stage in ("dropped", "set aside", "left")

    @property
    def seeds_counted(self) -> int:
        """How many of its first seeds count: of those beyond, a failed run fails no cell.

        All of them until its gates are decided, because a failed run is then the reason why they
        cannot be, unless it was dropped.
        """
        return self.most if self.gates_decided or self.dropped is not None else self.seeds

    def briefly(self) -> str:
        """Return the standing in a few words."""
        after = f"after {self.looked} of {counted(self.seeds, 'seed')}"
        match self.stage:
            case "left":
                return "left the race"
            case "alone":
                return f"alone in the race {after}" if self.looked else "alone in the race"
            case "going on":
                where = "in the race" if self.raced else "undecided"
                return f"{where} {after}" if self.looked else f"{where}, before the first look"
            case _:
                return f"{self.stage} {after}"

    def in_words(self) -> str:
        """Return the standing with its reason, as text that follows the name of the cell."""
        if self.dropped is not None:
            return f"{self.briefly()}: {in_words(self.dropped)}"
        if self.set_aside is not None:
            return f"{self.briefly()}: {_set_aside_in_words(self.set_aside)}"
        reasons = {
            "left": str(self.reason),
            "alone": "the last of the others left it without a comparison, so all seeds are needed",
            "won": "the only cell left in the race",
            "equivalent": "all cells left are shown to be within the margin",
            "settled": "more seeds would hardly show another cell to be better than the leader",
            "not separated": "the race ended at its last look with several cells left",
        }
        reason = reasons.get(self.stage)
        return self.briefly() if reason is None else f"{self.briefly()}: {reason}"


def in_words(dropped: Dropped) -> str:
    """Return the comparison by which a cell was dropped."""
    p_value, level = apart(dropped.p_value, dropped.level, least=2, kind="g")
    return (
        f"worse than {dropped.against} by {dropped.difference:z.3f}, p = {p_value}, level {level}"
    )


def _set_aside_in_words(aside: SetAside) -> str:
    below = f"below {aside.against} by {aside.difference:z.3f}, not beyond chance,"
    return (
        f"it is {below if aside.difference else f'equal to {aside.against}'} and would "
        "with all seeds be better beyond chance with a predicted probability of "
        f"{aside.probability:.2g}"
    )
