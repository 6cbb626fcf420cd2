#!/usr/bin/env bash
# transformers 5.23.0: a model that is saved in shards into the folder of an earlier, unsharded
# save is not the one that comes back.
#
# `save_pretrained` removes old shards, but not an old model.safetensors, and `from_pretrained`
# prefers that file to the shards. Both calls succeed, and nothing is said.
# Expected: the model that was saved last, or an error about weights of two saves.
# Output on 2026-11-28:
#   config.json model-00001-of-00004.safetensors .. model.safetensors model.safetensors.index.json
#   loaded: the model saved first
# Exits with 0 while it behaves so, with 1 when that has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
export HF_HOME="$folder/cache" HF_HUB_OFFLINE=1
python3 -m venv venv
venv/bin/pip install --quiet --no-compile 'torch==2.13.0' 'transformers==5.23.0'
venv/bin/python - <<'PYTHON'
import sys
from pathlib import Path

import torch
from transformers import AutoModelForSequenceClassification, BertConfig
from transformers import BertForSequenceClassification, logging

logging.set_verbosity_warning()
logging.disable_progress_bar()
config = BertConfig(
    vocab_size=40, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16
)
first, second = BertForSequenceClassification(config), BertForSequenceClassification(config)
first.save_pretrained("model")
second.save_pretrained("model", max_shard_size="4KB")
print(*sorted(path.name for path in Path("model").iterdir()))

loaded = AutoModelForSequenceClassification.from_pretrained("model")


def equal(model):
    return all(map(torch.equal, model.state_dict().values(), loaded.state_dict().values()))


which = "first" if equal(first) else "last" if equal(second) else "in part"
print("loaded: the model saved", which)
sys.exit(which != "first")
PYTHON
