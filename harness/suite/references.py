"""Scores of checkpoints published by others: `benchmarks/references.toml`."""

from pathlib import Path

from pydantic import BaseModel, Field, ValidationError

from harness.errors import BadInput
from harness.suite.fields import STRICT, MatthewsCorrelation, Text
from harness.suite.spec import read_toml
from harness.validation import mistake, place


class Reference(BaseModel):
    """One published CoLA score, on the validation split."""

    model_config = STRICT

    checkpoint: Text = Field(description="the name as in a suite")
    mcc: MatthewsCorrelation = Field(description="Matthews correlation, from -1 to 1")
    recipe: Text = Field(description="what is known about the training")
    source: Text = Field(description="where the score was published")


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
            allowed = ", ".join(Reference.model_fields)
            problems += [
                f"{path}: {mistake(place(('reference', position, *detail['loc'])), detail)} "
                f"(allowed: {allowed})"
                for detail in error.errors(include_url=False)
            ]
    if problems:
        raise BadInput(problems)
    return tuple(references)
