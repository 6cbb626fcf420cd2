#!/usr/bin/env bash
# transformers 5.23.0: `lr_scheduler_type="reduce_lr_on_plateau"` lowers the learning rate while
# the metric improves, if more of it is better.
#
# The scheduler is handed `metric_for_best_model`, but `greater_is_better=True` does not reach it:
# its mode stays "min", so a rising MCC counts as no improvement. `lr_scheduler_kwargs` may say
# mode="max"; nothing tells that it has to.
# Expected: the direction of the metric that Trainer was told, as for the best checkpoint.
# Output on 2026-11-28, at the end of each epoch:
#   mcc            0.1    0.2    0.3    0.4    0.5
#   learning rate  1e-03  1e-03  1e-04  1e-05  1e-06
# Exits with 0 while it behaves so, with 1 when that has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
export HF_HOME="$folder/cache" HF_HUB_OFFLINE=1
python3 -m venv venv
venv/bin/pip install --quiet --no-compile 'torch==2.13.0' 'transformers==5.23.0' 'accelerate==1.15.0'
venv/bin/python - <<'PYTHON'
import sys

from transformers import BertConfig, BertForSequenceClassification, Trainer, TrainingArguments

rows = [
    {"input_ids": [2, 5 + n, 3], "attention_mask": [1, 1, 1], "labels": n % 2} for n in range(12)
]
config = BertConfig(
    vocab_size=40, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16
)
rising = [0.1, 0.2, 0.3, 0.4, 0.5]
scores = iter(rising)
arguments = TrainingArguments(
    output_dir="out", num_train_epochs=5, learning_rate=1e-3, eval_strategy="epoch",
    metric_for_best_model="mcc", greater_is_better=True,
    lr_scheduler_type="reduce_lr_on_plateau", lr_scheduler_kwargs={"patience": 0},
    logging_strategy="epoch", save_strategy="no", report_to=[], disable_tqdm=True, use_cpu=True,
)
trainer = Trainer(
    BertForSequenceClassification(config), arguments, train_dataset=rows, eval_dataset=rows,
    compute_metrics=lambda _: {"mcc": next(scores)},
)
trainer.train()
rates = [entry["learning_rate"] for entry in trainer.state.log_history if "learning_rate" in entry]
print("mcc           ", *(f"{score:<6}" for score in rising))
print("learning rate ", *(f"{rate:.0e} " for rate in rates))
sys.exit(not rates[-1] < rates[0] / 100)
PYTHON
