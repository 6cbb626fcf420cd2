"""The class given to every sentence of a split, as short text: a bit a sentence, in its order."""

import base64
import binascii

import numpy as np


def pack(classes: np.ndarray) -> str:
    """Return (sentences,) of 0 and 1 as base64 of its bits, the first sentence's bit highest.

    Raises:
        ValueError: another value than 0 or 1.
    """
    if not np.isin(classes, (0, 1)).all():
        raise ValueError("classes are 0 or 1")
    return base64.b64encode(np.packbits(classes.astype(np.uint8)).tobytes()).decode()


def unpack(text: str, sentences: int) -> np.ndarray:
    """Return (sentences,) uint8 of 0 and 1, as they were packed.

    Raises:
        ValueError: the text does not hold that many sentences.
    """
    try:
        packed = np.frombuffer(base64.b64decode(text, validate=True), dtype=np.uint8)
    except binascii.Error as error:
        raise ValueError(f"not base64: {error}") from None
    if len(packed) != -(-sentences // 8):
        raise ValueError(f"{8 * len(packed)} bits do not hold {sentences} sentences")
    return np.unpackbits(packed, count=sentences)
