"""Where a run was stopped because its cell's gates were decided: a prefix of the whole run."""

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from harness.suite.fields import Count
from harness.suite.training import TrainingSpec


class Stopped(BaseModel):
    """A run that ended before its last epoch, because its MCC had reached what its cell needed.

    It is an exact prefix of the whole run: the learning rate schedule is planned for all epochs.
    With `training.selection = "best-epoch"`, the MCC of the whole run is at least as high.

    Attributes:
        after_epoch: the last epoch that was trained, the first that reached the target.
        of: the planned number of epochs.
        because: why the remaining epochs cannot change the outcome of a gate.
        target: the MCC at which the run could stop. If other seeds of its cell are above the
            threshold, it is lower than the threshold.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    after_epoch: Count
    of: Count
    because: Literal["gate met"]
    target: Annotated[float, Field(le=1)]

    @property
    def text(self) -> str:
        """Describe it: stopped after epoch 2 of 5: gate met."""
        return f"stopped after epoch {self.after_epoch} of {self.of}: {self.because}"


def at_least(mcc: float, digits: int = 3) -> str:
    """Format an MCC that is a lower bound of what whole runs would reach, rounded down."""
    rounded = round(mcc, digits)
    if rounded > mcc:
        rounded -= 10**-digits
    return f"at least {rounded:z.{digits}f}"


def verdict_of(
    mcc: float, threshold: float | None, stopped: bool
) -> Literal["pass", "fail"] | None:
    """Compare a run's MCC with its cell's threshold.

    None if there is no threshold, or if the run was stopped below it: the whole run may reach it.
    """
    if threshold is None or (stopped and mcc < threshold):
        return None
    return "pass" if mcc >= threshold else "fail"


def epochs_trained(
    training: TrainingSpec, epochs: Sequence[object], stopped: Stopped | None = None
) -> int:
    """Return how many epochs a scored run trained: fewer than planned if it stopped early."""
    return training.epochs if training.patience is None and stopped is None else len(epochs)
