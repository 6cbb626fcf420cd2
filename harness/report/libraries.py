"""The JavaScript libraries that the leaderboard page carries."""

import functools
import tomllib
from dataclasses import dataclass
from pathlib import Path

VENDOR = Path(__file__).parent / "vendor"


@dataclass(frozen=True)
class Library:
    """A JavaScript library that the page carries, as vendor/ORIGIN.toml says."""

    package: str
    version: str
    license: str
    license_text: str
    sha256: str
    content: str


@functools.cache
def libraries() -> tuple[Library, ...]:
    """Return the libraries that the page carries, in the order they must be run."""
    origin = tomllib.loads((VENDOR / "ORIGIN.toml").read_text(encoding="utf-8"))
    return tuple(
        Library(
            package=one["package"],
            version=one["version"],
            license=one["license"],
            license_text=(VENDOR / one["license_file"]).read_text(encoding="utf-8"),
            sha256=one["sha256"],
            content=(VENDOR / one["file"]).read_bytes().decode(),
        )
        for one in origin["library"]
    )
