"""`harness init`: the suite it writes plans what was asked for, and nothing is overwritten."""

import json
import shlex
import shutil
import tomllib
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from builders.commands import ROOT, Done, harness
from builders.tiny_checkpoints import SENTENCES, make_checkpoint

from harness.cli.init.new_files import write_new
from harness.errors import BadInput
from harness.suite.plan import make_plan
from harness.suite.spec import load_suite

CI_FILES = {"github": ".github/workflows/mine.yml", "gitlab": ".gitlab-ci.mine.yml"}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_checkpoint("bert", tmp_path_factory.mktemp("checkpoint") / "model")


@pytest.fixture
def folder(tmp_path: Path, model: Path) -> Path:
    """A folder with a model and a file of labelled sentences."""
    shutil.copytree(model, tmp_path / "here" / "my-model")
    write_rows(tmp_path / "here" / "data.csv")
    return tmp_path / "here"


def write_rows(
    path: Path, columns: str = "text,topic", labels: tuple[str, str] = ("b", "a")
) -> Path:
    rows = [f'"{SENTENCES[n % len(SENTENCES)]} {n}",{labels[n % 2]}' for n in range(40)]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([columns, *rows]) + "\n", encoding="utf-8")
    return path


def init(folder: Path, *arguments: str, data: str = "data.csv") -> Done:
    own = ("--checkpoint", "./my-model", "--data", data)
    return harness("init", "mine", *own, *arguments, cwd=folder)


def files_in(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_the_suite_plans_what_the_flags_say(folder: Path) -> None:
    done = init(
        folder,
        *("--checkpoint", "org/name@main", "--seeds", "4,5", "--learning-rates", "1e-4,2e-5"),
        *("--batch-sizes", "8", "--epochs", "2", "--min-mcc", "0.25"),
    )
    assert (done.code, done.err) == (0, "")
    suite = load_suite(folder / "mine.toml")
    cells = make_plan(suite)
    assert [(c.checkpoint, c.batch_size, c.learning_rate, c.seeds) for c in cells] == [
        (name, 8, rate, (4, 5)) for name in ("my-model", "org/name@main") for rate in (1e-4, 2e-5)
    ]
    assert {cell.threshold for cell in cells} == {0.25}
    assert suite.training.epochs == 2
    assert suite.dataset.class_names == ("a", "b")
    assert (suite.dataset.text_column, suite.dataset.label_column) == ("text", "topic")


def test_the_printed_commands_work_and_everything_is_found_from_the_output_folder(
    folder: Path,
) -> None:
    done = init(folder, "--output", "new/suites", "--min-mcc", "0.1")
    assert done.code == 0, done.err
    commands = [line.strip() for line in done.out.partition("next:\n")[2].splitlines()]
    assert commands[0] == "harness doctor --suite new/suites/mine.toml --strict"
    assert commands[1] == "harness plan --suite new/suites/mine.toml --strict"
    assert commands[2] == commands[1].replace("plan --suite", "run")
    content = tomllib.loads((folder / "new/suites/mine.toml").read_text(encoding="utf-8"))
    assert content["dataset"]["path"] == "../../data.csv"
    assert content["matrix"]["checkpoints"] == ["../../my-model"]
    planned = harness(*commands[1].split()[1:], "--json", cwd=folder)
    assert planned.code == 0, planned.err
    (suite,) = json.loads(planned.out)["suites"]
    assert [run["state"] for run in suite["runs"]] == ["to train"] * 3


def test_a_link_to_the_output_folder_does_not_mislead_relative_paths(
    folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "far" / "away").mkdir(parents=True)
    (folder / "link").symlink_to(tmp_path / "far" / "away")
    assert init(folder, "--output", "link").code == 0
    planned = harness("plan", "--suite", "link/mine.toml", cwd=folder)
    assert planned.code == 0, planned.err


@pytest.mark.parametrize("service", ["github", "gitlab"])
def test_a_job_is_the_one_of_the_examples(model: Path, tmp_path: Path, service: str) -> None:
    (tmp_path / ".git").mkdir()
    shutil.copytree(model, tmp_path / "model")
    write_rows(tmp_path / "gate" / "sentences.csv")
    arguments = ("--checkpoint", "model", "--data", "gate/sentences.csv", "--min-mcc", "0.45")
    made = harness("init", "gate", *arguments, "--output", "gate", "--ci", service, cwd=tmp_path)
    assert made.code == 0, made.err
    name = CI_FILES[service].replace("mine", "gate")
    assert f"written: {name}" in made.out
    example = ROOT / "examples" / "ci" / f"{service}.yml"
    assert (tmp_path / name).read_text("utf-8") == example.read_text("utf-8")


@pytest.mark.parametrize("name", ["null", "123", "cache", "on", "1e5", "A_b-c"])
def test_every_name_gives_valid_yaml_of_one_job(folder: Path, name: str) -> None:
    for service in CI_FILES:
        arguments = ("--checkpoint", "org/name", "--cola", "--min-mcc", "0.4", "--ci", service)
        done = harness("init", name, *arguments, "--output", service, cwd=folder)
        assert done.code == 0, done.err
    github = yaml.safe_load((folder / f"github/.github/workflows/{name}.yml").read_text("utf-8"))
    assert github["name"] == name
    commands = [step["run"] for step in github["jobs"]["gate"]["steps"] if "run" in step]
    assert f"harness run {name}.toml --strict" in commands[-1]
    gitlab = yaml.safe_load((folder / f"gitlab/.gitlab-ci.{name}.yml").read_text("utf-8"))
    assert list(gitlab) == [f"train-{name}"]
    assert gitlab[f"train-{name}"]["variables"]["HF_HUB_OFFLINE"] == "0"


def test_a_job_of_inputs_outside_the_repository_says_so(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    done = init(folder, "--output", "../elsewhere", "--min-mcc", "0.1", "--ci", "gitlab")
    assert done.code == 0, done.err
    assert done.out.count("is outside the repository") == 2
    assert 'include: [{ local: "/.gitlab-ci.mine.yml" }]' in done.out


def test_existing_files_are_named_all_at_once_and_nothing_is_written(folder: Path) -> None:
    (folder / "mine.toml").write_text("mine", encoding="utf-8")
    (folder / ".github" / "workflows").mkdir(parents=True)
    (folder / CI_FILES["github"]).symlink_to("nowhere")
    before = files_in(folder)
    done = init(folder, "--min-mcc", "0.1", "--ci", "github")
    assert done.code == 4
    assert [line.split(":")[0] for line in done.err.splitlines()] == [
        "mine.toml",
        CI_FILES["github"],
    ]
    assert done.err.count("--output") == 2
    (folder / "mine.toml").unlink()
    assert init(folder, "--min-mcc", "0.1", "--ci", "github").code == 4
    assert files_in(folder) == {name: each for name, each in before.items() if name != "mine.toml"}


def test_a_file_that_cannot_be_written_leaves_no_other_and_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(BadInput, match="cannot be written"):
        write_new({tmp_path / "new" / "one": "1", tmp_path / "file" / "two": "2"})
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_all_mistakes_are_told_at_once_with_their_flags_and_nothing_is_written(
    folder: Path,
) -> None:
    before = files_in(folder)
    done = harness(
        *("init", "a/../b", "--checkpoint", "./none", "--data", "data.csv"),
        *("--text-column", "words", "--seeds", "1,,2", "--learning-rates", "nan"),
        *("--min-mcc", "5", "--batch-sizes", "x"),
        cwd=folder,
    )
    assert done.code == 4
    for part in (
        "NAME: 'a/../b'",
        "checkpoint './none'",
        "no column 'words'; there are 'text', 'topic'",
        "--label-column is not given",
        "--seeds: '1,,2'",
        "--learning-rates: nan",
        "--min-mcc: 5.0",
        "--batch-sizes: 'x'",
    ):
        assert part in done.err, part
    assert files_in(folder) == before


@pytest.mark.parametrize("name", ["", "a b", "ü", 'a"b', "a\nb", "a\n", "../a", "-"])
def test_a_name_that_is_no_plain_name_is_refused(folder: Path, name: str) -> None:
    before = files_in(folder.parent)
    done = harness("init", "--checkpoint", "org/name", "--cola", "--", name, cwd=folder)
    assert done.code == 4, done.err
    assert done.err.startswith("NAME: ")
    assert len(done.err.splitlines()) == 1
    assert files_in(folder.parent) == before


def test_a_second_mistake_of_a_job_is_told_with_those_of_the_suite(folder: Path) -> None:
    done = init(folder, "--seeds", "x", "--ci", "gitlab")
    assert [line.split(":")[0] for line in done.err.splitlines()] == ["--seeds", "--ci"]


@pytest.mark.parametrize("odd", ['a "quoted" name', "größe und 文", "it's #1; $(x)", "new\nline"])
def test_odd_paths_and_class_names_are_quoted(folder: Path, odd: str) -> None:
    write_rows(folder / odd / "data.csv", labels=("'it #1", '"a ""b"" \\ü"'))
    done = init(folder, data=f"{odd}/data.csv")
    assert done.code == 0, done.err
    suite = load_suite(folder / "mine.toml")
    assert suite.dataset.path == f"{odd}/data.csv"
    assert suite.dataset.class_names == ("'it #1", 'a "b" \\ü')
    assert init(folder, "--output", odd).code == 0
    assert load_suite(folder / odd / "mine.toml").dataset.path == "../data.csv"
    (folder / ".git").mkdir()
    refused = init(folder, "--output", f"{odd}/ci", "--min-mcc", "0.1", "--ci", "github")
    assert refused.code == 4
    assert refused.err.startswith("--output: ")
    assert not (folder / odd / "ci").exists()


@pytest.mark.parametrize(
    ("header", "labels", "flags", "columns", "classes"),
    [
        ("sentence,label", ("1", "0"), (), ("sentence", "label"), ("0", "1")),
        ("Text,Class", ("10", "9"), (), ("Text", "Class"), ("9", "10")),
        ("words,label", ("true", "false"), (), ("words", "label"), ("false", "true")),
        ("a,b", ("y", "x"), ("--label-column", "b"), ("a", "b"), ("x", "y")),
        ("label,text", ("y", "x"), ("--text-column", "label"), ("label", "text"), ("x", "y")),
    ],
)
def test_columns_and_classes_are_found(
    folder: Path,
    header: str,
    labels: tuple[str, str],
    flags: tuple[str, ...],
    columns: tuple[str, str],
    classes: tuple[str, str],
) -> None:
    write_rows(folder / "data.csv", header, labels)
    done = init(folder, *flags)
    assert done.code == 0, done.err
    dataset = load_suite(folder / "mine.toml").dataset
    assert (dataset.text_column, dataset.label_column) == columns
    assert dataset.class_names == classes


def test_unclear_columns_are_one_error_that_lists_them(folder: Path) -> None:
    lines = [f"words {n},more {n},{n % 2}" for n in range(20)]
    (folder / "data.csv").write_text("\n".join(["text,sentence,kind", *lines]), encoding="utf-8")
    done = init(folder)
    assert done.code == 4
    assert [line.count("'text', 'sentence', 'kind'") for line in done.err.splitlines()] == [1, 1]
    assert "set --text-column" in done.err
    assert "set --label-column" in done.err
    assert not (folder / "mine.toml").exists()


def test_class_names_that_a_parquet_file_declares_keep_their_order(folder: Path) -> None:
    features = {"label": {"names": ["z", "a"], "_type": "ClassLabel"}}
    metadata = {b"huggingface": json.dumps({"info": {"features": features}}).encode()}
    table = pa.table({"sentence": list(SENTENCES), "label": [0, 1] * (len(SENTENCES) // 2)})
    pq.write_table(table.replace_schema_metadata(metadata), folder / "data.parquet")
    done = init(folder, data="data.parquet")
    assert done.code == 0, done.err
    assert load_suite(folder / "mine.toml").dataset.class_names == ("z", "a")


def test_rows_that_a_session_would_refuse_are_told(folder: Path) -> None:
    with (folder / "data.csv").open("a", encoding="utf-8") as file:
        file.write(",a\nno label here,\n")
    done = init(folder)
    assert done.code == 4
    assert "data.csv:42: column 'text'" in done.err
    assert "data.csv:43: column 'topic'" in done.err


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        (("--cola",), {"source": "cola"}),
        (
            ("--hub", "nyu-mll/glue", "--config", "sst2", "--text-column", "sentence"),
            {"source": "hub", "name": "nyu-mll/glue", "config": "sst2", "text_column": "sentence"},
        ),
    ],
)
def test_data_that_are_no_file(
    tmp_path: Path, flags: tuple[str, ...], expected: dict[str, Any]
) -> None:
    done = harness("init", "mine", "--checkpoint", "org/name", *flags, cwd=tmp_path)
    assert done.code == 0, done.err
    assert tomllib.loads((tmp_path / "mine.toml").read_text("utf-8"))["dataset"] == expected


@pytest.mark.parametrize(
    "flags",
    [(), ("--cola", "--hub", "a/b"), ("--cola", "--config", "c"), ("--cola", "--quoting", "csv")],
)
def test_sources_that_do_not_go_together_are_wrong_usage(
    tmp_path: Path, flags: tuple[str, ...]
) -> None:
    done = harness("init", "mine", "--checkpoint", "org/name", *flags, cwd=tmp_path)
    assert done.code == 2
    assert [*tmp_path.iterdir()] == []


def test_a_job_without_a_gate_is_refused(folder: Path) -> None:
    done = init(folder, "--ci", "github")
    assert done.code == 4
    assert "--min-mcc" in done.err
    assert not (folder / "mine.toml").exists()


def test_the_next_commands_are_strict_only_if_there_is_a_gate_to_judge(folder: Path) -> None:
    done = init(folder)
    commands = [line.split() for line in done.out.partition("next:\n")[2].splitlines()]
    assert [words[1] for words in commands] == ["doctor", "plan", "run"]
    assert not any("--strict" in words for words in commands)


def test_the_file_has_the_keys_that_most_people_change_next(folder: Path) -> None:
    assert init(folder).code == 0
    text = (folder / "mine.toml").read_text("utf-8")
    shown = [line.partition("  # ") for line in text.splitlines() if "  # " in line]
    assert [each[0] for each in shown] == ['keep_models = "none"', "validation_size = 0.1"]
    without = "".join(f"{line}\n" for line in text.splitlines() if "  # " not in line)
    (folder / "without.toml").write_text(without, encoding="utf-8")
    assert load_suite(folder / "mine.toml") == load_suite(folder / "without.toml")


@pytest.mark.parametrize(("rows", "few"), [(80, True), (4000, False)])
def test_how_many_sentences_validate_and_what_they_detect_is_what_plan_shows(
    folder: Path, rows: int, few: bool
) -> None:
    lines = [f'"{SENTENCES[n % len(SENTENCES)]} {n}",{"ab"[n % 2]}' for n in range(rows)]
    (folder / "data.csv").write_text("\n".join(["text,topic", *lines]), encoding="utf-8")
    done = init(folder)
    assert f"note: validation: {rows // 10} of {rows:,} sentences" in done.out
    planned = harness("plan", "--suite", "mine.toml", cwd=folder)
    (line,) = [line for line in planned.out.splitlines() if line.startswith("detectable")]
    assert f"note: {line}" in done.out.splitlines()
    assert ("no difference between two checkpoints" in line) == few
    assert ("too few to tell similar checkpoints apart" in done.out) == few


@pytest.mark.parametrize("times", [1, 3])
def test_sentences_as_labels_are_refused_with_the_flags_that_exchange_the_columns(
    folder: Path, times: int
) -> None:
    lines = [f"Sentence {n} is here.,{'ab'[n % 2]}" for n in range(40)] * times
    (folder / "data.csv").write_text("\n".join(["text,topic", *lines]), encoding="utf-8")
    done = init(folder, "--text-column", "topic", "--label-column", "text")
    assert done.code == 4
    assert "column 'text' (--label-column): 40 different labels, the first 'Sentence 0" in done.err
    assert not (folder / "mine.toml").exists()
    flags = shlex.split(done.err.partition("exchange the columns with ")[2])
    assert init(folder, *flags).code == 0
    dataset = load_suite(folder / "mine.toml").dataset
    assert (dataset.text_column, dataset.label_column) == ("text", "topic")


def test_more_classes_than_a_suite_may_have_are_told_as_sentences_if_they_are(
    folder: Path,
) -> None:
    lines = [f"word {n},This sentence has the number {n % 300}." for n in range(900)]
    (folder / "data.csv").write_text("\n".join(["a,b", *lines]), encoding="utf-8")
    done = init(folder, "--text-column", "a", "--label-column", "b")
    assert done.code == 4
    assert (
        "the labels are longer than the sentences, 33 characters on average against 8" in done.err
    )
    assert "name their column with --label-column" in done.err


@pytest.mark.parametrize("label", ["a name longer than the sentence {}", "{}" + "x" * 60])
def test_labels_that_look_like_sentences_are_remarked(folder: Path, label: str) -> None:
    more = "" if label.startswith("a name") else " and some more words" * 4
    lines = [f"word {n}{more},{label.format(n % 3)}" for n in range(60)]
    (folder / "data.csv").write_text("\n".join(["text,topic", *lines]), encoding="utf-8")
    done = init(folder)
    assert done.code == 0, done.err
    assert "note: data.csv: column 'topic' (--label-column): " in done.out
    assert "if these are no labels, name their column" in done.out
    write_rows(folder / "usual.csv")
    (folder / "mine.toml").unlink()
    assert "--label-column" not in init(folder, data="usual.csv").out


def few_rows(folder: Path, rows: int, classes: int) -> None:
    lines = [f"sentence number {number},c{number % classes}" for number in range(rows)]
    content = "\n".join(["text,topic", *lines]) + "\n"
    (folder / "data.csv").write_text(content, encoding="utf-8")


@pytest.mark.parametrize(
    ("rows", "classes", "size"), [(40, 2, 0.1), (20, 2, 0.2), (8, 2, 0.4), (30, 6, 0.2)]
)
def test_the_validation_size_is_the_smallest_that_a_session_accepts(
    folder: Path, rows: int, classes: int, size: float
) -> None:
    few_rows(folder, rows, classes)
    done = init(folder)
    suite = tomllib.loads((folder / "mine.toml").read_text(encoding="utf-8"))
    assert (done.code, suite["dataset"]["validation_size"]) == (0, size)
    said = f"note: dataset.validation_size is {size}: with 0.1, the default, a split has too few"
    assert (said in done.out) == (size != 0.1)
    accepted = harness("doctor", "--suite", "mine.toml", cwd=folder)
    assert accepted.code == 0, accepted.out
    smaller = (folder / "mine.toml").read_text(encoding="utf-8")
    for each in {0.1, round(size - 0.05, 2)} if size != 0.1 else ():
        changed = smaller.replace(f"validation_size = {size}", f"validation_size = {each}")
        (folder / "mine.toml").write_text(changed, encoding="utf-8")
        refused = harness("doctor", "--suite", "mine.toml", cwd=folder)
        assert "change dataset.validation_size" in refused.out + refused.err


@pytest.mark.parametrize(("rows", "classes"), [(6, 2), (400, 180)])
def test_a_file_that_a_session_would_refuse_to_split_is_refused_with_the_same_words(
    folder: Path, rows: int, classes: int
) -> None:
    few_rows(folder, 20 * classes, classes)
    assert init(folder).code == 0
    (folder / "mine.toml").rename(folder / "other.toml")
    few_rows(folder, rows, classes)
    before = files_in(folder)
    done = init(folder, "--min-mcc", "0.1", "--ci", "github")
    assert (done.code, done.out, files_in(folder)) == (4, "", before)
    told, way_out = done.err.splitlines()
    planned = harness("plan", "--suite", "other.toml", cwd=folder)
    assert told.startswith(f"data.csv: {rows} sentences (")
    assert told.partition("data.csv")[2] == planned.err.strip().partition("data.csv")[2]
    assert way_out.startswith("data.csv: no dataset.validation_size from 0.1 to 0.5 is possible; ")
