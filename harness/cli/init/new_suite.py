"""A new suite file: its content from the command line, checked like any suite, with its inputs."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from harness.cli.init import what_is_shown
from harness.cli.init.data_columns import class_names, with_columns
from harness.errors import BadInput, Unavailable
from harness.inputs import checkpoints
from harness.inputs.data import labelled_file
from harness.inputs.data.table import Wanted
from harness.inputs.hub import Hub
from harness.paths import passes
from harness.session.options import OVERRIDES, flag_of, home
from harness.suite.dataset import DEFAULT_VALIDATION_SIZE, DatasetSpec, separates
from harness.suite.file_text import Content, file_text
from harness.suite.spec import Suite, checked_suite

DEFAULTS: Mapping[str, str] = {
    "--batch-sizes": "16",
    "--learning-rates": "5e-5",
    "--seeds": "1,2,3",
}
"""Values of the flags that a suite needs, as typed."""

HEADER = "# Paths are relative to this file. Every key that a suite may have: docs/suites.md\n"

COMMENTS: Mapping[str, str] = {
    "keep_models": '"best" keeps the best model of each checkpoint, for `harness predict`',
    "dataset.validation_size": "a fraction of the sentences, or their number",
}
"""What a suite file says about its keys that most people change next."""

VALIDATION_SIZES = (DEFAULT_VALIDATION_SIZE, *(number / 20 for number in range(3, 11)))
"""The fractions of a file that may validate, the first that is possible counts: the default, and
beyond it the multiples of 0.05. With more than half of the rows, train would have too few."""

HUB_NOT_ASKED = Hub("https://huggingface.co", False, "only this machine is searched")


@dataclass(frozen=True)
class Request:
    """What the command line asks for, as typed.

    Attributes:
        name: of the suite.
        folder: where the suite file is written.
        source: where the sentences come from.
        data: the file of sentences, or the name of the data set on the Hub; None for CoLA.
        values: the suite's values by flag, None if not given.
    """

    name: str
    folder: Path
    checkpoints: Sequence[str]
    source: Literal["file", "cola", "hub"]
    data: str | None
    config: str | None
    text_column: str | None
    label_column: str | None
    delimiter: str | None
    quoting: Literal["csv", "none"] | None
    values: Mapping[str, str | None]


@dataclass(frozen=True)
class NewSuite:
    """The text of a suite file, the files on this machine that it reads, and its other inputs.

    Attributes:
        files: absolute paths of the data file and of the checkpoints' folders.
        packages: checkpoints that come from installed packages.
        needs_hub: whether the data or a checkpoint come from the model hub.
        remarks: on the data, that are not mistakes.
    """

    text: str
    files: Sequence[Path]
    packages: Sequence[str]
    needs_hub: bool
    remarks: Sequence[str]


def new_suite(request: Request) -> NewSuite:
    """Return the suite that a request describes.

    Raises:
        BadInput: every mistake in the values, the checkpoints and the data at once; or a file
            that no validation split can be drawn from.
    """
    problems: list[str] = []
    base = Path(os.path.realpath(request.folder))
    folders = {
        name: _real(home(name))
        for name in request.checkpoints
        if name.startswith((".", "/", "~")) or passes(Path.is_dir, Path(home(name)))
    }
    names = [
        _from(base, folders[each]) if each in folders else each for each in request.checkpoints
    ]
    for typed in dict.fromkeys(request.checkpoints):
        place = str(folders.get(typed, typed))
        problems += [line.replace(place, typed) for line in _checkpoint_problems(place, base)]
    dataset, remarks, of_data = _dataset(request, base)
    problems += of_data
    content: Content = {
        "": {"name": request.name, "keep_models": "none"},
        "dataset": dataset,
        "matrix": {"checkpoints": names},
        "training": {},
        "gates": {},
    }
    for flag, given in request.values.items():
        key, convert, _ = OVERRIDES[flag]
        section, _, name = key.partition(".")
        text = DEFAULTS.get(flag) if given is None else given
        if text is None:
            continue
        try:
            content[section][name] = convert(text)
        except BadInput as error:
            problems += [f"{flag}: {text!r}: {line}" for line in error.problems]
            content[section][name] = convert(DEFAULTS[flag])  # so that the rest is checked
    suite = _checked(content, request, problems)
    if suite is None or problems:
        raise BadInput(list(dict.fromkeys(problems)))
    own = [] if request.source != "file" else [_real(str(request.data))]
    of_split = _with_split(content, suite, Path(home(str(request.data)))) if own else []
    packages = [name for name in names if name.startswith("package:")]
    return NewSuite(
        HEADER + file_text(content, COMMENTS),
        [*own, *folders.values()],
        packages,
        request.source != "file" or len(folders) + len(packages) < len(set(names)),
        [*remarks, *of_split],
    )


def _real(path: str) -> Path:
    """Return a path without links above its last part, whose own name is kept."""
    named = Path(path)
    if named.name in ("", ".."):
        return Path(os.path.realpath(named))
    return Path(os.path.realpath(named.parent), named.name)


def _from(base: Path, path: Path) -> str:
    """Return a path relative to the suite's folder, in the form of a checkpoint's folder."""
    relative = Path(os.path.relpath(path, base)).as_posix()
    return relative if relative.startswith((".", "..")) else f"./{relative}"


def _checkpoint_problems(name: str, base: Path) -> Sequence[str]:
    """Return why a checkpoint cannot be used; one on the hub is not asked for."""
    try:
        checkpoints.resolve(name, HUB_NOT_ASKED, base)
    except BadInput as error:
        return error.problems
    except Unavailable:
        pass  # it may be on the hub
    return ()


def _checked(content: Content, request: Request, problems: list[str]) -> Suite | None:
    """Return a suite, or None; its mistakes, each with the flag that sets the value, are added."""
    raw: dict[str, Any] = {**content[""], **{name: each for name, each in content.items() if name}}
    flags = {key: flag for flag, (key, *_) in OVERRIDES.items()}
    flags |= {f"dataset.{key}": flag_of(key) for key in ("text_column", "label_column", "config")}
    flags |= {f"dataset.{key}": flag_of(key) for key in ("delimiter", "quoting")}
    flags |= {
        "name": "NAME",
        "matrix.checkpoints": "--checkpoint",
        "dataset.name": "--hub",
        "dataset.path": "--data",
        "dataset.class_names": "--label-column",
    }
    try:
        return checked_suite(raw, request.folder / "suite", flags)
    except BadInput as error:
        problems += error.problems
    return None


def _with_split(content: Content, suite: Suite, path: Path) -> list[str]:
    """Set the first validation size with which a session draws its splits; return remarks on it.

    Raises:
        BadInput: there is none.
    """
    refused: list[str] = []
    for size in VALIDATION_SIZES:
        dataset = suite.dataset.model_copy(update={"validation_size": size})
        try:
            splits, _ = labelled_file.read(path, dataset)
        except BadInput as error:
            refused += error.problems
            continue
        content["dataset"]["validation_size"] = size
        sizes = {name: len(rows.sentence) for name, rows in splits.items()}
        remarks = what_is_shown.remarks(suite, sizes["validation"], sum(sizes.values()))
        if not refused:
            return [*remarks]
        why = (
            f"with {DEFAULT_VALIDATION_SIZE}, the default, a split has too few sentences of a class"
        )
        return [f"dataset.validation_size is {size}: {why}", *remarks]
    first, last = VALIDATION_SIZES[0], VALIDATION_SIZES[-1]
    way_out = "add sentences of the smallest classes, or leave these classes out"
    none = f"{path}: no dataset.validation_size from {first} to {last} is possible; {way_out}"
    raise BadInput([refused[0], none])


def _dataset(request: Request, base: Path) -> tuple[dict[str, Any], Sequence[str], Sequence[str]]:
    """Return the section [dataset], as far as it is known, and remarks and problems of the data."""
    columns = {"text_column": request.text_column, "label_column": request.label_column}
    remarks: Sequence[str] = ()
    problems: Sequence[str] = ()
    section: dict[str, Any] = {"source": request.source}
    match request.source:
        case "hub":
            section |= {"name": request.data, "config": request.config, **columns}
        case "file":
            path = Path(home(str(request.data)))
            section["path"] = Path(os.path.relpath(_real(str(path)), base)).as_posix()
            section |= {"delimiter": request.delimiter, "quoting": request.quoting}
            try:
                described, remarks = _described(path, request)
                section |= described | {"validation_size": DEFAULT_VALIDATION_SIZE}
            except BadInput as error:
                problems = error.problems
    known = {key: value for key, value in section.items() if value is not None}
    return known, remarks, problems


def _described(path: Path, request: Request) -> tuple[dict[str, Any], Sequence[str]]:
    """Return the columns and the classes of a data file, and remarks on its labels.

    Raises:
        BadInput: every mistake in the file; columns that do not exist or are unclear come first.
    """
    labelled_file.check(path, "--data")
    if request.delimiter is not None and not separates(request.delimiter):
        return {}, ()  # reported with the suite
    wanted = Wanted(
        text=request.text_column,
        label=request.label_column,
        delimiter=request.delimiter,
        quoting=request.quoting,
        by_options=True,
    )
    wanted = with_columns(path, wanted)
    columns = {"text_column": wanted.text, "label_column": wanted.label}
    if wanted.text == wanted.label:
        return columns, ()  # reported with the suite
    names, remarks = class_names(path, wanted)
    section: dict[str, Any] = {**columns, "class_names": names}
    written = {"delimiter": request.delimiter, "quoting": request.quoting}
    try:
        spec = DatasetSpec(source="file", path=path.name, **section, **written)
    except ValidationError:
        pass  # reported with the suite
    else:
        labelled_file.read_table(path, spec)
    return {**section, "class_names": list(names)}, remarks
