"""Classes come back from their text as they went in."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.store.classes import number_of_classes, pack, tally, unpack


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


@given(
    st.integers(2, 300).flatmap(lambda k: st.tuples(st.just(k), st.lists(st.integers(0, k - 1))))
)
def test_any_number_of_classes_comes_back(drawn: tuple[int, list[int]]) -> None:
    number, classes = drawn
    packed = pack(np.asarray(classes, dtype=np.int64), number)
    assert packed.isascii()
    assert number_of_classes(packed) == number
    assert unpack(packed, len(classes)).tolist() == classes


@pytest.mark.parametrize("number", [3, 4, 5, 255, 256, 257, 2000, 65_536])
def test_the_last_class_comes_back_whatever_their_number(number: int) -> None:
    classes = np.array([number - 1, 0, number - 1, 1])
    unpacked = unpack(pack(classes, number), 4)
    assert unpacked.tolist() == classes.tolist()
    assert unpacked.dtype == (np.uint8 if number <= 256 else np.uint16)


def test_three_classes_are_their_number_and_base64_of_two_bits_each() -> None:
    assert pack(np.array([0, 1, 2, 0]), 3) == "3:GA=="  # 00 01 10 00 = 0x18
    assert pack(np.array([19, 0]), 20) == "20:mAA="  # 10011 00000 = 0x98 0x00


def test_the_text_of_two_classes_never_equals_one_of_more() -> None:
    classes = np.array([0, 1, 1, 0])
    assert len({pack(classes), pack(classes, 3), pack(classes, 4), pack(classes, 2000)}) == 4


@pytest.mark.parametrize(("number", "length"), [(3, 2 + 348), (20, 3 + 872), (2000, 5 + 1916)])
def test_a_class_takes_no_more_bits_than_it_needs(number: int, length: int) -> None:
    """Of 1,043 sentences: 2, 5 and 11 bits each, 6 bits a character, in fours."""
    assert len(pack(np.full(1043, number - 1), number)) == length


@pytest.mark.parametrize(
    ("classes", "number", "reason"),
    [
        ([0, 3], 3, "from 0 to 2"),
        ([0, -1], 20, "from 0 to 19"),
        ([0.5, 1], 5, "from 0 to 4"),
        ([0, 2], 2, "0 or 1"),
        ([0, 0], 1, "1 classes: 2 to 65536"),
        ([0, 0], 65_537, "65537 classes: 2 to 65536"),
    ],
)
def test_what_is_no_class_is_not_packed(classes: list[float], number: int, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        pack(np.array(classes), number)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("2:GA==", "'2' before the colon"),
        ("03:GA==", "'03' before the colon"),
        ("70000:GA==", "'70000' before the colon"),
        (":GA==", "'' before the colon"),
        ("٣:GA==", "before the colon"),
        ("3:4:GA==", "not base64"),
        ("3:GA", "not base64"),
        ("3:GAA=", "16 bits do not hold 4 sentences"),
        ("3:", "0 bits do not hold 4 sentences"),
        ("3:3A==", "bits that are none of 3 classes"),  # 11 01 11 00
    ],
)
def test_what_is_no_packed_text_of_many_classes_is_refused(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        unpack(text, 4)


def test_bits_after_the_last_sentence_are_refused() -> None:
    assert unpack("3:GA==", 3).tolist() == [0, 1, 2]
    with pytest.raises(ValueError, match="bits that are none"):
        unpack("3:GQ==", 3)


def test_more_than_two_classes_have_no_true_positives() -> None:
    with pytest.raises(ValueError, match="more than two classes"):
        tally("QA==", pack(np.array([2, 0]), 3), 2)
