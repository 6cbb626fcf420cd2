"""`harness judge`: predictions of any program meet the gates of a trained cell."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from builders.commands import ROOT, Done, harness
from sklearn.metrics import accuracy_score, matthews_corrcoef

from harness.inputs import data
from harness.judging.baseline import Baseline
from harness.judging.gates.cell import judge
from harness.report import read_published
from harness.suite.gates import Thresholds
from harness.suite.spec import load_suite

BOARD = json.loads((ROOT / "results/cola/leaderboard.json").read_text(encoding="utf-8"))
SETTINGS = ("checkpoint", "batch_size", "learning_rate")


@pytest.mark.parametrize("planned", BOARD["cells"], ids=lambda planned: planned["id"])
def test_a_published_cell_has_the_numbers_of_its_leaderboard(planned: dict[str, Any]) -> None:
    (row,) = (r for r in BOARD["rows"] if all(r[name] == planned[name] for name in SETTINGS))
    done = harness("judge", "results/cola", "--cell", planned["id"], "--min-mcc", "-1", "--json")
    assert done.code == 0
    found = json.loads(done.out)
    for name in ("mcc", "accuracy"):
        measured = [found[name][key] for key in ("mean", "low", "high")]
        expected = [row[name], row[f"{name}_low"], row[f"{name}_high"]]
        assert measured == pytest.approx(expected, abs=1e-12)
    assert found["mcc"]["seeds"] == row["seeds"] == len(planned["seeds"])


def files_of(cell: str, folder: Path) -> list[Path]:
    """Write the labels and logits of a published cell, one file a seed, as in training."""
    table = pq.read_table(ROOT / "results/cola/predictions.parquet")
    runs = sorted((r for r in BOARD["records"] if r["cell"] == cell), key=lambda r: r["seed"])
    paths = []
    for run in runs:
        rows = table.filter(pc.equal(table["key"], run["key"]))
        rows = rows.filter(pc.equal(rows["split"], "validation"))
        paths.append(folder / f"{cell}-{run['seed']}.parquet")
        pq.write_table(rows.select(["label", "logit_0", "logit_1"]), paths[-1])
    return paths


def test_scores_in_files_are_judged_as_those_of_the_leaderboard(tmp_path: Path) -> None:
    cell = BOARD["cells"][-1]["id"]
    paths = files_of(cell, tmp_path)
    of_files = harness("judge", *map(str, paths), "--min-mcc", "0.3", "--json")
    of_cell = harness("judge", "results/cola", "--cell", cell, "--min-mcc", "0.3", "--json")
    assert len(paths) == 2
    one, other = json.loads(of_files.out), json.loads(of_cell.out)
    assert (one["mcc"], one["accuracy"]) == (other["mcc"], other["accuracy"])


def test_the_class_with_the_largest_score_is_predicted_and_of_equal_ones_the_first(
    tmp_path: Path,
) -> None:
    rows = "0,2.5,2.5\n1,-3,-2.5\n1,1e-3,2e-3\n0,1,0.5\n"
    (tmp_path / "a.csv").write_text("label,logit_0,logit_1\n" + rows, encoding="utf-8")
    done = harness("judge", "a.csv", "--min-mcc", "1", "--json", cwd=tmp_path)
    assert json.loads(done.out)["accuracy"]["mean"] == 1


def test_mistakes_of_scores_are_listed_at_once(tmp_path: Path) -> None:
    header = "label,logit_0,logit_1,"
    for name, text in {
        "a": f"{header}prediction\n1,nan,1,1\n1,2,1,1\n",
        "b": "label,logit_0,logit_1,logit_2\n1,0,1,2\n",
        "c": f"{header}key\n1,0,1,x\n",
    }.items():
        (tmp_path / f"{name}.csv").write_text(text, encoding="utf-8")
    done = harness("judge", "a.csv", "b.csv", "c.csv", "--min-mcc", "0.3", cwd=tmp_path)
    assert done.code == 4
    first, second, third, fourth = done.err.splitlines()
    assert first.startswith("a.csv:2: column 'logit_0': 'nan'")
    assert second.startswith("a.csv:3: column 'prediction': '1', but logit_0 is the largest")
    assert third.startswith("b.csv: columns 'logit_0', 'logit_1', 'logit_2'; the 2 classes")
    assert fourth.startswith("c.csv: predictions of many runs")


@pytest.mark.parametrize(
    ("options", "column"),
    [
        (("--prediction-column", "label"), "label"),
        (("--label-column", "prediction"), "prediction"),
        (("--label-column", "gold", "--prediction-column", "gold"), "gold"),
    ],
)
def test_a_column_is_not_compared_with_itself(
    options: tuple[str, ...], column: str, tmp_path: Path
) -> None:
    rows = "label,prediction,gold\n1,0,1\n0,1,0\n1,1,1\n0,0,0\n"
    (tmp_path / "a.csv").write_text(rows, encoding="utf-8")
    done = harness("judge", "a.csv", *options, "--min-mcc", "0.5", cwd=tmp_path)
    assert (done.code, done.out) == (4, "")
    assert done.err.splitlines() == [
        f"--prediction-column and --label-column must differ, both are '{column}'; name two columns"
    ]


def test_scores_are_not_compared_with_one_of_them(tmp_path: Path) -> None:
    rows = "label,logit_0,logit_1\n1,0,1\n0,1,0\n"
    (tmp_path / "a.csv").write_text(rows, encoding="utf-8")
    done = harness("judge", "a.csv", "--label-column", "logit_1", "--min-mcc", "0", cwd=tmp_path)
    assert (done.code, done.out) == (4, "")
    assert "a.csv: --label-column 'logit_1' is a column of scores" in done.err


def test_a_whole_number_beyond_every_float_is_no_score(tmp_path: Path) -> None:
    row = {"label": 0, "logit_0": 10**400, "logit_1": 0.5}
    (tmp_path / "a.jsonl").write_text(json.dumps(row) + "\n", encoding="utf-8")
    done = harness("judge", "a.jsonl", "--min-mcc", "0", cwd=tmp_path)
    assert done.code == 4
    (line,) = done.err.splitlines()
    assert line.startswith("a.jsonl:1: column 'logit_0': 1000")
    assert line.endswith("it must be a finite number")


def test_cells_that_cannot_be_judged_are_refused() -> None:
    unnamed = harness("judge", "results/cola", "--min-mcc", "0")
    assert (unnamed.code, "a folder; name" in unnamed.err) == (4, True)
    unknown = harness("judge", "results/cola", "--cell", "minilm-l7-bs16-lr1e-4")
    assert unknown.code == 4
    assert "minilm-l6-bs16-lr1e-04" in unknown.err
    ungated = harness("judge", "results/cola", "--cell", "minilm-l3-bs16-lr1e-4")
    assert ungated.code == 4
    assert "minilm-l3-bs16-lr1e-04: no gates.min_mcc" in ungated.err
    cell = ("--cell", "minilm-l6-bs16-lr1e-4", "--min-mcc", "0")
    ignored = harness("judge", "results/cola", *cell, "--label-column", "gold")
    assert (ignored.code, "--label-column" in ignored.err) == (2, True)


def test_scores_are_those_of_scikit_learn_and_decide_the_exit_code(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    labels = random.integers(0, 2, 200)
    predicted = np.where(random.random(200) < 0.2, 1 - labels, labels)
    rows = "".join(f"{a},{b}\n" for a, b in zip(labels, predicted, strict=True))
    (tmp_path / "one.csv").write_text("label,prediction\n" + rows, encoding="utf-8")
    passed = harness("judge", "one.csv", "--min-mcc", "0.3", "--json", cwd=tmp_path)
    found = json.loads(passed.out)
    assert found["mcc"]["mean"] == pytest.approx(matthews_corrcoef(labels, predicted))
    assert found["accuracy"]["mean"] == pytest.approx(accuracy_score(labels, predicted))
    failed = harness("judge", "one.csv", "--min-mcc", "0.9", cwd=tmp_path)
    assert (passed.code, failed.code) == (0, 1)
    assert "fail: MCC" in failed.out


def test_mistakes_are_listed_at_once(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("label,prediction\n1,maybe\n2,0\n", encoding="utf-8")
    (tmp_path / "b.csv").write_text("label,answer\n1,1\n", encoding="utf-8")
    done = harness("judge", "a.csv", "b.csv", "--min-mcc", "0.3", cwd=tmp_path)
    assert done.code == 4
    assert "'maybe'" in done.err
    assert "'2'" in done.err
    assert "--prediction-column" in done.err


def test_a_misspelt_class_is_one_line_with_the_nearest_name(tmp_path: Path) -> None:
    own_data(tmp_path)
    rows = "bad,bad\ngood,god\n" * 40 + "goood,good\n"
    (tmp_path / "a.csv").write_text("label,prediction\n" + rows, encoding="utf-8")
    done = harness("judge", "a.csv", "--suite", "suite.toml", cwd=tmp_path)
    assert done.code == 4
    allowed = "allowed are 'bad', 'good' and their numbers from 0; did you mean 'good'?"
    assert done.err.splitlines() == [
        f"a.csv:3: column 'prediction': 'god' (40 rows, the first here); {allowed}",
        f"a.csv:82: column 'label': 'goood'; {allowed}",
    ]


OWN = (
    'name = "s"\ndataset.source = "file"\ndataset.path = "own.csv"\n'
    'dataset.text_column = "text"\ndataset.class_names = ["bad", "good"]\n'
    'matrix = { checkpoints = ["a"], batch_sizes = [16], learning_rates = [5e-5], seeds = [1] }\n'
    "gates = { min_mcc = 0.1 }\n"
)


def own_data(folder: Path) -> list[tuple[str, str]]:
    """Write a suite with its data; return the sentences and labels of its validation split."""
    rows = "".join(
        f'"Sentence ""{number}"", with marks",{("bad", "good")[number % 2]}\n'
        for number in range(100)
    )
    (folder / "own.csv").write_text("text,label\n" + rows, encoding="utf-8")
    (folder / "suite.toml").write_text(OWN, encoding="utf-8")
    spec = load_suite(folder / "suite.toml").dataset
    split = data.load(data.find_now(spec, None, folder)).splits["validation"]
    names = ("bad", "good")
    return [(row["sentence"], names[row["label"]]) for row in split.to_list()]


def given(folder: Path, rows: Sequence[tuple[str, str]], text: str = "text") -> Done:
    """Judge predictions that are the labels."""
    table = {
        text: [sentence for sentence, _ in rows],
        "label": [label for _, label in rows],
        "prediction": [label for _, label in rows],
    }
    pq.write_table(pa.table(table), folder / "given.parquet")
    return harness("judge", "given.parquet", "--suite", "suite.toml", cwd=folder)


def test_labels_are_compared_with_the_validation_split(tmp_path: Path) -> None:
    rows = own_data(tmp_path)
    same = given(tmp_path, rows)
    assert (same.code, same.err) == (0, "")
    assert "labels: those of the validation split of file own.csv" in same.out

    fewer = given(tmp_path, rows[1:])
    assert fewer.code == 4
    assert f"{len(rows) - 1} rows, but the validation split of file own.csv" in fewer.err

    opposite = {"bad": "good", "good": "bad"}
    other = [*rows]
    for row in (1, 4):
        other[row] = (rows[row][0], opposite[rows[row][1]])
    flipped = given(tmp_path, other)
    assert flipped.code == 4
    assert f"2 of {len(rows)} labels are not those" in flipped.err
    assert f"rows 2, 5; the first is {other[1][1]!r}, there {rows[1][1]!r}" in flipped.err


def test_another_order_is_seen_by_the_sentences(tmp_path: Path) -> None:
    rows = own_data(tmp_path)
    first, second = [n for n, row in enumerate(rows) if row[1] == "good"][:2]
    swapped = [*rows]
    swapped[first], swapped[second] = rows[second], rows[first]
    moved = given(tmp_path, swapped)
    assert moved.code == 4
    assert f"2 of {len(rows)} sentences are not those" in moved.err
    assert "the same in another order" in moved.err
    assert "Sentence" not in moved.err
    # Without the suite's column of sentences only labels can be compared, and these are the same.
    assert given(tmp_path, swapped, text="other").code == 0


def test_data_that_cannot_be_reached_leave_labels_unchecked(tmp_path: Path) -> None:
    rows = own_data(tmp_path)
    (tmp_path / "own.csv").unlink()
    done = given(tmp_path, rows[:-2])
    assert done.code == 0
    (line,) = [line for line in done.out.splitlines() if line.startswith("labels")]
    assert line.startswith("labels not checked: ")
    assert "own.csv" in line


def test_a_mistyped_folder_of_cola_is_a_mistake(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("label,prediction\n1,1\n0,0\n", encoding="utf-8")
    (tmp_path / "suite.toml").write_text(
        'name = "s"\ndataset.source = "cola"\nmatrix = { checkpoints = ["a"], '
        "batch_sizes = [16], learning_rates = [5e-5], seeds = [1] }\n",
        encoding="utf-8",
    )
    options = ("--suite", "suite.toml", "--min-mcc", "0.1")
    done = harness("judge", "a.csv", *options, "--cola-dir", "nowhere", cwd=tmp_path)
    assert done.code == 4
    assert "nowhere" in done.err
    offline = harness("judge", "a.csv", *options, cwd=tmp_path)
    assert offline.code == 0
    assert "labels not checked: " in offline.out


@pytest.mark.parametrize(
    ("a", "b", "paired"),
    [
        ("minilm-l6-bs16-lr1e-04", "minilm-l6-bs32-lr1e-04", True),
        ("minilm-l6-bs32-lr1e-04", "mpnet-base-bs16-lr3e-05", False),
    ],
)
def test_a_baseline_is_compared_as_two_cells_are(
    a: str, b: str, paired: bool, tmp_path: Path
) -> None:
    names = [str(path) for path in files_of(a, tmp_path)]
    names += [word for path in files_of(b, tmp_path) for word in ("--baseline", str(path))]
    done = harness("judge", *names, *(["--paired-seeds"] if paired else []), "--json")
    found = json.loads(done.out)
    told = harness("compare", a, b, "--results", "results/cola", "--json").out
    compared = json.loads(told)["comparisons"][0]
    for name in ("difference", "low", "high", "p_value", "covers"):
        assert found["difference"][name] == pytest.approx(compared[name], abs=1e-12)
    (gate,) = found["gates"]
    published = read_published(ROOT / "results/cola/leaderboard.json")
    cell = next(each for each in published.cells if each.id == a)
    if paired:  # a trained cell is judged against an earlier cell of its own settings
        before = [
            run.model_copy(update={"cell": a, "batch_size": cell.batch_size})
            for run in published.records
            if run.cell == b
        ]
        own = [run for run in published.records if run.cell == a]
        cell = replace(cell, gates=Thresholds(max_drop=0.02))
        (check,) = judge(cell, own, Baseline("earlier", "cola", tuple(before))).checks
        assert gate["verdict"] == check.verdict
        measured = [gate[name] for name in ("threshold", "measured", "low", "high")]
        expected = [check.threshold, check.measured, check.low, check.high]
        assert measured == pytest.approx(expected, abs=1e-12)
    assert done.code == (0 if gate["verdict"] == "pass" else 1)


def test_a_drop_beyond_the_allowed_one_fails(tmp_path: Path) -> None:
    labels = np.tile([0, 1], 200)
    for name, wrong in (("old", 10), ("new", 120)):
        predicted = np.where(np.arange(400) < wrong, 1 - labels, labels)
        rows = "".join(f"{a},{b}\n" for a, b in zip(labels, predicted, strict=True))
        (tmp_path / f"{name}.csv").write_text("label,prediction\n" + rows, encoding="utf-8")
    worse = harness("judge", "new.csv", "--baseline", "old.csv", cwd=tmp_path)
    assert worse.code == 1
    assert "difference of mcc from the baseline -0.55" in worse.out
    assert "allowed 0.0200" in worse.out
    allowed = ("--baseline", "old.csv", "--max-drop", "0.9")
    assert harness("judge", "new.csv", *allowed, cwd=tmp_path).code == 0


def test_baselines_that_cannot_be_compared_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("label,prediction\n1,1\n0,0\n1,0\n", encoding="utf-8")
    (tmp_path / "b.csv").write_text("label,prediction\n1,1\n1,0\n0,0\n", encoding="utf-8")
    other = harness("judge", "a.csv", "--baseline", "b.csv", cwd=tmp_path)
    assert other.code == 4
    assert "b.csv: labels differ from those of a.csv in rows 2, 3" in other.err
    two = ("--baseline", "a.csv", "--baseline", "a.csv", "--paired-seeds")
    uneven = harness("judge", "a.csv", *two, cwd=tmp_path)
    assert uneven.code == 4
    assert "--paired-seeds: 1 seed, but 2 of --baseline" in uneven.err
    alone = harness("judge", "a.csv", "--max-drop", "0.1", cwd=tmp_path)
    assert alone.code == 4
    assert "--max-drop: there is no baseline" in alone.err
