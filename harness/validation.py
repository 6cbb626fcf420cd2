"""Formats pydantic's errors for the author of a file: place, value seen, what is allowed."""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic_core import ErrorDetails

MOST_CHARACTERS = 80


def mistake(
    where: str,
    detail: ErrorDetails,
    messages: Mapping[str, str] | None = None,
    null: str = "null: ",
) -> str:
    """Return one validation error as a line.

    Args:
        where: the file's name and the place, as `place` formats it.
        messages: what is allowed, by pydantic's error type, where pydantic's own message
            describes Python types.
        null: how a missing value is shown; empty for a format without null, where it means a key
            that is not set.
    """
    match detail["type"]:
        case "missing":
            return f"{where}: missing"
        case "extra_forbidden":
            return f"{where}: unknown key"
        case kind:
            own = f"{detail['msg'][:1].lower()}{detail['msg'][1:]}"
            seen = null if detail["input"] is None else _shown(detail["input"])
            return f"{where}: {seen}{(messages or {}).get(kind, own)}"


def place(location: Iterable[str | int]) -> str:
    """Format a place in a file as a TOML key: matrix.seeds[0], gates.checkpoint."a/b"."""
    return "".join(
        f"[{part}]" if isinstance(part, int) else f".{_quoted(part)}" for part in location
    ).removeprefix(".")


def shown(value: object) -> str:
    """Return a value as text of at most 80 characters."""
    text = _in_full(value)
    return text if len(text) <= MOST_CHARACTERS else f"{text[: MOST_CHARACTERS - 3]}..."


def shown_apart(a: object, b: object) -> tuple[str, str]:
    """Return two values that differ as texts that differ.

    Of long texts, 80 characters that contain the first difference are left, the beginning if it
    does.
    """
    texts = (_in_full(a), _in_full(b))
    first = next(
        (place for place, (one, other) in enumerate(zip(*texts, strict=False)) if one != other),
        min(map(len, texts)),
    )
    before = MOST_CHARACTERS // 3
    short = max(map(len, texts)) <= MOST_CHARACTERS or first < MOST_CHARACTERS - before
    start = 0 if short else first - before
    end = start + MOST_CHARACTERS
    one, other = (
        f"{'...' if start else ''}{text[start:end]}{'...' if len(text) > end else ''}"
        for text in texts
    )
    return one, other


def _in_full(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else repr(value)


def _quoted(key: str) -> str:
    if re.fullmatch(r"[A-Za-z0-9_-]+", key):
        return key
    return json.dumps(key, ensure_ascii=not key.isprintable())


def _shown(value: Any) -> str:
    """Return a value followed by a colon; an empty string for a table."""
    if isinstance(value, dict):
        return ""
    try:
        return f"{shown(value)}: "
    except RecursionError:
        return ""
