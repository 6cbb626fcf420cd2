"""Names of cells and checkpoints as users type them: any notation is found, typos get a hint."""

import difflib
import functools
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import TypeVar

from harness.errors import BadInput

T = TypeVar("T")

TAGS = {
    "epochs": "ep",
    "weight_decay": "wd",
    "adam_beta1": "beta1-",
    "adam_beta2": "beta2-",
    "adam_epsilon": "eps",
    "warmup_ratio": "wu",
    "max_grad_norm": "clip",
    "label_smoothing": "ls",
    "max_length": "len",
    "eval_batch_size": "ebs",
    "patience": "pat",
}
"""What precedes the number of a setting in a cell's id, as in bs16, by key of [training]."""

NUMBER = r"\d+(?:\.\d*)?(?:[eE][-+]?\d+)?"

ID = re.compile(rf"(.*-lr)({NUMBER})((?:-[a-z].*)?)", re.DOTALL)
"""A cell's id: its learning rate, and after it the other settings that differ between cells."""

TAGGED = re.compile(rf"(?<![\w.])({'|'.join(TAGS.values())})({NUMBER})(?![\w.])")
"""A number of another setting than the learning rate, in an id or in any text."""

RATE = re.compile(r"(?<![\w.])(?:lr)?(\d+(?:\.\d+)?[eE][-+]?\d+|0?\.\d+)(?![\w.])")
"""A learning rate in any text, alone or as in an id; a hyphen may precede it."""


def scientific(learning_rate: float) -> str:
    """Format a learning rate as in ids, in the shortest scientific form: 2e-05, 1e-04, 2.5e-05."""
    mantissa, exponent = f"{Decimal(repr(learning_rate)).normalize():e}".split("e")
    return f"{mantissa}e{int(exponent):+03d}"


def plain(number: float) -> str:
    """Format a number of any other setting as in ids: 3, 0.1, 0, 1e-08."""
    return repr(number).removesuffix(".0")


def part(setting: str, value: object) -> str:
    """Return the part of a cell's id with one setting of [training]: ep3, wd0.1, cosine, bf16."""
    match value:
        case tuple():
            return f"speedups-{'+'.join(map(str, value)) or 'none'}"
        case int() | float():
            return f"{TAGS[setting]}{plain(value)}"
        case _:
            return f"oom-{value}" if setting == "on_oom" else str(value)


@functools.lru_cache(maxsize=2**16)
def usual(name: str) -> str:
    """Return a cell's id with its numbers in the form of ids; any other name unchanged."""
    found = ID.fullmatch(name)
    if found is None:
        return name
    before, rate, rest = found.groups()
    return f"{before}{_usual_rate(rate)}{TAGGED.sub(_usual_setting, rest)}"


def _usual_setting(found: re.Match[str]) -> str:
    number = float(found[2])
    return f"{found[1]}{plain(number)}" if math.isfinite(number) else found[0]


def find(typed: str, known: Iterable[str]) -> str | None:
    """Return the known name that was typed, in any notation of its numbers, or None.

    lr1e-4, lr1E-04 and lr0.0001 are the same rate.
    """
    names = known if isinstance(known, Mapping) else list(known)
    if typed in names:
        return typed
    alike = [name for name in names if usual(name) == usual(typed)]
    return alike[0] if len(alike) == 1 else None


def lookup(typed: str, known: Mapping[str, T]) -> T | None:
    """Return the value of the known name that was typed (see `find`), or None."""
    name = find(typed, known)
    return None if name is None else known[name]


def find_all(
    typed: Iterable[str], known: Iterable[str], no_such: Callable[[str], str]
) -> list[str]:
    """Return the known names that were typed.

    Args:
        no_such: returns the message about an unknown name; the nearest known name is appended.

    Raises:
        BadInput: every unknown name.
    """
    names = list(known)
    found = {each: find(each, names) for each in typed}
    unknown = [each for each, name in found.items() if name is None]
    if problems := [f"{no_such(each)}{did_you_mean(each, names)}" for each in unknown]:
        raise BadInput(problems)
    return [name for name in found.values() if name is not None]


def did_you_mean(typed: str, known: Sequence[str]) -> str:
    """Return the end of a message about an unknown name: the nearest known name, if one is near."""
    near = nearest(typed, known)
    return "" if near is None else f"; did you mean {near!r}?"


def nearest(typed: str, known: Sequence[str]) -> str | None:
    """Return the known name that an unknown one may stand for; None if none is near.

    A name is near if it is spelled alike, or if one of its parts begins with the typed text.
    """
    forms = {_plain(name): name for name in reversed(known)}
    wanted = _plain(typed)
    part = re.compile(rf"(?<![a-z0-9]){re.escape(wanted)}")
    near = difflib.get_close_matches(wanted, forms, n=1) or [
        form for form in forms if len(wanted) > 2 and part.search(form)
    ]
    return forms[near[-1]] if near else None


def _plain(name: str) -> str:
    """Return a name without the usual typing differences: case and word separators."""
    return re.sub(r"[_\s-]+", "-", usual(name).lower())


def respelled(text: str, known: Iterable[str]) -> str | None:
    """Return text with its learning rates and other settings in the notation of the known names.

    A number is changed only if no name contains it as typed and some name contains its usual form.
    None if nothing changes.
    """
    names = [name.lower() for name in known]

    def chosen(typed: str, usual_form: str) -> str:
        missing = not any(typed.lower() in name for name in names)
        return usual_form if missing and any(usual_form in name for name in names) else typed

    def rate(found: re.Match[str]) -> str:
        return chosen(found[0], found[0].replace(found[1], _usual_rate(found[1])))

    def setting(found: re.Match[str]) -> str:
        return chosen(found[0], _usual_setting(found))

    changed = TAGGED.sub(setting, RATE.sub(rate, text))
    return None if changed == text else changed


def _usual_rate(text: str) -> str:
    try:
        rate = float(text)
    except ValueError:
        return text
    return scientific(rate) if math.isfinite(rate) and rate > 0 else text
