"""The labelled sentences of a suite: finds their source and loads the same splits from each.

Every source gives the splits train, validation and, if it exists, test, and the same columns:
`sentence`, `label` (-1 if hidden), `idx`, `source` and `domain`. Training and models get them as a
`DatasetDict`; everything else reads the rows, and does not load the library `datasets`.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from harness.errors import BadInput
from harness.inputs import duplicates
from harness.inputs import hub as hubs
from harness.inputs.data import (
    cola_folder,
    corpus,
    given_splits,
    labelled_file,
    repeats,
)
from harness.inputs.data.repeats import treatment
from harness.inputs.data.rows import Rows
from harness.inputs.duplicates import NO_PREFIX, Duplicates
from harness.inputs.hub import Hub
from harness.inputs.split_files import SplitFile, split_files
from harness.inputs.split_files import origin as origin_of_files
from harness.suite.spec import DatasetSpec

if TYPE_CHECKING:  # slow to import
    from datasets import DatasetDict

SPLIT_NAMES = ("train", "validation", "test")


@dataclass(frozen=True)
class Source:
    """Where the data comes from: everything that another process needs to load the same data.

    Attributes:
        kind: "hub", "folder" (CoLA), "embedded", or "file" (the user's own).
        path: the absolute path of the folder or file; None for the others.
        revision: the commit of the hub's data set; None for the others.
        spec: the suite's [dataset] section; of a data set on the hub other than CoLA, with the
            names of its configuration, its splits and, from `with_classes`, its classes.
        files: the files of given splits, with absolute paths; empty for all other data.
    """

    kind: Literal["hub", "folder", "embedded", "file"]
    path: str | None
    revision: str | None
    spec: DatasetSpec
    files: tuple[SplitFile, ...] = ()

    @property
    def paths(self) -> tuple[str, ...]:
        """The absolute paths of the folder or of all files."""
        return (*filter(None, (self.path,)), *(file.path for file in self.files))


@dataclass(frozen=True)
class Data:
    """Loaded sentences.

    Attributes:
        rows: of train, validation and perhaps test. `source` is a publication's code, or the
            phenomenon in the embedded corpus; `domain` is CoLA's "in" or "out", or the name that
            a suite gives a validation file; both "" where unknown.
        class_names: the names of the classes, in the order of their numbers.
        fingerprint: SHA-256 (hexadecimal) of the splits' sentences, labels and idx: the same
            for the same corpus from any source.
        origin: a description of the source, without a folder's name.
        notes: remarks on the data that are not mistakes.
        duplicates: the numbers of repeated sentences; None if they were not counted.
    """

    rows: Mapping[str, Rows]
    class_names: tuple[str, ...]
    fingerprint: str
    origin: str
    notes: tuple[str, ...] = ()
    duplicates: Duplicates | None = None

    @cached_property
    def splits(self) -> "DatasetDict":
        """The rows as the library `datasets` holds them; `label` is a ClassLabel."""
        return _dataset_dict(self.rows, self.class_names)


def find(spec: DatasetSpec, cola_dir: Path | None, hub: Hub, base: Path) -> Source:
    """Return where the data comes from, without reading or downloading sentences.

    Args:
        spec: the suite's [dataset] section.
        cola_dir: the folder of CoLA that the user named, relative to the working directory;
            it replaces the spec's path. It has no effect on data other than CoLA.
        hub: whether the hub can be reached; without a folder, CoLA comes from the hub.
        base: the folder that the spec's path is relative to.

    Raises:
        Unavailable: no folder was named, and the hub does not answer.
        BadInput: a folder or file does not exist or has an unsupported format; the hub has no such
            data set, revision, configuration or split.
    """
    if spec.source == "embedded":
        return Source("embedded", None, None, spec)
    if spec.source == "hub":
        from harness.inputs.data import on_hub  # it needs the library `datasets`

        commit, found = on_hub.find(spec, hub)
        return Source("hub", None, commit, found)
    named = None if spec.path is None else base.absolute() / _expanded(Path(spec.path))
    if spec.source == "file":
        if named is None:  # DatasetSpec then requires files of splits
            files = tuple(
                replace(file, path=str(base.absolute() / _expanded(Path(file.path))))
                for file in split_files(spec)
            )
            given_splits.check(files, spec)
            return Source("file", None, None, spec, files)
        labelled_file.check(named)
        return Source("file", str(named), None, spec)
    folder = named if cola_dir is None else _expanded(cola_dir).absolute()
    if folder is None:
        from harness.inputs.data import cola_hub  # it needs the library `datasets`

        return Source("hub", None, cola_hub.pin(hub), spec)
    cola_folder.locate(folder)
    return Source("folder", str(folder), None, spec)


def find_now(spec: DatasetSpec, cola_dir: Path | None, base: Path) -> Source:
    """Return what `find` returns; asks whether the hub can be reached only if the data needs it.

    Raises:
        Unavailable, BadInput: as `find`.
    """
    needs_hub = spec.source == "hub" or (
        spec.source == "cola" and cola_dir is None and spec.path is None
    )
    return find(spec, cola_dir, hubs.probe() if needs_hub else Hub("", False, "not asked"), base)


def is_here(source: Source) -> bool:
    """Return whether load() works without the hub."""
    if source.revision is None:
        return True
    from harness.inputs.data import cola_hub, on_hub

    if source.spec.source == "hub":
        return on_hub.is_here(source.spec, source.revision)
    return cola_hub.is_here(source.revision)


def with_classes(source: Source, loaded: Data) -> Source:
    """Return a source whose spec has the class names, which may be known from the data only."""
    spec = source.spec.model_copy(update={"class_names": loaded.class_names})
    return source if spec == source.spec else replace(source, spec=spec)


def load(source: Source, count_repeats: bool = True) -> Data:
    """Load the sentences into memory.

    Args:
        count_repeats: whether to count repeated sentences. It changes no split.

    Raises:
        Unavailable: the hub can no longer be reached.
        BadInput: every mistake in the files at once: missing or unreadable files, text that is
            not UTF-8, wrong columns, unknown labels, empty sentences, a number of sentences that
            differs from CoLA's, too few sentences to split, repeated sentences if the spec refuses
            them.
    """
    if source.spec.source == "hub":
        from harness.inputs.data import on_hub

        spec = on_hub.with_class_names(source.spec, str(source.revision))
        source = replace(source, spec=spec)
    read, origin, notes = _read(source)
    rows = {name: read[name] for name in SPLIT_NAMES if name in read}
    rows, found = _treated(rows, source, count_repeats)
    if found is not None:
        prefix = NO_PREFIX if source.spec.train is None else "dataset."
        notes = [*notes, *duplicates.notes(found, prefix)]
    names = tuple(source.spec.class_names)
    return Data(rows, names, _fingerprint(rows), origin, tuple(notes), found)


def _treated(
    rows: dict[str, Rows], source: Source, count_repeats: bool
) -> tuple[dict[str, Rows], Duplicates | None]:
    """Return the splits as `dataset.duplicates` wants them, and the repeats that were found.

    Raises:
        BadInput: there are repeats, which the spec refuses, or too few sentences without them.
    """
    spec = source.spec
    if spec.duplicates == "report" and not count_repeats:
        return rows, None
    texts = repeats.texts_of(rows)
    if spec.duplicates == "refuse":
        treatment.refuse(rows, texts, partial(places, source))
    found = repeats.count(rows, texts, len(spec.class_names)) if count_repeats else None
    if spec.duplicates != "drop":
        return rows, found
    train = treatment.without_repeats(rows["train"], texts, spec)
    dropped = len(rows["train"].sentence) - len(train.sentence)
    if found is not None:
        found = found.model_copy(update={"dropped": dropped})
    return {**rows, "train": train}, found


def places(source: Source, split: str, idx: Sequence[int]) -> list[str]:
    """Return the file and line of every sentence of a split; [] if the data is not a file.

    Args:
        split: train, validation or test.
        idx: the `idx` column of the split that load() returned.

    Raises:
        BadInput: the files can no longer be read.
    """
    match source:
        case Source(kind="folder", path=str(path)):
            lines = cola_folder.places(Path(path), split)
            return [lines[number] for number in idx]
        case Source(kind="file", path=str(path)):
            known = labelled_file.places(Path(path), source.spec)
            return [known[number] for number in idx]
        case Source(kind="file", files=files):
            return given_splits.places(files, source.spec, split, idx)
    return []


def columns(
    source: Source, split: str, names: Sequence[str]
) -> list[tuple[str, tuple[object, ...]]]:
    """Return the sentences of the user's own data with their values in some columns.

    The position of a sentence is its `idx`; sentences of other splits may be among them.

    Raises:
        BadInput: a column does not exist, or a file can no longer be read.
    """
    match source:
        case Source(kind="file", path=str(path)):
            return labelled_file.columns(Path(path), source.spec, names)
        case Source(kind="file", files=files):
            return given_splits.columns(files, source.spec, split, names)
    raise BadInput([f"dataset.slice_columns: data of source {source.kind!r} has no other columns"])


def _read(source: Source) -> tuple[Mapping[str, Rows], str, Sequence[str]]:
    match source:
        case Source(kind="folder", path=str(path)):
            return cola_folder.read(Path(path)), cola_folder.origin(Path(path)), ()
        case Source(kind="file", path=str(path)):
            rows, notes = labelled_file.read(Path(path), source.spec)
            return rows, f"file {Path(path).name}", notes
        case Source(kind="file", files=files):
            rows, notes = given_splits.read(files, source.spec)
            return rows, origin_of_files(source.spec), notes
        case Source(kind="hub", spec=DatasetSpec(source="hub"), revision=str(revision)):
            from harness.inputs.data import on_hub

            rows, notes = on_hub.read(source.spec, revision)
            return rows, on_hub.origin(source.spec, revision), notes
        case Source(kind="hub", revision=str(revision)):
            from harness.inputs.data import cola_hub

            return cola_hub.read(revision), f"{cola_hub.GLUE.name}@{revision}", ()
        case _:
            return _embedded(), "the embedded corpus", ()


def _embedded() -> dict[str, Rows]:
    return {
        split: Rows(
            sentence=[sentence.text for sentence in sentences],
            label=[sentence.label for sentence in sentences],
            idx=range(len(sentences)),
            source=[sentence.phenomenon for sentence in sentences],
            domain=[""] * len(sentences),
        )
        for split, sentences in corpus.generate().items()
    }


def _dataset_dict(rows: Mapping[str, Rows], class_names: Sequence[str]) -> "DatasetDict":
    from datasets import ClassLabel, Dataset, DatasetDict, Features, Value

    features = Features(
        {
            "sentence": Value("string"),
            "label": ClassLabel(names=list(class_names)),
            "idx": Value("int32"),
            "source": Value("string"),
            "domain": Value("string"),
        }
    )
    return DatasetDict(
        {name: Dataset.from_dict(vars(split), features=features) for name, split in rows.items()}
    )


def _fingerprint(rows: Mapping[str, Rows]) -> str:
    digest = hashlib.sha256()
    for name, split in rows.items():
        content = [name, list(split.sentence), list(split.label), list(split.idx)]
        digest.update(json.dumps(content).encode())
    return digest.hexdigest()


def _expanded(path: Path) -> Path:
    try:
        return path.expanduser()
    except RuntimeError:  # ~NAME without such a user: an ordinary file name
        return path
