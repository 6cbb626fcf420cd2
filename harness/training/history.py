"""The history of a training: losses, scores, logits and times of every epoch."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from transformers import (
    EvalPrediction,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)

from harness.training.clock import TrainingClock
from harness.training.progress import Progress
from harness.training.score import MetricValues, score

METRIC = "matthews_correlation"


@dataclass(frozen=True)
class EpochOutcome:
    """The state at an epoch's end; `seconds` since training began are measured as train_seconds.

    `classes` is (sentences,): the predicted class of each validation sentence, in the split's
    order.
    """

    epoch: int
    train_loss: float | None
    eval_loss: float | None
    scores: MetricValues
    seconds: float
    classes: np.ndarray


class History(TrainerCallback):
    """Records every epoch's losses, scores, logits and times as Trainer reports them.

    Attributes:
        places: (sentences,) index of each validation sentence in the order of evaluation.
    """

    def __init__(self, clock: TrainingClock) -> None:
        self.places = np.empty(0, dtype=np.intp)
        self.logits: dict[int, np.ndarray] = {}
        self.evaluate_seconds: dict[int, float] = {}
        self._clock = clock
        self._epoch_ended = 0.0
        self._train_loss: dict[int, float] = {}
        self._evaluated: list[tuple[int, dict[str, float], float]] = []
        self._latest_logits: np.ndarray | None = None

    def compute_metrics(self, prediction: EvalPrediction) -> dict[str, float]:
        self._latest_logits = logits_of(prediction.predictions)
        scores = score(self._latest_logits, np.asarray(prediction.label_ids))
        return {
            METRIC: scores.matthews_correlation,
            "accuracy": scores.accuracy,
            "f1": scores.f1,
            "one_class": float(scores.one_class),
        }

    def on_epoch_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        # The epoch's evaluation comes next; its time must not include pending training work.
        self._epoch_ended = self._clock.seconds(args.device.type)

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, float] | None = None,
        **_: Any,
    ) -> None:
        if logs and "loss" in logs and state.epoch is not None:
            self._train_loss[round(state.epoch)] = logs["loss"]

    def on_evaluate(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        metrics: dict[str, float] | None = None,
        **_: Any,
    ) -> None:
        if metrics is not None and state.epoch is not None:
            now = self._clock.seconds(args.device.type)
            epoch = round(state.epoch)
            if self._latest_logits is None:  # compute_metrics is called just before
                raise RuntimeError("Trainer evaluated without labels, so there are no scores")
            self.logits[epoch] = self._latest_logits[self.places]
            # Not Trainer's own eval_runtime: its clock may be adjusted during the evaluation.
            self.evaluate_seconds[epoch] = now - self._epoch_ended
            self._evaluated.append((epoch, dict(metrics), now))

    def epochs(self) -> tuple[EpochOutcome, ...]:
        return tuple(
            EpochOutcome(
                epoch=epoch,
                train_loss=_finite(self._train_loss.get(epoch)),
                eval_loss=_finite(metrics.get("eval_loss")),
                scores=MetricValues(
                    matthews_correlation=metrics[f"eval_{METRIC}"],
                    accuracy=metrics["eval_accuracy"],
                    f1=metrics["eval_f1"],
                    one_class=bool(metrics["eval_one_class"]),
                ),
                seconds=seconds,
                classes=self.logits[epoch].argmax(axis=1),
            )
            for epoch, metrics, seconds in self._evaluated
        )


class Reporting(TrainerCallback):
    """Reports the progress of the training."""

    def __init__(self, on_progress: Callable[[Progress], None]) -> None:
        self._on_progress = on_progress
        self._mcc: float | None = None
        self._best: float | None = None

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        self._on_progress(
            Progress(
                epoch=state.epoch or 0.0,
                epochs=round(args.num_train_epochs),
                step=state.global_step,
                steps=state.max_steps,
                mcc=self._mcc,
                best=self._best,
            )
        )

    def on_evaluate(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        metrics: dict[str, float] | None = None,
        **_: Any,
    ) -> None:
        self._mcc = (metrics or {}).get(f"eval_{METRIC}")
        if self._mcc is not None:
            self._best = self._mcc if self._best is None else max(self._best, self._mcc)
        self.on_step_end(args, state, control)


def logits_of(predictions: Any) -> np.ndarray:
    """Return the logits, also of a model that returns other outputs, such as hidden states."""
    first = predictions[0] if isinstance(predictions, tuple) else predictions
    return np.asarray(first, dtype=np.float32)


def _finite(value: float | None) -> float | None:
    return value if value is not None and np.isfinite(value) else None
