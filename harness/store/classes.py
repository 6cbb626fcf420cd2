"""The predicted class of every sentence of a split, packed as text: one bit per sentence."""

import base64
import math
from typing import NamedTuple

import numpy as np

from harness.text import counted


class Counts(NamedTuple):
    """Sentences by label and predicted class; class 1 is the positive one."""

    true_positive: int
    false_positive: int
    false_negative: int
    true_negative: int

    @property
    def mcc(self) -> float | None:
        """The Matthews correlation; None if labels or predictions have one class only.

        (TP TN - FP FN) / sqrt((TP + FP)(TP + FN)(TN + FP)(TN + FN)) (Matthews 1975).
        """
        tp, fp, fn, tn = self
        product = (tp + fp) * (tp + fn) * (tn + fp) * (tn + fn)
        return (tp * tn - fp * fn) / math.sqrt(product) if product else None

    @property
    def accuracy(self) -> float | None:
        """The share of sentences classified correctly; None if there are no sentences."""
        sentences = sum(self)
        return (self.true_positive + self.true_negative) / sentences if sentences else None

    @property
    def f1(self) -> float | None:
        """The F1 of class 1; None if class 1 is neither predicted nor true.

        2 TP / (2 TP + FP + FN), the harmonic mean of precision and recall (van Rijsbergen 1979).
        """
        found = 2 * self.true_positive + self.false_positive + self.false_negative
        return 2 * self.true_positive / found if found else None


def pack(classes: np.ndarray) -> str:
    """Return (sentences,) of 0 and 1 as base64 of its bits, the first sentence in the highest bit.

    Raises:
        ValueError: a value is neither 0 nor 1.
    """
    if not np.isin(classes, (0, 1)).all():
        raise ValueError("classes are 0 or 1")
    return base64.b64encode(np.packbits(classes.astype(np.uint8)).tobytes()).decode()


def unpack(text: str, sentences: int) -> np.ndarray:
    """Return packed classes as (sentences,) uint8 of 0 and 1.

    Raises:
        ValueError: the text does not hold that many sentences.
    """
    packed = np.frombuffer(_bytes(text, sentences), dtype=np.uint8)
    return np.unpackbits(packed, count=sentences)


def tally(labels: str, classes: str, sentences: int) -> Counts:
    """Count the sentences of packed texts by label and predicted class.

    It counts bits of integers, which is fast enough to check a store of thousands of runs.

    Raises:
        ValueError: a text does not hold that many sentences.
    """
    unused = -sentences % 8
    label, given = (
        int.from_bytes(_bytes(text, sentences), "big") >> unused for text in (labels, classes)
    )
    hits, positives, labelled = (label & given).bit_count(), given.bit_count(), label.bit_count()
    rest = sentences - positives - labelled + hits
    return Counts(hits, positives - hits, labelled - hits, rest)


def _bytes(text: str, sentences: int) -> bytes:
    try:
        packed = base64.b64decode(text, validate=True)
    except ValueError as error:  # binascii.Error, or characters beyond ASCII
        raise ValueError(f"not base64: {error}") from None
    if len(packed) != -(-sentences // 8):
        raise ValueError(f"{8 * len(packed)} bits do not hold {counted(sentences, 'sentence')}")
    return packed
