"""Experiment trackers that `Trainer` reports to: is one installed, and where it writes."""

import os
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path


def missing(trackers: Sequence[str], suite: str) -> Iterator[str]:
    """Yield a line for each named tracker that is not installed; each is its package's name."""
    for name in trackers:
        if find_spec(name) is None:
            yield (
                f"suite {suite}: trackers: {name!r}: not installed; run `pip install {name}`, or "
                "take it out of trackers"
            )


def prepare(trackers: Sequence[str], suite: str, folder: Path) -> None:
    """Set the environment of a run's own process so that its trackers write where they should.

    TensorBoard's events lie in the run's folder. MLflow and W&B group a suite's runs under the
    suite's name; where they write and who they are to the server is the user's environment.
    """
    if "tensorboard" in trackers:
        os.environ["TENSORBOARD_LOGGING_DIR"] = str(folder / "tensorboard")
    if "mlflow" in trackers:
        os.environ.setdefault("MLFLOW_EXPERIMENT_NAME", suite)
    if "wandb" in trackers:
        os.environ.setdefault("WANDB_PROJECT", suite)
        os.environ.setdefault("WANDB_DIR", str(folder))
