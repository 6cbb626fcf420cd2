"""Labels and predictions that another program made, read from one table a seed."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from harness.errors import BadInput
from harness.inputs.data.formats import reader_of
from harness.inputs.data.rows import capped, shown
from harness.inputs.data.table import Wanted, listed
from harness.suite.class_names import classes_of_labels, meaning_of


def read_given(
    paths: Sequence[Path], label: str, prediction: str, class_names: Sequence[str]
) -> tuple[np.ndarray, np.ndarray]:
    """Read one file a seed, all with the same labels in the same order.

    Args:
        label: the column of labels.
        prediction: the column of predicted classes.

    Returns:
        (sentences,) labels and (seeds, sentences) predictions, each a class from 0.

    Raises:
        BadInput: every mistake of all files at once: a column that is missing, a value that is
            not a class, no rows, or labels that differ from those of the first file.
    """
    problems: list[str] = []
    read: list[tuple[np.ndarray, np.ndarray]] = []
    for path in paths:
        try:
            read.append(_read(path, label, prediction, class_names))
        except BadInput as error:
            problems += error.problems
    if problems:
        raise BadInput(problems)
    labels = read[0][0]
    for path, (own, _) in zip(paths[1:], read[1:], strict=True):
        if len(own) != len(labels):
            seen = f"{path}: {len(own):,} rows, but {paths[0]} has {len(labels):,}"
            problems.append(f"{seen}; every file must have the same sentences in the same order")
        elif (rows := np.flatnonzero(own != labels)).size:
            seen = f"{path}: labels differ from those of {paths[0]} in row {rows[0] + 1}"
            more = f" and {rows.size - 1:,} more" if rows.size > 1 else ""
            problems.append(
                f"{seen}{more}; every file must have the same sentences in the same order"
            )
    if problems:
        raise BadInput(problems)
    return labels, np.stack([predicted for _, predicted in read])


def _read(
    path: Path, label: str, prediction: str, class_names: Sequence[str]
) -> tuple[np.ndarray, np.ndarray]:
    wanted = Wanted(
        text=prediction,
        label=label,
        class_names=class_names,
        by_options=True,
        text_key="prediction_column",
    )
    table = reader_of(path)(path, wanted)
    classes = classes_of_labels(class_names)
    problems = list(table.problems)
    found: list[tuple[int, int]] = []
    for row in table.records:
        labelled, predicted = (
            classes.get(meaning_of(value)) for value in (row.label, row.sentence)
        )
        for column, value, number in (
            (label, row.label, labelled),
            (prediction, row.sentence, predicted),
        ):
            if number is None:
                allowed = f"allowed are {listed(class_names, 10)} and their numbers from 0"
                problems.append(f"{row.where}: column {shown(column)}: {shown(value)}; {allowed}")
        if labelled is not None and predicted is not None:
            found.append((labelled, predicted))
    if problems:
        raise BadInput(capped(problems, path))
    if not found:
        raise BadInput([f"{path}: no rows; it must contain labels and predictions"])
    numbers = np.asarray(found, dtype=np.int16)
    return numbers[:, 0], numbers[:, 1]
