"""Which class a label means: a class name, or the class's number where no name contradicts it.

A label means the same in every format, although CSV writes text where Parquet has an integer, a
float or a boolean. So labels are compared by meaning: numbers by value, booleans as true or
false, other text character by character.
"""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Literal, NamedTuple

BOOLEANS = {
    "true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False
}  # fmt: skip
"""As JSON, Python and spreadsheets write them."""

WORDS = {"yes": True, "on": True, "no": False, "off": False}
"""Booleans in YAML and forms: used to check class names, never to compare labels."""

NUMBERED_NAME = re.compile(r"(?:class|label)[ _-]?([0-9]+)", re.ASCII | re.IGNORECASE)
"""Names that contain a class number, such as LABEL_1, the default of transformers."""

NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?", re.ASCII)
"""Text that is compared as a number. 01, +1, 1e0 and digits of other scripts stay text: such a
label may be a code, so it does not mean 1."""


class Meaning(NamedTuple):
    """The meaning of a label: equal for all its spellings."""

    kind: Literal["number", "boolean", "text"]
    value: Decimal | str


MOST_CLASSES = 256
"""The largest number of classes of a suite."""

LONGEST_MISSPELT = 100
"""Number of characters of a label beyond which no name is searched for that it may misspell."""

MOST_EDITS = 2
"""The largest number of characters in which a misspelt label differs from a class name."""

SEPARATORS = re.compile(r"[_\s-]+")
"""What separates words in a class name."""


def numbered(classes: int) -> dict[Meaning | None, int]:
    """Return the classes by their numbers from 0; two classes also by false and true."""
    numbers: dict[Meaning | None, int] = {
        Meaning("number", Decimal(number)): number for number in range(classes)
    }
    booleans: dict[Meaning | None, int] = {
        Meaning("boolean", Decimal(value)): int(value) for value in (False, True)
    }
    return numbers | booleans if classes == 2 else numbers


def meaning_of(label: object) -> Meaning | None:
    """Return the meaning of a file's label or a class name; None if it cannot be a label.

    Text is stripped of surrounding white space and compared in Unicode normal form C.
    """
    match label:
        case bool():
            return Meaning("boolean", Decimal(label))
        case int() | Decimal():
            return _number(Decimal(label))
        case float():
            return _number(Decimal(int(label)) if label.is_integer() else Decimal(repr(label)))
        case str():
            text = unicodedata.normalize("NFC", label.strip())
            if text in BOOLEANS:
                return Meaning("boolean", Decimal(BOOLEANS[text]))
            if NUMBER.fullmatch(text):
                return _number(Decimal(text))
            return Meaning("text", text) if text else None
    return None


def classes_of_labels(class_names: Sequence[str]) -> Mapping[Meaning | None, int]:
    """Return the class, a number from 0, of every valid label.

    A class name means its class. The numbers of the classes (of two: also false and true) mean
    them, too, unless a class name is a number or a boolean of another value: with the names
    ["1", "0"] or ["true", "false"], the label 1 must not mean class 1, whose name is 0 or false.
    """
    named: dict[Meaning | None, int] = {
        meaning: number
        for number, name in enumerate(class_names)
        if (meaning := meaning_of(name)) is not None
    }
    return (numbered(len(class_names)) if numbers_are_classes(class_names) else {}) | named


def numbers_are_classes(class_names: Sequence[str]) -> bool:
    """Return whether labels that are the numbers of the classes mean these classes.

    They do not if a program may read a class name as another number, such as 01 and 02.
    """
    return all(_value(name) in (None, number) for number, name in enumerate(class_names))


def ambiguity(class_names: Sequence[str]) -> str | None:
    """Return why class names cannot be distinguished in a file, or None.

    The check is strict: names that a program may read as the same number, such as 1 and 01, are
    ambiguous.
    """
    if not all(name.strip() for name in class_names):
        return "a class name must not be blank"
    first: dict[object, int] = {}
    for number, name in enumerate(class_names):
        identities: tuple[object, ...] = (meaning_of(name), _value(name))
        for identity in identities:
            other = number if identity is None else first.setdefault(identity, number)
            if other == number:
                continue
            if len(class_names) == 2:
                what, these = "the two class names", "these"
            else:
                what, these = "class names", f"{class_names[other]!r:.60} and {name!r:.60}"
            return f"{what} must differ, and {these} may be read as the same; choose others"
    return None


def likely_name(label: object, class_names: Sequence[str]) -> str | None:
    """Return the class name that a label, which is no class, probably misspells, or None.

    Numbers and long texts are no misspelt names, and neither is a name with a prefix or an ending:
    "unacceptable" is not "acceptable". Of several names that are equally near, none is likely.
    """
    meaning = meaning_of(label)
    if meaning is None or meaning.kind != "text" or len(str(meaning.value)) > LONGEST_MISSPELT:
        return None
    edits = {
        name: number
        for name in class_names
        if (each := meaning_of(name)) is not None
        and each.kind == "text"
        and (number := _edits(str(meaning.value), str(each.value))) is not None
    }
    near = [name for name, number in edits.items() if number == min(edits.values())]
    return near[0] if len(near) == 1 else None


def _edits(typed: str, name: str) -> int | None:
    """Return in how many characters a text misspells a name; None if it is another name.

    Case and the separators of words do not count.
    """
    ours, theirs = (SEPARATORS.split(text.casefold()) for text in (typed, name))
    if "".join(ours) == "".join(theirs):
        return 0
    if len(ours) != len(theirs):
        return None
    total = 0
    for pair in zip(ours, theirs, strict=True):
        number = 0 if pair[0] == pair[1] else _edits_of_word(*pair)
        if number is None:
            return None
        total += number
    return total if total <= MOST_EDITS else None


def _edits_of_word(typed: str, word: str) -> int | None:
    """Return in how many characters a word misspells another; None if it is another word."""
    short, long = sorted((typed, word), key=len)
    more = len(long) - len(short)
    # Prefixes and endings change the meaning, often to the opposite: atypical, untrue, harmless.
    if more > MOST_EDITS or long.endswith(short) or (more > 1 and long.startswith(short)):
        return None
    if any(map(str.isdecimal, typed + word)):  # topic1 is not topic2
        return None
    allowed = 1 if len(long) >= 4 else 0
    if len(short) >= 8 and short[0] == long[0]:  # increase is not decrease
        allowed = MOST_EDITS
    number = _distance(typed, word)
    return number if number <= allowed else None


def _distance(a: str, b: str) -> int:
    """Return the least number of characters to insert, delete, replace or swap with the next."""
    before: list[int] = []
    row = list(range(len(b) + 1))
    for i, ours in enumerate(a, 1):
        older, before, row = before, row, [i]
        for j, theirs in enumerate(b, 1):
            least = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (ours != theirs))
            if i > 1 and j > 1 and (ours, a[i - 2]) == (b[j - 2], theirs):
                least = min(least, older[j - 2] + 1)
            row.append(least)
    return row[-1]


def _number(value: Decimal) -> Meaning | None:
    return Meaning("number", value) if value.is_finite() else None


def _value(name: str) -> Decimal | None:
    """Return the number that a program or a reader may read a name as.

    true, yes and on are 1; false, no and off are 0; LABEL_1 and class 1 are 1.
    """
    text = name.strip()
    if text in BOOLEANS or text.casefold() in WORDS:
        return Decimal(BOOLEANS.get(text, WORDS.get(text.casefold(), False)))
    if numbered := NUMBERED_NAME.fullmatch(text):
        text = numbered[1]
    try:
        value = Decimal(text)
    except InvalidOperation:
        return None
    return value if value.is_finite() else None
