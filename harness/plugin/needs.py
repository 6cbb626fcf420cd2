"""What benchmarks/ needs of pytest and its plugins, which a command line may leave out."""

import sys

import pytest

TIMER = "pytest_benchmark.plugin"

FAILED_ONLY = "fE"
"""pytest's default of `-r`: which outcomes are told with their reasons."""

ALL_BUT_PASSED = "a"


def show_reasons(config: pytest.Config) -> None:
    """Tell why a test was skipped unless `-r` says otherwise.

    Not by `addopts`, where the option would be a mistake once its plugin is left out.
    """
    if config.getoption("reportchars", None) == FAILED_ONLY:
        config.option.reportchars = ALL_BUT_PASSED


def need_timer(config: pytest.Config) -> None:
    """Refuse a session without pytest-benchmark.

    Raises:
        UsageError: it is not installed, or was left out.
    """
    plugin = sys.modules.get(TIMER)
    if plugin is None or not config.pluginmanager.is_registered(plugin):
        raise pytest.UsageError(
            "benchmarks/ needs the plugin pytest-benchmark, which is not loaded; leave out "
            f"`-p no:benchmark`, add `-p {TIMER}` where PYTEST_DISABLE_PLUGIN_AUTOLOAD is set, or "
            "`pip install pytest-benchmark`"
        )
