"""How many runs fit follows from what earlier runs took, or from the weights and the batch."""

import ctypes
import json
from collections.abc import Mapping
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
import pytest
from builders.commands import ROOT
from builders.records import COLA, EMBEDDED, digest, make_cell, make_record
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save_file

from harness.forecast import memory
from harness.forecast.memory import activations_mb, fitting, free_mb, peak_mb, shape_of
from harness.forecast.schedule import describe, schedule
from harness.forecast.seconds import Work
from harness.forecast.workload import Tokens, size_of
from harness.report import read_published
from harness.store.records import Record
from harness.suite.spec import TrainingSpec

BERT = {"hidden_size": 384, "num_hidden_layers": 6, "num_attention_heads": 12}


def checkpoint(folder: Path, config: Mapping[str, Any] = BERT) -> Path:
    """Write what a forecast reads of a checkpoint: its shape, and weights of a million numbers."""
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config))
    save_file({"weights": np.zeros((2**10, 2**10), np.float32)}, folder / "model.safetensors")
    return folder


def make_work(folder: Path, batch_size: int = 16, **changes: Any) -> Work:
    fields: dict[str, Any] = {
        "checkpoint_digest": digest(make_cell().checkpoint),
        "checkpoint_folder": str(folder),
        "fingerprint": COLA.fingerprint,
        "sentences": (8551, 1043),
        "tokens": Tokens(96_000, 12_000, 0, 52),
        "batch_size": batch_size,
        "training": TrainingSpec(),
        "device": "cpu",
    }
    return Work(**{**fields, **changes})


def test_without_records_the_weights_and_the_batch_tell(tmp_path: Path) -> None:
    folder = checkpoint(tmp_path / "bert")
    # s b h (66 + 9 a s / h) a layer; see harness.forecast.memory.
    layer = 52 * 16 * 384 * (66 + 9 * 12 * 52 / 384) / 2**20
    expected = memory.BASE_MB + 20 * size_of(folder).parameters / 2**20 + 6 * layer
    assert peak_mb(make_work(folder), []) == pytest.approx(expected)


def test_a_batch_takes_memory_in_proportion_and_no_more_than_there_are_sentences(
    tmp_path: Path,
) -> None:
    folder = checkpoint(tmp_path / "bert")
    one = activations_mb(make_work(folder, 100))
    assert activations_mb(make_work(folder, 1000)) == pytest.approx(10 * one)
    whole = activations_mb(make_work(folder, 8551))
    assert whole == pytest.approx(85.51 * one)
    assert activations_mb(make_work(folder, 100_000)) == whole > 50_000
    few = make_work(folder, 100_000, sentences=(40, 10))
    assert activations_mb(few) == pytest.approx(0.4 * one)


def test_longer_sentences_deeper_and_wider_models_take_more(tmp_path: Path) -> None:
    folder = checkpoint(tmp_path / "bert")
    usual = activations_mb(make_work(folder))
    longer = make_work(folder, tokens=Tokens(96_000, 12_000, 0, 104))
    assert 2 * usual < activations_mb(longer) < 4 * usual
    cut = make_work(
        folder, tokens=Tokens(96_000, 12_000, 0, 104), training=TrainingSpec(max_length=52)
    )
    assert activations_mb(cut) == usual
    limited = checkpoint(tmp_path / "limited", BERT | {"max_position_embeddings": 52})
    assert activations_mb(make_work(limited, tokens=longer.tokens)) == usual
    halves = make_work(folder, training=TrainingSpec(precision="bf16"))
    assert 0.5 * usual < activations_mb(halves) < 0.6 * usual
    deep = checkpoint(tmp_path / "deep", BERT | {"num_hidden_layers": 12})
    assert activations_mb(make_work(deep)) == pytest.approx(2 * usual)
    plain = TrainingSpec(eval_batch_size=640, speedups=())
    evaluated = activations_mb(make_work(folder, 1, training=plain))
    assert evaluated == pytest.approx(640 * 52 * 9 * 384 * 4 / 2**20)  # one layer


@pytest.mark.parametrize(("trained", "evaluated"), [(16, 1), (1, 64)])
@pytest.mark.parametrize("longest", [20, 52, 512])
def test_it_covers_what_compiled_layers_lay_out(
    trained: int, evaluated: int, longest: int, tmp_path: Path
) -> None:
    import torch

    from harness.training.speedups.compiled import library

    if isinstance(found := library.find(), str):
        pytest.skip(found)
    sentences = max(trained, evaluated)
    starts = torch.arange(sentences + 1) * longest
    # The fields of Batch in encoder.cpp: no bias, and random words only in training.
    sizes = [sentences, 6, 12, 384, 4 * 384, longest]
    batch = (ctypes.c_int64 * 11)(*sizes, starts.data_ptr(), 0, 0, starts.data_ptr(), 0)
    if trained == 1:
        batch[9] = 0
    size, scratch = found.functions["size_float"], found.functions["scratch_float"]
    size.restype = scratch.restype = ctypes.c_int64
    taken = size(batch, int(trained > 1)) + (scratch(batch) if trained > 1 else 0)
    training = TrainingSpec(eval_batch_size=evaluated)
    tokens = Tokens(96_000, 12_000, 0, longest)
    work = make_work(checkpoint(tmp_path / "bert"), trained, training=training, tokens=tokens)
    assert 0.5 * activations_mb(work) < taken / 2**20 <= 1.02 * activations_mb(work)


@pytest.mark.parametrize(
    ("config", "shape"),
    [
        (BERT, (384, 6, 12)),
        ({"dim": 64, "n_layers": 2, "n_heads": 4}, (64, 2, 4)),  # DistilBERT
        ({"d_model": 64, "encoder_layers": 2, "encoder_attention_heads": 4}, (64, 2, 4)),  # BART
        ({"n_embd": 64, "n_layer": 2, "n_head": 4}, (64, 2, 4)),  # GPT-2
        ({"text_config": BERT, "vision_config": {"hidden_size": 7}}, (384, 6, 12)),
        (
            {"hidden_size": "many", "num_hidden_layers": True, "num_attention_heads": 0},
            (768, 12, 12),
        ),
        ({}, (768, 12, 12)),
    ],
)
def test_the_shape_is_that_of_the_family_s_own_names(
    config: dict[str, Any], shape: tuple[int, int, int], tmp_path: Path
) -> None:
    found = shape_of(checkpoint(tmp_path / "any", config))
    assert (found.width, found.depth, found.heads) == shape


@pytest.mark.parametrize(("name", "depth"), [("minilm-l3", 3), ("minilm-l6", 6)])
def test_the_study_s_records_took_about_as_much_more_for_a_larger_batch(
    name: str, depth: int, tmp_path: Path
) -> None:
    """Peaks of runs with 16 and with 32 sentences a batch; the longest sentence has 42 words."""
    published = read_published(ROOT / "results" / "cola" / "leaderboard.json").records
    taken: dict[int, list[float]] = {}
    for record in published:
        if record.checkpoint == name and record.peak_memory_mb is not None:
            taken.setdefault(record.batch_size, []).append(record.peak_memory_mb)
    folder = checkpoint(tmp_path / name, BERT | {"num_hidden_layers": depth})
    more = activations_mb(make_work(folder, 32)) - activations_mb(make_work(folder, 16))
    assert more == pytest.approx(mean(taken[32]) - mean(taken[16]), rel=0.15)
    # What is left beside weights and activations is no more than is set aside for it.
    parameters = next(r.parameters for r in published if r.checkpoint == name)
    for batch_size, peaks in taken.items():
        weights = 20 * (parameters or 0) / 2**20
        left = max(peaks) - weights - activations_mb(make_work(folder, batch_size))
        assert 0 < left < memory.BASE_MB


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


def peak_of(batch_size: int, peak: float, **changes: Any) -> Record:
    return make_record(make_cell(batch_size=batch_size), peak_memory_mb=peak, **changes)


def test_what_smaller_batches_took_is_a_lower_bound_to_which_the_rest_is_added(
    tmp_path: Path,
) -> None:
    folder = checkpoint(tmp_path / "bert")
    work = make_work(folder, 64, training=TrainingSpec(eval_batch_size=8))
    assert peak_mb(work, [peak_of(8, 1.0)]) == peak_mb(work, [])
    more = activations_mb(work) * 56 / 64
    assert peak_mb(work, [peak_of(8, 50_000.0)]) == pytest.approx(50_000.0 + more)
    two = [peak_of(8, 50_000.0), peak_of(32, 50_100.0)]
    assert peak_mb(work, two) == pytest.approx(max(50_000 + more, 50_100 + more * 32 / 56))
    # A batch of all sentences is the largest that there is.
    everything = [peak_of(9000, 3000.0)]
    assert peak_mb(make_work(folder, 100_000), everything) == 3000.0


@pytest.mark.parametrize(
    "changes",
    [
        {"dataset": EMBEDDED},  # its sentences are shorter
        {"training": TrainingSpec(max_length=8)},
        {"training": TrainingSpec(precision="bf16")},
        {"device": "cuda"},
    ],
)
def test_runs_that_took_less_for_another_reason_tell_nothing(
    changes: dict[str, Any], tmp_path: Path
) -> None:
    work = make_work(checkpoint(tmp_path / "bert"), 512)
    assert peak_mb(work, [peak_of(512, 600.0, **changes)]) == peak_mb(work, []) > 2_000


def test_a_batch_that_does_not_fit_is_said_before_it_trains(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "free_mb", lambda: 8 * 2**10)
    folder = checkpoint(tmp_path / "bert")
    for workers in (None, 1, 2):
        plan = schedule([make_work(folder, 100_000)] * 2, workers, [])
        assert plan.fit == 0
        assert plan.sharing.workers == (workers or 1)
        line = describe(plan, plan.sharing.workers)
        assert "about 77.4 GB of memory each of 8.0 GB free; even one alone may not fit; " in line
        assert 'smaller batch sizes, a training.max_length, or training.on_oom = "halve"' in line
    small = schedule([make_work(folder, 16)] * 2, 2, [])
    assert small.fit == 2
    assert "may not fit" not in describe(small, 2)
    large = schedule([make_work(folder, 512)] * 2, 2, [])
    assert large.fit == 1
    assert "they may not fit; a smaller --workers is safer" in describe(large, 2)
    assert "may not fit" not in describe(schedule([make_work(folder, 512)] * 2, 1, []), 1)


@given(peaks=st.lists(st.floats(1, 10_000), min_size=1, max_size=12), free=st.floats(0, 50_000))
def test_the_largest_that_are_said_to_fit_do(peaks: list[float], free: float) -> None:
    fit = fitting(peaks, free)
    largest = sorted(peaks, reverse=True)
    assert 0 <= fit <= len(peaks)
    assert sum(largest[:fit]) <= memory.USABLE * free
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
