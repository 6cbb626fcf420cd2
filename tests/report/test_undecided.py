"""Tables show what a budget left open: what was decided, what was not, and the time for it."""

from collections.abc import Sequence
from typing import Any

import pytest
from builders.records import failed_record, make_cell, record_of_mcc, skipped_record

from harness.judging.gates import judge_suite
from harness.judging.leaderboard import judge_all, runs_by_cell
from harness.report import publish, read_published, render
from harness.report.published import NO_GATES
from harness.report.undecided import in_words, lacking, outside_budget, undecided
from harness.session.budget.outside import outside_record
from harness.store.records import Record
from harness.suite.plan import Cell, Run
from harness.suite.spec import SuiteGates, Thresholds, TrainingSpec


def outside(cell: Cell, seed: int, expected: float | None = 360.0, **changes: Any) -> Record:
    fields = {"workers": 2, "basis": "from earlier records", **changes}
    return outside_record(Run(cell, seed, TrainingSpec()), 1800, expected, **fields)


def cell(name: str, seeds: tuple[int, ...] = (1, 2, 3), **gates: Any) -> Cell:
    return make_cell(f"org/{name}", seeds=seeds, id=name, gates=Thresholds(**gates))


def lines(
    cells: Sequence[Cell], records: Sequence[Record], gates: SuiteGates = NO_GATES, **changes: Any
) -> list[str]:
    runs = runs_by_cell(cells, records)
    checks = judge_suite(gates, cells, runs, {})
    fields = {"against_baseline": False, **changes}
    return list(undecided(cells, runs, judge_all(cells, runs), checks, **fields))


GATED, RANKED, DONE = cell("gated", min_mcc=0.3), cell("ranked"), cell("done", min_mcc=0.3)
RECORDS = [
    record_of_mcc(GATED, 1, 0.5),
    outside(GATED, 2),
    outside(GATED, 3),
    record_of_mcc(RANKED, 1, 0.5),
    record_of_mcc(RANKED, 2, 0.5),
    outside(RANKED, 3, 720.0),
    *(record_of_mcc(DONE, seed, 0.2) for seed in DONE.seeds),
]


def test_gates_cells_and_times_are_told() -> None:
    """Two runs of 6 min and one of 12 min take 12 min on two workers."""
    assert lines([GATED, RANKED, DONE], RECORDS) == [
        "budget of 30 min: 1 of 2 gates decided (0 pass, 1 fail), 1 of 3 cells has all their seeds",
        "gated: not decided, outside the budget: 1 of 3 seeds trained, about 6 min more",
        "ranked: incomplete, outside the budget: 2 of 3 seeds trained, about 12 min more",
        "3 runs outside the budget would take about 12 min more (2 at a time, from earlier "
        "records); a further session goes on with them",
    ]


def test_nothing_is_told_without_a_run_outside_a_budget() -> None:
    skipped = [*(skipped_record(GATED, seed) for seed in GATED.seeds)]
    assert lines([GATED, DONE], [*skipped, *RECORDS[-3:]]) == []


def test_a_time_that_is_not_known_is_not_told() -> None:
    found = lacking(GATED, [outside(GATED, 1), outside(GATED, 2, None)])
    assert found is not None
    assert found.more_seconds is None
    assert in_words(found) == "outside the budget: 0 of 3 seeds trained"
    records = [outside(GATED, 1), outside(GATED, 2, None, basis=None), outside(GATED, 3)]
    assert "how long they would take is not known" in lines([GATED], records)[-1]


def test_a_cell_with_a_failed_run_is_decided() -> None:
    records = [failed_record(GATED, 1), outside(GATED, 2), outside(GATED, 3)]
    first, *others = lines([GATED], records)
    assert "1 of 1 gate decided (0 pass, 1 fail)" in first
    assert [line for line in others if line.startswith("gated")] == []


def test_a_baseline_makes_every_cell_a_gate() -> None:
    found = lines([GATED, RANKED, DONE], RECORDS, against_baseline=True)
    assert "1 of 3 gates decided" in found[0]
    assert found[2].startswith("ranked: not decided, ")


def test_gates_that_need_a_baseline_are_none_without_one() -> None:
    ratio = cell("ratio", max_drop=0.1, max_train_seconds_ratio=1.2)
    records = [record_of_mcc(ratio, 1, 0.5), outside(ratio, 2), outside(ratio, 3)]
    found = lines([GATED, ratio, DONE], [*RECORDS, *records])
    assert "1 of 2 gates decided" in found[0]
    assert "ratio: incomplete, outside the budget: 1 of 3 seeds trained, about 6 min more" in found


def test_the_suites_gates_count() -> None:
    gates = SuiteGates(best_min_mcc=0.9)
    assert "1 of 3 gates decided" in lines([GATED, RANKED, DONE], RECORDS, gates)[0]
    reached = SuiteGates(best_min_mcc=0.1)
    assert (
        "2 of 3 gates decided (1 pass, 1 fail)" in lines([GATED, RANKED, DONE], RECORDS, reached)[0]
    )


@pytest.mark.parametrize(("threshold", "needs_more"), [(0.48, True), (-0.5, False)])
def test_a_gate_on_the_bound_tells_the_seeds_that_it_needs(
    threshold: float, needs_more: bool
) -> None:
    one = cell("bound", min_mcc=threshold, statistic="lower-bound")
    records = [record_of_mcc(one, 1, 0.5), record_of_mcc(one, 2, 0.53), outside(one, 3)]
    (line,) = [line for line in lines([one], records) if line.startswith("bound")]
    assert (
        "its gate on the interval's bound" in line or "no number of seeds" in line
    ) == needs_more


def test_tables_contain_it_and_rebuild_byte_for_byte(tmp_path: Any) -> None:
    cells = [GATED, RANKED, DONE]
    hostile = RECORDS[1].model_copy(
        update={
            "outside_budget": outside_budget(RECORDS[1:2])[0].model_copy(
                update={"basis": "<script>*x*</script>"}
            )
        }
    )
    published = publish("sample", cells, [RECORDS[0], hostile, *RECORDS[2:]])
    files = render(published)
    text, page = files["leaderboard.md"].decode(), files["leaderboard.html"].decode()
    assert "## Outside the budget" in text
    told = "not decided, outside the budget: 1 of 3 seeds trained, about 6 min more"
    assert f"- `gated`: {told}" in text
    assert told in page
    assert "<script>*x*" not in text
    assert "<script>*x*" not in page
    assert '"outside_budget"' in files["leaderboard.json"].decode()
    (tmp_path / "leaderboard.json").write_bytes(files["leaderboard.json"])
    again = render(read_published(tmp_path / "leaderboard.json"))
    assert again["leaderboard.md"] == files["leaderboard.md"]
    assert again["leaderboard.json"] == files["leaderboard.json"]


def test_tables_without_a_budget_have_no_such_section() -> None:
    files = render(publish("sample", [DONE], RECORDS[-3:]))
    assert "budget" not in files["leaderboard.md"].decode()
    assert "outside_budget" not in files["leaderboard.json"].decode()
