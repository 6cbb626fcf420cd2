"""Helpers for many tests: waiting for programs, and an unreachable hub."""

import subprocess
import time
from pathlib import Path

from harness.inputs.hub import Hub

UNREACHABLE = Hub("https://hub.invalid", reachable=False, reason="no answer within 3 s")


def wait_for(
    folder: Path, pattern: str, program: subprocess.Popen[str] | None = None
) -> list[Path]:
    """Wait until files match in a folder, and return them; `program` must not end earlier."""
    while not (found := list(folder.glob(pattern))):
        assert program is None or program.poll() is None, program.communicate()[0]
        time.sleep(0.02)
    return found
