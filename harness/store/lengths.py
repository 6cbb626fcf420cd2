"""Ranges of sentence lengths in words, by which validation sentences are grouped."""

LENGTHS = ((4, "1-4 words"), (6, "5-6 words"), (9, "7-9 words"), (13, "10-13 words"))
"""Each range with its maximum; longer sentences are one more range."""


def length_of(sentence: str) -> str:
    """Return the name of the range of lengths to which a sentence belongs."""
    words = len(sentence.split())
    return next((name for most, name in LENGTHS if words <= most), "14 words or more")
