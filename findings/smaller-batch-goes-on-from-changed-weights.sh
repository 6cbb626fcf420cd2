#!/usr/bin/env bash
# transformers 5.23.0 with accelerate 1.15.0: `auto_find_batch_size=True` does not begin again
# from the loaded weights when memory runs out after some steps.
#
# The second try, with a smaller batch, counts its steps, learning rates and data from the start,
# but the model keeps what the first try taught it: two more steps than were asked for, which no
# log shows. Memory runs out in step 3 here, as it does at a long sentence.
# Expected: the weights that training began with.
# Output on 2026-11-28 (sum of all weights in front of each step):
#   batch of 8:    45.28   43.99   42.54
#   batch of 7:    42.54   43.04
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
    {"input_ids": [2, 5 + n % 30, 3], "attention_mask": [1, 1, 1], "labels": n % 2}
    for n in range(56)
]
torch.manual_seed(0)
config = BertConfig(
    vocab_size=40, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16
)
model = BertForSequenceClassification(config)
steps = {}


def before_step(module, arguments, inputs):
    batch = len(inputs["input_ids"])
    total = sum(weight.detach().double().sum().item() for weight in module.parameters())
    steps.setdefault(batch, []).append(total)
    if batch == 8 and len(steps[batch]) == 3:
        raise torch.OutOfMemoryError("CUDA out of memory.")


model.register_forward_pre_hook(before_step, with_kwargs=True)
arguments = TrainingArguments(
    output_dir="out", auto_find_batch_size=True, per_device_train_batch_size=8, num_train_epochs=1,
    learning_rate=0.1, report_to=[], save_strategy="no", disable_tqdm=True, use_cpu=True,
)
Trainer(model, arguments, train_dataset=rows).train()
first, second = list(steps.values())[:2]
for batch, totals in zip(steps, (first, second[:2])):
    print(f"batch of {batch}: ", *(f"{total:7.2f}" for total in totals))
sys.exit(not (second[0] == first[2] != first[0]))
PYTHON
