"""When two texts are the same sentence: verbatim, or without case, punctuation and blanks."""

import unicodedata
from collections.abc import Callable, Iterable
from itertools import compress

import numpy as np

BLANK = " "

PUNCTUATION = {code: BLANK for code in range(0x20000) if unicodedata.category(chr(code))[0] == "P"}
"""Unicode's punctuation (categories P*), replaced by blanks. Symbols such as + and € stay. All
punctuation is in the planes 0 and 1."""

ASCII = bytes(
    ord(PUNCTUATION.get(code, BLANK if chr(code).isspace() else chr(code).lower()))
    for code in range(128)
) + bytes(128)
"""The same for ASCII characters, with lower case and blanks: one table is much faster."""

Rows = np.ndarray[tuple[int], np.dtype[np.int64]]


def normalised(text: str) -> str:
    """Return a text without case, punctuation and blanks: its words, separated by one blank.

    Letters and words stay, and characters that Unicode defines as compatible (NFKC) become equal.
    A text of punctuation only keeps it: otherwise "?!" and "..." would be the same sentence.
    """
    if text.isascii():
        simple = b" ".join(text.encode("ascii").translate(ASCII).split()).decode("ascii")
    else:
        folded = unicodedata.normalize("NFKC", text).casefold()
        simple = BLANK.join(folded.translate(PUNCTUATION).split())
    return simple or BLANK.join(text.split())


def verbatim(text: str) -> str:
    """Return the text."""
    return text


def first_rows(texts: Iterable[str], count: int, key: Callable[[str], str] = verbatim) -> Rows:
    """Return for each text the position of the first text with an equal key.

    Args:
        texts: iterated twice; only those whose hashes occur twice are held in memory.
        count: number of texts.
        key: the text itself, or `normalised`.
    """
    hashes = np.fromiter((hash(key(text)) for text in texts), np.int64, count)
    found = np.arange(count)
    candidates = _occur_again(hashes)
    first: dict[str, int] = {}
    for row, text in compress(enumerate(texts), candidates.tolist()):
        found[row] = first.setdefault(key(text), row)  # equal hashes need not be equal texts
    return found


def _occur_again(values: Rows) -> np.ndarray:
    """Return for each value whether it occurs at another position, too."""
    order = np.argsort(values)
    equal = values[order[1:]] == values[order[:-1]]
    found = np.zeros(len(values), dtype=bool)
    found[order[1:][equal]] = True
    found[order[:-1][equal]] = True
    return found
