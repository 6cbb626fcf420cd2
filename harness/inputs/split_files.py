"""The files of the user's own data in a suite: the split and the domain of each."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from harness.suite.dataset import DatasetSpec
from harness.suite.file_names import short_names
from harness.text import some


@dataclass(frozen=True)
class SplitFile:
    """One file of given splits.

    Attributes:
        split: train, validation or test.
        domain: the name of the file's sentences in tables; "" if the suite gives none.
        key: the suite's key that names the file, such as `dataset.train[1]`.
        path: as in the suite, or absolute.
    """

    split: str
    domain: str
    key: str
    path: str


def split_files(spec: DatasetSpec) -> tuple[SplitFile, ...]:
    """Return the files of the splits that a suite names, in the order in which they are joined.

    A file of `dataset.path`, from which all splits are drawn, is not among them.
    """
    return tuple(
        SplitFile(split, domain, key, name)
        for split, files in (
            ("train", spec.train),
            ("validation", spec.validation),
            ("test", spec.test),
        )
        for domain, key, name in _named(f"dataset.{split}", files)
    )


def _named(
    key: str, files: tuple[str, ...] | dict[str, tuple[str, ...]] | None
) -> Iterator[tuple[str, str, str]]:
    if isinstance(files, dict):
        for domain, own in files.items():
            for _, inner, name in _named(f"{key}.{domain}", own):
                yield domain, inner, name
        return
    for number, name in enumerate(files or ()):
        yield "", key if len(files or ()) == 1 else f"{key}[{number}]", name


def file_names(spec: DatasetSpec) -> list[str]:
    """Return the names of all files of the user's own data, as in the suite."""
    return [file.path for file in split_files(spec)] if spec.path is None else [spec.path]


def origin(spec: DatasetSpec) -> str:
    """Return a description of the user's own data: its files by split, without folders."""
    files = split_files(spec)
    if not files:
        (name,) = short_names([str(spec.path)])
        return f"file {name}"
    short = short_names([file.path for file in files])
    if len(files) == 1:
        return f"file {short[0]}"
    by_split: dict[str, list[str]] = {}
    for file, name in zip(files, short, strict=True):
        by_split.setdefault(file.split, []).append(name)
    described = [f"{some(names, 4)} ({split})" for split, names in by_split.items()]
    return f"files {', '.join(described)}"


def without_folders(spec: DatasetSpec) -> DatasetSpec:
    """Return a specification of data without this machine's folders."""
    if spec.annotations is not None:
        (annotations,) = short_names([spec.annotations])
        spec = spec.model_copy(update={"annotations": annotations})
    if spec.source != "file":
        return spec.model_copy(update={"path": None})
    if spec.path is not None:
        (path,) = short_names([spec.path])
        return spec.model_copy(update={"path": path})
    names = [file.path for file in split_files(spec)]
    short = dict(zip(names, short_names(names), strict=True))
    validation = (
        {domain: _renamed(own, short) for domain, own in spec.validation.items()}
        if isinstance(spec.validation, dict)
        else _renamed(spec.validation, short)
    )
    return spec.model_copy(
        update={
            "train": _renamed(spec.train, short),
            "validation": validation,
            "test": _renamed(spec.test, short),
        }
    )


def _renamed(files: Iterable[str] | None, names: dict[str, str]) -> tuple[str, ...] | None:
    return None if files is None else tuple(names[name] for name in files)
