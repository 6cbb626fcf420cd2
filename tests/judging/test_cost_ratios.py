"""Gates on a cell's costs, divided by those of the same cell of a baseline."""

import json
from collections.abc import Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from builders.records import (
    COLA,
    MACHINE,
    failed_record,
    make_cell,
    make_record,
    make_serving,
    with_key,
)

from harness.judging.baseline import Baseline, software_changes, software_here
from harness.judging.comparison import Contestant, compare
from harness.judging.gates import Check, explain, judge
from harness.judging.gates.before_training import baseline_notes
from harness.machine.contention import Contention
from harness.machine.provenance import RECIPE_VERSION, RESULT_PACKAGES, machine
from harness.report import publish, render
from harness.store.records import Record, Times
from harness.store.stopped import Stopped
from harness.suite.plan import Cell
from harness.suite.spec import Suite, Thresholds, TrainingSpec

TRAIN, EVAL, LATENCY, MEMORY = (
    "max_train_seconds_ratio",
    "max_eval_ms_ratio",
    "max_latency_ms_ratio",
    "max_peak_memory_ratio",
)
RATIOS = {TRAIN: "time", EVAL: "evaluation", LATENCY: "latency", MEMORY: "memory"}
"""Each gate's ratio in `harness compare`."""

BEFORE, NOW = (190.0, 200.0, 210.0), (220.0, 230.0, 240.0)
"""Training seconds of each seed: means 200 and 230, so the ratio is 1.15."""

STOPPED = Stopped(after_epoch=2, of=5, because="gate met", target=0.3)
BUSY = Contention(other_programs=1.0, own_cores=1.0, fewest_threads=1)
CALM = Contention(other_programs=0.1, own_cores=2.0, fewest_threads=2)


def cell_of(gates: dict[str, Any], seeds: int = 3) -> Cell:
    return make_cell(seeds=tuple(range(1, seeds + 1)), gates=Thresholds(**gates))


def run(seed: int, seconds: float, **changes: Any) -> Record:
    """Return a run that trained so long; its evaluation and memory cost in proportion."""
    times = Times(load=0.0, tokenise=0.0, train=seconds, evaluate=1.0, total=seconds + 1)
    fields = {
        "times": times,
        "eval_ms_per_sentence": seconds / 64,  # exact in binary
        "peak_memory_mb": seconds * 10,
        "serving": make_serving(seconds / 64),
        **changes,
    }
    return make_record(cell_of({}), seed).model_copy(update=fields)


def runs(seconds: Sequence[float], **changes: Any) -> list[Record]:
    return [run(seed, each, **changes) for seed, each in enumerate(seconds, 1)]


def the_check(cell: Cell, now: Sequence[Record], before: Sequence[Record]) -> Check:
    """Return the check of the cell's only gate on a cost."""
    found = judge(cell, now, Baseline("old.json", "sample", tuple(before)))
    (check,) = [each for each in found.checks if each.gate != "max_drop"]
    return check


@pytest.mark.parametrize(
    ("gate", "met", "missed", "said"),
    [
        (
            TRAIN,
            1.15,
            1.149,
            "the training time is 1.15 times the baseline's (230.0 ± 10.0 against 200.0 ± 10.0 s; "
            "1.05 to 1.26 run by run), at most ",
        ),
        (
            EVAL,
            1.15,
            1.149,
            "the evaluation time is 1.15 times the baseline's (3.59 ± 0.16 against 3.12 ± 0.16 ms "
            "per sentence; 1.05 to 1.26 run by run), at most ",
        ),
        (
            LATENCY,
            1.15,
            1.149,
            "the latency is 1.15 times the baseline's (3.59 ± 0.16 against 3.12 ± 0.16 ms; "
            "1.05 to 1.26 run by run), at most ",
        ),
        # The largest of each: 2400 / 2100.
        (
            MEMORY,
            1.1429,
            1.1428,
            "the memory is 1.1429 times the baseline's (2400 ± 100 against 2100 ± 100 MB; "
            "1.05 to 1.26 run by run), at most ",
        ),
    ],
)
def test_a_ratio_of_costs_passes_up_to_its_limit_and_fails_beyond(
    gate: str, met: float, missed: float, said: str
) -> None:
    expected = 2400 / 2100 if gate == MEMORY else 230 / 200
    passed, failed = (
        the_check(cell_of({gate: limit}), runs(NOW), runs(BEFORE)) for limit in (met, missed)
    )
    for check, limit, verdict in ((passed, met, "pass"), (failed, missed, "fail")):
        assert (check.gate, check.threshold, check.verdict) == (gate, limit, verdict)
        assert check.measured == pytest.approx(expected, rel=1e-12)
        assert (check.low, check.high) == (None, None)
    assert passed.reason == f"{said}{met:g} times is allowed ({gate})"


def test_digits_of_a_ratio_never_contradict_its_verdict() -> None:
    for now, written in ((200.0002, "1.000001"), (200.0, "1")):
        check = the_check(cell_of({TRAIN: 1.0}, 1), [run(1, now)], [run(1, 200.0)])
        assert check.verdict == ("pass" if now == 200 else "fail")
        assert check.reason.startswith(f"the training time is {written} times the baseline's (200.")
        assert "run by run" not in check.reason  # one seed has no range


@pytest.mark.parametrize("gate", RATIOS)
def test_a_lower_cost_can_be_demanded_and_each_side_has_seeds_of_its_own(gate: str) -> None:
    now, before = runs((90.0, 110.0)), runs((150.0, 200.0, 190.0, 180.0, 170.0, 200.0))
    cell = cell_of({gate: 0.6}, 2)
    check = the_check(cell, now, before)
    measured = 110 / 200 if gate == MEMORY else 600 / 1090
    assert check.measured == pytest.approx(measured, rel=1e-12)
    assert check.verdict == "pass"
    assert the_check(replace(cell, gates=Thresholds(**{gate: 0.5})), now, before).verdict == "fail"


@pytest.mark.parametrize("gate", RATIOS)
def test_the_ratio_is_that_of_harness_compare(gate: str) -> None:
    now, before = runs(NOW), runs(BEFORE)
    pair = compare(Contestant("now", tuple(now)), Contestant("before", tuple(before)))
    check = the_check(cell_of({gate: 9.0}), now, before)
    assert check.measured == pair.ratios[RATIOS[gate]].value


OTHER = MACHINE.model_copy(update={"processor": "Other CPU"})


@pytest.mark.parametrize(
    ("changes", "said", "of_memory"),
    [
        ({"machine": OTHER}, "processor: Example CPU and Other CPU", False),
        ({"machine": MACHINE.model_copy(update={"cores": 64})}, "cores: 2 and 64", False),
        ({"threads": 1}, "threads per run: 2 and 1", False),
        ({"concurrency": 4}, "runs at a time: 1 and 4", False),
        ({"executor": "ray"}, "executor: local and ray", False),
        ({"executor": None}, "executor: local and not recorded", False),
        ({"speedups": ("packing",)}, "compiled code: as set and missing", False),
        ({"contention": BUSY}, "other programs: none and busy", False),
        ({"contention": None}, "other programs: none and not recorded", False),
        ({"device": "cuda"}, "device: cpu and cuda", True),
        (
            {"machine": MACHINE.model_copy(update={"accelerator": "Example GPU"})},
            "accelerator: none and Example GPU",
            True,
        ),
        ({"machine": None}, "not recorded (accelerator", True),
    ],
)
@pytest.mark.parametrize("gate", RATIOS)
def test_costs_of_other_circumstances_are_doubt_that_names_both_values(
    gate: str, changes: dict[str, Any], said: str, of_memory: bool
) -> None:
    usual = {"contention": CALM, "executor": "local", "speedups": ("compiled-optimizer",)}
    now, before = runs(BEFORE, **usual), runs(BEFORE, **{**usual, **changes})
    check = the_check(cell_of({gate: 100.0}), now, before)
    # Memory depends on the device only; a model answers after training, with threads of its own.
    of_training = changes.keys() & {"threads", "contention"}
    if not of_memory and (gate == MEMORY or (gate == LATENCY and of_training)):
        assert (check.verdict, check.measured) == ("pass", 1.0)
        return
    assert (check.verdict, check.measured) == ("not-enough-evidence", None)
    assert check.reason.startswith(
        f"{gate} 100 against old.json: not enough evidence, the cell against the baseline: "
    )
    assert said in check.reason


def test_training_times_that_disagree_say_nothing_about_answers() -> None:
    """A session beside other work for a while: its seeds' training times differ, answers do not."""
    usual = {"serving": make_serving(3.0), "contention": CALM, "executor": "local"}
    uneven = [run(seed, seconds, **usual) for seed, seconds in enumerate((100.0, 200.0, 300.0), 1)]
    assert the_check(cell_of({LATENCY: 1.0}), uneven, uneven).verdict == "pass"
    check = the_check(cell_of({TRAIN: 1.0}), uneven, uneven)
    assert check.verdict == "not-enough-evidence"
    times = [{**HERE, "serving": make_serving(3.0), "times": each.times} for each in uneven]
    assert notes(baseline_of(*times), {LATENCY: 1.2}) == []
    assert len(notes(baseline_of(*times), {TRAIN: 1.2})) == 1


def test_times_of_two_busy_machines_are_doubt_and_their_memory_is_not() -> None:
    both = runs(BEFORE, contention=BUSY)
    check = the_check(cell_of({TRAIN: 100.0}), both, both)
    assert check.verdict == "not-enough-evidence"
    assert "other programs kept a core busy while these runs trained" in check.reason
    assert the_check(cell_of({MEMORY: 1.0}), both, both).verdict == "pass"


@pytest.mark.parametrize(("side", "named"), [(0, "the cell's"), (1, "the baseline's")])
def test_seeds_that_differ_by_more_than_a_third_are_doubt(side: int, named: str) -> None:
    sides = [runs(BEFORE), runs(BEFORE)]
    sides[side] = [run(1, 300.0), *sides[side][1:]]
    said = f"training times of {named} seeds differ by a factor of 1.5 (300, 200 and 210 s)"
    check = the_check(cell_of({TRAIN: 100.0}), *sides)
    assert (check.verdict, check.measured) == ("not-enough-evidence", None)
    assert check.reason.endswith(f"the cell against the baseline: {said}")

    # Its evaluation times agree, but a machine that disturbed the training may have slowed them.
    sides[side][0] = sides[side][0].model_copy(update={"eval_ms_per_sentence": 3.125})
    check = the_check(cell_of({EVAL: 100.0}), *sides)
    assert (check.verdict, check.measured) == ("not-enough-evidence", None)
    assert check.reason.endswith(f", {said}, so only the order of magnitude of its times is known")


@pytest.mark.parametrize(
    ("before", "said"),
    [
        ([], "the baseline has no scored run of this cell; name one that has"),
        ([failed_record(cell_of({}), 1)], "the baseline has no scored run of this cell"),
        (
            runs(BEFORE, dataset=COLA.model_copy(update={"fingerprint": "o" * 64})),
            "the baseline was trained on other data; name one that was trained on these",
        ),
        (
            runs(BEFORE, stopped=STOPPED),
            "a run of the baseline was stopped before its last epoch",
        ),
    ],
)
@pytest.mark.parametrize("gate", RATIOS)
def test_a_baseline_that_has_no_cost_to_compare_is_doubt_with_the_reason(
    gate: str, before: list[Record], said: str
) -> None:
    check = the_check(cell_of({gate: 100.0}), runs(NOW), before)
    assert (check.verdict, check.measured) == ("not-enough-evidence", None)
    assert said in check.reason


@pytest.mark.parametrize(
    ("gate", "changes", "noun"),
    [
        (TRAIN, {"times": None}, "training time"),
        (EVAL, {"eval_ms_per_sentence": None}, "evaluation time"),
        (MEMORY, {"peak_memory_mb": None}, "memory"),
    ],
)
def test_a_cost_that_one_run_did_not_measure_is_doubt(
    gate: str, changes: dict[str, Any], noun: str
) -> None:
    lacking = [run(1, 190.0, **changes), *runs(BEFORE)[1:]]
    check = the_check(cell_of({gate: 100.0}), runs(NOW), lacking)
    assert (check.verdict, check.measured) == ("not-enough-evidence", None)
    assert check.reason.endswith(f"the {noun} of some run of the baseline was not measured")


def test_other_settings_of_the_training_are_named_with_the_verdict() -> None:
    """They may be the very change that costs more, so the gate judges it."""
    shorter = TrainingSpec(epochs=2)
    check = the_check(cell_of({TRAIN: 1.1}), runs(NOW), runs(BEFORE, training=shorter))
    assert check.verdict == "fail"
    assert check.reason.endswith(f"({TRAIN}); the training differs: epochs 2 then, 5 now")


@pytest.mark.parametrize("gate", RATIOS)
def test_stopped_runs_of_the_cell_are_doubt(gate: str) -> None:
    now = runs(NOW, stopped=STOPPED)
    check = the_check(cell_of({gate: 100.0}), now, runs(BEFORE))
    assert (check.verdict, check.measured) == ("not-enough-evidence", None)
    assert check.reason.endswith("3 of 3 runs were stopped; train them without --stop decided")
    assert judge(cell_of({gate: 100.0}), now).checks == ()


@pytest.mark.parametrize("gate", RATIOS)
def test_without_a_baseline_there_is_no_check(gate: str) -> None:
    assert judge(cell_of({gate: 1.0}), runs(NOW)).checks == ()


def test_doubt_about_costs_passes_only_where_the_suite_says_so(tmp_path: Path) -> None:
    elsewhere = runs(BEFORE, machine=OTHER)
    baseline = Baseline("old.json", "sample", tuple(elsewhere))
    for on_doubt, passed in (("fail", False), ("pass", True)):
        cell = cell_of({TRAIN: 1.2, "on_doubt": on_doubt})
        found = judge(cell, runs(NOW), baseline)
        assert (found.verdict, found.passed) == ("not-enough-evidence", passed)
        assert f"{cell.id}: {TRAIN} 1.2 against old.json: not" in explain(cell, found, tmp_path)


# --- what else differs from the baseline ---


def baseline_of(*changes: dict[str, Any]) -> Baseline:
    """Return a baseline with a run for each of these changes."""
    records = [run(seed, 200.0).model_copy(update=each) for seed, each in enumerate(changes, 1)]
    return Baseline("old.json", "sample", tuple(records))


def test_recipe_and_versions_that_differ_from_the_baseline_are_named_with_both_values() -> None:
    now = [{"recipe": "4", **dict.fromkeys(RESULT_PACKAGES, "unknown"), "torch": "2.13.0"}]
    same = {"recipe_version": 4, "versions": {"torch": "2.13.0", "numpy": "1"}}
    older = {"recipe_version": 3, "versions": {"torch": "2.12.0", "accelerate": "1.0"}}
    assert software_changes(None, now) == []
    assert software_changes(baseline_of(same), now) == []
    said = "recipe or package versions differ from those of the baseline old.json, now against then"
    assert software_changes(baseline_of(older), now) == [
        f"{said}: recipe (4 against 3), torch (2.13.0 against 2.12.0), "
        "accelerate (unknown against 1.0)"
    ]
    assert software_changes(baseline_of(same, {**same, "recipe_version": 3}), now) == [
        f"{said}: recipe (4 against 4 and 3)"
    ]
    failed = Baseline("old.json", "sample", (failed_record(cell_of({}), 1),))
    assert software_changes(failed, now) == []  # none of its runs is compared


def test_the_software_of_this_machine_is_what_its_records_have() -> None:
    (here,) = software_here()
    assert here == {"recipe": str(RECIPE_VERSION), **{p: version(p) for p in RESULT_PACKAGES}}


# --- tables ---


def test_tables_show_ratios_and_changes_of_software() -> None:
    cell = cell_of({TRAIN: 1.1, MEMORY: 1.2})
    older = runs(BEFORE, versions={"torch": "2.12.0", "transformers": "5.23.0"})
    now = [with_key(record) for record in runs(NOW)]
    before = tuple(with_key(record) for record in older)
    published = publish("sample", [cell], now, Baseline("old.json", "sample", before))
    shown = render(published)
    markdown, page = shown["leaderboard.md"].decode(), shown["leaderboard.html"].decode()
    for text in (
        "recipe or package versions differ from those of the baseline old.json, now against "
        "then: torch (2.13.0 against 2.12.0)",
        "fail: `encoder-bs16-lr2e-05`: the training time is 1.15 times the baseline",
        "pass: `encoder-bs16-lr2e-05`: the memory is 1.143 times the baseline",
    ):
        assert markdown.count(text) == 1
        assert text.rpartition(": ")[2] in page
    content = json.loads(shown["leaderboard.json"])
    (gates,) = (each["gates"] for each in content["cells"])
    assert {name: gates[name] for name in gates if name.endswith("_ratio")} == {
        TRAIN: 1.1,
        MEMORY: 1.2,
    }
    assert [row["verdict"] for row in content["rows"]] == ["fail"]


# --- what is known before anything trains ---

HERE: dict[str, Any] = {"machine": machine(), "executor": "local"}
"""Circumstances of this machine, in a record."""

FORESEEN = " of encoder-bs16-lr2e-05 cannot be judged from runs that train now: "


def notes(
    baseline: Baseline | None, gates: dict[str, Any], executor: str = "local", seeds: int = 2
) -> list[str]:
    """Return the notes on a cell with these gates, without the one on other software."""
    suite = Suite.model_validate(
        {
            "name": "sample",
            "dataset": {"source": "embedded"},
            "matrix": {"checkpoints": ("org/encoder",), "batch_sizes": (16,)}
            | {"learning_rates": (2e-5,), "seeds": tuple(range(1, seeds + 1))},
            "limits": {"executor": executor},
        }
    )
    found = baseline_notes(suite, [cell_of(gates, seeds)], baseline, "cpu")
    return [line for line in found if not line.startswith("recipe or package versions")]


def test_a_baseline_of_this_machine_foretells_no_doubt() -> None:
    every = dict.fromkeys(RATIOS, 1.2)
    assert notes(baseline_of(HERE, HERE), every) == []
    assert notes(None, every) == []
    other = {**HERE, "machine": OTHER}
    assert notes(baseline_of(other), {"min_mcc": 0.1}) == []
    assert notes(Baseline("old.json", "sample", ()), every) == []


def test_a_baseline_of_another_machine_foretells_doubt_of_times_only() -> None:
    other = {**HERE, "machine": machine().model_copy(update={"processor": "Other CPU"})}
    (line,) = notes(baseline_of(other, other), dict.fromkeys(RATIOS, 1.2))
    assert line == (
        f"gates.{TRAIN}, gates.{EVAL} and gates.{LATENCY}{FORESEEN}circumstances here and of the "
        f"baseline differ "
        f"(processor: {machine().processor} and Other CPU)"
    )


def test_a_baseline_of_another_device_foretells_doubt_of_memory_too() -> None:
    (line,) = notes(baseline_of({**HERE, "device": "cuda"}), {MEMORY: 1.2})
    assert line.startswith(f"gates.{MEMORY}{FORESEEN}")
    assert line.endswith("(device: cpu and cuda)")


def test_a_rough_baseline_foretells_doubt_of_times() -> None:
    (line,) = notes(baseline_of({**HERE, "contention": BUSY}), {TRAIN: 1.2, MEMORY: 1.2})
    assert line.startswith(f"gates.{TRAIN}{FORESEEN}")
    assert line.endswith(": the times of the baseline are of the order of magnitude only")


def test_machines_of_a_cluster_are_not_known_before() -> None:
    other = {"machine": OTHER, "executor": "ray"}
    assert notes(baseline_of(other), {TRAIN: 1.2}, executor="ray") == []
    (line,) = notes(baseline_of(HERE), {TRAIN: 1.2}, executor="ray")
    assert line.endswith("(executor: ray and local)")


def test_software_is_noted_without_any_gate_on_costs() -> None:
    suite = Suite.model_validate(
        {
            "name": "sample",
            "dataset": {"source": "embedded"},
            "matrix": {"checkpoints": ("a",), "batch_sizes": (16,), "learning_rates": (2e-5,)},
        }
    )
    old = {**HERE, "versions": {}}
    (line,) = baseline_notes(suite, [], baseline_of(old), "cpu")
    assert f"torch ({version('torch')} against unknown)" in line
