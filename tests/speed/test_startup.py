"""What the wheel adds to the start of other sessions, from the times of rounds."""

import sys

import pytest
from builders.sessions import ROOT

sys.path.append(str(ROOT / "benchmarks"))

import startup


@pytest.mark.parametrize(("milliseconds", "verdict"), [(9, "within"), (11, "OVER")])
def test_what_the_wheel_adds_to_a_start_is_judged_by_paired_differences(
    milliseconds: int, verdict: str
) -> None:
    """Rounds differ by far more than the bound, as they do on a busy machine."""
    rounds = [0.3 + number / 10 for number in range(20)]
    own = {startup.PYTEST: 0.0, startup.ASKED_FOR: 0.1, startup.WHEEL: 0.1 + milliseconds / 1000}
    written = startup.describe({n: [(r + 1, r + more) for r in rounds] for n, more in own.items()})
    assert f"processor time is {verdict} the bound" in written
    assert f"{milliseconds}.0 (+{milliseconds}.0 to +{milliseconds}.0)" in written


def test_a_median_within_the_bound_shows_nothing_if_its_interval_is_not() -> None:
    differences = [(-30 + 3 * number) / 1000 for number in range(20)]
    environments = {startup.PYTEST: [0.0] * 20, startup.ASKED_FOR: [0.0] * 20}
    taken = environments | {startup.WHEEL: differences}
    written = startup.describe(
        {name: [(1 + more, 1 + more) for more in rounds] for name, rounds in taken.items()}
    )
    assert "processor time is not shown to be within the bound of 10 ms" in written
