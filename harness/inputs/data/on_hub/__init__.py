"""Labelled sentences of a data set on the hub: its splits, its columns, and its class names."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace

from datasets import ClassLabel, Dataset

from harness.errors import BadInput
from harness.inputs.data import given_splits, labelled_file
from harness.inputs.data.labelled_file import LabelledTable
from harness.inputs.data.on_hub import repository
from harness.inputs.data.on_hub.repository import Contents, HubData
from harness.inputs.data.rows import Rows, shown
from harness.inputs.data.table import (
    Table,
    TableRow,
    Wanted,
    column_problems,
    listed,
)
from harness.inputs.hub import Hub
from harness.inputs.split_files import SplitFile, split_files
from harness.suite.class_names import MOST_CLASSES, ambiguity
from harness.suite.dataset import DEFAULT_VALIDATION_SIZE, GIVEN
from harness.suite.ids import did_you_mean
from harness.suite.spec import DatasetSpec

SPLITS_SHOWN = 10
VALUES_SHOWN = 10


def find(spec: DatasetSpec, hub: Hub) -> tuple[str, DatasetSpec]:
    """Return the commit of a data set, and the section with the names of configuration and splits.

    No data files are downloaded.

    Raises:
        BadInput: no such data set, revision, configuration, split or column.
        Unavailable: the hub cannot be reached, and there is no copy in the cache.
    """
    data = _of(spec)
    commit = repository.pin(data, hub)
    contents = repository.look(data, commit, hub)
    found = with_splits(spec.model_copy(update={"config": contents.config}), contents.splits)
    if problems := list(_problems(spec, found, _of(found).at(commit), contents)):
        raise BadInput(problems)
    return commit, found


def is_here(spec: DatasetSpec, commit: str) -> bool:
    """Return whether read() works without the hub."""
    return bool(repository.copies(_of(spec), commit))


def origin(spec: DatasetSpec, commit: str) -> str:
    """Return a description of a data set at a commit."""
    config = "" if spec.config in (None, "default") else f" ({spec.config})"
    return f"{spec.name}@{commit}{config}"


def with_class_names(spec: DatasetSpec, commit: str) -> DatasetSpec:
    """Return the section that find() returned with the names of the classes.

    Raises:
        BadInput: no such split or column, or no usable class names.
        Unavailable: there is no copy in the cache, and the hub cannot be reached.
    """
    where = _of(spec).at(commit)
    splits = repository.fetch(_of(spec), commit).read()
    wrong = _unusable(split_files(spec), splits)
    problems = [f"{where}: {problem}" for problem in wrong.values()]
    if problems:
        raise BadInput(problems)
    rows = splits[split_files(spec)[0].path]
    if problems := _missing_columns(spec, where, rows.column_names):
        raise BadInput(problems)
    return spec.model_copy(update={"class_names": _class_names(spec, where, rows)})


def read(spec: DatasetSpec, commit: str) -> tuple[dict[str, Rows], list[str]]:
    """Return the splits, and remarks on them that are not mistakes.

    `idx` is the number of a row in its split of the data set, from 0; of several splits that are
    joined, in the joined rows.

    Args:
        spec: the section that with_class_names() returned.

    Raises:
        BadInput: every mistake in all splits at once, or too few sentences of a class.
        Unavailable: there is no copy in the cache, and the hub cannot be reached.
    """
    where = _of(spec).at(commit)
    splits = repository.fetch(_of(spec), commit).read()
    rows = {
        replace(file, path=f"{where}: split {file.path}"): splits[file.path]
        for file in split_files(spec)
    }
    return given_splits.join([*rows], spec, {}, lambda file: _table(file, rows[file], spec))


def with_splits(spec: DatasetSpec, splits: Sequence[str]) -> DatasetSpec:
    """Return the section with the default names of the splits that it does not name.

    The defaults of validation and test are used if the data set has splits of these names.
    """
    chosen = {
        split: (split,)
        for split in GIVEN
        if getattr(spec, split) is None and (split == "train" or split in splits)
    }
    return spec.model_copy(update=chosen)


def _of(spec: DatasetSpec) -> HubData:
    assert spec.name is not None  # DatasetSpec requires it
    return HubData(spec.name, spec.config, spec.revision)


def _problems(
    written: DatasetSpec, spec: DatasetSpec, where: str, contents: Contents
) -> Iterator[str]:
    """Yield what is wrong in a section, as it is `written` and as it is understood."""
    for problem in _unusable(split_files(spec), contents.splits).values():
        yield f"{where}: {problem}"
    if contents.columns is not None:
        yield from _missing_columns(spec, where, contents.columns)
    for split, default in (("validation", DEFAULT_VALIDATION_SIZE), ("test", 0)):
        by_default = getattr(written, split) is None and getattr(spec, split) is not None
        size = getattr(spec, f"{split}_size")
        if by_default and size not in (0, default):
            yield (
                f"{where}: dataset.{split}_size: {size}: the data set has a split {split}, whose "
                "sentences are used; remove the key"
            )
    if spec.validation is None and spec.validation_size == 0:
        yield (
            f"{where}: dataset.validation_size: 0: there is no split validation, so nothing can "
            "be scored; name a split with dataset.validation, or give a size above 0"
        )


def _unusable(files: Sequence[SplitFile], splits: Collection[str]) -> dict[SplitFile, str]:
    """Return the problem of each split that the data set does not have, or that is named twice."""
    found: dict[SplitFile, str] = {}
    first: dict[str, SplitFile] = {}
    existing = listed(list(splits), SPLITS_SHOWN)
    for file in files:
        if file.path not in splits:
            found[file] = (
                f"{file.key}: no split {shown(file.path)}; there are {existing}: name one of them"
            )
        elif (other := first.setdefault(file.path, file)) is not file:
            found[file] = (
                f"{file.key}: split {shown(file.path)} is named by {other.key}, too; name every "
                "split once"
            )
    return found


def _wanted(spec: DatasetSpec) -> Wanted:
    return Wanted(
        text=spec.text_column,
        label=spec.label_column,
        class_names=spec.class_names,
        group=spec.group_column,
    )


def _missing_columns(spec: DatasetSpec, where: str, columns: Sequence[str]) -> list[str]:
    return column_problems(where, columns, _wanted(spec))


def _class_names(spec: DatasetSpec, where: str, rows: Dataset) -> tuple[str, ...]:
    """Return the suite's class names or, if it has none, those of the column of labels.

    Raises:
        BadInput: neither has names, the suite's are not among the column's, or they are not usable.
    """
    feature = rows.features[spec.label_column]
    column = f"{where}: column {shown(spec.label_column)}"
    if not isinstance(feature, ClassLabel):
        if spec.class_names:
            return spec.class_names
        values = sorted({str(value) for value in rows[spec.label_column][:] if value is not None})
        quoted = listed(values, VALUES_SHOWN)
        raise BadInput(
            [
                f"{column} has no class names; its values in train are {quoted}: set "
                "dataset.class_names, in the order of the classes' numbers"
            ]
        )
    names = tuple(feature.names)
    if unknown := [name for name in spec.class_names if name not in names]:
        hints = [did_you_mean(name, names) for name in unknown[:VALUES_SHOWN]]
        raise BadInput(
            [
                f"{column} has no class {listed(unknown, VALUES_SHOWN)}, named in "
                f"dataset.class_names; its classes are {listed(names, VALUES_SHOWN)}: remove the "
                f"key, or give some of these names{''.join(dict.fromkeys(hints))}"
            ]
        )
    if spec.class_names:
        return spec.class_names
    problem = ambiguity(names)
    if not 2 <= len(names) <= MOST_CLASSES:
        problem = f"there are {len(names):,} classes; allowed are 2 to {MOST_CLASSES}"
    if problem:
        raise BadInput([f"{column}: {listed(names, VALUES_SHOWN)}: {problem}"])
    return names


def _table(file: SplitFile, rows: Dataset, spec: DatasetSpec) -> LabelledTable:
    """Return the rows of a split with their classes; a ClassLabel's numbers mean its names."""
    labels = rows[spec.label_column][:]
    feature = rows.features[spec.label_column]
    if isinstance(feature, ClassLabel):
        names = feature.names
        labels = [labelled_file.name_of(label, names, spec.class_names) for label in labels]
    sentences = rows[spec.text_column][:]
    groups = [None] * len(rows) if spec.group_column is None else rows[spec.group_column][:]
    records = [
        TableRow(f"{file.path}, row {number}", sentence, label, group)
        for number, (sentence, label, group) in enumerate(
            zip(sentences, labels, groups, strict=True), start=1
        )
    ]
    return labelled_file.labelled(file.path, Table(records, []), True, spec, file.split)
