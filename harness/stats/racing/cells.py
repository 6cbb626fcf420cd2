"""A race of cells, look by look at their seeds, as a function of predictions.

All pairs of cells in the race are compared, on the same sentences and with row i of every cell as
the same seed. docs/statistics.md explains the test and shows its error rates.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil
from typing import Literal

import numpy as np

from harness.errors import BadInput
from harness.products import matrix_product
from harness.stats.checks import check
from harness.stats.many_classes import disagreement_error
from harness.stats.racing.pairs import Levels, Look
from harness.stats.racing.spread import TINY, Parts, spread_over_seeds
from harness.stats.scores import linearise
from harness.stats.sequential import ERROR, Form, problems_of_looks

End = Literal["one-left", "equivalent", "settled", "last-look"]

PROBED = 3
"""At a look after one seed, one cell in three has two, which show the spread over seeds."""

FEWEST_PROBED = 2


@dataclass(frozen=True)
class Drop:
    """A cell that left the race.

    Attributes:
        cell: its id.
        seeds: number of seeds of the look at which it was dropped.
        against: id of the leader at this look.
        difference: mean of the leader minus mean of the cell, over these seeds.
        p_value: two-sided, of the difference.
        level: nominal level of the look, with which `p_value` was compared.
    """

    cell: str
    seeds: int
    against: str
    difference: float
    p_value: float
    level: float


@dataclass(frozen=True)
class Aside:
    """A cell that the race went on without, because more seeds would hardly make it the best.

    It is not shown to be worse.

    Attributes:
        cell: its id.
        seeds: number of seeds of the look at which it was set aside.
        against: id of the leader at this look.
        difference: mean of the leader minus mean of the cell, over these seeds.
        probability: predicted, that after the last look it would be better than the leader beyond
            chance.
    """

    cell: str
    seeds: int
    against: str
    difference: float
    probability: float


@dataclass(frozen=True)
class Race:
    """A race as far as its cells have seeds.

    Attributes:
        looks_done: number of looks.
        dropped: in the order of looks, and at one look in the order of the cells.
        aside: in the order of looks, and at one look the least probable first.
        remaining: ids of the cells still in, in their order.
        winner: id of the cell with the highest mean among those still in; None until the end.
        ended: why no further look follows; None until the end.
        needed: number of seeds that each cell still in needs before the next look; empty at the
            end.
        used: number of seeds of each cell, also of those that left, on which the decisions are
            based.
    """

    looks_done: int
    dropped: tuple[Drop, ...]
    aside: tuple[Aside, ...]
    remaining: tuple[str, ...]
    winner: str | None
    ended: End | None
    needed: Mapping[str, int] = field(default_factory=dict)
    used: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class _Runs:
    """The linearised runs of all cells, cell by cell.

    Attributes:
        values: (cells, seeds), nan where a cell has no such seed.
        influence: (cells, seeds, sentences), 0 there.
        unseen: (cells, seeds), as in `Linearised`.
        kinds: (cells, seeds), the same number where predictions are the same.
        disagreement: (cells, seeds), `disagreement_error` of a run and one of the same predictions.
        counts: (cells,), the number of seeds of each cell.
    """

    values: np.ndarray
    influence: np.ndarray
    unseen: np.ndarray
    kinds: np.ndarray
    disagreement: np.ndarray
    counts: np.ndarray


def race(
    labels: np.ndarray,
    predictions: Mapping[str, np.ndarray],
    looks: Sequence[int],
    form: Form,
    *,
    margin: float | None = None,
    classes: int = 2,
    level: float = ERROR,
    settled: float | None = None,
    set_aside: bool = True,
    aside_before: int = 0,
) -> Race:
    """Return how far the race is, from the predictions alone, whenever each of them arrived.

    Every look is repeated for which all cells still in have enough seeds. At a look, a cell is
    dropped whose mean MCC is below that of the leader, with a p-value below the nominal level. A
    look after one seed needs a second seed of the leading cells, because one seed of each cell
    does not show the spread over seeds.

    Args:
        labels: (sentences,), each from 0 to `classes` - 1.
        predictions: by the id of each cell, (seeds so far, sentences) in the order of seeds; row i
            has the same seed in every cell. A cell may have 0 rows.
        looks: numbers of seeds, ascending.
        form: of the spending function.
        margin: the race also ends when the intervals of all differences lie within ± margin, at a
            look after at least two seeds.
        level: probability that any cell is dropped wrongly.
        settled: the race goes on without cells that would hardly be better than the leader after
            the last look (beyond chance, at `level`, compared with it alone): as many as have
            predicted probabilities that add up to less than this, over the whole race. It ends
            when these are all but the leader, at a look after at least two seeds. None never.
        set_aside: False if no cell is set aside before that end.
        aside_before: number of further cells, set aside in a race that began again without a cell;
            they count for the levels.

    Raises:
        BadInput: other shapes, values or looks, or fewer than two cells.
    """
    _check(labels, predictions, looks, margin, settled, classes)
    names = list(predictions)
    cells = [predictions[name][: looks[-1]] for name in names]
    runs = _linearised(labels, cells, looks[-1], classes)
    still = list(range(len(names)))
    dropped: list[Drop] = []
    aside: list[Aside] = []
    used = np.zeros(len(names), dtype=int)
    for number, seeds in enumerate(looks):
        needed = _needed(runs, still, seeds)
        if any(runs.counts[cell] < count for cell, count in needed.items()):
            by_name = {names[cell]: count for cell, count in needed.items()}
            return Race(
                *(number, tuple(dropped), tuple(aside), _named(names, still), None, None),
                *(by_name, _used(names, used)),
            )
        for cell, count in needed.items():
            used[cell] = count
        means = runs.values[still, :seeds].mean(axis=1)
        # A cell set aside was not shown to be worse: the levels count it as if it were still in.
        not_worse = len(still) + len(aside) + aside_before
        levels = Levels(looks, number, form, level, not_worse)
        found = _compare(runs, still, seeds, used, levels)
        leader = int(np.argmax(means))
        p_values = found.against(leader)
        worse = (p_values < found.levels[leader]) & (found.differences[leader] > 0)
        for place in np.flatnonzero(worse).tolist():
            dropped.append(
                Drop(
                    names[still[place]],
                    seeds,
                    names[still[leader]],
                    float(found.differences[leader, place]),
                    float(p_values[place]),
                    float(found.levels[leader, place]),
                )
            )
        winner = names[still[leader]]
        ended = _end(found, ~worse, margin if seeds > 1 else None, last=number == len(looks) - 1)
        gone = set(np.flatnonzero(worse).tolist())
        if ended is None and settled is not None:
            chances = found.overtaking(leader, seeds, looks[-1], level)
            left_over = settled - sum(each.probability for each in aside)
            others = [place for place in range(len(still)) if place not in gone | {leader}]
            hardly = _least_probable(chances, others, left_over)
            if len(hardly) == len(others) and seeds > 1:
                ended = "settled"
            elif set_aside:
                # After one seed the race does not end, so the most probable other cell stays.
                for place in hardly[: len(others) - 1]:
                    difference = float(found.differences[leader, place])
                    name = names[still[place]]
                    aside.append(Aside(name, seeds, winner, difference, float(chances[place])))
                    gone.add(place)
        still = [cell for place, cell in enumerate(still) if place not in gone]
        if ended is not None:
            return Race(
                *(number + 1, tuple(dropped), tuple(aside), _named(names, still), winner, ended),
                used=_used(names, used),
            )
    raise AssertionError("the last look ends a race")


def _least_probable(chances: np.ndarray, places: Sequence[int], allowed: float) -> list[int]:
    """Return as many places as have chances that add up to less than allowed, the least first."""
    ascending = sorted(places, key=lambda place: float(chances[place]))
    fit = np.cumsum(chances[ascending]) < allowed
    return ascending[: int(fit.sum())]


def _check(
    labels: np.ndarray,
    predictions: Mapping[str, np.ndarray],
    looks: Sequence[int],
    margin: float | None,
    settled: float | None,
    classes: int,
) -> None:
    problems = problems_of_looks(looks)
    if list(looks) == [1]:
        problems.append("looks are [1]: expected one after more seeds, which show their spread")
    if len(predictions) < 2:
        problems.append(f"{len(predictions)} cells: expected at least two")
    if margin is not None and not margin > 0:
        problems.append(f"margin is {margin}: expected above 0")
    if settled is not None and not 0 < settled < 1:
        problems.append(f"settled is {settled}: expected between 0 and 1")
    if problems:
        raise BadInput(problems)
    rows = {f"predictions of {name}": rows for name, rows in predictions.items() if len(rows)}
    check(labels, rows, classes)


def _used(names: Sequence[str], used: np.ndarray) -> dict[str, int]:
    return dict(zip(names, used.tolist(), strict=True))


def _named(names: Sequence[str], cells: Sequence[int]) -> tuple[str, ...]:
    return tuple(names[cell] for cell in cells)


def _linearised(labels: np.ndarray, cells: Sequence[np.ndarray], seeds: int, classes: int) -> _Runs:
    counts = np.array([len(rows) for rows in cells])
    # The same shape whichever runs are there, so that sums are rounded in the same way.
    shape = (len(cells), seeds)
    values, unseen, disagreement = np.full(shape, np.nan), np.zeros(shape), np.zeros(shape)
    kinds = np.zeros(shape, dtype=int)
    influence = np.zeros((*shape, labels.size))
    present = np.arange(shape[1]) < counts[:, None]
    if present.any():
        rows = np.concatenate([rows for rows in cells if len(rows)])
        linearised = linearise(labels, rows, "mcc", classes)
        values[present], unseen[present] = linearised.values, linearised.unseen
        influence[present] = linearised.influence
        different, places = np.unique(rows, axis=0, return_inverse=True)
        kinds[present] = places.reshape(-1)
        errors = disagreement_error(labels, different, classes, labels.size)
        disagreement[present] = errors[kinds[present]]
    return _Runs(values, influence, unseen, kinds, disagreement, counts)


def _needed(runs: _Runs, still: Sequence[int], seeds: int) -> dict[int, int]:
    """Return the number of seeds of each cell before a look."""
    if seeds > 1 or (runs.counts[list(still)] < 1).any():
        return dict.fromkeys(still, seeds)
    probed = max(ceil(len(still) / PROBED), FEWEST_PROBED)
    first = np.argsort(-runs.values[list(still), 0], kind="stable")[:probed]
    leading = {still[place] for place in first.tolist()}
    return {cell: 2 if cell in leading else 1 for cell in still}


def _compare(
    runs: _Runs, still: Sequence[int], seeds: int, used: np.ndarray, levels: Levels
) -> Look:
    """Return the comparisons of all pairs of cells at a look."""
    cells = list(still)
    sentences = runs.influence.shape[2]
    spread = spread_over_seeds(runs.values, runs.influence, used)
    means = runs.values[cells, :seeds].mean(axis=1)
    influence = runs.influence[cells, :seeds].mean(axis=1)
    products = matrix_product(influence, influence)
    squares = np.diag(products)
    shown = np.maximum(squares[:, None] + squares - 2 * products, 0) / (sentences - 1) / sentences
    unseen = runs.unseen[cells, :seeds].mean(axis=1)
    both = 2 * spread.interaction / seeds
    hidden = (unseen[:, None] + unseen) ** 2
    # Cells that never differed may still do so on other sentences, as in `paired_difference`.
    kinds = runs.kinds[cells, :seeds]
    never = (kinds[:, None] == kinds).all(axis=2) & ~np.eye(len(cells), dtype=bool)
    errors = runs.disagreement[cells, :seeds].mean(axis=1)
    hidden = np.where(never, np.maximum(hidden, errors[:, None] ** 2), hidden)
    known = np.maximum(shown, both) + hidden
    own = spread.by_cell[cells]
    of_seeds = (own[:, None] + own) / seeds
    one_seed = 2 * max(spread.pooled, spread.interaction)
    share = (known - both) / np.maximum(known - both + one_seed, TINY)
    return Look(
        differences=means[:, None] - means,
        parts=Parts(known, of_seeds, both, spread.freedom, sentences - 1),
        levels=levels.of(share),
    )


def _end(look: Look, stay: np.ndarray, margin: float | None, *, last: bool) -> End | None:
    """Return why a race ends at a look, or None."""
    if stay.sum() == 1:
        return "one-left"
    if margin is not None and look.equivalent(stay, margin):
        return "equivalent"
    return "last-look" if last else None
