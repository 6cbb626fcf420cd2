"""Paths that cannot be looked up: too long, or in a folder without permission."""

import errno
from pathlib import Path

import pytest

from harness.paths import is_absent, passes


def test_a_test_of_a_path_that_cannot_be_looked_up_fails(tmp_path: Path) -> None:
    assert passes(Path.is_dir, tmp_path)
    assert not passes(Path.is_file, tmp_path)
    assert not passes(Path.is_dir, tmp_path / ("x" * 300))


def test_only_what_surely_does_not_exist_is_absent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert is_absent(tmp_path / "a")
    assert not is_absent(tmp_path)
    assert not is_absent(tmp_path / ("x" * 300))

    def denied(_: Path, **__: bool) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "stat", denied)
    assert not is_absent(tmp_path / "a")
    assert not passes(Path.is_dir, tmp_path)
