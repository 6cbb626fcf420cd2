"""Pieces of Markdown (GitHub's flavour) that show any text as it is."""

import re
from collections.abc import Iterable, Sequence

from tabulate import tabulate

from harness.text import printable


def code(text: str) -> str:
    """Return text as a code span, in which Markdown changes nothing (CommonMark 6.1)."""
    text = printable(text)
    fence = "`" * (max(map(len, re.findall("`+", text)), default=0) + 1)
    # One space at both ends is taken off, unless there is nothing but spaces.
    pad = " " if text.strip() and (text[0] in "` " or text[-1] in "` ") else ""
    return f"{fence}{pad}{text}{pad}{fence}"


def escaped(text: str) -> str:
    """Return prose on one line, with what Markdown or HTML would act upon escaped."""
    # An underscore inside a word is only an underscore.
    special = r"[\\`*\[\]<>&~$]|(?<![^\W_])_|_(?![^\W_])"
    return re.sub(special, r"\\\g<0>", printable(" ".join(text.split())))


def grid(headings: Sequence[str], lines: Iterable[Sequence[str]], columns: Sequence[str]) -> str:
    # A pipe ends a table's field even inside a code span, unless it is escaped.
    fields = [[text.replace("|", "\\|") for text in line] for line in lines]
    return tabulate(fields, headings, "pipe", disable_numparse=True, colalign=columns)


def section(title: str, lines: Iterable[str]) -> list[str]:
    """Return a heading and a list, or nothing where there is nothing to list."""
    items = "\n".join(f"- {line}" for line in lines)
    return [f"## {title}", items] if items else []
