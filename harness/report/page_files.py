"""The files of the leaderboard page: its libraries, style sheet and script."""

import base64
import functools
import hashlib
import tomllib
from dataclasses import dataclass
from pathlib import Path

ASSETS = Path(__file__).parent / "assets"


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
    vendor = Path(__file__).parent / "vendor"
    return tuple(
        Library(
            package=one["package"],
            version=one["version"],
            license=one["license"],
            license_text=(vendor / one["license_file"]).read_text(encoding="utf-8"),
            sha256=one["sha256"],
            content=(vendor / one["file"]).read_bytes().decode(),
        )
        for one in tomllib.loads((vendor / "ORIGIN.toml").read_text(encoding="utf-8"))["library"]
    )


@functools.cache
def _asset(name: str) -> str:
    return (ASSETS / name).read_text(encoding="utf-8")


def script(further: bool) -> str:
    """Return the page's script.

    Args:
        further: whether heat maps show other settings than batch size and learning rate: then
            heat_maps.js has the function that draws them. Other pages keep their bytes.
    """
    text = _asset("page.js")
    if not further:
        return text
    before, _, rest = text.partition("  function drawSettings() {")
    _, end, after = rest.partition("  function draw() {")
    return f"{before}{_asset('heat_maps.js')}{end}{after}"


def style(matrix: bool) -> str:
    """Return the page's style sheet.

    Args:
        matrix: whether the page shows a confusion matrix. Other pages keep their bytes.
    """
    return _asset("page.css") + (_asset("confusion.css") if matrix else "")


def digest(script: str) -> str:
    """Return a script's hash as a content security policy writes it."""
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
