"""How many runs fit follows from what earlier runs took, or from the weights."""

from pathlib import Path

import pytest
from builders.records import COLA, digest, make_cell, make_record
from builders.tiny_checkpoints import make_checkpoint
from hypothesis import given
from hypothesis import strategies as st

from harness.forecast import memory
from harness.forecast.memory import fitting, free_mb, peak_mb
from harness.forecast.seconds import Work
from harness.forecast.workload import Tokens, size_of
from harness.suite.spec import TrainingSpec


def make_work(folder: Path, batch_size: int = 16, device: str = "cpu") -> Work:
    return Work(
        checkpoint_digest=digest(make_cell().checkpoint),
        checkpoint_folder=str(folder),
        fingerprint=COLA.fingerprint,
        sentences=(8551, 1043),
        tokens=Tokens(96_000, 12_000, 0),
        batch_size=batch_size,
        training=TrainingSpec(),
        device=device,
    )


def test_without_records_the_weights_tell(tmp_path: Path) -> None:
    folder = make_checkpoint("bert", tmp_path / "bert")
    expected = memory.BASE_MB + 20 * size_of(folder).parameters / 2**20
    assert peak_mb(make_work(folder), []) == pytest.approx(expected)


def test_the_largest_peak_of_runs_with_as_large_a_batch_tells(tmp_path: Path) -> None:
    earlier = [
        make_record(make_cell(batch_size=16), peak_memory_mb=1000.0),
        make_record(make_cell(batch_size=32), peak_memory_mb=1500.0),
        make_record(make_cell(batch_size=32), peak_memory_mb=1400.0),
        make_record(make_cell(batch_size=32), peak_memory_mb=9000.0, checkpoint_digest="e" * 64),
        make_record(make_cell(batch_size=32), peak_memory_mb=None),
    ]
    assert peak_mb(make_work(tmp_path, 16), earlier) == 1500.0
    assert peak_mb(make_work(tmp_path, 32), earlier) == 1500.0


def test_runs_of_smaller_batches_are_only_a_lower_bound(tmp_path: Path) -> None:
    folder = make_checkpoint("bert", tmp_path / "bert")
    small = make_record(make_cell(batch_size=8), peak_memory_mb=1.0)
    large = make_record(make_cell(batch_size=8), peak_memory_mb=50_000.0)
    assert peak_mb(make_work(folder, 64), [small]) == peak_mb(make_work(folder, 64), [])
    assert peak_mb(make_work(folder, 64), [large]) == 50_000.0


@given(peaks=st.lists(st.floats(1, 10_000), min_size=1, max_size=12), free=st.floats(0, 50_000))
def test_the_largest_that_are_said_to_fit_do(peaks: list[float], free: float) -> None:
    fit = fitting(peaks, free)
    largest = sorted(peaks, reverse=True)
    assert 1 <= fit <= len(peaks)
    assert fit == 1 or sum(largest[:fit]) <= memory.USABLE * free
    assert fit == len(peaks) or sum(largest[: fit + 1]) > memory.USABLE * free


def test_a_containers_limit_bounds_the_free_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "CONTROL_GROUP", tmp_path)
    unlimited = free_mb()
    assert unlimited > 1
    (tmp_path / "memory.max").write_text("max\n")
    (tmp_path / "memory.current").write_text(f"{2**20}\n")
    assert free_mb() > 1
    (tmp_path / "memory.max").write_text(f"{3 * 2**20}\n")
    assert free_mb() == 2.0
