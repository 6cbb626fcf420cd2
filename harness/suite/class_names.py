"""Which class a label means: a class name, or the class's number where no name contradicts it.

A label means the same in every format, though CSV writes text where Parquet has an integer, a
float or a boolean. So labels are compared by what they say: numbers by value, booleans as true or
false, other text letter by letter.
"""

import re
import unicodedata
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Literal, NamedTuple

BOOLEANS = {
    "true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False
}  # fmt: skip
"""As JSON, Python and spreadsheets write them."""

WORDS = {"yes": True, "on": True, "no": False, "off": False}
"""What YAML and forms write for booleans: no label is compared so, but names are checked."""

NUMBERED_NAME = re.compile(r"(?:class|label)[ _-]?([0-9]+)", re.ASCII | re.IGNORECASE)
"""Names that say a class's number, such as LABEL_1, which transformers gives."""

NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?", re.ASCII)
"""Text that is compared as a number. 01, +1, 1e0 and digits of other scripts are text: such a
label may be a code, and is not guessed to be 1."""


class Meaning(NamedTuple):
    """What a label says, equal for all its spellings."""

    kind: Literal["number", "boolean", "text"]
    value: Decimal | str


NUMBERED: dict[Meaning | None, int] = {
    Meaning("number", Decimal(0)): 0,
    Meaning("number", Decimal(1)): 1,
    Meaning("boolean", Decimal(False)): 0,
    Meaning("boolean", Decimal(True)): 1,
}
"""The classes by their numbers."""


def meaning_of(label: object) -> Meaning | None:
    """Return what a file's label or a class name says; None for what cannot be a label.

    Blanks around text are left out, and text is compared in Unicode's normal form C.
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


def classes_of_labels(class_names: tuple[str, str]) -> Mapping[Meaning | None, int]:
    """Return the class, 0 or 1, of everything that a label may say.

    A class name means its class. 0, 1, false and true mean the class of that number as well,
    unless a class name is a number or a boolean of another value: what ["1", "0"] or
    ["true", "false"] calls 1 must not be the other class because of where it stands in the list.
    """
    named: dict[Meaning | None, int] = {
        meaning: number
        for number, name in enumerate(class_names)
        if (meaning := meaning_of(name)) is not None
    }
    return (NUMBERED if numbers_are_classes(class_names) else {}) | named


def numbers_are_classes(class_names: tuple[str, str]) -> bool:
    """Return whether 0, 1, false and true stand for the classes, whatever these are called.

    They do not under names that any program may read as other numbers: 01 and 02 too.
    """
    return all(_value(name) in (None, number) for number, name in enumerate(class_names))


def ambiguity(class_names: tuple[str, str]) -> str | None:
    """Return why two class names cannot be told apart in a file, or None.

    It is strict: names that any program may read as one number are ambiguous, 1 and 01 too.
    """
    first, second = class_names
    if not first.strip() or not second.strip():
        return "a class name is not blank"
    if meaning_of(first) == meaning_of(second) or _value(first) == _value(second) is not None:
        return "the two class names must differ, and these can be read as one; choose others"
    return None


def _number(value: Decimal) -> Meaning | None:
    return Meaning("number", value) if value.is_finite() else None


def _value(name: str) -> Decimal | None:
    """Return the number that a program or a reader may take a name for.

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
