"""Markdown elements (GitHub's flavour) that show any text unchanged."""

import re
from collections.abc import Iterable, Sequence

from tabulate import tabulate

from harness.text import printable


def code(text: str) -> str:
    """Return text as a code span, which Markdown shows unchanged (CommonMark 6.1)."""
    text = printable(text)
    fence = "`" * (max(map(len, re.findall("`+", text)), default=0) + 1)
    # Markdown removes one space at both ends, unless the text is only spaces.
    pad = " " if text.strip() and (text[0] in "` " or text[-1] in "` ") else ""
    return f"{fence}{pad}{text}{pad}{fence}"


def escaped(text: str) -> str:
    """Return text on one line, with the special characters of Markdown and HTML escaped."""
    # An underscore inside a word has no special meaning.
    special = r"[\\`*\[\]<>&~$]|(?<![^\W_])_|_(?![^\W_])"
    return re.sub(special, r"\\\g<0>", printable(" ".join(text.split())))


def grid(headings: Sequence[str], lines: Iterable[Sequence[str]], columns: Sequence[str]) -> str:
    # An unescaped pipe ends a table cell, even inside a code span.
    names, *fields = ([text.replace("|", "\\|") for text in line] for line in (headings, *lines))
    return tabulate(fields, names, "pipe", disable_numparse=True, colalign=columns)


def section(title: str, lines: Iterable[str]) -> list[str]:
    """Return a heading and a bullet list; an empty list if there are no lines."""
    items = "\n".join(f"- {line}" for line in lines)
    return [f"## {title}", items] if items else []
