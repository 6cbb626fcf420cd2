"""`harness judge --add-to`: predictions of another program as a row of a leaderboard."""

import csv
import fcntl
import hashlib
import html
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from builders.commands import ROOT, Done, harness
from builders.records import keep, predicted_record
from sklearn.metrics import accuracy_score, f1_score, matthews_corrcoef

from harness.inputs import data
from harness.report import read_published, write_tables
from harness.report.given import kept
from harness.store import lock
from harness.store.records import DatasetFacts
from harness.suite.plan import make_plan
from harness.suite.spec import load_suite

MARK = "predictions given, not trained here"
NAME = "our <b>model</b> | v2"
CLASSES = ("bad", "good")

SUITE = """
name = "own"
[dataset]
source = "file"
path = "own.csv"
text_column = "text"
class_names = ["bad", "good"]
[matrix]
checkpoints = ["org/one", "org/two"]
batch_sizes = [16]
learning_rates = [5e-5]
seeds = [1, 2]
[gates]
min_mcc = 0.3
max_train_seconds = 1000
"""


def erring(labels: np.ndarray, share: float, seed: int) -> np.ndarray:
    """Return labels of which this share is wrong, at random."""
    wrong = np.random.default_rng(seed).random(len(labels)) < share
    return np.where(wrong, 1 - labels, labels)


def own_split(folder: Path) -> tuple[list[str], np.ndarray]:
    """Return sentences and labels of the validation split of the suite in a folder."""
    spec = load_suite(folder / "suite.toml").dataset
    split = data.load(data.find_now(spec, None, folder)).splits["validation"]
    return list(split["sentence"]), np.asarray(split["label"])


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a suite, its data, and results: two cells of two seeds, and their store."""
    folder = tmp_path_factory.mktemp("made")
    rows = "".join(f"Sentence {number},{CLASSES[number % 2]}\n" for number in range(1000))
    (folder / "own.csv").write_text("text,label\n" + rows, encoding="utf-8")
    (folder / "suite.toml").write_text(SUITE, encoding="utf-8")
    suite = load_suite(folder / "suite.toml")
    loaded = data.load(data.find_now(suite.dataset, None, folder))
    labels = np.asarray(loaded.splits["validation"]["label"])
    facts = DatasetFacts(
        name="file",
        origin=loaded.origin,
        fingerprint=loaded.fingerprint,
        train=len(loaded.splits["train"]),
        validation=len(labels),
        test=0,
        text_column="text",
    )
    cells = make_plan(suite)
    stored = []
    for cell, share in zip(cells, (0.1, 0.3), strict=True):
        for seed in cell.seeds:
            predicted = erring(labels, share, seed)[np.newaxis]
            record = predicted_record(cell, seed, labels, predicted, dataset=facts)
            stored.append(keep(folder / "results", cell, record))
    write_tables(folder / "results", "own", cells, stored, dataset=suite.dataset)
    return folder


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "made"))


@pytest.fixture(scope="module")
def once(made: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Done]:
    """The folder with a row that was added, and the command that added it."""
    copy = Path(shutil.copytree(made, tmp_path_factory.mktemp("once") / "made"))
    return copy, add(copy, write(copy, 0.2))


@pytest.fixture
def added(once: tuple[Path, Done], tmp_path: Path) -> Path:
    return Path(shutil.copytree(once[0], tmp_path / "made"))


def write(
    folder: Path, share: float, seeds: Sequence[int] = (1, 2), flipped: Sequence[int] = ()
) -> list[str]:
    """Write predictions that err in some share of the sentences, one file a seed.

    Args:
        flipped: rows, from 0, whose label is written as the other class.
    """
    texts, labels = own_split(folder)
    names = []
    for seed in seeds:
        predicted, written = erring(labels, share, 10 + seed), labels.copy()
        written[list(flipped)] = 1 - written[list(flipped)]
        table = {
            "text": texts,
            "label": [CLASSES[label] for label in written],
            "prediction": [CLASSES[label] for label in predicted],
        }
        names.append(f"given-{seed}.parquet")
        pq.write_table(pa.table(table), folder / names[-1])
    return names


def add(folder: Path, files: Sequence[str], *options: str, name: str = NAME) -> Done:
    named = ("--suite", "suite.toml", "--add-to", "results", "--name", name)
    return harness("judge", *files, *named, *options, cwd=folder)


def rows_of(folder: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(
        (folder / "results" / "leaderboard.json").read_text(encoding="utf-8")
    )["rows"]
    return rows


def tables(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def test_a_row_is_ranked_and_marked_and_has_no_costs(once: tuple[Path, Done]) -> None:
    folder, done = once
    files = ["given-1.parquet", "given-2.parquet"]
    _, labels = own_split(folder)
    assert done.code == 0, done.err
    assert "not judged: suite.toml: gates.max_train_seconds: 1000.0: the costs of given" in done.out
    first, row, last = rows_of(folder)
    assert [first["checkpoint"], row["checkpoint"], last["checkpoint"]] == [
        "org/one",
        NAME,
        "org/two",
    ]
    assert [each["rank"] for each in (first, row, last)] == [1, 2, 3]
    assert [each["given"] for each in (first, row, last)] == [None, MARK, None]
    predicted = [erring(labels, 0.2, 10 + seed) for seed in (1, 2)]
    for name, measure in (
        ("mcc", matthews_corrcoef),
        ("accuracy", accuracy_score),
        ("f1", f1_score),
    ):
        assert row[name] == pytest.approx(np.mean([measure(labels, each) for each in predicted]))
    judged = json.loads(
        harness("judge", *files, "--suite", "bare.toml", "--json", cwd=bare(folder)).out
    )
    assert [row["mcc_low"], row["mcc_high"]] == [judged["mcc"]["low"], judged["mcc"]["high"]]
    known = {
        *("rank", "checkpoint", "given", "seeds", "status", "f1"),
        *(f"{score}{end}" for score in ("mcc", "accuracy") for end in ("", "_sd", "_low", "_high")),
    }
    assert {name for name, value in row.items() if value is not None} == known
    assert first["train_seconds"] is not None


def bare(folder: Path) -> Path:
    """Write bare.toml, the suite with a gate on MCC alone."""
    text = SUITE.replace("max_train_seconds = 1000\n", "")
    (folder / "bare.toml").write_text(text, encoding="utf-8")
    return folder


def test_every_table_marks_the_row_and_shows_its_name_as_text(added: Path) -> None:
    texts = {
        name: content.decode()
        for name, content in tables(added / "results").items()
        if name.startswith("leaderboard.")
    }
    for name, text in texts.items():
        assert MARK in text, name
    (line,) = [
        each for each in csv.DictReader(texts["leaderboard.csv"].splitlines()) if each["given"]
    ]
    assert (line["checkpoint"], line["given"], line["train_seconds"]) == (NAME, MARK, "")
    assert "`our <b>model</b> \\| v2`" in texts["leaderboard.md"]
    assert "<b>model" not in texts["leaderboard.html"]
    page = html.unescape(texts["leaderboard.html"].replace("<wbr>", ""))
    assert f">{NAME}</th>" in page
    assert "1 row of given predictions" in page
    digest = hashlib.sha256((added / "given-2.parquet").read_bytes()).hexdigest()
    assert digest in texts["leaderboard.md"]
    assert "labels and sentences are those of the validation split" in texts["leaderboard.md"]


def test_a_row_is_evidence_that_the_check_verifies(folder: Path) -> None:
    before = tables(folder / "results")
    add(folder, write(folder, 0.2))
    assert harness("report", "results", "--check", cwd=folder).code == 0
    table = pq.read_table(folder / "results" / "predictions.parquet")
    given = table.filter(pc.is_valid(table["given"]))
    _, labels = own_split(folder)
    assert given["label"].to_pylist() == [*labels, *labels]
    assert given["given"].to_pylist() == [
        *erring(labels, 0.2, 11).tolist(),
        *erring(labels, 0.2, 12).tolist(),
    ]
    assert given["logit_0"].null_count == given.num_rows
    removed = harness("report", "results", "--without", NAME, cwd=folder)
    assert removed.code == 0
    assert tables(folder / "results") == before
    unknown = harness("report", "results", "--without", NAME, cwd=folder)
    assert unknown.code == 4
    assert "which has none" in unknown.err


def other_class(table: pa.Table) -> pa.Table:
    values = table["given"].to_pylist()
    values[-1] = 1 - values[-1]
    return table.set_column(table.num_columns - 1, "given", pa.array(values, pa.int16()))


def without_last_row(table: pa.Table) -> pa.Table:
    return table.slice(0, table.num_rows - 1)


def with_a_logit(table: pa.Table) -> pa.Table:
    place = table.schema.get_field_index("logit_0")
    values = table["logit_0"].to_pylist()
    values[-1] = 0.5
    return table.set_column(place, "logit_0", pa.array(values, pa.float32()))


def of_a_run(table: pa.Table) -> pa.Table:
    values = table["given"].to_pylist()
    values[0] = 1
    return table.set_column(table.num_columns - 1, "given", pa.array(values, pa.int16()))


@pytest.mark.parametrize("change", [other_class, without_last_row, with_a_logit, of_a_run])
def test_the_check_sees_every_change_of_published_predictions(
    change: Callable[[pa.Table], pa.Table], added: Path
) -> None:
    path = added / "results" / "predictions.parquet"
    pq.write_table(change(pq.read_table(path)), path, compression="zstd")
    done = harness("report", "results", "--check", cwd=added)
    assert done.code == 1
    what = "'given': has values for runs" if change is of_a_run else f"{NAME}, seed 2: its given"
    assert what in done.out


@pytest.mark.parametrize(
    ("edit", "told"),
    [
        (lambda row: row["seeds"][0]["scores"].update(mcc=0.99), "scores.mcc is 0.99"),
        (lambda row: row["seeds"].pop(0), "its contents hash to"),
        (lambda row: row.update(name="renamed"), "its contents hash to"),
        (lambda row: row.update(name="org/one"), "the name of another row"),
        (lambda row: row.update(labels=row["seeds"][0]["classes"]), "its labels are not those"),
        (lambda row: row["dataset"].update(fingerprint="0" * 64), "its labels are not those"),
    ],
)
def test_a_leaderboard_whose_given_predictions_contradict_themselves_is_refused_and_no_pass(
    edit: Callable[[dict[str, Any]], object], told: str, added: Path
) -> None:
    path = added / "results" / "leaderboard.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    edit(content["given"][0])
    path.write_text(json.dumps(content), encoding="utf-8")
    done = harness("report", "results", "--check", cwd=added)
    assert done.code == 1
    assert told in done.out
    done = harness("report", "results", cwd=added)
    assert done.code == 4
    assert told in done.err


def test_a_missed_gate_keeps_no_row_out(folder: Path) -> None:
    done = add(folder, write(folder, 0.45), "--json")
    assert done.code == 1
    assert json.loads(done.out)["written"]
    assert rows_of(folder)[-1]["checkpoint"] == NAME


def test_a_name_is_replaced_only_on_request(added: Path) -> None:
    before = tables(added / "results")
    better = write(added, 0.0, seeds=[3])
    refused = add(added, better)
    assert refused.code == 4
    assert "add --replace to replace them" in refused.err
    assert tables(added / "results") == before
    assert add(added, better, "--replace").code == 0
    (row,) = [each for each in rows_of(added) if each["given"]]
    assert (row["rank"], row["seeds"], row["mcc"]) == (1, 1, 1.0)
    assert add(added, better, name="a second one").code == 0
    assert [each["rank"] for each in rows_of(added)] == [1, 1, 3, 4]
    assert harness("report", "results", "--check", cwd=added).code == 0


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("org/one", "a checkpoint or cell of results has this name"),
        ("one-bs16-lr5e-05", "a checkpoint or cell of results has this name"),
        ("", "an empty value"),
        ("=1+1", "begins with a letter or digit"),
        ("two\nlines", "a name is one line"),
        ("x" * 101, "a name is one line of 1 to 100"),
    ],
)
def test_names_that_are_taken_or_no_names_are_refused(name: str, told: str, folder: Path) -> None:
    before = tables(folder / "results")
    done = add(folder, write(folder, 0.2), name=name)
    assert done.code == 4
    assert told in done.err
    assert tables(folder / "results") == before


def test_mistakes_of_the_row_are_told_with_all_others(folder: Path) -> None:
    wrong = add(folder, ["absent.csv"], "--min-mcc", "nan", "--max-drop", "0.1", name="org/one")
    assert wrong.code == 4
    assert "absent.csv: no such file" in wrong.err
    assert "--min-mcc: nan" in wrong.err
    assert "--max-drop: there is no baseline" in wrong.err
    assert "a checkpoint or cell of results has this name" in wrong.err
    nowhere = harness(
        *("judge", "absent.csv", "--suite", "suite.toml", "--add-to", "nowhere", "--name", "="),
        cwd=folder,
    )
    assert nowhere.code == 4
    assert "absent.csv: no such file" in nowhere.err
    assert "--name: " in nowhere.err
    assert "nowhere" in nowhere.err.partition("--name: ")[2]
    assert not (folder / "nowhere").exists()


def test_predictions_on_other_labels_or_data_are_refused(folder: Path) -> None:
    before = tables(folder / "results")
    labels = add(folder, write(folder, 0.2, flipped=[3]))
    assert labels.code == 4
    assert "1 of" in labels.err
    assert "labels are not those" in labels.err

    files = write(folder, 0.2)
    text = (folder / "own.csv").read_text(encoding="utf-8")
    (folder / "own.csv").write_text(text.replace("Sentence 7,", "Sentence 7!,"), encoding="utf-8")
    own = write(folder, 0.2)  # labels and sentences of the changed data
    other = add(folder, own)
    assert other.code == 4
    assert "--add-to: results: its runs were scored on other data, " in other.err

    (folder / "own.csv").unlink()
    absent = add(folder, files)
    assert absent.code == 4
    assert "--add-to: the labels could not be compared" in absent.err
    assert tables(folder / "results") == before


def test_options_that_do_not_fit_and_folders_without_evidence_are_refused(folder: Path) -> None:
    files = write(folder, 0.2)
    suite = ("--suite", "suite.toml")
    for options, told in (
        ((*suite, "--add-to", "results"), "--name NAME"),
        (("--add-to", "results", "--name", "x"), "--suite FILE"),
        ((*suite, "--name", "x"), "only with --add-to"),
        ((*suite, "--replace"), "only with --add-to"),
        ((*suite, "--add-to", "results", "--name", "x", "--cell", "y"), "not with --cell"),
    ):
        done = harness("judge", *files, *options, cwd=folder)
        assert (done.code, told in done.err) == (2, True), done.err
    several = harness("judge", *files, "--add-to", "results", "--cell", "y", cwd=folder)
    assert several.code == 2
    assert "--name NAME" in several.err
    assert "not with --cell" in several.err
    shutil.copy(folder / files[0], folder / "copy.parquet")
    twice = add(folder, [*files, "copy.parquet"])
    assert twice.code == 4
    assert f"copy.parquet: the same content as {files[0]}; a file is one seed" in twice.err
    (folder / "results" / "predictions.parquet").unlink()
    missing = add(folder, files)
    assert missing.code == 4
    assert "predictions.parquet: missing" in missing.err
    shutil.rmtree(folder / "results")
    assert add(folder, files).code == 4
    assert not (folder / "results").exists()


def test_a_row_is_no_finished_run_and_stays_in_tables_made_from_the_store(added: Path) -> None:
    before, rows = tables(added / "results"), rows_of(added)
    again = harness("report", "results", "--suite", "suite.toml", cwd=added)
    assert again.code == 0, again.err
    after = tables(added / "results")
    changed = {name for name, content in after.items() if before[name] != content}
    assert changed <= {"leaderboard.json"}  # the plan of the file has what the fixture leaves out
    assert (rows_of(added), len(after)) == (rows, len(before))
    published = read_published(added / "results" / "leaderboard.json")
    assert kept(added / "results", published.cells, published.records) == (published.given, None)
    elsewhere = [
        record.model_copy(
            update={"dataset": record.dataset.model_copy(update={"fingerprint": "0" * 64})}
        )
        for record in published.records
        if record.dataset is not None
    ]
    fitting, lost = kept(added / "results", published.cells, elsewhere)
    assert fitting == ()
    assert lost is not None
    assert NAME in lost
    shutil.rmtree(added / "results" / "runs")
    restored = harness("restore", "results", "--results-dir", "local", cwd=added)
    assert restored.code == 0, restored.err
    assert len([*(added / "local").rglob("record.json")]) == 4  # the trained runs


def test_tables_with_given_predictions_are_not_replaced_by_those_without(folder: Path) -> None:
    shutil.copytree(folder / "results", folder / "fresh")
    add(folder, write(folder, 0.2))
    before = tables(folder / "results")
    refused = harness("report", "fresh", "--output", "results", cwd=folder)
    assert refused.code == 4
    assert f"that the new tables would not show: {NAME}" in refused.err
    assert tables(folder / "results") == before
    replaced = harness("report", "fresh", "--output", "results", "--replace", cwd=folder)
    assert replaced.code == 0
    assert tables(folder / "results") == tables(folder / "fresh")


def test_a_row_is_compared_with_cells_without_costs(added: Path) -> None:
    done = harness("compare", NAME, "org/two", "--results", "results", "--json", cwd=added)
    assert done.code == 0, done.err
    (pair,) = json.loads(done.out)["comparisons"]
    rows = {row["checkpoint"]: row for row in rows_of(added)}
    assert pair["difference"] == pytest.approx(rows[NAME]["mcc"] - rows["org/two"]["mcc"])
    assert [pair[f"{cost}_ratio"] for cost in ("time", "evaluation", "memory")] == [None] * 3
    assert (pair["given_a"], pair["given_b"], pair["learning_rate_a"]) == (True, False, None)
    text = harness("compare", NAME, "org/two", "--results", "results", cwd=added).out
    assert f"{NAME}: {MARK}, 2 seeds." in text
    assert f"{MARK}, so no ratio of training time, of evaluation time and of memory" in text


def test_two_commands_at_once_lose_no_row(folder: Path) -> None:
    files = write(folder, 0.2)
    commands = [
        [
            *(sys.executable, "-m", "harness", "judge", *files, "--suite", "suite.toml"),
            *("--add-to", "results", "--name", name),
        ]
        for name in ("first", "second")
    ]
    started = [
        subprocess.Popen(
            command,
            cwd=folder,
            env=os.environ | {"PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for command in commands
    ]
    for process in started:
        output, _ = process.communicate()
        assert process.returncode in (0, 1), output
    assert {row["checkpoint"] for row in rows_of(folder)} == {
        *("org/one", "org/two", "first", "second")
    }
    assert not list(folder.rglob(lock.FILE))


def test_a_command_waits_for_one_that_reads_and_writes_the_same_tables(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other one has read the tables, and writes them while this one waits."""
    files = write(folder, 0.2)
    flock = fcntl.flock
    waited: list[int] = []

    def waiting(descriptor: int, operation: int) -> None:
        if not waited and not operation & fcntl.LOCK_NB:
            waited.append(descriptor)
            assert add(folder, files, name="first").code in (0, 1)
        flock(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", waiting)
    assert add(folder, files, name="second").code in (0, 1)
    assert waited
    assert {"first", "second"} <= {row["checkpoint"] for row in rows_of(folder)}


def test_no_row_is_added_to_tables_that_a_session_will_write(folder: Path) -> None:
    before = tables(folder / "results")
    held = lock.hold(folder / "results" / "runs")
    try:
        done = add(folder, write(folder, 0.2))
        assert done.code == 4
        assert "another session uses this folder" in done.err
        assert tables(folder / "results") == before
    finally:
        lock.release(held)


def test_no_file_is_left_in_published_tables(folder: Path) -> None:
    shutil.rmtree(folder / "results" / "runs")
    assert add(folder, write(folder, 0.2)).code in (0, 1)
    left = {path.name for path in (folder / "results").iterdir()}
    assert not {name for name in left if name == "runs" or name.startswith(".")}
