"""The [dataset] section of a suite file: where the labelled sentences come from."""

import unicodedata
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, ValidationInfo, field_validator, model_validator
from pydantic_core import PydanticCustomError

from harness.suite.class_names import MOST_CLASSES, ambiguity
from harness.suite.fields import STRICT, Text, later
from harness.suite.file_names import extension, listed_files, named_files
from harness.suite.hub_names import problem_of

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


DEFAULT_VALIDATION_SIZE = 0.1

GIVEN = ("train", "validation", "test")
"""The splits that may be given as files."""


def _unset(value: object) -> bool:
    """Return whether to omit a key from published files, as versions without the key do."""
    return value is None


class DatasetSpec(BaseModel):
    """Where the labelled sentences come from."""

    model_config = STRICT

    source: Literal["cola", "embedded", "file", "hub"] = Field(
        description="`cola`: the hub's nyu-mll/glue, or the corpus' own folder; `embedded`: the "
        "corpus shipped with the harness; `file`: your own labelled files; `hub`: a data set of "
        "the Hugging Face Hub"
    )
    name: Text | None = Field(
        None,
        validate_default=True,
        exclude_if=_unset,
        description="the name of a data set on the Hub, `org/name`",
    )
    config: Text | None = Field(
        None,
        exclude_if=_unset,
        description="the configuration of the data set; needed if it has several and no default",
    )
    revision: Text | None = Field(
        None,
        exclude_if=_unset,
        description="a branch, tag or commit of the data set; by default its main branch; records "
        "contain the commit",
    )
    # Before `path`, whose check needs them.
    train: tuple[str, ...] | None = Field(
        None,
        exclude_if=_unset,
        description="given splits: the file of the training sentences, or a list of files that are "
        "joined in order; in place of `dataset.path`. With `hub`, here and in the next two keys: "
        "names of the data set's splits, by default `train`, `validation` and `test`",
    )
    validation: tuple[str, ...] | dict[str, tuple[str, ...]] | None = Field(
        None,
        exclude_if=_unset,
        description="the file or files of the validation sentences, or a table of them by domain, "
        '`{in-domain = "a.csv", out-of-domain = "b.csv"}`, whose scores are also shown apart; if '
        "not set, they are drawn from `dataset.train`",
    )
    test: tuple[str, ...] | None = Field(
        None,
        exclude_if=_unset,
        description="the file or files of the test sentences; without a column of labels, or with "
        "hidden labels (-1 or empty), they are predicted and not scored",
    )
    path: Text | None = Field(
        None,
        validate_default=True,
        description="the data file (CSV, TSV, JSON or Parquet, also with .gz) from which all "
        "splits are drawn, or CoLA's folder; relative to the suite file",
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
        description="the file's column of labels: the class names, or their numbers from 0",
    )
    group_column: Text | None = Field(
        None,
        exclude_if=_unset,
        description="the column that names the group of each sentence, such as its author or "
        "document: scores then have a second interval, for sentences of other groups (sources)",
    )
    class_names: tuple[Text, ...] = Field(
        ("unacceptable", "acceptable"),
        strict=False,
        description=f"names of the classes, 2 to {MOST_CLASSES}, in the order of their numbers "
        "from 0; also accepted as labels; with `hub`, by default those of the data set",
    )
    validation_size: float | int = Field(
        DEFAULT_VALIDATION_SIZE,
        description="the file's validation split, if no file is given for it: a fraction (0.1) or "
        "a count (500)",
    )
    test_size: float | int = Field(
        0,
        description="the file's labelled test split, if no file is given for it: a fraction, a "
        "count, or 0 for none",
    )
    split_seed: Annotated[int, Field(ge=0)] = Field(0, description="seed of the file's split")
    duplicates: Literal["report", "drop", "refuse"] = later(
        "report",
        "repeated sentences, with case, punctuation and blanks ignored: `report`, they "
        "are counted; `drop`, training sentences that are also in validation or test, or earlier "
        "in train, are removed; `refuse`, data with any is refused",
    )
    annotations: Text | None = Field(
        None,
        exclude_if=_unset,
        description="a file (CSV, TSV, JSON or Parquet, also with .gz) with facts about the "
        "validation sentences: one column has the sentences, by which they are found, and the "
        "others divide them into slices; relative to the suite file",
    )
    slice_columns: tuple[Text, ...] | None = Field(
        None,
        validate_default=True,
        strict=False,
        exclude_if=_unset,
        description="columns of the user's own data, or of `dataset.annotations`, whose values "
        "divide the validation sentences into slices; by default all columns of the annotations",
    )

    @model_validator(mode="before")
    @classmethod
    def _classes_of_the_data_set(cls, value: Any) -> Any:
        """Set no class names for data on the Hub, unless there are some: the data set has them."""
        if isinstance(value, Mapping) and value.get("source") == "hub":
            return {"class_names": (), **value}
        return value

    # Each check is at the key that the user must fix, so one mistake does not hide another.

    @field_validator("name", "config", "revision")
    @classmethod
    def _on_the_hub(cls, value: str | None, info: ValidationInfo) -> str | None:
        source, key = info.data.get("source"), str(info.field_name)
        if value is None:
            if source == "hub" and key == "name":
                raise PydanticCustomError("hub", 'source = "hub" needs name = "org/name"')
            return value
        if source not in (None, "hub"):
            raise PydanticCustomError("hub", 'only source = "hub" has this key; remove it')
        if problem := problem_of(key, value):
            raise PydanticCustomError("hub", "{problem}", {"problem": problem})
        return value

    @field_validator("train", "test", mode="before")
    @classmethod
    def _files(cls, value: Any, info: ValidationInfo) -> tuple[str, ...] | None:
        _check_source(value, info)
        return listed_files(value)

    @field_validator("validation", mode="before")
    @classmethod
    def _files_by_domain(
        cls, value: Any, info: ValidationInfo
    ) -> tuple[str, ...] | dict[str, tuple[str, ...]] | None:
        _check_source(value, info)
        return named_files(value)

    @field_validator("path")
    @classmethod
    def _fits_source(cls, value: str | None, info: ValidationInfo) -> str | None:
        source = info.data.get("source")
        given = [name for name in GIVEN if info.data.get(name) is not None]
        wrong = [name for name in GIVEN if name not in info.data]  # reported at these keys
        if source == "file" and value is None and not given and not wrong:
            raise PydanticCustomError(
                "path",
                'source = "file" needs path = "FILE" to draw the splits from, or train = "FILE" '
                "and the other splits' files",
            )
        if source == "file" and value is None and given and "train" not in (*given, *wrong):
            raise PydanticCustomError(
                "path",
                "dataset.{split} is given, but no training sentences; name their file with "
                'train = "FILE"',
                {"split": given[0]},
            )
        if source == "file" and value is not None and given:
            raise PydanticCustomError(
                "path",
                "all splits are drawn from this file, so it cannot be combined with "
                "dataset.{split}; name the training sentences' file with train, and remove path",
                {"split": given[0]},
            )
        if source == "embedded" and value is not None:
            raise PydanticCustomError("path", "the embedded corpus takes no path; remove it")
        if source == "hub" and value is not None:
            raise PydanticCustomError("path", "a data set of the Hub takes no path; remove it")
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
        source, names = info.data.get("source"), _names(info)
        if value is None or source is None or (source == "file" and not names):
            return value  # not given, or another key reports the mistake
        if source != "file" or not any(extension(name) in DELIMITERS for name in names):
            raise PydanticCustomError("delimited", "for CSV and TSV files only; remove it")
        return value

    @field_validator("label_column")
    @classmethod
    def _columns_differ(cls, value: str, info: ValidationInfo) -> str:
        if value == info.data.get("text_column"):
            raise PydanticCustomError("column", "text_column and label_column must differ")
        return value

    @field_validator("group_column")
    @classmethod
    def _further_column(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is not None and info.data.get("source") not in (None, "file", "hub"):
            raise PydanticCustomError(
                "column",
                'groups of your own data need source = "file" or "hub"; remove this key (CoLA\'s '
                "publications are used without it)",
            )
        for key in ("text_column", "label_column"):
            if value is not None and value == info.data.get(key):
                raise PydanticCustomError(
                    "column", "group_column and {key} must differ", {"key": key}
                )
        return value

    @field_validator("class_names")
    @classmethod
    def _distinct_classes(cls, values: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        if info.data.get("source") == "hub" and not values:
            return values
        if info.data.get("source") in ("cola", "embedded") and len(values) != 2:
            raise PydanticCustomError("classes", "this data set has exactly two classes")
        if not 2 <= len(values) <= MOST_CLASSES:
            raise PydanticCustomError(
                "classes",
                "there are {number} class names; allowed are 2 to {most}",
                {"number": f"{len(values):,}", "most": MOST_CLASSES},
            )
        if problem := ambiguity(values):
            raise PydanticCustomError("classes", "{problem}", {"problem": problem})
        return values

    @field_validator("slice_columns")
    @classmethod
    def _sliceable(
        cls, values: tuple[str, ...] | None, info: ValidationInfo
    ) -> tuple[str, ...] | None:
        taken = {info.data.get(key): key for key in ("text_column", "label_column")}
        own = info.data.get("source") == "file"
        for name in values or ():
            if own and name in taken:
                raise PydanticCustomError(
                    "slices",
                    "{name} is dataset.{key}, which gives no slices; remove it",
                    {"name": repr(name), "key": taken[name]},
                )
        if values == () or len(set(values or ())) < len(values or ()):
            raise PydanticCustomError("slices", "input should be column names, each listed once")
        if values and not own and "annotations" in info.data and not info.data["annotations"]:
            raise PydanticCustomError(
                "slices",
                "only your own data and annotations have columns to choose; name the file of "
                'annotations with annotations = "FILE", or remove this key',
            )
        return values

    @field_validator("validation_size", "test_size", mode="before")
    @classmethod
    def _size(cls, value: Any) -> Any:
        fraction = isinstance(value, float) and 0 <= value < 1
        if fraction or (type(value) is int and value >= 0):
            return value
        raise PydanticCustomError(
            "size",
            "input should be a fraction from 0 to below 1 (0.1) or a whole number from 0 (500)",
        )

    @field_validator("validation_size")
    @classmethod
    def _something_to_score(cls, value: float | int, info: ValidationInfo) -> float | int:
        given = info.data.get("validation") is not None
        if value == 0 and info.data.get("source") == "file" and not given:
            raise PydanticCustomError("size", "must be above 0: otherwise nothing can be scored")
        if given and value not in (0, DEFAULT_VALIDATION_SIZE):
            raise _nothing_to_draw("validation")
        return value

    @field_validator("test_size")
    @classmethod
    def _drawn_or_given(cls, value: float | int, info: ValidationInfo) -> float | int:
        if value != 0 and info.data.get("test") is not None:
            raise _nothing_to_draw("test")
        return value


def _check_source(files: object, info: ValidationInfo) -> None:
    if files is not None and info.data.get("source") not in (None, "file", "hub"):
        raise PydanticCustomError(
            "files", 'given splits need source = "file" or "hub"; remove this key'
        )


def _nothing_to_draw(split: str) -> PydanticCustomError:
    return PydanticCustomError(
        "size",
        "the {split} sentences are those of dataset.{split}, and none are drawn; remove this key",
        {"split": split},
    )


def _names(info: ValidationInfo) -> list[str]:
    """Return the names of the user's own files that are valid so far."""
    found = [] if info.data.get("path") is None else [info.data["path"]]
    for split in GIVEN:
        files = info.data.get(split) or ()
        for part in files.values() if isinstance(files, dict) else [files]:
            found += part
    return found
