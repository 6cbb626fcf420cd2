"""Slices in published tables: Markdown, page and JSON, read again, and added afterwards."""

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from builders.commands import harness
from builders.records import keep, make_cell, predicted_record
from builders.waiting import UNREACHABLE
from sklearn.metrics import matthews_corrcoef

from harness.errors import BadInput
from harness.inputs import data
from harness.judging.leaderboard import leaderboard
from harness.report import Published, publish, read_published, render, write_tables
from harness.report.published import as_json
from harness.store.groups import confusion_by
from harness.store.records import DatasetFacts, Record
from harness.store.slices import Slices, make_slices
from harness.suite.gates import SliceThreshold, Thresholds
from harness.suite.spec import DatasetSpec, load_suite

SUITE = """
name = "sample"
[dataset]
source = "file"
path = "data.csv"
validation_size = 120
{more}
[matrix]
checkpoints = ["org/a", "org/b"]
batch_sizes = [16]
learning_rates = [2e-5]
seeds = [1, 2]
"""


def write(folder: Path, more: str) -> Path:
    """Write a file of sentences with a topic, and a suite; return the suite's path."""
    random = np.random.default_rng(0)
    table = pd.DataFrame(
        {
            "sentence": [f"{'word ' * (1 + n % 9)}{n}" for n in range(400)],
            "label": random.integers(0, 2, 400),
            "topic": random.choice(["food", "law | order", "<b>"], 400),
        }
    )
    table.to_csv(folder / "data.csv", index=False)
    table[["sentence", "topic"]].to_csv(folder / "notes.tsv", index=False, sep="\t")
    path = folder / "suite.toml"
    path.write_text(SUITE.format(more=more))
    return path


def board(folder: Path, slices: bool) -> tuple[Published, pd.DataFrame, dict[str, np.ndarray]]:
    """Return a leaderboard of two checkpoints on the file's validation sentences."""
    spec = DatasetSpec(source="file", path="data.csv", validation_size=120)
    loaded = data.load(data.find(spec, None, UNREACHABLE, folder))
    rows = loaded.splits["validation"]
    labels = np.asarray(rows["label"][:])
    topics = pd.read_csv(folder / "data.csv")["topic"].to_numpy()[rows["idx"][:]]
    facts = DatasetFacts(
        name="file",
        origin="file data.csv",
        fingerprint=loaded.fingerprint,
        train=len(loaded.splits["train"]),
        validation=120,
        test=0,
    )
    random = np.random.default_rng(1)
    gates = Thresholds(min_mcc=-1.0)
    if slices:
        gates = Thresholds(min_mcc=-1.0, slice={"topic=<b>": SliceThreshold(min_mcc=0.9)})
    cells = [make_cell(name, seeds=(1, 2), gates=gates) for name in ("org/a", "org/b")]
    given: dict[str, np.ndarray] = {}
    records: list[Record] = []
    for cell, wrong in zip(cells, (0.1, 0.35), strict=True):
        given[cell.checkpoint] = np.where(random.random((2, 120)) < wrong, 1 - labels, labels)
        records += [
            predicted_record(cell, seed, labels, run[None], dataset=facts)
            for seed, run in zip((1, 2), given[cell.checkpoint], strict=True)
        ]
    known = make_slices(loaded.fingerprint, {"topic": topics.tolist()}) if slices else None
    published = publish("sample", cells, records, dataset=spec, slices=known)
    return published, pd.DataFrame({"label": labels, "topic": topics}), given


def json_of(published: Published) -> str:
    return as_json(published, leaderboard(published.cells, published.records))


def test_tables_show_the_scores_of_scikit_learn_side_by_side(tmp_path: Path) -> None:
    write(tmp_path, "")
    published, frame, given = board(tmp_path, slices=True)
    files = render(published)
    document, page = (files[f"leaderboard.{kind}"].decode() for kind in ("md", "html"))
    rows = json.loads(files["leaderboard.json"])["slice_rows"]
    assert len(rows) == 6
    for row in rows:
        part = frame["topic"] == row["value"]
        assert (row["column"], row["sentences"]) == ("topic", part.sum())
        runs = given[row["checkpoint"]]
        mcc = np.mean([matthews_corrcoef(frame["label"][part], run[part]) for run in runs])
        assert row["mcc"] == pytest.approx(mcc, abs=1e-12)
        assert row["mcc_low"] < mcc < row["mcc_high"]
        text = f"{row['mcc']:z.3f} ({row['mcc_low']:z.3f} to {row['mcc_high']:z.3f})"
        assert text in document
        assert text in re.sub("<[^>]+>", "", page).replace("\u2060", "")
    section = document.partition("## MCC by slice")[2]
    header = next(line for line in section.splitlines() if line.startswith("| topic"))
    assert [cell.strip() for cell in header.split("|")[1:-1]] == [
        "topic",
        "sentences",
        "`org/a`",
        "`org/b`",
    ]
    assert (
        "<b>" not in re.sub("<b(?:ody|utton|r)?[^>]*>", "", page.partition("MCC by slice")[2])[:0]
    )
    assert "&lt;b&gt;" in page
    assert "topic=" in document.partition("## Gates")[2].partition("##")[0]


def test_a_column_named_feature_keeps_its_values(tmp_path: Path) -> None:
    write(tmp_path, "")
    published, frame, _ = board(tmp_path, slices=False)
    columns = {
        "feature": frame["topic"].tolist(),
        "question": [str(position % 2) for position in range(len(frame))],
    }
    known = make_slices(published.datasets[0].fingerprint, columns)
    records = published.records
    text = render(publish("sample", published.cells, records, slices=known))["leaderboard.md"]
    section = text.decode().partition("## MCC by slice")[2].partition("\n## ")[0]
    names = [line.split(" | ")[0].strip("| ") for line in section.splitlines() if "`" in line]
    assert {"`food`", "`law \\| order`", "`<b>`", "`question`"} <= set(names)
    assert "`feature`" not in names


def test_a_leaderboard_with_slices_is_read_again(tmp_path: Path) -> None:
    write(tmp_path, "")
    published, _, _ = board(tmp_path, slices=True)
    path = tmp_path / "leaderboard.json"
    path.write_text(json_of(published))
    again = read_published(path)
    assert again.slices == published.slices
    assert json_of(again) == json_of(published)


def test_a_leaderboard_without_slices_has_none_in_its_files(tmp_path: Path) -> None:
    write(tmp_path, "")
    files = render(board(tmp_path, slices=False)[0])
    assert not any(b"slice" in files[f"leaderboard.{kind}"].lower() for kind in ("json", "md"))


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda s: s | {"fingerprint": "0" * 64}, "they are of other data than the records"),
        (lambda s: s | {"sentences": 119}, "slices"),
        (lambda s: s | {"columns": [s["columns"][0]] * 2}, "a column of slices occurs twice"),
        (
            lambda s: s | {"columns": [s["columns"][0] | {"values": ["a", "b"]}]},
            "its members do not fit its values",
        ),
        (lambda s: s | {"columns": [s["columns"][0] | {"members": "4:!"}]}, "not base64"),
    ],
)
def test_changed_slices_are_refused(tmp_path: Path, change: object, expected: str) -> None:
    write(tmp_path, "")
    content = json.loads(json_of(board(tmp_path, slices=True)[0]))
    content["slices"] = change(content["slices"])  # type: ignore[operator]
    path = tmp_path / "leaderboard.json"
    path.write_text(json.dumps(content))
    with pytest.raises(BadInput, match=expected):
        read_published(path)


def test_slices_are_checked_against_the_counts_of_records(tmp_path: Path) -> None:
    write(tmp_path, "")
    published, frame, given = board(tmp_path, slices=False)
    labels, topics = frame["label"].to_numpy(), frame["topic"].tolist()
    records = [
        record.model_copy(update={"confusion_by": {"source": confusion_by(topics, labels, run)}})
        for record, run in zip(
            published.records, [run for runs in given.values() for run in runs], strict=True
        )
    ]
    fingerprint = published.datasets[0].fingerprint
    right = make_slices(fingerprint, {"source": topics})
    wrong = make_slices(fingerprint, {"source": [*topics[1:], topics[0]]})
    path = tmp_path / "leaderboard.json"
    for slices, refused in ((right, False), (wrong, True)):
        board_now = publish("sample", published.cells, records, slices=slices)
        path.write_text(json_of(board_now))
        if refused:
            with pytest.raises(BadInput, match=r"slices: source=.* sentences by label"):
                read_published(path)
        else:
            assert read_published(path).slices == slices


def test_report_adds_slices_to_finished_runs(tmp_path: Path) -> None:
    suite = write(tmp_path, 'annotations = "notes.tsv"')
    published, frame, _ = board(tmp_path, slices=False)
    results = tmp_path / "results" / "sample"
    cells = {cell.id: cell for cell in published.cells}
    stored = [keep(results, cells[record.cell], record) for record in published.records]
    write_tables(results, "sample", published.cells, stored, dataset=published.dataset)
    before = (results / "predictions.parquet").read_bytes()
    ran = harness("report", str(results), "--slices", str(suite))
    assert ran.code == 0, ran.err
    assert "120 of 120 validation sentences annotated" in ran.err
    slices = read_published(results / "leaderboard.json").slices
    assert isinstance(slices, Slices)
    held = {each.name: int(each.chosen.sum()) for each in slices.each()}
    for topic, number in frame["topic"].value_counts().items():
        assert held[f"topic={topic}"] == number
    assert (results / "predictions.parquet").read_bytes() == before
    checked = harness("report", str(results), "--check")
    assert checked.code == 0, checked.out
    compared = harness("compare", "org/a", "org/b", "--results", str(results), "--json")
    (pair,) = json.loads(compared.out)["comparisons"]
    assert {each["name"] for each in pair["slices"]} >= {f"topic={t}" for t in frame["topic"]}


def test_report_refuses_slices_of_other_data(tmp_path: Path) -> None:
    suite = write(tmp_path, 'slice_columns = ["topic"]')
    published, _, _ = board(tmp_path, slices=False)
    (tmp_path / "leaderboard.json").write_text(json_of(published))
    lines = (tmp_path / "data.csv").read_text().splitlines()
    (tmp_path / "data.csv").write_text("\n".join(lines[:-1]))
    ran = harness("report", str(tmp_path), "--slices", str(suite))
    assert ran.code == 4
    assert "is not the data of these runs" in ran.err
    both = harness("report", str(tmp_path), "--slices", str(suite), "--check")
    assert "leave out one" in both.err


def test_report_refuses_slices_whose_groups_are_not_those_of_the_records(tmp_path: Path) -> None:
    suite = write(tmp_path, 'group_column = "author"')
    table = pd.read_csv(tmp_path / "data.csv")
    table["author"] = [f"writer {number % 20}" for number in range(400)]
    table["other"] = [f"writer {number // 20}" for number in range(400)]
    table.to_csv(tmp_path / "data.csv", index=False)
    loaded = data.load(data.find(load_suite(suite).dataset, None, UNREACHABLE, tmp_path))
    rows = loaded.splits["validation"]
    labels, chosen = np.asarray(rows["label"][:]), table.iloc[rows["idx"][:]]
    facts = DatasetFacts(
        name="file",
        origin="file data.csv",
        fingerprint=loaded.fingerprint,
        train=len(loaded.splits["train"]),
        validation=labels.size,
        test=0,
    )
    cell = make_cell("org/a", seeds=(1,))
    for column, code in (("author", 0), ("other", 4)):
        counts = {"source": confusion_by(chosen[column].tolist(), labels, labels)}
        record = predicted_record(cell, 1, labels, labels[None], dataset=facts)
        known = record.model_copy(update={"confusion_by": counts})
        file = tmp_path / "leaderboard.json"
        file.write_text(json_of(publish("sample", [cell], [known])))
        before = file.read_bytes()
        ran = harness("report", str(tmp_path), "--slices", str(suite))
        assert ran.code == code, ran.err
        if code == 0:
            assert read_published(file).slices is not None
        else:
            assert "but the record of" in ran.err
            assert "group_column" in ran.err
            assert file.read_bytes() == before
