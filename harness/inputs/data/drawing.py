"""Draws splits from labelled sentences, stratified by class; copies of a sentence stay in one."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from harness.errors import BadInput
from harness.inputs.data.repeats.splitting import kept_together
from harness.inputs.data.repeats.texts import first_rows, normalised
from harness.inputs.data.rows import Rows
from harness.suite.spec import DatasetSpec
from harness.text import counted

LEAST_OF_A_CLASS = 2

MOST_NAMED = 10
"""How many classes a message names, if there are more than two."""

DRAWN = ("validation", "test")
"""The splits that may be drawn, in the order of messages."""


def linked(rows: Rows) -> np.ndarray:
    """Return a number for each row: rows with equal numbers must be in one split.

    These are rows of the same sentence, with case, punctuation and blanks ignored, and rows of the
    same source, where sources are known; and rows that are linked by several of these.
    """
    number = len(rows.sentence)
    same = first_rows(rows.sentence, number, normalised)
    if not any(rows.source):
        return same
    from scipy.sparse import coo_array  # slow to import, and only groups need it
    from scipy.sparse.csgraph import connected_components

    # A node for each row, linked with the first row of its sentence and of its source.
    first: dict[str, int] = {}
    sources = [first.setdefault(name, row) if name else row for row, name in enumerate(rows.source)]
    ends = np.concatenate([same, np.array(sources)])
    starts = np.tile(np.arange(number), 2)
    links = coo_array((np.ones(2 * number, dtype=bool), (starts, ends)), shape=(number, number))
    return np.asarray(connected_components(links, directed=False)[1])


def by_class(counts: Mapping[int, int], class_names: Sequence[str]) -> str:
    """Return the number of sentences of each class; of many classes, of the smallest ones."""
    numbers: Iterable[int] = range(len(class_names))
    if len(class_names) > MOST_NAMED:
        numbers = sorted(numbers, key=lambda number: counts.get(number, 0))[:MOST_NAMED]
    listed = ", ".join(f"{counts.get(n, 0):,} {class_names[n]}" for n in numbers)
    more = len(class_names) - MOST_NAMED
    rest = f", and {counted(more, 'larger class', 'larger classes')}" if more > 0 else ""
    return f"{listed}{rest}"


def draw(
    labels: Sequence[int],
    spec: DatasetSpec,
    where: object,
    names: Sequence[str] = DRAWN,
    groups: Sequence[int] | np.ndarray | None = None,
) -> dict[str, list[int]]:
    """Return the row numbers of each split, drawn by `datasets` and stratified by class.

    Every split gets at least two sentences of each of two classes. With more classes, this holds
    for train, and the other splits get at least two classes.

    Args:
        where: the file, or the key that names several, for messages.
        names: the splits to draw; the rest of the rows is for train.
        groups: a number for each row: rows with equal numbers are in one split. A draw that cuts
            no group stays as it is.

    Raises:
        BadInput: too few sentences of a class.
    """
    from datasets import ClassLabel, Dataset, DatasetDict, Features, Value  # slow to import

    wanted = {"test": spec.test_size, "validation": spec.validation_size}
    sizes = {name: _count(size, len(labels)) for name, size in wanted.items() if name in names}
    features = Features({"label": ClassLabel(names=list(spec.class_names)), "row": Value("int64")})
    rest = Dataset.from_dict({"label": labels, "row": range(len(labels))}, features=features)
    splits = {}
    try:
        for name, size in sizes.items():
            if size > 0:
                halves: DatasetDict = rest.train_test_split(
                    test_size=size,
                    seed=spec.split_seed,
                    stratify_by_column="label",
                    keep_in_memory=True,
                )
                rest, splits[name] = halves["train"], halves["test"]
        splits["train"] = rest
        drawn = {name: split["row"][:] for name, split in splits.items()}
        if groups is not None:
            drawn = kept_together(drawn, labels, groups, spec.split_seed)
        seen = {name: Counter(labels[row] for row in rows) for name, rows in drawn.items()}
        enough = all(has_enough(name, of_split, spec) for name, of_split in seen.items())
    except ValueError:  # the library refuses sizes that do not fit the classes
        enough = False
    if not enough:
        classes = by_class(Counter(labels), spec.class_names)
        requested = " and ".join(f"{sizes[name]:,} for {name}" for name in names)
        keys = " or ".join(f"dataset.{name}_size" for name in names)
        if groups is not None and (different := len(set(groups))) < len(labels):
            together = "copies stay" if spec.group_column is None else "copies and groups stay"
            classes += f"; {different:,} parts, as {together} in one split"
        splits_meant = "in every split" if len(spec.class_names) == 2 else "for train"
        raise BadInput(
            [
                f"{where}: {counted(len(labels), 'sentence')} ({classes}) cannot give {requested} "
                f"with at least {LEAST_OF_A_CLASS} of each class {splits_meant}; add sentences, or "
                f"change {keys}"
            ]
        )
    return drawn


def has_enough(split: str, counts: Mapping[int, int], spec: DatasetSpec) -> bool:
    """Return whether a labelled split has enough sentences of the classes to train or to score.

    Each class needs two sentences. With more than two classes, this holds for train only: of the
    other splits, the score is defined if they have two classes.
    """
    found = [counts.get(number, 0) for number in range(len(spec.class_names))]
    if len(found) > 2 and split != "train":
        return sum(count > 0 for count in found) > 1
    return min(found) >= LEAST_OF_A_CLASS


def _count(size: float | int, rows: int) -> int:
    return math.ceil(size * rows) if isinstance(size, float) else size
