"""What benchmarks/ requires from pytest and its plugins, and what they print without an option."""

import sys

import pytest

from harness.plugin.elsewhere import spelled

TIMER = "pytest_benchmark.plugin"

FAILED_ONLY = "fE"
"""pytest's default of `-r`: the outcomes that are listed with their reasons."""

ALL_BUT_PASSED = "a"

SHOWS_TABLE = (
    "benchmark_columns",
    "benchmark_verbose",
    "benchmark_compare",
    "benchmark_histogram",
    "benchmark_cprofile",
)
"""Options of pytest-benchmark that request its table or what is printed with it."""


def show_reasons(config: pytest.Config) -> None:
    """Print why tests were skipped, unless `-r` is given.

    `addopts` cannot do this: without its plugin, the option would be an error there.
    """
    if config.getoption("reportchars", None) == FAILED_ONLY:
        config.option.reportchars = ALL_BUT_PASSED


def refuse_xdist(config: pytest.Config) -> None:
    """Refuse a session whose tests would be distributed: its runs are trained by one process.

    Checked before pytest-xdist starts its workers, because it does not show their errors.

    Raises:
        UsageError: pytest-xdist is to start workers.
    """
    if config.getoption("tx", None):
        raise pytest.UsageError(
            "pytest-xdist (-n) cannot share the runs of a session; leave it out, or add `-n 0` if "
            f"pytest's settings have it, and use {spelled(config, '--workers')} to train several "
            "at a time"
        )


def need_timer(config: pytest.Config) -> None:
    """Refuse a session without pytest-benchmark.

    Raises:
        UsageError: it is not installed, or is disabled.
    """
    plugin = sys.modules.get(TIMER)
    if plugin is None or not config.pluginmanager.is_registered(plugin):
        raise pytest.UsageError(
            "benchmarks/ needs the plugin pytest-benchmark, which is not loaded; leave out "
            f"`-p no:benchmark`, add `-p {TIMER}` where PYTEST_DISABLE_PLUGIN_AUTOLOAD is set, or "
            "`pip install pytest-benchmark`"
        )


def hide_timing_table(config: pytest.Config) -> None:
    """Omit pytest-benchmark's table unless an option requests it; its files are still written.

    The leaderboard has the same times, with fewer digits where they are rough.
    """
    timer = getattr(config, "_benchmarksession", None)
    if timer is not None and not any(config.getoption(name, None) for name in SHOWS_TABLE):
        timer.quiet = True
