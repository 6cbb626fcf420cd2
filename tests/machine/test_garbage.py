"""A pause of garbage collection ends, however it ends, and starts nothing that others stopped."""

import gc
from collections.abc import Iterator

import pytest

from harness.garbage import uncollected


@pytest.fixture(autouse=True)
def collecting() -> Iterator[None]:
    assert gc.isenabled()
    yield
    gc.enable()


@pytest.mark.parametrize("end", [KeyboardInterrupt, SystemExit, ValueError, pytest.exit.Exception])
def test_collection_goes_on_after_any_end(end: type[BaseException]) -> None:
    seen = []

    @uncollected()
    def work(fails: bool) -> int:
        seen.append(gc.isenabled())
        with uncollected():
            seen.append(gc.isenabled())
        seen.append(gc.isenabled())
        if fails:
            raise end("the end")
        return 7

    assert work(False) == 7
    assert gc.isenabled()
    with pytest.raises(end):
        work(True)
    assert gc.isenabled()
    assert seen == [False] * 6


def test_collection_that_others_stopped_stays_stopped() -> None:
    gc.disable()
    with uncollected():
        assert not gc.isenabled()
    assert not gc.isenabled()
