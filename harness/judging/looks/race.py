"""A race between the cells of a suite: from records to decisions, a pure function.

Seeds count in the order of the plan, and only up to the current look: neither the order in which
runs end nor records beyond that look change a decision.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import mean

import numpy as np

from harness.judging.looks.first_seeds import FirstSeeds, first_seeds
from harness.judging.looks.gates import gate_progress
from harness.judging.looks.standing import Dropped, SetAside, Stage, Standing
from harness.stats.racing import Race, race
from harness.store.records import Record
from harness.suite.looks import Looks
from harness.suite.plan import Cell

ENDS: Mapping[str, Stage] = {
    "one-left": "won",
    "equivalent": "equivalent",
    "settled": "settled",
    "last-look": "not separated",
}


def standings(
    cells: Sequence[Cell], runs: Mapping[str, Sequence[Record]], compared: bool = False
) -> dict[str, Standing]:
    """Return how far the looks at each cell have come, by cell id; empty for cells without looks.

    Args:
        cells: all cells of a suite.
        runs: the records of each cell, by its id.
        compared: whether cells are compared with a baseline, which needs all their seeds.
    """
    looked = [cell for cell in cells if cell.looks is not None]
    first = {cell.id: first_seeds(cell, runs[cell.id]) for cell in looked}
    if not looked or looked[0].looks is None:
        return {}
    if not looked[0].looks.race:
        more_gates = compared or looked[0].looks.whole
        return {name: _by_gates(each, more_gates) for name, each in first.items()}
    return _raced(looked[0].looks, first, compared)


def _by_gates(first: FirstSeeds, more_gates: bool) -> Standing:
    """Return the standing of a cell that is in no race."""
    progress = gate_progress(first, more_gates)
    return Standing(
        seeds=len(first.cell.seeds),
        looked=progress.looked,
        needed=progress.needed,
        most=progress.most,
        stage="decided" if progress.decided else "going on",
        gates_decided=progress.decided,
    )


@dataclass(frozen=True)
class _Result:
    """A race so far: the cells that are no longer in it, and its present state.

    `left` are those that left without a comparison, with a reason. The number of each cell is that
    of its seeds looked at before. `state` is None if no cell has a score, or fewer than two are
    left. `still` are the cells in the race, or left at its end. `reached` is the number of seeds of
    the last look, also of one at which a cell was still in that left later.
    """

    left: Mapping[str, tuple[str, int]]
    dropped: Mapping[str, tuple[Dropped, int]]
    aside: Mapping[str, tuple[SetAside, int]]
    still: Sequence[str]
    state: Race | None
    reached: int


def _raced(looks: Looks, first: Mapping[str, FirstSeeds], compared: bool) -> dict[str, Standing]:
    result = _run(looks, first, set_aside=not (compared or looks.whole))
    found: dict[str, Standing] = {}
    for name, each in first.items():
        seeds = len(each.cell.seeds)
        if name in result.left:
            reason, looked = result.left[name]
            found[name] = Standing(
                seeds, looked, each.scored, each.scored, "left", raced=True, reason=reason
            )
        elif name in result.dropped:
            why, looked = result.dropped[name]
            own = gate_progress(_cut(each, looked), compared)
            found[name] = Standing(
                seeds,
                looked,
                looked,
                looked,
                "dropped",
                raced=True,
                gates_decided=own.decided and own.most <= looked,
                dropped=why,
            )
        elif name in result.aside:
            aside, looked = result.aside[name]
            ended = _until_gates(each, looks, looked, compared, "set aside")
            found[name] = replace(ended, set_aside=aside)
        else:
            found[name] = _still(looks, each, result, compared)
    return found


def _still(looks: Looks, first: FirstSeeds, result: _Result, compared: bool) -> Standing:
    """Return the standing of a cell that is in the race, or left at its end."""
    seeds, state = len(first.cell.seeds), result.state
    reached = 0 if state is None else _reached(looks, state)
    if len(result.still) < 2 and (state is None or state.ended is None):
        # The others left without a comparison: nothing is known about it that saves seeds.
        own = _by_gates(first, True)
        stage: Stage = "alone" if own.stage == "going on" else own.stage
        return replace(own, looked=max(own.looked, result.reached), stage=stage, raced=True)
    if state is None or state.ended is None:
        name = first.cell.id
        following = looks.after[0] if state is None else state.needed[name]
        return Standing(seeds, reached, following, seeds, "going on", raced=True)
    return _until_gates(first, looks, reached, compared, ENDS[state.ended])


def _until_gates(
    first: FirstSeeds, looks: Looks, reached: int, compared: bool, stage: Stage
) -> Standing:
    """Return the standing of a cell that needs more seeds for its gates only, or none."""
    own = gate_progress(first, compared or looks.whole)
    if looks.whole or compared or first.cell.gates.without_baseline().any_set:
        needed, most, decided = own.needed, own.most, own.decided
    else:
        needed, most, decided = reached, reached, True
    return Standing(
        len(first.cell.seeds),
        reached,
        max(needed, reached),
        max(most, reached),
        stage,
        raced=True,
        gates_decided=decided,
    )


def _run(looks: Looks, first: Mapping[str, FirstSeeds], set_aside: bool) -> _Result:
    """Run the race until seeds are missing, or it ends.

    A cell whose run failed leaves at the look that needs this run, when all other runs that it
    needs have ended: which of several failed first does not matter. The race of the others then
    runs again without it, and what was dropped or set aside stays so.
    """
    left: dict[str, tuple[str, int]] = {}
    dropped: dict[str, tuple[Dropped, int]] = {}
    aside: dict[str, tuple[SetAside, int]] = {}
    still, reached = list(first), 0
    for name in _on_other_data(first):
        left[name] = ("it was scored on other data than the others", 0)
        still.remove(name)
    while True:
        state = _state(looks, {name: first[name] for name in still}, set_aside, aside)
        if state is not None:
            reached = max(reached, _reached(looks, state))
            for drop in state.dropped:
                why = Dropped(drop.against, drop.difference, drop.p_value, drop.level)
                dropped.setdefault(drop.cell, (why, drop.seeds))
            for each in state.aside:
                reason = SetAside(each.against, each.difference, each.probability)
                aside.setdefault(each.cell, (reason, each.seeds))
            still = [name for name in still if name in state.remaining]
            if state.ended is not None:
                return _Result(left, dropped, aside, still, state, reached)
        needed = dict.fromkeys(still, looks.after[0]) if state is None else state.needed
        stopped = [name for name in still if first[name].stopped_at(needed[name])]
        missing = any(first[name].scored < needed[name] for name in still if name not in stopped)
        # Before the first look nothing was decided that depends on which cell leaves first.
        if not stopped or (missing and state is not None and state.looks_done):
            return _Result(left, dropped, aside, still, state, reached)
        for name in stopped:
            left[name] = (first[name].stop or "", reached)
            still.remove(name)


def _reached(looks: Looks, state: Race) -> int:
    """Return the number of seeds at the last look of a race, 0 before the first."""
    return looks.after[state.looks_done - 1] if state.looks_done else 0


def _state(
    looks: Looks,
    first: Mapping[str, FirstSeeds],
    set_aside: bool,
    before: Mapping[str, tuple[SetAside, int]],
) -> Race | None:
    """Return the race between some cells; None if none has a score, or for fewer than two.

    Args:
        before: cells set aside before a failed run began the race again.
    """
    one = next((each.found for each in first.values() if each.found is not None), None)
    if one is None or len(first) < 2:
        return None
    none = np.empty((0, one.labels.size), dtype=one.selected.dtype)
    settled = looks.settled
    if settled is not None:
        settled -= sum(each.probability for each, _ in before.values())
    return race(
        one.labels,
        {name: none if each.found is None else each.found.selected for name, each in first.items()},
        looks.after,
        looks.spending,
        margin=looks.margin,
        classes=one.classes,
        settled=settled if settled is None or settled > 0 else None,
        set_aside=set_aside,
        aside_before=len(before),
    )


def _on_other_data(first: Mapping[str, FirstSeeds]) -> list[str]:
    """Return the cells that were scored on other sentences than the first one with a score."""
    found = {name: each.found for name, each in first.items() if each.found is not None}
    if not found:
        return []
    one = next(iter(found.values()))
    return [name for name, each in found.items() if not each.same_sentences(one)]


def _cut(first: FirstSeeds, seeds: int) -> FirstSeeds:
    """Return the first of some first seeds."""
    return first_seeds(first.cell, first.runs[:seeds])


def scores_so_far(cell: Cell, records: Sequence[Record]) -> list[float]:
    """Return the mean MCC over the first seed, the first two, and so on, in the plan's order."""
    runs = first_seeds(cell, records).runs
    mccs = [run.scores.mcc for run in runs if run.scores is not None]
    return [mean(mccs[:count]) for count in range(1, len(mccs) + 1)]
