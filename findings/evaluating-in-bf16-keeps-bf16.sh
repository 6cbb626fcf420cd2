#!/usr/bin/env bash
# transformers 5.23.0: `trainer.evaluate()` with `bf16_full_eval=True` turns the model itself into
# bfloat16, for good.
#
# The weights are not turned back: what is saved afterwards is bfloat16, and a later `train()`
# trains bfloat16 weights. (Evaluations within `train()` leave it alone, and are in float32.)
# Expected: an evaluation that leaves the model as it was.
# Output on 2026-11-28:
#   before evaluate(): torch.float32
#   after evaluate():  torch.bfloat16, weights changed by up to 0.4%
#   saved:             torch.bfloat16
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
from safetensors.torch import load_file
from transformers import BertConfig, BertForSequenceClassification, Trainer, TrainingArguments

rows = [
    {"input_ids": [2, 5 + n, 3], "attention_mask": [1, 1, 1], "labels": n % 2} for n in range(12)
]
torch.manual_seed(0)
config = BertConfig(
    vocab_size=40, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16
)
model = BertForSequenceClassification(config)
arguments = TrainingArguments(
    output_dir="out", bf16_full_eval=True, report_to=[], disable_tqdm=True, use_cpu=True
)
trainer = Trainer(model, arguments, eval_dataset=rows)
weight = model.bert.embeddings.word_embeddings.weight
before, kind = weight.detach().clone(), weight.dtype
print("before evaluate():", kind)
trainer.evaluate()
after = model.bert.embeddings.word_embeddings.weight.detach()
change = ((after.float() - before).abs() / before.abs().clamp(min=1e-9)).max().item()
print(f"after evaluate():  {after.dtype}, weights changed by up to {change:.1%}")
trainer.save_model("saved")
saved = {tensor.dtype for tensor in load_file("saved/model.safetensors").values()}
print("saved:            ", *saved)
sys.exit(not (kind == torch.float32 and saved == {torch.bfloat16} and change > 0))
PYTHON
