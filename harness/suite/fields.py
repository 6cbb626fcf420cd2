"""Field types and checks that the sections of a suite file share."""

from collections import Counter
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

from pydantic import ConfigDict, Field, GetCoreSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from harness.suite import ids

T = TypeVar("T")

WITHIN = "within"
"""The type of the error that a number is not `Within` its bounds."""

STRICT = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


@dataclass(frozen=True)
class Within:
    """The bounds of a number. Its message names both; pydantic's own names the one it is beyond.

    Attributes:
        above: whether the least number itself is not allowed.
        below: whether the largest is not.
    """

    least: float
    most: float
    above: bool = False
    below: bool = False

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        """Return the schema of a number within the bounds, for pydantic."""
        number: Any = handler(source)
        bounds = {
            "gt" if self.above else "ge": self.least,
            "lt" if self.below else "le": self.most,
        }
        within = core_schema.custom_error_schema(
            {**number, **bounds}, WITHIN, custom_error_message=f"input should be {self.in_words}"
        )
        return core_schema.chain_schema([number, within])

    @property
    def in_words(self) -> str:
        """The allowed numbers: from -1 to 1; above 0 and below 1."""
        least, most = (
            f"{each:,}" if isinstance(each, int) else f"{each:g}"
            for each in (self.least, self.most)
        )
        if not self.above and not self.below:
            return f"from {least} to {most}"
        low = f"above {least}" if self.above else f"at least {least}"
        return f"{low} and {'below' if self.below else 'at most'} {most}"


Text = Annotated[str, Field(min_length=1)]
# Tables and tokenizers store counts as machine integers.
Count = Annotated[int, Within(1, 2**31 - 1)]
Whole = Annotated[int, Within(0, 2**53 - 1)]
MatthewsCorrelation = Annotated[float, Within(-1, 1)]
Share = Annotated[float, Within(0, 1)]
BelowOne = Annotated[float, Within(0, 1, below=True)]
BetweenZeroAndOne = Annotated[float, Within(0, 1, above=True, below=True)]
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
