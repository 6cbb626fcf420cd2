"""What is imported in a block is not looked through for garbage, then or later."""

import gc
from collections.abc import Iterator

import pytest

from harness.garbage import uncollected


class Loop:
    """Garbage that only the collector finds."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture(autouse=True)
def thawed() -> Iterator[None]:
    yield
    gc.unfreeze()
    gc.enable()


def test_no_garbage_is_looked_for_within_the_block() -> None:
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


def test_what_the_block_leaves_behind_is_left_out_and_what_comes_later_is_not() -> None:
    with uncollected():
        before = gc.get_freeze_count()
        kept = [Loop() for _ in range(1000)]
    assert gc.get_freeze_count() - before >= len(kept)
    assert gc.isenabled()
    Loop()
    assert gc.collect() > 0


def test_a_collector_that_was_off_stays_off_and_an_error_changes_nothing() -> None:
    gc.disable()
    with uncollected():
        pass
    assert not gc.isenabled()
    gc.enable()
    with pytest.raises(ImportError), uncollected():
        raise ImportError
    assert gc.isenabled()
