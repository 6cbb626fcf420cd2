"""The style of a leaderboard's pictures: settings of matplotlib, drawable text, short ids."""

import re
import textwrap
from typing import Any

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

MARGIN = 0.12
"""Empty share of the speed axis on each side of all marks: space for a label."""

MARGINS = (MARGIN, 0.1)
"""Empty shares of the axes on each side of all marks, horizontally and vertically."""


def front_inches(charts: int) -> tuple[float, float]:
    """Return width and height of a picture with so many charts of speed side by side."""
    return 2.6 + 4.4 * charts, 4.6


def drawable(text: str, most: int = 60) -> str:
    """Return text on one line, in characters of the font; a long text loses its middle."""
    from matplotlib.font_manager import findfont, get_font  # slow: drawn pictures are kept

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
