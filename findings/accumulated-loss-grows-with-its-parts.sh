#!/usr/bin/env bash
# transformers 5.23.0 with accelerate 1.15.0: with `gradient_accumulation_steps=N`, loss and
# gradient of BERT and its relatives are N times too large.
#
# Trainer leaves the division to models whose `forward` takes further keywords, as they might use
# `num_items_in_batch`. Classifiers take it and ignore it, so means are added up undivided. Clipping
# by `max_grad_norm` then cuts N times as soon, and SGD steps N times as far.
# Expected: the same step for a batch of 12, and for 4 times 3 of the same rows.
# Output on 2026-11-28:
#   1 x 12: loss 0.6932, gradient norm 0.00159
#   2 x  6: loss 1.3863, gradient norm 0.00318
#   4 x  3: loss 2.7726, gradient norm 0.00637
# Exits with 0 while it behaves so, with 1 when that has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
export HF_HOME="$folder/cache" HF_HUB_OFFLINE=1
python3 -m venv venv
venv/bin/pip install --quiet --no-compile 'torch==2.13.0' 'transformers==5.23.0' 'accelerate==1.15.0'
venv/bin/python - <<'PYTHON'
import math
import sys

import torch
from transformers import BertConfig, BertForSequenceClassification, Trainer, TrainingArguments

rows = [
    {"input_ids": [2, 5 + n, 3], "attention_mask": [1, 1, 1], "labels": n % 2} for n in range(12)
]
config = BertConfig(
    vocab_size=40, hidden_size=16, num_hidden_layers=1, num_attention_heads=2,
    intermediate_size=16, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0,
)


def first_step(parts):
    torch.manual_seed(0)
    arguments = TrainingArguments(
        output_dir="out", per_device_train_batch_size=12 // parts, max_steps=1, logging_steps=1,
        gradient_accumulation_steps=parts, report_to=[], save_strategy="no", disable_tqdm=True,
        use_cpu=True,
    )
    trainer = Trainer(BertForSequenceClassification(config), arguments, train_dataset=rows)
    trainer.train()
    step = trainer.state.log_history[0]
    return step["loss"], step["grad_norm"]


found = {parts: first_step(parts) for parts in (1, 2, 4)}
for parts, (loss, norm) in found.items():
    print(f"{parts} x {12 // parts:2}: loss {loss:.4f}, gradient norm {norm:.5f}")
times = [value / whole for parts in (2, 4) for value, whole in zip(found[parts], found[1])]
sys.exit(not all(math.isclose(*pair, rel_tol=1e-3) for pair in zip(times, (2, 2, 4, 4))))
PYTHON
