"""A value that misses its threshold never reads like the threshold, wherever both are printed."""

import re
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from builders.records import (
    COLA,
    make_cell,
    make_record,
    make_serving,
    predicted_record,
    record_of_mcc,
    scores_of_epochs,
)
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from harness.cli.compare.pairs import pairs_table
from harness.cli.judge import judge as judge_command
from harness.judging.baseline import Baseline
from harness.judging.columns import SHOWN
from harness.judging.comparison import Contestant, compare
from harness.judging.comparison.conclusions import conclusion, differing_slices
from harness.judging.differences import with_interval
from harness.judging.gates import Check, explain, judge, judge_suite
from harness.judging.leaderboard import judge_all, leaderboard, rows_of
from harness.judging.looks.standing import Dropped, in_words
from harness.report.brief import as_summary, terminal_table
from harness.report.findings.slices import by_slice
from harness.store.records import Record
from harness.store.slices import make_slices
from harness.store.stopped import Stopped
from harness.suite.gates import SliceThreshold, Thresholds
from harness.suite.looks import Looks
from harness.suite.plan import Cell
from harness.suite.spec import SuiteGates, TrainingSpec
from harness.text import apart, beside, in_full

NUMBER = r"([+-]?[0-9.]+(?:e[+-]?[0-9]+)?)"

THRESHOLDS = st.integers(-900_000, 900_000).map(lambda number: number / 1_000_000)
"""MCCs as people write them."""

GAPS = st.builds(lambda digit, power: digit * 10.0**-power, st.integers(1, 9), st.integers(2, 14))


def numbers(pattern: str, text: str) -> list[Decimal]:
    """Return the numbers that a pattern, with N for each, finds in a text."""
    found = re.search(pattern.replace("N", NUMBER), text)
    assert found is not None, (pattern, text)
    return [Decimal(each) for each in found.groups()]


def in_order(pattern: str, text: str) -> None:
    """Require that the numbers of a text, read from it, grow strictly."""
    found = numbers(pattern, text)
    assert found == sorted(set(found)), text


def only(checks: Sequence[Check], verdict: str) -> str:
    (check,) = checks
    assert check.verdict == verdict, check.reason
    return check.reason


@given(THRESHOLDS, GAPS)
def test_the_gate_of_a_cell(threshold: float, gap: float) -> None:
    cell = make_cell(threshold=threshold)
    judgement = judge(cell, [make_record(cell, mcc=threshold - gap)])
    in_order("MCC N is below the threshold N", only(judgement.checks, "fail"))
    text = explain(cell, judgement, Path("runs"))  # what JUnit XML and the terminal show
    in_order("MCC by seed: seed 0: N .* N$", text.replace("\n", " ") + f" {threshold}")


@given(THRESHOLDS, GAPS)
def test_the_gates_of_a_suite(threshold: float, gap: float) -> None:
    cell = make_cell()
    runs = {cell.id: [make_record(cell, mcc=threshold - gap)]}
    best = judge_suite(SuiteGates(best_min_mcc=threshold), [cell], runs, {})
    in_order("has MCC N; at least N is", only(best, "fail"))
    every = judge_suite(SuiteGates(every_checkpoint_min_mcc=threshold), [cell], runs, {})
    above, below = numbers("best MCC below N: org/encoder N ", only(every, "fail"))
    assert below < above


@given(THRESHOLDS, GAPS)
def test_the_required_order_of_a_suite(mcc: float, gap: float) -> None:
    cells = [make_cell("org/a"), make_cell("org/b")]
    runs = {
        cell.id: [make_record(cell, mcc=each)]
        for cell, each in zip(cells, (mcc - gap, mcc), strict=True)
    }
    checks = judge_suite(SuiteGates(order=("org/a", "org/b")), cells, runs, {})
    higher, lower = numbers(r"org/b \(N\) is above org/a \(N\)", only(checks, "fail"))
    assert lower < higher


@given(THRESHOLDS, GAPS)
def test_a_cell_with_a_stopped_run(threshold: float, gap: float) -> None:
    cell = make_cell(threshold=threshold)
    epochs = scores_of_epochs([threshold - gap])
    stopped = Stopped(after_epoch=1, of=3, because="gate met", target=threshold - gap)
    record = make_record(
        cell,
        training=TrainingSpec(epochs=3),
        epochs=epochs,
        scores=epochs[0].scores,
        selected_epoch=1,
        stopped=stopped,
    )
    reason = only(judge(cell, [record]).checks, "not-enough-evidence")
    in_order("at least N, and against the threshold N", reason)


COSTS: dict[str, tuple[str, Callable[[Cell, float], Any]]] = {
    "max_peak_memory_mb": (
        "takes N MB, at most N is",
        lambda cell, value: make_record(cell, peak_memory_mb=value),
    ),
    "max_latency_ms": (
        "takes N ms .median., at most N is",
        lambda cell, value: make_record(cell, serving=make_serving(value)),
    ),
    "max_latency_p95_ms": (
        "takes N ms .95th percentile., at most N is",
        lambda cell, value: make_record(cell, serving=make_serving(latency_p95_ms=value)),
    ),
}


@pytest.mark.parametrize("gate", COSTS)
@given(limit=st.integers(10_000_000, 9_000_000_000).map(lambda n: n / 1_000_000), gap=GAPS)
def test_the_gates_on_costs(gate: str, limit: float, gap: float) -> None:
    pattern, record = COSTS[gate]
    measured = limit + gap
    if measured == limit:  # lost in rounding
        return
    cell = make_cell(gates=Thresholds(**{gate: limit}))
    reason = only(judge(cell, [record(cell, measured)]).checks, "fail")
    above, below = numbers(pattern, reason)
    assert (below, below < above) == (Decimal(repr(limit)), True)


@given(st.integers(800_000, 2_000_000).map(lambda number: number / 1_000_000), GAPS)
def test_a_gate_on_a_cost_against_a_baseline(limit: float, gap: float) -> None:
    cell = make_cell(gates=Thresholds(max_peak_memory_ratio=limit))
    before = make_record(cell, peak_memory_mb=1024.0)
    now = make_record(cell, peak_memory_mb=1024.0 * (limit + gap))
    checks = judge(cell, [now], Baseline("old.json", "sample", (before,))).checks
    (check,) = [each for each in checks if each.gate != "max_drop"]
    assert check.verdict == "fail"
    above, below = numbers("is N times the baseline's .* at most N times", check.reason)
    assert below < above


LABELS = np.arange(240) % 2


def wrong_on(cell: Cell, seed: int, first: int, number: int, **changes: Any) -> Record:
    """Build a run that misclassifies this number of sentences."""
    places = np.arange(240)
    wrong = (first <= places) & (places < first + number)
    return predicted_record(
        cell, seed, LABELS, np.where(wrong, 1 - LABELS, LABELS)[None], **changes
    )


@pytest.mark.parametrize("statistic", ["mean", "lower-bound"])
@given(gap=GAPS, seeds=st.integers(2, 3))
def test_a_gate_on_a_slice(
    statistic: Literal["mean", "lower-bound"], gap: float, seeds: int
) -> None:
    slices = make_slices(COLA.fingerprint, {"topic": ["law"] * 180 + ["food"] * 60})
    cell = make_cell(seeds=tuple(range(seeds)))

    def check(least: float) -> Check:
        own = {"topic=law": SliceThreshold(min_mcc=least)}
        gated = replace(cell, gates=Thresholds(statistic=statistic, slice=own))
        runs = [wrong_on(gated, seed, 10 * seed, 60) for seed in cell.seeds]
        (found,) = judge(gated, runs, slices=slices).checks
        return found

    first = check(0.0)
    for value in (first.measured, first.low, first.high):
        assert value is not None
        found = check(value + gap)
        below = [
            each
            for each in (found.measured, found.low, found.high)
            if each < value + gap  # type: ignore[operator]
        ]
        mcc, low, high, least = numbers(r"MCC N on .* interval N to N,.*threshold N", found.reason)
        assert sum(each < least for each in (mcc, low, high)) == len(below)


@given(gap=GAPS)
def test_a_gate_judged_at_looks(gap: float) -> None:
    cell = make_cell(seeds=(0, 1, 2), looks=Looks(after=(2, 3)))

    def check(least: float) -> Check:
        gates = Thresholds(min_mcc=least, statistic="lower-bound")
        gated = replace(cell, gates=gates)
        runs = {cell.id: [wrong_on(gated, seed, 10 * seed, 60) for seed in cell.seeds]}
        (found,) = judge_all([gated], runs)[cell.id].checks
        return found

    for value in (check(0.0).low, check(0.99).high):
        assert value is not None
        found = check(value + gap)
        values = (found.measured, found.low, found.high)
        *read, least = numbers(r"MCC N after .* interval N to N, .* threshold N", found.reason)
        assert sum(each < least for each in read) == sum(
            each < value + gap for each in values if each is not None
        )


@given(gap=GAPS)
def test_a_drop_from_a_baseline(gap: float) -> None:
    cell = make_cell(seeds=(0, 1))
    before = tuple(wrong_on(cell, seed, 100, 20) for seed in cell.seeds)
    now = [wrong_on(cell, seed, 20, 40) for seed in cell.seeds]

    def check(allowed: float) -> Check:
        gated = replace(cell, gates=Thresholds(max_drop=allowed))
        (found,) = judge(gated, now, Baseline("old.json", "sample", before)).checks
        return found

    first = check(0.5)
    for value in (first.measured, first.low, first.high):
        assert value is not None
        if not 0 <= value - gap <= 1:
            continue
        found = check(value - gap)
        mcc, base, *read, allowed = numbers(
            "MCC N against the baseline's N: a drop of N .95 % interval N to N,.*allowed N",
            found.reason,
        )
        assert mcc < base
        assert sum(each > allowed for each in read) == sum(
            each > value - gap
            for each in (found.measured, found.low, found.high)
            if each is not None
        )


@pytest.mark.parametrize("shift", [-1e-15, 1e-15, 4e-8])
def test_an_allowed_drop_shows_no_digits_of_rounding(shift: float) -> None:
    """MCCs within a millionth of each other are the same, computed in two ways."""
    cell = make_cell(gates=Thresholds(max_drop=0.5))
    before = wrong_on(cell, 0, 0, 20)
    assert before.scores is not None
    scores = before.scores.model_copy(update={"mcc": before.scores.mcc - shift})
    now = before.model_copy(update={"scores": scores})
    (check,) = judge(cell, [now], Baseline("old.json", "sample", (before,))).checks
    assert check.verdict == "pass"
    mcc = f"{before.scores.mcc:.4f}"
    assert check.reason.startswith(f"MCC {mcc} against the baseline's {mcc}: a drop of +0.0000 (")


@given(GAPS)
def test_harness_judge(gap: float) -> None:
    runner = CliRunner()
    with tempfile.TemporaryDirectory() as folder:
        lines = [f"{n % 2},{(n // 7) % 2 if n < 40 else n % 2}" for n in range(200)]
        file = Path(folder, "given.csv")
        file.write_text("\n".join(["label,prediction", *lines]), encoding="utf-8")
        command = [str(file), "--label-column", "label", "--prediction-column", "prediction"]
        first = runner.invoke(judge_command, [*command, "--min-mcc", "-1", "--json"])
        mcc = float(re.search(r'"mean": ([0-9.]+)', first.output)[1])  # type: ignore[index]
        done = runner.invoke(judge_command, [*command, "--min-mcc", repr(mcc + gap)])
    assert done.exit_code == 1
    in_order("MCC N .95 % .* threshold N", done.output)
    (shown,) = numbers("mcc N ", done.output)
    assert shown < Decimal(repr(mcc + gap))


@given(THRESHOLDS, GAPS)
def test_tables_page_and_the_summary_of_a_job(threshold: float, gap: float) -> None:
    cell = make_cell(seeds=(0, 1), threshold=threshold)
    frame = leaderboard([cell], [make_record(cell, seed, mcc=threshold - gap) for seed in (0, 1)])
    (row,) = rows_of(frame)
    texts = {column.name: column.text(row) for column in SHOWN}  # of Markdown and page
    assert Decimal(texts["mcc"].partition(" ")[0]) < Decimal(texts["threshold"])
    mcc = texts["mcc"].partition(" ")[0]
    assert f" {mcc} ± " in terminal_table(frame)
    assert f"| {mcc} " in as_summary("sample", frame)


def test_the_bound_of_an_interval_in_a_table_is_on_its_side_of_the_gate() -> None:
    cell = make_cell(seeds=(0, 1, 2))
    records = [record_of_mcc(cell, seed, 0.5) for seed in cell.seeds]
    (row,) = rows_of(leaderboard([cell], records))
    low = float(row["mcc_low"] or 0)
    gates = Thresholds(min_mcc=low + 1e-7, statistic="lower-bound")
    gated = replace(cell, gates=gates)
    (row,) = rows_of(leaderboard([gated], records))
    texts = {column.name: column.text(row) for column in SHOWN}
    assert row["verdict"] == "not-enough-evidence"
    assert Decimal(texts["mcc_low"].partition(" ")[0]) < Decimal(repr(low + 1e-7))


def test_a_comparison_that_names_a_better_side_shows_two_numbers() -> None:
    cell = make_cell()
    labels = np.arange(40_000) % 2
    wrong = np.arange(40_000) < 4_000
    fewer = np.where(np.arange(40_000) < 8, False, wrong)
    found = [
        Contestant(
            name, (predicted_record(cell, 0, labels, np.where(each, 1 - labels, labels)[None]),)
        )
        for name, each in (("a", fewer), ("b", wrong))
    ]
    pair = compare(*found)
    assert pair.verdict == "better"
    assert f"{pair.mcc_a:.3f}" == f"{pair.mcc_b:.3f}"
    above, below = numbers("MCC N against N,", conclusion(pair))
    assert below < above
    close = replace(pair, adjusted=0.04999)
    assert "p = 0.05)" not in conclusion(close)


SENTENCES = 4_000
TRUE = np.arange(SENTENCES) % 2


def wrong_until(*parts: tuple[int, int]) -> np.ndarray:
    places = np.arange(SENTENCES)
    wrong = np.any([(first <= places) & (places < last) for first, last in parts], axis=0)
    return np.where(wrong, 1 - TRUE, TRUE)


BETTER, WORSE = wrong_until((0, 452)), wrong_until((0, 400), (452, 526))
"""Of one run each: p is 0.049994, and the interval begins at 0.0000003."""


def reads_as_shown(pattern: str, text: str, sign: int = 1) -> None:
    """Require that a text shows a difference: of an interval without 0, and of a p below 0.05."""
    difference, low, high, *p = numbers(pattern, text.replace("\n", " "))
    if sign < 0:
        difference, low, high = -difference, -high, -low
    assert 0 < low <= difference <= high, text
    assert all(each < Decimal("0.05") for each in p), text


SLICES = make_slices(COLA.fingerprint, {"topic": ["law"] * SENTENCES})


def barely(sign: int) -> list[Contestant]:
    """Return two cells, of which the first is barely shown to be better, or worse."""
    return [
        Contestant(name, (predicted_record(make_cell(), 0, TRUE, run[None]),), slices=SLICES)
        for name, run in zip("ab", (BETTER, WORSE)[::sign], strict=True)
    ]


@pytest.mark.parametrize("sign", [1, -1])
def test_comparisons_that_barely_show_a_difference_read_so(sign: int) -> None:
    contestants = barely(sign)
    assert SLICES is not None
    pair = compare(*contestants)
    assert pair.verdict == ("better" if sign > 0 else "worse")
    interval = "N .95 % interval N to N, "
    reads_as_shown(f"a difference of {interval}p = N", conclusion(pair), sign)
    (_, line) = differing_slices(pair)
    reads_as_shown(f", {interval}p = N", line, sign)
    reads_as_shown(f"law` {interval}p = N", "".join(by_slice(SLICES, contestants, 2, [pair])), sign)
    row = pairs_table(["bs16"], [pair])
    reads_as_shown("bs16 +N +N +N", re.sub(r"(bs16 +)\S+ +\S+", r"\1", row).replace("to", ""), sign)
    assert " 0.05 " not in row
    of_sources = replace(
        pair,
        low_sources=pair.low,
        high_sources=pair.high,
        adjusted_sources=pair.adjusted,
    )
    about_sources = "sources a difference is shown .N to N, p = N"
    low, high, p = numbers(about_sources, conclusion(of_sources))
    assert (low * high > 0, p < Decimal("0.05")) == (True, True)
    low, high = numbers("shown for bs16 .N to N", pairs_table(["bs16"], [of_sources]))
    assert low * high > 0


def test_a_drop_that_barely_shows_reads_so(tmp_path: Path) -> None:
    cell = make_cell(gates=Thresholds(max_drop=0.005))
    before, now = (predicted_record(cell, 0, TRUE, run[None]) for run in (BETTER, WORSE))
    reason = only(judge(cell, [now], Baseline("old.json", "sample", (before,))).checks, "fail")
    reads_as_shown("a drop of N .95 % interval N to N, .*p = N", reason)
    for name, run in (("new", BETTER), ("old", WORSE)):
        rows = "".join(f"{a},{b}\n" for a, b in zip(TRUE, run, strict=True))
        (tmp_path / f"{name}.csv").write_text("label,prediction\n" + rows, encoding="utf-8")
    command = [str(tmp_path / "new.csv"), "--baseline", str(tmp_path / "old.csv")]
    done = CliRunner().invoke(judge_command, command)
    (line,) = [each for each in done.output.splitlines() if each.startswith("difference")]
    reads_as_shown("baseline N .95 % interval N to N, p = N,", line)


@given(
    st.floats(-1, 1).filter(lambda value: abs(value) > 1e-12),
    st.floats(0, 1),
    st.floats(0, 1),
    st.sampled_from([(), (0.0,), (0.02,)]),
)
def test_the_ends_of_an_interval_read_on_their_side_of_0_and_of_what_is_allowed(
    value: float, below: float, above: float, allowed: tuple[float, ...]
) -> None:
    low, high = value - below, value + above
    difference, interval = with_interval(value, low, high, *allowed)
    read = [Decimal(each) for each in (difference, *interval.split(" to "))]
    values = (value, low, high)
    for limit in allowed:
        assert [each > Decimal(repr(limit)) for each in read] == [each > limit for each in values]
    shown = (*values[1:], value) if low > 0 or high < 0 else values[1:]
    for text, each in zip((*read[1:], read[0]), shown, strict=False):
        assert (text > 0, text < 0) == (each > 0, each < 0)


@given(st.floats(1e-9, 0.05), st.floats(1e-9, 0.05))
def test_why_a_race_dropped_a_cell(one: float, other: float) -> None:
    low, high = sorted((one, other))
    found = numbers("p = N, level N", in_words(Dropped("org/b", 0.1, low, high)))
    assert (found[0] < found[1]) == (low < high)


@given(THRESHOLDS, GAPS, st.sampled_from([-1, 0, 1]), st.booleans())
def test_a_number_beside_a_limit_reads_as_what_it_is(
    limit: float, gap: float, side: int, most: bool
) -> None:
    value = limit + side * gap
    read, shown = Decimal(beside(value, limit, most=most)), Decimal(in_full(limit))
    assert (read <= shown) == (value <= limit) if most else (read >= shown) == (value >= limit)
    assert float(read) == pytest.approx(value, abs=0.00005)


@given(THRESHOLDS, GAPS, st.sampled_from([-1, 0, 1]))
def test_two_numbers_read_as_different_as_they_are(a: float, gap: float, side: int) -> None:
    b = a + side * gap
    one, other = map(Decimal, apart(a, b))
    assert (one < other, one > other) == (a < b, a > b)


def test_a_number_has_no_digits_beyond_those_that_show_its_side() -> None:
    assert beside(0.44998, 0.45) == "0.44998"
    assert beside(0.45000000000000007, 0.45) == "0.4500"
    assert beside(0.45000000000000007, 0.45, most=True) == "0.4500000000000001"
    assert beside(0.44998, 0.5) == "0.4500"
    assert apart(0.44998, 0.45) == ("0.44998", "0.45000")
    assert in_full(100.0) == "100"
    assert apart(0.45, 0.45 + 1e-15, most=7) == ("0.4500", "0.4500")
    assert apart(0.45, 0.45 + 1e-6, most=7) == ("0.450000", "0.450001")
