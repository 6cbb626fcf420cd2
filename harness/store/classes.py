"""The predicted class of every sentence of a split, packed as text.

Two classes take one bit per sentence: `QYA=` is base64 of the bits, the first sentence in the
highest bit. k > 2 classes take ceil(log2(k)) bits per sentence, the highest bit first, after the
number of classes and a colon, which base64 never contains: `3:GA==` are the classes 0, 1, 2, 0.
"""

import base64
import binascii
import math
import re
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from harness.text import counted

MOST_CLASSES = 65_536
"""The largest number of classes: 16 bits per sentence."""


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


def pack(classes: np.ndarray, number: int = 2) -> str:
    """Return the classes of sentences, (sentences,) from 0 to `number` - 1, as text.

    Raises:
        ValueError: a value is not one of the classes, or too many classes.
    """
    if number == 2:
        if ((classes != 0) & (classes != 1)).any():
            raise ValueError("classes are 0 or 1")
        return base64.b64encode(np.packbits(classes.astype(np.uint8)).tobytes()).decode()
    if not 2 < number <= MOST_CLASSES:
        raise ValueError(f"{number} classes: 2 to {MOST_CLASSES} can be packed")
    if ((classes < 0) | (classes >= number) | (classes != np.floor(classes))).any():
        raise ValueError(f"classes are whole numbers from 0 to {number - 1}")
    bits = (classes.astype(np.int64)[:, None] >> _shifts(number)) & 1
    return f"{number}:{base64.b64encode(np.packbits(bits.astype(np.uint8)).tobytes()).decode()}"


def unpack(text: str, sentences: int) -> np.ndarray:
    """Return packed classes as (sentences,) uint8, or uint16 for more than 256 classes.

    Raises:
        ValueError: the text does not hold that many sentences, or a class that does not exist.
    """
    number = number_of_classes(text)
    packed = np.frombuffer(_bytes(text, sentences, number), dtype=np.uint8)
    if number == 2:
        return np.unpackbits(packed, count=sentences)
    used, unused = np.split(np.unpackbits(packed), [sentences * _width(number)])
    classes = used.reshape(sentences, _width(number)) @ (1 << _shifts(number))
    if unused.any() or (classes >= number).any():
        raise ValueError(f"bits that are none of {number} classes")
    return classes.astype(np.uint8 if number <= 256 else np.uint16)


def number_of_classes(text: str) -> int:
    """Return how many classes a packed text distinguishes.

    Raises:
        ValueError: the number before the colon is not one that `pack` writes.
    """
    if ":" not in text:
        return 2
    prefix = text.partition(":")[0]
    if not re.fullmatch(r"[1-9][0-9]{0,4}", prefix) or not 2 < int(prefix) <= MOST_CLASSES:
        raise ValueError(f"{prefix[:20]!r} before the colon: expected 3 to {MOST_CLASSES} classes")
    return int(prefix)


def tally(labels: str, classes: str, sentences: int) -> Counts:
    """Count the sentences of packed texts by label and predicted class.

    It counts bits of integers, which is fast enough to check a store of thousands of runs.

    Raises:
        ValueError: a text does not hold that many sentences, or has more than two classes.
    """
    if ":" in labels or ":" in classes:
        raise ValueError("more than two classes, which have no true and false positives")
    label, given = _label_bits(labels, sentences), _bits(classes, sentences)
    hits, positives, labelled = (label & given).bit_count(), given.bit_count(), label.bit_count()
    rest = sentences - positives - labelled + hits
    return Counts(hits, positives - hits, labelled - hits, rest)


def _bits(text: str, sentences: int) -> int:
    """Return the classes of two as the bits of a number, the last sentence in the lowest."""
    return int.from_bytes(_bytes(text, sentences, 2), "big") >> -sentences % 8


_label_bits = lru_cache(maxsize=16)(_bits)  # all runs on the same data have the same labels


def _width(number: int) -> int:
    """Return the number of bits that hold a class."""
    return (number - 1).bit_length()


def _shifts(number: int) -> np.ndarray:
    """Return the positions of the bits of a class, the highest first."""
    return np.arange(_width(number))[::-1]


def _bytes(text: str, sentences: int, number: int) -> bytes:
    encoded = text if number == 2 else text.removeprefix(f"{number}:")
    try:
        packed = binascii.a2b_base64(encoded, strict_mode=True)
    except ValueError as error:  # binascii.Error, or characters beyond ASCII
        raise ValueError(f"not base64: {error}") from None
    if len(packed) != -(-sentences * _width(number) // 8):
        raise ValueError(f"{8 * len(packed)} bits do not hold {counted(sentences, 'sentence')}")
    return packed
