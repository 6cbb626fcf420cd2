"""Formats text and numbers for display: on one line, without terminal control characters."""

import operator
import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Literal


def printable(text: str) -> str:
    """Return text on one line, with every unprintable character as its escape sequence."""
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in text
    )


def one_line(text: str, most: int = 300) -> str:
    """Return text of several lines, such as a library's message, as one line, cut if it is long."""
    text = printable(" ".join(text.split()))
    return text if len(text) <= most else f"{text[: most - 3]}..."


def counted(number: float, noun: str, plural: str | None = None) -> str:
    """Return a number with its noun: 1 run, 2 runs, 1,000 runs.

    Args:
        plural: the noun's plural; by default the noun with an s at its end.
    """
    written = f"{number:,}" if isinstance(number, int) else f"{number:g}"
    return f"{written} {noun if number == 1 else plural or f'{noun}s'}"


def scientific(value: float) -> str:
    """Format a learning rate the way people write it, 2e-5, with its exact digits."""
    return f"{Decimal(repr(float(value))).normalize():e}"


def two_digits(value: float) -> str:
    """Format a number with two significant digits: 1600, 12, 0.058."""
    return f"{Decimal(f'{value:.2g}'):f}"


def with_decimals(value: float, least: int = 4) -> str:
    """Format a number with all its digits, and with at least so many decimals: 0.3000, 0.45004."""
    return max(f"{value:z.{least}f}", f"{Decimal(repr(float(value))):f}", key=len)


def in_full(value: float) -> str:
    """Format a number with all its digits and no others: 100, 0.45, 0.00001."""
    return f"{Decimal(repr(float(value))).normalize():f}"


def beside(
    value: float,
    *limits: float,
    most: bool = False,
    least: int = 4,
    kind: Literal["f", "g"] = "f",
    sign: str = "",
) -> str:
    """Format a number with so many digits that it reads below a limit exactly if it is below it.

    0.44998 beside 0.45 is 0.44998, not 0.4500; beside 0.5 it is 0.4500.

    Args:
        limits: such as thresholds, which are shown with all their digits.
        most: it reads above a limit exactly if it is above it; for the largest allowed values.
        least: the smallest number of decimals, or of digits if `kind` is "g".
        sign: "+" also marks positive numbers.
    """
    meets = operator.le if most else operator.ge
    for digits in range(least, 18):
        text = f"{value:{sign}z.{digits}{kind}}"
        if all(meets(float(text), limit) == meets(value, limit) for limit in limits):
            return text
    return f"{Decimal(repr(float(value))):{sign}f}"


def apart(
    a: float, b: float, least: int = 4, kind: Literal["f", "g"] = "f", most: int | None = None
) -> tuple[str, str]:
    """Format two numbers with so many digits that different ones read differently.

    Args:
        most: numbers that read alike with so many digits are the same; None if every digit counts.
    """

    def written(digits: int) -> tuple[str, str]:
        return f"{a:z.{digits}{kind}}", f"{b:z.{digits}{kind}}"

    for digits in range(least, (17 if most is None else most) + 1):
        texts = written(digits)
        if a == b or texts[0] != texts[1]:
            return texts
    return (in_full(a), in_full(b)) if most is None else written(least)


def series(texts: Sequence[str]) -> str:
    """Return texts as a series: a, b and c."""
    return " and ".join([", ".join(texts[:-1]), texts[-1]] if len(texts) > 1 else texts)


def some(names: Sequence[str], most: int = 3) -> str:
    """Return the first names and the number of the others."""
    shown = ", ".join(names[:most])
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown


def shortened(text: str, most: int = 60) -> str:
    """Return the beginning of a sentence in quotation marks, on one line, for a message."""
    text = printable(" ".join(text.split()))
    return f"'{text}'" if len(text) <= most else f"'{text[:most]}...'"


def duration(seconds: float) -> str:
    """Format a duration for a reader: 40 s, 12 min, 3 h 20 min."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"


def exact_duration(seconds: int) -> str:
    """Format whole seconds without rounding: 45 s, 1 min 30 s, 2 h."""
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    units = ((hours, "h"), (minutes, "min"), (rest, "s"))
    return " ".join(f"{number} {unit}" for number, unit in units if number) or "0 s"


def by_first_number(text: str) -> tuple[int, str, str]:
    """Return a key that sorts text by the whole number at its beginning, then as text."""
    found = re.match("[0-9]+", text)
    digits = found[0].lstrip("0") if found else ""
    return len(digits), digits, text  # in the order of the numbers, of any length
