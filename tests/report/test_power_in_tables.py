"""Tables show what their seeds and sentences can detect, computed from their own records."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from builders.records import make_cell, predicted_record

from harness.judging import detectable
from harness.judging.detectable import detectable_of, spread_of
from harness.judging.leaderboard import leaderboard
from harness.report import publish
from harness.report.findings.power import detected
from harness.report.published import Published, as_json, read_published
from harness.stats import Sources, sources_of
from harness.stats.power import power_of
from harness.store.grouping import groupings

SIZES = (70, 12, 30, 45, 8, 60, 25, 50, 40, 60)
NUMBERS = np.repeat(np.arange(len(SIZES)), SIZES)
LABELS = np.random.default_rng(1).integers(0, 2, len(NUMBERS))
ERRORS = np.linspace(0.02, 0.45, len(SIZES))[NUMBERS]


def board(seeds: tuple[int, ...] = (1, 2, 3), sources: bool = True, few: bool = False) -> Published:
    cells = [make_cell(name, seeds=seeds) for name in ("org/a", "org/b")]
    names = [f"book {number % 3 if few else number}" for number in NUMBERS]
    kinds = groupings("cola", names, [""] * len(names)) if sources else None
    records = []
    for place, cell in enumerate(cells):
        for seed in seeds:
            wrong = np.random.default_rng(10 * place + seed).random(len(LABELS)) < ERRORS
            given = np.where(wrong, 1 - LABELS, LABELS)[None]
            records.append(predicted_record(cell, seed, LABELS, given, groupings=kinds))
    return publish("sample", cells, records)


def document_of(published: Published) -> dict[str, Any]:
    frame = leaderboard(published.cells, published.records)
    found: dict[str, Any] = json.loads(as_json(published, frame))
    return found


def test_the_sizes_have_a_power_of_80_percent() -> None:
    published = board()
    (heading, text, table) = detected(published)
    assert heading == "## What these runs can detect"
    assert "with a probability of 80 %" in text
    rows = document_of(published)["detectable_rows"]
    assert [(row["checkpoint"], row["population"]) for row in rows] == [
        (name, population) for name in ("org/a", "org/b") for population in ("sentences", "sources")
    ]
    sources = sources_of(NUMBERS)
    assert isinstance(sources, Sources)
    own = [run for run in published.records if run.checkpoint == "org/a"]
    spread = spread_of(own, len(LABELS), sources).difference(detectable.TWO_CHECKPOINTS, sources)
    power = power_of(rows[1]["difference"], spread, 3, len(LABELS), paired=False)
    assert power == pytest.approx(0.8, abs=1e-3)
    assert rows[1]["difference"] > 1.2 * rows[0]["difference"]
    for row in rows:
        assert f"{row['difference']:.3f}" in table
        assert f"{row['drop']:.3f}" in table


def test_records_without_sources_have_one_population() -> None:
    (_, text, table) = detected(board(sources=False))
    assert "sources" not in text + table
    rows = document_of(board(sources=False))["detectable_rows"]
    assert {row["population"] for row in rows} == {"sentences"}


def test_too_few_sources_are_a_reason() -> None:
    (_, text, table) = detected(board(few=True))
    assert "For sentences of other sources: not known, because the sentences are of 3 so" in text
    assert "sources" not in table


def test_predictions_by_which_cells_were_judged_are_used_for_their_own_runs_only() -> None:
    published = board()
    judged = {name: each.evidence for name, each in published.judgements.items()}
    found = detectable_of(published.cells, published.records)
    assert (
        list(published.detectable)
        == found
        == detectable_of(published.cells, published.records, judged)
    )
    a, b = (cell.id for cell in published.cells)
    assert detectable_of(published.cells, published.records, {a: judged[b], b: judged[a]}) != found
    fewer = [run for run in published.records if run.seed != 3]
    assert detectable_of(published.cells, fewer, judged) == detectable_of(published.cells, fewer)


def test_runs_of_one_seed_say_nothing() -> None:
    published = board((1,))
    assert list(detected(published)) == []
    assert "detectable_rows" not in document_of(published)


def test_runs_on_several_data_sets_say_nothing() -> None:
    published = board()
    first, *others = published.records
    assert first.dataset is not None
    other = first.model_copy(
        update={"dataset": first.dataset.model_copy(update={"fingerprint": "f" * 64})}
    )
    mixed = replace(published, records=(other, *others))
    assert detectable_of(mixed.cells, mixed.records) == []


def test_the_rows_are_written_but_not_read(tmp_path: Any) -> None:
    published = board()
    path = tmp_path / "leaderboard.json"
    path.write_text(as_json(published, leaderboard(published.cells, published.records)))
    assert read_published(path) == published
    old = json.loads(path.read_text())
    del old["detectable_rows"]
    path.write_text(json.dumps(old))
    assert read_published(path) == published
