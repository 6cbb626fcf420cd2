"""`harness compare`: which of two is better, in a sentence, of many in a table; for CI a code."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders.commands import ROOT, Done, harness, imported_by
from builders.records import keep, make_cell, make_record, predicted_record, with_key

from harness.cli.compare.pairs import pairs_table
from harness.judging.comparison import Comparison, Contestant, corrected
from harness.judging.comparison import compare as comparison
from harness.judging.leaderboard import runs_by_cell
from harness.machine.contention import Contention
from harness.machine.provenance import RECIPE_VERSION
from harness.report import read_published, write_tables
from harness.suite.spec import TrainingSpec

LABELS = np.random.default_rng(0).integers(0, 2, 500)
BUSY = Contention(other_programs=0.9, own_cores=1.0, fewest_threads=1)


def publish(folder: Path, errors: dict[str, float], offset: int = 0) -> Path:
    """Write a leaderboard of cells that err at random, that share of the sentences."""
    cells = [make_cell(f"org/{name}", seeds=(1, 2), id=name) for name in errors]
    stored = []
    for cell, share in zip(cells, errors.values(), strict=True):
        for seed in cell.seeds:
            luck = np.random.default_rng([seed, offset]).random(len(LABELS))
            predicted = np.where(luck < share, 1 - LABELS, LABELS)
            stored.append(keep(folder, cell, predicted_record(cell, seed, LABELS, predicted[None])))
    write_tables(folder, "sample", cells, stored)
    return folder


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("results")
    publish(folder / "new", {"good": 0.1, "bad": 0.35})
    publish(folder / "old", {"good": 0.1, "bad": 0.1, "gone": 0.2})
    return folder


def compare(results: Path, *arguments: str) -> Done:
    return harness("compare", *arguments, cwd=results)


@pytest.mark.parametrize(
    ("a", "b"), [("good", "bad"), ("org/good", "org/bad"), ("good", "org/bad")]
)
def test_cells_and_checkpoints_are_compared_by_name(results: Path, a: str, b: str) -> None:
    done = compare(results, a, b, "--results", "new")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith(f"{a} is better than {b}: MCC 0.")
    assert re.search(r"95 % interval \+0\.\d+ to \+0\.\d+, p = ", done.out)


def test_leaderboards_are_compared_cell_by_cell_in_a_table(results: Path) -> None:
    done = compare(results, "new", "old/leaderboard.json")
    assert (done.code, done.err) == (0, "")
    first, _, headings, rule, good, bad, _, rows, holm, costs, counts = done.out.splitlines()
    assert first == "A is new, B is old/leaderboard.json."
    columns = [slice(found.start(), found.end()) for found in re.finditer("-+", rule)]
    named = [headings[column].strip() for column in columns]
    assert named[:5] == ["cell", "MCC A", "MCC B", "A - B", "95 % interval"]
    assert named[5:] == ["p", "A is", "time", "eval", "memory"]
    pairs = _corrected(results, "new", "old")
    for line, name in ((good, "good"), (bad, "bad")):
        pair, fields = pairs[name], [line[column].strip() for column in columns]
        assert fields == [
            name,
            f"{pair.mcc_a:.3f}",
            f"{pair.mcc_b:.3f}",
            f"{pair.difference:+z.3f}",
            f"{pair.low:+z.3f} to {pair.high:+z.3f}",
            f"{pair.adjusted:.2g}",
            {"good": "no difference shown", "bad": "worse"}[name],
            "1.00",
            "1.00",
            "1.00",
        ]
    assert rows == (
        "A row compares one checkpoint, batch size (bs) and learning rate (lr) in A and in B, "
        "trained for 5 epochs; no cell was selected by score."
    )
    assert holm == "p-values are corrected for 2 comparisons (Holm 1979)."
    assert costs == (
        "time, eval and memory: A's training time, evaluation time and memory, divided by B's; "
        "other programs, whose load was not recorded, may have influenced the ratios of training "
        "time and evaluation time."
    )
    assert counts == "2 cells in both: 1 no difference shown, 1 worse."


def _corrected(results: Path, a: str, b: str) -> dict[str, Comparison]:
    """Return every common cell's comparison, computed from the records themselves."""
    read = [read_published(results / name / "leaderboard.json") for name in (a, b)]
    runs = [runs_by_cell(each.cells, each.records) for each in read]
    names = [name for name in runs[0] if name in runs[1]]
    found = corrected(
        [comparison(*(Contestant(name, tuple(each[name])) for each in runs)) for name in names]
    )
    return dict(zip(names, found, strict=True))


def test_a_sentence_for_each_cell_is_printed_when_asked(results: Path) -> None:
    lines = compare(results, "new", "old/leaderboard.json", "--verbose").out.splitlines()
    assert lines[0].startswith("No difference is shown between good of new and good of old")
    assert lines[1] == (
        "  good of new is cell good: batch size 16, learning rate 2e-5, 5 epochs, 2 seeds."
    )
    assert lines[2].startswith("  good of old/leaderboard.json is cell good: batch size 16, ")
    assert lines[3].startswith("bad of new is worse than bad of old/leaderboard.json")
    assert "corrected for 2 comparisons" in lines[3]
    assert lines[6] == "2 cells in both: 1 no difference shown, 1 worse."


def test_one_pair_is_a_sentence_with_and_without_asking(results: Path) -> None:
    for flags in ((), ("-v",)):
        out = compare(results, "good", "bad", "--results", "new", *flags).out
        assert out.startswith("good is better than bad: MCC 0.")
        assert out.splitlines()[1:] == [
            f"  {name}: batch size 16, learning rate 2e-5, 5 epochs, 2 seeds."
            for name in ("good", "bad")
        ]


def _matrix(folder: Path, epochs: int = 5) -> Path:
    """Write a leaderboard of one checkpoint with three cells, and of another with one."""
    settings = (("few", 16, 2e-5, 0.3), ("few", 32, 1e-4, 0.1), ("few", 32, 2e-4, 0.2))
    cells, stored = [], []
    for name, batch_size, rate, share in (*settings, ("one", 64, 2e-5, 0.25)):
        cell = make_cell(f"org/{name}", batch_size, rate, seeds=(1, 2))
        cells.append(cell)
        for seed in cell.seeds:
            luck = np.random.default_rng([seed, batch_size]).random(len(LABELS))
            predicted = np.where(luck < share, 1 - LABELS, LABELS)
            training = TrainingSpec(epochs=epochs)
            record = predicted_record(cell, seed, LABELS, predicted[None], training=training)
            stored.append(keep(folder, cell, record))
    write_tables(folder, "sample", cells, stored)
    return folder


def test_checkpoints_are_told_with_their_cells_settings_and_how_they_were_chosen(
    tmp_path: Path,
) -> None:
    folder = str(_matrix(tmp_path))
    asked = ("org/few", "org/one", "--results", folder)
    out = compare(tmp_path, *asked).out.splitlines()
    assert out[1:] == [
        "  org/few is cell few-bs32-lr0.0001: batch size 32, learning rate 1e-4, "
        "5 epochs, 2 seeds.",
        "  org/one is cell one-bs64-lr2e-05: batch size 64, learning rate 2e-5, 5 epochs, 2 seeds.",
        "  Their settings differ: batch size (32 against 64), learning rate (1e-4 against 2e-5); "
        "this does not compare the checkpoints alone.",
        "  Selected by score: the cell of org/few is the best of 3 cells of that checkpoint; "
        "its MCC is optimistic, and neither interval nor p-value is corrected for the selection.",
    ]
    assert compare(tmp_path, *asked, "-v").out.splitlines() == out
    (told,) = json.loads(compare(tmp_path, *asked, "--json").out)["comparisons"]
    assert (told["cell_a"], told["cell_b"]) == ("few-bs32-lr0.0001", "one-bs64-lr2e-05")
    assert (told["batch_size_a"], told["learning_rate_b"], told["epochs_a"]) == (32, 2e-5, 5)
    assert (told["chosen_of_a"], told["chosen_of_b"]) == (3, 1)
    assert told["unlike"] == {"batch size": ["32", "64"], "learning rate": ["1e-4", "2e-5"]}


def test_cells_of_one_checkpoint_differ_in_settings_and_were_not_chosen(tmp_path: Path) -> None:
    folder = str(_matrix(tmp_path))
    cells = ("few-bs32-lr0.0001", "few-bs16-lr2e-05")
    out = compare(tmp_path, *cells, "--results", folder).out.splitlines()
    assert out[3:] == [
        "  Their settings differ: batch size (32 against 16), learning rate (1e-4 against 2e-5)."
    ]


def test_leaderboards_trained_for_other_epochs_are_said_to_be(tmp_path: Path) -> None:
    for name, epochs in (("a", 5), ("b", 3)):
        _matrix(tmp_path / name, epochs)
    out = compare(tmp_path, "a", "b").out
    assert "settings differ, A against B: all rows: epochs (5 against 3)." in out
    assert "learning rate (lr) in A and in B; no cell was selected" in out
    told = compare(tmp_path, "a", "b", "-v").out
    assert told.count("  Their settings differ: epochs (5 against 3).") == 4
    told = json.loads(compare(tmp_path, "a", "b", "--json").out)["comparisons"]
    assert [pair["unlike"] for pair in told] == [{"epochs": ["5", "3"]}] * 4


def test_what_cannot_be_compared_has_its_row_and_its_reason(results: Path, tmp_path: Path) -> None:
    cells = [make_cell(f"org/{name}", seeds=(1,), id=f"of-{name}") for name in ("good", "bad")]
    old = [keep(tmp_path / "no", cell, make_record(cell, 1)) for cell in cells]
    write_tables(tmp_path / "no", "sample", cells, old)
    out = compare(results, "new", str(tmp_path / "no")).out
    assert re.search(r"^good / of-good +0\.\d{3} +0\.400 +- +- +- +not comparable", out, re.M)
    assert "not comparable: good / of-good: the record of of-good with seed 1 contains no" in out
    assert "2 cells in both: 2 not comparable." in out


@pytest.mark.parametrize(
    ("changes_a", "changes_b", "causes"),
    [
        (
            {"concurrency": 1},
            {"concurrency": 2},
            ["(training time and evaluation time): they were"],
        ),
        (
            {"contention": BUSY},
            {"contention": BUSY},
            ["(training time and evaluation time): other programs kept a core busy"],
        ),
        ({"peak_memory_mb": None}, {}, ["(memory): not measured in some run"]),
        (
            {"concurrency": 1, "contention": BUSY},
            {"concurrency": 2, "contention": BUSY},
            [
                "(training time and evaluation time): they were",
                "(training time and evaluation time): other programs kept a core busy",
            ],
        ),
    ],
)
def test_cells_that_do_not_compare_for_one_cause_are_told_once(
    changes_a: dict[str, Any], changes_b: dict[str, Any], causes: list[str]
) -> None:
    names = ["one", "two", "three"]

    def contestant(name: str, seeds: tuple[int, ...], changes: dict[str, Any]) -> Contestant:
        cell = make_cell(f"org/{name}", seeds=seeds, id=name)
        runs = [predicted_record(cell, seed, LABELS, LABELS[None], **changes) for seed in seeds]
        return Contestant(name, tuple(runs))

    pairs = corrected(
        [
            comparison(contestant(name, (1, 2), changes_a), contestant("b", (1, 2), changes_b))
            for name in names
        ]
    )
    lines = [line for line in pairs_table(names, pairs).splitlines() if "not comparable: " in line]
    assert len(lines) == len(causes)
    for line, cause in zip(lines, causes, strict=True):
        assert line.startswith(f"not comparable: all rows {cause}")
    out = pairs_table([*names, "same"], [*pairs, comparison(*[contestant("same", (1, 2), {})] * 2)])
    assert out.count("not comparable: one, two, three (") == len(causes)


def test_seeds_that_disagree_are_one_cause_however_much_they_do() -> None:
    def contestant(name: str, factor: float) -> Contestant:
        cell = make_cell(f"org/{name}", seeds=(1, 2), id=name)
        runs = [
            predicted_record(cell, seed, LABELS, LABELS[None], eval_ms_per_sentence=factor**seed)
            for seed in cell.seeds
        ]
        return Contestant(name, tuple(runs))

    names = ["one", "two", "three"]
    pairs = [
        comparison(contestant(name, factor), contestant("b", 9.0))
        for name, factor in zip(names, (1.0, 2.0, 5.0), strict=True)
    ]
    told = (
        "not comparable: all rows (evaluation time): seeds of one cell differ by more than a third"
    )
    assert pairs_table(names, pairs).count("not comparable") == 1
    assert f"{told}." in pairs_table(names, pairs)


def test_verdicts_of_one_seed_are_said_to_be_of_these_runs(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        cells = [make_cell(f"org/{name}", seeds=(1,), id=name) for name in ("good", "bad")]
        predicted = np.where(np.arange(len(LABELS)) % 3, LABELS, 1 - LABELS)
        stored = [
            keep(tmp_path / folder, cell, predicted_record(cell, 1, LABELS, predicted[None]))
            for cell in cells
        ]
        write_tables(tmp_path / folder, "sample", cells, stored)
    out = compare(tmp_path, "a", "b").out
    assert "All verdicts hold for these runs only, because a cell has one seed." in out


def test_nine_cells_are_nine_rows_that_a_terminal_holds() -> None:
    study = str(ROOT / "results" / "cola")
    out = harness("compare", study, study).out
    rows = [line for line in out.splitlines() if "no difference shown  " in line]
    assert len(rows) == 9
    assert max(map(len, rows)) <= 120
    assert len(out.splitlines()) < 20


def test_check_says_no_where_a_is_worse(results: Path) -> None:
    assert compare(results, "new", "old", "--check").code == 1
    assert compare(results, "old", "new", "--check").code == 0
    assert compare(results, "bad", "good", "--results", "new", "--check").code == 1


def _copy_changed(source: Path, folder: Path, **changes: Any) -> Path:
    """Write the leaderboard of a folder again, with changed records."""
    read = read_published(source / "leaderboard.json")
    cells = {cell.id: cell for cell in read.cells}
    stored = [
        keep(folder, cells[run.cell], with_key(run.model_copy(update=changes)))
        for run in read.records
    ]
    write_tables(folder, "sample", list(read.cells), stored)
    return folder


def test_check_fails_where_no_pair_could_be_compared(tmp_path: Path) -> None:
    cells = [make_cell(f"org/{name}", seeds=(1,), id=name) for name in ("good", "bad")]
    stored = [keep(tmp_path / "no", cell, make_record(cell, 1)) for cell in cells]
    write_tables(tmp_path / "no", "sample", cells, stored)
    done = compare(tmp_path, "no", "no", "--check")
    assert done.code == 1
    assert "--check: no pair could be compared, so nothing was checked" in done.err
    assert compare(tmp_path, "no", "no").code == 0


def test_other_recipe_and_package_versions_are_named(results: Path, tmp_path: Path) -> None:
    versions = {"torch": "2.12.0", "transformers": "5.23.0"}
    other = _copy_changed(results / "new", tmp_path / "b", recipe_version=3, versions=versions)
    out = compare(results, "new", str(other)).out
    now = f"recipe ({RECIPE_VERSION} against 3)"
    told = f"settings differ, A against B: all rows: {now}, torch (2.13.0 against"
    assert f"{told} 2.12.0)." in out


def test_other_data_are_refused(results: Path, tmp_path: Path) -> None:
    (first, *_) = read_published(results / "new" / "leaderboard.json").records
    assert first.dataset is not None
    data = first.dataset.model_copy(update={"fingerprint": "d" * 64})
    other = _copy_changed(results / "new", tmp_path / "b", dataset=data)
    done = compare(results, "new", str(other), "--check")
    assert (done.code, done.out) == (4, "")
    assert done.err.count("scored on different data") == 2
    assert "against dddddddddddd); scores on different sentences" in done.err


def test_unknown_names_are_told_with_those_there_are(results: Path) -> None:
    done = compare(results, "goood", "worse", "--results", "new")
    assert done.code == 4
    for name in ("goood", "worse"):
        assert (
            f"{name}: neither a file or folder nor a scored cell or checkpoint of new" in done.err
        )
    assert "org/good, org/bad, good, bad" in done.err


def test_leaderboards_without_a_common_cell_are_bad_input(results: Path, tmp_path: Path) -> None:
    publish(tmp_path / "other", {"else": 0.1})
    done = compare(results, "new", str(tmp_path / "other"))
    assert done.code == 4
    assert "no cell (checkpoint, batch size, learning rate) was scored in both" in done.err


def test_nothing_heavy_is_imported(results: Path) -> None:
    _, modules = imported_by("compare", "new", "old", cwd=results)
    assert not {"torch", "transformers", "datasets", "ray"} & modules


@pytest.mark.parametrize(
    ("a", "b", "lost"),
    [
        ("new", "lost", ["lost"]),
        ("lost", "new", ["lost"]),
        ("new/leaderboard.json", "old/leaderboard.jsn", ["old/leaderboard.jsn"]),
        ("old", "gooood", ["gooood"]),
        ("old/none", "new", ["old/none"]),
        ("lost.json", "none.json", ["lost.json", "none.json"]),
    ],
)
@pytest.mark.parametrize("there", ["new", "nowhere"])
def test_the_one_that_is_not_there_is_named_and_both_where_neither_is(
    results: Path, a: str, b: str, lost: list[str], there: str
) -> None:
    done = compare(results, a, b, "--results", there)
    assert (done.code, done.out) == (4, "")
    lines = done.err.strip().splitlines()
    for name in {a, b}:
        complaints = [line for line in lines if line.startswith(f"{name}: ")]
        assert len(complaints) == (name in lost), lines
        assert all("no such file" in line or "neither a file" in line for line in complaints)
    if len(lost) == 1:
        assert len(lines) == 1
        assert f"to compare {a if b in lost else b} with" in lines[0] or there == "nowhere"


def test_the_default_results_folder_is_told(tmp_path: Path) -> None:
    done = compare(tmp_path, "good", "bad")
    assert (done.code, done.out) == (4, "")
    (line,) = done.err.splitlines()
    assert line.startswith("good and bad: no such file or folder; ")
    assert "name the results folder with --results FOLDER" in line

    publish(tmp_path / "results/study", {"good": 0.1, "bad": 0.35})
    default = compare(tmp_path, "good", "bad")
    assert default.code == 0
    assert default.err == "cells of results/study; --results FOLDER names another folder\n"
    named = compare(tmp_path, "good", "bad", "--results", "results/study")
    assert (named.code, named.err, named.out) == (0, "", default.out)


def test_a_folder_and_a_cell_are_no_pair(results: Path) -> None:
    done = compare(results, "old", "good", "--results", "new")
    assert done.code == 4
    assert "old: a file or folder, and good is of new; name two files or folders, or" in done.err


def test_every_mistake_of_two_leaderboards_is_told(results: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).write_text("# no leaderboard")
    (tmp_path / "empty").mkdir()
    done = compare(results, str(tmp_path / "one"), str(tmp_path / "two"))
    assert done.code == 4
    assert done.err.count("not valid JSON") == 2
    done = compare(results, str(tmp_path / "one"), str(tmp_path / "empty"))
    assert "not valid JSON" in done.err
    assert f"{tmp_path / 'empty' / 'leaderboard.json'}: there is no such leaderboard" in done.err
