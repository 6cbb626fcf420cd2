"""Imported by the fork server alone, whose socket's folder goes with it when it ends.

Otherwise the session removes that folder, which it cannot when it is killed.
"""

import atexit
import os
import shutil

SOCKET_FOLDER = "HARNESS_SOCKET_FOLDER"
"""The environment variable that names the folder to the server, and to nothing that it starts."""


def _remove(folder: str, server: int) -> None:
    if os.getpid() == server:  # what it forked has its exit functions too
        shutil.rmtree(folder, ignore_errors=True)


if folder := os.environ.pop(SOCKET_FOLDER, None):
    atexit.register(_remove, folder, os.getpid())
