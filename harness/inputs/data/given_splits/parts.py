"""One file of a given split, as it was read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.inputs.data.labelled_file import LabelledTable
from harness.inputs.split_files import SplitFile


@dataclass(frozen=True)
class Part:
    """A file and its rows."""

    file: SplitFile
    table: LabelledTable


Parts = Mapping[str, Sequence[Part]]
"""The files of every split that could be read, in order."""
