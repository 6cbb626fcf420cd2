#!/usr/bin/env bash
# datasets 5.2.0: `class_encode_column` gives the labels 0, 1, 2, ... other numbers if there are more
# than ten of them.
#
# A stratified `train_test_split` demands that labels are encoded first. This turns them into text
# and sorts the texts: "10" comes before "2". From then on 2 is another class, for every model whose
# classes were numbered before, and nothing is said. A cast to `ClassLabel(num_classes=12)` keeps them.
# Expected: the same numbers, as for ten classes and fewer.
# Output on 2026-11-30:
#   10 classes: 0 1 2 3 4 5 6 7 8 9
#   12 classes: 0 1 4 5 6 7 8 9 10 11 2 3
# Exits with 0 while it behaves so, with 1 when that has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
export HF_HOME="$folder/cache" HF_HUB_OFFLINE=1
python3 -m venv venv
venv/bin/pip install --quiet --no-compile 'datasets==5.2.0'
venv/bin/python - <<'PYTHON'
import sys

from datasets import Dataset, disable_progress_bars

disable_progress_bars()
found = {}
for classes in (10, 12):
    labels = list(range(classes))
    found[classes] = Dataset.from_dict({"label": labels}).class_encode_column("label")["label"][:]
    print(f"{classes} classes:", *found[classes])
sys.exit(not (found[10] == list(range(10)) and found[12] != list(range(12))))
PYTHON
