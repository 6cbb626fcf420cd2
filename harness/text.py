"""Text made fit to be shown: on one line, and without what a terminal acts upon."""

from collections.abc import Sequence

MOST_CHARACTERS = 300


def printable(text: str) -> str:
    """Return text on one line, each character that a terminal acts upon as its escape."""
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in text
    )


def one_line(text: str) -> str:
    """Return what a library says in many lines as one of at most 300 characters."""
    text = printable(" ".join(text.split()))
    return text if len(text) <= MOST_CHARACTERS else f"{text[: MOST_CHARACTERS - 3]}..."


def counted(number: float, noun: str, plural: str | None = None) -> str:
    """Return how many of something there are: 1 run, 2 runs, 1,000 runs.

    Args:
        plural: of the noun; by default with an s at its end.
    """
    written = f"{number:,}" if isinstance(number, int) else f"{number:g}"
    return f"{written} {noun if number == 1 else plural or f'{noun}s'}"


def some(names: Sequence[str], most: int = 3) -> str:
    """Return the first of many names, and how many more there are."""
    shown = ", ".join(names[:most])
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown


def shortened(text: str, most: int = 60) -> str:
    """Return the beginning of a sentence in quotation marks, fit to stand within a message."""
    text = printable(" ".join(text.split()))
    return f"'{text}'" if len(text) <= most else f"'{text[:most]}...'"
