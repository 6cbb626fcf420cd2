"""A command line as it is read: its suites and options, with every mistake in both."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from harness.inputs import hub
from harness.session.options import (
    Chosen,
    Options,
    Planned,
    read_options,
    read_suites,
    suite_files,
)
from harness.session.suite_inputs import find_all_inputs
from harness.suite.plan import Cell


@dataclass(frozen=True)
class Request:
    """The suites and options of a command line.

    If `problems` are not empty, suites and options are without what is wrong, so that their data
    and checkpoints can be checked as well; nothing may run then.
    """

    planned: Sequence[Planned]
    options: Options
    problems: Sequence[str]

    @property
    def cells(self) -> list[Cell]:
        """All cells of the suites."""
        return [cell for planned in self.planned for cell in planned.cells]


def read_request(chosen: Chosen) -> Request:
    """Read the suites and options of a command line."""
    planned, without_wrong_options, problems = read_suites(chosen)
    options, wrong = read_options(chosen)
    planned = [*planned, *without_wrong_options]
    if len(planned) < len(suite_files(chosen)):
        options = replace(options, baseline=None)  # it may be of a suite that cannot be read
    return Request(planned, options, list(dict.fromkeys([*problems, *wrong])))


def all_mistakes(request: Request) -> list[str]:
    """Return the mistakes of a request, and those in its data and checkpoints on this machine."""
    _, found = find_all_inputs(
        request.planned, request.cells, request.options, hub.without_asking()
    )
    return list(dict.fromkeys([*request.problems, *found]))
