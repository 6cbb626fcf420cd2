"""Sessions with `--stop decided`: stopped runs are stored, reused where they answer, replaced."""

import json
import re
from pathlib import Path

import pytest
from builders.sessions import run
from builders.small_suite import THREE_SEEDS, write_suite

from harness.store.records import Record

pytestmark = pytest.mark.sessions

SUITE = f"""{THREE_SEEDS}max_length = 32
[gates]
min_mcc = -1
"""


def records(folder: Path) -> list[Record]:
    found = sorted((folder / "results" / "tiny" / "runs").glob("*/seed-*/record.json"))
    return [Record.model_validate_json(path.read_bytes()) for path in found]


def test_a_stopped_session_passes_and_a_session_without_stop_trains_the_whole_runs(
    tmp_path: Path,
) -> None:
    folder = write_suite(tmp_path, SUITE)
    suite, xml = folder / "tiny.toml", folder / "junit.xml"
    summary = {"GITHUB_STEP_SUMMARY": str(folder / "summary.md")}
    stop = ("--stop", "decided", "--strict", "--junitxml", str(xml))
    first = run(folder, *stop, suite=suite, variables=summary)
    assert first.code == 0, first.output
    stopped = records(folder)
    assert [len(record.epochs) for record in stopped] == [1, 1, 1]
    assert {record.stopped and record.stopped.text for record in stopped} == {
        "stopped after epoch 1 of 3: gate met"
    }
    assert "stopped after epoch 1 of 3: gate met" in first.output
    assert "at least " in first.output
    assert 'name="mcc_at_least_seed_2"' in xml.read_text()
    assert "at least " in (folder / "summary.md").read_text()
    board = json.loads((folder / "results" / "tiny" / "leaderboard.json").read_bytes())
    assert [row["rank"] for row in board["rows"]] == [None]

    again = run(folder, *stop, suite=suite)
    assert again.code == 0, again.output
    assert "3 of 3 runs finished before, 0 to train" in again.output
    assert records(folder) == stopped

    higher = run(folder, "--stop", "decided", "--min-mcc", "0.99", suite=suite)
    assert higher.code == 1, higher.output  # no run reaches it, so all of them are whole
    assert "0 of 3 runs finished before, 3 to train" in higher.output
    whole = records(folder)
    assert [record.stopped for record in whole] == [None] * 3
    for part, record in zip(stopped, whole, strict=True):
        assert part.key == record.key
        assert part.epochs[0].classes == record.epochs[0].classes
        assert part.epochs[0].train_loss == record.epochs[0].train_loss
    assert re.search(r"^ *1 +encoder ", higher.output, re.MULTILINE)

    plain = run(folder, "--rerun", "--stop", "decided", suite=suite)
    assert plain.code == 0, plain.output
    assert [len(record.epochs) for record in records(folder)] == [3, 3, 3]  # whole runs stay whole


def test_without_stop_a_stopped_run_trains_again_and_nothing_decidable_is_said(
    tmp_path: Path,
) -> None:
    text = SUITE.replace("seeds = [1, 2, 3]", "seeds = [1]").replace("epochs = 3", "epochs = 2")
    folder = write_suite(tmp_path, text + '\n[limits]\nstop = "decided"\n')
    first = run(folder, suite=folder / "tiny.toml")
    assert first.code == 0, first.output
    assert [len(record.epochs) for record in records(folder)] == [1]
    never = run(folder, "--stop", "never", suite=folder / "tiny.toml")
    assert never.code == 0, never.output
    assert "0 of 1 run finished before, 1 to train" in never.output
    (whole,) = records(folder)
    assert whole.stopped is None
    assert len(whole.epochs) == 2
