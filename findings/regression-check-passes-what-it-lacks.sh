#!/usr/bin/env bash
# pytest-benchmark 5.3.1 with pytest 9.2.0: `--benchmark-compare-fail` passes every test that the
# saved run does not have, without a word.
#
# Tests are matched by their whole id. After a renaming, or with another value of a parameter, such
# as a batch size, the check holds nothing any more, and the session still ends with 0. Only a
# missing saved run is an error.
# Expected: a failure, or at least a line that names what was not compared.
# Output on 2026-11-30, for a test that became ten times slower:
#   the same id:     exit code 1
#   another batch:   exit code 0, lines that say so: 0
# Exits with 0 while it behaves so, with 1 when that has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --no-compile 'pytest==9.2.0' 'pytest-benchmark==5.3.1'
write() { # the seconds that a round takes, and the batch size
    cat > test_train.py <<PYTHON
import time

import pytest


@pytest.mark.parametrize("batch", [$2])
def test_train(benchmark, batch):
    benchmark.pedantic(time.sleep, args=($1,), rounds=3)
PYTHON
}
check() {
    code=0
    venv/bin/python -m pytest -q -p no:cacheprovider --benchmark-compare --benchmark-compare-fail=min:50% \
        > output.txt 2>&1 || code=$?
}
write 0.05 16
venv/bin/python -m pytest -q -p no:cacheprovider --benchmark-autosave > saved.txt 2>&1
write 0.5 16
check
same=$code
write 0.5 32
check
said=$(grep -ciE 'not compared|not found|missing|no match|baseline|without|skipp|regress' output.txt || true)
echo "the same id:     exit code $same"
echo "another batch:   exit code $code, lines that say so: $said"
[ "$same" = 1 ] && [ "$code" = 0 ] && [ "$said" = 0 ]
