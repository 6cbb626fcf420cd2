"""The user's own file of labelled sentences, checked and split into train, validation and test."""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from decimal import Decimal
from pathlib import Path

from datasets import ClassLabel, Dataset, DatasetDict, Features, Value

from harness.errors import BadInput
from harness.inputs.data.formats import READERS
from harness.inputs.data.rows import Rows, capped, from_here, sentence_problem, shown
from harness.inputs.data.table import TableRow, Wanted
from harness.suite.class_names import (
    NUMBERED,
    Meaning,
    classes_of_labels,
    meaning_of,
    numbers_are_classes,
)
from harness.suite.spec import DatasetSpec
from harness.text import counted

LEAST_OF_A_CLASS = 2


def check(path: Path) -> None:
    """Check that a file exists and that its extension is a supported format.

    Raises:
        BadInput: no such file, or an extension that is not in READERS.
    """
    try:
        found, is_file = path.exists(), path.is_file()
    except OSError as error:
        raise BadInput([f"{path}: cannot be read ({error.strerror})"]) from None
    if not is_file:
        what = "not a file" if found else "no such file"
        raise BadInput([f"{path}: {what}; dataset.path must be a file of labelled sentences"])
    if path.suffix.lower() not in READERS:
        raise BadInput(
            [f"{path}: extension {shown(path.suffix)}; allowed are {', '.join(READERS)}"]
        )


def read(path: Path, spec: DatasetSpec) -> tuple[dict[str, Rows], list[str]]:
    """Return the splits of a file, and remarks on it that are not mistakes.

    The splits are train, validation and, if the spec requests it, test. A label is one of the
    spec's class names or, if the names do not contradict it, 0, 1, false or true, each as text,
    integer, float or boolean. `idx` is the row's number in the file, from 0, across all splits.

    Raises:
        BadInput: every mistake in the file at once, or too few sentences to split.
    """
    check(path)
    table = READERS[path.suffix.lower()](path, _wanted(spec))
    problems = list(table.problems)
    classes = classes_of_labels(spec.class_names)
    labels = [classes.get(meaning_of(record.label)) for record in table.records]
    causes = _common_cause(path, table.records, labels, spec)
    for record, label in zip(table.records, labels, strict=True):
        if problem := sentence_problem(record.sentence):
            problems.append(f"{record.where}: column {shown(spec.text_column)}: {problem}")
        if label is None and not causes:
            problem = f"{record.where}: column {shown(spec.label_column)}: {shown(record.label)}"
            problems.append(f"{problem}; {_allowed(record.label, spec.class_names)}")
    problems += causes
    if problems:
        raise BadInput(capped(problems, path))
    if not table.records:
        raise BadInput([f"{path}: no rows; it must contain labelled sentences"])
    sentences = [str(record.sentence) for record in table.records]
    known = [label for label in labels if label is not None]
    splits = {
        split: Rows(
            sentence=[sentences[row] for row in rows],
            label=[known[row] for row in rows],
            idx=rows,
            source=[""] * len(rows),
            domain=[""] * len(rows),
        )
        for split, rows in _split(known, spec, path).items()
    }
    return splits, [*table.notes, *_multiline_note(table.records)]


def _wanted(spec: DatasetSpec) -> Wanted:
    return Wanted(
        text=spec.text_column,
        label=spec.label_column,
        class_names=spec.class_names,
        delimiter=spec.delimiter,
        quoting=spec.quoting,
    )


def places(path: Path, spec: DatasetSpec) -> list[str]:
    """Return the file and the line, or the row, of every sentence, in the order of `idx`."""
    records = READERS[path.suffix.lower()](path, _wanted(spec)).records
    return [f"{from_here(path)}{record.where.removeprefix(str(path))}" for record in records]


def _multiline_note(records: Sequence[TableRow]) -> list[str]:
    """Return a note on sentences that contain a line end, a possible sign of wrong quoting."""
    found = [record for record in records if "\n" in str(record.sentence).replace("\r", "\n")]
    if not found:
        return []
    of = f"{len(found):,} of {len(records):,} sentences span several lines"
    return [f"{of}, the first at {found[0].where}"]


def _common_cause(
    path: Path, records: Sequence[TableRow], labels: Sequence[int | None], spec: DatasetSpec
) -> list[str]:
    """Return the common cause of unknown labels: the file has two other names or numbers.

    If only one of the file's two labels is unknown, this applies only to two numbers, such as 1
    and 2: an unknown text label may be a typing mistake.
    """
    seen: dict[object, TableRow] = {}
    for record in records:
        seen.setdefault(meaning_of(record.label) or shown(record.label), record)
    if len(seen) != 2 or None not in labels or len(records) < 3:
        return []
    numbers = _two_numbers(seen)
    if not numbers and any(label is not None for label in labels):
        return []
    first, second = (f"{shown(record.label)} (first at {record.where})" for record in seen.values())
    problem = f"{path}: column {shown(spec.label_column)}: all labels are {first} or {second}"
    way_out = "set dataset.class_names to these two labels"
    if not numbers or not numbers_are_classes(spec.class_names):
        allowed = _allowed(next(iter(seen.values())).label, spec.class_names)
        return [f"{problem}; {allowed}: {way_out}"]
    means = " and ".join(map("{} for {}".format, numbers, spec.class_names))
    written = " and ".join(
        f"{number} for {label}" for number, label in enumerate(numbers) if str(number) != label
    )
    names = ", ".join(f'"{label}"' for label in numbers)
    return [
        f"{problem}; {_allowed(numbers[1], spec.class_names)}. If the file has {means}, write "
        f"{written}, or {way_out}: [{names}]"
    ]


def _two_numbers(meanings: Iterable[object]) -> list[str]:
    """Return the two labels if they are numbers, the smaller first; else []."""
    numbers = [m.value for m in meanings if isinstance(m, Meaning) and m.kind == "number"]
    shortest = [f"{number.normalize():f}" for number in sorted(map(Decimal, numbers))]
    return shortest if len(shortest) == 2 else []


def _allowed(label: object, class_names: tuple[str, str]) -> str:
    first, second = class_names
    meaning = meaning_of(label)
    if numbers_are_classes(class_names):
        allowed = f"a label is 0 ({first}) or 1 ({second})"
        is_number = meaning and meaning.kind == "number"
        return f"{allowed}: labels count from 0" if is_number else allowed
    allowed = f"a label is {shown(first)} or {shown(second)}, as in dataset.class_names"
    if meaning in NUMBERED:
        return f"{allowed}, which do not define the class of {shown(label)}"
    return allowed


def _split(labels: Sequence[int], spec: DatasetSpec, path: Path) -> dict[str, list[int]]:
    """Return the row numbers of each split, drawn by `datasets` and stratified by class."""
    sizes = {
        "test": _count(spec.test_size, len(labels)),
        "validation": _count(spec.validation_size, len(labels)),
    }
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
        least = min(split["label"][:].count(label) for split in splits.values() for label in (0, 1))
    except ValueError:  # the library refuses sizes that do not fit the classes
        least = 0
    if least < LEAST_OF_A_CLASS:
        seen = Counter(labels)
        classes = ", ".join(f"{seen[i]:,} {name}" for i, name in enumerate(spec.class_names))
        raise BadInput(
            [
                f"{path}: {counted(len(labels), 'sentence')} ({classes}) cannot give "
                f"{sizes['validation']:,} for validation and {sizes['test']:,} for test with at "
                f"least {LEAST_OF_A_CLASS} of each class in every split; add sentences, or change "
                "dataset.validation_size or dataset.test_size"
            ]
        )
    return {name: split["row"][:] for name, split in splits.items()}


def _count(size: float | int, rows: int) -> int:
    return math.ceil(size * rows) if isinstance(size, float) else size
