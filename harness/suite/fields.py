"""Field types and checks that the sections of a suite file share."""

from collections import Counter
from collections.abc import Hashable
from typing import Annotated, Any, TypeVar

from pydantic import ConfigDict, Field
from pydantic_core import PydanticCustomError

from harness.suite import ids

T = TypeVar("T")

STRICT = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

Text = Annotated[str, Field(min_length=1)]
# Tables and tokenizers store counts as machine integers.
Count = Annotated[int, Field(ge=1, lt=2**31)]
Whole = Annotated[int, Field(ge=0, lt=2**53)]
MatthewsCorrelation = Annotated[float, Field(ge=-1, le=1)]
Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]


def later(default: object, description: str) -> Any:
    """Return a field that files contain only if it differs from its default.

    So what was written before the field existed keeps its bytes, and runs keep their keys.
    """
    return Field(default, exclude_if=lambda value: value == default, description=description)


def distinct(values: tuple[Hashable, ...] | None) -> tuple[Hashable, ...] | None:
    """Refuse a list that has a value twice."""
    if repeated := [value for value, times in Counter(values or ()).items() if times > 1]:
        names = ", ".join(map(repr, repeated))
        raise PydanticCustomError("duplicate", f"list every value once; repeated: {names}")
    return values


def each_cell_once(values: dict[str, T]) -> dict[str, T]:
    """Refuse two ids that name the same cell with its learning rate in two notations."""
    names: dict[str, str] = {}
    for name in values:
        if (other := names.setdefault(ids.usual(name), name)) != name:
            raise PydanticCustomError(
                "cell", f"{other!r} and {name!r} are the same cell; remove one of them"
            )
    return values
