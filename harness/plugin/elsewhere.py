"""The plugin in other repositories: its options have a prefix, as other plugins use their names.

PYTEST_DONT_REWRITE: harness.pytest_plugin imports this module, too.
"""

import re
from typing import Any

import pytest

from harness.session.options import OPTIONS

pytest_plugins = ("harness.pytest_plugin",)

PREFIX = "--harness-"
SUITE = "--suite"
"""The one option that has its short name too, unless another plugin uses it."""

FLAGS = re.compile(
    rf"(?<![\w-])--({'|'.join(option.flag.removeprefix('--') for option in OPTIONS)})(?![\w-])"
)


def pytest_addoption(parser: pytest.Parser) -> None:
    add_options(parser, PREFIX)


def add_options(parser: pytest.Parser, prefix: str) -> None:
    """Declare the benchmark's options, each flag with this prefix."""
    group = parser.getgroup("harness", "fine-tuning benchmark")
    for option in OPTIONS:
        flags = [prefix + option.flag.removeprefix("--")]
        if option.flag == SUITE and prefix == PREFIX and _is_free(parser, SUITE):
            flags.append(SUITE)
        if option.metavar is None:
            group.addoption(*flags, action="store_true", help=option.help)
        else:
            action = "append" if option.repeatable else "store"
            group.addoption(*flags, action=action, metavar=option.metavar, help=option.help)


def _is_free(parser: pytest.Parser, flag: str) -> bool:
    _, unknown = parser.parse_known_and_unknown_args([flag, "value"])
    return flag in unknown


def is_elsewhere(config: pytest.Config) -> bool:
    """Return whether this session's options have the prefix."""
    return config.pluginmanager.has_plugin(__name__)


def option_value(config: pytest.Config, name: str) -> Any:
    """Return the value of an option by its name in Python, whether flags have the prefix or not."""
    return config.getoption(f"harness_{name}" if is_elsewhere(config) else name)


def spelled(config: pytest.Config, text: str) -> str:
    """Return a message with the benchmark's flags as this session spells them."""
    return FLAGS.sub(rf"{PREFIX}\1", text) if is_elsewhere(config) else text
