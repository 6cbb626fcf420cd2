#!/usr/bin/env bash
# transformers 5.23.0 with accelerate 1.15.0: the whole encoder of RoBERTa-PreLayerNorm is exempt
# from weight decay, because of its name.
#
# Trainer exempts parameters whose name contains "layernorm", which is meant for norms. Here every
# parameter begins with `roberta_prelayernorm.`, so that only the head is decayed.
# Expected: weights of linear layers and embeddings decayed, as they are for RoBERTa.
# Output on 2026-11-28:
#   roberta:              11 of 25 tensors decayed
#   roberta-prelayernorm:  2 of 27 tensors decayed
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

from transformers import AutoConfig, AutoModelForSequenceClassification, Trainer, TrainingArguments


def decayed(architecture):
    config = AutoConfig.for_model(
        architecture, vocab_size=40, hidden_size=16, num_hidden_layers=1, num_attention_heads=2,
        intermediate_size=16,
    )
    model = AutoModelForSequenceClassification.from_config(config)
    arguments = TrainingArguments(output_dir="out", weight_decay=0.01, report_to=[], use_cpu=True)
    trainer = Trainer(model, arguments)
    trainer.create_optimizer()
    groups = trainer.optimizer.param_groups
    count = sum(len(group["params"]) for group in groups if group["weight_decay"] > 0)
    total = sum(len(group["params"]) for group in groups)
    print(f"{architecture + ':':21} {count:2} of {total} tensors decayed")
    return count


plain, named = decayed("roberta"), decayed("roberta-prelayernorm")
sys.exit((plain, named) != (11, 2))
PYTHON
