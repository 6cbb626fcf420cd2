"""Splits that a suite names as files: reads, joins and checks them; draws what is not given."""

from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from pathlib import Path

from harness.errors import BadInput
from harness.inputs.data import drawing, labelled_file
from harness.inputs.data.given_splits import checks
from harness.inputs.data.given_splits.parts import Part
from harness.inputs.data.labelled_file import LabelledTable
from harness.inputs.data.rows import Rows
from harness.inputs.split_files import SplitFile
from harness.suite.spec import DatasetSpec

Reader = Callable[[SplitFile], LabelledTable]
"""Returns the rows of one file of a split, or raises BadInput with every mistake in it."""


def check(files: Sequence[SplitFile], spec: DatasetSpec) -> None:
    """Check that files exist, have a supported format, and are named once, without reading them.

    Raises:
        BadInput: if any is wrong, then every mistake in the content of the others too.
    """
    if checks.unusable(files):
        read(files, spec)


def read(files: Sequence[SplitFile], spec: DatasetSpec) -> tuple[dict[str, Rows], list[str]]:
    """Return the splits of several files, and remarks on them that are not mistakes.

    The files of a split are joined in order. `idx` is the row's number in the joined files, from
    0; rows that are drawn from the training files keep theirs. The labels of a test split are all
    hidden if no file has a column of labels, or if every label is -1 or empty.

    Args:
        files: with absolute paths.

    Raises:
        BadInput: every mistake in all files at once, or too few sentences of a class.
    """
    return join(files, spec, checks.unusable(files), _reader(spec))


def join(
    files: Sequence[SplitFile], spec: DatasetSpec, wrong: Mapping[SplitFile, str], reader: Reader
) -> tuple[dict[str, Rows], list[str]]:
    """Return the splits of several files, as read() does.

    Args:
        wrong: the problem of each file that is not read.
        reader: reads one file.

    Raises:
        BadInput: every mistake in all files at once, or too few sentences of a class.
    """
    parts, problems = _parts(files, wrong, reader)
    broken = {file.split for file in files} - set(parts)
    problems += checks.copies(parts)
    problems += checks.other_class_names(parts)
    problems += checks.hidden_and_labelled(parts)
    problems += checks.classes_missing(parts, spec)
    drawn = [name for name in drawing.DRAWN if name not in parts and name not in broken]
    splits: dict[str, Rows] = {}
    if "train" in parts:
        try:
            splits = _with_drawn(parts["train"], spec, drawn)
        except BadInput as error:
            problems += error.problems
    if problems:
        raise BadInput(problems)
    splits |= {split: _joined(own) for split, own in parts.items() if split != "train"}
    notes = chain.from_iterable(part.table.notes for own in parts.values() for part in own)
    return splits, [*notes, *checks.notes(parts, spec)]


def places(
    files: Sequence[SplitFile], spec: DatasetSpec, split: str, idx: Sequence[int]
) -> list[str]:
    """Return the file and the line, or the row, of every sentence of a split that read() returns.

    Args:
        idx: the split's `idx` column.

    Raises:
        BadInput: the files can no longer be read.
    """
    own = split if any(file.split == split for file in files) else "train"
    chosen = [file for file in files if file.split == own]
    parts, problems = _parts(chosen, checks.unusable(chosen), _reader(spec))
    if problems:
        raise BadInput(problems)
    known = [
        place
        for part in parts[own]
        for place in labelled_file.places_of(Path(part.file.path), part.table.rows)
    ]
    return [known[number] for number in idx]


def _reader(spec: DatasetSpec) -> Reader:
    return lambda file: labelled_file.read_table(Path(file.path), spec, file.split)


def _parts(
    files: Sequence[SplitFile], wrong: Mapping[SplitFile, str], reader: Reader
) -> tuple[dict[str, list[Part]], list[str]]:
    """Return the parts of every split whose files could all be read, and all problems."""
    problems: list[str] = []
    parts: dict[str, list[Part]] = {}
    broken = {file.split for file in wrong}
    for file in files:
        if file in wrong:
            problems.append(wrong[file])
            continue
        try:
            table = reader(file)
        except BadInput as error:
            problems += error.problems
            broken.add(file.split)
        else:
            parts.setdefault(file.split, []).append(Part(file, table))
    return {split: own for split, own in parts.items() if split not in broken}, problems


def _joined(parts: Sequence[Part]) -> Rows:
    sentences = list(chain.from_iterable(part.table.sentences for part in parts))
    return Rows(
        sentence=sentences,
        label=list(chain.from_iterable(part.table.labels for part in parts)),
        idx=range(len(sentences)),
        source=[""] * len(sentences),
        domain=[part.file.domain for part in parts for _ in part.table.rows],
    )


def _with_drawn(parts: Sequence[Part], spec: DatasetSpec, names: Sequence[str]) -> dict[str, Rows]:
    """Return the training split, and the splits that are drawn from its files.

    Raises:
        BadInput: too few sentences of a class to draw them.
    """
    whole = _joined(parts)
    if not names or all(getattr(spec, f"{name}_size") == 0 for name in names):
        return {"train": whole}
    paths = [part.file.path for part in parts]
    where = paths[0] if len(paths) == 1 else f"dataset.train ({len(paths)} files)"
    return {
        split: Rows(
            sentence=[whole.sentence[row] for row in rows],
            label=[whole.label[row] for row in rows],
            idx=rows,
            source=[""] * len(rows),
            domain=[""] * len(rows),
        )
        for split, rows in drawing.draw(whole.label, spec, where, names).items()
    }
