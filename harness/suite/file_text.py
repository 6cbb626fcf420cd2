"""The text of a suite file, from its tables and values."""

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

LEAST_IN_FULL = 0.001
"""Smaller numbers are written with an exponent."""

Content = dict[str, Any]
"""A suite file's tables by dotted name, with their values; "" for the top-level keys."""


def file_text(content: Content, comments: Mapping[str, str] | None = None) -> str:
    """Return a suite file's text, without keys and tables that have no value.

    Args:
        comments: what follows the values, by dotted key.
    """
    text = ""
    for name, values in content.items():
        known = {key: value for key, value in values.items() if value is not None}
        if known:
            text += f"\n[{name}]\n" if name else ""
        for key, value in known.items():
            comment = (comments or {}).get(f"{name}.{key}" if name else key)
            text += f"{key} = {value_text(value)}{f'  # {comment}' if comment else ''}\n"
    return text


def value_text(value: Any) -> str:
    """Return a value as TOML, whose text, finite numbers and lists look like JSON.

    Small numbers are written as the tables write learning rates: 1e-4, not 0.0001.
    """
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(value_text, value))}]"
    if isinstance(value, float) and 0 < abs(value) < LEAST_IN_FULL:
        return f"{Decimal(repr(value)).normalize():e}"
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
