#!/usr/bin/env bash
# transformers 5.23.0 with accelerate 1.15.0: runs of consecutive seeds read the data in the
# same orders, one epoch apart.
#
# Trainer's shuffling adds the number of the epoch to the seed. So epoch 2 of seed 1 reads the
# rows in exactly the order of epoch 1 of seed 2, and of n epochs, n - 1 orders are shared.
# Expected: orders that are independent, as runs of several seeds are averaged as if they were.
# Output on 2026-11-28:
#   seed 1: 1 4 6 8 11 0 5 3 2 9 10 7 | 0 9 3 2 10 5 6 7 8 1 4 11
#   seed 2: 0 9 3 2 10 5 6 7 8 1 4 11 | 10 9 1 6 4 11 3 7 2 0 8 5
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

import torch
from transformers import BertConfig, BertForSequenceClassification, Trainer, TrainingArguments

rows = [
    {"input_ids": [2, 5 + n, 3], "attention_mask": [1, 1, 1], "labels": n % 2} for n in range(12)
]
config = BertConfig(
    vocab_size=40, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16
)


class Reading(torch.utils.data.Dataset):
    def __init__(self):
        self.order = []

    def __len__(self):
        return len(rows)

    def __getitem__(self, row):
        self.order.append(row)
        return rows[row]


def orders(seed):
    arguments = TrainingArguments(
        output_dir="out", seed=seed, num_train_epochs=2, report_to=[], save_strategy="no",
        logging_strategy="no", disable_tqdm=True, use_cpu=True,
    )
    reading = Reading()
    Trainer(BertForSequenceClassification(config), arguments, train_dataset=reading).train()
    first, second = reading.order[: len(rows)], reading.order[len(rows) :]
    print(f"seed {seed}:", *first, "|", *second)
    return first, second


same = orders(1)[1] == orders(2)[0]
print("epoch 2 of seed 1 is epoch 1 of seed 2:", same)
sys.exit(not same)
PYTHON
