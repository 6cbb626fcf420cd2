"""Costs are shown with their spread, and compare only where they were measured alike."""

import csv
import json
import re
from itertools import product
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import numpy as np
import pytest
from builders.commands import harness
from builders.records import (
    MACHINE,
    keep,
    make_cell,
    make_record,
    make_serving,
    predicted_record,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.judging.column import ROUGH
from harness.judging.comparison import Comparison, Contestant, as_dict, compare
from harness.judging.comparison.conclusions import conclusion
from harness.judging.costs import COSTS, amount, doubts, ratio
from harness.judging.gates import explain, judge
from harness.judging.leaderboard import leaderboard, rows_of
from harness.machine.contention import Contention
from harness.report import publish, render, write_tables
from harness.report.brief import terminal_table, terminal_warnings
from harness.report.pictures.charts import lines_of, speed_groups
from harness.report.pictures.choice import pictures
from harness.store.records import Record, Times
from harness.suite.plan import Cell
from harness.suite.spec import Thresholds
from harness.text import two_digits

LABELS = np.random.default_rng(5).integers(0, 2, 200)
DISTURBED = (890.24, 872.36, 336.92)
STEADY = (250.0, 260.0, 255.0)


def times(seconds: float) -> Times:
    """Build the times of a run of one short epoch, which take up little beside its training."""
    return Times(load=0.1, tokenise=0.1, train=seconds, evaluate=0.575, total=seconds + 1)


def runs_of(cell: Cell, seconds: tuple[float, ...], **changes: Any) -> list[Record]:
    """Return runs that predict the same and took so long, a seed each."""
    predicted = np.where(np.arange(200) % 5, LABELS, 1 - LABELS)[None]
    return [
        predicted_record(cell, seed, LABELS, predicted, times=times(value), **changes)
        for seed, value in zip(cell.seeds, seconds, strict=True)
    ]


def cell_of(name: str, seconds: tuple[float, ...]) -> Cell:
    return make_cell(f"org/{name}", seeds=tuple(range(1, 1 + len(seconds))), id=name)


def contestant(name: str, seconds: tuple[float, ...], **changes: Any) -> Contestant:
    return Contestant(name, tuple(runs_of(cell_of(name, seconds), seconds, **changes)))


def changed(given: Contestant, which: slice = slice(None), **changes: Any) -> Contestant:
    """Return a contestant of which some runs differ in something."""
    chosen = given.runs[which]
    runs = [run.model_copy(update=changes) if run in chosen else run for run in given.runs]
    return Contestant(given.name, tuple(runs))


def costs_told(pair: Comparison) -> str:
    return conclusion(pair).partition("); ")[2]


# --- which costs compare ---


def test_times_beside_other_programs_compare_with_no_others() -> None:
    busy = Contention(other_programs=1.0, own_cores=1.0, fewest_threads=1)
    calm = Contention(other_programs=0.2, own_cores=2.0, fewest_threads=2)
    quiet = contestant("a", STEADY, contention=calm)
    older = contestant("c", STEADY, contention=None)
    disturbed = contestant("b", STEADY, contention=busy)
    for other, told in (
        (quiet, "different circumstances (other programs: busy and none)"),
        (older, "different circumstances (other programs: busy and not recorded)"),
        (disturbed, "other programs kept a core busy while these runs trained"),
    ):
        found = compare(disturbed, other)
        for each in (found.ratios["time"], found.ratios["evaluation"]):
            assert each.value is None
            assert str(each.obstacle).endswith(told)
        assert "so no ratio of training time and of evaluation time" in conclusion(found)
        assert found.ratios["memory"].value == 1
    assert "other programs: none and not recorded" in str(
        compare(quiet, older).ratios["time"].obstacle
    )
    assert (
        compare(older, older).ratios["time"].value
        == compare(quiet, quiet).ratios["time"].value
        == 1
    )
    caution = (
        "; other programs, whose load was not recorded, may have influenced the ratios of "
        "training time and evaluation time"
    )
    assert caution in conclusion(compare(older, older))
    assert caution not in conclusion(compare(quiet, quiet))
    assert caution not in conclusion(compare(older, quiet))  # it has no ratio of times
    on_gpu = changed(older, device="cuda")
    assert caution not in conclusion(compare(on_gpu, on_gpu))
    unknown = as_dict(compare(older, older))
    assert [unknown[f"{cost}_load_unknown"] for cost in ("time", "memory")] == [True, False]


def test_rates_of_one_checkpoint_beside_unlike_load_have_no_ratio_of_times() -> None:
    """Cells that differ in the learning rate only do the same work."""
    fast, slow = (
        contestant(name, seconds, contention=Contention(
            other_programs=others, own_cores=1.0, fewest_threads=1
        ))
        for name, seconds, others in (("a", (2175.0, 2156.0), 0.35), ("b", (3290.0, 3293.0), 0.91))
    )  # fmt: skip
    told = conclusion(compare(fast, slow))
    assert "times the training time" not in told
    assert "times the memory" in told


def test_times_of_disturbed_seeds_are_listed_instead_of_a_ratio() -> None:
    load = {"contention": Contention(other_programs=0.0, own_cores=2.0, fewest_threads=2)}
    pair = compare(contestant("slow", DISTURBED, **load), contestant("fast", STEADY, **load))
    told = "training times of slow's seeds differ by a factor of 2.64 (890, 872 and 337 s)"
    assert (pair.ratios["time"].value, pair.ratios["time"].obstacle) == (None, told)
    assert costs_told(pair) == (
        "slow takes about 1 times the evaluation time (~2.9 against 2.88 ± 0.00 ms per "
        "sentence; 1 to 1 run by run) and 1.00 times the memory (904 ± 1 against 904 ± 1 MB; 0.998 "
        f"to 1.00 run by run) of fast; {told}, so no ratio of training time."
    )


@pytest.mark.parametrize(
    ("a", "b", "names"),
    [
        (STEADY, DISTURBED, ["b"]),
        (DISTURBED, (0.2, 0.3), ["a", "b"]),
        ((0.0, 0.4), STEADY, ["a"]),
        (STEADY, (300.0, 300.0, 300.0, 400.5), ["b"]),
        ((1.0,), (*[100.0] * 9, 134.0), ["b"]),
    ],
)
def test_whichever_cell_was_disturbed_is_named(
    a: tuple[float, ...], b: tuple[float, ...], names: list[str]
) -> None:
    pair = compare(contestant("a", a), contestant("b", b))
    assert pair.ratios["time"].value is None
    assert pair.ratios["time"].obstacle is not None
    assert [name for name in "ab" if f"of {name}'s seeds" in pair.ratios["time"].obstacle] == names
    assert "times the training time" not in conclusion(pair)


def test_a_difference_of_exactly_a_third_is_none_yet() -> None:
    for scale in (0.03, 1, 3, 1e6):
        just, beyond = (3 * scale, 4 * scale), (3 * scale, 4.0001 * scale)
        assert compare(contestant("a", just), contestant("b", just)).ratios["time"].value == 1
        assert compare(contestant("a", just), contestant("b", beyond)).ratios["time"].value is None


SEEDS = st.lists(st.integers(90, 120), min_size=1, max_size=5)


@settings(deadline=None)
@given(SEEDS, SEEDS)
def test_a_ratio_is_of_means_and_its_range_of_every_pair_of_runs(
    a: list[int], b: list[int]
) -> None:
    cost = COSTS["train_seconds"]
    ours, theirs = (
        [make_record(make_cell(), seed, times=times(value)) for seed, value in enumerate(each)]
        for each in (a, b)
    )
    found = ratio(cost, "a", ours, "b", theirs)
    assert found.value == pytest.approx(np.mean(a) / np.mean(b))
    if min(len(a), len(b)) == 1:
        assert (found.low, found.high) == (None, None)
    else:
        ratios = [x / y for x, y in product(a, b)]
        assert (found.low, found.high) == pytest.approx((min(ratios), max(ratios)))
    assert found.a.sd == (pytest.approx(np.std(a, ddof=1)) if len(a) > 1 else None)


def test_a_ratio_of_one_seed_says_why_it_has_no_range() -> None:
    told = costs_told(compare(contestant("a", (510.0,)), contestant("b", STEADY)))
    assert told.startswith(
        "a takes 2.00 times the training time (510.0 against 255.0 ± 5.0 s; no range with one "
        "seed of a), "
    )
    told = costs_told(compare(contestant("a", (510.0,)), contestant("b", (255.0,))))
    assert "(510.0 against 255.0 s; no range with one seed of a and of b)" in told


@pytest.mark.parametrize(
    ("changes", "told", "memory"),
    [
        ({"concurrency": 2}, "runs at a time: 1 and 2", True),
        ({"threads": 1}, "threads per run: 2 and 1", True),
        (
            {"machine": MACHINE.model_copy(update={"processor": "Other CPU"})},
            "processor: Example CPU and Other CPU",
            True,
        ),
        ({"machine": MACHINE.model_copy(update={"cores": 64})}, "cores: 2 and 64", True),
        ({"device": "cuda"}, "device: cpu and cuda", False),
        (
            {"machine": MACHINE.model_copy(update={"accelerator": "Example GPU"})},
            "accelerator: none and Example GPU",
            False,
        ),
        ({"machine": None}, "not recorded (accelerator, processor, cores", False),
        ({"concurrency": None}, "not recorded (runs at a time)", True),
    ],
)
@pytest.mark.parametrize("which", [slice(None), slice(1)])  # a whole cell, or one seed of it
def test_times_of_different_circumstances_have_no_ratio_and_say_which(
    changes: dict[str, Any], told: str, memory: bool, which: slice
) -> None:
    a, b = contestant("a", STEADY), contestant("b", STEADY)
    pair = compare(a, changed(b, which, **changes))
    assert pair.ratios["time"].value is None
    assert pair.ratios["time"].obstacle is not None
    assert told in pair.ratios["time"].obstacle
    assert "so no ratio of training time" in conclusion(pair)
    assert (pair.ratios["memory"].value is not None) == memory


def test_two_unknown_machines_are_not_the_same_machine() -> None:
    a, b = (contestant(name, STEADY, machine=None, device=None) for name in "ab")
    pair = compare(a, b)
    assert (pair.ratios["time"].value, pair.ratios["memory"].value) == (None, None)


def test_a_cost_that_some_run_did_not_measure_has_no_ratio() -> None:
    a, b = contestant("a", STEADY), contestant("b", STEADY)
    pair = compare(changed(a, slice(2), peak_memory_mb=None), b)
    assert pair.ratios["memory"].value is None
    assert "the memory of some run of a was not measured, so no ratio of memory" in conclusion(pair)
    assert pair.ratios["time"].value == 1
    jumping = changed(b, slice(1), peak_memory_mb=9000.0)
    pair = compare(a, jumping)
    assert pair.ratios["memory"].value is None
    assert (
        "memory peaks of b's seeds differ by a factor of 9.97 (9000, 902 and 904 MB)"
        in conclusion(pair)
    )


# --- what the tables say ---


def board(**seconds: tuple[float, ...]) -> tuple[list[Cell], list[Record]]:
    cells = [cell_of(name, own) for name, own in seconds.items()]
    return cells, [run for cell in cells for run in runs_of(cell, seconds[cell.id])]


CELLS, RECORDS = board(disturbed=DISTURBED, steady=STEADY, single=(500.0,))


def test_every_cost_has_its_deviation_over_seeds_and_one_seed_none() -> None:
    cell = make_cell(seeds=(1, 2, 3))
    measured: dict[str, tuple[float, ...]] = {
        "samples_per_second": (10.0, 12.0, 13.0),
        "eval_ms_per_sentence": (1.5, 1.25, 1.6),
        "peak_memory_mb": (700.0, 900.0, 800.0),
    }
    latencies = (5.0, 5.5, 6.0)
    runs = [
        make_record(
            cell, seed, times=times(STEADY[seed - 1]), serving=make_serving(latencies[seed - 1])
        )
        .model_copy(update={name: values[seed - 1] for name, values in measured.items()})
        for seed in cell.seeds
    ]  # fmt: skip
    (row,) = rows_of(leaderboard([cell], runs))
    of_answers = {
        "latency_ms": latencies,
        "latency_p95_ms": (10.0, 11.0, 12.0),
        "predictions_per_second": tuple(4000 / each for each in latencies),
    }
    for name, values in {**measured, **of_answers, "train_seconds": STEADY}.items():
        expected = max(values) if name == "peak_memory_mb" else fmean(values)
        assert row[name] == expected, name
        assert row[f"{name}_sd"] == pytest.approx(stdev(values)), name
    reached = [run.epochs[1].seconds for run in runs]
    assert row["time_to_target_seconds_sd"] == stdev(reached)
    (alone,) = rows_of(leaderboard([make_cell(seeds=(1,))], runs[:1]))
    assert {alone[f"{name}_sd"] for name in [*COSTS, "time_to_target_seconds"]} == {None}
    assert "±" not in terminal_table(leaderboard([make_cell(seeds=(1,))], runs[:1]), 500)
    shown = terminal_table(leaderboard([cell], runs), 500)
    for text in ("255.0 ± 5.0", "11.7 ± 1.5", "1.45 ± 0.18", "900 ± 100", "102.0 ± 1.0"):
        assert text in shown


def test_page_markdown_terminal_and_csv_warn_of_disturbed_seeds_and_of_no_other() -> None:
    files = render(publish("sample", CELLS, RECORDS))
    warning = (
        "training times of its seeds differ by a factor of 2.64 (890, 872 and 337 s), although "
        "they do the same work"
    )
    document = files["leaderboard.md"].decode()
    assert f"- `disturbed`: {warning}" in document
    assert "Check times before you compare them" in document
    assert "~ marks the times of 1 of 3 cells, " in document
    assert "In 1 of the 2 cells with several seeds, the seeds differ" in document
    assert re.search(r"\| +~700 +\|", document)
    page = files["leaderboard.html"].decode()
    assert warning in page
    assert "Check times before" in page
    assert files["leaderboard.csv"].decode().count(warning) == 1
    (line,) = terminal_warnings(CELLS, RECORDS)
    assert line.startswith(f"warning: disturbed: {warning}")
    quiet = render(publish("sample", *board(a=STEADY, b=(100.0,))))
    for name in ("leaderboard.md", "leaderboard.html", "leaderboard.csv"):
        assert b"seeds differ by a factor" not in quiet[name]
        assert b"Check times before" not in quiet[name]


@pytest.mark.parametrize(
    ("disturbed", "quiet", "busy_cells", "marked"),
    [
        ((DISTURBED,), (STEADY,), 2, "2 of 2 cells"),
        ((DISTURBED,), (STEADY,), 0, "1 of 2 cells"),
        ((), (STEADY, STEADY), 2, "2 of 2 cells"),
        ((DISTURBED, DISTURBED), (STEADY,), 1, "2 of 3 cells"),
    ],
)
def test_one_paragraph_tells_all_about_rough_times(
    disturbed: tuple[tuple[float, ...], ...],
    quiet: tuple[tuple[float, ...], ...],
    busy_cells: int,
    marked: str,
) -> None:
    every = (*disturbed, *quiet)
    load = Contention(other_programs=0.9, own_cores=1.0, fewest_threads=1)
    cells, records = board(**{f"cell{number}": seconds for number, seconds in enumerate(every)})
    noisy = {cell.id for cell in cells[:busy_cells]}
    records = [
        run.model_copy(update={"contention": load}) if run.cell in noisy else run for run in records
    ]
    document = render(publish("sample", cells, records))["leaderboard.md"].decode()
    (told,) = [line for line in document.splitlines() if "order of magnitude only" in line]
    assert f"~ marks the times of {marked}, " in told
    assert ("Other programs used the processor" in told) == (busy_cells > 0)
    assert (f"In {len(disturbed)} of the {len(every)} cells with" in told) == bool(disturbed)
    assert ("Times of the other cells" in told) == (not marked.startswith(f"{len(every)} "))
    assert told.endswith("Scores are not affected.")


def busy(cores: float) -> dict[str, Any]:
    return {"contention": Contention(other_programs=cores, own_cores=1.0, fewest_threads=1)}


def _rows(cells: list[Cell], records: list[Record]) -> list[dict[str, Any]]:
    return rows_of(leaderboard(cells, records))


@pytest.mark.parametrize(
    ("seconds", "changes", "rough"),
    [
        (STEADY, {}, False),
        (DISTURBED, {}, True),
        ((300.0, 400.0), {}, False),
        ((300.0, 401.0), {}, True),
        ((250.0,), {}, False),
        ((250.0,), busy(0.3), False),
        ((250.0,), busy(0.9), True),
        (STEADY, busy(1.5), True),
    ],
)
def test_times_that_tell_little_are_rounded_for_people_and_exact_for_programs(
    seconds: tuple[float, ...], changes: dict[str, Any], rough: bool
) -> None:
    cell = cell_of("a", seconds)
    runs = runs_of(cell, seconds, **changes)
    (row,) = _rows([cell], runs)
    assert row["train_seconds"] == fmean(seconds)
    assert row["times"] == (ROUGH if rough else None)
    files = render(publish("sample", [cell], runs))
    documents = [files[f"leaderboard.{kind}"].decode() for kind in ("md", "html")]
    exact = f"{fmean(seconds):.1f}"
    shown = f"~{float(f'{fmean(seconds):.2g}'):.0f}" if rough else exact
    for document in documents:
        assert re.search(rf"[ >]{shown}[ <]", document)
        assert ("order of magnitude only." in document) or not rough
        if rough:
            assert not re.search(rf"[ >]{exact}[ <]", document)
            assert "~2.9" in document  # evaluation
    assert repr(fmean(seconds)) in files["leaderboard.csv"].decode()
    assert json.loads(files["leaderboard.json"])["rows"][0]["train_seconds"] == fmean(seconds)
    # Memory and scores do not depend on what the machine did.
    assert not re.search(r"~90\d|~0\.", documents[0])


@pytest.mark.parametrize(
    ("evaluation", "rough"), [((2.0, 2.1, 2.2), False), ((2.0, 3.0, 4.0), True)]
)
def test_evaluation_times_alone_make_times_rough(
    evaluation: tuple[float, ...], rough: bool
) -> None:
    cell = cell_of("a", STEADY)
    runs = [
        run.model_copy(update={"eval_ms_per_sentence": value})
        for run, value in zip(runs_of(cell, STEADY), evaluation, strict=True)
    ]
    (row,) = _rows([cell], runs)
    assert (row["times"] == ROUGH) is rough


def test_a_comparison_rounds_times_that_tell_little_and_no_memory() -> None:
    quick = (100.0, 101.0)
    rough = contestant("a", STEADY)
    rough = changed(rough, slice(1), eval_ms_per_sentence=9.0)  # of the training times none differs
    pair = compare(rough, contestant("b", quick))
    told = costs_told(pair)
    assert told.startswith("a takes about 2.5 times the training time (~260 against 100.5 ± ")
    assert "; 2.5 to 2.6 run by run)" in told
    assert "1.00 times the memory (904 ± 1 against 902 ± 1 MB; 0.999 to 1.00 run by run)" in told
    assert as_dict(pair)["train_seconds_a"] == fmean(STEADY)
    quiet = costs_told(compare(contestant("a", STEADY), contestant("b", quick)))
    assert "~" not in quiet
    assert "about" not in quiet


@pytest.mark.parametrize(
    ("value", "text"),
    [(1594.8, "1600"), (699.9, "700"), (12.24, "12"), (0.0578, "0.058"), (3.0, "3"), (99.6, "100"),
     (0.0, "0"), (12345678.0, "12000000")],
)  # fmt: skip
def test_two_digits_are_written_without_an_exponent(value: float, text: str) -> None:
    assert two_digits(value) == text


def test_evaluation_times_are_told_with_the_training_times() -> None:
    runs = runs_of(cell_of("a", DISTURBED), DISTURBED)
    slow = [run.model_copy(update={"eval_ms_per_sentence": 1.0 + run.seed}) for run in runs]
    (said,) = doubts(slow)
    assert (
        "337 s), evaluation times by a factor of 2 (2, 3 and 4 ms per sentence), although" in said
    )


def test_seeds_timed_beside_other_runs_than_each_other_are_a_warning() -> None:
    runs = runs_of(cell_of("a", STEADY), STEADY)
    assert doubts([run.model_copy(update={"machine": None}) for run in runs[:1]] + runs[1:]) == []
    mixed = [run.model_copy(update={"concurrency": 1 + run.seed % 2}) for run in runs]
    (said,) = doubts(mixed)
    assert said.startswith("its seeds were timed under different circumstances (runs at a time: 2")
    assert doubts(runs) == []


@pytest.mark.parametrize(
    ("together", "cause"),
    [
        (1, "work: most likely the machine was also busy with something else, so"),
        (2, "something else, or not all of these runs had 1 more beside them all the time, so"),
    ],
)
def test_runs_at_a_time_are_a_likely_cause_of_unlike_times(together: int, cause: str) -> None:
    cell = cell_of("a", DISTURBED)
    runs = runs_of(cell, DISTURBED, concurrency=together)
    (said,) = doubts(runs)
    assert cause in said
    document = render(publish("sample", [cell], runs))["leaderboard.md"].decode()
    assert ("1 more beside them all the time. Scores are not" in document) == (together == 2)


def test_a_cell_whose_seeds_disagree_is_on_no_front_and_keeps_none_from_it() -> None:
    cells, records = board(quick=(10.0, 100.0), steady=(200.0, 201.0))
    published = publish("sample", cells, records)
    lines = lines_of(published, leaderboard(cells, records))
    (points,) = speed_groups(lines, "train_seconds").values()
    told = {point.line.cell.id: (point.on_front, point.compares) for point in points}
    assert told == {"quick": (False, False), "steady": (True, True)}
    document = render(published)["leaderboard.md"].decode()
    reason = "times of their seeds differ by more than a third, or by circumstances"
    assert f"hollow, as {reason}: org/quick, batch 16" in document


@pytest.mark.parametrize(("others", "rough"), [(0.2, False), (0.9, True)])
def test_a_front_of_rough_times_is_captioned_as_rough(others: float, rough: bool) -> None:
    cells, _ = board(a=STEADY, b=(100.0,))
    records = [*runs_of(cells[0], STEADY, **busy(others)), *runs_of(cells[1], (100.0,))]
    lines = lines_of(publish("sample", cells, records), leaderboard(cells, records))
    for picture in pictures(lines):
        if picture.name.startswith("pareto"):
            for text in (picture.title, picture.alt):
                assert ("(times are rough, so is the front)" in text) == rough


def test_machines_of_one_processor_are_told_apart_in_charts() -> None:
    cells, records = board(small=STEADY, large=STEADY, third=STEADY)
    large = MACHINE.model_copy(update={"cores": 64})
    records = [
        run.model_copy(update={"machine": large}) if run.cell == "large" else run for run in records
    ]
    lines = lines_of(publish("sample", cells, records), leaderboard(cells, records))
    groups = speed_groups(lines, "train_seconds")
    assert [[point.line.cell.id for point in points] for points in groups.values()] == [
        ["small", "third"],
        ["large"],
    ]
    assert ["cores: 2" in name for name in groups] == [True, False]


@pytest.mark.parametrize(
    ("seconds", "update"),
    [
        (DISTURBED, {}),
        (STEADY, {"eval_ms_per_sentence": 9.0}),
        (STEADY, {"concurrency": 7}),
        (STEADY, {"contention": Contention(other_programs=0.9, own_cores=1.0, fewest_threads=1)}),
    ],
    ids=["seeds differ", "evaluations differ", "circumstances differ", "other programs"],
)
def test_no_deviation_stands_beside_a_rough_time(
    seconds: tuple[float, ...], update: dict[str, Any]
) -> None:
    """~2200 ± 14 s would state 0.6 % beside "an order of magnitude"; programs keep the number."""
    cell = cell_of("a", seconds)
    first, *others = runs_of(cell, seconds)
    records = [first.model_copy(update=update), *others]
    files = render(publish("sample", [cell], records))
    told = [
        files["leaderboard.md"].decode(),
        files["leaderboard.html"].decode(),
        terminal_table(leaderboard([cell], records), 500),
        amount(COSTS["train_seconds"], records).text(COSTS["train_seconds"].write),
    ]
    for text in told:
        assert re.search(r"~\d", text)
        assert not re.search(r"~[\d.]+ ±", text)
    (row,) = csv.DictReader(files["leaderboard.csv"].decode().splitlines())
    assert float(row["train_seconds_sd"]) == pytest.approx(stdev(seconds), rel=1e-4)


def test_a_gate_on_a_cost_tells_the_spread_and_seeds_that_disagree() -> None:
    cell = make_cell(seeds=(1, 2, 3), gates=Thresholds(max_train_seconds=500.0))
    (steady,) = judge(cell, runs_of(cell, STEADY)).checks
    assert steady.reason == "training takes 255 ± 5 s, at most 500 is allowed (max_train_seconds)"
    (disturbed,) = judge(cell, runs_of(cell, DISTURBED)).checks
    assert disturbed.reason == (
        "training takes ~700 s, at most 500 is allowed (max_train_seconds); training times "
        "of its seeds differ by a factor of 2.64 (890, 872 and 337 s)"
    )
    (single,) = judge(make_cell(gates=cell.gates), [make_record(make_cell())]).checks
    assert single.reason.startswith("training takes 100.5 s, ")
    tight = make_cell(gates=Thresholds(max_train_seconds=500.0))
    (missed,) = judge(tight, [make_record(tight, times=times(501.3), **busy(0.9))]).checks
    assert (missed.verdict, missed.reason.partition(",")[0]) == ("fail", "training takes 501.3 s")


def test_a_gate_tells_rough_times_as_the_table_does_and_its_mean_once(tmp_path: Path) -> None:
    cell = cell_of("a", DISTURBED)
    cell = make_cell("org/a", seeds=cell.seeds, id="a", threshold=0.99)
    runs = runs_of(cell, DISTURBED)
    told = explain(cell, judge(cell, runs), tmp_path)
    assert "  training time: ~700 s per run\n" in told
    assert told.count("MCC 0.6014") == told.count("95 % interval") == 1
    cell = make_cell("org/a", seeds=cell.seeds, gates=Thresholds(max_train_seconds=5.0))
    assert "  mean MCC " in explain(cell, judge(cell, runs), tmp_path)


# --- the command ---


def test_the_command_tells_no_ratio_in_text_and_null_in_json(tmp_path: Path) -> None:
    stored = [keep(tmp_path, cell, run) for cell in CELLS for run in RECORDS if run.cell == cell.id]
    write_tables(tmp_path, "sample", CELLS, stored)
    done = harness("compare", "disturbed", "steady", "--results", ".", cwd=tmp_path)
    assert "(890, 872 and 337 s), so no ratio of training time" in done.out
    done = harness("compare", "disturbed", "steady", "--results", ".", "--json", cwd=tmp_path)
    (told,) = json.loads(done.out)["comparisons"]
    assert (told["time_ratio"], told["time_ratio_low"], told["time_ratio_high"]) == (None,) * 3
    assert told["train_seconds_sd_a"] == pytest.approx(stdev(DISTURBED))
    assert told["time_obstacle"].startswith("training times of disturbed's seeds")
    assert told["memory_ratio"] == 1
    assert told["verdict"] == "no difference shown"
    done = harness("compare", "steady", "single", "--results", ".", "--json", cwd=tmp_path)
    (told,) = json.loads(done.out)["comparisons"]
    assert (told["time_ratio"], told["time_ratio_low"]) == (pytest.approx(0.51), None)
    assert told["train_seconds_sd_b"] is None


def test_what_programs_read_has_every_field_of_a_comparison() -> None:
    pair = compare(contestant("a", STEADY), contestant("b", (1.0,)))
    told = as_dict(pair)
    json.dumps(told, allow_nan=False)
    assert {"difference", "low", "high", "adjusted", "obstacle", "time_ratio"} <= {*told}
