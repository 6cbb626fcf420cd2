#!/usr/bin/env bash
# datasets 5.2.0 with transformers 5.23.0: `map` returns cached tokens of another truncation than
# the tokenizer has now.
#
# The fingerprint of a tokenizer leaves out what was set on its `backend_tokenizer`, so the second
# call takes the first one's result from the cache, in later sessions too.
# Expected: another fingerprint, since the same function gives another result.
# Output on 2026-11-28:
#   truncation to 4: 4 tokens
#   truncation to 8: 4 tokens from map, 8 from the tokenizer itself
# Exits with 0 while it behaves so, with 1 when that has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
export HF_HOME="$folder/cache" HF_HUB_OFFLINE=1
python3 -m venv venv
venv/bin/pip install --quiet --no-compile 'datasets==5.2.0' 'transformers==5.23.0'
venv/bin/python - <<'PYTHON'
import sys
from pathlib import Path

from datasets import Dataset, disable_progress_bars, load_dataset
from transformers import BertTokenizer

disable_progress_bars()
tokenizer = BertTokenizer(
    vocab={"[PAD]": 0, "[UNK]": 1, "[CLS]": 2, "[SEP]": 3, "[MASK]": 4, "the": 5, "cat": 6}
)
text = "the cat " * 10
Dataset.from_dict({"text": [text]}).to_json("rows.json")
rows = load_dataset("json", data_files="rows.json", split="train")


def encode(row):
    return {"ids": tokenizer.backend_tokenizer.encode(row["text"]).ids}


lengths = {}
for length in (4, 8):
    tokenizer.backend_tokenizer.enable_truncation(length)
    lengths[length] = len(rows.map(encode)[0]["ids"])
itself = len(encode({"text": text})["ids"])
print(f"truncation to 4: {lengths[4]} tokens")
print(f"truncation to 8: {lengths[8]} tokens from map, {itself} from the tokenizer itself")
sys.exit((lengths[4], lengths[8], itself) != (4, 4, 8))
PYTHON
