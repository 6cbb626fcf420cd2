#!/usr/bin/env bash
# transformers 5.23.0: a BART classifier of two classes with default names cannot be loaded again.
#
# Saving leaves default class names out, and with them the number of classes; loading then takes
# BART's own default, which is three classes where other architectures have two.
# Expected: the two classes that the model was saved with.
# Output on 2026-11-28:
#   classes saved: 2, class names in config.json: none, classes loaded: 3
#   RuntimeError when the weights are loaded
# Exits with 0 while it behaves so, with 1 when that has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
export HF_HOME="$folder/cache" HF_HUB_OFFLINE=1
python3 -m venv venv
venv/bin/pip install --quiet --no-compile 'torch==2.13.0' 'transformers==5.23.0'
venv/bin/python - <<'PYTHON'
import json
import sys
from pathlib import Path

from transformers import AutoConfig, AutoModelForSequenceClassification, BartConfig

config = BartConfig(
    vocab_size=40, d_model=16, encoder_layers=1, decoder_layers=1, encoder_attention_heads=2,
    decoder_attention_heads=2, encoder_ffn_dim=16, decoder_ffn_dim=16, num_labels=2,
)
AutoModelForSequenceClassification.from_config(config).save_pretrained("model")
written = json.loads(Path("model/config.json").read_text())
loaded = AutoConfig.from_pretrained("model").num_labels
names = written.get("id2label") or "none"
print(f"classes saved: 2, class names in config.json: {names}, classes loaded: {loaded}")
try:
    AutoModelForSequenceClassification.from_pretrained("model")
except RuntimeError:
    print("RuntimeError when the weights are loaded")
    sys.exit(loaded != 3)
sys.exit("loaded: this has changed")
PYTHON
