"""Experiment trackers that `Trainer` reports to: whether they are installed, where they write."""

import os
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path


def missing(trackers: Sequence[str], suite: str) -> Iterator[str]:
    """Yield a message for each tracker that is not installed; its name is its package's name."""
    for name in trackers:
        if find_spec(name) is None:
            yield (
                f"suite {suite}: trackers: {name!r}: not installed; run `pip install {name}`, or "
                "remove it from trackers"
            )


def prepare(trackers: Sequence[str], suite: str, folder: Path) -> None:
    """Set the environment variables of a run's process for its trackers.

    TensorBoard writes its events to the run's folder. MLflow and W&B group a suite's runs under
    the suite's name; the user's environment sets their destination and their credentials.
    """
    if "tensorboard" in trackers:
        os.environ["TENSORBOARD_LOGGING_DIR"] = str(folder / "tensorboard")
    if "mlflow" in trackers:
        os.environ.setdefault("MLFLOW_EXPERIMENT_NAME", suite)
    if "wandb" in trackers:
        os.environ.setdefault("WANDB_PROJECT", suite)
        os.environ.setdefault("WANDB_DIR", str(folder))


def places(trackers: Sequence[str]) -> Iterator[tuple[str, Path, bool]]:
    """Yield each path that trackers write to outside the runs' folders.

    Each item is the environment variable that sets the path, the path, and whether it is a folder:
    for MLflow without a server, for trackio, and for W&B if the user chose its folder. The paths
    follow the libraries' documentation and are relative to the working directory.
    """
    if "mlflow" in trackers:
        address = os.environ.get("MLFLOW_TRACKING_URI") or "sqlite:///mlflow.db"
        scheme, _, rest = address.rpartition("://")
        if scheme == "sqlite":
            yield "MLFLOW_TRACKING_URI", Path(rest.removeprefix("/")), False
        elif scheme in ("", "file"):
            yield "MLFLOW_TRACKING_URI", Path(rest.removeprefix("file:")), True
    if "trackio" in trackers:
        home = Path(os.environ.get("HF_HOME") or Path.home() / ".cache" / "huggingface")
        yield "TRACKIO_DIR", Path(os.environ.get("TRACKIO_DIR") or home / "trackio"), True
    if "wandb" in trackers and (folder := os.environ.get("WANDB_DIR")):
        yield "WANDB_DIR", Path(folder), True
