#!/usr/bin/env bash
# pytest-benchmark 5.3.1 with pytest 9.2.0: one round has a standard deviation of 0, and a check of it
# in percent always fails, also if nothing has changed.
#
# Long benchmarks, such as trainings, have one round. Its `stddev` and `iqr` are written as 0, as if
# the spread had been measured, and `--benchmark-compare-fail=stddev:10%` reads 0 after 0 as a
# change by infinity.
# Expected: no value (null), and no check of what was not measured; 0 compared with 0 is no change.
# Output on 2026-11-30:
#   rounds 1, stddev 0, iqr 0.0
#   stddev:10%, of the same test again: Field 'stddev' has failed PercentageRegressionCheck: inf > 10.000000000
# Exits with 0 while it behaves so, with 1 when that has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --no-compile 'pytest==9.2.0' 'pytest-benchmark==5.3.1'
cat > test_train.py <<'PYTHON'
import time


def test_train(benchmark):
    benchmark.pedantic(time.sleep, args=(0.01,), rounds=1)
PYTHON
session() {
    venv/bin/python -m pytest -q -p no:cacheprovider --benchmark-storage=saved "$@" > output.txt 2>&1
}
session --benchmark-save=one
code=0
session --benchmark-compare --benchmark-compare-fail=stddev:10% || code=$?
venv/bin/python - <<'PYTHON'
import json
from pathlib import Path

(saved,) = Path("saved").rglob("*_one.json")
(test,) = json.loads(saved.read_text())["benchmarks"]
stats = test["stats"]
print(f"rounds {stats['rounds']}, stddev {stats['stddev']}, iqr {stats['iqr']}")
raise SystemExit(not (stats["rounds"] == 1 and stats["stddev"] == stats["iqr"] == 0))
PYTHON
echo "stddev:10%, of the same test again: $(grep -om1 "Field 'stddev'.*" output.txt)"
[ "$code" != 0 ] && grep -q "inf > 10" output.txt
