"""Fine-tunes on CoLA as in the tutorial, written as a beginner would: the reference for a run.

    python benchmarks/tutorial_script.py CHECKPOINT COLA_DIR BATCH_SIZE LEARNING_RATE EPOCHS SEED

This script does not use the harness. `make speed` compares the harness with it.
"""

import argparse
import csv
import json
import tempfile
from pathlib import Path

import numpy as np
import sklearn.metrics
from datasets import Dataset, DatasetDict
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    DataCollatorWithPadding,
    Trainer,
    TrainingArguments,
    set_seed,
)


def load_cola(folder: Path) -> DatasetDict:
    """Read the corpus' original files."""

    def rows(*names: str) -> Dataset:
        lines: list[list[str]] = []
        for name in names:
            with (folder / "raw" / name).open(encoding="utf-8", newline="") as file:
                lines += csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        return Dataset.from_dict(
            {"sentence": [line[3] for line in lines], "label": [int(line[1]) for line in lines]}
        )

    return DatasetDict(
        train=rows("in_domain_train.tsv"),
        validation=rows("in_domain_dev.tsv", "out_of_domain_dev.tsv"),
    )


def compute_metrics(prediction):  # type: ignore[no-untyped-def]
    """Compute the tutorial's metric."""
    classes = np.argmax(prediction.predictions, axis=-1)
    mcc = sklearn.metrics.matthews_corrcoef(prediction.label_ids, classes)
    return {"matthews_correlation": mcc}


def main() -> None:
    """Fine-tune once and print the best epoch's MCC and Trainer's training time as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("checkpoint")
    parser.add_argument("cola_dir", type=Path)
    parser.add_argument("batch_size", type=int)
    parser.add_argument("learning_rate", type=float)
    parser.add_argument("epochs", type=int)
    parser.add_argument("seed", type=int)
    parser.add_argument(
        "--pad-to", type=int, help="pad every sentence to this length, as run_glue does to 128"
    )
    parser.add_argument(
        "--sentences", type=int, help="number of training sentences, from the start"
    )
    args = parser.parse_args()

    datasets = load_cola(args.cola_dir)
    if args.sentences:
        datasets["train"] = datasets["train"].select(range(args.sentences))
    tokenizer = AutoTokenizer.from_pretrained(args.checkpoint)

    def tokenize(batch):  # type: ignore[no-untyped-def]
        if args.pad_to is None:
            return tokenizer(batch["sentence"], truncation=True)
        return tokenizer(
            batch["sentence"], truncation=True, padding="max_length", max_length=args.pad_to
        )

    encoded = datasets.map(tokenize, batched=True)
    set_seed(args.seed)
    model = AutoModelForSequenceClassification.from_pretrained(args.checkpoint, num_labels=2)
    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            folder,
            eval_strategy="epoch",
            save_strategy="epoch",
            learning_rate=args.learning_rate,
            per_device_train_batch_size=args.batch_size,
            per_device_eval_batch_size=args.batch_size,
            num_train_epochs=args.epochs,
            weight_decay=0.01,
            load_best_model_at_end=True,
            metric_for_best_model="matthews_correlation",
            seed=args.seed,
            report_to="none",
        )
        trainer = Trainer(
            model,
            arguments,
            train_dataset=encoded["train"],
            eval_dataset=encoded["validation"],
            processing_class=tokenizer,
            data_collator=DataCollatorWithPadding(tokenizer),
            compute_metrics=compute_metrics,
        )
        trained = trainer.train()
        scores = trainer.evaluate()
    results = {
        "mcc": scores["eval_matthews_correlation"],
        "train_seconds": trained.metrics["train_runtime"],
    }
    print(json.dumps(results))


if __name__ == "__main__":
    main()
