"""The JavaScript libraries embedded in the leaderboard page."""

import functools
import tomllib
from dataclasses import dataclass
from pathlib import Path

VENDOR = Path(__file__).parent / "vendor"


@dataclass(frozen=True)
class Library:
    """A JavaScript library embedded in the page, as listed in vendor/ORIGIN.toml."""

    package: str
    version: str
    license: str
    license_text: str
    sha256: str
    content: str


@functools.cache
def libraries() -> tuple[Library, ...]:
    """Return the libraries embedded in the page, in the order in which they must run."""
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
