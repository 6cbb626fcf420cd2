"""What a GPU computes: the processor's numbers, the same bits every time, and within its memory.

Skipped where torch sees no GPU. The tests of sessions use one wherever there is one.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import pytest
import torch
from builders.bits import outcomes
from builders.jobs import execute_ok, file_spec, make_job, sentences, write_rows
from builders.plain_training import (
    FAMILIES,
    REWRITING,
    assert_close,
    batch_of,
    compute,
    sped_up,
    without_dropout,
)
from builders.tiny_checkpoints import ARCHITECTURES, make_checkpoint
from datasets import DatasetDict
from transformers import AutoTokenizer

from harness.executors.local import LocalExecutor
from harness.inputs import data
from harness.models.encode import encode
from harness.session.tasks.executor import PRELOAD
from harness.suite.spec import DatasetSpec, Speedup, TrainingSpec
from harness.training.finetune import Outcome, Settings, finetune
from harness.training.job import Job
from harness.training.loading import load_checkpoint
from harness.training.worker import execute

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")

NAMES = get_args(Speedup)
ROWS, VALIDATION = 200, 40
LARGE = 2048


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("checkpoints")
    return {name: make_checkpoint(name, root / name) for name in ARCHITECTURES}


@pytest.fixture(scope="module")
def spec(tmp_path_factory: pytest.TempPathFactory) -> DatasetSpec:
    path = tmp_path_factory.mktemp("data") / "rows.csv"
    write_rows(path, sentences(ROWS), [n * 7 % 13 % 2 for n in range(ROWS)])
    return file_spec(path, VALIDATION)


def settings_of(device: str, **training: object) -> Settings:
    return Settings(
        batch_size=8,
        learning_rate=1e-3,
        seed=1,
        training=TrainingSpec.model_validate({"epochs": 2, **training}),
        device=device,
        class_names=("no", "yes"),
    )


def trained(
    folder: Path,
    splits: DatasetDict,
    scratch: Path,
    device: str,
    *,
    single: bool = False,
    **training: object,
) -> Outcome:
    """Train without dropout, whose masks depend on device and precision; in double precision.

    Args:
        single: train in single precision, or what `precision` says.
    """
    settings = settings_of(device, **training)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = load_checkpoint(str(folder), tokenizer, settings).model
    if not single:
        model.double()
    without_dropout(model)
    return finetune(model, tokenizer, encode(splits, tokenizer, None), settings, scratch)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_training_with_all_speed_ups_gives_the_model_that_a_processor_trains_without(
    folders: dict[str, Path], spec: DatasetSpec, tmp_path: Path, architecture: str
) -> None:
    folder = folders[architecture]
    splits = data.load(make_job(folder, spec, tmp_path).source).splits
    plain = trained(folder, splits, tmp_path, "cpu", speedups=())
    fast = trained(folder, splits, tmp_path, "cuda", speedups=NAMES)
    assert next(fast.model.parameters()).device.type == "cuda"
    assert fast.selected_epoch == plain.selected_epoch
    for one, other in zip(fast.epochs, plain.epochs, strict=True):
        # Trainer sums losses in single precision, whatever the model computes in.
        assert one.train_loss == pytest.approx(other.train_loss, rel=1e-5)
        assert one.scores == other.scores
    assert fast.logits["validation"] == pytest.approx(plain.logits["validation"], abs=1e-4)


@pytest.mark.parametrize("family", FAMILIES)
def test_rewritten_layers_give_the_logits_and_gradients_of_the_model_s_own(
    folders: dict[str, Path], family: str
) -> None:
    tokenizer = AutoTokenizer.from_pretrained(folders[family])
    model = (
        load_checkpoint(str(folders[family]), tokenizer, settings_of("cuda")).model.double().train()
    )
    model.to("cuda")
    without_dropout(model)
    batch = {name: part.cuda() for name, part in batch_of(family, [1, 12, 2, 7], 2).items()}
    plain = compute(model, batch)
    fast = sped_up(REWRITING, model, tokenizer, lambda: compute(model, batch))
    assert_close(plain, fast, tolerance=1e-12)


def test_the_same_key_gives_the_same_bits_alone_and_beside_others(
    folders: dict[str, Path], spec: DatasetSpec, tmp_path: Path
) -> None:
    jobs = [
        make_job(
            folders[architecture],
            spec,
            tmp_path,
            batch_size=batch_size,
            device="cuda",
            epochs=2,
            speedups=speedups,
        )
        for architecture in ("bert", "mpnet", "deberta-v2")
        for batch_size, speedups in ((16, NAMES), (7, ()))
    ]
    alone, beside = LocalExecutor(1, PRELOAD), LocalExecutor(3, PRELOAD)
    try:
        expected = outcomes(alone, jobs, tmp_path / "alone")
        assert outcomes(beside, jobs[::-1], tmp_path / "beside") == expected
    finally:
        alone.close()
        beside.close()


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_half_precision_trains_and_is_near_to_single_precision(
    folders: dict[str, Path], spec: DatasetSpec, tmp_path: Path, precision: str
) -> None:
    splits = data.load(make_job(folders["bert"], spec, tmp_path).source).splits
    single, half = (
        trained(folders["bert"], splits, tmp_path, "cuda", single=True, precision=name)
        for name in ("fp32", precision)
    )
    apart = abs(half.logits["validation"] - single.logits["validation"])
    assert 0 < apart.max() < 0.1


@pytest.fixture
def room() -> Iterator[None]:
    """Let this process have the whole GPU again when a test ends."""
    yield
    torch.cuda.set_per_process_memory_fraction(1.0)
    torch.cuda.empty_cache()


@pytest.mark.usefixtures("room")
def test_a_batch_that_does_not_fit_is_halved_and_the_peak_is_that_of_what_fits(
    folders: dict[str, Path], tmp_path: Path
) -> None:
    long = [" ".join([text] * 8) for text in sentences(LARGE + VALIDATION)]
    rows = write_rows(tmp_path / "rows.csv", long, [n % 2 for n in range(len(long))])
    kind: dict[str, Any] = {
        "device": "cuda",
        "batch_size": LARGE,
        "speedups": (),
        "eval_batch_size": 8,
    }

    def job(name: str, on_oom: str) -> Job:
        made = make_job(
            folders["bert"], file_spec(rows, VALIDATION), tmp_path, on_oom=on_oom, **kind
        )
        return replace(made, folder=tmp_path / name)

    whole, _ = execute_ok(job("whole", "halve"))
    assert whole.batch_size_used == LARGE
    assert whole.peak_memory_mb is not None
    torch.cuda.empty_cache()
    # What the allocator may reserve: less than the whole batch needs, plenty for half of it.
    most = whole.peak_memory_mb * 0.8
    total = torch.cuda.get_device_properties(0).total_memory / 2**20
    torch.cuda.set_per_process_memory_fraction(most / total)
    halved, predictions = execute_ok(job("halved", "halve"))
    assert halved.batch_size_used is not None
    assert halved.batch_size_used < LARGE
    assert halved.peak_memory_mb is not None
    assert halved.peak_memory_mb < most
    assert predictions.num_rows == VALIDATION
    failed = execute(job("failed", "fail")).record
    assert str(failed.reason).startswith(f"out of memory with {LARGE} sentences per batch")
