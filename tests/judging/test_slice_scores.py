"""Scores, gates and differences of cells by slice, against pandas and scikit-learn."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from builders.records import COLA, make_cell, make_record, predicted_record
from sklearn.metrics import matthews_corrcoef

from harness.judging.comparison import Contestant, compare, compare_all
from harness.judging.comparison.conclusions import differing_slices
from harness.judging.gates import Check, judge
from harness.judging.slices import rows_by_slice, scores_by_slice
from harness.store.records import Record
from harness.store.slices import Slices, make_slices
from harness.suite.gates import SliceThreshold, Thresholds

SENTENCES = 500
RANDOM = np.random.default_rng(0)
LABELS = (RANDOM.random(SENTENCES) < 0.7).astype(int)
TOPIC = RANDOM.choice(["food", "law", "travel", ""], SENTENCES)
FLAG = RANDOM.choice(["0", "1"], SENTENCES, p=[0.8, 0.2])
KIND = np.where(LABELS == 1, "fine", RANDOM.choice(["fine", "broken"], SENTENCES))
TINY = np.where(np.arange(SENTENCES) < 12, "few", "many")
COLUMNS = {"topic": TOPIC, "flag": FLAG, "kind": KIND, "tiny": TINY}


def slices(**changes: Any) -> Slices:
    found = make_slices(COLA.fingerprint, {name: each.tolist() for name, each in COLUMNS.items()})
    assert found is not None
    return found.model_copy(update=changes)


def records(
    checkpoint: str, errors: np.ndarray | float, seeds: Sequence[int] = (1, 2, 3), **gates: Any
) -> tuple[Any, list[Record]]:
    """Build a cell and its records, with wrong classes at these rates of the sentences."""
    cell = make_cell(checkpoint, seeds=tuple(seeds), gates=Thresholds(min_mcc=-1.0, **gates))
    random = np.random.default_rng(sum(map(ord, checkpoint)))
    usual = random.random(SENTENCES)
    found = []
    for seed in seeds:
        chance = np.where(random.random(SENTENCES) < 0.7, usual, random.random(SENTENCES))
        given = np.where(chance < errors, 1 - LABELS, LABELS)
        found.append(predicted_record(cell, seed, LABELS, given[None]))
    return cell, found


def selected(record: Record) -> np.ndarray:
    from harness.store.classes import unpack

    (epoch,) = record.epochs
    assert epoch.classes is not None
    return unpack(epoch.classes, SENTENCES)


def test_counts_and_scores_are_those_of_pandas_and_scikit_learn() -> None:
    _, runs = records("org/a", 0.2)
    frame = pd.DataFrame({"label": LABELS, **COLUMNS})
    for number, run in enumerate(runs):
        frame[f"run{number}"] = selected(run)
    scores = {each.name: each for each in scores_by_slice({"a": runs}, slices())["a"]}
    expected = {
        f"{column}={value}": part
        for column in COLUMNS
        for value, part in frame.groupby(column)
        if value != "" and f"{column}={value}" != "flag=0"
    }
    assert set(scores) == set(expected)
    for name, part in expected.items():
        score = scores[name]
        assert score.sentences == len(part)
        if part["label"].nunique() < 2:
            assert (score.mcc, score.note) == (None, "all labels are of one class")
            continue
        mccs = [matthews_corrcoef(part["label"], part[f"run{n}"]) for n in range(3)]
        assert score.mcc == pytest.approx(np.mean(mccs), abs=1e-12)
        if len(part) < 30:
            assert (score.low, score.note) == (None, "fewer than 30 sentences")
        else:
            assert score.low is not None
            assert score.high is not None
            assert score.low < np.mean(mccs) < score.high
            assert score.covers == "sentences and seeds"
    assert scores["kind=broken"].mcc is None
    assert scores["tiny=few"].rest is None


def test_the_rows_for_programs_have_the_same_numbers() -> None:
    _, runs = records("org/a", 0.2)
    scores = scores_by_slice({"a": runs}, slices())["a"]
    rows = list(rows_by_slice({"a": runs}, slices()))
    assert [row["mcc"] for row in rows] == [each.mcc for each in scores]
    assert {row["cell"] for row in rows} == {runs[0].cell}
    tested = sum(each.rest is not None for each in scores)
    assert {row["corrected_for"] for row in rows} == {tested, None}


def test_a_slice_on_which_a_system_is_worse_is_marked() -> None:
    worse = np.where(TOPIC == "law", 0.45, 0.08)
    _, runs = records("org/worse", worse)
    _, even = records("org/even", 0.15)
    found = scores_by_slice({"worse": runs, "even": even}, slices())
    marked = {
        name: {s.name: s.verdict for s in scores if s.verdict} for name, scores in found.items()
    }
    assert marked["worse"]["topic=law"] == "below"
    assert marked["even"] == {}


def test_a_comparison_names_the_slices_that_differ() -> None:
    _, better = records("org/one", 0.12)
    _, worse = records("org/two", np.where(FLAG == "1", 0.5, 0.12))
    pair = compare_all(
        [
            Contestant("one", tuple(better), 1, slices()),
            Contestant("two", tuple(worse), 1, slices()),
        ]
    )[0]
    assert {each.name for each in pair.by_slice if each.differs} >= {"flag=1"}
    chosen = FLAG == "1"
    (one,) = [each for each in pair.by_slice if each.name == "flag=1"]
    mccs = [
        np.mean([matthews_corrcoef(LABELS[chosen], selected(run)[chosen]) for run in runs])
        for runs in (better, worse)
    ]
    assert (one.mcc_a, one.mcc_b) == pytest.approx(mccs)
    assert one.adjusted >= one.p_value
    lines = list(differing_slices(pair))
    assert "of 6 slices tested together" in lines[0]
    assert any(line.startswith("  flag=1, ") for line in lines)


def test_equal_systems_differ_on_no_slice() -> None:
    _, one = records("org/one", 0.2)
    _, two = records("org/other", 0.2)
    pair = compare(
        Contestant("a", tuple(one), 1, slices()), Contestant("b", tuple(two), 1, slices())
    )
    assert not any(each.adjusted < 0.001 for each in pair.by_slice)
    same = compare(
        Contestant("a", tuple(one), 1, slices()), Contestant("b", tuple(one), 1, slices())
    )
    assert {each.difference for each in same.by_slice} == {0.0}


@pytest.mark.parametrize("changes", [{"fingerprint": "0" * 64}, {"sentences": 499, "columns": ()}])
def test_slices_of_other_data_are_not_used(changes: dict[str, Any]) -> None:
    cell, runs = records("org/a", 0.2, slice={"topic=law": SliceThreshold(min_mcc=0.1)})
    other = slices(**changes)
    assert scores_by_slice({"a": runs}, other) == {}
    pair = compare(Contestant("a", tuple(runs), 1, other), Contestant("b", tuple(runs), 1, other))
    assert pair.by_slice == ()
    check = judge(cell, runs, slices=other).checks[-1]
    assert (check.verdict, check.measured) == ("not-enough-evidence", None)
    assert check.reason.endswith("scored on other sentences; train them again with --rerun")


def checked(
    errors: np.ndarray | float,
    seeds: Sequence[int] = (1, 2, 3),
    given: Slices | None = None,
    **gates: Any,
) -> dict[str, Check]:
    cell, runs = records("org/a", errors, seeds, **gates)
    found = judge(cell, runs, slices=slices() if given is None else given)
    return {check.gate: check for check in found.checks}


def gate(least: float, *names: str, **changes: Any) -> dict[str, SliceThreshold]:
    return {name: SliceThreshold(min_mcc=least, **changes) for name in names}


def test_a_slice_reaches_or_misses_its_threshold() -> None:
    worse = np.where(TOPIC == "law", 0.5, 0.05)
    checks = checked(worse, slice=gate(0.5, "topic=law", "topic=food"))
    assert checks["slice.topic=law.min_mcc"].verdict == "fail"
    assert checks["slice.topic=food.min_mcc"].verdict == "pass"
    low = checks["slice.topic=law.min_mcc"]
    _, runs = records("org/a", worse)
    chosen = TOPIC == "law"
    mccs = [matthews_corrcoef(LABELS[chosen], selected(run)[chosen]) for run in runs]
    assert low.measured == pytest.approx(np.mean(mccs))
    assert "all 2 slices together" in low.reason
    assert f"on {chosen.sum()} sentences" in low.reason


def test_an_mcc_slightly_below_may_be_chance() -> None:
    measured = checked(0.15, slice=gate(0.0, "topic=law"))["slice.topic=law.min_mcc"].measured
    assert measured is not None
    (check,) = [
        each
        for name, each in checked(0.15, slice=gate(measured + 0.01, "topic=law")).items()
        if name.startswith("slice")
    ]
    assert check.verdict == "not-enough-evidence"
    assert "which may be chance" in check.reason


def test_the_correction_makes_a_failure_rarer() -> None:
    one = checked(0.2, slice=gate(0.5, "topic=law"))["slice.topic=law.min_mcc"]
    many = checked(0.2, slice=gate(0.5, "topic=law", "topic=food", "flag=1", "flag=0"))
    corrected = many["slice.topic=law.min_mcc"]
    assert one.high is not None
    assert corrected.high is not None
    assert corrected.high > one.high
    between = (one.high + corrected.high) / 2
    fails = checked(0.2, slice=gate(between, "topic=law"))["slice.topic=law.min_mcc"]
    doubts = checked(0.2, slice=gate(between, "topic=law", "topic=food", "flag=1", "flag=0"))
    assert fails.verdict == "fail"
    assert doubts["slice.topic=law.min_mcc"].verdict == "not-enough-evidence"


@pytest.mark.parametrize(
    ("name", "changes", "reason"),
    [
        ("topic=sport", {}, "the data have no such slice; remove this gate"),
        ("tiny=few", {}, "it has 12 sentences, and min_sentences is 30; choose a larger"),
        ("topic=law", {"min_sentences": 400}, "and min_sentences is 400"),
        ("kind=broken", {}, "all labels are of one class; remove this gate"),
    ],
)
def test_slices_that_cannot_be_judged(name: str, changes: dict[str, Any], reason: str) -> None:
    check = checked(0.2, slice=gate(0.1, name, **changes))[f"slice.{name}.min_mcc"]
    assert check.verdict == "not-enough-evidence"
    assert reason in check.reason


def test_a_lower_bound_needs_several_seeds_and_the_whole_interval() -> None:
    gates: dict[str, Any] = {"slice": gate(0.3, "topic=law"), "statistic": "lower-bound"}
    assert checked(0.05, **gates)["slice.topic=law.min_mcc"].verdict == "pass"
    single = checked(0.05, (1,), **gates)["slice.topic=law.min_mcc"]
    assert single.verdict == "not-enough-evidence"
    assert single.reason.endswith("does not show the spread over seeds; train two or more")
    close = checked(0.25, **{**gates, "slice": gate(0.5, "topic=law")})["slice.topic=law.min_mcc"]
    assert close.verdict != "pass"


def test_records_without_predictions_cannot_be_judged_by_slice() -> None:
    cell = make_cell(gates=Thresholds(slice=gate(0.1, "topic=law")))
    (check,) = judge(cell, [make_record(cell)], slices=slices()).checks
    assert "contains no predictions" in check.reason
    (unknown,) = judge(cell, [make_record(cell)]).checks
    assert unknown.reason.endswith("slices of the sentences are not known; run the suite again")


def test_more_specific_gates_replace_those_of_the_same_slice() -> None:
    from harness.suite.spec import GatesSpec, thresholds_of

    gates = GatesSpec.model_validate(
        {
            "slice": {"a=1": {"min_mcc": 0.1}, "b=1": {"min_mcc": 0.2}},
            "checkpoint": {"x": {"slice": {"a=1": {"min_mcc": 0.3, "min_sentences": 50}}}},
            "cell": {"x-bs8": {"slice": {"c=1": {"min_mcc": 0.4}}}},
        }
    )
    found = thresholds_of(gates, "x", "x-bs8").slice
    assert {name: (each.min_mcc, each.min_sentences) for name, each in found.items()} == {
        "a=1": (0.3, 50),
        "b=1": (0.2, 30),
        "c=1": (0.4, 30),
    }
    assert thresholds_of(gates, "y", "y-bs8").any_set
    cell = make_cell(gates=thresholds_of(gates, "x", "x-bs8"))
    assert hash(cell) == hash(replace(cell, gates=Thresholds()))
