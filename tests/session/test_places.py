"""Places are tried before anything trains: refused where writing would fail, and left as is."""

import os
from pathlib import Path

import pytest

from harness.session.options import Chosen, planned_suites
from harness.session.places import Place, ReadFile, conflicting, overwritten, unusable
from harness.session.read_files import read_files


def listing(folder: Path) -> dict[str, bytes | None]:
    return {str(p): p.read_bytes() if p.is_file() else None for p in folder.rglob("*")}


@pytest.mark.parametrize(
    "place",
    [
        Place("--x", Path("new.json")),
        Place("--x", Path("a/b/c/new.json")),
        Place("--x", Path("old.json"), makes_folders=False),
        Place("--x", Path("old.json"), "replaced"),
        Place("--x", Path("link.json")),
        Place("--x", Path("dangling.json")),
        Place("--x", Path("some/new/folder"), "folder"),
        Place("--x", Path(os.devnull)),
    ],
    ids=lambda place: f"{place.path}-{place.kind}",
)
def test_a_place_that_can_be_written_is_left_as_it_was(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("old.json").write_text("what an earlier session wrote")
    Path("link.json").symlink_to("old.json")
    Path("dangling.json").symlink_to("nowhere.json")
    before = listing(tmp_path)
    changed = Path("old.json").stat().st_mtime_ns
    assert unusable([place]) == []
    assert listing(tmp_path) == before
    assert Path("old.json").stat().st_mtime_ns == changed


@pytest.mark.parametrize(
    ("place", "cause"),
    [
        (Place("--x", Path("missing/new.json"), makes_folders=False), "there is no folder missing"),
        (Place("--x", Path("file/new.json")), "not a directory"),
        (Place("--x", Path("file/deep/new.json"), makes_folders=False), "not a directory"),
        (Place("--x", Path("folder")), "is a directory"),
        (Place("--x", Path("folder"), "replaced"), "is a directory"),
        (Place("--x", Path("file"), "folder"), "exists|not a directory"),
        (Place("--x", Path("n" * 300)), "file name too long"),
        (Place("--x", Path("loop")), "symbolic links"),
        (Place("--x", Path("/proc/no/such.json")), "cannot be written"),
    ],
    ids=str,
)
def test_a_place_that_cannot_be_written_is_told_with_the_cause(
    place: Place, cause: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file").touch()
    Path("folder").mkdir()
    Path("loop").symlink_to("loop")
    before = listing(tmp_path)
    (problem,) = unusable([place])
    assert problem.startswith(f"--x: {place.path}: cannot be written (")
    assert any(part in problem for part in cause.split("|")), problem
    assert listing(tmp_path) == before


def test_two_options_that_would_write_one_file_are_told(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "link").symlink_to(tmp_path)
    (tmp_path / "there").touch()
    (tmp_path / "hard").hardlink_to(tmp_path / "there")
    for first, second in (("out", "deep/../out"), ("out", "link/out"), ("there", "hard")):
        one, other = Place("--junitxml", tmp_path / first), Place("--log-file", tmp_path / second)
        (problem,) = conflicting([one, other, one])
        assert problem.startswith(f"--log-file: {other.path}: ")
        assert "--junitxml writes that file too" in problem


def test_a_file_where_another_place_needs_a_folder_is_told(tmp_path: Path) -> None:
    file = Place("--junitxml", tmp_path / "results" / "tiny")
    for other in (
        Place("--results-dir", tmp_path / "results" / "tiny" / "runs", "folder"),
        Place("--results-dir", tmp_path / "results" / "tiny" / "leaderboard.md", "replaced"),
        Place("--alluredir", tmp_path / "results" / "tiny", "folder"),
    ):
        (problem,) = conflicting([other, file])
        assert problem.startswith(f"--junitxml: {file.path}: {other.name} needs a folder there")
    beside = Place("--junitxml", tmp_path / "results" / "tiny" / "junit.xml")
    assert list(conflicting([beside, other])) == []
    special = Place("--log-file", Path(os.devnull))
    assert list(conflicting([special, Place("--junitxml", Path(os.devnull))])) == []


@pytest.mark.parametrize(
    "spelled",
    ["data.csv", "deep/../data.csv", "link.csv", "folder/data.csv", "hard.csv", "chain.csv"],
)
@pytest.mark.parametrize("named", ["data.csv", "link.csv", "chain.csv"])
def test_no_place_may_be_a_file_that_is_read(
    spelled: str, named: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("data.csv").write_text("sentence,label")
    Path("deep").mkdir()
    Path("link.csv").symlink_to("data.csv")
    Path("chain.csv").symlink_to("link.csv")
    Path("folder").symlink_to(tmp_path)
    Path("hard.csv").hardlink_to("data.csv")
    read = [ReadFile("--suite", Path("other.toml")), ReadFile("dataset.path", Path(named))]
    (problem,) = overwritten([Place("--junitxml", Path(spelled))], read)
    assert problem.startswith(f"--junitxml: {spelled}: dataset.path reads that file ({named})")
    assert list(overwritten([Place("--junitxml", Path("new.csv"))], read)) == []
    # A rename replaces a link, not what it leads to: that is only lost by its own name.
    lost = list(overwritten([Place("--results-dir", Path(spelled), "replaced")], read))
    behind = {"data.csv": 0, "link.csv": 1, "chain.csv": 2}
    place = {"deep/../data.csv": 0, "folder/data.csv": 0, "hard.csv": 3, **behind}[spelled]
    assert bool(lost) == (place <= behind[named])


def test_a_session_reads_suites_data_references_checkpoints_and_baseline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("model/config.json", "model/vocab.txt", "model/part-1.safetensors"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "model" / "junit.xml").touch()  # of an earlier session, and no part of a model
    (tmp_path / "refs.toml").write_text("reference = []\n")
    (tmp_path / "cola" / "raw").mkdir(parents=True)
    (tmp_path / "cola" / "raw" / "in_domain_train.tsv").touch()
    matrix = 'matrix = { checkpoints = ["../model"], batch_sizes = [8], learning_rates = [1e-3] }\n'
    (tmp_path / "suites").mkdir()
    for name, more in {
        "own": 'dataset.source = "file"\ndataset.path = "../data.csv"\n',
        "cola": 'references = "../refs.toml"\ndataset.source = "cola"\n',
    }.items():
        (tmp_path / "suites" / f"{name}.toml").write_text(f'name = "{name}"\n{more}{matrix}')
    typed = {
        "suite": ["suites/own.toml", "suites/cola.toml"],
        "cola_dir": "cola",
        "baseline": "earlier/leaderboard.json",
    }
    chosen = Chosen(typed, here=tmp_path, project=tmp_path / "project")
    found = read_files(chosen, planned_suites(chosen))
    told = {(file.name, os.path.relpath(file.path.resolve(), tmp_path)) for file in found}
    assert told == {
        ("--suite", "suites/own.toml"),
        ("--suite", "suites/cola.toml"),
        ("--baseline", "earlier/leaderboard.json"),
        ("dataset.path", "data.csv"),
        ("--cola-dir", "cola/raw/in_domain_train.tsv"),
        ("references", "refs.toml"),
        ("checkpoint '../model'", "model/config.json"),
        ("checkpoint '../model'", "model/part-1.safetensors"),
        ("checkpoint '../model'", "model/vocab.txt"),
    }
