"""How long the test of a gate waits for runs: as long as pytest-timeout allows, if it is installed.

pytest-timeout itself would interrupt the session anywhere, or end the process and leave no tables.
Here the test fails while it waits, and the runs go on.

PYTEST_DONT_REWRITE: harness.pytest_plugin imports this module before pytest registers it.
"""

import time
from typing import Protocol

import pytest

from harness.plugin.gates import gate_of
from harness.plugin.stash import TIME_LIMIT


class _Settings(Protocol):
    """The part of pytest-timeout's settings of a test that is used here."""

    timeout: float


@pytest.hookimpl(optionalhook=True)
def pytest_timeout_set_timer(item: pytest.Item, settings: _Settings) -> bool | None:
    """Set the time limit of a gate's test; other tests have pytest-timeout's own timer."""
    if gate_of(item) is None:
        return None
    item.config.stash[TIME_LIMIT] = time.monotonic() + settings.timeout, settings.timeout
    return True


@pytest.hookimpl(optionalhook=True)
def pytest_timeout_cancel_timer(item: pytest.Item) -> bool | None:
    if gate_of(item) is None:
        return None
    if TIME_LIMIT in item.config.stash:
        del item.config.stash[TIME_LIMIT]
    return True


def keep_to_limit(config: pytest.Config) -> None:
    """Fail the test that waits if its time limit is over."""
    end, seconds = config.stash.get(TIME_LIMIT, (None, 0.0))
    if end is not None and time.monotonic() > end:
        pytest.fail(
            f"waited {seconds:g} s for runs that still train, as long as pytest-timeout allows a "
            "test; `--timeout 0` (or `timeout = 0` in pytest's settings) waits for all, and "
            "`limits.run_seconds` in the suite limits the time of a run; finished runs are kept",
            pytrace=False,
        )
