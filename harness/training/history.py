"""The history of a training: losses, scores, logits and times of every epoch."""

from collections.abc import Callable
from typing import Any

import numpy as np
from transformers import (
    EvalPrediction,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)

from harness.store import classes
from harness.store.records import Epoch, Scores
from harness.training.clock import TrainingClock
from harness.training.progress import Progress
from harness.training.score import one_class, score
from harness.training.yielding import Yielding

METRIC = "matthews_correlation"


class History(TrainerCallback):
    """Records every epoch's losses, scores, logits and times as Trainer reports them.

    Attributes:
        places: (sentences,) index of each validation sentence in the order of evaluation.
        epochs: those that have ended.
        logits: by epoch, (sentences, 2) of the validation sentences in the split's order.
        evaluate_seconds: by epoch.
    """

    def __init__(self, clock: TrainingClock) -> None:
        self.places = np.empty(0, dtype=np.intp)
        self.epochs: list[Epoch] = []
        self.logits: dict[int, np.ndarray] = {}
        self.evaluate_seconds: dict[int, float] = {}
        self._clock = clock
        self._epoch_ended = 0.0
        self._train_loss: dict[int, float] = {}
        self._latest: tuple[np.ndarray, Scores] | None = None

    def compute_metrics(self, prediction: EvalPrediction) -> dict[str, float]:
        logits = np.asarray(prediction.predictions, dtype=np.float32)
        scores = score(logits, np.asarray(prediction.label_ids))
        self._latest = logits, scores
        return {
            METRIC: scores.mcc,
            "accuracy": scores.accuracy,
            "f1": scores.f1,
            "one_class": float(one_class(logits)),
        }

    def on_epoch_end(self, args: TrainingArguments, state: Any, control: Any, **_: Any) -> None:
        # The epoch's evaluation comes next; its time must not include pending training work.
        self._epoch_ended = self._clock.seconds(args.device.type)

    def on_log(self, args: Any, state: TrainerState, control: Any, **given: Any) -> None:
        if "loss" in given["logs"]:
            self._train_loss[_epoch(state)] = given["logs"]["loss"]

    def on_evaluate(
        self, args: TrainingArguments, state: TrainerState, control: Any, **given: Any
    ) -> None:
        now, epoch = self._clock.seconds(args.device.type), _epoch(state)
        if self._latest is None:  # compute_metrics is called just before
            raise RuntimeError("Trainer evaluated without labels, so there are no scores")
        logits, scores = self._latest
        self.logits[epoch] = logits[self.places]
        # Not Trainer's own eval_runtime: its clock may be adjusted during the evaluation.
        self.evaluate_seconds[epoch] = now - self._epoch_ended
        self.epochs.append(
            Epoch(
                epoch=epoch,
                train_loss=_finite(self._train_loss.get(epoch)),
                eval_loss=_finite(given["metrics"].get("eval_loss")),
                scores=scores,
                seconds=now,
                classes=classes.pack(
                    self.logits[epoch].argmax(axis=1), self.logits[epoch].shape[1]
                ),
            )
        )


class Reporting(TrainerCallback):
    """Reports the progress of the training, and the load that `yielding` measures."""

    def __init__(
        self, on_progress: Callable[[Progress], None], yielding: Yielding | None = None
    ) -> None:
        self._on_progress = on_progress
        self._yielding = yielding
        self._mcc: float | None = None
        self._best: float | None = None

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: Any, **_: Any
    ) -> None:
        self._on_progress(
            Progress(
                epoch=state.epoch or 0.0,
                epochs=round(args.num_train_epochs),
                step=state.global_step,
                steps=state.max_steps,
                mcc=self._mcc,
                best=self._best,
                others=None if self._yielding is None else self._yielding.others,
            )
        )

    def on_evaluate(
        self, args: TrainingArguments, state: TrainerState, control: Any, **given: Any
    ) -> None:
        mcc: float = given["metrics"][f"eval_{METRIC}"]
        self._mcc, self._best = mcc, mcc if self._best is None else max(self._best, mcc)
        self.on_step_end(args, state, control)


class StopAtTarget(TrainerCallback):
    """Ends training after the first epoch whose MCC is at least the target.

    The learning rate schedule is planned before training for all epochs, so the epochs until then
    are those of the whole training.
    """

    def __init__(self, target: float) -> None:
        self._target = target

    def on_evaluate(self, args: Any, state: Any, control: TrainerControl, **given: Any) -> None:
        if given["metrics"][f"eval_{METRIC}"] >= self._target:
            control.should_training_stop = True


def _epoch(state: TrainerState) -> int:
    return round(state.epoch or 0.0)


def _finite(value: float | None) -> float | None:
    return value if value is not None and np.isfinite(value) else None
