"""What a leaderboard shows of given splits: the MCC of each name, the suite file, no folders."""

import json
from pathlib import Path
from typing import Any

import pytest
from builders.records import EMBEDDED, make_cell, make_record

from harness.inputs.split_files import origin, without_folders
from harness.judging.leaderboard import leaderboard
from harness.report import publish, read_published, render
from harness.report.locations import find_locations
from harness.report.published import as_json
from harness.report.suite_file import suite_files
from harness.session.options import Chosen, planned_suites
from harness.session.read_files import read_files
from harness.store.records import Scores
from harness.suite.plan import make_plan
from harness.suite.spec import DatasetSpec, Suite, load_suite

MATRIX = 'matrix = { checkpoints = ["org/a"], batch_sizes = [8], learning_rates = [1e-4] }\n'


def scores(mcc: float) -> Scores:
    return Scores(mcc=mcc, accuracy=0.5, f1=0.5)


def cells_of(line: str) -> list[str]:
    return [field.strip() for field in line.strip("|").split("|")]


def test_the_mcc_of_each_name_is_shown_apart() -> None:
    best, other = make_cell("org/best", seeds=(0, 1)), make_cell("org/other", seeds=(0,))
    records = [
        make_record(best, 0, 0.6, scores_by_domain={"near": scores(0.7), "far_off": scores(0.2)}),
        make_record(best, 1, 0.6, scores_by_domain={"near": scores(0.8), "far_off": scores(0.4)}),
        make_record(
            other, 0, 0.5, scores_by_domain={"near": scores(0.55)}, scores_test=scores(0.1)
        ),
    ]
    published = publish("sample", [best, other], records)
    files = render(published)
    document = files["leaderboard.md"].decode()
    part = document.partition("## MCC by part of the data\n\n")[2].partition("\n\n## ")[0]
    caption, table = part.split("\n\n")[:2]
    named = [f"the validation sentences named {name}" for name in ("near", "far_off")]
    assert f"on {' and on '.join(named)}, ±" in caption
    heading, _, first, second = table.splitlines()
    assert [name.replace("\\", "") for name in cells_of(heading)][3:] == [
        "near MCC",
        "far_off MCC",
    ]
    assert cells_of(first)[3:] == ["0.750 ± 0.071", "0.300 ± 0.141"]
    assert cells_of(second)[3:] == ["0.550", "-"]
    page = files["leaderboard.html"].decode()
    section = page[page.index('<section id="domains">') :].partition("</section>")[0]
    for text in ("near", "far_off", "0.750", "± 0.141", "0.550"):
        assert text in section
    content = json.loads(files["leaderboard.json"])
    assert content["records"][0]["scores_by_domain"]["far_off"]["mcc"] == 0.2


def test_a_name_like_a_domain_of_cola_has_one_column() -> None:
    cell = make_cell(seeds=(0,))
    record = make_record(cell, scores_by_domain={"out-of-domain": scores(0.2)})
    document = render(publish("sample", [cell], [record]))["leaderboard.md"].decode()
    assert document.count("out-of-domain MCC") == 1


SPECS: list[dict[str, Any]] = [
    {"train": "a.csv"},
    {"train": ["../x/a.csv", "/data/b.jsonl.gz"], "validation": "~/dev/v.tsv", "quoting": "none"},
    {"train": "d/train.csv", "validation": {"in-domain": "d/i.csv", "b": ["d/o.csv", "p.csv"]},
     "test": ["d/t.csv"], "label_column": "ok", "class_names": ["no", "yes"]},
    {"train": "train/data.csv", "validation": "dev/data.csv", "test": "/home/me/test/data.csv"},
]  # fmt: skip


@pytest.mark.parametrize("keys", SPECS)
def test_the_suite_file_names_the_same_splits_without_folders(
    keys: dict[str, Any], tmp_path: Path
) -> None:
    spec = DatasetSpec(source="file", **keys)
    suite = Suite.model_validate(
        {
            "name": "mine",
            "dataset": {"source": "file", **keys},
            "matrix": {"checkpoints": ["org/a"], "batch_sizes": [8], "learning_rates": [1e-4]},
        }
    )
    cells = make_plan(suite)
    facts = EMBEDDED.model_copy(update={"name": "file", "origin": origin(spec)})
    records = [make_record(cell, training=suite.training, dataset=facts) for cell in cells]
    published = publish(suite.name, cells, records, dataset=spec)
    (tmp_path / "leaderboard.json").write_text(as_json(published, leaderboard(cells, records)))
    published = read_published(tmp_path / "leaderboard.json")
    ((_, text),) = suite_files(published)
    (tmp_path / "suite.toml").write_text(text, encoding="utf-8")
    again = load_suite(tmp_path / "suite.toml")
    assert again.dataset == without_folders(spec) == published.dataset
    assert "/home/me" not in text
    assert "~" not in text
    assert text.count("put the file next to this one") == len(
        [name for key in ("train", "validation", "test") for name in _names(keys.get(key))]
    )


def _names(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [name for each in value.values() for name in _names(each)]
    return [value] if isinstance(value, str) else list(value or ())


def test_files_of_one_name_keep_the_folders_that_tell_them_apart() -> None:
    spec = DatasetSpec(source="file", **SPECS[3])
    assert origin(spec) == "files train/data.csv (train), dev/data.csv (validation), " + (
        "test/data.csv (test)"
    )
    assert without_folders(spec).test == ("test/data.csv",)
    many = DatasetSpec(source="file", train=[f"{n}.csv" for n in range(9)], validation="v.csv")
    assert origin(many) == "files 0.csv, 1.csv, 2.csv, 3.csv and 5 more (train), v.csv (validation)"
    deep = DatasetSpec(
        source="file", train=["a/b/x.csv", "c/b/x.csv"], validation="d/x.csv", test="y.csv"
    )
    assert without_folders(deep).train == ("a/b/x.csv", "c/b/x.csv")
    assert without_folders(deep).validation == ("d/x.csv",)
    same = DatasetSpec(source="file", train="a/x.csv", validation=r"b\x.csv")
    assert without_folders(same).validation == ("b/x.csv",)


def suite_of(folder: Path, dataset: str) -> Suite:
    path = folder / "suite.toml"
    path.write_text(f'name = "mine"\n{MATRIX}[dataset]\nsource = "file"\n{dataset}')
    return load_suite(path)


def test_the_location_of_several_files_is_that_of_all_of_them(tmp_path: Path) -> None:
    for name in ("a.csv", "b.csv", "c.csv"):
        (tmp_path / name).touch()
    results = tmp_path / "results"

    def digests(dataset: str) -> frozenset[str]:
        found = find_locations(suite_of(tmp_path, dataset), tmp_path, results, "f").data
        return found.get("f", frozenset())

    both = digests('train = "a.csv"\nvalidation = "b.csv"')
    assert len(both) == 2
    assert both == digests('train = ["./a.csv"]\nvalidation = { x = "b.csv" }')
    assert not both & digests('train = "a.csv"\nvalidation = "c.csv"')
    assert digests('train = "a.csv"') == digests('path = "a.csv"')
    assert digests('train = "a.csv"\nvalidation = "gone.csv"') == frozenset()


def test_a_session_reads_every_file_of_every_split(tmp_path: Path) -> None:
    suite_of(tmp_path, 'train = ["a.csv", "b.csv"]\nvalidation = { x = "c.csv" }\ntest = "d.csv"')
    chosen = Chosen({"suite": ["suite.toml"]}, here=tmp_path, project=tmp_path)
    found = read_files(chosen, planned_suites(chosen))
    assert {(file.name, file.path.name) for file in found} == {
        ("--suite", "suite.toml"),
        ("dataset.train[0]", "a.csv"),
        ("dataset.train[1]", "b.csv"),
        ("dataset.validation.x", "c.csv"),
        ("dataset.test", "d.csv"),
    }
