"""The two kinds of error that a user, not a programmer, can resolve.

Their messages are shown, recorded and published, so they are redacted.
"""

from collections.abc import Callable, Sequence

from harness.redaction import redacted
from harness.text import printable


class BadInput(Exception):
    """Input that the user must fix before anything can run.

    Args:
        problems: one line per mistake, all mistakes of the input at once. Each line contains the
            place, the value seen, what is allowed, and the way out.
    """

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(printable(redacted(problem)) for problem in problems)
        super().__init__("\n".join(self.problems))

    def __reduce__(self) -> tuple[type["BadInput"], tuple[tuple[str, ...]]]:
        return (type(self), (self.problems,))


class Unavailable(Exception):
    """Data or a checkpoint that cannot be reached now, although the request is valid.

    Args:
        reason: what could not be reached, and why.
        way_out: what the user can do about it.
    """

    def __init__(self, reason: str, way_out: str) -> None:
        self.reason = printable(redacted(reason))
        self.way_out = printable(redacted(way_out))
        super().__init__(f"{self.reason}; {self.way_out}")

    def __reduce__(self) -> tuple[type["Unavailable"], tuple[str, str]]:
        return (type(self), (self.reason, self.way_out))


def problems_of(*reads: Callable[[], object]) -> list[str]:
    """Return the problems of inputs that are read one by one, so that all are told at once."""
    problems: list[str] = []
    for read in reads:
        try:
            read()
        except BadInput as error:
            problems += error.problems
    return list(dict.fromkeys(problems))
