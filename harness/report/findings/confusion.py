"""Confusion matrices of more than two classes, as blocks of Markdown."""

import math
from collections.abc import Iterator, Sequence

import numpy as np

from harness.judging.comparison import Contestant, mean_mcc
from harness.judging.evidence import NoEvidence, evidence
from harness.markup import code, grid
from harness.store.class_counts import confusion_matrix
from harness.text import counted

MOST_CLASSES = 30
"""Maximum number of classes of a matrix that is shown as a table."""

MOST_NAMED = 10
"""Maximum number of columns that are headed by names, which are wider than numbers."""

MOST_PAIRS = 20
"""How many pairs of classes are listed in place of a larger matrix."""


def confusion(best: Sequence[Contestant], class_names: Sequence[str] | None) -> Iterator[str]:
    """Yield a heading, a caption and the confusion matrix of the best cell.

    Nothing for two classes, and without predictions.

    Args:
        best: the best cell of each checkpoint.
        class_names: None if unknown; then classes are shown by number.
    """
    if not best:
        return
    means = [-math.inf if (mcc := mean_mcc(each)) is None else mcc for each in best]
    first = best[means.index(max(means))]
    try:
        found = evidence(first.runs)
    except NoEvidence:
        return
    if found.classes == 2:
        return
    names = class_names if class_names and len(class_names) == found.classes else None
    shown = [str(number) if names is None else names[number] for number in range(found.classes)]
    matrix = confusion_matrix(found.labels, found.selected, found.classes)
    seeds = len(found.seeds)
    added = f", added over {counted(seeds, 'seed')}" if seeds > 1 else ""
    best_cell = f"The best cell, {code(first.runs[0].cell)}"
    yield "## Confusion matrix"
    if found.classes <= MOST_CLASSES:
        yield (
            f"{best_cell}: numbers of validation sentences by class (row) and predicted class "
            f"(column){added}. Recall is the share of a class's sentences that are classified "
            "correctly, precision the share of the sentences with a predicted class that are of "
            "this class."
        )
        yield _table(matrix, shown)
    else:
        pairs = int((matrix - np.diag(matrix.diagonal()) > 0).sum())
        yield (
            f"{best_cell}: the most frequent of {pairs:,} pairs of confused classes, with the "
            f"number of the first class's validation sentences that got the second class{added}. "
            "The whole matrix of each run is in its record."
        )
        yield _pairs(matrix, shown)


def _table(matrix: np.ndarray, names: Sequence[str]) -> str:
    hits, given, labelled = matrix.diagonal(), matrix.sum(axis=0), matrix.sum(axis=1)
    wide = len(names) > MOST_NAMED
    digits = 2 if wide else 3
    columns = list(map(str, range(len(names)))) if wide else list(map(code, names))
    rows = [
        [
            f"{label} {code(name)}" if wide else code(name),
            *(f"**{n}**" if place == label else str(n) for place, n in enumerate(row)),
            _share(hits[label], labelled[label], digits),
        ]
        for label, (name, row) in enumerate(zip(names, matrix.tolist(), strict=True))
    ]
    shares = [_share(*pair, digits) for pair in zip(hits, given, strict=True)]
    precision = ["precision", *shares, ""]
    headings = ["class", *columns, "recall"]
    return grid(headings, [*rows, precision], ["left", *["right"] * (len(names) + 1)])


def _pairs(matrix: np.ndarray, names: Sequence[str]) -> str:
    wrong = matrix - np.diag(matrix.diagonal())
    order = np.argsort(-wrong, axis=None, kind="stable")[:MOST_PAIRS]
    found = [divmod(int(place), len(names)) for place in order if wrong.flat[place] > 0]
    labelled = matrix.sum(axis=1)
    lines = [
        f"{code(names[label])} as {code(names[given])}: {wrong[label, given]:,} of "
        f"{labelled[label]:,}"
        for label, given in found
    ]
    return "\n".join(f"- {line}" for line in lines)


def _share(part: int, whole: int, digits: int) -> str:
    return f"{part / whole:.{digits}f}" if whole else "-"
