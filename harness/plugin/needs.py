"""What benchmarks/ requires from pytest and its plugins, which a command line can disable."""

import sys

import pytest

TIMER = "pytest_benchmark.plugin"

FAILED_ONLY = "fE"
"""pytest's default of `-r`: the outcomes that are listed with their reasons."""

ALL_BUT_PASSED = "a"


def show_reasons(config: pytest.Config) -> None:
    """Print why tests were skipped, unless `-r` is given.

    `addopts` cannot do this: without its plugin, the option would be an error there.
    """
    if config.getoption("reportchars", None) == FAILED_ONLY:
        config.option.reportchars = ALL_BUT_PASSED


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
