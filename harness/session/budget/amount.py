"""Reads the time that `--budget` gives: 90s, 30m, 2h, 1h30m."""

import re

from harness.errors import BadInput
from harness.text import shortened

FORM = re.compile(r"(?:([0-9]{1,9})h)? ?(?:([0-9]{1,9})m)? ?(?:([0-9]{1,9})s)?")

MOST_SECONDS = 365 * 24 * 3600
"""A year: longer budgets are mistakes."""


def read_budget(text: str) -> int:
    """Return a budget in seconds.

    Raises:
        BadInput: it is no time, has no unit, is 0, or is longer than a year.
    """
    if re.fullmatch(r"[0-9]+", text):
        raise BadInput(
            [
                f"--budget: {shortened(text)}: a number without a unit; "
                f"write {text[:9]}s, {text[:9]}m or {text[:9]}h for seconds, minutes or hours"
            ]
        )
    found = FORM.fullmatch(text)
    if found is None or not any(found.groups()):
        raise BadInput(
            [
                f"--budget: {shortened(text)}: is not a time; write whole hours, minutes and "
                "seconds, such as 2h, 30m, 90s or 1h30m"
            ]
        )
    hours, minutes, seconds = (int(number or 0) for number in found.groups())
    total = 3600 * hours + 60 * minutes + seconds
    if not 0 < total <= MOST_SECONDS:
        raise BadInput(
            [
                f"--budget: {shortened(text)}: must be longer than 0 and at most a year (8760h); "
                "without --budget, every run trains"
            ]
        )
    return total
