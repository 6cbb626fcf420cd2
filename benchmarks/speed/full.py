"""The whole matrix against the tutorial's script, and padding to 128: most of `make speed`."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from harness.inputs.data import Source, load
from harness.machine import provenance
from harness.stats.intervals import seeds_interval
from harness.suite.spec import DatasetSpec
from speed import commands, disturbance, paired
from speed.commands import EPOCHS, Cell
from speed.sections import Compared, Measurement, measurement, section

CELLS: tuple[Cell, ...] = ((16, 2e-5), (16, 5e-5), (32, 2e-5), (32, 5e-5))
MATRIX_ROUNDS = 3
PADDING_ROUNDS = 4
PADDED_TO = 128
"""As the script run_glue.py of transformers does."""
EVERY = 8
"""Padding is measured on every n-th sentence of CoLA."""
FEW, MANY = 128, 512
"""Numbers of sentences whose times are subtracted."""
SHARING = 4
"""Number of runs that share a GPU, compared with one at a time."""


def matrix(checkpoint: str, cola_dir: Path, folder: Path) -> Iterator[dict[str, Any]]:
    """Measure the four cells on the whole of CoLA; yield the section after every round.

    Args:
        checkpoint: the folder of commands.CHECKPOINT.
        folder: for the results of sessions.
    """
    flops = len(CELLS) * required_flops(checkpoint, cola_dir)
    device = provenance.device_type()
    data = {"source": "cola", "path": str(cola_dir)}
    theirs: dict[Cell, float] = {}
    ours: dict[Cell, float] = {}

    def tutorial() -> Measurement:
        parts = [commands.tutorial(checkpoint, cola_dir, cell) for cell in CELLS]
        theirs.update(
            {cell: json.loads(part.output)["mcc"] for cell, part in zip(CELLS, parts, strict=True)}
        )
        return measurement(*parts)

    def harness(*more: str) -> Measurement:
        found = commands.session(data, CELLS, folder, *more)
        for record in found.records:
            ours[record["batch_size"], record["learning_rate"]] = record["scores"]["mcc"]
        return measurement(found.timed)

    def products() -> Measurement:
        before = disturbance.read()
        peak = gemm_peak(device)
        return Measurement(flops / peak, disturbance.between(before, disturbance.read()))

    # The machine's rate is measured between the other two, in every order.
    measures = {"tutorial": tutorial, "matrix products": products, "harness": harness}
    compared = {
        "tutorial_over_harness": Compared(
            "tutorial's script / harness, wall time of the matrix", "tutorial", "harness"
        ),
        "harness_gemm_roofline_fraction": Compared(
            "harness, fraction of the GEMM roofline", "matrix products", "harness"
        ),
        "tutorial_gemm_roofline_fraction": Compared(
            "tutorial, fraction of the GEMM roofline", "matrix products", "tutorial"
        ),
    }
    if device == "cuda":
        measures["sharing"] = lambda: harness("--workers", str(SHARING))
        compared["one_at_a_time_over_sharing"] = Compared(
            f"harness, one run at a time / {SHARING} sharing the GPU, wall time of the matrix",
            "harness",
            "sharing",
        )
    about = (
        f"{len(CELLS)} cells of all-MiniLM-L6 (batch 16 and 32, 2e-5 and 5e-5) on the whole of "
        f"CoLA, {EPOCHS} epoch: the tutorial's script cell after cell, the harness in one session."
    )
    for measured in paired.in_turn(measures, MATRIX_ROUNDS):
        difference = seeds_interval([ours[cell] - theirs[cell] for cell in CELLS])
        assert difference is not None
        yield {
            **section(about, measured, compared),
            "mcc_difference": {
                "mean": difference.mean,
                "low": difference.low,
                "high": difference.high,
            },
        }


def padding(checkpoint: str, cola_dir: Path, folder: Path) -> Iterator[dict[str, Any]]:
    """Measure what padding to 128 costs a training sentence; yield the section after every round.

    A time is the difference of Trainer's own training times of two numbers of sentences, so that
    the start, the evaluation and the checkpoint's files cancel out.
    """
    part = commands.part_of_cola(cola_dir, folder, EVERY).folder

    def seconds(*more: str) -> Measurement:
        few, many = (
            commands.tutorial(checkpoint, part, CELLS[0], "--sentences", str(number), *more)
            for number in (FEW, MANY)
        )
        took = [json.loads(timed.output)["train_seconds"] for timed in (few, many)]
        found = disturbance.worst([few.disturbance, many.disturbance])
        return Measurement(took[1] - took[0], found)

    measures = {
        "padded": lambda: seconds("--pad-to", str(PADDED_TO)),
        "tutorial": seconds,
    }
    what = f"padding to {PADDED_TO} as in run_glue / tutorial's script, a training sentence"
    about = (
        f"Training time of {MANY} minus that of {FEW} sentences of CoLA, all-MiniLM-L6, batch "
        f"{CELLS[0][0]}."
    )
    for measured in paired.in_turn(measures, PADDING_ROUNDS):
        yield section(
            about, measured, {"run_glue_over_tutorial": Compared(what, "padded", "tutorial")}
        )


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


def required_flops(checkpoint: str, cola_dir: Path) -> float:
    """Return the FLOPs that a run requires: every layer and token, no padding.

    The forward pass takes two FLOPs per weight of a linear layer and token, the backward pass four
    (Kaplan et al., "Scaling Laws for Neural Language Models", 2020, section 2.1). Attention is not
    counted.
    """
    from transformers import AutoConfig, AutoTokenizer

    config = AutoConfig.from_pretrained(checkpoint)
    tokenizer = AutoTokenizer.from_pretrained(checkpoint)
    splits = load(Source("folder", str(cola_dir), None, DatasetSpec(source="cola"))).splits
    tokens = {
        name: sum(map(len, tokenizer(list(splits[name]["sentence"]))["input_ids"]))
        for name in ("train", "validation")
    }
    width, inner = config.hidden_size, config.intermediate_size
    weights = config.num_hidden_layers * (4 * width**2 + 2 * width * inner)
    return float(2 * weights * EPOCHS * (3 * tokens["train"] + tokens["validation"]))
