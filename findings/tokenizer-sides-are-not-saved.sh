#!/usr/bin/env bash
# transformers 5.23.0: `padding_side` and `truncation_side`, set on a tokenizer, are lost when it is
# saved; `model_max_length`, set in the same way, is kept.
#
# So a model that was trained with left padding, or on the ends of long texts, is read with another
# input after a reload.
# Expected: all three attributes in tokenizer_config.json.
# Output on 2026-11-28:
#   set:    padding left, truncation left, model_max_length 33
#   loaded: padding right, truncation right, model_max_length 33
# Exits with 0 while it behaves so, with 1 when that has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
export HF_HOME="$folder/cache" HF_HUB_OFFLINE=1
python3 -m venv venv
venv/bin/pip install --quiet --no-compile 'transformers==5.23.0'
venv/bin/python - <<'PYTHON'
import sys

from transformers import AutoTokenizer, BertTokenizer

tokenizer = BertTokenizer(
    vocab={"[PAD]": 0, "[UNK]": 1, "[CLS]": 2, "[SEP]": 3, "[MASK]": 4, "the": 5, "cat": 6}
)
tokenizer.save_pretrained("first")
tokenizer = AutoTokenizer.from_pretrained("first")
tokenizer.padding_side = tokenizer.truncation_side = "left"
tokenizer.model_max_length = 33


def sides(tokenizer):
    return tokenizer.padding_side, tokenizer.truncation_side, tokenizer.model_max_length


tokenizer.save_pretrained("second")
loaded = AutoTokenizer.from_pretrained("second")
for name, found in (("set:   ", sides(tokenizer)), ("loaded:", sides(loaded))):
    print(name, "padding {}, truncation {}, model_max_length {}".format(*found))
sys.exit(sides(loaded) != ("right", "right", 33))
PYTHON
