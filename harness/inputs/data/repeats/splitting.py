"""Changes drawn splits so that all rows of a group, such as copies of a sentence, are in one."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

Splits = dict[str, list[int]]


def kept_together(
    splits: Mapping[str, Sequence[int]],
    labels: Sequence[int],
    groups: Sequence[int] | np.ndarray,
    seed: int,
) -> Splits:
    """Return splits in which no group is cut; unchanged if none is.

    Rows of groups that are in one split already stay there. The other groups are taken in random
    order, and each goes to the split that then differs least in size and classes from the drawn
    one; of several such splits, to one drawn with the number of rows that it still lacks as its
    weight. So the size of a group does not decide where it goes, as long as there is room. At last,
    rows without a group move where classes of a split still differ in number.

    Args:
        splits: row numbers of each split; together all rows.
        labels: the class of each row.
        groups: one number for each row; rows with the same number are a group.
        seed: of the random order.
    """
    side = np.full(len(labels), -1)
    names = list(splits)
    for number, name in enumerate(names):
        side[np.asarray(splits[name], dtype=np.int64)] = number
    _, group = np.unique(np.asarray(groups), return_inverse=True)
    cut = _cut(group, side)
    if not cut.any():
        return {name: list(rows) for name, rows in splits.items()}
    wanted = [Counter(labels[row] for row in splits[name]) for name in names]
    rng = np.random.default_rng(seed)
    moved = cut[group]
    room = [
        Counter(labels[row] for row in np.flatnonzero(moved & (side == number)).tolist())
        for number in range(len(names))
    ]
    for rows in _groups(np.flatnonzero(moved), group, rng):
        counts = Counter(labels[row] for row in rows)
        chosen = _best_side(counts, room, rng)
        room[chosen].subtract(counts)
        side[rows] = chosen
    single = np.bincount(group)[group] == 1
    _move_singles(side, labels, single, wanted, rng)
    return {
        name: [
            *(row for row in splits[name] if side[row] == number),
            *_arrived(side, splits[name], number),
        ]
        for number, name in enumerate(names)
    }


def _cut(group: np.ndarray, side: np.ndarray) -> np.ndarray:
    """Return for each group whether its rows are in more than one split."""
    lowest = np.full(group.max(initial=-1) + 1, np.iinfo(np.int64).max)
    highest = np.full(len(lowest), -1)
    np.minimum.at(lowest, group, side)
    np.maximum.at(highest, group, side)
    return np.asarray(lowest != highest)


def _groups(rows: np.ndarray, group: np.ndarray, rng: np.random.Generator) -> Iterator[list[int]]:
    """Yield the rows of each group, the groups in random order."""
    order = rows[np.argsort(group[rows], kind="stable")]
    starts = np.flatnonzero(np.diff(group[order], prepend=-1))
    parts = np.split(order, starts[1:])
    for number in rng.permutation(len(parts)).tolist():
        yield parts[number].tolist()


def _best_side(counts: Counter[int], room: Sequence[Counter[int]], rng: np.random.Generator) -> int:
    """Return the split whose numbers of rows by class get worse least, or improve most."""
    worse = [
        sum(abs(left[label] - count) - abs(left[label]) for label, count in counts.items())
        for left in room
    ]
    best = [number for number, value in enumerate(worse) if value == min(worse)]
    weights = np.array([max(0, sum(room[number].values())) for number in best], dtype=float)
    if len(best) == 1 or not weights.any():
        return best[0]
    return int(rng.choice(best, p=weights / weights.sum()))


def _move_singles(
    side: np.ndarray,
    labels: Sequence[int],
    single: np.ndarray,
    wanted: Sequence[Counter[int]],
    rng: np.random.Generator,
) -> None:
    """Move rows without a group from splits with too many of a class to those with too few."""
    of_class = np.asarray(labels)
    for label in sorted(set().union(*wanted)):
        rows = of_class == label
        over = [int((rows & (side == n)).sum()) - each[label] for n, each in enumerate(wanted)]
        spare = [
            row
            for number, count in enumerate(over)
            if count > 0
            for row in _drawn(np.flatnonzero(rows & single & (side == number)), count, rng)
        ]
        for number, count in enumerate(over):
            for _ in range(min(max(0, -count), len(spare))):
                side[spare.pop()] = number


def _drawn(rows: np.ndarray, count: int, rng: np.random.Generator) -> list[int]:
    return [int(row) for row in rng.permutation(rows)[:count]]


def _arrived(side: np.ndarray, before: Sequence[int], number: int) -> list[int]:
    """Return the rows that a split did not have before, in order."""
    new = side == number
    new[np.asarray(before, dtype=np.int64)] = False
    rows: list[int] = np.flatnonzero(new).tolist()
    return rows
