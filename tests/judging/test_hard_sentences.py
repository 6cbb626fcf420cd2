"""The sentences that every run gets wrong: in words, with the file's lines, and in no table."""

import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from builders.commands import harness, imported_by
from builders.own_files import load_file
from builders.records import (
    failed_record,
    keep,
    make_cell,
    make_record,
    predicted_record,
    skipped_record,
)

from harness.inputs import data
from harness.inputs.data import Data
from harness.inputs.hub import Hub
from harness.judging.leaderboard import leaderboard
from harness.report import Published, publish, read_published, render, write_tables
from harness.report.published import as_json
from harness.store.records import DatasetFacts, Record
from harness.suite.plan import Cell
from harness.suite.spec import DatasetSpec

ROWS = 40
MISSED = (1, 4, 9)
"""Positions in the validation split that every run gets wrong."""

SUITE = """
name = "sample"
[dataset]
source = "file"
path = "{name}"
validation_size = 20
[matrix]
checkpoints = ["org/good", "org/other"]
batch_sizes = [16]
learning_rates = [2e-5]
"""


def sentence(number: int) -> str:
    """Return a sentence of the file; one of seven spans two lines where the format lets it."""
    return f"The hare, number {number}{chr(10) if number % 7 == 3 else ' '}sleeps."


def write_csv(path: Path) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["sentence", "label"])
        writer.writerows([sentence(number), number % 2] for number in range(ROWS))


def write_lines(path: Path) -> None:
    rows = [{"sentence": sentence(number), "label": number % 2} for number in range(ROWS)]
    # A blank line after every fifth: a line is not a row's number.
    text = "".join(json.dumps(row) + "\n" + "\n" * (n % 5 == 4) for n, row in enumerate(rows))
    path.write_text(text, encoding="utf-8")


def write_array(path: Path) -> None:
    rows = [{"sentence": sentence(number), "label": number % 2} for number in range(ROWS)]
    path.write_text(json.dumps(rows), encoding="utf-8")


def write_parquet(path: Path) -> None:
    numbers = range(ROWS)
    columns = {"sentence": [sentence(n) for n in numbers], "label": [n % 2 for n in numbers]}
    pq.write_table(pa.table(columns), path)


def csv_line(number: int) -> str:
    """Return where a row of the CSV file begins: after the header and all lines before it."""
    longer = sum("\n" in sentence(before) for before in range(number))
    return f":{2 + number + longer}"


FORMATS: dict[str, tuple[Callable[[Path], None], Callable[[int], str]]] = {
    "data.csv": (write_csv, csv_line),
    "data.jsonl": (write_lines, lambda number: f":{1 + number + number // 5}"),
    "data.json": (write_array, lambda number: f": row {number + 1}"),
    "data.parquet": (write_parquet, lambda number: f": row {number + 1}"),
}


def results(folder: Path, loaded: Data, name: str) -> Published:
    """Write leaderboard.json of two cells that both miss some sentences, and each one besides."""
    split = loaded.splits["validation"]
    labels = np.array(split["label"])
    facts = DatasetFacts(
        name=name,
        origin=loaded.origin,
        fingerprint=loaded.fingerprint,
        train=len(loaded.splits["train"]),
        validation=len(labels),
        test=0,
    )
    cells, records = [], []
    for place, checkpoint in enumerate(("good", "other")):
        cell = make_cell(f"org/{checkpoint}", seeds=(1,), id=f"{checkpoint}-bs16-lr2e-05")
        predicted = labels.copy()
        predicted[list(MISSED)] = 1 - predicted[list(MISSED)]
        predicted[11 + place] = 1 - predicted[11 + place]
        cells.append(cell)
        records.append(predicted_record(cell, 1, labels, predicted[None], dataset=facts))
    published = publish("sample", cells, records)
    folder.mkdir()
    content = as_json(published, leaderboard(cells, records))
    (folder / "leaderboard.json").write_text(content, encoding="utf-8")
    return published


@pytest.mark.parametrize("name", FORMATS)
def test_missed_sentences_come_with_the_file_s_lines(tmp_path: Path, name: str) -> None:
    write, place = FORMATS[name]
    write(tmp_path / name)
    (tmp_path / "s.toml").write_text(SUITE.format(name=name), encoding="utf-8")
    loaded = load_file(tmp_path / name, validation_size=20)
    results(tmp_path / "out", loaded, "file")
    done = harness("mistakes", "out", "--suite", "s.toml", "--json", cwd=tmp_path)
    assert (done.code, done.err) == (0, "")
    found = json.loads(done.out)
    rows = loaded.splits["validation"].select(MISSED)
    assert found["sentences"] == 20
    assert found["cells"] == ["good-bs16-lr2e-05", "other-bs16-lr2e-05"]
    assert found["missed"] == [
        {
            "position": position,
            "place": f"{name}{place(row['idx'])}",
            "label": ("unacceptable", "acceptable")[row["label"]],
            "sentence": row["sentence"],
        }
        for position, row in zip(MISSED, rows, strict=True)
    ]
    assert [sentence(row["idx"]) for row in rows] == [each["sentence"] for each in found["missed"]]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hard")
    write_csv(folder / "data.csv")
    (folder / "s.toml").write_text(SUITE.format(name="data.csv"), encoding="utf-8")
    results(folder / "out", load_file(folder / "data.csv", validation_size=20), "file")
    return folder


def test_people_read_a_table_in_which_a_sentence_is_one_line(made: Path) -> None:
    done = harness("mistakes", "out/leaderboard.json", "--suite", "s.toml", cwd=made)
    first, _, headings, _, *rows = done.out.splitlines()
    assert first == (
        "3 of 20 validation sentences are misclassified by every run of good-bs16-lr2e-05, "
        "other-bs16-lr2e-05"
    )
    assert headings.split() == ["position", "place", "labelled", "sentence"]
    assert [int(row.split()[0]) for row in rows] == list(MISSED)
    assert all("The hare, number" in row for row in rows)


def test_cells_are_chosen_by_their_ids_in_any_form(made: Path) -> None:
    arguments = ("mistakes", "out", "--suite", "s.toml")
    done = harness(*arguments, "--cell", "other-bs16-lr2e-5", "--json", cwd=made)
    assert [each["position"] for each in json.loads(done.out)["missed"]] == [*MISSED, 12]
    done = harness(*arguments, "--cell", "othr-bs16-lr2e-5", "--cell", "goood", cwd=made)
    assert done.code == 4
    assert "--cell: 'othr-bs16-lr2e-5': not a scored cell of out" in done.err
    assert "; did you mean 'other-bs16-lr2e-05'?" in done.err
    assert "--cell: 'goood'" in done.err


def test_an_unknown_cell_and_an_unknown_suite_are_told_at_once(made: Path) -> None:
    done = harness("mistakes", "out", "--suite", "nope", "--cell", "zz", cwd=made)
    cell, suite = done.err.splitlines()
    assert (done.code, cell.startswith("--cell: 'zz': not a scored cell of out")) == (4, True)
    assert "nope: no such suite file" in suite


def test_other_data_than_was_scored_is_refused(made: Path, tmp_path: Path) -> None:
    (tmp_path / "s.toml").write_text(SUITE.format(name="data.csv"), encoding="utf-8")
    text = (made / "data.csv").read_text(encoding="utf-8")
    (tmp_path / "data.csv").write_text(text.replace("number 7", "number seven"), encoding="utf-8")
    done = harness("mistakes", str(made / "out"), "--suite", "s.toml", cwd=tmp_path)
    assert done.code == 4
    assert "file data.csv: not the data that these runs were scored on" in done.err
    assert done.out == ""


def test_a_file_s_runs_need_their_suite(made: Path) -> None:
    done = harness("mistakes", "out", cwd=made)
    assert done.code == 4
    assert "the runs are of file data.csv; name the suite that reads it with --suite" in done.err


def test_before_anything_is_trained_it_says_to_train_first(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    way_out = "train first: `pytest benchmarks/ --suite FILE` writes results/local/NAME/"
    for arguments in (
        ("mistakes", "results/local/mine"),
        ("mistakes", "empty"),
        ("mistakes", "empty/leaderboard.json"),
        ("mistakes", "empty", "--cell", "a-bs16-lr2e-5"),
        ("compare", "a", "b", "--results", "empty"),
    ):
        done = harness(*arguments, cwd=tmp_path)
        assert (done.code, done.out) == (4, "")
        assert "there is no such leaderboard; name another, or if nothing was trained" in done.err
        assert way_out in done.err


@pytest.mark.parametrize("record", [failed_record, skipped_record])
def test_where_no_run_was_scored_it_says_to_train_first(
    tmp_path: Path, record: Callable[[Cell], Record]
) -> None:
    cell = make_cell()
    write_tables(tmp_path, "sample", [cell], [keep(tmp_path, cell, record(cell))])
    for arguments in (
        ("mistakes", "."),
        ("mistakes", ".", "--cell", cell.id),
        ("compare", cell.id, cell.id, "--results", "."),
    ):
        done = harness(*arguments, cwd=tmp_path)
        assert (done.code, done.out) == (4, "")
        assert "no run was scored yet; train first: `pytest benchmarks/ --suite FILE`" in done.err


def test_cells_that_are_not_finished_are_named(tmp_path: Path) -> None:
    cell = make_cell(seeds=(0, 1))
    write_tables(tmp_path, "sample", [cell], [keep(tmp_path, cell, make_record(cell))])
    done = harness("mistakes", ".", cwd=tmp_path)
    assert done.code == 4
    assert (
        "no cell has scores of all its runs yet; finish them with `pytest benchmarks/`" in done.err
    )
    assert f"--cell ID ({cell.id})" in done.err


def test_no_table_holds_a_sentence_whatever_the_data(made: Path) -> None:
    contents = render(read_published(made / "out" / "leaderboard.json"))
    assert {"leaderboard.json", "leaderboard.html", "leaderboard.md"} < set(contents)
    for name, content in contents.items():
        assert b"The hare" not in content, name
    told = contents["leaderboard.md"].decode()
    assert "their positions in the split, from 0: 1, 4, 9." in told
    assert "`harness mistakes` with this folder prints the sentences" in told


def test_the_embedded_corpus_is_always_at_hand(tmp_path: Path) -> None:
    source = data.find(DatasetSpec(source="embedded"), None, Hub("", False, ""), tmp_path)
    loaded = data.load(source)
    results(tmp_path / "out", loaded, "embedded")
    done = harness("mistakes", "out", "--json", cwd=tmp_path)
    missed = json.loads(done.out)["missed"]
    expected = loaded.splits["validation"].select(MISSED)["sentence"]
    assert [each["sentence"] for each in missed] == list(expected)
    assert {each["place"] for each in missed} == {None}


@pytest.mark.parametrize("layout", ["own", "glue"])
def test_cola_s_lines_are_those_of_its_files(tmp_path: Path, layout: str) -> None:
    parts = {"in_domain_dev.tsv": 527, "out_of_domain_dev.tsv": 516}
    own = {"raw/in_domain_train.tsv": 8551, **{f"raw/{name}": n for name, n in parts.items()}}
    files = own if layout == "own" else {"train.tsv": 8551, "dev.tsv": 1043}
    for name, count in files.items():
        path = tmp_path / "cola" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(f"s\t{n % 2}\t\t{name} {n + 1}\n" for n in range(count)))
    spec = DatasetSpec(source="cola")
    source = data.find(spec, tmp_path / "cola", Hub("", False, ""), tmp_path)
    loaded = data.load(source)
    split = loaded.splits["validation"]
    places = data.places(source, "validation", split["idx"])
    assert len(places) == 1043
    for place, text in zip(places, split["sentence"], strict=True):
        file, line = text.split()
        found, _, number = place.rpartition(":")
        assert (Path(found).resolve(), number) == ((tmp_path / "cola" / file).resolve(), line)
    results(tmp_path / "out", loaded, "cola")
    done = harness("mistakes", "out", "--cola-dir", "cola", cwd=tmp_path)
    assert done.code == 0
    first = next(iter(files if layout == "glue" else parts))
    dev = "dev.tsv" if layout == "glue" else f"raw/{first}"
    assert f"cola/{dev}:2 " in done.out
    assert f"{dev} 2" in done.out
    assert dev not in (tmp_path / "out" / "leaderboard.json").read_text(encoding="utf-8")


def test_the_help_imports_nothing_heavy(tmp_path: Path) -> None:
    _, modules = imported_by("mistakes", "--help", cwd=tmp_path)
    assert not {"torch", "transformers", "datasets", "ray", "scipy"} & modules
