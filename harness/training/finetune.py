"""One fine-tuning with `Trainer`, as in the tutorial; independent of suites and pytest."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from transformers import (
    EarlyStoppingCallback,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    Trainer,
    TrainerCallback,
    TrainingArguments,
)

from harness.models.encode import Encoded, collator, names_its_inputs
from harness.models.pad_token import KeptPadToken
from harness.models.padding import logits_of, settle
from harness.store.records import Epoch, Padding
from harness.suite.spec import TrainingSpec
from harness.training import proof
from harness.training.clock import TrainingClock
from harness.training.history import METRIC, History, StopAtTarget
from harness.training.proof import Sample
from harness.training.speedups import MEMORY_CHECKPOINT, SORTED_EVALUATION
from harness.training.speedups.apply import Applied, apply, undo
from harness.training.speedups.compiled.optimizer import use_compiled_optimizer
from harness.training.speedups.memory import BestEpoch, read_best_epoch
from harness.training.speedups.sorted_evaluation import evaluated_places, evaluation_positions
from harness.training.speedups.vocabulary import DecayOfUnusedRows

LABELS = "labels"
Alike = Literal["always", "now"]


@dataclass(frozen=True)
class Settings:
    """The settings of one run, without its checkpoint and data.

    `trackers` record the run as `title` in `project`; by default there are none.
    Each batch is computed in `accumulation` equal parts, and their gradients are summed.
    Training ends after the first epoch whose MCC is at least `stop_at`; None trains all epochs.
    """

    batch_size: int
    learning_rate: float
    seed: int
    training: TrainingSpec
    device: str
    class_names: tuple[str, ...]
    title: str = ""
    project: str = ""
    trackers: tuple[str, ...] = ()
    accumulation: int = 1
    stop_at: float | None = None


@dataclass(frozen=True)
class Outcome:
    """What a run produces: `logits` by split, each (sentences, classes) in the split's own order.

    `model` is the selected epoch's model, on the CPU or GPU where it was trained.
    `train_seconds` is the time from the start of the first epoch to the end of training, including
    the evaluation after each epoch, without the time of trackers (harness.training.clock).
    `evaluate_seconds` is the time of predicting the validation split once.
    `speedups` names the active speed-ups. `sample` is a few validation sentences with their
    recorded logits, which `model` was verified to give. `alike` is "always" if different sentences
    had the same logits before training and still have them, "now" if only after training.
    """

    epochs: tuple[Epoch, ...]
    selected_epoch: int
    logits: dict[str, np.ndarray]
    train_seconds: float
    evaluate_seconds: float
    parameters: int
    speedups: tuple[str, ...]
    model: PreTrainedModel
    sample: Sample
    alike: Alike | None


def training_arguments(settings: Settings, scratch: Path) -> TrainingArguments:
    """Return the tutorial's `TrainingArguments` for a run; `scratch` receives its checkpoints."""
    training = settings.training
    best = training.selection == "best-epoch" and MEMORY_CHECKPOINT not in training.speedups
    return TrainingArguments(
        output_dir=str(scratch),
        eval_strategy="epoch",
        save_strategy="epoch" if best else "no",
        save_total_limit=1,
        save_only_model=True,
        logging_strategy="epoch",
        learning_rate=settings.learning_rate,
        per_device_train_batch_size=settings.batch_size // settings.accumulation,
        per_device_eval_batch_size=max(1, training.eval_batch_size // settings.accumulation),
        gradient_accumulation_steps=settings.accumulation,
        num_train_epochs=training.epochs,
        weight_decay=training.weight_decay,
        adam_beta1=training.adam_beta1,
        adam_beta2=training.adam_beta2,
        adam_epsilon=training.adam_epsilon,
        label_smoothing_factor=training.label_smoothing,
        warmup_steps=training.warmup_ratio,
        lr_scheduler_type=training.lr_scheduler,
        max_grad_norm=training.max_grad_norm,
        bf16=training.precision == "bf16",
        fp16=training.precision == "fp16",
        # Trainer finds the labels by forward's signature, and that of some families names none.
        label_names=[LABELS],
        # Trainer loads the best epoch only in part for some families; see read_best_epoch.
        load_best_model_at_end=False,
        metric_for_best_model=METRIC,
        greater_is_better=True,
        train_sampling_strategy=(
            "group_by_length" if training.batching == "length-grouped" else "random"
        ),
        seed=settings.seed,
        use_cpu=settings.device == "cpu",
        dataloader_pin_memory=settings.device == "cuda",
        disable_tqdm=True,
        report_to=list(settings.trackers) or "none",
        run_name=settings.title or None,
        project=settings.project or "huggingface",
    )


def finetune(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    encoded: Encoded,
    settings: Settings,
    scratch: Path,
    padding: Padding | None = None,
    listeners: Sequence[TrainerCallback] = (),
) -> Outcome:
    """Fine-tune a model on the train split and predict every other split with the result.

    Args:
        scratch: a folder for Trainer's checkpoints.
        padding: the result of `settle` for this model and tokenizer; by default computed here.
        listeners: callbacks that change no number of the run, except through the number of threads.

    Raises:
        ValueError: the model's logits are NaN or infinite, as after too high a learning rate.
        RuntimeError: the selected model does not give its recorded logits.
        BadInput: the configuration turns an encoder into a decoder.
    """
    if padding is None:
        padding = settle(model, tokenizer, encoded.splits["train"])
    if padding.alone:
        settings = _each_sentence_alone(settings)
    parameters = sum(parameter.numel() for parameter in model.parameters())
    applied = apply(
        settings.training.speedups,
        model,
        tokenizer,
        encoded.splits,
        plain_arithmetic=settings.device == "cpu" and settings.training.precision == "fp32",
    )
    setup = _set_up(model, tokenizer, applied, settings, scratch, padding, listeners)
    validation = encoded.splits["validation"]
    batches = proof.choose(setup.trainer, validation, setup.positions["validation"])
    rows = applied.splits["validation"].select([*chain.from_iterable(batches)])
    untrained = proof.logits_of(model, tokenizer, list(rows), "fp32", padding.shortest)
    alike_before = proof.alike(untrained, rows)
    setup.trainer.train()
    best_epoch = settings.training.selection == "best-epoch"
    if setup.best is not None:
        setup.best.load(model)
    elif best_epoch:
        vocabulary = None if applied.trimmed is None else len(applied.trimmed.used)
        read_best_epoch(model, setup.trainer.state.best_model_checkpoint, vocabulary)
    train_seconds = setup.clock.seconds(settings.device)
    epochs = setup.history.epochs
    # Trainer, too, selects the first of equally good epochs.
    best = max(epochs, key=lambda epoch: epoch.scores.mcc)
    selected = (best if best_epoch else epochs[-1]).epoch
    # The selected epoch's model was evaluated at the epoch's end; a new prediction is the same.
    logits = {"validation": setup.history.logits[selected]}
    if "test" in setup.positions:
        logits["test"] = _test_logits(setup, applied)
    undo(model, applied, setup.decay.by_epoch[selected])
    recorded = tuple(logits["validation"][list(batch)] for batch in batches)
    sample = Sample(batches, recorded, settings.training.precision, padding.shortest)
    proof.prove(model, tokenizer, validation, sample, "the selected epoch's model")
    alike: Alike | None = None
    if proof.alike(logits["validation"], validation):
        alike = "always" if alike_before else "now"
    return Outcome(
        epochs=tuple(epochs),
        selected_epoch=selected,
        logits=logits,
        train_seconds=train_seconds,
        evaluate_seconds=setup.history.evaluate_seconds[selected],
        parameters=parameters,
        speedups=tuple(sorted(applied.names | setup.speedups)),
        model=model,
        sample=sample,
        alike=alike,
    )


def _each_sentence_alone(settings: Settings) -> Settings:
    """Return settings that evaluate each sentence in a batch of its own, in the split's order."""
    speedups = tuple(s for s in settings.training.speedups if s != SORTED_EVALUATION)
    update = {"eval_batch_size": 1, "speedups": speedups}
    return replace(settings, training=settings.training.model_copy(update=update))


@dataclass(frozen=True)
class _Setup:
    """A Trainer and its callbacks.

    `positions` are the rows of each split except train, in the order in which Trainer receives
    them. `best` keeps the best epoch in memory; None if Trainer writes it to disk or no epoch is
    selected. `speedups` names the active speed-ups that do not change the model.
    """

    trainer: Trainer
    history: History
    decay: DecayOfUnusedRows
    clock: TrainingClock
    positions: Mapping[str, np.ndarray]
    best: BestEpoch | None
    speedups: frozenset[str]


def _set_up(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    applied: Applied,
    settings: Settings,
    scratch: Path,
    padding: Padding,
    listeners: Sequence[TrainerCallback],
) -> _Setup:
    requested = settings.training.speedups
    clock = TrainingClock()
    history, decay = History(clock), DecayOfUnusedRows()
    positions = {
        split: evaluation_positions(rows, by_length=SORTED_EVALUATION in requested)
        for split, rows in applied.splits.items()
        if split != "train"
    }
    trainer = Trainer(
        model=model,
        args=training_arguments(settings, scratch),
        train_dataset=applied.splits["train"],
        eval_dataset=applied.splits["validation"].select(positions["validation"]),
        processing_class=tokenizer,
        data_collator=collator(tokenizer, padding.shortest),
        compute_metrics=history.compute_metrics,
        preprocess_logits_for_metrics=_without_other_outputs,
        # A model's own loss is the mean over a part, but parts differ in their number of sentences.
        compute_loss_func=None
        if settings.accumulation == 1
        else partial(_loss_of_part, smoothing=settings.training.label_smoothing),
        callbacks=[KeptPadToken(model), history, decay, *_stopping(settings), *listeners],
    )
    if applied.library is not None:
        use_compiled_optimizer(trainer, applied.library)
    if not names_its_inputs(model):
        trainer.args.remove_unused_columns = False  # Trainer would remove every input
    clock.attach(trainer)
    history.places = evaluated_places(
        trainer, applied.splits["validation"], positions["validation"]
    )
    best = None
    active = {SORTED_EVALUATION} & set(requested)
    if settings.training.selection == "best-epoch" and MEMORY_CHECKPOINT in requested:
        best = BestEpoch(METRIC)
        trainer.add_callback(best)
        active.add(MEMORY_CHECKPOINT)
    return _Setup(trainer, history, decay, clock, positions, best, frozenset(active))


def _stopping(settings: Settings) -> list[TrainerCallback]:
    """Return the callbacks that end a training early: without improvement, or at a target."""
    patience = settings.training.patience
    callbacks: list[TrainerCallback] = []
    if patience is not None:
        callbacks.append(EarlyStoppingCallback(patience))
    if settings.stop_at is not None:
        callbacks.append(StopAtTarget(settings.stop_at))
    return callbacks


def _test_logits(setup: _Setup, applied: Applied) -> np.ndarray:
    """Return (sentences, classes) the model's logits for the test split, in the split's order.

    Raises:
        ValueError: some are NaN or infinite.
    """
    rows, positions = applied.splits["test"], setup.positions["test"]
    # Hidden labels (-1) are out of range for the loss; predictions need no labels.
    received: Any = rows.select(positions).remove_columns("label")
    predicted = np.asarray(setup.trainer.predict(received).predictions, dtype=np.float32)
    if not np.isfinite(predicted).all():
        raise ValueError("logits of the test split are NaN or infinite")
    ordered: np.ndarray = predicted[evaluated_places(setup.trainer, rows, positions)]
    return ordered


def _loss_of_part(
    outputs: Any,
    labels: torch.Tensor,
    num_items_in_batch: torch.Tensor | int | None = None,
    smoothing: float = 0.0,
) -> torch.Tensor:
    """Return a part's contribution to the mean cross entropy of its batch."""
    whole = torch.nn.functional.cross_entropy(
        logits_of(outputs), labels, reduction="sum", label_smoothing=smoothing
    )
    return whole / (len(labels) if num_items_in_batch is None else num_items_in_batch)


def _without_other_outputs(outputs: Any, labels: Any) -> Any:
    """Keep only the logits; drop other outputs, such as hidden states."""
    return outputs[0] if isinstance(outputs, tuple) else outputs
