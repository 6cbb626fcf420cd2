"""Loads a user's own file as a session does."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from builders.waiting import UNREACHABLE
from harness.errors import BadInput
from harness.inputs import data
from harness.suite.spec import DatasetSpec


def load_small(path: Path, **settings: Any) -> data.Data:
    """Load a small file, with four rows for validation."""
    return load_file(path, **{"validation_size": 4, **settings})


def load_file(path: Path, **settings: Any) -> data.Data:
    spec = DatasetSpec(source="file", path=path.name, **settings)
    return data.load(data.find(spec, None, UNREACHABLE, path.parent))


def problems_of(call: Callable[[], object]) -> list[str]:
    with pytest.raises(BadInput) as caught:
        call()
    return list(caught.value.problems)


def by_idx(loaded: data.Data) -> dict[int, tuple[str, int]]:
    """Return every sentence and label by its row number in the file."""
    return {
        row["idx"]: (row["sentence"], row["label"])
        for split in loaded.splits.values()
        for row in split
    }


def rows_of(loaded: data.Data) -> list[tuple[str, int]]:
    """Return every sentence and label in file order."""
    return [row for _, row in sorted(by_idx(loaded).items())]
