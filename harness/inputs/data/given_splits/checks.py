"""Checks of several files together: named twice, copies, classes that a split lacks, overlap."""

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from harness.errors import BadInput
from harness.inputs.data import labelled_file
from harness.inputs.data.drawing import (
    LEAST_OF_A_CLASS,
    MOST_NAMED,
    by_class,
    has_enough,
)
from harness.inputs.data.given_splits.parts import Part, Parts
from harness.inputs.data.rows import HIDDEN_LABEL, shown
from harness.inputs.data.table import listed
from harness.inputs.split_files import SplitFile
from harness.suite.spec import DatasetSpec
from harness.text import counted


def unusable(files: Sequence[SplitFile]) -> dict[SplitFile, str]:
    """Return the problem of each file that is missing, has no known format, or is named twice."""
    found: dict[SplitFile, str] = {}
    first: dict[object, SplitFile] = {}
    for file in files:
        try:
            labelled_file.check(Path(file.path), file.key)
        except BadInput as error:
            (found[file],) = error.problems
            continue
        other = first.setdefault(_identity(file.path), file)
        if other is not file:
            name = "" if other.path == file.path else f" ({other.path})"
            found[file] = (
                f"{file.path}: {file.key} is the same file as {other.key}{name}; name every file "
                "once"
            )
    return found


def _identity(path: str) -> object:
    try:
        status = Path(path).stat()
        return status.st_dev, status.st_ino
    except OSError:  # it was removed just now, which the reader reports
        return os.path.realpath(path)


def copies(parts: Parts) -> Iterator[str]:
    """Yield a problem for every file with the rows of an earlier file, in the same order."""
    first: dict[object, Part] = {}
    for part in _each(parts):
        other = first.setdefault((tuple(part.table.sentences), tuple(part.table.labels)), part)
        if other is not part:
            yield (
                f"{part.file.path}: {part.file.key} has the same "
                f"{counted(len(part.table.rows), 'sentence')} and labels as {other.file.key} "
                f"({other.file.path}); name every file once, or another file"
            )


def other_class_names(parts: Parts) -> Iterator[str]:
    """Yield a problem for every file that declares other class names than an earlier file.

    Files in which labels are numbers may contain the names of these numbers, as `datasets` writes
    them.
    """
    declaring = [part for part in _each(parts) if part.table.class_names is not None]
    for part in declaring[1:]:
        names, first = part.table.class_names or (), declaring[0].table.class_names or ()
        if names != first:
            yield (
                f"{part.file.path}: {part.file.key} declares the class names "
                f"{listed(names, MOST_NAMED)}, but {declaring[0].file.key} "
                f"({declaring[0].file.path}) {listed(first, MOST_NAMED)}: the same number would "
                "mean different classes; write the labels of both files with the same names"
            )


def hidden_and_labelled(parts: Parts) -> Iterator[str]:
    """Yield a problem if only some labels of the test split are hidden."""
    first: dict[bool, str] = {}
    seen: Counter[bool] = Counter()
    for part in parts.get("test", ()):
        for row, label in zip(part.table.rows, part.table.labels, strict=True):
            hidden = label == HIDDEN_LABEL
            seen[hidden] += 1
            first.setdefault(hidden, row.where)
    if len(seen) == 2:
        yield (
            f"{first[True]}: dataset.test: the label is missing, as in "
            f"{counted(seen[True], 'test sentence')}, but {seen[False]:,} have one (the first: "
            f"{first[False]}); give a label to all or to none"
        )


def classes_missing(parts: Parts, spec: DatasetSpec) -> Iterator[str]:
    """Yield a problem for each labelled split with too few sentences of a class."""
    seen = {
        split: Counter(label for part in own for label in part.table.labels)
        for split, own in parts.items()
    }
    for split, counts in seen.items():
        drawn_from = split == "train" and not _given(parts, spec)
        if HIDDEN_LABEL in counts or drawn_from:  # drawing checks every class itself
            continue
        if not has_enough(split, counts, spec):
            few = [n for n in range(len(spec.class_names)) if counts[n] < LEAST_OF_A_CLASS]
            each = len(spec.class_names) == 2 or split == "train"
            needed = f"{LEAST_OF_A_CLASS} of each class" if each else "two classes"
            yield (
                f"{_files(parts[split])}: dataset.{split}: "
                f"{counted(sum(counts.values()), 'sentence')} "
                f"({by_class(counts, spec.class_names)}); a labelled split needs "
                f"at least {needed}: add sentences, or name other files"
                f"{''.join(_elsewhere(split, few, parts, spec))}"
            )


def _given(parts: Parts, spec: DatasetSpec) -> bool:
    """Return whether no split is drawn from the training files."""
    return spec.validation is not None and (spec.test is not None or spec.test_size == 0)


def _elsewhere(split: str, few: Sequence[int], parts: Parts, spec: DatasetSpec) -> Iterator[str]:
    """Yield where the classes are that the training split lacks."""
    for number in few if split == "train" else ():
        for part in _each({name: own for name, own in parts.items() if name != "train"}):
            if (times := list(part.table.labels).count(number)) > 0:
                where = part.table.rows[list(part.table.labels).index(number)].where
                name = shown(spec.class_names[number])
                yield f". {part.file.key} has {times:,} of class {name}, the first at {where}"


def notes(parts: Parts, spec: DatasetSpec) -> Iterator[str]:
    """Yield remarks: a test split that is not scored, sentences of several splits, one class."""
    test = parts.get("test", ())
    if test and test[0].table.labels[0] == HIDDEN_LABEL:
        reason = "has empty or hidden labels"
        if not test[0].table.has_labels:
            reason = f"has no column {shown(spec.label_column)}"
        total = sum(len(part.table.rows) for part in test)
        sentences = counted(total, "test sentence")
        yield f"dataset.test {reason}: its {sentences} are predicted, and not scored"
    for split, earlier in (("validation", "train"), ("test", "train"), ("test", "validation")):
        known = set(_sentences(parts.get(earlier, ())))
        texts = _sentences(parts.get(split, ()))
        if shared := sum(text in known for text in texts):
            some = f"{shared:,} of {counted(len(texts), f'{split} sentence')}"
            yield f"{some} {'is' if shared == 1 else 'are'} also in dataset.{earlier}"
    yield from _without_sentences(parts, spec)
    for domain, labels in _by_domain(parts.get("validation", ())).items():
        if domain and len(set(labels)) == 1:
            name = spec.class_names[labels[0]]
            yield (
                f"all {counted(len(labels), 'sentence')} of dataset.validation.{domain} are of "
                f"class {shown(name)}: they have no MCC of their own, and count in that of all"
            )


def _without_sentences(parts: Parts, spec: DatasetSpec) -> Iterator[str]:
    """Yield the classes of which a split that is scored has no sentence."""
    for split in ("validation", "test"):
        seen = {label for part in parts.get(split, ()) for label in part.table.labels}
        missing = [name for n, name in enumerate(spec.class_names) if n not in seen]
        if seen and HIDDEN_LABEL not in seen and missing:
            classes = counted(len(missing), "class", "classes")
            yield f"dataset.{split} has no sentence of {classes}: {listed(missing, MOST_NAMED)}"


def _sentences(parts: Sequence[Part]) -> list[str]:
    return [text for part in parts for text in part.table.sentences]


def _by_domain(parts: Sequence[Part]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for part in parts:
        found.setdefault(part.file.domain, []).extend(part.table.labels)
    return found


def _each(parts: Parts) -> Iterator[Part]:
    for own in parts.values():
        yield from own


def _files(parts: Sequence[Part]) -> str:
    more = f" and {counted(len(parts) - 1, 'more file')}" if len(parts) > 1 else ""
    return f"{parts[0].file.path}{more}"
