"""The fine-tuning tutorial's script for text classification, on CoLA: the reference for runs.

Steps and names come from huggingface.co/docs/transformers/tasks/sequence_classification, with
GLUE's metric for CoLA. Nothing here uses the harness.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from datasets import DatasetDict
from sklearn.metrics import matthews_corrcoef
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    DataCollatorWithPadding,
    Trainer,
    TrainerCallback,
    TrainingArguments,
    set_seed,
)

ID2LABEL = {0: "unacceptable", 1: "acceptable"}
LABEL2ID = {"unacceptable": 0, "acceptable": 1}


@dataclass(frozen=True)
class Finished:
    """The results of the script.

    Attributes:
        train_losses, eval_losses, correlations: one per epoch.
        best_epoch: the epoch of the best checkpoint; None if the settings select none.
        evaluated: the result of `trainer.evaluate()` for the final model.
        logits: (sentences, 2) of the validation split, from the final model.
    """

    train_losses: list[float]
    eval_losses: list[float]
    correlations: list[float]
    best_epoch: int | None
    evaluated: dict[str, float]
    logits: np.ndarray


def tutorial_arguments(output_dir: Path, **changes: Any) -> TrainingArguments:
    """Return the tutorial's settings, on the CPU and with logs after every epoch, with changes."""
    settings: dict[str, Any] = {
        "output_dir": str(output_dir),
        "learning_rate": 2e-5,
        "per_device_train_batch_size": 16,
        "per_device_eval_batch_size": 16,
        "num_train_epochs": 2,
        "weight_decay": 0.01,
        "eval_strategy": "epoch",
        "save_strategy": "epoch",
        "load_best_model_at_end": True,
        "metric_for_best_model": "matthews_correlation",
        "logging_strategy": "epoch",
        "disable_tqdm": True,
        "report_to": "none",
        "use_cpu": True,
        "dataloader_pin_memory": False,
    }
    return TrainingArguments(**{**settings, **changes})


def run_tutorial(
    checkpoint: Path,
    cola: DatasetDict,
    training_args: TrainingArguments,
    callbacks: Sequence[TrainerCallback] = (),
) -> Finished:
    """Fine-tune a checkpoint on the splits train and validation of `cola`."""
    tokenizer = AutoTokenizer.from_pretrained(checkpoint)

    def preprocess_function(examples: dict[str, list[str]]) -> Any:
        return tokenizer(examples["sentence"], truncation=True)

    tokenized_cola = cola.map(preprocess_function, batched=True)
    data_collator = DataCollatorWithPadding(tokenizer=tokenizer)

    def compute_metrics(eval_pred: Any) -> dict[str, float]:
        predictions, labels = eval_pred
        predictions = np.argmax(predictions, axis=1)
        return {"matthews_correlation": matthews_corrcoef(labels, predictions)}

    set_seed(training_args.seed)
    model = AutoModelForSequenceClassification.from_pretrained(
        checkpoint, num_labels=2, id2label=ID2LABEL, label2id=LABEL2ID
    )
    trainer = Trainer(
        model=model,
        args=training_args,
        train_dataset=tokenized_cola["train"],
        eval_dataset=tokenized_cola["validation"],
        processing_class=tokenizer,
        data_collator=data_collator,
        compute_metrics=compute_metrics,
        callbacks=list(callbacks),
    )
    trainer.train()
    log = list(trainer.state.log_history)
    evaluated = trainer.evaluate()
    predicted = trainer.predict(tokenized_cola["validation"])

    def logged(name: str) -> list[float]:
        return [entry[name] for entry in log if name in entry]

    best_epoch = None
    if trainer.state.best_model_checkpoint is not None:
        best_step = int(trainer.state.best_model_checkpoint.rpartition("-")[2])
        best_epoch = round(best_step * training_args.num_train_epochs / trainer.state.max_steps)
    return Finished(
        train_losses=logged("loss"),
        eval_losses=logged("eval_loss"),
        correlations=logged("eval_matthews_correlation"),
        best_epoch=best_epoch,
        evaluated=evaluated,
        logits=np.asarray(predicted.predictions),
    )
