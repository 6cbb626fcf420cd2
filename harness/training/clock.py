"""A clock of training alone: it stands still while an experiment tracker is at work."""

import time
from collections.abc import Callable
from functools import wraps
from typing import Any

import torch
from transformers import Trainer, TrainerCallback
from transformers.integrations.integration_utils import get_reporting_integration_callbacks


class TrainingClock(TrainerCallback):
    """Tells the seconds of training since its first epoch began, whoever else listens to Trainer.

    Trackers are called in Trainer's own thread: one that connects to a server as training begins,
    or writes to a database after every epoch, makes `trainer.train()` longer and changes no number
    of the run. What they do in threads of their own is not seen, and does not hold training up.
    """

    def __init__(self) -> None:
        self._started: float | None = None
        self._aside = 0.0

    def attach(self, trainer: Trainer) -> None:
        """Follow a trainer, as the last of its callbacks so far, and set its trackers aside."""
        report_to = trainer.args.report_to
        kinds = tuple(get_reporting_integration_callbacks(report_to))  # type: ignore[no-untyped-call]
        device = trainer.args.device.type
        for callback in trainer.callback_handler.callbacks:
            if isinstance(callback, kinds):
                self._set_aside(callback, device)
        trainer.add_callback(self)

    def seconds(self, device: str) -> float:
        """Return the seconds of training so far, what `device` still has to do included."""
        wait_for_device(device)
        return 0.0 if self._started is None else self._now() - self._started

    def on_epoch_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Start with the first epoch: by then, whatever prepares itself for training has."""
        if self._started is None:
            wait_for_device(args.device.type)
            self._started = self._now()

    def _now(self) -> float:
        return time.perf_counter() - self._aside

    def _set_aside(self, tracker: TrainerCallback, device: str) -> None:
        """Let the clock stand still in every event that a tracker listens to."""
        for event in filter(lambda name: name.startswith("on_"), dir(TrainerCallback)):
            if getattr(type(tracker), event) is not getattr(TrainerCallback, event):
                setattr(tracker, event, self._stopped(getattr(tracker, event), device))

    def _stopped(self, handle: Callable[..., Any], device: str) -> Callable[..., Any]:
        @wraps(handle)
        def handled(*arguments: Any, **named: Any) -> Any:
            wait_for_device(device)  # it goes on with what it has, which is training
            began = time.perf_counter()
            try:
                return handle(*arguments, **named)
            finally:
                self._aside += time.perf_counter() - began

        return handled


def wait_for_device(device: str) -> None:
    """Return when a device has done all that it was given; a CPU has at once."""
    if device == "cuda":
        torch.cuda.synchronize()
