"""A run that does not fit its memory fails clearly, or is trained in parts that add up."""

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from builders.jobs import execute_ok, file_spec, make_job, sentences, write_rows
from builders.plain_training import without_dropout
from builders.tiny_checkpoints import make_checkpoint
from datasets import DatasetDict
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from harness.inputs import data
from harness.models.encode import encode
from harness.models.out_of_memory import explained, is_out_of_memory, smaller
from harness.suite.spec import DatasetSpec, TrainingSpec
from harness.training.finetune import Outcome, Settings, finetune
from harness.training.loading import load_checkpoint
from harness.training.worker import execute

# The last batch of 12 is one of 9, the last part of which has one sentence where parts have 4.
ROWS, VALIDATION, BATCH = 61, 16, 12


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_checkpoint("bert", tmp_path_factory.mktemp("checkpoints") / "bert")


@pytest.fixture(scope="module")
def spec(tmp_path_factory: pytest.TempPathFactory) -> DatasetSpec:
    path = tmp_path_factory.mktemp("data") / "data.csv"
    write_rows(path, sentences(ROWS), [int(n * 7 % 13 < 7) for n in range(ROWS)])
    return file_spec(path, VALIDATION)


# Parts of a batch


def trained(
    bert: Path, splits: DatasetDict, folder: Path, accumulation: int, **training: object
) -> Outcome:
    """Train in double precision without dropout, so that nothing but the parts differs."""
    settings = Settings(
        batch_size=BATCH,
        learning_rate=1e-3,
        seed=1,
        training=TrainingSpec.model_validate({"epochs": 2, "speedups": (), **training}),
        device="cpu",
        class_names=("no", "yes"),
        accumulation=accumulation,
    )
    tokenizer = AutoTokenizer.from_pretrained(bert)
    model = load_checkpoint(str(bert), tokenizer, settings).model.double()
    without_dropout(model)
    encoded = encode(splits, tokenizer, None)
    return finetune(model, tokenizer, encoded, settings, folder)


@pytest.fixture(scope="module")
def splits(bert: Path, spec: DatasetSpec, tmp_path_factory: pytest.TempPathFactory) -> DatasetDict:
    job = make_job(bert, spec, tmp_path_factory.mktemp("job"))
    return data.load(job.source).splits


@pytest.mark.parametrize("batching", ["random", "length-grouped"])
def test_parts_of_a_batch_train_the_model_that_whole_batches_train(
    bert: Path, splits: DatasetDict, tmp_path: Path, batching: str
) -> None:
    assert len(splits["train"]) % BATCH % 4 == 1, "no part is smaller than the others"
    whole = trained(bert, splits, tmp_path, 1, batching=batching)
    for accumulation in (3, 12):
        parts = trained(bert, splits, tmp_path, accumulation, batching=batching)
        for ours, theirs in zip(parts.epochs, whole.epochs, strict=True):
            # Trainer sums losses in single precision, whatever the model computes in.
            assert ours.train_loss == pytest.approx(theirs.train_loss, rel=1e-6)
            assert ours.eval_loss == pytest.approx(theirs.eval_loss, rel=1e-6)
        for name, weight in whole.model.state_dict().items():
            torch.testing.assert_close(parts.model.state_dict()[name], weight, rtol=1e-7, atol=1e-9)


def test_parts_of_a_batch_have_the_smoothed_loss_of_whole_batches(
    bert: Path, splits: DatasetDict, tmp_path: Path
) -> None:
    whole, parts, plain = (
        trained(bert, splits, tmp_path, accumulation, label_smoothing=smoothing)
        for accumulation, smoothing in ((1, 0.2), (3, 0.2), (1, 0.0))
    )
    for ours, theirs, other in zip(parts.epochs, whole.epochs, plain.epochs, strict=True):
        assert ours.train_loss == pytest.approx(theirs.train_loss, rel=1e-6)
        assert ours.eval_loss == pytest.approx(theirs.eval_loss, rel=1e-6)
        assert ours.train_loss != pytest.approx(other.train_loss, rel=1e-3)
    for name, weight in whole.model.state_dict().items():
        torch.testing.assert_close(parts.model.state_dict()[name], weight, rtol=1e-7, atol=1e-9)


@given(st.integers(1, 300))
def test_every_part_is_a_divisor_and_at_most_half_of_the_last(batch_size: int) -> None:
    size: int | None = batch_size
    tried = []
    while size is not None:
        tried.append(size)
        size = smaller(batch_size, size)
    assert tried[-1] == 1
    for larger, size in pairwise(tried):
        assert batch_size % size == 0
        assert size <= larger // 2
        assert not any(batch_size % other == 0 for other in range(size + 1, larger // 2 + 1))


# Telling


def too_large_for_torch() -> None:
    torch.empty(2**60, dtype=torch.uint8)


def too_large_for_numpy() -> None:
    np.ones(2**59, dtype=np.uint8)


def too_large_for_python() -> None:
    bytes(2**62)


@pytest.mark.parametrize(
    "allocate", [too_large_for_torch, too_large_for_numpy, too_large_for_python]
)
def test_what_the_libraries_raise_is_recognised(allocate: Callable[[], None]) -> None:
    with pytest.raises((MemoryError, RuntimeError)) as raised:
        allocate()
    assert is_out_of_memory(raised.value)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB."), True),
        (OSError(12, "Cannot allocate memory"), True),
        (RuntimeError("std::bad_alloc"), True),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate`"), True),
        (MemoryError(), True),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), False),
        (ValueError("logits of 3 of 9 sentences are NaN or infinite"), False),
    ],
)
def test_memory_that_ran_out_is_told_from_other_errors(error: Exception, expected: bool) -> None:
    assert is_out_of_memory(error) == expected


def test_the_reason_begins_with_what_to_change_and_ends_with_what_was_raised() -> None:
    text = explained(MemoryError(), 16, halved=False)
    assert text.startswith("out of memory with 16 sentences per batch; choose smaller batch_sizes")
    assert 'training.on_oom = "halve"' in text
    assert text.endswith("(MemoryError)")
    assert explained(RuntimeError("std::bad_alloc"), 16, halved=False).endswith("(std::bad_alloc)")
    assert "even with the smallest parts of a batch" in explained(MemoryError(), 16, halved=True)


# Runs


@pytest.fixture
def room(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], list[int]]:
    """Let no more sentences than some number be computed at a time, and note how many are."""

    def limit(most: int) -> list[int]:
        seen: list[int] = []
        plain = nn.Embedding.forward

        def forward(self: nn.Embedding, ids: torch.Tensor) -> torch.Tensor:
            if torch.is_grad_enabled() and ids.dim() == 2 and len(ids) > 1:
                seen.append(len(ids))
                if len(ids) > most:
                    raise torch.OutOfMemoryError(f"CUDA out of memory: {len(ids)} sentences")
            return plain(self, ids)

        monkeypatch.setattr(nn.Embedding, "forward", forward)
        return seen

    return limit


def test_halves_are_tried_until_they_fit_and_the_record_says_so(
    bert: Path,
    spec: DatasetSpec,
    tmp_path: Path,
    room: Callable[[int], list[int]],
    capsys: pytest.CaptureFixture[str],
) -> None:
    seen = room(4)
    job = make_job(bert, spec, tmp_path, batch_size=BATCH, on_oom="halve", speedups=())
    record, predictions = execute_ok(job)
    assert (record.batch_size, record.batch_size_used, record.accumulation) == (12, 3, 4)
    assert list(dict.fromkeys(seen))[:2] == [12, 6]
    assert max(seen[2:]) == 3
    assert any(line.startswith("memory ran out: each batch of 12") for line in record.warnings)
    assert predictions.num_rows == VALIDATION
    log = capsys.readouterr().out  # in a worker, the run's log
    assert "trying 6 sentences at a time" in log
    assert "trying 3 sentences at a time" in log


def test_a_run_that_fits_is_the_same_with_or_without_a_way_to_halve_it(
    bert: Path, spec: DatasetSpec, tmp_path: Path
) -> None:
    plain = make_job(bert, spec, tmp_path, batch_size=BATCH)
    halving = make_job(bert, spec, tmp_path, batch_size=BATCH, on_oom="halve")
    assert plain.key != halving.key
    (first, logits), (second, others) = execute_ok(plain), execute_ok(halving)
    assert logits.equals(others)
    assert (second.batch_size_used, second.accumulation) == (BATCH, 1)
    assert first.warnings == second.warnings


def without_pad_token(architecture: str, folder: Path) -> Path:
    """Make a checkpoint that names no pad token, in its configuration or in its tokenizer."""
    make_checkpoint(architecture, folder)
    whole = AutoTokenizer.from_pretrained(folder)
    named = {
        name: getattr(whole, name) for name in ("unk_token", "cls_token", "sep_token", "mask_token")
    }
    tokenizer = PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=whole.backend_tokenizer,
        model_max_length=whole.model_max_length,
        eos_token=whole.sep_token,
        **named,
    )
    tokenizer.save_pretrained(folder)
    configuration = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    configuration |= {"pad_token_id": None, "eos_token_id": None}
    (folder / "config.json").write_text(json.dumps(configuration), encoding="utf-8")
    return folder


@pytest.mark.parametrize("architecture", ["bert", "electra", "albert"])
@pytest.mark.long
def test_a_run_begun_again_is_the_one_that_begins_with_those_parts(
    architecture: str,
    spec: DatasetSpec,
    tmp_path: Path,
    room: Callable[[int], list[int]],
) -> None:
    """The first attempt gave the tokenizer a pad token; a model built after it would differ."""
    checkpoint = without_pad_token(architecture, tmp_path / "checkpoint")
    assert AutoTokenizer.from_pretrained(checkpoint).pad_token is None
    seen = room(6)
    job = make_job(checkpoint, spec, tmp_path, batch_size=BATCH, on_oom="halve", speedups=())
    again, logits = execute_ok(job)
    assert seen[0] == BATCH
    begun, others = execute_ok(replace(job, parts=2))
    assert again.accumulation == begun.accumulation == 2
    assert again.scores == begun.scores
    assert logits.equals(others)


@pytest.mark.parametrize(
    ("on_oom", "told"),
    [
        ("fail", "with 12 sentences per batch; choose smaller"),
        ("halve", "even with the smallest parts of a batch"),
    ],
)
def test_what_never_fits_fails_with_the_way_out(
    bert: Path,
    spec: DatasetSpec,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    on_oom: str,
    told: str,
) -> None:
    def never(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(nn.Embedding, "forward", never)
    record = execute(make_job(bert, spec, tmp_path, batch_size=BATCH, on_oom=on_oom)).record
    assert record.status == "failed"
    assert str(record.reason).startswith(f"out of memory {told}")
    assert record.batch_size_used is None


LIMITED = f"""
import resource, sys
sys.path[:0] = {sys.path!r}
from itertools import pairwise
from pathlib import Path
from builders.jobs import file_spec, make_job
from harness.training.worker import execute
checkpoint, rows, folder, room = sys.argv[1:]
job = make_job(Path(checkpoint), file_spec(Path(rows), 64), Path(folder), batch_size=4096,
               speedups=())
used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + int(room) * 2**20,) * 2)
record = execute(job).record
print(record.status, record.reason)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the size of a process is read from /proc")
@pytest.mark.long
def test_a_limit_on_the_process_is_a_failure_that_says_so(bert: Path, tmp_path: Path) -> None:
    """A real allocation that the system refuses, in the middle of training."""
    long = [" ".join([text] * 8) for text in sentences(4160)]
    rows = write_rows(tmp_path / "rows.csv", long, [n % 2 for n in range(4160)])
    arguments = [sys.executable, "-c", LIMITED, str(bert), str(rows), str(tmp_path)]
    done = subprocess.run([*arguments, "256"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("failed out of memory with 4,096 sentences per batch"), (
        done.stdout
    )
    assert "llocat" in done.stdout
