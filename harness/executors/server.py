"""Imported by the fork server alone, whose socket's folder goes with it when its session is gone.

Otherwise the session removes that folder, which it cannot when it is killed.
"""

import atexit
import os
import shutil
import sys

from harness.executors.local import SOCKET_FOLDER


def _remove(folder: str, server: int) -> None:
    if os.getpid() != server:
        return  # what it forked has its exit functions too
    if hasattr(sys, "last_type"):
        return  # an error ended it: the session is there, and starts the next one in that folder
    shutil.rmtree(folder, ignore_errors=True)


if folder := os.environ.pop(SOCKET_FOLDER, None):
    atexit.register(_remove, folder, os.getpid())
