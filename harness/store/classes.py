"""The predicted class of every sentence of a split, packed as text: one bit per sentence."""

import base64
import math

import numpy as np

from harness.text import counted


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


def tally(labels: str, classes: str, sentences: int) -> tuple[int, int, int, int]:
    """Return true positives, false positives, false negatives and true negatives of packed texts.

    It counts bits of integers, which is fast enough to check a store of thousands of runs.

    Raises:
        ValueError: a text does not hold that many sentences.
    """
    unused = -sentences % 8
    label, given = (
        int.from_bytes(_bytes(text, sentences), "big") >> unused for text in (labels, classes)
    )
    hits, positives, labelled = (label & given).bit_count(), given.bit_count(), label.bit_count()
    return hits, positives - hits, labelled - hits, sentences - positives - labelled + hits


def matthews(
    true_positive: int, false_positive: int, false_negative: int, true_negative: int
) -> float | None:
    """Return the Matthews correlation of counts; None if labels or predictions have one class only.

    (TP TN - FP FN) / sqrt((TP + FP)(TP + FN)(TN + FP)(TN + FN)) (Matthews 1975).
    """
    given = (true_positive + false_positive) * (true_negative + false_negative)
    labelled = (true_positive + false_negative) * (true_negative + false_positive)
    if given * labelled == 0:
        return None
    covariance = true_positive * true_negative - false_positive * false_negative
    return covariance / math.sqrt(given * labelled)


def accuracy(
    true_positive: int, false_positive: int, false_negative: int, true_negative: int
) -> float | None:
    """Return the share of sentences classified correctly; None if there are no sentences."""
    sentences = true_positive + false_positive + false_negative + true_negative
    return (true_positive + true_negative) / sentences if sentences else None


def f1(
    true_positive: int, false_positive: int, false_negative: int, true_negative: int
) -> float | None:
    """Return the F1 of class 1; None if class 1 is neither predicted nor true.

    2 TP / (2 TP + FP + FN), the harmonic mean of precision and recall (van Rijsbergen 1979).
    """
    found = 2 * true_positive + false_positive + false_negative
    return 2 * true_positive / found if found else None


def _bytes(text: str, sentences: int) -> bytes:
    try:
        packed = base64.b64decode(text, validate=True)
    except ValueError as error:  # binascii.Error, or characters beyond ASCII
        raise ValueError(f"not base64: {error}") from None
    if len(packed) != -(-sentences // 8):
        raise ValueError(f"{8 * len(packed)} bits do not hold {counted(sentences, 'sentence')}")
    return packed
