"""A module whose import waits until its test continues; for an executor to preload."""

import os
import time
from pathlib import Path

folder = Path(os.environ["SLOW_IMPORT_FOLDER"])
(folder / "importing").touch()
while not (folder / "go").exists():
    time.sleep(0.01)
