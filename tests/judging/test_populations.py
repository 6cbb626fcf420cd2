"""Records with the source of each sentence: intervals, gates, comparisons, tables for both."""

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from builders.records import make_cell, predicted_record, predictions_of

from harness import stats
from harness.judging.baseline import Baseline
from harness.judging.comparison import Contestant, as_dict, compare, compare_all
from harness.judging.comparison.conclusions import conclusion
from harness.judging.evidence import NoEvidence, evidence
from harness.judging.gates import Judgement, judge
from harness.judging.leaderboard import judge_all, leaderboard
from harness.judging.looks.race import standings
from harness.judging.populations import source_interval
from harness.kept.model_card import model_card
from harness.report import publish, read_published
from harness.report.checks.logits import with_groupings
from harness.report.markdown import as_markdown
from harness.report.page import as_html
from harness.report.pictures.charts import lines_of
from harness.report.published import as_csv
from harness.stats import Interval, Refusal, Sources
from harness.store.checks.consistency import inconsistency, unlike_predictions
from harness.store.grouping import Grouping, groupings
from harness.store.groups import Groups, regrouped, with_groups
from harness.store.records import Record
from harness.suite.looks import Looks
from harness.suite.plan import Cell
from harness.suite.spec import Thresholds

SIZES = (70, 12, 30, 45, 8, 60, 25, 50, 40, 60)
NUMBERS = np.repeat(np.arange(len(SIZES)), SIZES)
SOURCES = [f"book {number}" for number in NUMBERS]
DOMAINS = ["in" if number % 2 else "out" for number in NUMBERS]
LABELS = np.random.default_rng(1).integers(0, 2, len(NUMBERS))
ERRORS = np.linspace(0.02, 0.45, len(SIZES))[NUMBERS]
"""Some sources are much easier than others."""


def runs(
    cell: Cell, more: float = 0.0, sources: Sequence[str] = SOURCES, **changes: Any
) -> list[Record]:
    found = []
    for seed in cell.seeds:
        wrong = np.random.default_rng(10 + seed).random(len(LABELS)) < ERRORS + more
        given = np.where(wrong, 1 - LABELS, LABELS)[None]
        known = groupings("cola", sources, DOMAINS)
        found.append(predicted_record(cell, seed, LABELS, given, groupings=known, **changes))
    return found


def cell_of(*seeds: int, name: str = "org/encoder", **gates: Any) -> Cell:
    return replace(make_cell(name, seeds=seeds), gates=Thresholds(**gates))


CELL = cell_of(1, 2, 3)


def documents(records: Sequence[Record]) -> tuple[str, str, str]:
    """Return Markdown, page and CSV of the cell, without the pictures, which take seconds."""
    published = publish("sample", [CELL], records)
    frame = leaderboard([CELL], records)
    lines = lines_of(published, frame)
    return as_markdown(published, lines, []), as_html(published, lines, []), as_csv(frame)


def test_the_interval_is_that_of_the_sources() -> None:
    records = runs(CELL)
    found = source_interval(evidence(records))
    sources = stats.sources_of(NUMBERS)
    assert isinstance(sources, Sources)
    selected = evidence(records).selected
    assert found == stats.mean_interval(LABELS, selected, sources=sources)
    judged = judge(CELL, records)
    assert judged.mcc_on_sources == found
    assert isinstance(found, Interval)
    assert judged.mcc_interval is not None
    assert found.standard_error > 1.5 * judged.mcc_interval.standard_error


def test_records_without_sources_have_no_second_interval() -> None:
    old = [run.model_copy(update={"groupings": None}) for run in runs(CELL)]
    assert judge(CELL, old).mcc_on_sources is None
    assert "mcc_low_sources" not in leaderboard([CELL], old).columns
    assert "groupings" not in old[0].model_dump_json()


@pytest.mark.parametrize(
    ("sources", "reason"),
    [
        (["one"] * len(NUMBERS), "all sentences are of one source"),
        ([f"{n % 4}" for n in NUMBERS], "the sentences are of 4 sources only; at least 6 are"),
        ([f"{n % 5}" for n in NUMBERS], "the sentences are of 5 sources only; at least 6 are"),
    ],
)
def test_too_few_sources_are_a_reason_in_every_table(sources: list[str], reason: str) -> None:
    records = runs(CELL, sources=sources)
    (row,) = leaderboard([CELL], records).to_dict("records")
    assert str(row["sources_reason"]).startswith(reason)
    text, page, table = documents(records)
    for each in (text, page):
        assert f"No interval for sentences of other sources: {reason}" in each
    assert reason in table
    found = judge(CELL, records).mcc_on_sources
    assert isinstance(found, Refusal)
    card = model_card(records[0], ("no", "yes"), (0.1, 0.2), found)
    assert f"There is no interval for sentences of other sources: {reason}" in card


def test_a_run_without_variation_shows_no_difference_between_sources() -> None:
    cell = cell_of(1)
    record = predicted_record(
        cell, 1, LABELS, LABELS[None], groupings=groupings("cola", SOURCES, DOMAINS)
    )
    found = judge(cell, [record]).mcc_on_sources
    assert isinstance(found, Refusal)
    assert found.reason.startswith("every run predicts one class only, or is right")


def test_tables_name_what_each_interval_is_about() -> None:
    records = runs(CELL)
    text, page, table = documents(records)
    found = judge(CELL, records).mcc_on_sources
    assert isinstance(found, Interval)
    written = f"{found.low:.3f} to {found.high:.3f}"
    assert "95 % interval, other sentences of these sources |" in text
    assert "95 % interval, sentences of other sources |" in text
    assert written in text
    assert re.search(rf"<td[^>]*>{written}</td>", page)
    heading, row = table.splitlines()
    values = dict(zip(heading.split(","), row.split(","), strict=True))
    assert (float(values["mcc_low_sources"]), values["sources"]) == (found.low, "10")
    card = model_card(records[0], ("no", "yes"), (0.1, 0.2), found)
    assert "MCC, for other sentences of these sources: 0.1000 to 0.2000." in card
    assert f"sources: {found.low:.4f} to {found.high:.4f}." in card


def test_domains_have_intervals_of_their_difference() -> None:
    records = [with_groups(run, _table(run)) for run in runs(CELL)]
    text, page, _ = documents(records)
    found = evidence(records)
    first = np.array(DOMAINS) == "in"
    plain = stats.difference_of_parts(LABELS, found.selected, first, ~first)
    bounds = f"{plain.difference:+.3f}; 95 % interval {plain.low:+.3f} to {plain.high:+.3f}"
    assert f"MCC in-domain minus out-of-domain is {bounds} for other sentences" in text
    reason = "none for sentences of other sources: the sentences are of 5 sources only"
    assert reason in text
    assert reason in page


# Gates.


def test_a_gate_judges_by_the_population_that_it_names() -> None:
    records = runs(CELL)
    judged = judge(CELL, records)
    assert judged.mcc_interval is not None
    assert isinstance(judged.mcc_on_sources, Interval)
    between = (judged.mcc_interval.low + judged.mcc_on_sources.low) / 2
    gates: dict[str, Any] = {"min_mcc": between, "statistic": "lower-bound"}
    by_sentences = judge(cell_of(1, 2, 3, **gates), records)
    by_sources = judge(cell_of(1, 2, 3, **gates, population="sources"), records)
    assert (by_sentences.verdict, by_sources.verdict) == ("pass", "not-enough-evidence")
    assert "sentences and seeds" in by_sentences.checks[0].reason
    assert "sources and seeds" in by_sources.checks[0].reason
    assert by_sources.checks[0].low == judged.mcc_on_sources.low
    below = judged.mcc_on_sources.low - 0.01
    assert judge(
        cell_of(1, 2, 3, **{**gates, "min_mcc": below}, population="sources"), records
    ).passed


def test_a_gate_on_sources_without_an_interval_says_why() -> None:
    gates: dict[str, Any] = {
        "min_mcc": 0.1,
        "statistic": "lower-bound",
        "population": "sources",
    }
    few = judge(cell_of(1, 2, 3, **gates), runs(CELL, sources=["a", "b"] * (len(NUMBERS) // 2)))
    unknown = judge(
        cell_of(1, 2, 3, **gates),
        [run.model_copy(update={"groupings": None}) for run in runs(CELL)],
    )
    assert (few.verdict, unknown.verdict) == ("not-enough-evidence", "not-enough-evidence")
    start = "because there is no interval for sentences of other sources: "
    assert f"{start}the sentences are of 2 sources only" in few.checks[0].reason
    assert f"{start}the records do not contain the source" in unknown.checks[0].reason


def test_a_drop_is_judged_by_the_population_that_it_names() -> None:
    before = runs(CELL)
    now = runs(CELL, more=0.1)
    baseline = Baseline(suite="sample", source="before", records=tuple(before))
    reasons = {}
    for population in ("sentences", "sources"):
        cell = cell_of(1, 2, 3, max_drop=0.01, population=population)
        (check,) = judge(cell, now, baseline).checks
        reasons[population] = check
        assert f", {population} and seeds; p = " in check.reason
    assert reasons["sentences"].low != reasons["sources"].low
    old = [run.model_copy(update={"groupings": None}) for run in now]
    baseline = Baseline(
        suite="sample",
        source="before",
        records=tuple(run.model_copy(update={"groupings": None}) for run in before),
    )
    (check,) = judge(cell_of(1, 2, 3, population="sources"), old, baseline).checks
    assert check.verdict == "not-enough-evidence"
    assert "the records do not contain the source of each sentence" in check.reason


def test_each_statistic_names_its_own_obstacle() -> None:
    """A run of one class shows nothing of its MCC, but something of its accuracy."""
    cell = cell_of(1, min_mcc=0.1, min_accuracy=0.1, statistic="lower-bound", population="sources")
    one_class = predicted_record(
        cell, 1, LABELS, np.ones_like(LABELS)[None], groupings=groupings("cola", SOURCES, DOMAINS)
    )
    of_mcc, of_accuracy = judge(cell, [one_class]).checks
    assert "every run predicts one class only" in of_mcc.reason
    assert "one class only" not in of_accuracy.reason
    assert "one seed does not show the spread over seeds; about 2 seeds" in of_accuracy.reason


# Looks.


ONCE = Looks(after=(3,))


def by_look(
    cell: Cell, records: Sequence[Record], looks: Looks = ONCE
) -> tuple[Judgement, Judgement]:
    """Judge a cell with looks and without."""
    looked = replace(cell, looks=looks)
    return judge_all([looked], {cell.id: records})[cell.id], judge(cell, records)


@pytest.mark.parametrize("population", ["sentences", "sources"])
@pytest.mark.parametrize("number", range(6))
def test_one_look_at_all_seeds_judges_as_without_looks(population: str, number: int) -> None:
    records = runs(CELL, more=0.05 * number)
    found = evidence(records)
    interval = source_interval(found) if population == "sources" else found.interval()
    assert isinstance(interval, Interval)
    for threshold in (*np.linspace(interval.low - 0.01, interval.high + 0.01, 9), -1.0, 1.0):
        gates: dict[str, Any] = {"min_mcc": float(threshold), "min_accuracy": 0.7}
        cell = cell_of(1, 2, 3, **gates, statistic="lower-bound", population=population)
        looked, without = by_look(cell, records)
        assert (looked.verdict, looked.passed) == (without.verdict, without.passed)
        for one, other in zip(looked.checks, without.checks, strict=True):
            assert (one.gate, one.verdict) == (other.gate, other.verdict)
            assert (one.low, one.high) == pytest.approx((other.low, other.high), abs=1e-6)
            assert (
                one.reason.partition("not enough evidence")[2]
                == (other.reason.partition("not enough evidence")[2])
            )


@pytest.mark.parametrize("looks", [ONCE, Looks(after=(2, 3))])
@pytest.mark.parametrize("given", [LABELS, np.ones_like(LABELS)])
def test_seeds_without_variation_are_judged_as_without_looks(
    looks: Looks, given: np.ndarray
) -> None:
    known = groupings("cola", SOURCES, DOMAINS)
    gates: dict[str, Any] = {"min_mcc": 0.1, "min_accuracy": 0.1}
    cell = cell_of(1, 2, 3, **gates, statistic="lower-bound", population="sources")
    records = [
        predicted_record(cell, seed, LABELS, given[None], groupings=known) for seed in cell.seeds
    ]
    looked, without = by_look(cell, records, looks)
    assert (looked.verdict, looked.passed) == (without.verdict, without.passed)
    verdicts = [
        {check.gate: check.verdict for check in judged.checks} for judged in (looked, without)
    ]
    assert verdicts[0] == verdicts[1]
    assert verdicts[0]["min_mcc"] == "not-enough-evidence"
    of_mcc = [
        check.reason
        for judged in (looked, without)
        for check in judged.checks
        if check.gate == "min_mcc"
    ]
    assert of_mcc[0] == of_mcc[1]
    assert "no difference between sources is visible" in of_mcc[0]


def test_seeds_without_variation_decide_no_look_about_other_sources() -> None:
    known = groupings("cola", SOURCES, DOMAINS)
    cell = replace(
        cell_of(1, 2, 3, min_mcc=0.1, statistic="lower-bound", population="sources"),
        looks=Looks(after=(2, 3)),
    )
    perfect = [
        predicted_record(cell, seed, LABELS, LABELS[None], groupings=known) for seed in (1, 2)
    ]
    found = standings([cell], {cell.id: perfect})[cell.id]
    assert (found.needed, found.gates_decided) == (3, False)
    assert judge_all([cell], {cell.id: perfect})[cell.id].verdict is None
    same = replace(cell, gates=cell.gates.model_copy(update={"population": None}))
    assert standings([same], {same.id: perfect})[same.id].gates_decided


# Comparisons.


def test_comparisons_say_which_population_they_are_about() -> None:
    cells = [cell_of(1, 2, 3, name=f"org/{name}") for name in "abc"]
    records = [runs(cell, more) for cell, more in zip(cells, (0.0, 0.02, 0.3), strict=True)]
    contestants = [
        Contestant(cell.checkpoint, tuple(own)) for cell, own in zip(cells, records, strict=True)
    ]
    pair = compare(contestants[0], contestants[2])
    assert pair.low_sources is not None
    assert pair.adjusted_sources == pair.p_value_sources
    text = conclusion(pair)
    assert ", on other sentences of these sources; on sentences of other sources a diff" in text
    assert {"low_sources", "obstacle_sources"} <= set(as_dict(pair))
    every = compare_all(contestants)
    raw = [each.p_value_sources for each in every]
    assert [each.adjusted_sources for each in every] == pytest.approx(
        stats.holm([p for p in raw if p is not None])
    )
    old = [
        Contestant(
            each.name,
            tuple(run.model_copy(update={"groupings": None}) for run in each.runs),
        )
        for each in contestants
    ]
    before = compare(old[0], old[2])
    assert (before.low_sources, before.obstacle_sources) == (None, None)
    assert "sources" not in conclusion(before)
    assert (before.low, before.p_value) == (pair.low, pair.p_value)


# Groupings of records.


def _table(record: Record, sources: Sequence[str] = SOURCES) -> pa.Table:
    table = predictions_of(record)
    for name, values in (("source", sources), ("domain", DOMAINS)):
        place = table.schema.get_field_index(name)
        table = table.set_column(place, name, pa.array(list(values), pa.string()))
    return table


def test_groupings_are_those_of_the_predictions() -> None:
    (record, *_) = runs(CELL)
    computed = with_groups(record, _table(record))
    assert computed.groupings == record.groupings
    assert record.groupings is not None
    names, numbers = evidence([record]).groups["source"]
    assert [names[number] for number in numbers] == SOURCES
    assert inconsistency(computed) is None
    assert Record.model_validate_json(computed.model_dump_json()) == computed
    other = with_groups(record, _table(record, SOURCES[::-1]))
    problem = str(unlike_predictions(other.model_copy(update={"confusion_by": {}}), _table(record)))
    assert "groupings.source are not those of its predictions" in problem


@pytest.mark.parametrize("number", [1, 2, 3, 300])
def test_any_number_of_groups_can_be_packed(number: int) -> None:
    names = [f"g{n % number}" for n in range(1000)]
    grouping = Grouping.of(names)
    assert grouping is not None
    assert [grouping.names[n] for n in grouping.unpacked(1000)] == names


@pytest.mark.parametrize(
    ("data", "sources", "kinds"),
    [
        ("cola", ["a", "b"], {"source"}),
        ("file", ["a", ""], set()),
        ("embedded", ["a", "b"], set()),
        ("hub", ["", ""], set()),
    ],
)
def test_sources_are_recorded_where_each_sentence_has_one(
    data: str, sources: list[str], kinds: set[str]
) -> None:
    assert set(groupings(data, sources, ["", ""]) or ()) == kinds


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"numbers": "AA=="}, "groupings.source: "),
        ({"names": ("a", "b")}, "groupings.source: its sentences are not of all of its 2 groups"),
    ],
)
def test_groupings_that_do_not_fit_are_refused(changes: dict[str, Any], words: str) -> None:
    (record, *_) = runs(CELL)
    assert record.groupings is not None
    edited = record.groupings["source"].model_copy(update=changes)
    wrong = record.model_copy(update={"groupings": {"source": edited}})
    assert words in str(inconsistency(wrong))
    with pytest.raises(NoEvidence, match=r"the groups of .* cannot be read"):
        evidence([wrong])


def test_a_session_completes_records_of_earlier_versions() -> None:
    (record, *_) = runs(CELL)
    now = with_groups(record, _table(record))
    old = now.model_copy(update={"groupings": None})
    groups = {"validation": Groups(domains=DOMAINS, sources=SOURCES)}
    found = regrouped(old, _table(record), groups)
    assert found is not None
    assert found[0] == now
    assert regrouped(now, _table(record), groups) is None


def test_published_records_are_completed_from_their_predictions() -> None:
    """The committed leaderboard of CoLA has its publications in its predictions."""
    folder = Path(__file__).parents[2] / "results" / "cola"
    published = read_published(folder / "leaderboard.json")
    old = replace(
        published,
        records=tuple(run.model_copy(update={"groupings": None}) for run in published.records),
    )
    found = with_groupings(folder, old)
    runs_of_best = [run for run in found.records if run.cell == "mpnet-base-bs16-lr3e-05"]
    known = evidence(runs_of_best)
    assert len(known.groups["source"][0]) == 23
    interval = source_interval(known)
    assert isinstance(interval, Interval)
    assert interval.standard_error == pytest.approx(0.064, abs=0.001)
    assert with_groupings(folder, found) is found
