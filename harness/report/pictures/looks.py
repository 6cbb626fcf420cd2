"""The style of a leaderboard's pictures: colours and markers of checkpoints, drawable text, ids."""

import re
import textwrap
from collections.abc import Iterable, Mapping
from typing import Any

from matplotlib.font_manager import findfont, get_font

from harness.report.pictures.charts import Line, lines_by_checkpoint
from harness.text import printable

DPI = 120

STYLE: Any = {
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "figure.dpi": DPI,
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "grid.color": "#d9dee3",
    "grid.linewidth": 0.6,
    "svg.fonttype": "path",
    "svg.hashsalt": "harness",
    "text.parse_math": False,
}

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
"""Okabe and Ito's palette, which colour-blind people can distinguish; the page uses the same."""

MARKERS = ("o", "s", "^", "D", "*", "P")

OTHERS = ("#8a8f96", "P")

Looks = Mapping[str, tuple[str, str]]
"""Each checkpoint's colour and marker."""


def looks_of(lines: Iterable[Line]) -> Looks:
    """Give each of the best checkpoints its own colour and marker; all others share one."""
    names = list(lines_by_checkpoint(lines))
    distinct = len(COLOURS) if len(names) <= len(COLOURS) else len(COLOURS) - 1
    looks = zip(COLOURS[:distinct], MARKERS[:distinct], strict=True)
    return dict(zip(names, looks, strict=False)) | dict.fromkeys(names[distinct:], OTHERS)


def drawable(text: str, most: int = 60) -> str:
    """Return text on one line, in characters of the font; a long text loses its middle."""
    font = get_font(findfont("DejaVu Sans"))
    shown = "".join(
        each if font.get_char_index(ord(each)) else each.encode("unicode_escape").decode()
        for each in printable(text)
    )
    if len(shown) <= most:
        return shown
    half = (most - 1) // 2
    return f"{shown[:half]}…{shown[-half:]}"


def on_lines(text: str, width: int = 40, most: int = 3) -> list[str]:
    """Return text as drawable lines of at most a width in characters, at most so many lines."""
    return textwrap.wrap(drawable(text, width * most), width, max_lines=most, placeholder="…")


def broken(text: str) -> str:
    """Return the circumstances of a group on two lines."""
    together, _, hardware = drawable(text, 110).partition("; ")
    return f"{together}\n{hardware}"


def with_short_ids(svg: bytes) -> bytes:
    """Replace the ids in a picture by numbers, in order of appearance.

    matplotlib derives ids from all digits of the coordinates. The last digits differ between
    processors; the picture itself has six.
    """
    names = dict.fromkeys(re.findall(rb'id="([a-zA-Z][0-9a-f]{10})"', svg))
    numbered = {name: name[:1] + str(number).encode() for number, name in enumerate(names, 1)}
    return re.sub(rb"\b[a-zA-Z][0-9a-f]{10}\b", lambda match: numbered.get(match[0], match[0]), svg)
