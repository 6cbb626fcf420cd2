"""Jobs without machine learning, for executors to run.

Workers import this module for every job, so it imports little.
"""

import ctypes
import gc
import os
import signal
import sys
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NoReturn

POLL_SECONDS = 0.01
IMPORTED_BY = os.getpid()


class Choosy(Exception):
    """An exception that can be pickled but not unpickled."""

    def __init__(self, what: str, why: str) -> None:
        super().__init__(f"{what}: {why}")


class Shy:
    """An object whose pickling and repr both fail."""

    def __reduce__(self) -> NoReturn:
        raise TypeError("too shy to be sent")

    def __repr__(self) -> NoReturn:
        raise TypeError("too shy to be shown")


def double(number: int) -> int:
    return 2 * number


def raise_key_error(message: str) -> None:
    raise KeyError(message)


def raise_choosy(why: str) -> None:
    raise Choosy("it does not suit", why)


def return_function(_: int) -> Callable[[], int]:
    return lambda: 1


def return_shy(_: object) -> Shy:
    return Shy()


def kill_itself(number: int) -> None:
    os.kill(os.getpid(), number)


def exit_at_once(code: int) -> None:
    os._exit(code)


def exit_politely(code: int) -> None:
    sys.exit(code)


def segfault(_: int) -> None:
    ctypes.string_at(0)


def die_while_answering(number: int) -> None:
    """Make the connection send one byte of the result, and kill the process."""

    def send_a_byte(connection: Connection, buffer: bytes) -> None:
        os.write(connection.fileno(), bytes(buffer[:1]))
        os.kill(os.getpid(), number)

    Connection._send = send_a_byte  # type: ignore[attr-defined]


def sleep(folder: Path) -> None:
    """Record this process in a file, and sleep (practically) forever."""
    (folder / f"{os.getpid()}.pid").touch()
    time.sleep(600)


def note(file: Path) -> str:
    """Record this process in a file, wait until a file `go` is next to it, and return."""
    file.touch()
    while not (file.parent / "go").exists():
        time.sleep(POLL_SECONDS)
    return file.name


def report(job: tuple[int, int]) -> int:
    """Tell the test that listens on a port that this job began; return when the test answers."""
    import socket  # here, as other jobs need none of it

    port, number = job
    with socket.create_connection(("127.0.0.1", port)) as connection:
        devices = os.environ.get("CUDA_VISIBLE_DEVICES")
        connection.sendall(f"{number} {os.getpid()} {devices}\n".encode())
        connection.recv(1)
    return number * number


def append(line: tuple[Path, str]) -> None:
    with line[0].open("a") as file:
        file.write(line[1])


def overlap(task: tuple[Path, int]) -> int:
    """Wait until other jobs run too; return the largest number of jobs that ran at once."""
    folder, workers = task
    mine = folder / str(os.getpid())
    mine.touch()
    most = 0
    deadline = time.monotonic() + 20
    while most < workers and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
        most = max(most, len(list(folder.iterdir())))
    time.sleep(0.2)  # an extra job would start now, if the limit failed
    most = max(most, len(list(folder.iterdir())))
    mine.unlink()
    return most


def processes(_: int) -> tuple[int, int, int]:
    """Return the process that imported this module, this process, and its parent."""
    return IMPORTED_BY, os.getpid(), os.getppid()


def be_killed_by_the_kernel(counter: Path | None) -> None:
    """End like a process killed by the kernel's OOM killer, which counts kills in /proc/vmstat."""
    if counter is not None:
        counter.write_text("pgfault 7\noom_kill 4\n")
    os.kill(os.getpid(), signal.SIGKILL)


def garbage_collection(_: object) -> tuple[bool, int]:
    """Return whether garbage collection is enabled, and the number of frozen objects."""
    return gc.isenabled(), gc.get_freeze_count()
