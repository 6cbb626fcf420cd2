"""Imported only by the fork server, as its first import.

At its end, the server removes its socket's folder if its session is gone: a session that is killed
cannot remove the folder itself.
"""

import atexit
import gc
import os
import shutil
import sys

from harness.executors.local import SOCKET_FOLDER


def _remove(folder: str, server: int) -> None:
    if os.getpid() != server:
        return  # forked processes inherit the server's exit functions
    if hasattr(sys, "last_type"):
        return  # an error ended it: the session lives, and starts the next server in this folder
    shutil.rmtree(folder, ignore_errors=True)


if folder := os.environ.pop(SOCKET_FOLDER, None):
    atexit.register(_remove, folder, os.getpid())

# Imported objects are never freed. Searching them for garbage costs the imports and every run part
# of a second, costs an ending server more than one, and writes to memory that runs share with the
# server.
gc.disable()
os.register_at_fork(before=gc.freeze, after_in_child=gc.enable)
