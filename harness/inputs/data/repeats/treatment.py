"""What `dataset.duplicates` does with repeated sentences: drop them from train, or refuse them."""

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from harness.errors import BadInput
from harness.inputs.data.drawing import LEAST_OF_A_CLASS, by_class, has_enough
from harness.inputs.data.repeats import Texts
from harness.inputs.data.rows import Rows
from harness.inputs.duplicates import in_full
from harness.suite.spec import DatasetSpec
from harness.text import counted

Places = Callable[[str, Sequence[int]], Sequence[str]]
"""Returns the file and line of rows of a split, given by name and `idx`; [] without a file."""


def without_repeats(rows: Rows, texts: Mapping[str, Texts], spec: DatasetSpec) -> Rows:
    """Return the training rows without repeats.

    A row is dropped if its sentence is in validation or test, or earlier in train. Case,
    punctuation and blanks are ignored.

    Args:
        rows: of train.
        texts: of all splits.

    Raises:
        BadInput: too few sentences of a class remain.
    """
    own = texts["train"].normalised
    scored = [each.normalised for name, each in texts.items() if name != "train"]
    kept = np.zeros(len(own), dtype=bool)
    kept[np.unique(own, return_index=True)[1]] = True
    kept &= ~np.isin(own, np.concatenate(scored))
    if kept.all():
        return rows
    remaining = rows.chosen(np.flatnonzero(kept).tolist())
    numbers, counts = np.unique(np.asarray(remaining.label), return_counts=True)
    by_number = dict(zip(numbers.tolist(), counts.tolist(), strict=True))
    if not has_enough("train", by_number, spec):
        left = counted(len(remaining.label), "training sentence")
        classes = by_class(by_number, spec.class_names)
        raise BadInput(
            [
                f'dataset.duplicates: "drop" leaves {left} of {len(own):,} ({classes}); training '
                f"needs at least {LEAST_OF_A_CLASS} of each class: add sentences that are not in "
                'other splits, or use "report"'
            ]
        )
    return remaining


def refuse(splits: Mapping[str, Rows], texts: Mapping[str, Texts], places: Places) -> None:
    """Refuse data with repeated sentences; case, punctuation and blanks are ignored.

    Raises:
        BadInput: a problem for each split with repeats and each pair of splits that share
            sentences, with the places of the first ones.
    """
    problems = list(_problems(splits, texts, places))
    if problems:
        raise BadInput(problems)


def _problems(
    splits: Mapping[str, Rows], texts: Mapping[str, Texts], places: Places
) -> Iterator[str]:
    names = list(texts)
    for number, name in enumerate(names):
        own = texts[name].normalised
        first, again = _first_pair(own, own)
        if again is not None:
            _, times = np.unique(own, return_counts=True)
            some = counted(int((times > 1).sum()), f"{in_full(name)} sentence")
            yield _problem(f"{some} more than once", (name, first), (name, again), splits, places)
        for other in names[:number]:
            first, again = _first_pair(texts[other].normalised, own)
            if again is not None:
                shared = int(np.isin(own, texts[other].normalised).sum())
                some = f"{counted(shared, f'{in_full(name)} sentence')} also in {other}"
                yield _problem(some, (other, first), (name, again), splits, places)


def _first_pair(known: np.ndarray, texts: np.ndarray) -> tuple[int, int | None]:
    """Return the first rows in `known` and in `texts` of a text that both have.

    If both are the same split, the second row is a later one. None if there is no such text.
    """
    different, first = np.unique(known, return_index=True)
    place = np.minimum(np.searchsorted(different, texts), len(different) - 1)
    again = different[place] == texts
    if known is texts:
        again &= first[place] < np.arange(len(texts))
    found = np.flatnonzero(again)
    return (0, None) if not len(found) else (int(first[place[found[0]]]), int(found[0]))


def _problem(
    some: str,
    first: tuple[str, int],
    again: tuple[str, int],
    splits: Mapping[str, Rows],
    places: Places,
) -> str:
    where = " and ".join(_place(*each, splits, places) for each in (first, again))
    return (
        f'dataset.duplicates is "refuse", but there are {some}, the first at {where} (case, '
        'punctuation and blanks are ignored); remove one, or use "drop" or "report"'
    )


def _place(split: str, row: int, splits: Mapping[str, Rows], places: Places) -> str:
    found = places(split, [splits[split].idx[row]])
    return found[0] if found else f"sentence {row} of {split}, from 0"
