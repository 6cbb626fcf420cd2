"""Classes come back from their text as they went in."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.store.classes import pack, unpack


@given(st.lists(st.integers(0, 1), max_size=100))
def test_classes_come_back(classes: list[int]) -> None:
    packed = pack(np.asarray(classes, dtype=np.int64))
    assert packed.isascii()
    assert unpack(packed, len(classes)).tolist() == classes


def test_the_text_is_base64_of_the_bits_in_order() -> None:
    assert pack(np.array([0, 1, 0, 0, 0, 0, 0, 1, 1])) == "QYA="  # 0x41 0x80


def test_the_classes_of_cola_take_fewer_than_200_characters() -> None:
    assert len(pack(np.ones(1043, dtype=np.int64))) == 176


def test_a_hidden_label_is_no_class() -> None:
    with pytest.raises(ValueError, match="0 or 1"):
        pack(np.array([0, 1, -1]))


@pytest.mark.parametrize("text", ["QYA", "Q!", "QYA=QYA=", "é"])
def test_what_is_no_packed_text_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"base64|ASCII"):
        unpack(text, 9)


@pytest.mark.parametrize("sentences", [8, 17])
def test_text_of_another_length_is_refused(sentences: int) -> None:
    with pytest.raises(ValueError, match=f"16 bits do not hold {sentences} sentences"):
        unpack("QYA=", sentences)
