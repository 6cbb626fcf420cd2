"""Labels and predictions that another program made, read from one table a seed."""

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from harness.errors import BadInput
from harness.inputs.annotations import comparable
from harness.inputs.data.formats import reader_of
from harness.inputs.data.rows import PROBLEMS_SHOWN, capped, each_once, shown
from harness.inputs.data.table import ColumnNotNamed, Wanted, listed
from harness.suite.class_names import classes_of_labels, likely_name, meaning_of
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
        logit: the names of the columns of scores before the class' number; the class with the
            largest is predicted. None if only `prediction` counts.
    """

    label: str
    prediction: str
    text: str | None
    class_names: Sequence[str]
    logit: str | None = None
    delimiter: str | None = None
    quoting: Literal["csv", "none"] | None = None


@dataclass(frozen=True)
class GivenRun:
    """One seed's labels and predictions.

    Attributes:
        where: the file, for messages.
        labels: (sentences,), each a class from 0.
        predicted: (sentences,), likewise; of scores the class with the largest, as in training.
        texts: the sentences, as `comparable` returns them; None if the file does not have them.
    """

    where: str
    labels: np.ndarray
    predicted: np.ndarray
    texts: tuple[str, ...] | None = None


def read_runs(paths: Sequence[Path], columns: Columns) -> list[GivenRun]:
    """Read one file a seed.

    Raises:
        BadInput: labels and predictions of one column; or every mistake of all files at once: a
            column that is missing, a value that is not a class, a score that is not a finite
            number, scores of other classes, a class that is not the one with the largest score, or
            no rows.
    """
    if columns.label == columns.prediction:
        options = "--prediction-column and --label-column"
        both = f"both are {shown(columns.label)}"
        raise BadInput([f"{options} must differ, {both}; name two columns"])
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
    logits = _logit_columns(path, existing, columns)
    if columns.label in logits:
        scores = f"--label-column {shown(columns.label)} is a column of scores"
        raise BadInput([f"{path}: {scores}; name the column of labels"])
    text = columns.text
    if text not in existing or text in (columns.label, columns.prediction):
        text = None
    prediction = columns.prediction if columns.prediction in existing or not logits else None
    named = [name for name in (prediction, *logits, text) if name is not None]
    wanted = Wanted(
        text=named[0],
        label=columns.label,
        class_names=columns.class_names,
        delimiter=columns.delimiter,
        quoting=columns.quoting,
        by_options=True,
        further=tuple(named[1:]),
        text_key="prediction_column",
    )
    table = reader_of(path)(path, wanted)
    classes = classes_of_labels(columns.class_names)
    problems = list(table.problems)
    wrong: list[tuple[str, str, object]] = []
    found: list[tuple[int, int]] = []
    texts: list[str] = []
    for row in table.records:
        values = dict(zip(named, (row.sentence, *row.further), strict=True))
        labelled = classes.get(meaning_of(row.label))
        by_scores, row_problems = _largest([(name, values[name]) for name in logits])
        predicted = by_scores
        if labelled is None:
            wrong.append((row.where, columns.label, row.label))
        if prediction is not None:
            predicted = classes.get(meaning_of(values[prediction]))
            if predicted is None:
                wrong.append((row.where, prediction, values[prediction]))
            elif by_scores not in (None, predicted):
                row_problems.append(
                    f"column {shown(prediction)}: {shown(values[prediction])}, but "
                    f"{logits[by_scores]} is the largest of the scores; remove one of both, or "
                    "name the column of classes with --prediction-column"
                )
        problems += [f"{row.where}: {problem}" for problem in row_problems]
        if labelled is not None and predicted is not None:
            found.append((labelled, predicted))
        if text is not None:
            texts.append(comparable(str(values[text])))
    problems += [
        f"{seen}; {_allowed(value if number < PROBLEMS_SHOWN else None, columns)}"
        for number, (seen, value) in enumerate(each_once(wrong))
    ]
    if problems:
        raise BadInput(capped(problems, path))
    if not found:
        raise BadInput([f"{path}: no rows; it must contain labels and predictions"])
    numbers = np.asarray(found, dtype=np.int16)
    return GivenRun(str(path), numbers[:, 0], numbers[:, 1], None if text is None else tuple(texts))


def _logit_columns(path: Path, existing: Sequence[str], columns: Columns) -> list[str]:
    """Return the columns of scores in the order of the classes; none if the file has none.

    Raises:
        BadInput: scores of other classes, or predictions of many runs.
    """
    prefix = columns.logit
    if prefix is None:
        return []
    there = [name for name in existing if re.fullmatch(re.escape(prefix) + "[0-9]+", name)]
    expected = [f"{prefix}{number}" for number in range(len(columns.class_names))]
    if not there:
        return []
    if "key" in existing:
        raise BadInput([f"{path}: predictions of many runs; name one of its cells with --cell ID"])
    if sorted(there) != sorted(expected):
        raise BadInput(
            [
                f"{path}: columns {listed(there, 10)}; the {len(expected)} classes "
                f"{listed(columns.class_names, 10)} need {expected[0]} to {expected[-1]}, each once"
            ]
        )
    return expected


def _largest(scores: Sequence[tuple[str, object]]) -> tuple[int | None, list[str]]:
    """Return the position of the largest score, of equal ones the first, and what is no score."""
    numbers: list[float] = []
    problems: list[str] = []
    for name, value in scores:
        try:
            number = float(value) if isinstance(value, int | float | str) else math.nan
        except (ValueError, OverflowError):  # no number, or a whole number beyond any float
            number = math.nan
        if isinstance(value, bool) or not math.isfinite(number):
            problems.append(f"column {shown(name)}: {shown(value)}; it must be a finite number")
        numbers.append(number)
    return (None if problems or not numbers else int(np.argmax(numbers))), problems


def _allowed(value: object, columns: Columns) -> str:
    allowed = f"allowed are {listed(columns.class_names, 10)} and their numbers from 0"
    name = likely_name(value, columns.class_names)
    return allowed if name is None else f"{allowed}; did you mean {shown(name)}?"


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
