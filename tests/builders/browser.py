"""A real headless browser, for tests of the leaderboard page."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from selenium import webdriver

Driver = webdriver.Chrome


def missing() -> str | None:
    """Return which programs are missing for a browser, and how to install them; None if none."""
    lacking = [
        name for name, path in (("chromium", _chromium()), ("chromedriver", _driver())) if not path
    ]
    if not lacking:
        return None
    return f"no {' and no '.join(lacking)}: apt-get install chromium chromium-driver"


@contextmanager
def browser() -> Iterator[Driver]:
    """Start a headless Chromium without network access, and end it."""
    options = webdriver.ChromeOptions()
    options.binary_location = _chromium() or ""
    # No host name resolves: a page that loads anything from elsewhere logs an error.
    flags = ["--headless=new", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"]
    flags += ["--host-resolver-rules=MAP * ~NOTFOUND", "--window-size=1280,900"]
    if os.geteuid() == 0:
        flags.append("--no-sandbox")
    for flag in flags:
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = Driver(options, webdriver.ChromeService(_driver()))
    try:
        yield driver
    finally:
        driver.quit()


def show(driver: Driver, path: Path, width: int = 1280, scheme: str = "light") -> None:
    """Open a file in a window of a given width, in a light or dark scheme."""
    screen: dict[str, Any] = {"width": width, "height": 900, "deviceScaleFactor": 1}
    screen["mobile"] = width < 600
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
    feature = {"name": "prefers-color-scheme", "value": scheme}
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
    driver.get("about:blank")  # opened anew: a page that is loaded again keeps chosen values
    driver.get(path.as_uri())


def complaints(driver: Driver) -> list[str]:
    """Return all messages that the page wrote to the console since the last call."""
    entries = driver.execute("getLog", {"type": "browser"})["value"]
    return [entry["message"] for entry in entries]


def _chromium() -> str | None:
    names = ("chromium", "chromium-browser", "google-chrome")
    return next(filter(None, map(shutil.which, names)), None)


def _driver() -> str | None:
    return shutil.which("chromedriver")
