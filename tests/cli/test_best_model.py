"""The best kept model of a results folder: ranked by its leaderboard, told with what is to know."""

import csv
import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from builders.records import COLA, keep, make_cell, predicted_record
from sklearn.metrics import matthews_corrcoef

from harness.cli.predict.best_model import BestModel, best_model, in_words
from harness.errors import BadInput
from harness.judging.leaderboard import leaderboard
from harness.report.published import as_csv, as_json, publish
from harness.session.tasks.best_models import discard_others
from harness.store.records import DatasetFacts
from harness.store.run_store import Stored
from harness.store.stopped import Stopped
from harness.suite.plan import Cell
from harness.suite.spec import TrainingSpec

LABELS = np.arange(40) % 2


def right(count: int) -> np.ndarray:
    """Return (1, 40): classes of which so many are right, as many of each class."""
    wrong = np.zeros(40, dtype=bool)
    wrong[: 40 - count] = True
    return np.where(wrong, 1 - LABELS, LABELS)[None]


def results(
    folder: Path,
    cells: Sequence[tuple[float, Sequence[int], Sequence[int]]],
    **changes: object,
) -> list[Stored]:
    """Make a results folder: cells by learning rate, right answers by seed, seeds of kept models.

    Seeds begin at 1. The leaderboard beside the store is as a session writes it.
    """
    plan: list[Cell] = []
    stored: list[Stored] = []
    for rate, scores, kept in cells:
        seeds = tuple(range(1, len(scores) + 1))
        threshold = changes.get("threshold", 0.3)
        cell = make_cell(learning_rate=rate, seeds=seeds, threshold=threshold)
        plan.append(cell)
        for seed, count in zip(seeds, scores, strict=True):
            facts = COLA.model_copy(update={"validation": 40, "text_column": "text"})
            record = predicted_record(cell, seed, LABELS, right(count), dataset=facts)
            item = keep(folder, cell, record)
            stored.append(item)
            if seed in kept:
                (item.folder / "model").mkdir()
                (item.folder / "model" / "config.json").write_text('{"model_type": "bert"}')
    published = publish("sample", plan, [item.record for item in stored])
    frame = leaderboard(published.cells, published.records)
    (folder / "leaderboard.json").write_text(as_json(published, frame))
    (folder / "leaderboard.csv").write_text(as_csv(frame))
    return stored


def chosen(best: BestModel) -> tuple[str, int]:
    return best.line.cell.id, best.record.seed


def cell_id(rate: float) -> str:
    return make_cell(learning_rate=rate).id


def test_the_mean_over_seeds_ranks_cells_and_the_best_run_of_the_first_is_taken(
    tmp_path: Path,
) -> None:
    """The best run of all, 38 right, is of the cell whose mean is lower."""
    results(tmp_path, [(1e-5, [38, 20, 22], [1, 2, 3]), (2e-5, [30, 34, 32], [1, 2, 3])])
    best = best_model(tmp_path)
    assert chosen(best) == (cell_id(2e-5), 2)
    assert best.folder == tmp_path / "runs" / cell_id(2e-5) / best.folder.parent.name / "model"
    with (tmp_path / "leaderboard.csv").open() as file:
        first = next(csv.DictReader(file))
    assert float(first["learning_rate"]) == 2e-5
    (line,) = in_words(best)
    mcc = matthews_corrcoef(LABELS, right(34)[0])
    assert f"{cell_id(2e-5)}, seed 2: validation MCC {mcc:.3f}, cell ranked 1 of 2" in line
    assert line.endswith(str(best.folder))
    assert best.text_column == "text"


def test_a_cell_that_keeps_no_model_is_passed_over_and_named(tmp_path: Path) -> None:
    results(tmp_path, [(1e-5, [36], []), (2e-5, [30], [1]), (3e-5, [34], [])])
    best = best_model(tmp_path)
    assert chosen(best) == (cell_id(2e-5), 1)
    told, note = in_words(best)
    assert "ranked 3 of 3" in told
    above = f"{cell_id(1e-5)}, {cell_id(3e-5)}"
    assert note == f"note: cells ranked above have no kept model: {above}"


def test_of_equal_cells_the_suite_s_first_is_taken_and_the_other_named(tmp_path: Path) -> None:
    results(tmp_path, [(5e-5, [30], [1]), (1e-5, [34], [1]), (2e-5, [34], [1])])
    best = best_model(tmp_path)
    assert chosen(best) == (cell_id(1e-5), 1)
    assert best.above == ()
    assert in_words(best)[1].startswith(f"note: same rank: {cell_id(2e-5)};")


def test_of_equal_cells_only_those_with_a_kept_model_count_and_the_others_are_named(
    tmp_path: Path,
) -> None:
    rates = (1e-5, 5e-5, 2e-5)
    stored = results(tmp_path, [(rate, [34], [1]) for rate in rates])
    told = in_words(best_model(tmp_path))[0]
    assert "cell ranked 1 of 3 (the suite's first of 3 of this rank with a kept model): " in told
    discard_others(stored)  # as keep_models = "best" does, which knows no order of the suite
    least = min(stored, key=lambda item: str(item.record.key))
    best = best_model(tmp_path)
    assert best.folder == least.folder / "model"
    told, note = in_words(best)
    assert "cell ranked 1 of 3: " in told
    others = [cell_id(rate) for rate in rates if cell_id(rate) != least.record.cell]
    assert note == f"note: same rank, but without a kept model: {', '.join(others)}"
    assert least is not stored[0], "else the suite's order would choose the same"


def test_a_cell_without_a_model_may_come_before_the_chosen_one(tmp_path: Path) -> None:
    results(tmp_path, [(5e-5, [34], []), (1e-5, [34], [1]), (2e-5, [34], [1])])
    told, equal, without = in_words(best_model(tmp_path))
    assert f"model: {cell_id(1e-5)}," in told
    assert equal == (
        f"note: same rank: {cell_id(2e-5)}; with a kept model, too, but after this cell in the "
        "suite"
    )
    assert without == f"note: same rank, but without a kept model: {cell_id(5e-5)}"


def test_long_lists_of_cells_are_cut_with_the_number_of_the_others(tmp_path: Path) -> None:
    rows: list[tuple[float, list[int], list[int]]] = []
    rows += [(number * 1e-5, [36], []) for number in range(1, 6)]
    rows += [(number * 1e-4, [34], [1]) for number in range(1, 7)]
    rows += [(number * 1e-3, [34], []) for number in range(1, 6)]
    results(tmp_path, rows)
    _, *notes = in_words(best_model(tmp_path))
    assert ["2 more" in note for note in notes] == [True, True, True]
    assert [note.count("lr") for note in notes] == [3, 3, 3]


def test_of_equal_runs_always_the_same_is_taken(tmp_path: Path) -> None:
    stored = results(tmp_path, [(1e-5, [34, 34, 34], [1, 2, 3])])
    least = min(stored, key=lambda item: str(item.record.key))
    assert best_model(tmp_path).folder == least.folder / "model"


def test_a_gate_changes_no_choice_and_is_told(tmp_path: Path) -> None:
    results(tmp_path, [(1e-5, [26], [1]), (2e-5, [24], [1])], threshold=0.9)
    best = best_model(tmp_path)
    assert chosen(best) == (cell_id(1e-5), 1)
    assert in_words(best)[1] == f"note: verdict of the gates of {cell_id(1e-5)}: fail"


def test_a_cell_without_a_rank_that_is_surely_better_is_told(tmp_path: Path) -> None:
    facts = COLA.model_copy(update={"validation": 40, "text_column": "text"})
    five = TrainingSpec(epochs=5)
    stop = Stopped(after_epoch=1, of=5, because="gate met", target=0.3)
    for least, told in ((36, True), (22, False)):
        folder = tmp_path / str(least)
        cells = [make_cell(learning_rate=rate, seeds=(1,), threshold=0.1) for rate in (1e-5, 2e-5)]
        whole = predicted_record(
            cells[0], 1, LABELS, np.repeat(right(30), 5, axis=0), dataset=facts, training=five
        )
        better = predicted_record(
            cells[1],
            1,
            LABELS,
            right(least),
            dataset=facts,
            training=five,
            stopped=stop.model_copy(update={"target": 0.1}),
        )
        for cell, record in zip(cells, (whole, better), strict=True):
            item = keep(folder, cell, record)
            (item.folder / "model").mkdir()
            (item.folder / "model" / "config.json").write_text('{"model_type": "bert"}')
        published = publish("sample", cells, [whole, better])
        frame = leaderboard(published.cells, published.records)
        (folder / "leaderboard.json").write_text(as_json(published, frame))
        best = best_model(folder)
        assert best.line.cell.id == cells[0].id
        lines = [line for line in in_words(best) if cells[1].id in line]
        assert [("at least 0.800" in line) for line in lines] == [True] * told


def test_a_record_that_fails_verification_is_no_best_model(tmp_path: Path) -> None:
    stored = results(tmp_path, [(1e-5, [36], [1]), (2e-5, [30], [1])])
    path = stored[0].folder / "record.json"
    record = json.loads(path.read_bytes())
    record["seed"] = 7  # its key is another's then
    path.write_text(json.dumps(record))
    best = best_model(tmp_path)
    assert chosen(best) == (cell_id(2e-5), 1)
    told = "\n".join(in_words(best))
    assert "cells ranked above have no kept model" in told
    assert "contradicts itself: its key is" in told


def test_the_leaderboard_json_of_the_folder_is_its_folder(tmp_path: Path) -> None:
    results(tmp_path, [(1e-5, [36], [1])])
    assert best_model(tmp_path / "leaderboard.json") == best_model(tmp_path)


def problem_of(folder: Path) -> str:
    with pytest.raises(BadInput) as caught:
        best_model(folder)
    (problem,) = caught.value.problems
    return problem


def test_a_folder_without_a_best_model_is_told_in_a_line_with_the_way_out(tmp_path: Path) -> None:
    suite = tmp_path / "local" / "sample"
    stored = results(suite, [(1e-5, [36, 30], []), (2e-5, [32], [])])
    problem = problem_of(suite)
    assert "none of the 3 scored runs of its leaderboard has a kept model here" in problem
    assert 'keep_models = "best"' in problem
    # Of a run that is on the leaderboard no more: the same key would make it this run.
    other = make_cell(learning_rate=9e-5)
    record = predicted_record(other, 0, LABELS, right(30))
    item = keep(suite, other, record)
    (item.folder / "model").mkdir()
    (item.folder / "model" / "config.json").write_text("{}")
    problem = problem_of(suite)
    assert f"other runs have: {item.folder / 'model'}; name one as MODEL_FOLDER" in problem
    assert f"but in subfolders: {suite}; name one of these" in problem_of(suite.parent)
    assert "no such folder" in problem_of(tmp_path / "nowhere")
    spaced = tmp_path / "my results"
    spaced.mkdir()
    assert f"`harness report '{spaced}' --suite FILE` writes it" in problem_of(spaced)
    assert "not a folder; name the results folder" in problem_of(stored[0].folder / "record.json")
    (suite / "leaderboard.json").unlink()
    assert f"`harness report {suite} --suite FILE` writes it" in problem_of(suite)
    (suite / "leaderboard.json").write_text("{")
    assert "not valid JSON" in problem_of(suite)


def test_a_model_of_which_nothing_is_left_is_not_kept(tmp_path: Path) -> None:
    stored = results(tmp_path, [(1e-5, [36], [1]), (2e-5, [30], [1])])
    shutil.rmtree(stored[0].folder / "model")
    (stored[0].folder / "model").mkdir()
    assert chosen(best_model(tmp_path)) == (cell_id(2e-5), 1)


def test_the_column_of_sentences_is_no_part_of_older_records() -> None:
    """Records and leaderboards that were written before stay as they are, byte for byte."""
    assert "text_column" not in COLA.model_dump_json()
    named = COLA.model_copy(update={"text_column": "text"})
    assert DatasetFacts.model_validate_json(named.model_dump_json()) == named
    assert DatasetFacts.model_validate_json(COLA.model_dump_json()).text_column is None
