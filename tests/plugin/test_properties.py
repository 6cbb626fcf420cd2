"""Properties of a verdict in JUnit XML: intervals of both populations, gates on slices."""

from dataclasses import replace
from typing import Literal

import numpy as np
import pytest
from builders.records import make_cell, predicted_record

from harness.judging.gates import judge
from harness.plugin.fixtures import cell_properties
from harness.stats import Interval
from harness.store.grouping import groupings
from harness.store.slices import make_slices
from harness.suite.gates import SliceThreshold, Thresholds

LABELS = np.arange(240) % 2
TOPICS = [("food", "law")[n // 3 % 2] for n in range(240)]


def properties_of(
    sources: int | None, statistic: Literal["lower-bound"] | None = None
) -> tuple[dict[str, str], object]:
    gates = Thresholds(
        min_mcc=0.1, slice={"topic=food": SliceThreshold(min_mcc=0.05)}, statistic=statistic
    )
    cell = replace(make_cell(seeds=(1, 2)), gates=gates)
    names = ["" if sources is None else f"book {n % sources}" for n in range(240)]
    known = groupings("file", names, [""] * 240)
    records = []
    for seed in (1, 2):
        wrong = np.random.default_rng(seed).random(240) < 0.2
        given = np.where(wrong, 1 - LABELS, LABELS)[None]
        records.append(predicted_record(cell, seed, LABELS, given, groupings=known))
    assert records[0].dataset is not None
    slices = make_slices(records[0].dataset.fingerprint, {"topic": TOPICS})
    judgement = judge(cell, records, slices=slices)
    return dict(cell_properties(cell, judgement, records)), judgement.mcc_on_sources


def test_the_interval_for_other_sources_has_properties_of_its_own() -> None:
    found, interval = properties_of(12)
    assert isinstance(interval, Interval)
    assert float(found["mcc_low_sources"]) == interval.low
    assert float(found["mcc_high_sources"]) == interval.high
    assert found["mcc_low"] != found["mcc_low_sources"]
    assert found["gate_slice.topic=food.min_mcc"] == "pass"


@pytest.mark.parametrize(("sources", "reason"), [(3, "are of 3 sources only"), (None, None)])
def test_without_such_an_interval_there_is_a_reason_or_nothing(
    sources: int | None, reason: str | None
) -> None:
    found, _ = properties_of(sources)
    assert "mcc_low_sources" not in found
    assert "mcc_low" in found
    if reason is None:
        assert "sources_reason" not in found
    else:
        assert reason in found["sources_reason"]


def test_the_statistic_that_was_judged_is_told() -> None:
    assert properties_of(None)[0]["statistic"] == "mean"
    assert properties_of(None, "lower-bound")[0]["statistic"] == "lower-bound"
    cell = replace(make_cell(seeds=(1,)), gates=Thresholds())
    record = predicted_record(cell, 1, LABELS, LABELS[None])
    assert "statistic" not in dict(cell_properties(cell, judge(cell, [record]), [record]))
