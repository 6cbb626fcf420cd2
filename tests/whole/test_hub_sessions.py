"""Whole sessions on a data set of the hub: records, tables, commands, and a session without it."""

import json
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from builders.hub_data import data_repository
from builders.hub_server import HubServer, run_client, serve
from builders.jobs import sentences
from builders.sessions import Session, run
from builders.tiny_checkpoints import make_checkpoint

from harness.inputs.hub import OFFLINE_VARIABLES
from harness.kept import kept_files
from harness.report import read_published
from harness.report.suite_file import suite_files
from harness.store.records import HubFacts
from harness.store.run_store import Stored, read_store

pytestmark = pytest.mark.sessions

SUITE = """
name = "topics"
keep_models = "best"
dataset = { source = "hub", name = "org/topics", text_column = "text", label_column = "topic" }
training = { epochs = 2, max_length = 16 }
gates.min_mcc = -1
[matrix]
checkpoints = ["./encoder"]
batch_sizes = [8]
learning_rates = [1e-3]
"""
NAMES = ("sport", "<art>", "a | b")
TEXTS = sentences(90)
PREFIX = "/mirrors/hub"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("topics")
    make_checkpoint("bert", made / "encoder")
    (made / "topics.toml").write_text(SUITE, encoding="utf-8")
    rows = [(text, number * 7 % 23 % 3) for number, text in enumerate(TEXTS)]
    splits = {"train": rows[:60], "validation": rows[60:]}
    data_repository(
        made / "repository", {"default": splits}, classes=NAMES, columns=("text", "topic")
    )
    return made


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[HubServer]:
    with serve(PREFIX) as running:
        running.add_dataset("org/topics", folder / "repository")
        yield running


def variables(folder: Path, server: HubServer) -> dict[str, str]:
    online = dict.fromkeys(OFFLINE_VARIABLES, "0")
    return {"HF_ENDPOINT": f"{server.endpoint}/", "HF_HOME": str(folder / "home"), **online}


@pytest.fixture(scope="module")
def first(folder: Path, server: HubServer) -> Session:
    return run(folder, suite=folder / "topics.toml", variables=variables(folder, server))


def command(folder: Path, server: HubServer, *arguments: str) -> str:
    """Return what `harness` prints in a new process, which can reach the hub."""
    program = f"import sys, harness.cli; sys.argv = ['harness', *{list(arguments)!r}]\n"
    return run_client(
        f"{program}harness.cli.main()", f"{server.endpoint}/", folder / "home", NO_COLOR="1"
    )


def stored(folder: Path) -> Stored:
    found, unreadable = read_store(folder / "results" / "topics")
    assert unreadable == []
    (item,) = found
    return item


def test_doctor_and_plan_know_the_data_before_it_is_downloaded(
    folder: Path, server: HubServer
) -> None:
    suite = ("--suite", str(folder / "topics.toml"))
    results = ("--results-dir", str(folder / "results"))
    found = command(folder, server, "doctor", *suite, *results)
    assert "data of topics" in found
    assert "on the hub, at " in found
    assert server.count("parquet") == 0
    plan = command(folder, server, "plan", *suite, *results)
    assert "data: org/topics@" in plan
    assert "train: 60 sentences: " in plan
    assert "of class 1 (<art>)" in plan


def test_a_split_that_does_not_exist_ends_the_session_before_it_trains(
    folder: Path, server: HubServer
) -> None:
    wrong = SUITE.replace('name = "org/topics"', 'name = "org/topics", validation = ["a", "b"]')
    (folder / "wrong.toml").write_text(wrong, encoding="utf-8")
    done = run(folder, suite=folder / "wrong.toml", variables=variables(folder, server))
    assert done.code == 4
    for key, split in (("dataset.validation[0]", "a"), ("dataset.validation[1]", "b")):
        problem = f"{key}: no split '{split}'; there are 'train', 'validation': name one of them"
        assert done.output.count(problem) == 1
    assert "to train" not in done.output


def test_a_record_names_the_commit_and_the_classes(
    folder: Path, server: HubServer, first: Session
) -> None:
    assert first.code == 0, first.output
    commit = server.add_dataset("org/topics", folder / "repository")
    item = stored(folder)
    facts = item.record.dataset
    assert facts is not None
    assert facts.hub == HubFacts(
        name="org/topics", config="default", revision=commit, class_names=NAMES
    )
    assert facts.origin == f"org/topics@{commit}"
    assert (facts.train, facts.validation, facts.test) == (60, 30, 0)
    assert kept_files.class_names(item.folder) == NAMES
    card = (item.folder / "model" / "README.md").read_text(encoding="utf-8")
    for line in ("- org/topics", "type: org/topics", "config: default", f"revision: {commit}"):
        assert line in card


def test_tables_name_the_classes_and_the_suite_file_the_commit(
    folder: Path, server: HubServer, first: Session
) -> None:
    results = folder / "results" / "topics"
    commit = server.add_dataset("org/topics", folder / "repository")
    published = read_published(results / "leaderboard.json")
    assert published.class_names == NAMES
    document = (results / "leaderboard.md").read_text(encoding="utf-8")
    assert f"fine-tuned on org/topics@{commit}" in document.replace("\\", "")
    assert "sport" in document
    ((_, text),) = suite_files(published)
    assert tomllib.loads(text)["dataset"] == {
        "source": "hub",
        "name": "org/topics",
        "config": "default",
        "revision": commit,
        "text_column": "text",
        "label_column": "topic",
    }
    # The file plans the same run on the same data: nothing is trained again.
    (folder / "again.toml").write_text(text, encoding="utf-8")
    plan = command(
        folder,
        server,
        *("plan", "--json", "--suite", str(folder / "again.toml")),
        *("--results-dir", str(folder / "results")),
    )
    (planned,) = json.loads(plan)["suites"]
    assert [each["state"] for each in planned["runs"]] == ["finished"]


def test_mistakes_and_a_second_session_need_no_hub(
    folder: Path, server: HubServer, first: Session
) -> None:
    offline = variables(folder, server) | {"HF_HUB_OFFLINE": "1"}
    second = run(folder, suite=folder / "topics.toml", variables=offline)
    assert second.code == 0, second.output
    assert "0 to train" in second.output
    found = command(folder, server, "mistakes", str(folder / "results" / "topics"), "--json")
    assert json.loads(found)["sentences"] == 30
    assert {each["label"] for each in json.loads(found)["missed"]} <= set(NAMES)
