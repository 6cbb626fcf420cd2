"""The validation split of a suite for `harness judge`, if its data are at hand."""

from pathlib import Path
from typing import TYPE_CHECKING

from harness.cli.choices import chosen
from harness.errors import BadInput, Unavailable
from harness.session.options import cola_folder
from harness.suite.spec import Suite
from harness.text import one_line

if TYPE_CHECKING:  # it imports the library `datasets`
    from harness.inputs.given_labels import ValidationSplit


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
