"""Scores of checkpoints published by others: `benchmarks/references.toml`."""

from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, Field, ValidationError
from pydantic_core import ErrorDetails

from harness.errors import BadInput
from harness.suite.fields import STRICT, Count, MatthewsCorrelation, Text, later
from harness.suite.spec import BatchSize, LearningRate, Several, read_toml
from harness.validation import mistake, place


def _stated(description: str) -> Any:
    """Return a field that is None, and left out, if the publication does not state it."""
    return later(None, description)


class Reference(BaseModel):
    """One published CoLA score, and how it was reached, as far as the publication states it.

    Several values of a setting are those that were searched; the score is then that of the best.
    """

    model_config = STRICT

    checkpoint: Text = Field(description="the name as in a suite")
    mcc: MatthewsCorrelation = Field(description="Matthews correlation, from -1 to 1")
    recipe: Text = Field(description="what else is known about the training, in words")
    source: Text = Field(description="where the score was published")
    statistic: Literal["mean", "median", "best"] | None = _stated("of the runs' scores")
    seeds: Count | None = _stated("number of runs with different seeds")
    epochs: Several[Count] | None = _stated("epochs trained, or those searched")
    batch_sizes: Several[BatchSize] | None = _stated("batch size, or those searched")
    learning_rates: Several[LearningRate] | None = _stated("learning rate, or those searched")
    selection: Literal["best-epoch", "last-epoch", "lowest-loss"] | None = _stated(
        "which epoch is scored: that of the highest score, the last, or that of the lowest loss"
    )
    split: Literal["validation", "test"] = later("validation", "the split that was scored")


def load_references(path: Path) -> tuple[Reference, ...]:
    """Read a file of published scores.

    Raises:
        BadInput: every mistake in the file at once.
    """
    document = read_toml(path, "file of references")
    entries = document.get("reference")
    if document.keys() - {"reference"} or not isinstance(entries, list):
        raise BadInput([f"{path}: must contain [[reference]] tables, and nothing else"])
    references: list[Reference] = []
    problems: list[str] = []
    for position, entry in enumerate(entries):
        try:
            references.append(Reference.model_validate(entry))
        except ValidationError as error:
            details = error.errors(include_url=False)
            problems += [_problem(path, position, each) for each in details if not _repeated(each)]
    if problems:
        raise BadInput(problems)
    return tuple(references)


def _problem(path: Path, position: int, detail: ErrorDetails) -> str:
    where = place(("reference", position, *detail["loc"]))
    messages = {"tuple_type": "input should be a list, [...]"}
    allowed = ", ".join(Reference.model_fields)
    return f"{path}: {mistake(where, detail, messages)} (allowed: {allowed})"


def _repeated(detail: ErrorDetails) -> bool:
    """Return whether a list is called empty because its values are wrong, which is said already."""
    return detail["type"] == "too_short" and bool(detail["input"])
