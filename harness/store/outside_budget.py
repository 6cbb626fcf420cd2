"""What a record contains about a run that was not trained because it did not fit a budget."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from harness.suite.fields import Count

Seconds = Annotated[float, Field(gt=0, lt=1e12)]


class OutsideBudget(BaseModel):
    """Why a run was not trained: its session had a budget of time.

    Attributes:
        budget_seconds: the session's budget.
        expected_seconds: how long the run is expected to take; None if that is not known.
        workers: how many runs the session trained at a time.
        basis: from what `expected_seconds` was predicted.
        stopped_key: the run's key, if it was stopped in progress.
        stopped_seconds: how long it had taken then.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    budget_seconds: Seconds
    expected_seconds: Seconds | None = None
    workers: Count
    basis: str | None = None
    stopped_key: str | None = Field(None, exclude_if=lambda value: value is None)
    stopped_seconds: Seconds | None = Field(None, exclude_if=lambda value: value is None)
