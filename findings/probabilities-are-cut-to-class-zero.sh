#!/usr/bin/env bash
# evaluate 0.4.6 with datasets 5.2.0: a metric of classes takes probabilities, and scores class 0.
#
# Predictions are put through `int()` to make them the metric's integers, which cuts every number
# below 1 to 0. Of a model with one probability for each sentence, a forgotten rounding is no error,
# but a score: that of a model that always says class 0.
# Expected: an error, as for a list of probabilities for each sentence, or classes by rounding.
# Output on 2026-11-30:
#   probabilities 0.97 0.91 0.12 0.05: scored as 0 0 0 0
#   accuracy 0.5; of the rounded ones 1.0
# Exits with 0 while it behaves so, with 1 when that has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
export HF_HOME="$folder/cache" HF_HUB_OFFLINE=1
python3 -m venv venv
venv/bin/pip install --quiet --no-compile 'evaluate==0.4.6' 'datasets==5.2.0'
venv/bin/python - <<'PYTHON'
import sys

import datasets
import evaluate

datasets.disable_progress_bars()


class Accuracy(evaluate.Metric):
    """The features and the sum of the hub's `accuracy`, which needs a network to be loaded."""

    def _info(self):
        features = {name: datasets.Value("int32") for name in ("predictions", "references")}
        return evaluate.MetricInfo(
            description="", citation="", features=datasets.Features(features)
        )

    def _compute(self, predictions, references):
        self.seen = predictions
        right = sum(one == other for one, other in zip(predictions, references, strict=True))
        return {"accuracy": right / len(references)}


metric, labels = Accuracy(), [1, 1, 0, 0]
probabilities = [0.97, 0.91, 0.12, 0.05]
found = metric.compute(predictions=probabilities, references=labels)["accuracy"]
print("probabilities", *probabilities, end=": ")
print("scored as", *metric.seen)
rounded = metric.compute(predictions=[round(p) for p in probabilities], references=labels)
print(f"accuracy {found}; of the rounded ones {rounded['accuracy']}")
sys.exit(not (found == 0.5 and rounded["accuracy"] == 1.0))
PYTHON
