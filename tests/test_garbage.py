"""Within a block no garbage is looked for, and after it as before."""

import gc
from collections.abc import Iterator

import pytest

from harness.garbage import uncollected


class Loop:
    """Garbage that only the collector finds."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture(autouse=True)
def enabled() -> Iterator[None]:
    yield
    gc.enable()


def test_garbage_is_looked_for_after_the_block_only() -> None:
    collections: list[str] = []

    def note(phase: str, info: dict[str, int]) -> None:
        collections.append(phase)

    gc.callbacks.append(note)
    try:
        with uncollected():
            loops = [Loop() for _ in range(100_000)]
            assert collections == []
        loops += [Loop() for _ in range(100_000)]
        assert collections != []
    finally:
        gc.callbacks.remove(note)


def test_a_collector_that_was_off_stays_off_and_an_error_changes_nothing() -> None:
    gc.disable()
    with uncollected():
        pass
    assert not gc.isenabled()
    gc.enable()
    with pytest.raises(ImportError), uncollected():
        raise ImportError
    assert gc.isenabled()
