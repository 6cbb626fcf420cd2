#!/usr/bin/env bash
# transformers 5.23.0: `optim_args` does nothing with the default optimizer, whatever it says.
#
# It is read for SGD and a few others only. For adamw_torch and adamw_torch_fused a weight decay,
# other betas and even a key that no optimizer has are accepted without a word.
# Expected: the values in the optimizer, or an error that names what is not read.
# Output on 2026-11-28:
#   sgd                momentum 0.5
#   adamw_torch        weight decay 0.0, betas (0.9, 0.999), eps 1e-08
#   adamw_torch_fused  weight decay 0.0, betas (0.9, 0.999), eps 1e-08
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

config = BertConfig(
    vocab_size=40, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16
)


def group(optimizer, said):
    arguments = TrainingArguments(
        output_dir="out", optim=optimizer, optim_args=said, report_to=[], use_cpu=True
    )
    trainer = Trainer(BertForSequenceClassification(config), arguments)
    trainer.create_optimizer()
    return trainer.optimizer.param_groups[0]


read = group("sgd", "momentum=0.5")["momentum"]
print(f"{'sgd':18} momentum {read}")
unread = []
for optimizer in ("adamw_torch", "adamw_torch_fused"):
    found = group(optimizer, "weight_decay=0.5,betas=0.5,eps=0.1,no_such_key=7")
    decay, betas, eps = found["weight_decay"], found["betas"], found["eps"]
    print(f"{optimizer:18} weight decay {decay}, betas {betas}, eps {eps}")
    unread.append((decay, betas, eps) == (0.0, (0.9, 0.999), 1e-8))
sys.exit(not (read == 0.5 and all(unread)))
PYTHON
