"""What a session collects: the suites that paths and `--suite` name, and a file's tests.

PYTEST_DONT_REWRITE: harness.pytest_plugin imports this module before pytest registers it.
"""

import os
from collections.abc import Generator, Iterable, Sequence
from pathlib import Path
from types import ModuleType

import pytest

from harness.plugin import cells
from harness.plugin.elsewhere import is_elsewhere, option_value
from harness.plugin.gates import named_paths
from harness.session.options import Chosen, Planned, located, suite_files
from harness.suite import ids
from harness.suite.by_name import NAMES, shipped

ALONE = "harness.cli.run"
"""The name of a plugin that only sessions of `harness run` have."""

FILES = pytest.StashKey[frozenset[Path]]()
"""The suite files that are collected."""
COLLECTED = pytest.StashKey[bool]()
"""Set once pytest has collected all tests."""


class SuiteFile(pytest.Module):
    """A suite file with the tests of its cells."""

    def _getobj(self) -> ModuleType:
        return cells

    def funcnamefilter(self, name: str) -> bool:
        """Find the tests even if the repository's own tests are named in another way."""
        return name.startswith("test_")


@pytest.hookimpl(wrapper=True)
def pytest_report_header(
    config: pytest.Config,
) -> Generator[None, list[str | list[str]], list[str | list[str]]]:
    """Leave out the settings file of `harness run`: it is the null device, which nobody chose."""
    headers = yield
    if config.inipath is None or str(config.inipath) != os.devnull:
        return headers
    return [
        [line for line in lines if not line.startswith("configfile: ")]
        for lines in ([each] if isinstance(each, str) else each for each in headers)
    ]


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> SuiteFile | None:
    if file_path.resolve() not in parent.config.stash.get(FILES, ()):
        return None
    if not parent.session.isinitpath(file_path):  # in a folder that is named as well
        return None
    # pytest would give a file outside its root folder, such as a shipped suite, an empty name.
    inside = file_path.is_relative_to(parent.config.rootpath)
    name = None if inside else file_path.name
    return SuiteFile.from_parent(parent, path=file_path, nodeid=name)


def suites_of(node: pytest.Collector | pytest.Item, planned: Iterable[Planned]) -> list[Planned]:
    """Return the suites that a test or collector is about: a file's own, else all."""
    file = node.getparent(SuiteFile)
    own = None if file is None else file.path.resolve()
    return [each for each in planned if own in (None, each.path.resolve())]


def named_suites(config: pytest.Config) -> list[str]:
    """Return the suites that `--suite` and paths name, without those of both twice."""
    here = config.invocation_params.dir
    names = _by_option(config)
    known = {located(name, here).resolve() for name in names}
    return [*names, *(str(path) for path in _suite_paths(config) if path not in known)]


def _by_option(config: pytest.Config) -> list[str]:
    return [*(option_value(config, "suite") or ())]


def _suite_paths(config: pytest.Config) -> list[Path]:
    return [*dict.fromkeys(path for path in named_paths(config) if path.suffix == ".toml")]


def collect_suites(config: pytest.Config) -> bool:
    """Make pytest collect every named suite; return whether the session has tests of suites.

    In the folder benchmarks/ of the project, a module has the tests of all suites. Elsewhere the
    files of `--suite` are collected, in place of the default paths if no path is named.

    Raises:
        UsageError: `harness run` is given a path that is no suite.
    """
    alone = config.pluginmanager.has_plugin(ALONE)
    typed = [*config.args] if config.args_source is pytest.Config.ArgsSource.ARGS else []
    if alone:
        config.args[:] = typed = _only_suites(typed)
    if not alone and covers_module(config):
        return True
    paths, here = _suite_paths(config), config.invocation_params.dir
    others = [located(name, here) for name in _by_option(config)]
    if alone and not paths and not others:
        others = suite_files(Chosen({}, here, config.rootpath))
    if not paths and not others:
        return False
    config.stash[FILES] = frozenset([*paths, *(path.resolve() for path in others)])
    added = [str(path) for path in others if path.resolve() not in paths]
    config.args[:] = [*(typed or map(str, paths)), *added]
    return True


def covers_module(config: pytest.Config) -> bool:
    """Return whether the paths of the command line contain the project's tests of suites."""
    if is_elsewhere(config):
        return False
    benchmarks = config.rootpath / "benchmarks"
    paths = [path for path in named_paths(config) if path.suffix != ".toml"]
    return any(p.is_relative_to(benchmarks) or benchmarks.is_relative_to(p) for p in paths)


def _only_suites(paths: Sequence[str]) -> list[str]:
    """Return the paths given to `harness run`, with the files of suites given by name."""
    files = [str(shipped(path) or path) for path in paths]
    wrong = [path for path in files if not path.partition("::")[0].endswith(".toml")]
    if wrong:
        raise pytest.UsageError(
            "\n".join(
                f"{path!r}: not a suite; name a file that ends in .toml, or one of "
                f"{', '.join(NAMES)}"
                for path in wrong
            )
        )
    return files


def as_collected(arg: str) -> str:
    """Return a test's id with its learning rate spelled as in the cell's id."""
    test, bracket, cell = arg.removesuffix("]").rpartition("[")
    of_a_cell = test.endswith("::test_finetune") and bracket and arg[-1] == "]"
    return f"{test}[{ids.usual(cell)}]" if of_a_cell else arg


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config) -> Generator[None, None, None]:
    yield  # to all other plugins
    config.stash[COLLECTED] = True


def errors_that_end_it(session: pytest.Session) -> int:
    """Return the number of errors in collection because of which pytest will run no test."""
    return 0 if session.config.option.continue_on_collection_errors else session.testsfailed


def was_interrupted(session: pytest.Session) -> bool:
    """Return whether something other than errors and `-x` ended the collection, such as Ctrl-C.

    pytest calls pytest_collection_finish all the same, with the tests found so far.
    """
    return COLLECTED not in session.config.stash and not session.shouldfail
