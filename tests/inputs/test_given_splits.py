"""Splits given as files: held against pandas' reading; every mistake in all files at once."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from builders.own_files import problems_of
from builders.waiting import UNREACHABLE
from datasets import ClassLabel, Dataset, Features, Value

from harness.errors import BadInput
from harness.inputs import data
from harness.inputs.data import rows
from harness.inputs.data.sentences import read_column
from harness.inputs.data.summary import summarize
from harness.inputs.data.table import Wanted
from harness.suite.spec import DatasetSpec, load_suite


def frame(count: int, start: int = 0, ones: int | None = None) -> pd.DataFrame:
    """Make sentences that no other range has, the first `ones` (by default half) of class 1."""
    numbers = range(start, start + count)
    ones = count // 2 if ones is None else ones
    return pd.DataFrame(
        {
            "sentence": [f'Sentence {n}, "quoted"; über Öfen.' for n in numbers],
            "label": [int(n - start < ones) for n in numbers],
            "extra": "x",
        }
    )


TRAIN, INSIDE, OUTSIDE, TEST = frame(40), frame(10, 100), frame(8, 200, ones=3), frame(6, 300)
HIDDEN = TEST[["sentence", "extra"]]

WRITERS: dict[str, Callable[[pd.DataFrame, Path], Any]] = {
    ".csv": lambda table, path: table.to_csv(path, index=False),
    ".tsv": lambda table, path: table.to_csv(path, index=False, sep="\t"),
    ".json": lambda table, path: table.to_json(path, orient="records"),
    ".jsonl": lambda table, path: table.to_json(path, orient="records", lines=True),
    ".csv.gz": lambda table, path: table.to_csv(path, index=False),
    ".tsv.gz": lambda table, path: table.to_csv(path, index=False, sep="\t"),
    ".json.gz": lambda table, path: table.to_json(path, orient="records"),
    ".jsonl.gz": lambda table, path: table.to_json(path, orient="records", lines=True),
    ".parquet": lambda table, path: table.to_parquet(path, index=False),
}
READERS: dict[str, Callable[[Path], pd.DataFrame]] = {
    ".csv": pd.read_csv,
    ".tsv": lambda path: pd.read_csv(path, sep="\t"),
    ".json": pd.read_json,
    ".jsonl": lambda path: pd.read_json(path, lines=True),
    ".parquet": pd.read_parquet,
}  # pandas infers gzip from the name


def write(folder: Path, **tables: pd.DataFrame | str) -> None:
    """Write files by name; `a__csv` is a.csv."""
    for name, content in tables.items():
        path = folder / name.replace("__", ".")
        suffix = "".join(path.suffixes)
        if isinstance(content, str):
            path.write_text(content, encoding="utf-8")
        else:
            WRITERS[suffix](content, path)


def source_of(folder: Path, **keys: Any) -> data.Source:
    return data.find(DatasetSpec(source="file", **keys), None, UNREACHABLE, folder)


def load(folder: Path, **keys: Any) -> data.Data:
    return data.load(source_of(folder, **keys))


def rows_of(loaded: data.Data, split: str) -> list[tuple[str, int]]:
    chosen = loaded.splits[split]
    return list(zip(chosen["sentence"], chosen["label"], strict=True))


def of_frame(*tables: pd.DataFrame) -> list[tuple[str, int]]:
    joined = pd.concat(tables, ignore_index=True)
    return list(zip(joined["sentence"], joined["label"], strict=True))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with every split in a file of its own."""
    write(tmp_path, train__csv=TRAIN, in__csv=INSIDE, out__csv=OUTSIDE, test__csv=TEST)
    return tmp_path


# What is read


@pytest.mark.parametrize("suffix", WRITERS)
def test_every_split_is_what_pandas_reads(suffix: str, tmp_path: Path) -> None:
    tables = {"train": TRAIN, "in": INSIDE, "out": OUTSIDE, "test": TEST}
    for name, table in tables.items():
        WRITERS[suffix](table, tmp_path / f"{name}{suffix}")
    loaded = load(
        tmp_path,
        train=f"train{suffix}",
        validation={"in-domain": f"in{suffix}", "out-of-domain": [f"out{suffix}"]},
        test=[f"test{suffix}"],
    )
    read = {
        name: READERS[suffix.removesuffix(".gz")](tmp_path / f"{name}{suffix}") for name in tables
    }
    assert rows_of(loaded, "train") == of_frame(read["train"])
    assert rows_of(loaded, "validation") == of_frame(read["in"], read["out"])
    assert rows_of(loaded, "test") == of_frame(read["test"])
    validation = loaded.splits["validation"]
    assert validation["idx"][:] == list(range(18))
    assert validation["domain"][:] == ["in-domain"] * 10 + ["out-of-domain"] * 8
    assert set(loaded.splits["train"]["domain"]) == set(loaded.splits["test"]["domain"]) == {""}
    assert validation.features["label"] == ClassLabel(names=["unacceptable", "acceptable"])
    assert loaded.notes == ()
    names = f"in{suffix}, out{suffix} (validation), test{suffix} (test)"
    assert loaded.origin == f"files train{suffix} (train), {names}"


def test_lists_are_joined_in_order_and_formats_may_differ(tmp_path: Path) -> None:
    write(tmp_path, a__json=INSIDE, b__csv__gz=TRAIN, c__tsv=OUTSIDE, v__parquet=TEST)
    loaded = load(tmp_path, train=["c.tsv", "a.json", "b.csv.gz"], validation="v.parquet")
    assert rows_of(loaded, "train") == of_frame(OUTSIDE, INSIDE, TRAIN)
    assert rows_of(loaded, "validation") == of_frame(TEST)
    assert set(loaded.splits) == {"train", "validation"}


def test_the_format_of_the_files_is_not_part_of_the_fingerprint(tmp_path: Path) -> None:
    fingerprints = set()
    for suffix in WRITERS:
        for name, table in {"t": TRAIN, "v": INSIDE}.items():
            WRITERS[suffix](table, tmp_path / f"{name}{suffix}")
        loaded = load(tmp_path, train=f"t{suffix}", validation={"any": f"v{suffix}"})
        fingerprints.add(loaded.fingerprint)
    loaded = load(tmp_path, train="t.csv", validation="v.csv")  # nor are the domains' names
    assert fingerprints == {loaded.fingerprint}


@pytest.mark.parametrize("sizes", [{}, {"validation_size": 8}, {"test_size": 0.25}])
def test_a_training_file_alone_is_split_as_a_path_is(folder: Path, sizes: dict[str, Any]) -> None:
    given, path = load(folder, train="train.csv", **sizes), load(folder, path="train.csv", **sizes)
    assert given.fingerprint == path.fingerprint
    assert given.origin == path.origin == "file train.csv"
    assert all(given.splits[name][:] == path.splits[name][:] for name in path.splits)


@pytest.mark.parametrize(
    ("keys", "drawn", "size"),
    [
        ({"test": "test.csv", "validation_size": 0.25}, "validation", 0.25),
        ({"test": "test.csv"}, "validation", 0.1),
        ({"validation": "in.csv", "test_size": 12}, "test", 12),
    ],
)
def test_only_what_is_not_given_is_drawn(
    keys: dict[str, Any], drawn: str, size: float, folder: Path
) -> None:
    features = Features({"sentence": Value("string"), "label": ClassLabel(num_classes=2)})
    whole = pd.concat([TRAIN, OUTSIDE], ignore_index=True)[["sentence", "label"]]
    halves = Dataset.from_dict(whole.to_dict("list"), features=features).train_test_split(
        test_size=size, seed=3, stratify_by_column="label"
    )
    loaded = load(folder, train=["train.csv", "out.csv"], split_seed=3, **keys)
    assert set(loaded.splits) == {"train", "validation", "test"}
    assert loaded.splits["train"]["sentence"][:] == halves["train"]["sentence"][:]
    assert loaded.splits[drawn]["sentence"][:] == halves["test"]["sentence"][:]
    given = "test" if drawn == "validation" else "validation"
    assert rows_of(loaded, given) == of_frame(TEST if given == "test" else INSIDE)


def test_nothing_is_drawn_for_a_test_split_that_nobody_asks_for(folder: Path) -> None:
    loaded = load(folder, train="train.csv", validation="in.csv", validation_size=0)
    assert set(loaded.splits) == {"train", "validation"}
    assert rows_of(loaded, "train") == of_frame(TRAIN)


def test_every_sentence_has_its_place(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    source = source_of(
        folder, train=["train.csv", "out.csv"], validation={"a": "in.csv"}, test_size=6
    )
    splits = data.load(source).splits
    assert data.places(source, "validation", splits["validation"]["idx"])[:2] == [
        "in.csv:2",
        "in.csv:3",
    ]
    for split in ("train", "test"):  # drawn from the training files
        drawn = splits[split]
        places = data.places(source, split, drawn["idx"])
        for place, sentence in zip(places, drawn["sentence"], strict=True):
            name, _, line = place.partition(":")
            assert pd.read_csv(name)["sentence"][int(line) - 2] == sentence


def test_the_summary_counts_the_domains(folder: Path) -> None:
    loaded = load(folder, train="train.csv", validation={"near": "in.csv", "far": "out.csv"})
    _, validation = summarize(loaded.rows, loaded.class_names)
    assert validation.in_words().startswith("18 sentences (10 near, 8 far): 10 of class 0 (unac")


def test_a_compressed_table_can_be_classified(tmp_path: Path) -> None:
    WRITERS[".tsv.gz"](TEST, tmp_path / "new.tsv.gz")
    found = read_column(tmp_path / "new.tsv.gz", Wanted("sentence"))
    assert found == list(TEST["sentence"])


# Test splits without labels


@pytest.mark.parametrize("suffix", WRITERS)
@pytest.mark.parametrize("label", ["no column", "-1", "empty"])
def test_a_test_split_without_labels_is_hidden(label: str, suffix: str, tmp_path: Path) -> None:
    values = {"-1": -1, "empty": None}
    hidden = HIDDEN if label == "no column" else HIDDEN.assign(label=values[label])
    WRITERS[suffix](hidden, tmp_path / f"test{suffix}")
    write(tmp_path, train__csv=TRAIN, dev__csv=INSIDE)
    loaded = load(tmp_path, train="train.csv", validation="dev.csv", test=f"test{suffix}")
    assert rows_of(loaded, "test") == [(text, -1) for text in HIDDEN["sentence"]]
    assert loaded.splits["test"]["idx"][:] == list(range(6))
    (note,) = loaded.notes
    reason = "no column 'label'" if label == "no column" else "empty or hidden labels"
    assert note == f"dataset.test has {reason}: its 6 test sentences are predicted, and not scored"


def test_one_sentence_without_a_label_is_a_test_split(tmp_path: Path) -> None:
    write(tmp_path, train__csv=TRAIN, dev__csv=INSIDE, test__jsonl='{"sentence": "One."}\n')
    loaded = load(tmp_path, train="train.csv", validation="dev.csv", test="test.jsonl")
    assert rows_of(loaded, "test") == [("One.", -1)]


def test_a_class_may_be_called_like_a_hidden_label(tmp_path: Path) -> None:
    names = {0: -1, 1: 1}
    tables = {name: table.assign(label=table["label"].map(names)) for name, table in
              {"train": TRAIN, "dev": INSIDE, "test": TEST}.items()}  # fmt: skip
    for name, table in tables.items():
        table.to_csv(tmp_path / f"{name}.csv", index=False)
    keys = {split: f"{name}.csv" for split, name in
            {"train": "train", "validation": "dev", "test": "test"}.items()}  # fmt: skip
    loaded = load(tmp_path, class_names=("-1", "1"), **keys)
    assert rows_of(loaded, "test") == of_frame(TEST)


def test_hidden_labels_are_for_test_only(tmp_path: Path) -> None:
    write(tmp_path, train__csv=TRAIN.assign(label=-1), dev__csv=HIDDEN.assign(label=-1))
    train, dev = problems_of(lambda: load(tmp_path, train="train.csv", validation="dev.csv"))
    assert train.startswith(f"{tmp_path / 'train.csv'}:2: column 'label': '-1' (40 rows, the first")
    assert dev.startswith(
        f"{tmp_path / 'dev.csv'}:2: column 'label': '-1' (6 rows, the first here)"
    )


@pytest.mark.parametrize("in_two_files", [True, False])
def test_some_hidden_labels_are_refused(in_two_files: bool, folder: Path) -> None:
    labelled = OUTSIDE.assign(label=OUTSIDE["label"].astype(object))
    if in_two_files:
        write(folder, hidden__csv=HIDDEN, more__csv=labelled)
        files: Any = ["more.csv", "hidden.csv"]
        first = f"{folder / 'hidden.csv'}:2"
    else:
        rows = pd.concat([labelled, HIDDEN.assign(label=None)], ignore_index=True)
        write(folder, both__csv=rows)
        files, first = "both.csv", f"{folder / 'both.csv'}:10"
    (problem,) = problems_of(
        lambda: load(folder, train="train.csv", validation="in.csv", test=files)
    )
    assert problem.startswith(f"{first}: dataset.test: the label is missing, as in 6 test sentence")
    assert "but 8 have one" in problem


# The example

ROOT = Path(__file__).parents[2]


def test_the_example_that_is_shown_is_the_one_of_the_file() -> None:
    text = (ROOT / "examples" / "rucola" / "rucola.toml").read_text(encoding="utf-8")
    assert f"```toml\n{text}```\n" in (ROOT / "docs" / "own-data.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "column", "files"),
    [
        (
            "rucola",
            "acceptable",
            ["in_domain_train.csv", "in_domain_dev.csv", "out_of_domain_dev.csv", "test.csv"],
        ),
        (
            "jcola",
            "label",
            ["in_domain_train.tsv", "in_domain_valid.tsv", "out_of_domain_valid.tsv"],
        ),
    ],
)
def test_an_example_reads_a_corpus_where_it_is(
    name: str, column: str, files: list[str], tmp_path: Path
) -> None:
    suite = ROOT / "examples" / name / f"{name}.toml"
    text = suite.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 12
    corpus, copy = tmp_path / "shared/corpora" / name, tmp_path / "checkout/examples" / name
    for made in (corpus, copy):
        made.mkdir(parents=True)
    (copy / suite.name).write_text(text, encoding="utf-8")
    for file, table in zip(files, (TRAIN, INSIDE, OUTSIDE, HIDDEN), strict=False):
        WRITERS[Path(file).suffix](table.rename(columns={"label": column}), corpus / file)
    loaded = data.load(data.find(load_suite(copy / suite.name).dataset, None, UNREACHABLE, copy))
    assert rows_of(loaded, "train") == of_frame(TRAIN)
    assert rows_of(loaded, "validation") == of_frame(INSIDE, OUTSIDE)
    assert set(loaded.splits["validation"]["domain"]) == {"in-domain", "out-of-domain"}
    hidden = loaded.splits["test"]["label"][:] if "test" in loaded.splits else []
    assert hidden == [-1] * (6 if "test.csv" in files else 0)


def test_a_placeholder_is_no_hidden_label(folder: Path) -> None:
    write(folder, test__csv=HIDDEN.assign(label="?"))
    (problem,) = problems_of(
        lambda: load(folder, train="train.csv", validation="in.csv", test="test.csv")
    )
    assert problem.startswith(f"{folder / 'test.csv'}:2: column 'label': '?' (6 rows, the first")
    assert problem.endswith("; -1 or no value if it is hidden")


# What is wrong


def test_a_label_that_train_never_has_is_named_once_with_its_rows(folder: Path) -> None:
    own, other = {0: "bad", 1: "good"}, {0: "bad", 1: "fine"}
    for name, table, names in (
        ("train", TRAIN, own),
        ("in", INSIDE, other),
        ("out", OUTSIDE, own),
    ):
        table.assign(label=table["label"].map(names)).to_csv(folder / f"{name}.csv", index=False)
    (problem,) = problems_of(
        lambda: load(
            folder,
            train="train.csv",
            validation={"near": "in.csv", "far": "out.csv"},
            class_names=("bad", "good"),
        )
    )
    assert problem == (
        f"{folder / 'in.csv'}:2: column 'label': 'fine' (5 rows, the first here); a label is 0 "
        "(bad) or 1 (good)"
    )


def test_a_class_that_train_lacks_is_named_with_where_it_is(folder: Path) -> None:
    write(folder, train__csv=frame(40, ones=0))
    (problem,) = problems_of(lambda: load(folder, train="train.csv", validation="in.csv"))
    assert problem == (
        f"{folder / 'train.csv'}: dataset.train: 40 sentences (40 unacceptable, 0 acceptable); a "
        "labelled split needs at least 2 of each class: add sentences, or name other files. "
        f"dataset.validation has 5 of class 'acceptable', the first at {folder / 'in.csv'}:2"
    )


@pytest.mark.parametrize("split", ["train", "validation", "test"])
@pytest.mark.parametrize("ones", [0, 1, 9, 10])
def test_a_class_of_fewer_than_two_sentences_is_refused(
    split: str, ones: int, folder: Path
) -> None:
    write(folder, few__csv=frame(10, 500, ones=ones))
    keys = {"train": "train.csv", "validation": "in.csv", "test": "test.csv", split: "few.csv"}
    (problem,) = problems_of(lambda: load(folder, **keys))
    seen = f"10 sentences ({10 - ones} unacceptable, {ones} acceptable)"
    assert problem.startswith(f"{folder / 'few.csv'}: dataset.{split}: {seen}; a labelled split")


def test_too_few_sentences_to_draw_from_are_refused(folder: Path) -> None:
    keys = {"train": ["in.csv", "out.csv"], "validation": "train.csv", "test_size": 17}
    (problem,) = problems_of(lambda: load(folder, **keys))
    assert problem == (
        "dataset.train (2 files): 18 sentences (10 unacceptable, 8 acceptable) cannot give 17 for "
        "test with at least 2 of each class in every split; add sentences, or change "
        "dataset.test_size"
    )


def test_a_domain_of_one_class_is_noted(folder: Path) -> None:
    write(folder, ones__csv=frame(5, 700, ones=5))
    loaded = load(folder, train="train.csv", validation={"a": "in.csv", "b": "ones.csv"})
    assert loaded.notes == (
        "all 5 sentences of dataset.validation.b are of class 'acceptable': they have no MCC of "
        "their own, and count in that of all",
    )


def test_sentences_that_are_also_training_sentences_are_counted(folder: Path) -> None:
    write(folder, dev__csv=pd.concat([INSIDE, TRAIN[:3]]), hidden__csv=HIDDEN)
    write(folder, test__csv=pd.concat([TEST, TRAIN[5:6], INSIDE[:2]]))
    loaded = load(folder, train="train.csv", validation="dev.csv", test="test.csv")
    assert loaded.notes == (
        "3 of 13 validation sentences are also in dataset.train",
        "1 of 9 test sentences is also in dataset.train",
        "2 of 9 test sentences are also in dataset.validation",
    )


@pytest.mark.parametrize("way", ["same", "dot", "link", "hard link", "copy", "compressed"])
@pytest.mark.parametrize("where", ["train", "validation", "test", "domain"])
def test_the_same_file_given_twice_is_refused(way: str, where: str, folder: Path) -> None:
    other = {"same": "in.csv", "dot": "./in.csv", "compressed": "again.csv.gz"}.get(
        way, "again.csv"
    )
    match way:
        case "link":
            (folder / other).symlink_to(folder / "in.csv")
        case "hard link":
            (folder / other).hardlink_to(folder / "in.csv")
        case "copy":
            (folder / other).write_bytes((folder / "in.csv").read_bytes())
        case "compressed":
            (folder / other).write_bytes(gzip.compress((folder / "in.csv").read_bytes()))
    ways: dict[str, dict[str, Any]] = {
        "train": {"train": ["in.csv", "train.csv", other], "validation": "out.csv"},
        "validation": {"train": ["train.csv", "in.csv"], "validation": other},
        "test": {"train": "train.csv", "validation": "in.csv", "test": other},
        "domain": {"train": "train.csv", "validation": {"a": "in.csv", "b": other}},
    }
    first = {"train": "train[0]", "validation": "train[1]", "test": "validation"}
    (problem,) = problems_of(lambda: load(folder, **ways[where]))
    found = {"train": "train[2]", "domain": "validation.b"}.get(where, where)
    assert problem.startswith(f"{folder / other}: dataset.{found} ")
    assert f"dataset.{first.get(where, 'validation.a')}" in problem
    assert "name every file once" in problem


def test_all_mistakes_in_all_files_are_reported_at_once(folder: Path) -> None:
    INSIDE.rename(columns={"label": "ok"}).to_csv(folder / "renamed.csv", index=False)
    write(folder, empty__csv="sentence,label\n", blank__json="[]", few__csv=frame(9, 900, ones=1))
    write(folder, test__csv=TEST.assign(label="maybe"))
    (folder / "data.xls").write_text("x")
    (folder / "cut.csv.gz").write_bytes(gzip.compress(b"sentence,label\n" * 99)[:-9])
    keys: dict[str, Any] = {
        "train": ["train.csv", "gone.csv", "empty.csv", "data.xls", "blank.json"],
        "validation": {"a": "renamed.csv", "b": "in.csv", "c": ["out.csv", "./in.csv"]},
        "test": ["test.csv", "cut.csv.gz"],
    }
    expected = [
        "gone.csv: no such file; dataset.train[1] must be a file of labelled sentences",
        "empty.csv: no rows",
        "data.xls: extension '.xls'; allowed are .csv, .tsv, .jsonl, .json, .parquet, each also",
        "blank.json: an empty JSON array",
        "renamed.csv: no column 'label'; there are 'sentence', 'ok', 'extra'",
        "in.csv: dataset.validation.c[1] is the same file as dataset.validation.b",
        "test.csv:2: column 'label': 'maybe' (6 rows, the first here)",
        "cut.csv.gz: not a complete gzip file",
    ]
    found = problems_of(lambda: source_of(folder, **keys))
    assert len(found) == len(expected)
    for problem, start in zip(found, expected, strict=True):
        assert problem.replace("./", "").startswith(f"{folder}/{start}"), problem


def test_splits_are_checked_although_another_split_cannot_be_read(folder: Path) -> None:
    write(folder, few__csv=frame(9, 900, ones=1), bad__csv="sentence,label\n,1\n")
    found = problems_of(
        lambda: load(folder, train="few.csv", validation="bad.csv", test="test.csv")
    )
    assert [problem.partition(": ")[0] for problem in found] == [
        f"{folder / 'bad.csv'}:2",
        f"{folder / 'few.csv'}",
    ]


@pytest.mark.parametrize("missing", ["label", "sentence"])
@pytest.mark.parametrize("split", ["train", "validation"])
def test_a_column_missing_in_one_file_of_three_is_named(
    split: str, missing: str, folder: Path
) -> None:
    write(folder, one__csv=frame(9, 800), two__csv=frame(9, 850).drop(columns=missing))
    keys: dict[str, Any] = {"train": "train.csv", "validation": "in.csv"}
    keys[split] = [keys[split], "one.csv", "two.csv"]
    (problem,) = problems_of(lambda: load(folder, **keys))
    assert problem.startswith(f"{folder / 'two.csv'}: no column '{missing}'; there are ")


# Compressed files


@pytest.mark.parametrize("name", ["a.csv.gz", "a.json.gz", "a.GZ"])
def test_a_file_that_is_not_compressed_as_its_name_says_is_refused(name: str, folder: Path) -> None:
    (folder / name).write_bytes(b"sentence,label\nA.,1\n")
    (problem,) = problems_of(lambda: load(folder, path=name))
    if name == "a.GZ":
        assert problem.startswith(f"{folder / name}: extension '.GZ'; allowed are .csv, ")
    else:
        assert problem.startswith(f"{folder / name}: not a complete gzip file (Not a gzipped file")
        assert problem.endswith("remove .gz from its name if it is not compressed")


def test_damage_of_a_compressed_file_is_named(folder: Path) -> None:
    whole = gzip.compress((folder / "train.csv").read_bytes())
    for damaged in (whole[:20], whole[:-4], whole[:40] + b"\0\0\0\0" + whole[44:], b""):
        (folder / "bad.csv.gz").write_bytes(damaged)
        (problem,) = problems_of(lambda: load(folder, path="bad.csv.gz"))
        assert problem.startswith(f"{folder / 'bad.csv.gz'}: ")
        assert "gzip" in problem or "empty" in problem


def test_a_compressed_file_that_expands_too_far_is_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rows, "MOST_BYTES", 2**10)
    (folder / "big.csv.gz").write_bytes(gzip.compress(b"sentence,label\n" + b"A.,1\n" * 999))
    (problem,) = problems_of(lambda: load(folder, path="big.csv.gz"))
    assert "GiB of decompressed content; decompress it, or write fewer sentences" in problem


def test_lines_of_a_compressed_file_are_those_of_its_content(folder: Path) -> None:
    (folder / "bad.csv.gz").write_bytes(gzip.compress(b"sentence,label\nA.,1\nB.,2\nC.,0\nD.,0\n"))
    (problem,) = problems_of(lambda: load(folder, path="bad.csv.gz"))
    assert problem.startswith(f"{folder / 'bad.csv.gz'}:3: column 'label': '2'")


# The keys of a suite

SUITE = """name = "mine"
matrix = {{ checkpoints = ["a"], batch_sizes = [8], learning_rates = [1e-4] }}
[dataset]
{}
"""


def told(folder: Path, lines: str) -> list[str]:
    path = folder / "suite.toml"
    path.write_text(SUITE.format(lines), encoding="utf-8")
    try:
        load_suite(path)
    except BadInput as error:
        return [problem.removeprefix(f"{path}: ") for problem in error.problems]
    return []


FILE = 'source = "file"\n'


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (f'{FILE}train = "a.csv"', []),
        (f'{FILE}train = ["a.csv", "b.json.gz"]\ntest = "c.tsv"\ndelimiter = ";"', []),
        (
            f'{FILE}train = "a.csv"\nvalidation = {{a = "b.csv", c-d = ["e.csv"]}}\ntest_size = 0',
            [],
        ),
        (FILE, ['dataset.path: source = "file" needs path = "FILE"']),
        (f"{FILE}train = []", ["dataset.train: []: input should not be empty"]),
        (f'{FILE}train = ""', ["dataset.train: '': input should not be empty"]),
        (f'{FILE}train = ["a.csv", 1]', ["dataset.train: ['a.csv', 1]: input should be the name"]),
        (f'{FILE}train = {{a = "b.csv"}}', ["dataset.train: input should be the name of a file"]),
        (f'{FILE}train = "a.csv"\nvalidation = 3', ["dataset.validation: 3: input should be the"]),
        (f'{FILE}train = "a.csv"\nvalidation = {{}}', ["dataset.validation: input should not be"]),
        (f'{FILE}train = "a.csv"\nvalidation = {{a = 1}}', ["dataset.validation: input should be"]),
        (
            f'{FILE}train = "a.csv"\nvalidation = {{test = "b"}}',
            ["dataset.validation: name 'test'"],
        ),
        (f'{FILE}train = "a.csv"\nvalidation = {{in = "b"}}', ["dataset.validation: name 'in': "]),
        (
            f'{FILE}train = "a.csv"\nvalidation = {{"a b" = "c"}}',
            ["dataset.validation: name 'a b'"],
        ),
        (
            f'{FILE}validation = "a.csv"',
            ["dataset.path: dataset.validation is given, but no train"],
        ),
        (f'{FILE}train = 1\ntest = "a.csv"', ["dataset.train: 1: input should be the name"]),
        (
            f'{FILE}path = "a.csv"\ntest = "b.csv"',
            ["dataset.path: 'a.csv': all splits are drawn from this file, so it"],
        ),
        ('source = "embedded"\ntrain = "a.csv"', ["dataset.train: 'a.csv': given splits need"]),
        ('source = "cola"\nvalidation = "a"', ["dataset.validation: 'a': given splits need"]),
        (
            f'{FILE}train = "a"\nvalidation = "b"\nvalidation_size = 0.2\n'
            'test = "c"\ntest_size = 9',
            [
                "dataset.validation_size: 0.2: the validation sentences are those of",
                "dataset.test_size: 9: the test sentences are those of dataset.test",
            ],
        ),
        (
            f'{FILE}train = "a.csv"\nvalidation_size = 0',
            ["dataset.validation_size: 0: must be above 0"],
        ),
        (
            f'{FILE}train = "a.json"\ntest = "b.parquet"\nquoting = "csv"',
            ["dataset.quoting: 'csv': for CSV and TSV files only"],
        ),
    ],
)
def test_a_mistake_in_the_keys_is_named_at_its_key(
    lines: str, expected: list[str], tmp_path: Path
) -> None:
    found = told(tmp_path, lines)
    assert len(found) == len(expected), found
    for problem, start in zip(found, expected, strict=True):
        assert problem.startswith(start), problem


def test_a_specification_survives_its_publication() -> None:
    spec = DatasetSpec(source="file", train="a.csv", validation={"x": ["b.csv"]}, test=["c", "d"])
    assert DatasetSpec.model_validate(json.loads(spec.model_dump_json())) == spec
    assert "train" not in DatasetSpec(source="file", path="a.csv").model_dump_json()
