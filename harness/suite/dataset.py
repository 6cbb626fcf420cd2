"""The [dataset] section of a suite file: where the labelled sentences come from."""

import unicodedata
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from harness.suite.class_names import ambiguity
from harness.suite.fields import STRICT, Text

DELIMITERS = {".csv": ",", ".tsv": "\t"}
"""The default column delimiter of a file, by its extension."""

NO_DELIMITERS = "\"'\\._- \n\r\v\f\0"
"""Characters, besides letters and digits, that are not allowed as a delimiter."""


DELIMITER_IN_WORDS = (
    'one character, such as ",", ";", "|" or "\\t": not a letter, digit, '
    "space, quotation mark, backslash, period, hyphen, underscore or line end"
)


def separates(value: str) -> bool:
    """Return whether a text is allowed as the delimiter of a delimited file."""
    return (
        len(value) == 1
        and not value.isalnum()
        and value not in NO_DELIMITERS
        and unicodedata.category(value) != "Cs"
    )


class DatasetSpec(BaseModel):
    """Where the labelled sentences come from."""

    model_config = STRICT

    source: Literal["cola", "embedded", "file"] = Field(
        description="`cola`: the hub's nyu-mll/glue, or the corpus' own folder; `embedded`: the "
        "corpus shipped with the harness; `file`: your own labelled file"
    )
    path: Text | None = Field(
        None,
        validate_default=True,
        description="the data file (CSV, TSV, JSON or Parquet), or CoLA's folder; relative to the "
        "suite file",
    )
    delimiter: str | None = Field(
        None,
        description='the character that separates the columns of a CSV or TSV file, such as `";"`, '
        r'`"|"` or `"\t"`; by default a comma in `.csv` and a tab in `.tsv`',
    )
    quoting: Literal["csv", "none"] | None = Field(
        None,
        description="quotation marks in a CSV or TSV file: `csv`, they enclose values and are "
        "doubled inside them; `none`, they are part of the sentences; by default `csv`, and an "
        "ambiguous file is refused",
    )
    text_column: Text = Field("sentence", description="the file's column of sentences")
    label_column: Text = Field(
        "label",
        validate_default=True,
        description="the file's column of labels: the class names, or 0 and 1",
    )
    class_names: tuple[Text, Text] = Field(
        ("unacceptable", "acceptable"),
        strict=False,
        description="names of the classes 0 and 1, also accepted as labels",
    )
    validation_size: float | int = Field(
        0.1, description="the file's validation split: a fraction (0.1) or a count (500)"
    )
    test_size: float | int = Field(
        0, description="the file's labelled test split: a fraction, a count, or 0 for none"
    )
    split_seed: Annotated[int, Field(ge=0)] = Field(0, description="seed of the file's split")

    # Each check is at the key that the user must fix, so one mistake does not hide another.

    @field_validator("path")
    @classmethod
    def _fits_source(cls, value: str | None, info: ValidationInfo) -> str | None:
        source = info.data.get("source")
        if source == "file" and value is None:
            raise PydanticCustomError("path", 'source = "file" needs path = "FILE"')
        if source == "embedded" and value is not None:
            raise PydanticCustomError("path", "the embedded corpus takes no path; remove it")
        return value

    @field_validator("delimiter")
    @classmethod
    def _one_character(cls, value: str | None) -> str | None:
        if value is None or separates(value):
            return value
        raise PydanticCustomError("delimiter", "input should be " + DELIMITER_IN_WORDS)

    @field_validator("delimiter", "quoting")
    @classmethod
    def _only_delimited_files(cls, value: str | None, info: ValidationInfo) -> str | None:
        source, path = info.data.get("source"), info.data.get("path")
        if value is None or source is None or (source == "file" and path is None):
            return value  # not given, or another key reports the mistake
        if source != "file" or Path(str(path)).suffix.lower() not in DELIMITERS:
            raise PydanticCustomError("delimited", "for CSV and TSV files only; remove it")
        return value

    @field_validator("label_column")
    @classmethod
    def _columns_differ(cls, value: str, info: ValidationInfo) -> str:
        if value == info.data.get("text_column"):
            raise PydanticCustomError("column", "text_column and label_column must differ")
        return value

    @field_validator("class_names")
    @classmethod
    def _two_classes(cls, values: tuple[str, str]) -> tuple[str, str]:
        if problem := ambiguity(values):
            raise PydanticCustomError("classes", "{problem}", {"problem": problem})
        return values

    @field_validator("validation_size", "test_size", mode="before")
    @classmethod
    def _size(cls, value: Any) -> Any:
        fraction = isinstance(value, float) and 0 <= value < 1
        if fraction or (type(value) is int and value >= 0):
            return value
        raise PydanticCustomError(
            "size", "input should be a fraction below 1 (0.1) or a whole number (500)"
        )

    @field_validator("validation_size")
    @classmethod
    def _something_to_score(cls, value: float | int, info: ValidationInfo) -> float | int:
        if value == 0 and info.data.get("source") == "file":
            raise PydanticCustomError("size", "must be above 0: otherwise nothing can be scored")
        return value
