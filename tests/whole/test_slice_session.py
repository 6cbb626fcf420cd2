"""Real sessions with slices: annotations of finished runs train nothing, and gates are judged."""

from pathlib import Path

import pytest
from builders.sessions import run
from builders.small_suite import SUITE, finish, write_suite
from builders.waiting import UNREACHABLE

from harness.inputs import data
from harness.report import read_published
from harness.session.suite_inputs import find_inputs
from harness.suite.spec import load_suite

ONE = SUITE.replace(', "org/unreachable"', "").replace(
    "validation_size = 20", "validation_size = 80"
)

GATES = """
[gates.slice."half=first"]
min_mcc = 0.3
[gates.slice."half=second"]
min_mcc = 0.5
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A suite of finished runs on 80 validation sentences, of which the first half has errors."""
    folder = write_suite(tmp_path_factory.mktemp("slices"), ONE, rows=160)
    for seed in (1, 2):
        finish(folder, folder / "results", seed)
    suite = load_suite(folder / "tiny.toml")
    found = find_inputs(suite, folder, [], None, UNREACHABLE)
    assert found.source is not None
    sentences = data.load(found.source).splits["validation"]["sentence"][:]
    lines = [f"{text}\t{'first' if n < 40 else 'second'}" for n, text in enumerate(sentences)]
    (folder / "notes.tsv").write_text("\n".join(["sentence\thalf", *lines]) + "\n", "utf-8")
    changed = ONE.replace("[matrix]", 'annotations = "notes.tsv"\n[matrix]') + GATES
    (folder / "tiny.toml").write_text(changed, "utf-8")
    return folder


def test_annotations_add_slices_to_finished_runs_and_their_gates_are_judged(folder: Path) -> None:
    session = run(folder, suite=folder / "tiny.toml")
    assert session.code == 1, session.output
    assert "notes.tsv: 80 of 80 validation sentences annotated" in session.output
    assert "half=first: MCC -0.6000 on 40 sentences" in session.output
    assert "is entirely below the threshold 0.3000" in session.output
    assert "half=second: MCC" not in session.output
    records = sorted((folder / "results" / "tiny" / "runs").rglob("record.json"))
    assert len(records) == 2, "something was trained"
    published = read_published(folder / "results" / "tiny" / "leaderboard.json")
    assert published.slices is not None
    assert [column.name for column in published.slices.columns] == ["length", "half"]
    document = (folder / "results" / "tiny" / "leaderboard.md").read_text("utf-8")
    assert "| half" in document
    assert str(folder) not in document
