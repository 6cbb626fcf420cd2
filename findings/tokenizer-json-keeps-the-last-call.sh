#!/usr/bin/env bash
# transformers 5.23.0 with tokenizers 0.23.3: what the last call of a tokenizer truncated and padded
# to is written into its tokenizer.json.
#
# AutoTokenizer takes it back off, but everything that reads the file with `tokenizers` (servers,
# other languages) cuts every text to the length of one call that happened before saving.
# Expected: the tokenizer as it was made; length and padding belong to a call.
# Output on 2026-11-28:
#   encoded by AutoTokenizer: 32 tokens
#   encoded by tokenizers:     8 tokens
# Exits with 0 while it behaves so, with 1 when that has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
export HF_HOME="$folder/cache" HF_HUB_OFFLINE=1
python3 -m venv venv
venv/bin/pip install --quiet --no-compile 'transformers==5.23.0' 'tokenizers==0.23.3'
venv/bin/python - <<'PYTHON'
import sys

from tokenizers import Tokenizer
from transformers import AutoTokenizer, BertTokenizer

tokenizer = BertTokenizer(
    vocab={"[PAD]": 0, "[UNK]": 1, "[CLS]": 2, "[SEP]": 3, "[MASK]": 4, "the": 5, "cat": 6}
)
text = " ".join(["cat"] * 30)
tokenizer(["the cat", text], truncation=True, max_length=8, padding=True)
tokenizer.save_pretrained("saved")
auto = len(AutoTokenizer.from_pretrained("saved")(text).input_ids)
plain = len(Tokenizer.from_file("saved/tokenizer.json").encode(text).ids)
print(f"encoded by AutoTokenizer: {auto:2} tokens")
print(f"encoded by tokenizers:    {plain:2} tokens")
sys.exit((auto, plain) != (32, 8))
PYTHON
