"""Every source gives the same splits and columns, exactly; every mistake in it is named at once."""

import csv
import json
import os
import pickle
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import datasets
import pandas as pd
import pytest
from builders.hub_server import HubServer, forget_environment, glue_repository, run_client, serve
from builders.own_files import by_idx, load_file, problems_of
from builders.waiting import UNREACHABLE
from datasets import ClassLabel, Dataset, DatasetDict, Features, Value
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import BadInput, Unavailable
from harness.inputs import data
from harness.inputs.data import corpus
from harness.inputs.data.repeats.texts import normalised
from harness.inputs.hub import Hub
from harness.suite.spec import DatasetSpec

HERE = Path(__file__).parent
COLA = DatasetSpec(source="cola")
COUNTS = {"train": 8551, "validation": 1043, "test": 1063}
FEATURES = {
    "sentence": Value("string"),
    "label": ClassLabel(names=["unacceptable", "acceptable"]),
    "idx": Value("int32"),
    "source": Value("string"),
    "domain": Value("string"),
}

Row = tuple[str, str, str]  # source, label, sentence


def made_up(split: str) -> list[Row]:
    """As many labelled rows as CoLA's split has, with sentences of no corpus."""
    return [
        (f"src{i % 7}", str(int(i % 3 > 0)), f' «{split}» {i} is 5" long, naïve "it"? ')
        for i in range(COUNTS[split])
    ]


ROWS = {split: made_up(split) for split in COUNTS}


def tsv(rows: list[Row]) -> bytes:
    return "".join(f"{src}\t{label}\t*\t{text}\n" for src, label, text in rows).encode()


def unlabelled_tsv(rows: list[Row]) -> bytes:
    lines = (f"{index}\t{text}\n" for index, (_, _, text) in enumerate(rows))
    return ("index\tsentence\n" + "".join(lines)).encode()


def corpus_layout(rows: dict[str, list[Row]]) -> dict[str, bytes]:
    return {
        "raw/in_domain_train.tsv": tsv(rows["train"]),
        "raw/in_domain_dev.tsv": tsv(rows["validation"][:527]),
        "raw/out_of_domain_dev.tsv": tsv(rows["validation"][527:]),
        "test.tsv": unlabelled_tsv(rows["test"]),
    }


def glue_layout(rows: dict[str, list[Row]]) -> dict[str, bytes]:
    return {
        "train.tsv": tsv(rows["train"]),
        "dev.tsv": tsv(rows["validation"]),
        "test.tsv": unlabelled_tsv(rows["test"]),
    }


LAYOUTS = [corpus_layout, glue_layout]


def write(folder: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def load_cola(folder: Path) -> data.Data:
    return data.load(data.find(COLA, folder, UNREACHABLE, HERE))


def splits_or_problems(call: Callable[[], data.Data]) -> DatasetDict | tuple[str, ...]:
    try:
        return call().splits
    except BadInput as error:
        return error.problems


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder for all examples of a property, each of which overwrites what it reads."""
    return tmp_path_factory.mktemp("scratch")


# CoLA from a folder


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_folder_gives_every_sentence_in_the_corpus_order(
    layout: Callable[[dict[str, list[Row]]], dict[str, bytes]], tmp_path: Path
) -> None:
    splits = load_cola(write(tmp_path, layout(ROWS))).splits
    assert {name: split.num_rows for name, split in splits.items()} == COUNTS
    assert list(splits) == list(COUNTS)
    for name, split in splits.items():
        assert split.features == FEATURES
        assert split["sentence"][:] == [sentence for _, _, sentence in ROWS[name]]
        assert split["idx"][:] == list(range(COUNTS[name]))
        if name != "test":
            assert split["label"][:] == [int(label) for _, label, _ in ROWS[name]]
            assert split["source"][:] == [source for source, _, _ in ROWS[name]]
    assert set(splits["train"]["domain"]) == {"in"}
    assert splits["validation"]["domain"][:] == ["in"] * 527 + ["out"] * 516
    assert set(splits["test"]["label"]) == {-1}
    assert set(splits["test"]["domain"]) == set(splits["test"]["source"]) == {""}


def test_both_layouts_have_one_fingerprint_and_say_which_they_are(tmp_path: Path) -> None:
    own = load_cola(write(tmp_path / "own", corpus_layout(ROWS)))
    glue = load_cola(write(tmp_path / "glue", glue_layout(ROWS)))
    assert own.fingerprint == glue.fingerprint
    assert re.fullmatch("[0-9a-f]{64}", own.fingerprint)
    assert own.origin == "the corpus' own TSV folder"
    assert glue.origin == "GLUE's TSV folder"


def test_the_folder_raw_stands_for_the_folder_above_it(tmp_path: Path) -> None:
    folder = write(tmp_path, corpus_layout(ROWS))
    assert load_cola(folder / "raw").fingerprint == load_cola(folder).fingerprint


def test_the_test_file_is_optional(tmp_path: Path) -> None:
    files = corpus_layout(ROWS)
    del files["test.tsv"]
    assert set(load_cola(write(tmp_path, files)).splits) == {"train", "validation"}


def test_the_fingerprint_tells_sentences_and_labels_apart_but_not_sources(tmp_path: Path) -> None:
    def fingerprint(rows: dict[str, list[Row]]) -> str:
        return load_cola(write(tmp_path, glue_layout(rows))).fingerprint

    source, label, text = ROWS["validation"][0]
    rest = ROWS["validation"][1:]
    same = fingerprint({**ROWS, "validation": [("other", label, text), *rest]})
    relabelled = fingerprint({**ROWS, "validation": [(source, str(1 - int(label)), text), *rest]})
    reworded = fingerprint({**ROWS, "validation": [(source, label, text + "!"), *rest]})
    reordered = fingerprint({**ROWS, "validation": [*rest, (source, label, text)]})
    original = fingerprint(ROWS)
    assert same == original
    assert len({original, relabelled, reworded, reordered}) == 4


def test_byte_order_marks_windows_line_ends_and_a_missing_last_one_change_nothing(
    tmp_path: Path,
) -> None:
    plain = glue_layout(ROWS)
    windows = {
        name: b"\xef\xbb\xbf" + content.replace(b"\n", b"\r\n").removesuffix(b"\r\n")
        for name, content in plain.items()
    }
    expected = load_cola(write(tmp_path / "plain", plain))
    seen = load_cola(write(tmp_path / "windows", windows))
    assert seen.fingerprint == expected.fingerprint


def test_the_named_folder_stands_in_place_of_the_specs_which_is_relative_to_its_base(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "suites" / "cola", glue_layout(ROWS))
    write(tmp_path / "work" / "mine", corpus_layout(ROWS))
    monkeypatch.chdir(tmp_path / "work")
    spec = DatasetSpec(source="cola", path="cola")
    from_spec = data.find(spec, None, UNREACHABLE, tmp_path / "suites")
    named = data.find(spec, Path("mine"), UNREACHABLE, tmp_path / "suites")
    assert from_spec.path == str(tmp_path / "suites" / "cola")
    assert named.path == str(tmp_path / "work" / "mine")
    assert from_spec.kind == named.kind == "folder"


TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\t\n\r\0"))
SENTENCES = TEXTS.filter(lambda text: text.strip() != "")


@settings(max_examples=15, deadline=None)
@given(
    sentences=st.lists(SENTENCES, min_size=1, max_size=40),
    layout=st.sampled_from(LAYOUTS),
    split=st.sampled_from(["validation", "test"]),
)
def test_any_sentence_comes_back_exactly(
    scratch: Path,
    sentences: list[str],
    layout: Callable[[dict[str, list[Row]]], dict[str, bytes]],
    split: str,
) -> None:
    count = len(sentences)
    rows = [("s", "1", text) for text in sentences] + ROWS[split][count:]
    folder = write(scratch / layout.__name__, layout({**ROWS, split: rows}))
    assert load_cola(folder).splits[split]["sentence"][:count] == sentences


def real_cola() -> Path:
    named = os.environ.get("COLA_DIR")
    beside = HERE.parents[2] / "shared" / "cola"
    folder = Path(named) if named else beside
    if not (folder / "raw" / "in_domain_train.tsv").is_file():
        pytest.skip("needs the corpus' own folder: set COLA_DIR (cola_public)")
    return folder


def test_the_real_corpus_is_what_a_plain_parse_of_its_files_gives() -> None:
    folder = real_cola()
    splits = load_cola(folder).splits
    files = {
        "train": ["in_domain_train.tsv"],
        "validation": ["in_domain_dev.tsv", "out_of_domain_dev.tsv"],
    }
    for split, names in files.items():
        rows = []
        for name in names:
            with (folder / "raw" / name).open(encoding="utf-8", newline="") as file:
                rows += list(csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
        seen = splits[split]
        assert len(rows) == COUNTS[split]
        assert [source for source, *_ in rows] == seen["source"][:]
        assert [int(label) for _, label, *_ in rows] == seen["label"][:]
        assert [sentence for *_, sentence in rows] == seen["sentence"][:]
    # The 17 in-domain and 6 out-of-domain publications have no source in common.
    sources = pd.DataFrame(splits["validation"].to_dict()).groupby("domain")["source"].agg(set)
    assert not sources["in"] & sources["out"]


# What is wrong with a folder


def test_a_folder_that_is_none_and_one_without_the_corpus_are_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("text")
    (tmp_path / "empty").mkdir()
    (missing,) = problems_of(lambda: load_cola(tmp_path / "nowhere"))
    (file,) = problems_of(lambda: load_cola(tmp_path / "file"))
    (empty,) = problems_of(lambda: load_cola(tmp_path / "empty"))
    (endless,) = problems_of(lambda: load_cola(tmp_path / ("x" * 5000)))
    assert f"{tmp_path / 'nowhere'}: no such folder" in missing
    assert f"{tmp_path / 'file'}: a file, not a folder" in file
    assert "raw/in_domain_train.tsv" in empty
    assert "train.tsv, dev.tsv" in empty
    assert "cannot be read" in endless


def test_every_missing_file_is_named(tmp_path: Path) -> None:
    files = corpus_layout(ROWS)
    own = write(tmp_path / "own", {"raw/in_domain_dev.tsv": files["raw/in_domain_dev.tsv"]})
    glue = write(tmp_path / "glue", {"dev.tsv": b"", "test.tsv": b""})
    first, second = problems_of(lambda: data.find(COLA, own, UNREACHABLE, HERE))
    (third,) = problems_of(lambda: data.find(COLA, glue, UNREACHABLE, HERE))
    assert f"{own / 'raw' / 'in_domain_train.tsv'}: missing" in first
    assert f"{own / 'raw' / 'out_of_domain_dev.tsv'}: missing" in second
    assert f"{glue / 'train.tsv'}: missing" in third


def changed_line(content: bytes, number: int, line: bytes) -> bytes:
    lines = content.split(b"\n")
    lines[number - 1] = line
    return b"\n".join(lines)


@pytest.mark.parametrize(
    ("name", "number", "line", "complaint"),
    [
        ("dev.tsv", 3, b"s\t2\t*\tA cat.", "dev.tsv:3: label '2'; a label is 0 or 1"),
        ("dev.tsv", 3, b"s\t\t*\tA cat.", "dev.tsv:3: label ''; a label is 0 or 1"),
        ("dev.tsv", 3, b"s\t1.0\t*\tA cat.", "dev.tsv:3: label '1.0'; a label is 0 or 1"),
        ("dev.tsv", 8, b"s\t1\tA cat.", "dev.tsv:8: tab-separated columns seen: 3; a line has 4"),
        (
            "dev.tsv",
            8,
            b"s\t1\t\tA\tcat.",
            "dev.tsv:8: tab-separated columns seen: 5; a line has 4",
        ),
        ("dev.tsv", 8, b"", "dev.tsv:8: tab-separated columns seen: 1; a line has 4"),
        ("train.tsv", 9, b"s\t1\t\t  ", "train.tsv:9: empty sentence"),
        ("train.tsv", 9, b"s\t1\t\t\xff\xfe", "train.tsv:9: not UTF-8 text"),
        ("train.tsv", 9, b"s\t1\t\tA \0 cat", "train.tsv:9: a NUL byte"),
        ("test.tsv", 1, b"0\tA cat.", "test.tsv:1: '0\\tA cat.'; the header is index"),
        ("test.tsv", 5, b"4\tA cat.", "test.tsv:5: index '4'; 3 comes here"),
        ("test.tsv", 5, b"3", "test.tsv:5: tab-separated columns seen: 1; a line has 2"),
        ("test.tsv", 5, b"3\t", "test.tsv:5: empty sentence"),
    ],
)
def test_a_wrong_line_is_named_with_what_it_holds(
    name: str, number: int, line: bytes, complaint: str, tmp_path: Path
) -> None:
    files = glue_layout(ROWS)
    files[name] = changed_line(files[name], number, line)
    (problem,) = problems_of(lambda: load_cola(write(tmp_path, files)))
    assert problem.startswith(f"{tmp_path}/{complaint}")


def test_the_byte_that_is_not_utf8_is_named_by_its_place_in_the_file(tmp_path: Path) -> None:
    files = glue_layout(ROWS)
    files["dev.tsv"] = b"\xef\xbb\xbf" + files["dev.tsv"].replace(b"long", b"l\xf6ng", 1)
    offset = files["dev.tsv"].index(b"\xf6")
    (problem,) = problems_of(lambda: load_cola(write(tmp_path, files)))
    assert f"dev.tsv:1: not UTF-8 text (byte {offset} is 0xf6)" in problem


@pytest.mark.parametrize("content", [b"", b"\n \n", b"\xef\xbb\xbf"])
def test_a_file_without_text_is_refused(content: bytes, tmp_path: Path) -> None:
    (problem,) = problems_of(
        lambda: load_cola(write(tmp_path, {**glue_layout(ROWS), "dev.tsv": content}))
    )
    assert re.search(r"dev\.tsv: (empty|blank); it must contain sentences", problem)


def test_all_mistakes_of_all_files_are_reported_at_once(tmp_path: Path) -> None:
    files = corpus_layout(ROWS)
    files["raw/in_domain_train.tsv"] = tsv(ROWS["train"][:-1])
    files["raw/in_domain_dev.tsv"] += b"s\t1\t\tOne more.\n"
    files["raw/out_of_domain_dev.tsv"] = tsv([("s", "x", "A cat.")] * 516)
    files["test.tsv"] = b""
    problems = problems_of(lambda: load_cola(write(tmp_path, files)))
    assert "in_domain_train.tsv: 8,550 sentences, where CoLA has 8,551" in problems[0]
    assert "in_domain_dev.tsv: 528 sentences, where CoLA has 527" in problems[1]
    for number, problem in enumerate(problems[2:12], start=1):
        assert f"out_of_domain_dev.tsv:{number}: label 'x'" in problem
    assert "out_of_domain_dev.tsv: and 506 more such problems" in problems[12]
    assert "test.tsv: empty" in problems[13]
    assert len(problems) == 14


INSERTED = st.one_of(st.binary(max_size=30), st.text(max_size=10).map(str.encode))
SPLICES = st.tuples(st.floats(0, 1), st.integers(0, 30), INSERTED)


def spliced(content: bytes, splice: tuple[float, int, bytes]) -> bytes:
    """The content with some bytes somewhere replaced by others."""
    place, removed, inserted = splice
    start = int(place * len(content))
    return content[:start] + inserted + content[start + removed :]


@settings(max_examples=20, deadline=None)
@given(
    name=st.sampled_from(["train.tsv", "dev.tsv", "test.tsv"]),
    damage=st.one_of(st.binary(max_size=200), SPLICES),
)
def test_a_damaged_folder_gives_data_or_a_plain_complaint(
    scratch: Path, name: str, damage: bytes | tuple[float, int, bytes]
) -> None:
    files = glue_layout(ROWS)
    files[name] = damage if isinstance(damage, bytes) else spliced(files[name], damage)
    folder = write(scratch / "damaged", files)
    outcome = splits_or_problems(lambda: load_cola(folder))
    if isinstance(outcome, DatasetDict):
        assert {name: split.num_rows for name, split in outcome.items()} == COUNTS
    else:
        assert all(str(folder) in problem for problem in outcome)


# CoLA from the hub

LOAD_FROM_HUB = """
import io, json, os, sys
from pathlib import Path
sys.stderr = io.StringIO()
from harness.inputs import data, hub
from harness.inputs.data.summary import summarize
from harness.errors import BadInput, Unavailable
from harness.suite.spec import DatasetSpec
spec = DatasetSpec(source="cola")
try:
    if "REVISION" in os.environ:
        source = data.Source("hub", None, os.environ["REVISION"], spec)
    else:
        source = data.find(spec, None, hub.probe(), Path())
    loaded = data.load(source)
    result = dict(
        kind=source.kind, revision=source.revision, origin=loaded.origin,
        fingerprint=loaded.fingerprint, domains=loaded.splits["validation"]["domain"][:],
        sources=sorted(set(loaded.splits["train"]["source"])), stderr=sys.stderr.getvalue(),
        here=data.is_here(source), test=summarize(loaded.rows, loaded.class_names)[2].in_words(),
        labels=loaded.splits["test"]["label"][:], torch="torch" in sys.modules,
    )
except (BadInput, Unavailable) as error:
    result = dict(error=type(error).__name__, message=str(error))
print(json.dumps(result))
"""


def hub_repository(folder: Path, rows: dict[str, list[Row]]) -> Path:
    examples = {
        split: [(text, -1 if split == "test" else int(label)) for _, label, text in split_rows]
        for split, split_rows in rows.items()
    }
    return glue_repository(
        folder,
        train=examples["train"],
        validation=examples["validation"],
        test=examples["test"],
    )


def load_from_hub(endpoint: str, home: Path, **variables: str) -> dict[str, Any]:
    output = run_client(LOAD_FROM_HUB, endpoint, home, limit_seconds=120.0, **variables)
    result: dict[str, Any] = json.loads(output)
    return result


@pytest.mark.parametrize(("prefix", "slash"), [("", ""), ("/mirrors/hub", "/")])
def test_the_hub_gives_what_the_folder_gives_and_its_cache_serves_without_it(
    tmp_path: Path, prefix: str, slash: str
) -> None:
    folder = load_cola(write(tmp_path / "folder", corpus_layout(ROWS)))
    with serve(prefix) as server:
        commit = server.add_dataset("nyu-mll/glue", hub_repository(tmp_path / "hub", ROWS))
        online = load_from_hub(f"{server.endpoint}{slash}", tmp_path / "home")
    offline = load_from_hub(f"{server.endpoint}{slash}", tmp_path / "home")
    assert online == offline
    assert online["kind"] == "hub"
    assert online["revision"] == commit
    assert online["origin"] == f"nyu-mll/glue@{commit}"
    assert online["fingerprint"] == folder.fingerprint
    assert online["domains"] == ["in"] * 527 + ["out"] * 516
    assert online["sources"] == [""]
    assert set(online["labels"]) == {-1}
    assert online["stderr"] == ""
    assert online["here"] is True
    assert online["test"].startswith("1,063 sentences: 1,063 with hidden labels; the longest has ")
    assert online["torch"] is False


def test_another_commit_in_the_cache_never_stands_in_for_the_one_asked_for(
    tmp_path: Path,
) -> None:
    with serve() as server:
        server.add_dataset("nyu-mll/glue", hub_repository(tmp_path / "hub", ROWS))
        assert "error" not in load_from_hub(server.endpoint, tmp_path / "home")
    result = load_from_hub(
        server.endpoint, tmp_path / "home", REVISION="0" * 40, HF_HUB_OFFLINE="1"
    )
    assert result["error"] == "Unavailable"
    assert f"nyu-mll/glue@{'0' * 40}" in result["message"]


def test_a_data_set_of_another_size_on_the_hub_is_refused(tmp_path: Path) -> None:
    rows = {**ROWS, "train": ROWS["train"][:100]}
    with serve() as server:
        server.add_dataset("nyu-mll/glue", hub_repository(tmp_path / "hub", rows))
        result = load_from_hub(server.endpoint, tmp_path / "home")
    assert result["error"] == "BadInput"
    assert "train: 100 sentences, where CoLA has 8,551" in result["message"]


def test_a_hub_that_fails_halfway_leaves_the_data_unavailable(tmp_path: Path) -> None:
    with serve() as server:
        server.add_dataset("nyu-mll/glue", hub_repository(tmp_path / "hub", ROWS))
        server.fail(r"\.parquet", times=1000, status=403)
        result = load_from_hub(server.endpoint, tmp_path / "home")
    assert result["error"] == "Unavailable"
    assert "--cola-dir FOLDER or set COLA_DIR" in result["message"]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[HubServer]:
    """A hub, in an environment with no cache."""
    forget_environment(monkeypatch, cache=tmp_path / "cache")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "datasets")
    with serve() as server:
        yield server


def unavailable(hub: Hub) -> Unavailable:
    with pytest.raises(Unavailable) as caught:
        data.find(COLA, None, hub, HERE)
    return caught.value


@pytest.mark.usefixtures("server")
def test_without_hub_cache_and_folder_the_way_out_is_told() -> None:
    error = unavailable(UNREACHABLE)
    assert "no answer within 3 s" in error.reason
    assert "--cola-dir FOLDER or set COLA_DIR" in error.way_out


def test_the_commit_is_the_one_the_hub_has_now(server: HubServer, tmp_path: Path) -> None:
    hub = Hub(server.endpoint, reachable=True, reason=None)
    first = server.add_dataset("nyu-mll/glue", write(tmp_path / "1", {"README.md": b"one"}))
    assert data.find(COLA, None, hub, HERE).revision == first
    second = server.add_dataset("nyu-mll/glue", write(tmp_path / "2", {"README.md": b"two"}))
    assert data.find(COLA, None, hub, HERE).revision == second != first


def test_a_hub_without_the_data_set_or_in_trouble_leaves_it_unavailable(
    server: HubServer, tmp_path: Path
) -> None:
    hub = Hub(server.endpoint, reachable=True, reason=None)
    assert "404" in unavailable(hub).reason
    server.add_dataset("nyu-mll/glue", write(tmp_path / "hub", {"README.md": b"one"}))
    server.fail("/api/datasets", times=1000, status=500)
    assert "500" in unavailable(hub).reason


# The embedded corpus


def test_the_embedded_corpus_is_the_generated_one() -> None:
    source = data.find(DatasetSpec(source="embedded"), None, UNREACHABLE, HERE)
    loaded = data.load(source)
    assert loaded.origin == "the embedded corpus"
    for name, sentences in corpus.generate().items():
        split = loaded.splits[name]
        assert split.features == FEATURES
        assert split["sentence"][:] == [sentence.text for sentence in sentences]
        assert split["label"][:] == [sentence.label for sentence in sentences]
        assert split["source"][:] == [sentence.phenomenon for sentence in sentences]
        assert split["idx"][:] == list(range(len(sentences)))
        assert set(split["domain"]) == {""}


def test_a_source_survives_the_way_to_another_process() -> None:
    source = data.find(DatasetSpec(source="embedded"), None, UNREACHABLE, HERE)
    copy = pickle.loads(pickle.dumps(source))
    assert copy == source
    assert data.load(copy).fingerprint == data.load(source).fingerprint


# The user's own file

OWN = pd.DataFrame(
    {
        "sentence": [f'The "cat", no. {i},\nschläft über\tall. ' for i in range(60)],
        "extra": [None, "x"] * 30,
        "label": [int(i % 3 == 0) for i in range(60)],
    }
)
WRITERS: dict[str, Callable[[pd.DataFrame, Path], object]] = {
    ".csv": lambda frame, path: frame.to_csv(path, index=False),
    ".tsv": lambda frame, path: frame.to_csv(path, index=False, sep="\t"),
    ".jsonl": lambda frame, path: frame.to_json(path, orient="records", lines=True),
    ".json": lambda frame, path: frame.to_json(path, orient="records", lines=True),
    ".parquet": lambda frame, path: frame.to_parquet(path),
    ".CSV": lambda frame, path: frame.to_csv(path, encoding="utf-8-sig", lineterminator="\r\n"),
}


def written(frame: pd.DataFrame, path: Path) -> Path:
    WRITERS[path.suffix](frame, path)
    return path


@pytest.mark.parametrize("suffix", WRITERS)
def test_every_format_gives_each_row_once_with_its_number(suffix: str, tmp_path: Path) -> None:
    loaded = load_file(written(OWN, tmp_path / f"own{suffix}"), test_size=0.2)
    assert by_idx(loaded) == dict(enumerate(zip(OWN["sentence"], OWN["label"], strict=True)))
    assert {name: split.num_rows for name, split in loaded.splits.items()} == {
        "train": 42,
        "validation": 6,
        "test": 12,
    }
    assert all(split.features == FEATURES for split in loaded.splits.values())
    assert loaded.origin == f"file own{suffix}"


def test_the_format_of_a_file_is_not_part_of_its_fingerprint(tmp_path: Path) -> None:
    loaded = [load_file(written(OWN, tmp_path / f"own{suffix}")) for suffix in WRITERS]
    assert len({each.fingerprint for each in loaded}) == 1


@pytest.mark.parametrize("size", [0.1, 0.25, 0.33, 20])
def test_the_split_is_the_one_that_datasets_draws_by_class(
    size: float | int, tmp_path: Path
) -> None:
    features = Features({"sentence": Value("string"), "label": ClassLabel(names=["bad", "good"])})
    drawn = Dataset.from_dict(
        {name: OWN[name].tolist() for name in features}, features=features
    ).train_test_split(test_size=size, seed=7, stratify_by_column="label")
    splits = load_file(
        written(OWN, tmp_path / "own.csv"),
        validation_size=size,
        split_seed=7,
        class_names=("bad", "good"),
    ).splits
    assert set(splits) == {"train", "validation"}
    assert splits["train"]["sentence"][:] == drawn["train"]["sentence"][:]
    assert splits["validation"]["sentence"][:] == drawn["test"]["sentence"][:]
    assert splits["train"].features["label"].names == ["bad", "good"]


def test_the_seed_decides_the_split(tmp_path: Path) -> None:
    path = written(OWN, tmp_path / "own.csv")
    first, again, other = (load_file(path, split_seed=seed) for seed in (0, 0, 1))
    assert first.fingerprint == again.fingerprint != other.fingerprint


@pytest.mark.parametrize(
    "spelling",
    [
        {0: 0, 1: 1},
        {0: 0.0, 1: 1.0},
        {0: False, 1: True},
        {0: "0", 1: "1"},
        {0: "unacceptable", 1: "acceptable"},
    ],
)
@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".jsonl", ".parquet"])
def test_labels_may_be_numbers_booleans_or_class_names(
    spelling: dict[int, Any], suffix: str, tmp_path: Path
) -> None:
    frame = OWN.assign(label=[spelling[label] for label in OWN["label"]])
    loaded = load_file(written(frame, tmp_path / f"own{suffix}"))
    assert {idx: label for idx, (_, label) in by_idx(loaded).items()} == dict(
        enumerate(OWN["label"])
    )


@pytest.mark.parametrize("suffix", [".csv", ".tsv"])
def test_sentences_that_look_like_values_stay_text(suffix: str, tmp_path: Path) -> None:
    texts = ["NA", "null", "nan", "None", "1", "1.50", "007", "True", "2020-01-01", "#N/A"]
    frame = pd.DataFrame({"sentence": texts, "label": [0, 1] * 5})
    loaded = load_file(written(frame, tmp_path / f"own{suffix}"), validation_size=4)
    assert [by_idx(loaded)[idx][0] for idx in range(10)] == texts


def test_the_columns_are_named_by_the_spec(tmp_path: Path) -> None:
    frame = OWN.rename(columns={"sentence": "text", "label": "class"})
    for suffix in (".csv", ".jsonl", ".parquet"):
        path = written(frame, tmp_path / f"own{suffix}")
        loaded = load_file(path, text_column="text", label_column="class")
        assert by_idx(loaded) == dict(enumerate(zip(OWN["sentence"], OWN["label"], strict=True)))
        first, second = problems_of(lambda path=path: load_file(path))  # type: ignore[misc]
        assert f"{path}: no column 'sentence'; there are 'text', 'extra', 'class'" in first
        assert "set dataset.text_column to one of them" in first
        assert f"{path}: no column 'label'" in second


# pandas leaves a carriage return without quotes, and so makes two lines of one.
WORDS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r"))


@settings(max_examples=40, deadline=None)
@given(
    sentences=st.lists(
        WORDS.filter(lambda text: text.strip() != ""), min_size=8, max_size=20, unique_by=normalised
    ),
    suffix=st.sampled_from([".csv", ".tsv", ".jsonl", ".parquet"]),
)
def test_any_sentence_that_pandas_writes_comes_back_exactly(
    scratch: Path, sentences: list[str], suffix: str
) -> None:
    labels = [i % 2 for i in range(len(sentences))]
    frame = pd.DataFrame({"sentence": sentences, "label": labels})
    loaded = load_file(written(frame, scratch / f"any{suffix}"), validation_size=4)
    assert by_idx(loaded) == dict(enumerate(zip(sentences, labels, strict=True)))


# What is wrong with a file

HEADER = b"sentence,label\n"
GOOD = b"A cat sleeps.,1\nCat a sleeps.,0\n" * 20


@pytest.mark.parametrize(
    ("name", "content", "complaints"),
    [
        ("a.csv", b"", ["a.csv: empty"]),
        ("a.csv", b"\n\n", ["a.csv: blank"]),
        ("a.csv", HEADER, ["a.csv: no rows"]),
        ("a.csv", HEADER + GOOD + b"Caf\xe9.,1\n", ["a.csv:42: not UTF-8 text (byte 658 is 0xe9)"]),
        ("a.csv", HEADER + b"A \0,1\n", ["a.csv:2: a NUL byte"]),
        ("a.csv", HEADER + GOOD + b",1\n", ["a.csv:42: column 'sentence': empty sentence"]),
        (
            "a.csv",
            HEADER + b"Yes.,2\nNo.,\n" + GOOD + b"  ,-1\n",
            [
                "a.csv:2: column 'label': '2'; a label is 0 (unacceptable) or 1 (acceptable)",
                "a.csv:3: column 'label': ''",
                "a.csv:44: column 'sentence': empty sentence",
                "a.csv:44: column 'label': '-1'",
            ],
        ),
        (
            "a.csv",
            HEADER + b'"Two\nlines.",1\nWell, yes.,1\nNo.\n' + GOOD,
            ["a.csv:4: columns seen: 3, the header has 2", "a.csv:5: columns seen: 1"],
        ),
        (
            "a.csv",
            HEADER + GOOD + b'"No end,1\n',
            ["a.csv:42: a quotation mark opens a value, and none closes it"],
        ),
        (
            "a.tsv",
            b'sentence\tlabel\n"Go!" he said.\t1\n',
            ["a.tsv:2: a value that opens with a quotation mark continues after the closing one"],
        ),
        ("a.csv", b"label,sentence,label\n1,Yes.,1\n", ["a.csv: more than one column 'label'"]),
        (
            "a.csv",
            b"sentence;label\nYes.;1\n",
            ["a.csv: its columns are separated by ';', not ','"],
        ),
        (
            "a.jsonl",
            b'{"sentence": "Yes.", "label": 0.5}\n{"sentence": 7, "label": 1}\n'
            b'{"sentence": "\\ud800", "label": 1}\n{"label": 1, "sentence": null}\n'
            b'{"sentence": "No."}\n{"sentence": "A\\u0000", "label": NaN}\n',
            [
                "a.jsonl:1: column 'label': 0.5",
                "a.jsonl:2: column 'sentence': 7 is not text",
                "a.jsonl:3: column 'sentence': '\\ud800' contains half of a surrogate pair",
                "a.jsonl:4: column 'sentence': missing sentence",
                "a.jsonl:5: column 'label': None",
                "a.jsonl:6: column 'sentence': 'A\\x00' contains a NUL",
                "a.jsonl:6: column 'label': nan",
            ],
        ),
        (
            "a.json",
            b'{"sentence": "Yes.", "label": 1}\n{"sentence": \n7\n',
            ["a.json:2: not JSON (Expecting value, column 14)", "a.json:3: 7; a line is one JSON"],
        ),
        ("a.jsonl", b'{"a":' * 100_000, ["a.jsonl:1: not usable JSON"]),
        ("a.jsonl", b'{"a":' + b"1" * 5000 + b"}", ["a.jsonl:1: not usable JSON"]),
        ("a.parquet", b"PAR1 and nothing else", ["a.parquet: not a readable Parquet file"]),
        ("a.xlsx", b"PK", ["a.xlsx: extension '.xlsx'; allowed are .csv, .tsv, .jsonl, .json"]),
        ("sentences", b"PK", ["sentences: extension ''; allowed are .csv, .tsv, .jsonl, .json"]),
    ],
)
def test_each_mistake_in_a_file_is_named_with_its_line_and_value(
    name: str, content: bytes, complaints: list[str], tmp_path: Path
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    problems = problems_of(lambda: load_file(path))
    assert len(problems) == len(complaints)
    for problem, complaint in zip(problems, complaints, strict=True):
        assert problem.startswith(f"{tmp_path}/{complaint}")


def test_mistakes_in_parquet_are_named_by_row(tmp_path: Path) -> None:
    frame = pd.DataFrame({"sentence": ["Yes.", None, "No."], "label": [1.0, 0.0, None]})
    first, second = problems_of(lambda: load_file(written(frame, tmp_path / "a.parquet")))
    assert f"{tmp_path / 'a.parquet'}: row 2: column 'sentence': missing sentence" in first
    assert f"{tmp_path / 'a.parquet'}: row 3: column 'label': " in second


def test_only_the_first_ten_mistakes_are_listed_and_the_others_counted(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(HEADER + b"".join(b"Yes.,maybe %d\n" % number for number in range(1500)))
    problems = problems_of(lambda: load_file(path))
    assert len(problems) == 11
    assert problems[-1] == f"{path}: and 1,490 more such problems"


def test_a_file_that_is_not_there_or_is_a_folder_is_refused_before_it_is_read(
    tmp_path: Path,
) -> None:
    (tmp_path / "folder.csv").mkdir()
    spec = DatasetSpec(source="file", path="gone.csv")
    (gone,) = problems_of(lambda: data.find(spec, None, UNREACHABLE, tmp_path))
    (folder,) = problems_of(lambda: load_file(tmp_path / "folder.csv"))
    assert f"{tmp_path / 'gone.csv'}: no such file" in gone
    assert f"{tmp_path / 'folder.csv'}: not a file" in folder


def test_a_file_that_vanished_after_it_was_found_is_refused(tmp_path: Path) -> None:
    path = written(OWN, tmp_path / "own.csv")
    spec = DatasetSpec(source="file", path="own.csv")
    source = data.find(spec, None, UNREACHABLE, tmp_path)
    path.unlink()
    (problem,) = problems_of(lambda: data.load(source))
    assert f"{path}: no such file" in problem


@pytest.mark.parametrize(
    ("labels", "sizes"),
    [
        ([0, 1] * 3, {}),  # too few for any split
        ([1] * 100, {}),  # one class only
        ([1] * 99 + [0], {}),  # a class of one
        ([1] * 95 + [0] * 5, {}),  # five in a class: none or one of them in validation
        ([0, 1] * 50, {"validation_size": 100}),  # nothing left to train on
        ([0, 1] * 50, {"validation_size": 500}),
        ([0, 1] * 50, {"validation_size": 0.5, "test_size": 0.5}),
        ([0, 1] * 50, {"test_size": 98}),
        ([0, 1] * 50, {"test_size": 2}),
    ],
)
def test_a_split_with_fewer_than_two_of_a_class_is_refused(
    labels: list[int], sizes: dict[str, float], tmp_path: Path
) -> None:
    frame = pd.DataFrame({"sentence": map("Cat {}.".format, range(len(labels))), "label": labels})
    path = written(frame, tmp_path / "a.csv")
    (problem,) = problems_of(lambda: load_file(path, **sizes))
    unacceptable, acceptable = labels.count(0), labels.count(1)
    seen = f"{len(labels)} sentences ({unacceptable} unacceptable, {acceptable} acceptable)"
    assert f"{path}: {seen} cannot give" in problem
    assert "change dataset.validation_size or dataset.test_size" in problem


@settings(max_examples=100, deadline=None)
@given(
    suffix=st.sampled_from([".csv", ".tsv", ".jsonl", ".parquet"]),
    damage=st.one_of(st.binary(max_size=200), SPLICES),
)
def test_a_damaged_file_gives_data_or_a_plain_complaint(
    scratch: Path, suffix: str, damage: bytes | tuple[float, int, bytes]
) -> None:
    path = scratch / f"damaged{suffix}"
    if isinstance(damage, bytes):
        path.write_bytes(damage)
    else:
        path.write_bytes(spliced(written(OWN, path).read_bytes(), damage))
    outcome = splits_or_problems(lambda: load_file(path, validation_size=0.5))
    if isinstance(outcome, DatasetDict):
        assert all(set(split["label"]) == {0, 1} for split in outcome.values())
    else:
        assert all(str(path) in problem for problem in outcome)


# What loading leaves alone

LOAD_FROM_DISK = """
import io, json, os, sys
from pathlib import Path
sys.stderr = io.StringIO()
from harness.inputs import data
from harness.inputs.hub import Hub
from harness.suite.spec import DatasetSpec
hub = Hub("https://hub.invalid", False, "not asked")
specs = [
    DatasetSpec(source="embedded"),
    DatasetSpec(source="cola", path="cola"),
    DatasetSpec(source="file", path="own.csv", test_size=0.2),
]
for spec in specs:
    loaded = data.load(data.find(spec, None, hub, Path(os.environ["BASE"])))
    assert not any(split.cache_files for split in loaded.splits.values())
print(json.dumps(dict(torch="torch" in sys.modules, stderr=sys.stderr.getvalue())))
"""


def test_loading_prints_nothing_writes_nothing_and_needs_no_torch(tmp_path: Path) -> None:
    base, home, temporary = (tmp_path / name for name in ("base", "home", "temporary"))
    for folder in (home, temporary):
        folder.mkdir()
    write(base / "cola", glue_layout(ROWS))
    written(OWN, base / "own.csv")
    before = sorted(base.rglob("*"))
    output = run_client(
        LOAD_FROM_DISK, "https://hub.invalid", home, BASE=str(base), TMPDIR=str(temporary)
    )
    assert json.loads(output) == {"torch": False, "stderr": ""}
    assert sorted(base.rglob("*")) == before
    assert [path for path in (*home.rglob("*"), *temporary.rglob("*")) if path.is_file()] == []


@pytest.mark.parametrize(
    ("name", "lines", "places"),
    [
        (
            "data.csv",
            [
                "sentence,label",
                *(f"Sentence {n}.,{n % 2}" for n in range(4)),
                ",1",
                "A,2",
                "b,0,c",
                ",0",
            ],
            [":6: ", ":7: ", ":8: ", ":9: "],
        ),
        (
            "data.tsv",
            ["sentence\tlabel", "A\tunsure", "\t1", "B\t0\t0", "C\tin doubt", "\t0", "D\t1"],
            [":2: ", ":3: ", ":4: ", ":5: ", ":6: "],
        ),
        (
            "data.jsonl",
            [
                '{"sentence": "", "label": 1}',
                "[]",
                '{"sentence": "A", "label": 7}',
                "{",
                '{"sentence": "B", "label": 0}',
                '{"sentence": 3, "label": 1}',
            ],
            [":1: ", ":2: ", ":3: ", ":4: ", ":6: "],
        ),
    ],
)
def test_mistakes_in_a_file_are_in_the_order_of_its_lines(
    tmp_path: Path, name: str, lines: list[str], places: list[str]
) -> None:
    path = tmp_path / name
    path.write_text("\n".join(lines) + "\n")
    found = problems_of(lambda: load_file(path))
    assert [problem.removeprefix(str(path))[:4] for problem in found] == places
