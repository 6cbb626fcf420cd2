"""Labels and predictions that another program made, read from one table a seed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from harness.errors import BadInput
from harness.inputs.annotations import comparable
from harness.inputs.data.formats import reader_of
from harness.inputs.data.rows import capped, shown
from harness.inputs.data.table import ColumnNotNamed, Wanted, listed
from harness.suite.class_names import classes_of_labels, meaning_of
from harness.text import counted

ROWS_SHOWN = 3
"""Number of differing rows whose numbers a message lists."""

IN_ORDER = "every file must have the same sentences in the same order"


@dataclass(frozen=True)
class Columns:
    """The columns of a file of predictions, and how a delimited file is written.

    Attributes:
        label: the column of labels.
        prediction: the column of predicted classes.
        text: the column of sentences, which a file need not have; None if it is not known.
        class_names: of the classes, in the order of their numbers.
    """

    label: str
    prediction: str
    text: str | None
    class_names: Sequence[str]
    delimiter: str | None = None
    quoting: Literal["csv", "none"] | None = None


@dataclass(frozen=True)
class GivenRun:
    """One seed's labels and predictions.

    Attributes:
        where: the file, for messages.
        labels: (sentences,), each a class from 0.
        predicted: (sentences,), likewise.
        texts: the sentences, as `comparable` returns them; None if the file does not have them.
    """

    where: str
    labels: np.ndarray
    predicted: np.ndarray
    texts: tuple[str, ...] | None = None


def read_runs(paths: Sequence[Path], columns: Columns) -> list[GivenRun]:
    """Read one file a seed.

    Raises:
        BadInput: every mistake of all files at once: a column that is missing, a value that is
            not a class, or no rows.
    """
    problems: list[str] = []
    found: list[GivenRun] = []
    for path in paths:
        try:
            found.append(_read(path, columns))
        except BadInput as error:
            problems += error.problems
    if problems:
        raise BadInput(problems)
    return found


def together(runs: Sequence[GivenRun]) -> tuple[np.ndarray, np.ndarray]:
    """Return the labels and all predictions of runs on the same sentences.

    Returns:
        (sentences,) labels and (runs, sentences) predictions.

    Raises:
        BadInput: a line for each run with other labels or sentences than the first.
    """
    first, *others = runs
    if problems := list(_unlike_first(first, others)):
        raise BadInput(problems)
    return first.labels, np.stack([run.predicted for run in runs])


def differing_rows(
    run: GivenRun, labels: np.ndarray, texts: Sequence[str] | None
) -> tuple[np.ndarray, np.ndarray]:
    """Return the positions with another label, and those with another sentence.

    Args:
        labels: as many as the run's.
        texts: as `comparable` returns them; None if unknown, then no sentence differs.
    """
    other = np.zeros(len(labels), dtype=bool)
    if texts is not None and run.texts is not None:
        other = np.asarray([a != b for a, b in zip(run.texts, texts, strict=True)], dtype=bool)
    return np.flatnonzero(run.labels != labels), np.flatnonzero(other)


def rows_in_words(positions: np.ndarray) -> str:
    """Return the row numbers, from 1, of the first positions, and the number of the others."""
    numbers = ", ".join(f"{position + 1:,}" for position in positions[:ROWS_SHOWN].tolist())
    more = positions.size - ROWS_SHOWN
    rows = "row" if positions.size == 1 else "rows"
    return f"{rows} {numbers}{f' and {more:,} more' if more > 0 else ''}"


def _unlike_first(first: GivenRun, others: Sequence[GivenRun]) -> Iterator[str]:
    for run in others:
        if len(run.labels) != len(first.labels):
            seen = f"{counted(len(run.labels), 'row')}, but {first.where} has"
            yield f"{run.where}: {seen} {len(first.labels):,}; {IN_ORDER}"
            continue
        unlike = zip(
            ("labels", "sentences"), differing_rows(run, first.labels, first.texts), strict=True
        )
        seen = " and ".join(
            f"{what} differ from those of {first.where} in {rows_in_words(rows)}"
            for what, rows in unlike
            if rows.size
        )
        if seen:
            yield f"{run.where}: {seen}; {IN_ORDER}"


def _read(path: Path, columns: Columns) -> GivenRun:
    existing = _column_names(path, columns)
    text = columns.text
    if text not in existing or text in (columns.label, columns.prediction):
        text = None
    wanted = Wanted(
        text=columns.prediction,
        label=columns.label,
        class_names=columns.class_names,
        delimiter=columns.delimiter,
        quoting=columns.quoting,
        by_options=True,
        further=() if text is None else (text,),
        text_key="prediction_column",
    )
    table = reader_of(path)(path, wanted)
    classes = classes_of_labels(columns.class_names)
    problems = list(table.problems)
    found: list[tuple[int, int]] = []
    for row in table.records:
        labelled, predicted = (
            classes.get(meaning_of(value)) for value in (row.label, row.sentence)
        )
        for column, value, number in (
            (columns.label, row.label, labelled),
            (columns.prediction, row.sentence, predicted),
        ):
            if number is None:
                names = listed(columns.class_names, 10)
                allowed = f"allowed are {names} and their numbers from 0"
                problems.append(f"{row.where}: column {shown(column)}: {shown(value)}; {allowed}")
        if labelled is not None and predicted is not None:
            found.append((labelled, predicted))
    if problems:
        raise BadInput(capped(problems, path))
    if not found:
        raise BadInput([f"{path}: no rows; it must contain labels and predictions"])
    numbers = np.asarray(found, dtype=np.int16)
    texts = None if text is None else tuple(comparable(str(r.further[0])) for r in table.records)
    return GivenRun(str(path), numbers[:, 0], numbers[:, 1], texts)


def _column_names(path: Path, columns: Columns) -> tuple[str, ...]:
    """Return the names of a file's columns; none if it cannot be read, which `_read` reports."""
    try:
        reader_of(path)(
            path, Wanted(text=None, delimiter=columns.delimiter, quoting=columns.quoting)
        )
    except ColumnNotNamed as error:
        return error.columns
    except BadInput:
        return ()
    return ()
