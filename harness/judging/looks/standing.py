"""How far the looks at a cell have come: the seeds it needs, and whether it left a race."""

from dataclasses import dataclass
from typing import Literal

from harness.text import counted

Stage = Literal["going on", "decided", "dropped", "left", "won", "equivalent", "not separated"]
"""What the looks have shown about a cell: nothing yet; its gates are decided; it is worse than the
leader of the race; it left the race without a comparison, because a run failed; it is the only one
left; all left are equally good; or the last look leaves it among several."""


@dataclass(frozen=True)
class Dropped:
    """Why a cell was dropped from a race: the difference in mean MCC to the leader, leader first.

    `p_value` is corrected for the comparisons of the look and below `level`.
    """

    against: str
    difference: float
    p_value: float
    level: float


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
    reason: str | None = None

    @property
    def out(self) -> bool:
        """Whether the cell left a race, so that it is not among the best."""
        return self.stage in ("dropped", "left")

    def in_words(self) -> str:
        """Return the standing as text, for tables."""
        of = f"{self.looked} of {counted(self.seeds, 'seed')}"
        match self.stage:
            case "dropped":
                assert self.dropped is not None
                return f"dropped after {of}: {in_words(self.dropped)}"
            case "left":
                return f"left the race: {self.reason}"
            case "won":
                return f"won the race after {of}"
            case "equivalent":
                return f"left in the race after {of}: equivalent to the others left"
            case "not separated":
                return f"left in the race after {of}: not separated from the others left"
            case "decided":
                return f"decided after {of}"
            case "going on":
                where = "in the race" if self.raced else "undecided"
                return f"{where} after {of}" if self.looked else f"{where}, before the first look"


def in_words(dropped: Dropped) -> str:
    """Return the comparison by which a cell was dropped."""
    return (
        f"worse than {dropped.against} by {dropped.difference:.3f}, p = {dropped.p_value:.2g}, "
        f"level {dropped.level:.2g}"
    )
