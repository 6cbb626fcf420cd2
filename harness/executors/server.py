"""Imported by the fork server alone, as the first of its imports.

Its socket's folder goes with it when its session is gone: otherwise the session removes that
folder, which it cannot when it is killed.
"""

import atexit
import gc
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

# What is imported stays. To look for garbage in it takes the imports and every run part of a second
# and a server that ends more than one, and writes to memory that runs share with the server.
gc.disable()
os.register_at_fork(before=gc.freeze, after_in_child=gc.enable)
