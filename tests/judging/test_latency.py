"""Latencies in tables, comparisons and gates: means over seeds, and which of them compare."""

import csv
import json
from statistics import fmean
from typing import Any

import numpy as np
import pytest
from builders.records import (
    MACHINE,
    failed_record,
    make_cell,
    make_record,
    make_serving,
    predicted_record,
)

from harness.judging.column import ROUGH, Row
from harness.judging.columns import informative
from harness.judging.comparison import Contestant, as_dict, compare
from harness.judging.comparison.conclusions import conclusion
from harness.judging.decided import needs_whole_runs
from harness.judging.gates import judge
from harness.judging.leaderboard import leaderboard, rows_of
from harness.machine.contention import Contention
from harness.report import publish, render
from harness.report.brief import terminal_table
from harness.store.records import Record
from harness.suite.gates import GatesSpec, thresholds_of
from harness.suite.plan import Cell
from harness.suite.spec import Thresholds

BUSY = Contention(other_programs=1.0, own_cores=1.0, fewest_threads=1)
CALM = Contention(other_programs=0.1, own_cores=2.0, fewest_threads=2)
CELL = make_cell(seeds=(1, 2, 3))


def runs_of(cell: Cell, latencies: tuple[float | None, ...], **changes: Any) -> list[Record]:
    """Return a run with each median latency, None for one that did not measure it."""
    return [
        make_record(
            cell,
            seed,
            serving=None if each is None else make_serving(each),
            **{"contention": CALM, **changes},
        )
        for seed, each in zip(cell.seeds, latencies, strict=True)
    ]


def row_of(runs: list[Record], cell: Cell = CELL) -> Row:
    (row,) = rows_of(leaderboard([cell], runs))
    return row


# --- the table ---


def test_a_row_has_the_means_over_seeds_and_the_best_batch_sizes() -> None:
    runs = runs_of(CELL, (4.0, 5.0, 4.5))
    fast = make_serving(4.5, sentences_per_second={1: 200.0, 8: 850.0, 32: 850.5})
    runs[2] = runs[2].model_copy(update={"serving": fast})
    row = row_of(runs)
    assert row["latency_ms"] == fmean((4.0, 5.0, 4.5))
    assert row["latency_p95_ms"] == 9.0
    assert row["predictions_per_second"] == fmean((1000.0, 800.0, 850.5))
    assert row["predictions_batch_size"] == "8, 32"
    assert row["serving_times"] is None
    shown = {column.heading: column.text(row) for column in informative([row])}
    assert shown["latency ms"] == "4.50 ± 0.50"
    assert shown["p95 ms"] == "9.00 ± 1.00"
    assert shown["predictions/s"] == "884 ± 104"
    assert shown["best batch"] == "8, 32"


def test_one_seed_without_a_measurement_leaves_null_and_no_seed_no_columns() -> None:
    row = row_of(runs_of(CELL, (4.0, None, 4.5)))
    assert (row["latency_ms"], row["latency_p95_ms"]) == (None, None)
    assert row["predictions_per_second"] is None
    before = row_of(runs_of(CELL, (None, None, None)))
    assert not {name for name in before if name.startswith(("latency", "predictions", "serving"))}
    other = make_cell("org/failed", seeds=(1,))
    rows = rows_of(
        leaderboard([CELL, other], [*runs_of(CELL, (4.0,) * 3), failed_record(other, 1)])
    )
    assert [each["latency_ms"] for each in rows] == [4.0, None]


@pytest.mark.parametrize(
    ("changes", "first", "times", "latencies"),
    [
        ({}, {}, False, False),
        ({"contention": BUSY}, {}, True, False),
        ({}, {"other_programs": 0.9}, False, True),
        # Too short to tell: as busy as the training just before.
        ({"contention": BUSY}, {"other_programs": None}, True, True),
        ({}, {"threads": 1}, False, True),
        ({}, {"latency_ms": 7.0}, False, True),
        ({}, {"latency_p95_ms": 14.0}, False, True),
        ({"concurrency": 2}, {}, False, False),
    ],
)
def test_latencies_are_rough_by_what_was_so_while_they_were_measured(
    changes: dict[str, Any], first: dict[str, Any], times: bool, latencies: bool
) -> None:
    runs = runs_of(CELL, (5.0, 5.0, 5.0), **changes)
    assert runs[0].serving is not None
    runs[0] = runs[0].model_copy(update={"serving": runs[0].serving.model_copy(update=first)})
    row = row_of(runs)
    assert (row["times"] == ROUGH, row["serving_times"] == ROUGH) == (times, latencies)
    shown = {column.heading: column.text(row) for column in informative([row])}
    assert shown["train s"].startswith("~") is times
    assert shown["latency ms"].startswith("~") is latencies


def test_a_terminal_of_100_columns_shows_the_latency_and_a_narrower_one_the_verdict() -> None:
    frame = leaderboard([CELL], runs_of(CELL, (5.0, 5.1, 5.2)))
    wide, usual, narrow = (terminal_table(frame, width) for width in (500, 100, 70))
    assert "p95 ms" in wide
    assert max(map(len, usual.splitlines())) <= 100
    assert "lat ms" in usual.splitlines()[0]
    assert "5.10 ± 0.10" in usual
    for spare in ("p95 ms", "adj", "acc", "MB", "pred/s"):
        assert spare not in usual.splitlines()[0].split("  ")
    assert "lat ms" not in narrow
    assert "verdict" in narrow


def test_published_tables_have_them_and_those_of_before_do_not() -> None:
    files = render(publish("sample", [CELL], runs_of(CELL, (5.0, 5.1, 5.2))))
    (row,) = csv.DictReader(files["leaderboard.csv"].decode().splitlines())
    assert float(row["latency_ms"]) == pytest.approx(5.1)
    assert float(row["latency_p95_ms"]) == pytest.approx(10.2)
    assert "5.10 ± 0.10" in files["leaderboard.md"].decode()
    page = files["leaderboard.html"].decode()
    assert ">latency ms<" in page
    assert ">5.10" in page
    (published,) = json.loads(files["leaderboard.json"])["rows"]
    assert published["predictions_batch_size"] == "8"
    before = render(publish("sample", [CELL], runs_of(CELL, (None,) * 3)))
    for name in ("leaderboard.md", "leaderboard.csv", "leaderboard.json"):
        assert b"latency" not in before[name]
    assert ">latency ms<" not in before["leaderboard.html"].decode()


# --- comparisons ---


def contestant(name: str, latency: float | None, **changes: Any) -> Contestant:
    cell = make_cell(f"org/{name}", seeds=(1, 2), id=name)
    labels = np.arange(100) % 2
    runs = [
        predicted_record(
            cell,
            seed,
            labels,
            labels[None],
            serving=None if latency is None else make_serving(latency + 0.1 * seed),
            **{"contention": CALM, **changes},
        )
        for seed in cell.seeds
    ]
    return Contestant(name, tuple(runs))


def test_latencies_have_a_ratio_with_a_range_run_by_run() -> None:
    pair = compare(contestant("a", 9.85), contestant("b", 4.85))
    assert pair.ratios["latency"].value == pytest.approx(10 / 5)
    told = "2.00 times the latency (10.00 ± 0.07 against 5.00 ± 0.07 ms; 1.97 to 2.03 run by run)"
    assert told in conclusion(pair)
    plain = as_dict(pair)
    assert plain["latency_ms_a"] == pytest.approx(10)
    assert plain["latency_ratio_low"] == pytest.approx(9.95 / 5.05)


def test_a_record_of_before_has_no_ratio_and_two_of_before_no_word_of_it() -> None:
    pair = compare(contestant("a", 9.85), contestant("b", None))
    assert pair.ratios["latency"].value is None
    assert "the latency of some run of b was not measured" in conclusion(pair)
    old = compare(contestant("a", None), contestant("b", None))
    assert "latency" not in old.ratios
    assert "latency" not in conclusion(old)


def test_latencies_of_other_machines_or_beside_programs_do_not_compare() -> None:
    elsewhere = contestant("b", 4.85, machine=MACHINE.model_copy(update={"processor": "other"}))
    ratio = compare(contestant("a", 9.85), elsewhere).ratios["latency"]
    assert "processor: " in (ratio.obstacle or "")
    both = [contestant(name, 5.0, contention=BUSY) for name in "ab"]
    pair = compare(*both)
    assert pair.ratios["time"].value is None
    assert pair.ratios["latency"].value == 1  # other programs ended before it was measured
    disturbed = [
        Contestant(
            each.name,
            tuple(
                run.model_copy(update={"serving": make_serving(5.0, other_programs=1.0)})
                for run in each.runs
            ),
        )
        for each in both
    ]
    assert "while these models answered" in (compare(*disturbed).ratios["latency"].obstacle or "")


# --- gates ---


@pytest.mark.parametrize(
    ("gate", "limit", "verdict"),
    [
        ("max_latency_ms", 5.0, "pass"),  # the mean of 4, 5 and 6
        ("max_latency_ms", 4.99, "fail"),
        ("max_latency_p95_ms", 10.0, "pass"),  # that of 8, 10 and 12
        ("max_latency_p95_ms", 9.99, "fail"),
    ],
)
def test_a_gate_limits_the_mean_over_seeds(gate: str, limit: float, verdict: str) -> None:
    limits: dict[str, Any] = {gate: limit}
    cell = make_cell(seeds=(1, 2, 3), gates=Thresholds(**limits))
    found = judge(cell, runs_of(cell, (4.0, 5.0, 6.0)))
    assert found.verdict == verdict
    (check,) = found.checks
    assert (check.gate, check.threshold) == (gate, limit)
    assert check.measured == (5.0 if gate == "max_latency_ms" else 10.0)
    assert f"at most {limit:g} is allowed ({gate})" in check.reason


def test_a_run_without_latency_leaves_its_gate_undecided() -> None:
    cell = make_cell(seeds=(1, 2, 3), gates=Thresholds(max_latency_ms=9.0))
    found = judge(cell, runs_of(cell, (4.0, None, 6.0)))
    assert (found.verdict, found.passed) == ("not-enough-evidence", False)
    (check,) = found.checks
    assert check.reason == (
        "max_latency_ms 9: not enough evidence, a run did not measure it; --rerun trains it again"
    )


def test_sections_override_it_and_no_run_stops_before_its_gate_is_judged() -> None:
    spec = GatesSpec(
        max_latency_ms=9.0,
        checkpoint={"org/a": Thresholds(max_latency_ms=5.0)},
        cell={"a-bs16-lr2e-05": Thresholds(max_latency_p95_ms=7.0)},
    )
    own = thresholds_of(spec, "org/a", "a-bs16-lr2e-05")
    assert (own.max_latency_ms, own.max_latency_p95_ms) == (5.0, 7.0)
    assert needs_whole_runs(own, compared=False) == ["max_latency_ms", "max_latency_p95_ms"]
    assert thresholds_of(spec, "org/b", "b").max_latency_ms == 9.0
    assert not [name for name in Thresholds(min_mcc=0.1).model_dump() if "latency" in name]
