"""A results folder belongs to one session at a time, and to none once its process is gone."""

import errno
import fcntl
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from builders.waiting import wait_for

from harness.errors import BadInput
from harness.store.lock import FILE, hold, release

HOLDER = f"""
import sys, time
sys.path[:0] = {sys.path!r}
from pathlib import Path
from harness.store.lock import hold
held = hold(Path(sys.argv[1]))
(Path(sys.argv[1]) / "held").touch()
time.sleep(600)
"""


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the folder."""
    with subprocess.Popen([sys.executable, "-c", HOLDER, str(tmp_path)], text=True) as process:
        wait_for(tmp_path, "held", process)
        yield process
        process.kill()


def test_the_second_is_told_who_has_the_folder_and_what_to_do(
    tmp_path: Path, holder: subprocess.Popen[str]
) -> None:
    with pytest.raises(BadInput) as refused:
        hold(tmp_path)
    (problem,) = refused.value.problems
    assert f"{tmp_path}: another session uses this folder" in problem
    assert f"process {holder.pid} on {socket.gethostname()}, since 20" in problem
    assert problem.endswith("wait for it to end, or name another folder")


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_no_lock_outlives_its_process(
    tmp_path: Path, holder: subprocess.Popen[str], how: signal.Signals
) -> None:
    holder.send_signal(how)
    holder.wait()
    assert (tmp_path / FILE).exists()
    release(hold(tmp_path))


def test_a_released_folder_can_be_held_again_and_no_file_is_left(tmp_path: Path) -> None:
    for _ in range(2):
        held = hold(tmp_path / "new" / "folder")
        with pytest.raises(BadInput, match=f"process {os.getpid()} on"):
            hold(tmp_path / "new" / "folder")
        release(held)
        assert list((tmp_path / "new" / "folder").iterdir()) == []


def test_a_file_that_was_removed_and_made_anew_is_not_held_twice(tmp_path: Path) -> None:
    """Whoever opened the old file before it was removed must not lock what nobody else sees."""
    program = f"""
import fcntl, os, sys
sys.path[:0] = {sys.path!r}
from pathlib import Path
from harness.store import lock
folder, flock, calls = Path(sys.argv[1]), fcntl.flock, []
def racing(descriptor, operation):
    if not calls:
        (folder / lock.FILE).unlink()  # as its holder does between our opening and our locking
    calls.append(operation)
    flock(descriptor, operation)
fcntl.flock = racing
held = lock.hold(folder)
assert len(calls) == 2
assert os.path.samestat(os.fstat(held.descriptor), (folder / lock.FILE).stat())
"""
    subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=True)


@pytest.mark.parametrize("left", [b"", b"{", b"[]", b'{"pid": "x"}', b"\xff", b"[" * 900])
def test_a_holder_that_does_not_say_who_it_is_is_refused_for_all_the_same(
    tmp_path: Path, left: bytes
) -> None:
    (tmp_path / FILE).write_bytes(left)
    with (tmp_path / FILE).open("rb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(BadInput, match="another session uses this folder") as refused:
            hold(tmp_path)
    assert str(refused.value).isprintable()


def test_where_there_are_no_locks_it_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unsupported(*_: int) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", unsupported)
    held = hold(tmp_path)
    assert held.warning is not None
    assert "has no locks (No locks available)" in held.warning
    release(held)


def test_a_folder_that_cannot_be_written_is_bad_input(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / FILE).mkdir()
    for folder in (tmp_path / "file" / "runs", tmp_path):
        with pytest.raises(BadInput, match="cannot be written"):
            hold(folder)
