"""Names of the user's own data files in a suite: their form, their format, their short names."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic_core import PydanticCustomError

DOMAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
"""The form of a domain's name: it becomes a column of tables and a field of records."""

DOMAIN_IN_WORDS = "a name has letters, digits, - and _, at most 64, and no - or _ first"

RESERVED = {
    "train": "tables use this name for the split",
    "validation": "tables use this name for the whole split",
    "test": "tables use this name for the split",
    "in": "records use this name for CoLA; write in-domain",
    "out": "records use this name for CoLA; write out-of-domain",
}
"""Names that a domain cannot have, with the reason."""

FORMS = 'input should be the name of a file, "a.csv", or a list of names, ["a.csv", "b.csv"]'


def extension(name: str | Path) -> str:
    """Return the extension that tells a file's format, in lower case; a final .gz is ignored."""
    path = Path(str(name).lower())
    return path.with_suffix("").suffix if path.suffix == ".gz" else path.suffix


def listed_files(value: Any) -> tuple[str, ...] | None:
    """Return the files of a split as a tuple; None if the key is not set.

    Raises:
        PydanticCustomError: neither a name nor a list of names, or an empty one.
    """
    names = [value] if isinstance(value, str) else value
    if names is None:
        return None
    if not isinstance(names, list | tuple) or not all(isinstance(name, str) for name in names):
        raise PydanticCustomError("files", FORMS)
    if not names or not all(name.strip() for name in names):
        raise PydanticCustomError("files", "input should not be empty; name at least one file")
    return tuple(names)


def named_files(value: Any) -> tuple[str, ...] | dict[str, tuple[str, ...]] | None:
    """Return the files of a split as a tuple, or by domain as a dictionary; None if not set.

    Raises:
        PydanticCustomError: another form, or a name that a domain cannot have.
    """
    if not isinstance(value, Mapping):
        try:
            return listed_files(value)
        except PydanticCustomError as error:
            if error.message() == FORMS:
                forms = f'{FORMS}, or a table of them, {{in-domain = "a.csv"}}'
                raise PydanticCustomError("files", forms) from None
            raise
    if not value:
        raise PydanticCustomError("files", "input should not be empty; name at least one file")
    wrong = [
        f"name {name!r}: {RESERVED.get(name, DOMAIN_IN_WORDS)}"
        for name in value
        if name in RESERVED or not DOMAIN.fullmatch(name)
    ]
    if wrong:
        raise PydanticCustomError("domain", "{wrong}", {"wrong": "; ".join(wrong)})
    found: dict[str, tuple[str, ...]] = {}
    for name, files in value.items():
        listed = listed_files(files)
        if listed is None:
            raise PydanticCustomError("files", FORMS)
        found[name] = listed
    return found


def short_names(names: Sequence[str]) -> list[str]:
    """Return files' names without their folders, as far as they then still differ.

    Of files with the same name, as many of the last folders are kept as are needed:
    `train/data.csv` and `validation/data.csv`.
    """
    parts = [[part for part in re.split(r"[/\\]+", name) if part] for name in names]
    kept = [1] * len(names)
    while True:
        short = ["/".join(own[-count:]) for own, count in zip(parts, kept, strict=True)]
        full: dict[str, set[str]] = {}
        for name, whole in zip(short, names, strict=True):
            full.setdefault(name, set()).add(whole)
        same = [
            position
            for position, name in enumerate(short)
            if len(full[name]) > 1 and kept[position] < len(parts[position])
        ]
        if not same:
            return short
        for position in same:
            kept[position] += 1
