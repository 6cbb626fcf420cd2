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


def places(trackers: Sequence[str]) -> Iterator[tuple[str, Path, bool]]:
    """Yield what names each place outside the runs' folders, the place, and if it is a folder.

    Of MLflow without a server, of trackio, and of W&B where its user chose the folder. The paths
    are as the libraries' documentation gives them, seen from the working folder.
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
