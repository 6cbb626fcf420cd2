"""Names of cells and checkpoints as people type them: found in any form, the nearest suggested."""

import difflib
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import TypeVar

from harness.errors import BadInput

T = TypeVar("T")

RATE_OF_ID = re.compile(r"(?<=-lr)[0-9][0-9.eE+-]*$")
"""The learning rate that ends a cell's id."""

RATE = re.compile(r"(?<![\w.])(?:lr)?(\d+(?:\.\d+)?[eE][-+]?\d+|0?\.\d+)(?![\w.])")
"""A learning rate in any text, alone or as an id has it; a hyphen may stand before it."""


def scientific(learning_rate: float) -> str:
    """Write a learning rate as ids do, in the shortest scientific form: 2e-05, 1e-04, 2.5e-05."""
    mantissa, exponent = f"{Decimal(repr(learning_rate)).normalize():e}".split("e")
    return f"{mantissa}e{int(exponent):+03d}"


def usual(name: str) -> str:
    """Return a cell's id with its learning rate as ids write it; any other name as it is."""
    return RATE_OF_ID.sub(lambda found: _usual_rate(found[0]), name)


def find(typed: str, known: Iterable[str]) -> str | None:
    """Return the name that was meant: the same, or the same but for how its rate is written.

    lr1e-4, lr1E-04 and lr0.0001 are one rate. None where there is no such name.
    """
    names = list(known)
    if typed in names:
        return typed
    alike = [name for name in names if usual(name) == usual(typed)]
    return alike[0] if len(alike) == 1 else None


def of(typed: str, known: Mapping[str, T]) -> T | None:
    """Return what stands under the name that was meant; None where there is no such name."""
    name = find(typed, known)
    return None if name is None else known[name]


def find_all(
    typed: Iterable[str], known: Iterable[str], no_such: Callable[[str], str]
) -> list[str]:
    """Return the names that were meant.

    Args:
        no_such: returns the complaint about one that is not known, to which the nearest is added.

    Raises:
        BadInput: every one that is not known.
    """
    names = list(known)
    found = {each: find(each, names) for each in typed}
    unknown = [each for each, name in found.items() if name is None]
    if problems := [f"{no_such(each)}{did_you_mean(each, names)}" for each in unknown]:
        raise BadInput(problems)
    return [name for name in found.values() if name is not None]


def did_you_mean(typed: str, known: Sequence[str]) -> str:
    """Return the end of a message that refuses an unknown name: the nearest one, if any is near.

    Near is what is spelled alike, or else has a part that begins like what was typed.
    """
    forms = {_plain(name): name for name in reversed(known)}
    wanted = _plain(typed)
    part = re.compile(rf"(?<![a-z0-9]){re.escape(wanted)}")
    near = difflib.get_close_matches(wanted, forms, n=1) or [
        form for form in forms if len(wanted) > 2 and part.search(form)
    ]
    return f"; did you mean {forms[near[-1]]!r}?" if near else ""


def _plain(name: str) -> str:
    """Return a name without what people mix up: case, and which mark parts its words."""
    return re.sub(r"[_\s-]+", "-", usual(name).lower())


def respelled(text: str, known: Iterable[str]) -> str | None:
    """Return text in which each rate that no name holds is written as some names hold it.

    None where there is nothing to write otherwise.
    """
    names = [name.lower() for name in known]

    def rewritten(found: re.Match[str]) -> str:
        held = found[0].replace(found[1], _usual_rate(found[1]))
        missing = not any(found[0].lower() in name for name in names)
        return held if missing and any(held in name for name in names) else found[0]

    other = RATE.sub(rewritten, text)
    return None if other == text else other


def _usual_rate(text: str) -> str:
    try:
        rate = float(text)
    except ValueError:
        return text
    return scientific(rate) if math.isfinite(rate) and rate > 0 else text
