"""The compiled layers and optimizer beyond test_speedups.py, and machines without a compiler."""

import ctypes
import os
import pwd
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from builders.jobs import make_settings
from builders.plain_training import (
    COMPILED,
    FAMILIES,
    assert_close,
    assert_tensors_close,
    batch_of,
    compute,
    model_with,
    sped_up,
)
from builders.tiny_checkpoints import make_checkpoint
from datasets import DatasetDict
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file
from scipy import special
from torch import Tensor, nn
from transformers import AutoTokenizer

from harness.training.loading import load_checkpoint
from harness.training.speedups import COMPILED_LAYERS, COMPILED_OPTIMIZER
from harness.training.speedups.apply import apply, undo
from harness.training.speedups.compiled import compiler, encoder, library
from harness.training.speedups.compiled.optimizer import CompiledAdamW

FOUND = library.find()
needs_compiler = pytest.mark.skipif(isinstance(FOUND, str), reason=f"no compiled code: {FOUND}")


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_checkpoint("bert", tmp_path_factory.mktemp("checkpoints") / "bert")


@pytest.fixture
def tokenizer(checkpoint: Path) -> Any:
    return AutoTokenizer.from_pretrained(checkpoint)


@pytest.fixture
def model(checkpoint: Path, tokenizer: Any) -> Any:
    return load_checkpoint(str(checkpoint), tokenizer, make_settings()).model


# Matrix products.


@pytest.fixture(params=[False, True], ids=["blas", "tiles"])
def products(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Compute with torch's products and with the library's own, whichever this processor gets."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    if not isinstance(FOUND, str):
        forced = replace(FOUND, tiled=request.param)
        monkeypatch.setattr(library, "find", lambda: forced)
    yield
    torch.set_num_threads(before)


DEPTH = 100
"""So many products are summed at a time here, so that small matrices are summed in parts."""

PRODUCTS = """
#include "tiles.h"
#define PRODUCTS(T) \
  extern "C" void forward_##T(const T* x, const T* w, T* y, const Index* n) { \
    tiled_forward(x, n[3], w, y, n[4], n[0], n[1], n[2]); } \
  extern "C" void input_##T(const T* dy, const T* w, T* dx, const Index* n, int add) { \
    tiled_input(dy, n[4], w, dx, n[0], n[1], n[2], add != 0); } \
  extern "C" void weight_##T(const T* dy, const T* x, T* dw, const Index* n, int add) { \
    tiled_weight(dy, n[4], x, n[3], dw, n[0], n[1], n[2], add != 0); }
PRODUCTS(float)
PRODUCTS(double)
"""


@pytest.fixture(scope="module")
def tiles(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    folder = tmp_path_factory.mktemp("tiles")
    (folder / "products.cpp").write_text(PRODUCTS)
    headers = f"-I{compiler.HEADERS[0].parent}"
    flags = [*compiler.FLAGS, headers, f"-DTILE_DEPTH={DEPTH}"]
    command = [compiler.find() or "", *flags, "products.cpp", "-o", "products.so"]
    subprocess.run(command, cwd=folder, check=True)
    return ctypes.CDLL(str(folder / "products.so"))


@needs_compiler
@settings(max_examples=300, deadline=None)
@given(
    rows=st.integers(1, 40) | st.just(2 * DEPTH + 1),
    sizes=st.tuples(*2 * [st.integers(1, 60) | st.sampled_from([DEPTH - 1, DEPTH, 2 * DEPTH + 1])]),
    further=st.tuples(st.integers(0, 9), st.integers(0, 9)),
    kind=st.sampled_from(["float", "double"]),
    add=st.booleans(),
    seed=st.integers(0, 2**31),
)
def test_products_in_tiles_are_those_of_numpy_and_write_nothing_else(
    tiles: ctypes.CDLL,
    rows: int,
    sizes: tuple[int, int],
    further: tuple[int, int],
    kind: str,
    add: bool,
    seed: int,
) -> None:
    """Whole numbers, which both types of element add up exactly, in rows that lie further apart."""
    random = np.random.default_rng(seed)
    dtype: Any = np.float32 if kind == "float" else np.float64
    into, out = sizes
    arrays: list[np.ndarray[Any, np.dtype[np.float64]]] = [
        random.integers(-9, 10, shape).astype(dtype)
        for shape in (
            (rows, into + further[0]),
            (out, into),
            (rows, out + further[1]),
            (rows, out + further[1]),
            (rows, into),
            (out, into),
        )
    ]
    x, w, dy, y, dx, dw = arrays
    numbers = np.array([rows, into, out, x.shape[1], dy.shape[1]], np.int64)
    wanted = y.copy()
    wanted[:, :out] = x[:, :into] @ w.T
    wanted_dx = dy[:, :out] @ w + (dx if add else 0)
    wanted_dw = dy[:, :out].T @ x[:, :into] + (dw if add else 0)

    def call(name: str, *arrays: np.ndarray[Any, Any], add: int | None = None) -> None:
        pointers = [ctypes.c_void_p(array.ctypes.data) for array in (*arrays, numbers)]
        tiles[f"{name}_{kind}"](*pointers, *(() if add is None else (add,)))

    call("forward", x, w, y)
    call("input", dy, w, dx, add=int(add))
    call("weight", dy, x, dw, add=int(add))
    np.testing.assert_array_equal(y, wanted)
    np.testing.assert_array_equal(dx, wanted_dx)
    np.testing.assert_array_equal(dw, wanted_dw)


@needs_compiler
@pytest.mark.usefixtures("products")
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 2e-5), (torch.float64, 1e-12)])
@pytest.mark.parametrize("family", FAMILIES)
def test_either_way_of_products_gives_the_gradients_of_the_model_s_own(
    family: str, dtype: torch.dtype, tolerance: float, tmp_path: Path
) -> None:
    folder = make_checkpoint(family, tmp_path / family)
    model: Any = model_with(folder, {})
    model.to(dtype).train(False)
    batch = batch_of(family, [17, 1, 40, 32])
    plain = compute(model, batch)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    fast = sped_up(COMPILED, model, tokenizer, lambda: compute(model, batch))
    assert_close(plain, fast, tolerance)


@needs_compiler
def test_several_threads_compute_with_torch_s_products(
    model: Any, tokenizer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The products in tiles have one thread, and would leave the others without work."""
    assert not isinstance(FOUND, str)
    forced = replace(FOUND, tiled=True, gemm=dict.fromkeys(FOUND.gemm, 0))  # a call would crash
    monkeypatch.setattr(library, "find", lambda: forced)
    chosen: list[int] = []
    whole = encoder._Batch

    def watched(**fields: Any) -> Any:
        chosen.append(fields["tiled"])
        return whole(**{**fields, "tiled": True})

    monkeypatch.setattr(encoder, "_Batch", watched)
    model.eval()
    before = torch.get_num_threads()
    for threads in (1, 2):
        torch.set_num_threads(threads)
        sped_up(COMPILED, model, tokenizer, lambda: compute(model, batch_of("bert", [4, 8, 3, 5])))
    torch.set_num_threads(before)
    assert chosen == [True, False]


# Layers.


@needs_compiler
def test_with_dropout_gradients_are_those_of_the_masks_that_were_drawn(
    model: Any, tokenizer: Any
) -> None:
    """With one seed the loss is a smooth function: its slope is a difference of two losses."""
    model.double().train()
    batch = batch_of("bert", [5, 9, 1])
    generator = torch.Generator().manual_seed(0)
    direction = {
        name: torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
        for name, parameter in model.named_parameters()
    }

    def loss(step: float) -> float:
        with torch.no_grad(), torch.random.fork_rng(devices=[]):
            for name, parameter in model.named_parameters():
                parameter += step * direction[name]
            torch.manual_seed(7)
            value = float(model(**batch).loss)
            for name, parameter in model.named_parameters():
                parameter -= step * direction[name]
        return value

    def slopes() -> tuple[float, float]:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(7)
            gradients = compute(model, batch).gradients
        by_gradient = sum(
            float((gradient * direction[name]).sum())
            for name, gradient in gradients.items()
            if gradient is not None
        )
        step = 1e-6
        return by_gradient, (loss(step) - loss(-step)) / (2 * step)

    assert any(part.p > 0 for part in model.modules() if isinstance(part, nn.Dropout))
    by_gradient, by_difference = sped_up(COMPILED, model, tokenizer, slopes)
    assert by_gradient == pytest.approx(by_difference, rel=1e-5)


@needs_compiler
@pytest.mark.usefixtures("products")
def test_parts_of_a_batch_add_up_to_its_gradients(model: Any, tokenizer: Any) -> None:
    model.double().eval()
    batch = batch_of("bert", [4, 8, 6, 2])
    whole = compute(model, batch).gradients

    def in_parts() -> dict[str, Tensor]:
        model.zero_grad()
        for rows in (slice(0, 1), slice(1, 4)):
            part = {name: tensor[rows] for name, tensor in batch.items()}
            (model(**part).loss * len(part["labels"]) / 4).backward()
        return {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}

    for name, gradient in sped_up(COMPILED, model, tokenizer, in_parts).items():
        torch.testing.assert_close(gradient, whole[name], atol=1e-12, rtol=0)


@needs_compiler
@pytest.mark.usefixtures("products")
@pytest.mark.parametrize(
    "setting",
    [
        {"intermediate_size": 8},  # less than the width, 32
        {"hidden_size": 40},  # heads of 20, no whole number of vectors
        {"num_attention_heads": 8},  # heads of 4, less than a vector
    ],
    ids=str,
)
@pytest.mark.parametrize("family", ["bert", "mpnet"])
def test_other_shapes_and_long_sentences_have_the_gradients_of_the_model_s_own(
    family: str, setting: dict[str, int], tmp_path: Path
) -> None:
    folder = make_checkpoint(family, tmp_path / family)
    model = model_with(folder, setting).double().train(False)
    batch = batch_of(family, [17, 1, 60, 32])
    plain = compute(model, batch)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    fast = sped_up(COMPILED, model, tokenizer, lambda: compute(model, batch))
    assert_close(plain, fast, tolerance=1e-12)


@needs_compiler
def test_activations_far_from_zero_are_those_of_the_model_s_own(model: Any, tokenizer: Any) -> None:
    model.double().eval()
    for layer in model.bert.encoder.layer:
        layer.intermediate.dense.weight.data *= 100
    batch = batch_of("bert", [4, 8, 1])
    plain = compute(model, batch)
    assert plain.logits.isfinite().all()
    fast = sped_up(COMPILED, model, tokenizer, lambda: compute(model, batch))
    torch.testing.assert_close(fast.logits, plain.logits, atol=0, rtol=1e-9)
    assert_close(plain, fast, tolerance=1e-9)


@needs_compiler
def test_passes_forward_and_backward_may_interleave(model: Any, tokenizer: Any) -> None:
    model.double().eval()
    batches = [batch_of("bert", lengths, seed=seed) for seed, lengths in enumerate([[4, 9], [7]])]

    def gradients() -> dict[str, Tensor]:
        model.zero_grad()
        one, other = (model(**batch).loss for batch in batches)
        (one + 2 * other).backward(retain_graph=True)
        other.backward()
        return {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}

    fast = sped_up(COMPILED, model, tokenizer, gradients)
    assert_tensors_close(gradients(), fast, tolerance=1e-12)


@needs_compiler
def test_a_model_is_saved_and_read_back_as_before(
    model: Any, tokenizer: Any, tmp_path: Path
) -> None:
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    applied = apply(COMPILED, model, tokenizer, DatasetDict())
    model.save_pretrained(tmp_path / "during")
    undo(model, applied, decay=1.0)
    model.save_pretrained(tmp_path / "after")
    for folder in ("during", "after"):
        kept = load_file(tmp_path / folder / "model.safetensors")
        assert kept.keys() == before.keys()
        assert all(torch.equal(kept[name], tensor) for name, tensor in before.items())
    owners = [parameter.untyped_storage().data_ptr() for parameter in model.parameters()]
    assert len(set(owners)) == len(owners)


@needs_compiler
def test_layers_above_frozen_embeddings_get_their_gradients(model: Any, tokenizer: Any) -> None:
    model.double().eval()
    model.bert.embeddings.requires_grad_(False)
    batch = batch_of("bert", [4, 8, 1])
    plain = compute(model, batch)
    fast = sped_up(COMPILED, model, tokenizer, lambda: compute(model, batch))
    assert_close(plain, fast, tolerance=1e-12)


@needs_compiler
def test_weights_may_change_in_place_and_not_be_replaced(model: Any, tokenizer: Any) -> None:
    model.eval()
    batch = batch_of("bert", [4, 8, 1])
    other = {name: tensor * 1.5 for name, tensor in model.state_dict().items()}

    def after_loading() -> Tensor:
        model.load_state_dict(other)
        logits: Tensor = model(**batch).logits
        model.double()
        with pytest.raises(RuntimeError, match="moved or converted"):
            model(**batch)
        model.float()
        return logits

    fast = sped_up(COMPILED, model, tokenizer, after_loading)
    torch.testing.assert_close(fast, model(**batch).logits, atol=5e-6, rtol=0)


@needs_compiler
def test_frozen_layers_and_other_activations_keep_the_plain_layers(
    checkpoint: Path, tokenizer: Any
) -> None:
    def names(change: Any) -> frozenset[str]:
        model = load_checkpoint(str(checkpoint), tokenizer, make_settings()).model
        change(model)
        return apply(COMPILED, model, tokenizer, DatasetDict()).names

    def freeze(model: Any) -> None:
        model.bert.encoder.layer[0].output.dense.weight.requires_grad = False

    def approximate(model: Any) -> None:
        model.bert.encoder.layer[1].intermediate.intermediate_act_fn = nn.GELU(approximate="tanh")

    assert names(lambda model: None) == set(COMPILED)
    assert names(freeze) == set(COMPILED) - {COMPILED_LAYERS}
    assert names(approximate) == set(COMPILED) - {COMPILED_LAYERS}
    assert names(nn.Module.bfloat16) == set(COMPILED) - {COMPILED_LAYERS}


NUMBERS = """
#include <cstdio>
#include <vector>
#include "elements.h"
int main() {
  std::vector<float> x(1 << 20), bias(1 << 20), decay(1 << 20), value(1 << 20), slope(1 << 20);
  const size_t count = std::fread(x.data(), sizeof(float), x.size(), stdin);
  gelu(x.data(), bias.data(), value.data(), slope.data(), Index(count));
#pragma omp simd
  for (size_t i = 0; i < count; ++i) decay[i] = exponential(-std::abs(x[i]));
  for (const auto* row : {&decay, &value, &slope}) {
    std::fwrite(row->data(), sizeof(float), count, stdout);
  }
}
"""


@needs_compiler
def test_functions_in_single_precision_keep_their_bounds_over_their_whole_range(
    tmp_path: Path,
) -> None:
    (tmp_path / "numbers.cpp").write_text(NUMBERS)
    flags = [flag for flag in compiler.FLAGS if flag not in ("-shared", "-fPIC")]
    folder = f"-I{compiler.HEADERS[0].parent}"
    command = [compiler.find() or "", *flags, folder, "numbers.cpp", "-o", "numbers"]
    subprocess.run(command, cwd=tmp_path, check=True)
    tiny = np.logspace(-45, 0, 20_000)
    x = np.concatenate([np.linspace(-90, 90, 200_001), tiny, -tiny, [-np.inf, np.inf, np.nan]])
    x = x.astype(np.float32)
    done = subprocess.run(
        [tmp_path / "numbers"], input=x.tobytes(), capture_output=True, check=True
    )
    found = np.frombuffer(done.stdout, np.float32).reshape(3, -1)
    assert np.isnan(found[:, -1]).all()  # so that a diverged training shows
    x, (decay, value, slope) = x[:-3].astype(np.float64), found[:, :-3].astype(np.float64)
    normal = np.abs(x) < 87  # beyond, exp(-87) stands for less
    assert (np.abs(decay / np.exp(-np.abs(x)) - 1) < 3e-7)[normal].all()
    assert (decay[~normal] < 2e-38).all()
    with np.errstate(under="ignore"):
        share = special.ndtr(x)
        density = np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi)
    # Relative to the value, as far as single precision has normal numbers. In the far tail, where
    # torch's own is 0, the rounding of x^2 counts.
    bound = np.where(np.abs(x) < 5, 2e-6, 2e-5)
    assert (np.abs(value - x * share) <= bound * np.abs(x * share) + 1e-37).all()
    assert (np.abs(slope - (share + x * density)) <= 1e-6).all()


# The optimizer.


@needs_compiler
@settings(max_examples=30, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 6000), min_size=1, max_size=4),
    max_norm=st.sampled_from([0.01, 1.0, 1e6]),
    betas=st.tuples(st.sampled_from([0.0, 0.9]), st.sampled_from([0.0, 0.99, 0.999])),
    decay=st.sampled_from([0.0, 0.1]),
    threads=st.sampled_from([1, 2, 3]),
    seed=st.integers(0, 2**31),
)
def test_the_optimizer_steps_as_torch_clips_and_steps(
    sizes: list[int],
    max_norm: float,
    betas: tuple[float, float],
    decay: float,
    threads: int,
    seed: int,
) -> None:
    generator = torch.Generator().manual_seed(seed)

    def random(size: int) -> Tensor:
        return torch.randn(size, generator=generator, dtype=torch.float64)

    start = [random(size) for size in sizes]
    plain, fast = ([nn.Parameter(tensor.clone()) for tensor in start] for _ in range(2))
    by: dict[str, Any] = {"lr": 1e-2, "betas": betas, "eps": 1e-8}

    def groups(parameters: list[nn.Parameter]) -> list[dict[str, Any]]:
        return [
            {"params": parameters[:1], "weight_decay": decay},
            {"params": parameters[1:], "weight_decay": 0.0},
        ]

    reference = torch.optim.AdamW(groups(plain), **by)
    assert not isinstance(FOUND, str)
    tested = CompiledAdamW(groups(fast), library=FOUND, **by)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        for step in range(4):
            for place, (one, other) in enumerate(zip(plain, fast, strict=True)):
                # A parameter without a gradient is left alone, and counts no step.
                gradient = None if place == step else random(one.numel())
                one.grad = gradient
                other.grad = None if gradient is None else gradient.clone()
            norm = nn.utils.clip_grad_norm_(plain, max_norm)
            assert float(tested.clip(max_norm)) == pytest.approx(float(norm), rel=1e-6)
            reference.step()
            tested.step()
            for one, other in zip(plain, fast, strict=True):
                torch.testing.assert_close(other, one, atol=1e-12, rtol=1e-12)
    finally:
        torch.set_num_threads(before)


@needs_compiler
def test_the_optimizer_in_single_precision_is_as_near_to_double_as_torch_s_own() -> None:
    torch.manual_seed(0)
    assert not isinstance(FOUND, str)
    start = torch.randn(100_000, dtype=torch.float64)
    exact = nn.Parameter(start.clone())
    plain, fast = (nn.Parameter(start.float()) for _ in range(2))
    pairs: list[tuple[nn.Parameter, Any]] = [
        (exact, torch.optim.AdamW([exact], lr=1e-3)),
        (plain, torch.optim.AdamW([plain], lr=1e-3, fused=True)),
        (fast, CompiledAdamW([fast], library=FOUND, lr=1e-3)),
    ]
    for _ in range(20):
        gradient = torch.randn(100_000, dtype=torch.float64)
        for parameter, optimizer in pairs:
            parameter.grad = gradient.to(parameter.dtype)
            optimizer.step()
    error, own = ((p.double() - exact).abs().max().item() for p in (fast, plain))
    assert error < 2 * own


@needs_compiler
def test_gradients_that_are_not_finite_change_weights_as_torch_s_own_do() -> None:
    assert not isinstance(FOUND, str)
    plain, fast = (nn.Parameter(torch.ones(3)) for _ in range(2))
    reference = torch.optim.AdamW([plain], lr=0.1)
    tested = CompiledAdamW([fast], library=FOUND, lr=0.1)
    for parameter in (plain, fast):
        parameter.grad = torch.tensor([1.0, float("inf"), 2.0])
    nn.utils.clip_grad_norm_([plain], 1.0)
    tested.clip(1.0)
    reference.step()
    tested.step()
    torch.testing.assert_close(fast, plain, equal_nan=True)


# Machines.


@pytest.fixture
def forgotten() -> Iterator[None]:
    """Forget whether there is a compiled library, before and after."""
    library.find.cache_clear()
    yield
    library.find.cache_clear()


def test_without_a_compiler_the_plain_twins_train_and_the_log_says_why(
    forgotten: None,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    model: Any,
    tokenizer: Any,
) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    assert "no C++ compiler" in str(library.find())
    applied = apply((*COMPILED, COMPILED_OPTIMIZER), model, tokenizer, DatasetDict())
    assert applied.names == set(COMPILED) - {COMPILED_LAYERS}
    assert "without compiled code: no C++ compiler" in capsys.readouterr().out
    undo(model, applied, decay=1.0)


@needs_compiler
def test_a_compiler_that_fails_and_a_cache_that_cannot_be_written_are_told(
    forgotten: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    broken = tmp_path / "c++"
    broken.write_text("#!/bin/sh\n[ $# = 1 ] && exit 0\nprintf 'unbekannt \\374\n' >&2\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(shutil, "which", lambda _: str(broken))
    assert library.find() == "the C++ compiler failed: unbekannt \ufffd"
    assert list((tmp_path / "cache").rglob("*.so")) == []
    monkeypatch.undo()
    library.find.cache_clear()
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert "cannot be kept or loaded" in str(library.find())


@needs_compiler
def test_a_user_without_a_home_folder_is_told_and_a_relative_cache_is_ignored(
    forgotten: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def unknown(_: int) -> Any:
        raise KeyError("uid not found")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    monkeypatch.delenv("HOME")
    monkeypatch.setattr(pwd, "getpwuid", unknown)
    found = library.find()
    assert isinstance(found, str)
    assert "no home folder; set XDG_CACHE_HOME" in found
    assert list(tmp_path.iterdir()) == []


@needs_compiler
def test_nothing_is_loaded_from_a_folder_where_other_users_can_write(
    forgotten: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    folder = tmp_path / "cola-finetuning-benchmark"
    folder.mkdir()
    for mode in (0o770, 0o707):
        folder.chmod(mode)
        assert f"other users can write to {folder} (mode {mode:o})" in str(library.find())
        library.find.cache_clear()
    folder.chmod(0o700)
    monkeypatch.setattr(os, "geteuid", lambda: folder.stat().st_uid + 1)
    assert f"{folder} belongs to user" in str(library.find())
    assert list(folder.iterdir()) == []


@needs_compiler
def test_a_damaged_library_is_compiled_again(
    forgotten: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    path = compiler.compiled(compiler.find() or "")
    whole = path.read_bytes()
    assert compiler.compiled(compiler.find() or "").stat().st_ino == path.stat().st_ino
    for damaged in (whole[:5000], whole[:5000] + b"?" + whole[5001:]):
        path.write_bytes(damaged)
        assert compiler.compiled(compiler.find() or "") == path
        assert path.read_bytes() == whole
    assert not isinstance(library.find(), str)


@needs_compiler
@pytest.mark.sessions
def test_processes_that_compile_at_the_same_time_each_get_the_whole_library(
    tmp_path: Path,
) -> None:
    program = (
        "from harness.training.speedups.compiled import library; "
        "found = library.find(); assert not isinstance(found, str), found; "
        "print(found.functions.adamw_float is not None)"
    )
    environment = {"XDG_CACHE_HOME": str(tmp_path), "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
    started = [
        subprocess.Popen(
            [sys.executable, "-c", program], env=environment, stdout=subprocess.PIPE, text=True
        )
        for _ in range(3)
    ]
    assert [process.communicate()[0] for process in started] == ["True\n"] * 3
    (kept,) = [p for p in tmp_path.rglob("*") if p.is_file()]
    assert kept.suffix == ".so"
