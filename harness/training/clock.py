"""A clock for training time: it stops while an experiment tracker works."""

import time
from collections.abc import Callable
from functools import wraps
from typing import Any

import torch
from transformers import Trainer, TrainerCallback
from transformers.integrations.integration_utils import get_reporting_integration_callbacks


class TrainingClock(TrainerCallback):
    """Measures the seconds of training since the first epoch began, without those of trackers.

    Trackers run in Trainer's own thread. A tracker that connects to a server when training begins,
    or writes to a database after every epoch, makes `trainer.train()` longer but changes no number
    of the run. Work in the trackers' own threads is not subtracted; it does not delay training.
    """

    def __init__(self) -> None:
        self._started: float | None = None
        self._excluded = 0.0

    def attach(self, trainer: Trainer) -> None:
        """Add the clock to a trainer as its last callback, and exclude its trackers' time."""
        report_to = trainer.args.report_to
        kinds = tuple(get_reporting_integration_callbacks(report_to))  # type: ignore[no-untyped-call]
        device = trainer.args.device.type
        for callback in trainer.callback_handler.callbacks:
            if isinstance(callback, kinds):
                self._exclude(callback, device)
        trainer.add_callback(self)

    def seconds(self, device: str) -> float:
        """Return the seconds of training so far, including the work pending on `device`."""
        wait_for_device(device)
        return 0.0 if self._started is None else self._now() - self._started

    def on_epoch_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Start with the first epoch: by then, every callback has prepared for training."""
        if self._started is None:
            wait_for_device(args.device.type)
            self._started = self._now()

    def _now(self) -> float:
        return time.perf_counter() - self._excluded

    def _exclude(self, tracker: TrainerCallback, device: str) -> None:
        """Stop the clock during every event that a tracker handles."""
        for event in filter(lambda name: name.startswith("on_"), dir(TrainerCallback)):
            if getattr(type(tracker), event) is not getattr(TrainerCallback, event):
                setattr(tracker, event, self._stopped(getattr(tracker, event), device))

    def _stopped(self, handle: Callable[..., Any], device: str) -> Callable[..., Any]:
        @wraps(handle)
        def handled(*arguments: Any, **named: Any) -> Any:
            wait_for_device(device)  # pending work on the device belongs to training
            began = time.perf_counter()
            try:
                return handle(*arguments, **named)
            finally:
                self._excluded += time.perf_counter() - began

        return handled


def wait_for_device(device: str) -> None:
    """Wait until a device has finished its pending work; a CPU never has any."""
    if device == "cuda":
        torch.cuda.synchronize()
