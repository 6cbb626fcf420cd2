"""Suites that are part of the installed package, by name."""

from pathlib import Path

FOLDER = Path(__file__).parent / "files"
NAMES = ("quickstart", "cola", "cola-full")


def shipped(name: str) -> Path | None:
    """Return the file of the suite with this name; None for other names, and for paths."""
    return FOLDER / f"{name}.toml" if name in NAMES else None
