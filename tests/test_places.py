"""Places are tried before anything trains: refused where writing would fail, and left as is."""

import os
from pathlib import Path

import pytest

from harness.places import Place, unusable


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
    one = Place("--junitxml", tmp_path / "out")
    other = Place("--benchmark-json", tmp_path / "deep" / ".." / "out", makes_folders=False)
    (tmp_path / "deep").mkdir()
    (problem,) = unusable([one, other, one])
    assert problem.startswith("--benchmark-json: ")
    assert "--junitxml writes that file too" in problem
