"""Loads the benchmark's pytest plugin in sessions that name a suite, and costs others nothing.

A module of its own, because importing the package `harness` changes what transformers may load.
"""

from collections.abc import Generator, Sequence
from pathlib import Path

import pytest

PLUGIN = "harness.pytest_plugin"
ELSEWHERE = "harness.plugin.elsewhere"


@pytest.hookimpl(wrapper=True)
def pytest_load_initial_conftests(
    early_config: pytest.Config, parser: pytest.Parser, args: list[str]
) -> Generator[None, object, object]:
    """Load the plugin after conftest.py, which may have loaded it, and may use `--suite`."""
    result = yield
    manager = early_config.pluginmanager
    here = early_config.invocation_params.dir
    if not manager.has_plugin(PLUGIN) and names_a_suite(parser, args, here):
        manager.import_plugin(ELSEWHERE)
    return result


def names_a_suite(parser: pytest.Parser, args: Sequence[str], here: Path) -> bool:
    """Return whether a command line names a suite: by an option, or as a path."""
    if any(arg.startswith("--harness-") for arg in args):
        return True
    if any(arg.partition("=")[0] == "--suite" for arg in args):
        _, unknown = parser.parse_known_and_unknown_args(["--suite", "value"])
        if "--suite" in unknown:  # it is nobody else's
            return True
    if not any(".toml" in arg for arg in args):
        return False
    return any(map(_is_suite, (here / path for path in parser.parse_known_args(args).file_or_dir)))


def _is_suite(path: Path) -> bool:
    """Return whether a path or test id is that of a TOML file with a matrix."""
    file = Path(str(path).partition("::")[0])
    try:
        return file.suffix == ".toml" and b"matrix" in file.read_bytes()
    except OSError:
        return False
