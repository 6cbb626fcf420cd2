"""The columns of the training settings that differ between the cells of a leaderboard."""

from collections.abc import Collection
from typing import Any, Literal, get_args

from pydantic.fields import FieldInfo

from harness.judging.column import Column, Value, values_of
from harness.suite import ids
from harness.suite.plan import Cell
from harness.suite.training import TrainingSpec


def text_of(value: Any) -> str:
    """Format a training setting: numbers as in ids, lists with commas."""
    match value:
        case None:
            return "none"
        case tuple():
            return ", ".join(map(str, value)) or "none"
        case int() | float():
            return ids.plain(value)
        case _:
            return str(value)


def _type(field: FieldInfo) -> Literal["Int64", "Float64", "string"]:
    kinds = [getattr(kind, "__origin__", kind) for kind in get_args(field.annotation)]
    if int in (field.annotation, *kinds):
        return "Int64"
    return "Float64" if field.annotation is float else "string"


def value_of(name: str, cell: Cell) -> Value:
    """Return a cell's value of a setting as in its column; None if it does not differ."""
    own: Value | tuple[str, ...] = cell.settings.get(name)
    return text_of(own) if isinstance(own, tuple) else own


def _column(name: str, field: FieldInfo) -> Column:
    return Column(
        name,
        _type(field),
        lambda facts: value_of(name, facts.cell),
        heading_of(name),
        heading_of(name),
        f"`training.{name}`: {field.description}",
        text_of,
        first=True,
        is_informative=lambda rows, column: len(values_of(rows, column)) > 1,
    )


def heading_of(name: str) -> str:
    """Return a setting's name in headings and text."""
    return name.replace("_", " ")


SETTINGS = tuple(_column(name, field) for name, field in TrainingSpec.model_fields.items())
"""A column for each key of [training], for leaderboards in which it has several values."""


def settings_in(names: Collection[str]) -> list[Column]:
    """Return the columns of settings that are among the names of a leaderboard's columns."""
    return [column for column in SETTINGS if column.name in names]
