"""Judgements that were made before are returned for the same evidence only."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from builders.records import make_cell, predicted_record

from harness.judging.baseline import Baseline
from harness.judging.gates import Judgement, judge
from harness.judging.leaderboard import Judged
from harness.judging.looks.standing import Standing
from harness.store.records import Record
from harness.suite.gates import Thresholds

LABELS = np.arange(60) % 2
CELL = make_cell(seeds=(0, 1, 2), threshold=0.3)


def run(seed: int, wrong: int) -> Record:
    """Return a run that is wrong on some sentences."""
    predicted = np.where(np.arange(60) < wrong, 1 - LABELS, LABELS)
    return predicted_record(CELL, seed, LABELS, predicted[None])


RUNS = tuple(run(seed, 8 + seed) for seed in CELL.seeds)
BASELINE = Baseline("old.json", "sample", RUNS)
STANDING = Standing(seeds=3, looked=2, needed=2, most=3, stage="going on")
GIVEN: dict[str, Any] = {"cell": CELL, "runs": RUNS, "baseline": BASELINE, "standing": STANDING}


def told(judgement: Judgement) -> tuple[object, ...]:
    found = judgement
    return found.verdict, found.passed, found.mcc, found.checks, found.margin, found.standing


def afresh(cell: object, runs: object, **more: object) -> Judgement:
    found: Judgement = judge(cell, runs, **more)  # type: ignore[arg-type]
    return found


def test_the_same_evidence_is_judged_once() -> None:
    judged = Judged()
    first = judged.judge(**GIVEN)
    assert told(first) == told(afresh(**GIVEN))
    assert judged.judge(**{**GIVEN, "runs": [*RUNS], "standing": replace(STANDING)}) is first


@pytest.mark.parametrize(
    "change",
    [
        {"runs": RUNS[:2]},
        {"runs": (*RUNS[:2], run(2, 29))},
        {"cell": replace(CELL, gates=Thresholds(min_mcc=0.9))},
        {"baseline": None},
        {"baseline": Baseline("old.json", "sample", tuple(run(seed, 0) for seed in CELL.seeds))},
        {"standing": replace(STANDING, looked=3)},
    ],
    ids=["a run less", "another run", "other gates", "no baseline", "a baseline", "a standing"],
)
def test_other_evidence_is_judged_again(change: dict[str, Any]) -> None:
    judged = Judged()
    before = told(judged.judge(**GIVEN))
    for given in ({**GIVEN, **change}, GIVEN, {**GIVEN, **change}):
        assert told(judged.judge(**given)) == told(afresh(**given))
    assert told(judged.judge(**{**GIVEN, **change})) != before
