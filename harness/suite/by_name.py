"""Suites that are part of the installed package, by name."""

import os
from pathlib import Path

FOLDER = Path(__file__).parent / "files"
NAMES = ("quickstart", "cola", "cola-full")


def shipped(name: str) -> Path | None:
    """Return the file of the suite with this name; None for other names, and for paths."""
    return FOLDER / f"{name}.toml" if name in NAMES else None


def as_typed(path: Path) -> str:
    """Return how a command line names a suite's file: a shipped suite by its name."""
    return path.stem if path == shipped(path.stem) else os.path.relpath(path)
