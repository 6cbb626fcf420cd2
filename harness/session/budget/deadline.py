"""The end of a session's budget: no run begins any more, and soon after all runs are stopped."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

GRACE = 0.1
"""A run in progress may exceed the budget by this share of it; then it is stopped."""


@dataclass(frozen=True)
class Limit:
    """A session's budget in seconds, and the moment at which it began (`time.monotonic`)."""

    budget: int
    began: float

    def left(self) -> float:
        """Return the seconds until no run may begin any more; below 0 afterwards."""
        return self.began + self.budget - time.monotonic()

    def left_with_grace(self) -> float:
        """Return the seconds until runs in progress are stopped."""
        return self.left() + GRACE * self.budget


class Deadline:
    """Calls functions when a budget is over, and when its grace is over, in threads of its own.

    Args:
        at_end: called at the end of the budget.
        at_limit: called a tenth later.
    """

    def __init__(
        self, limit: Limit, at_end: Callable[[], None], at_limit: Callable[[], None]
    ) -> None:
        moments = ((limit.left(), at_end), (limit.left_with_grace(), at_limit))
        self._timers = [threading.Timer(max(0.0, left), call) for left, call in moments]
        for timer in self._timers:
            timer.daemon = True
            timer.start()

    def close(self) -> None:
        """Call nothing from now on; return when a call in progress has returned."""
        for timer in self._timers:
            timer.cancel()
        for timer in self._timers:
            timer.join()
