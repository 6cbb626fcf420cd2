"""Suites that are part of the package, named on a command line."""

from pathlib import Path

import pytest

from harness.suite.by_name import NAMES, as_typed, shipped


@pytest.mark.parametrize("name", NAMES)
def test_a_shipped_suite_is_typed_by_its_name(name: str) -> None:
    file = shipped(name)
    assert file is not None
    assert file.is_file()
    assert as_typed(file) == name


def test_an_own_file_is_typed_by_its_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert as_typed(tmp_path / "suites" / "quickstart.toml") == "suites/quickstart.toml"
