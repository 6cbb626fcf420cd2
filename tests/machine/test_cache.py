"""The user's cache folder: where it is, who may write there, and what a damaged file is."""

import os
import subprocess
from pathlib import Path

import pytest

from harness.machine import cache


def test_a_content_is_whole_only_with_its_own_digest(tmp_path: Path) -> None:
    for content in (b"", b"x", bytes(range(256)) * 40):
        data = cache.with_digest(content)
        (tmp_path / "content").write_bytes(content)
        told = subprocess.run(["sha256sum", tmp_path / "content"], capture_output=True, check=True)
        assert data == content + bytes.fromhex(told.stdout.split()[0].decode())
        assert cache.whole(data) == content
        for damaged in (data[:-1], data + b"\0", data[1:], bytes([data[0] ^ 1]) + data[1:]):
            assert cache.whole(damaged) is None
    assert cache.whole(b"") is None


def test_the_folder_follows_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/someone")
    for value, expected in (("/caches", "/caches"), ("here", "/home/someone/.cache")):
        monkeypatch.setenv("XDG_CACHE_HOME", value)
        assert cache.folder() == Path(expected) / "cola-finetuning-benchmark"


def test_a_folder_that_others_can_write_or_that_cannot_be_made_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache.check(tmp_path)
    cache.check(tmp_path / "new" / "folder")
    (tmp_path / "file").touch()
    with pytest.raises(PermissionError, match="cannot be made; set XDG_CACHE_HOME"):
        cache.check(tmp_path / "file" / "folder")
    for mode in (0o720, 0o702):
        tmp_path.chmod(mode)
        with pytest.raises(PermissionError, match=f"other users can write to .*mode {mode:o}"):
            cache.check(tmp_path)
    tmp_path.chmod(0o755)
    cache.check(tmp_path)
    monkeypatch.setattr(os, "geteuid", lambda: tmp_path.stat().st_uid + 1)
    with pytest.raises(PermissionError, match="belongs to user"):
        cache.check(tmp_path)


def test_the_features_of_a_processor_are_those_that_linux_lists() -> None:
    if not (listed := Path("/proc/cpuinfo")).exists():
        pytest.skip("needs Linux")
    line = cache.processor()
    assert "\n" not in line
    assert line in listed.read_text(errors="replace").splitlines() or line == ""
