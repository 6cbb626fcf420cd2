"""Which runs fit into a given time, the most informative first."""

from collections.abc import Sequence
from dataclasses import dataclass

from harness.forecast.seconds import makespan

AROUND_SECONDS = 15.0
"""Time that a session needs besides training: it starts processes, and writes the tables at the
end. An estimate for two cores that do nothing else; large matrices take longer."""

CLOSE = 1e-9
"""Relative rounding error of sums of seconds that is left to the exact computation."""


@dataclass(frozen=True)
class Candidate:
    """A run that has to train.

    Attributes:
        cell: its cell, unique within the session.
        place: position of its seed among the cell's seeds.
        before: number of the cell's runs that are finished.
        gated: whether a gate judges the cell.
        again: whether the run is finished, and trains again on request.
        seconds: expected duration, at least 0.
    """

    cell: str
    place: int
    before: int
    gated: bool
    again: bool
    seconds: float


Stage = tuple[int, float, str]


def within(candidates: Sequence[Candidate], workers: int, seconds: float) -> tuple[int, ...]:
    """Return the positions of the runs that fit into some seconds, in their order of training.

    Runs are taken in the order of their information (see `stages`), within a stage the shorter
    first. A run is in if all runs taken before it and this run end in time, each beginning when
    one of `workers` is free. So a run that is too long does not keep a shorter, less informative
    one out. A larger budget never gives up a run for a less informative one.
    """
    stage = stages(candidates)

    def training(position: int) -> tuple[Stage, float, str, int]:
        """A run's place in the order of training: within a stage, no long run starts last."""
        each = candidates[position]
        return stage[position], -each.seconds, each.cell, each.place

    def information(position: int) -> tuple[Stage, float, str, int]:
        each = candidates[position]
        return stage[position], each.seconds, each.cell, each.place

    taken: list[int] = []
    too_long: set[tuple[Stage, float]] = set()
    total = longest = 0.0
    for position in sorted(range(len(candidates)), key=information):
        own = candidates[position].seconds
        if (stage[position], own) in too_long:  # more runs are taken now than at that time
            continue
        share = (total + own) / workers
        most = share + max(longest, own) * (1 - 1 / workers)  # Graham 1966
        if share > seconds * (1 + CLOSE) or own > seconds:
            fits = False
        elif most < seconds * (1 - CLOSE):
            fits = True
        else:
            order = sorted([*taken, position], key=training)
            fits = makespan((candidates[i].seconds for i in order), workers) <= seconds
        if fits:
            taken.append(position)
            total, longest = total + own, max(longest, own)
        else:
            too_long.add((stage[position], own))
    return tuple(sorted(taken, key=training))


def in_order(candidates: Sequence[Candidate]) -> tuple[int, ...]:
    """Return the positions of all runs in their order of training; see `within`."""
    return within(candidates, 1, float("inf"))


def stages(candidates: Sequence[Candidate]) -> list[Stage]:
    """Return the stage of each run; runs of an earlier stage are more informative.

    1. One seed of every cell that a gate judges; 2. of every other cell.
    3. The other seeds of cells with gates, cell by cell, since a gate needs them all: first the
       cell that lacks the least time.
    4. The other seeds of cells that only rank: the second seed of every cell, then the third...
    5. Finished runs that train again.
    """
    ranks = _ranks(candidates)
    lacking: dict[str, float] = {}
    for each, rank in zip(candidates, ranks, strict=True):
        if each.gated and rank and not each.again:
            lacking[each.cell] = lacking.get(each.cell, 0.0) + each.seconds
    last = 3 + max(ranks, default=0) + 1

    def stage(each: Candidate, rank: int) -> Stage:
        if each.again:
            return last + rank, 0.0, ""
        if rank == 0:
            return (0 if each.gated else 1), 0.0, ""
        if each.gated:
            return 2, lacking[each.cell], each.cell
        return 2 + rank, 0.0, ""

    return [stage(each, rank) for each, rank in zip(candidates, ranks, strict=True)]


def _ranks(candidates: Sequence[Candidate]) -> list[int]:
    """Return how many runs of its cell come before each run: finished ones, and earlier seeds."""
    places: dict[tuple[str, bool], list[int]] = {}
    for each in candidates:
        places.setdefault((each.cell, each.again), []).append(each.place)
    index = {key: {place: n for n, place in enumerate(sorted(own))} for key, own in places.items()}
    return [each.before + index[each.cell, each.again][each.place] for each in candidates]
