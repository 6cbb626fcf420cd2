#!/usr/bin/env bash
# datasets 5.2.0: in a JSON Lines file, one row whose value is of another type changes the strings
# of all other rows.
#
# A column of strings and one number is read as type Json, and then every string that happens to be
# JSON is parsed: the text "007" comes back as the number 7, "null" as None, "true" as True.
# Expected: the strings as they stand in the file, or an error that names the odd row.
# Output on 2026-11-28:
#   strings only:   ['007', 'null', 'true', 'a cat']
#   and one number: [7, None, True, 'a cat', 5]
# Exits with 0 while it behaves so, with 1 when that has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
export HF_HOME="$folder/cache" HF_HUB_OFFLINE=1
python3 -m venv venv
venv/bin/pip install --quiet --no-compile 'datasets==5.2.0'
venv/bin/python - <<'PYTHON'
import json
import sys
from pathlib import Path

from datasets import disable_progress_bars, load_dataset

disable_progress_bars()
strings = ["007", "null", "true", "a cat"]


def read(name, values):
    Path(name).write_text("".join(json.dumps({"text": value}) + "\n" for value in values))
    return list(load_dataset("json", data_files=name, split="train")["text"])


plain, mixed = read("plain.jsonl", strings), read("mixed.jsonl", [*strings, 5])
print("strings only:  ", plain)
print("and one number:", mixed)
sys.exit(not (plain == strings and mixed[:3] == [7, None, True]))
PYTHON
