"""The validation split of a suite for `harness judge`, if its data are at hand, and its classes."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from harness.cli.choices import chosen
from harness.errors import BadInput, Unavailable
from harness.session.options import cola_folder
from harness.suite.spec import Suite
from harness.text import counted, one_line

if TYPE_CHECKING:  # they import the library `datasets`
    from harness.cli.judge.published import PublishedCell
    from harness.inputs.given_labels import ValidationSplit
    from harness.inputs.given_predictions import GivenRun

    Split = ValidationSplit | str | None
    """Of a suite's data; text if they cannot be reached, and why; None without a suite."""


def split_of(suite: Suite, path: Path, cola_dir: str | None) -> "ValidationSplit | str":
    """Return the validation split of a suite's data, or why the data cannot be reached.

    Args:
        path: the suite's file; paths in it are relative to its folder.
        cola_dir: CoLA's folder, as typed; by default the environment's.

    Raises:
        BadInput: the data are at hand, but have mistakes; or a folder or data set that was named
            does not exist.
    """
    from harness.inputs import data
    from harness.inputs.given_labels import validation_split

    spec, folder = suite.dataset, cola_folder(chosen({"cola_dir": cola_dir}))
    try:
        source = data.find_now(spec, folder, path.resolve().parent)
    except Unavailable as error:
        return str(error)
    except BadInput as error:
        # A suite may be judged where its files are not: but not a mistyped folder or data set.
        if spec.source == "hub" or (spec.source == "cola" and folder is not None):
            raise
        return one_line("; ".join(error.problems))
    try:
        return validation_split(data.load(source, count_repeats=False))
    except Unavailable as error:
        return str(error)


def class_names(
    name: str | None, suite: Suite | None, split: "Split", published: "PublishedCell | None"
) -> Sequence[str]:
    """Return the names of the classes, which only the data may know.

    Args:
        name: of the suite, for messages.

    Raises:
        BadInput: neither suite nor data name them, or a published cell has another number.
    """
    names = _names_of_suite(name, suite, split)
    if published is None:
        return names
    if suite is None:
        return tuple(map(str, range(published.classes)))
    if len(names) != published.classes:
        raise BadInput(
            [
                f"{name}: {counted(len(names), 'class', 'classes')}, but {published.cell.id} has "
                f"{published.classes}; name the suite of its data"
            ]
        )
    return names


def _names_of_suite(name: str | None, suite: Suite | None, split: "Split") -> Sequence[str]:
    if suite is None:
        return ("0", "1")
    if split is not None and not isinstance(split, str):
        return split.class_names
    if not suite.dataset.class_names:
        raise BadInput(
            [
                f"{name}: dataset.class_names: only the data name the classes, and {split}; "
                "name the classes there"
            ]
        )
    return suite.dataset.class_names


def check_labels(runs: "Sequence[GivenRun]", split: "ValidationSplit") -> None:
    """Check that predictions have the labels and sentences of a split.

    Raises:
        BadInput: a line for each file that does not.
    """
    from harness.inputs.given_labels import unlike_split

    if problems := [problem for run in runs if (problem := unlike_split(run, split)) is not None]:
        raise BadInput(problems)
