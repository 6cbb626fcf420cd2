"""Tests of paths that a user typed, which may be too long or in a folder without permission."""

from collections.abc import Callable
from pathlib import Path


def passes(test: Callable[[Path], bool], path: Path) -> bool:
    """Return the result of a test of a path, such as Path.is_dir; False if it cannot be tested."""
    try:
        return test(path)
    except (OSError, ValueError):  # too long, no path, or in a folder without read permission
        return False


def is_absent(path: Path) -> bool:
    """Return whether a path surely does not exist; of another, reading it tells the problem."""
    return passes(lambda each: not each.exists(), path)
