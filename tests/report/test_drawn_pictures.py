"""Pictures that were drawn before: the same bytes without matplotlib, and never anything else."""

import importlib.metadata
import os
import re
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from builders.commands import ROOT, imported_by

from harness.machine import cache
from harness.report.pictures import drawn as drawn_pictures
from harness.report.pictures.content import FORMATS, Budgets, Content, Picture, Race
from harness.report.pictures.drawn import LIBRARIES, SOURCES, drawn
from harness.report.pictures.plots import draw

sys.path.insert(0, str(ROOT / "docs"))

from packages import PACKAGE, graph, modules

BUDGETS = Budgets([("org/a", ("#0072b2", "o"), (0.1, 0.2))], (0.15, 0.25), None)
PICTURES = [
    Picture("best-of-n", "the best", "", BUDGETS),
    Picture("race", "the race", "", Race([((0.1, 0.12), True), ((0.3, 0.28), False)])),
]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of kept pictures, which does not exist yet."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "cola-finetuning-benchmark" / "pictures"


def refuse_to_draw(_: object) -> dict[str, bytes]:
    raise AssertionError("drawn again")


def test_kept_pictures_are_what_drawing_gives_and_are_drawn_once(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = draw(PICTURES)
    assert list(drawn(PICTURES).items()) == list(expected.items())
    assert len(list(folder.iterdir())) == len(PICTURES) * len(FORMATS)
    assert folder.stat().st_mode & 0o777 == 0o700
    monkeypatch.setattr("harness.report.pictures.plots.draw", refuse_to_draw)
    assert list(drawn(PICTURES).items()) == list(expected.items())
    renamed = replace(PICTURES[0], name="other", title="another")
    assert drawn([renamed]) == {f"other.{kind}": expected[f"best-of-n.{kind}"] for kind in FORMATS}


def test_kept_pictures_leave_a_folder_in_which_compiled_code_can_be_kept(folder: Path) -> None:
    before = os.umask(0o002)  # the usual one where each user has a group
    try:
        drawn(PICTURES[:1])
    finally:
        os.umask(before)
    assert len(list(folder.iterdir())) == len(FORMATS)
    for each in (folder.parent, folder):
        cache.check(each)


def test_a_report_of_kept_pictures_loads_no_matplotlib(folder: Path, tmp_path: Path) -> None:
    results = tmp_path / "results"
    shutil.copytree(ROOT / "results" / "quickstart", results)
    for loads in (True, False):
        done, modules = imported_by("report", str(results), "--check")
        assert (done.code, "differs" in done.out) == (0, False), done.out + done.err
        assert ("matplotlib" in modules, "PIL" in modules) == (loads, loads)
    assert folder.is_dir()


@pytest.mark.parametrize("damage", ["cut", "changed", "another picture", "another key", "removed"])
def test_what_is_not_the_kept_file_is_drawn_again(folder: Path, damage: str) -> None:
    expected = drawn(PICTURES)
    before = {path: path.read_bytes() for path in folder.iterdir()}
    one, *others = sorted(path for path in before if path.suffix == ".svg")
    match damage:
        case "cut":
            one.write_bytes(before[one][:-1])
        case "changed":
            one.write_bytes(before[one].replace(b"<svg", b"<svh"))
        case "another picture":
            one.write_bytes(before[others[0]])
        case "another key":
            one.rename(one.with_stem("0" * 64))
        case _:
            one.unlink()
    assert drawn(PICTURES) == expected
    assert {path: path.read_bytes() for path in before} == before


def test_whatever_changes_the_bytes_changes_the_key(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def names() -> set[str]:
        shutil.rmtree(folder, ignore_errors=True)
        drawn(PICTURES[:1])
        return {path.name for path in folder.iterdir()}

    seen = [names()]
    assert names() == seen[0]
    (tmp_path / "plots.py").write_bytes(SOURCES[-2].read_bytes() + b"\n")
    properties = "truetype:interpreter-version=35"
    with monkeypatch.context() as changed:
        changed.setenv("FREETYPE_PROPERTIES", properties)
        seen.append(names())
    with monkeypatch.context() as changed:
        sources = (*SOURCES[:-2], tmp_path / "plots.py", SOURCES[-1])
        changed.setattr(drawn_pictures, "SOURCES", sources)
        seen.append(names())
    with monkeypatch.context() as changed:
        changed.setattr("harness.machine.cache.processor", lambda: "flags: another")
        seen.append(names())
    with monkeypatch.context() as changed:
        changed.setattr(drawn_pictures, "LIBRARIES", (*LIBRARIES, "pytest"))
        seen.append(names())
    assert len(set.union(*seen)) == len(seen) * len(FORMATS)


def test_pictures_that_differ_in_one_digit_or_in_type_have_files_of_their_own(folder: Path) -> None:
    every = (0.15, 0.25)
    contents: list[Content] = [
        replace(BUDGETS, every=every),
        replace(BUDGETS, every=(0.15, 0.2500001)),
        replace(BUDGETS, checkpoints=[]),
        replace(BUDGETS, ticks=(1.0, 2.0)),
        Race([(every, False)]),
        Race([(every, True)]),
    ]
    for number, content in enumerate(contents, 1):
        picture = Picture("race", "", "", content)
        assert drawn([picture]) == draw([picture])
        assert len(list(folder.iterdir())) == number * len(FORMATS)


def test_a_folder_of_others_or_none_is_not_used(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = draw(PICTURES[:1])
    folder.mkdir(parents=True)
    for shared in (folder, folder.parent):
        shared.chmod(0o777)
        assert drawn(PICTURES[:1]) == expected
        shared.chmod(0o700)
    assert list(folder.iterdir()) == []
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "file"))
    (folder / "file").touch()
    assert drawn(PICTURES[:1]) == expected
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder))
    assert drawn(PICTURES[:1]) == expected
    (made,) = (folder / "cola-finetuning-benchmark" / "pictures").glob("*.png")
    made.unlink()
    made.mkdir()  # cannot be replaced by a file
    assert drawn(PICTURES[:1]) == expected


def test_libraries_that_do_not_list_their_files_identify_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = draw(PICTURES[:1])
    with monkeypatch.context() as changed:
        changed.setattr(importlib.metadata.PathDistribution, "read_text", lambda *_: None)
        assert drawn(PICTURES[:1]) == expected
    monkeypatch.setattr(drawn_pictures, "LIBRARIES", ("no-such-library",))
    assert drawn(PICTURES[:1]) == expected
    assert not folder.exists()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("INSTALLER", "conda\n"),
        ("direct_url.json", '{"dir_info": {"editable": true}, "url": "file:///matplotlib"}'),
        ("direct_url.json", "no JSON"),
    ],
)
def test_libraries_whose_list_lacks_what_draws_identify_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch, name: str, content: str
) -> None:
    read_text = importlib.metadata.PathDistribution.read_text

    def changed(self: importlib.metadata.PathDistribution, file: str) -> str | None:
        if file == name and self.metadata["Name"] == "matplotlib":
            return content
        return read_text(self, file)

    expected = draw(PICTURES[:1])
    monkeypatch.setattr(importlib.metadata.PathDistribution, "read_text", changed)
    assert drawn(PICTURES[:1]) == expected
    assert not folder.exists()


def test_the_files_not_used_for_longest_are_removed(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = PICTURES
    drawn([first])
    kept = set(folder.iterdir())
    monkeypatch.setattr(
        drawn_pictures, "MOST_BYTES", sum(path.stat().st_size for path in kept) + 10_000
    )
    old = folder / "old.png"
    old.write_bytes(b"x" * 1_000_000)
    os.utime(old, (1e9, 1e9))
    for path in kept:
        os.utime(path, (2e9, 2e9))  # in the future, as after a wrong clock
    drawn([replace(first, content=replace(BUDGETS, every=(0.2, 0.3)))])
    assert set(folder.iterdir()) == kept
    for path in kept:
        os.utime(path, (1e9, 1e9))
    drawn([first])  # makes them the newest
    assert all(path.stat().st_mtime > 1.5e9 for path in kept)
    for path in kept:
        os.utime(path, (1e9, 1e9))
    drawn([second])
    assert kept.isdisjoint(folder.iterdir())
    assert len(list(folder.iterdir())) == len(FORMATS)


def test_the_digest_covers_every_library_and_module_that_draws() -> None:
    needed = importlib.metadata.requires("matplotlib") or []
    names = {re.split(r"[^\w.-]", line)[0].lower() for line in needed if "extra ==" not in line}
    assert len(names) > 5
    assert names | {"matplotlib"} == set(LIBRARIES)

    needs, files = graph(), modules()
    reached, todo = set[str](), ["report.pictures.plots"]
    while todo:
        name = todo.pop()
        reached.add(name)
        todo += needs[name] - reached
    assert {files[name] for name in reached} == set(SOURCES)
    assert all(path.is_relative_to(PACKAGE) for path in SOURCES)
