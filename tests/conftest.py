"""Settings of the process that runs the tests."""

import os
import re
import signal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

HEAVY = re.compile(
    r"^\s*(?:from|import) (?:"
    r"torch|transformers|datasets|evaluate|subprocess|ray|selenium|pyte"
    r"|harness\.(?:training|models|kept)"
    r"|builders\.(?!records|leaderboards|own_files|waiting)"
    r"|builders import"
    r")\b",
    re.MULTILINE,
)
"""Matches the imports of tests that need torch or start processes."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--quick",
        action="store_true",
        help="no test that needs torch or processes or simulates; fewer random examples",
    )


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--quick"):
        settings.load_profile("quick")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--quick"):
        items[:] = [item for item in items if item.get_closest_marker("simulation") is None]


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    if not config.getoption("--quick") or collection_path.suffix != ".py":
        return None
    return True if HEAVY.search(collection_path.read_text(encoding="utf-8")) else None


# A background job of a shell ignores Ctrl-C; sessions that tests interrupt would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)

# Sessions that tests start are not workers of pytest-xdist, even if it runs the tests.
for name in [name for name in os.environ if name.startswith("PYTEST_XDIST_")]:
    del os.environ[name]

# It is installed for tests of sessions beside it; other sessions run tests in their written order.
os.environ.setdefault("PYTEST_ADDOPTS", "-p no:randomly")

# On a busy machine a correct answer takes longer, and no test measures time.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")

settings.register_profile("quick", settings.get_profile("untimed"), max_examples=15)

# A mutant is tested in a second or two, always with the same examples; see `make mutants`.
settings.register_profile(
    "mutants", max_examples=20, derandomize=True, database=None, deadline=None
)
