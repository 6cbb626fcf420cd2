"""The user's own file of labelled sentences, checked and split into train, validation and test."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from datasets import ClassLabel, Dataset, DatasetDict, Features, Value

from harness.data.formats import READERS
from harness.data.rows import Rows, capped, shown
from harness.errors import BadInput
from harness.spec import DatasetSpec

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


def read(path: Path, spec: DatasetSpec) -> dict[str, Rows]:
    """Return the splits of a file: train, validation and, if the spec asks for it, test.

    Labels may be written 0 and 1 (as integers, floats or text), as booleans, or as the spec's
    class names. `idx` is the row's number in the file, from 0, across all splits.

    Raises:
        BadInput: every mistake in the file at once, or too few sentences to split.
    """
    check(path)
    table = READERS[path.suffix.lower()](path, (spec.text_column, spec.label_column))
    problems = list(table.problems)
    sentences: list[str] = []
    labels: list[int] = []
    label_of_text = _label_of_text(spec.class_names)
    for record in table.records:
        if wrong := _sentence_problem(record.sentence):
            problems.append(f"{record.where}: column {shown(spec.text_column)}: {wrong}")
        else:
            sentences.append(str(record.sentence))
        label = _label(record.label, label_of_text)
        if label is None:
            problems.append(
                f"{record.where}: column {shown(spec.label_column)}: {shown(record.label)}; "
                f"a label is 0 ({spec.class_names[0]}) or 1 ({spec.class_names[1]})"
            )
        else:
            labels.append(label)
    if problems:
        raise BadInput(capped(problems, path))
    if not sentences:
        raise BadInput([f"{path}: no rows; it must hold labelled sentences"])
    return {
        split: Rows(
            sentences=[sentences[row] for row in rows],
            labels=[labels[row] for row in rows],
            idx=rows,
            sources=[""] * len(rows),
            domains=[""] * len(rows),
        )
        for split, rows in _split(labels, spec, path).items()
    }


def _sentence_problem(value: object) -> str | None:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "missing sentence; fill it in or remove the row"
    if not isinstance(value, str):
        return f"{shown(value)} is not text; a sentence is text"
    if not value.strip():
        return "empty sentence; fill it in or remove the row"
    if "\0" in value:
        return f"{shown(value)} holds a NUL character; remove it"
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        return f"{shown(value)} holds half of a surrogate pair; write the whole character"
    return None


def _label_of_text(class_names: tuple[str, str]) -> dict[str, int]:
    booleans = {"False": 0, "false": 0, "True": 1, "true": 1}
    names = {name.strip(): label for label, name in enumerate(class_names)}
    numbers = {"0": 0, "0.0": 0, "1": 1, "1.0": 1}
    # Later ones win: a number always means itself, whatever the classes are called.
    return booleans | names | numbers


def _label(value: object, label_of_text: Mapping[str, int]) -> int | None:
    if isinstance(value, str):
        return label_of_text.get(value.strip())
    return 0 if value == 0 else 1 if value == 1 else None  # True equals 1, 0.0 equals 0


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
                f"{path}: {len(labels):,} sentences ({classes}) cannot give "
                f"{sizes['validation']:,} for validation and {sizes['test']:,} for test with at "
                f"least {LEAST_OF_A_CLASS} of each class in every split; add sentences, or change "
                "dataset.validation_size or dataset.test_size"
            ]
        )
    return {name: split["row"][:] for name, split in splits.items()}


def _count(size: float | int, rows: int) -> int:
    return math.ceil(size * rows) if isinstance(size, float) else size
