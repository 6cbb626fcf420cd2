"""`harness judge`: predictions of any program meet the gates of a trained cell."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from builders.commands import ROOT, harness
from sklearn.metrics import accuracy_score, matthews_corrcoef


def test_a_published_cell_has_the_numbers_of_its_leaderboard(tmp_path: Path) -> None:
    board = json.loads((ROOT / "results/cola/leaderboard.json").read_text(encoding="utf-8"))
    row = board["rows"][0]
    same = ("checkpoint", "batch_size", "learning_rate")
    runs = [r for r in board["records"] if all(r[name] == row[name] for name in same)]
    table = pq.read_table(ROOT / "results/cola/predictions.parquet")
    paths = []
    for run in sorted(runs, key=lambda r: r["seed"]):
        of_run = [
            each
            for each in table.filter(pa.compute.equal(table["key"], run["key"])).to_pylist()
            if each["split"] == "validation"
        ]
        labels = [each["label"] for each in of_run]
        predicted = [int(each["logit_1"] > each["logit_0"]) for each in of_run]
        paths.append(tmp_path / f"{run['seed']}.parquet")
        pq.write_table(pa.table({"label": labels, "prediction": predicted}), paths[-1])
    done = harness("judge", *map(str, paths), "--min-mcc", "0.3", "--json", cwd=tmp_path)
    assert (done.code, done.err) == (0, "")
    found = json.loads(done.out)
    assert len(paths) == row["seeds"]
    for name in ("mcc", "accuracy"):
        measured = [found[name][key] for key in ("mean", "low", "high")]
        expected = [row[name], row[f"{name}_low"], row[f"{name}_high"]]
        assert measured == pytest.approx(expected, abs=1e-12)


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


def test_a_gate_that_predictions_cannot_answer_is_refused(tmp_path: Path) -> None:
    (tmp_path / "suite.toml").write_text(
        'name = "s"\ndataset.source = "embedded"\nmatrix = { checkpoints = ["a"], '
        "batch_sizes = [16], learning_rates = [5e-5], seeds = [1] }\n"
        "gates = { min_mcc = 0.1, max_train_seconds = 5 }\n",
        encoding="utf-8",
    )
    done = harness("judge", "a.csv", "--suite", "suite.toml", cwd=tmp_path)
    assert done.code == 4
    assert "gates.max_train_seconds" in done.err
