"""The user's own file of labelled sentences, checked and split into train, validation and test."""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from decimal import Decimal
from pathlib import Path

from datasets import ClassLabel, Dataset, DatasetDict, Features, Value

from harness.data.formats import READERS
from harness.data.rows import Rows, capped, from_here, sentence_problem, shown
from harness.data.table import Record, Wanted
from harness.errors import BadInput
from harness.spec import DatasetSpec
from harness.spec.class_names import (
    NUMBERED,
    Meaning,
    classes_of_labels,
    meaning_of,
    numbers_are_classes,
)
from harness.text import counted

LEAST_OF_A_CLASS = 2


def check(path: Path) -> None:
    """Make sure that a file is there and has a name that tells its format.

    Raises:
        BadInput: no such file, or an extension other than those of READERS.
    """
    try:
        found, is_file = path.exists(), path.is_file()
    except OSError as error:
        raise BadInput([f"{path}: cannot be read ({error.strerror})"]) from None
    if not is_file:
        what = "not a file" if found else "no such file"
        raise BadInput([f"{path}: {what}; dataset.path must name a file of labelled sentences"])
    if path.suffix.lower() not in READERS:
        raise BadInput(
            [f"{path}: extension {shown(path.suffix)}; allowed are {', '.join(READERS)}"]
        )


def read(path: Path, spec: DatasetSpec) -> tuple[dict[str, Rows], list[str]]:
    """Return the splits of a file, and what was noticed in it that is no mistake.

    The splits are train, validation and, if the spec asks for it, test. A label is one of the
    spec's class names or, where they do not contradict it, 0, 1, false or true: as text, integer,
    float or boolean alike. `idx` is the row's number in the file, from 0, across all splits.

    Raises:
        BadInput: every mistake in the file at once, or too few sentences to split.
    """
    check(path)
    table = READERS[path.suffix.lower()](path, _wanted(spec))
    problems = list(table.problems)
    classes = classes_of_labels(spec.class_names)
    labels = [classes.get(meaning_of(record.label)) for record in table.records]
    causes = _other_labels(path, table.records, labels, spec)
    for record, label in zip(table.records, labels, strict=True):
        if wrong := sentence_problem(record.sentence):
            problems.append(f"{record.where}: column {shown(spec.text_column)}: {wrong}")
        if label is None and not causes:
            told = f"{record.where}: column {shown(spec.label_column)}: {shown(record.label)}"
            problems.append(f"{told}; {_allowed(record.label, spec.class_names)}")
    problems += causes
    if problems:
        raise BadInput(capped(problems, path))
    if not table.records:
        raise BadInput([f"{path}: no rows; it must hold labelled sentences"])
    sentences = [str(record.sentence) for record in table.records]
    known = [label for label in labels if label is not None]
    splits = {
        split: Rows(
            sentences=[sentences[row] for row in rows],
            labels=[known[row] for row in rows],
            idx=rows,
            sources=[""] * len(rows),
            domains=[""] * len(rows),
        )
        for split, rows in _split(known, spec, path).items()
    }
    return splits, [*table.notes, *_over_lines(table.records)]


def _wanted(spec: DatasetSpec) -> Wanted:
    return Wanted(
        text=spec.text_column,
        label=spec.label_column,
        class_names=spec.class_names,
        delimiter=spec.delimiter,
        quoting=spec.quoting,
    )


def places(path: Path, spec: DatasetSpec) -> list[str]:
    """Return the file and the line, or the row, of every sentence, by the `idx` of read()."""
    records = READERS[path.suffix.lower()](path, _wanted(spec)).records
    return [f"{from_here(path)}{record.where.removeprefix(str(path))}" for record in records]


def _over_lines(records: Sequence[Record]) -> list[str]:
    """Return a note on sentences with a line end inside: a mistake in quoting looks like them."""
    found = [record for record in records if "\n" in str(record.sentence).replace("\r", "\n")]
    if not found:
        return []
    of = f"{len(found):,} of {len(records):,} sentences span several lines"
    return [f"{of}, the first at {found[0].where}"]


def _other_labels(
    path: Path, records: Sequence[Record], labels: Sequence[int | None], spec: DatasetSpec
) -> list[str]:
    """Return the one cause of many mistakes: the file names or numbers its two classes otherwise.

    Where one of its labels fits and the other does not, that is so of two numbers only, such as 1
    and 2: of other labels, one may be a typing mistake.
    """
    seen: dict[object, Record] = {}
    for record in records:
        seen.setdefault(meaning_of(record.label) or shown(record.label), record)
    if len(seen) != 2 or None not in labels or len(records) < 3:
        return []
    numbers = _two_numbers(seen)
    if not numbers and any(label is not None for label in labels):
        return []
    first, second = (f"{shown(record.label)} (first at {record.where})" for record in seen.values())
    told = f"{path}: column {shown(spec.label_column)}: all labels are {first} or {second}"
    way_out = "set dataset.class_names to the file's two"
    if not numbers or not numbers_are_classes(spec.class_names):
        allowed = _allowed(next(iter(seen.values())).label, spec.class_names)
        return [f"{told}; {allowed}: {way_out}"]
    means = " and ".join(map("{} for {}".format, numbers, spec.class_names))
    written = " and ".join(
        f"{number} for {label}" for number, label in enumerate(numbers) if str(number) != label
    )
    names = ", ".join(f'"{label}"' for label in numbers)
    return [
        f"{told}; {_allowed(numbers[1], spec.class_names)}. If the file has {means}, write "
        f"{written}, or {way_out}: [{names}]"
    ]


def _two_numbers(meanings: Iterable[object]) -> list[str]:
    """Return the two numbers that labels are, the smaller one first; none if they are others."""
    numbers = [m.value for m in meanings if isinstance(m, Meaning) and m.kind == "number"]
    shortest = [f"{number.normalize():f}" for number in sorted(map(Decimal, numbers))]
    return shortest if len(shortest) == 2 else []


def _allowed(label: object, class_names: tuple[str, str]) -> str:
    first, second = class_names
    meaning = meaning_of(label)
    if numbers_are_classes(class_names):
        told = f"a label is 0 ({first}) or 1 ({second})"
        return f"{told}: labels count from 0" if meaning and meaning.kind == "number" else told
    allowed = f"a label is {shown(first)} or {shown(second)}, as in dataset.class_names"
    if meaning in NUMBERED:
        return f"{allowed}, which do not say what class {shown(label)} is"
    return allowed


def _split(labels: Sequence[int], spec: DatasetSpec, path: Path) -> dict[str, list[int]]:
    """Return the row numbers of each split, drawn by the `datasets` library, by class."""
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
    except ValueError:  # the library's refusal of sizes that do not fit the classes
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
