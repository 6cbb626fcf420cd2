"""Tiny runs whose numbers are pinned: nobody changes what training computes without saying so.

`RECIPE_VERSION` is part of every run's key, so raising it makes finished runs train again. These
runs fail when a change of the training path changes a number and nobody raised it.

To pin anew, after raising `RECIPE_VERSION` or moving constraints.txt to other versions: run this
file, and paste what its failures print over PINNED.
"""

import importlib.metadata
import pprint
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from builders.jobs import execute_ok, file_spec, make_job, write_rows
from builders.tiny_checkpoints import SENTENCES, make_checkpoint
from safetensors.torch import load_file

from harness.machine.provenance import RECIPE_VERSION
from harness.training.speedups.compiled import library

CONSTRAINTS = Path(__file__).parents[2] / "constraints.txt"
# Those that the numbers depend on.
PACKAGES = ("accelerate", "datasets", "tokenizers", "torch", "transformers")

# Every setting is written out: another default makes another key, and is no change of the recipe.
COMMON: dict[str, Any] = {
    "batch_size": 8,
    "learning_rate": 1e-3,
    "epochs": 2,
    "weight_decay": 0.1,
    "eval_batch_size": 8,
    "precision": "fp32",
}
TUTORIAL: dict[str, Any] = {
    "warmup_ratio": 0.0,
    "lr_scheduler": "linear",
    "max_grad_norm": 1.0,
    "max_length": None,
    "selection": "best-epoch",
    "batching": "random",
}
SPEEDUPS = (
    "fast-dropout",
    "first-token",
    "kept-memory",
    "memory-checkpoint",
    "packing",
    "sorted-evaluation",
    "used-vocabulary",
)
COMPILED_SPEEDUPS = ("compiled-layers", "compiled-optimizer")
RUNS: dict[str, dict[str, Any]] = {
    "tutorial": COMMON | TUTORIAL | {"speedups": ()},
    "sped up": COMMON | TUTORIAL | {"speedups": SPEEDUPS},
    "compiled": COMMON | TUTORIAL | {"speedups": tuple(sorted(SPEEDUPS + COMPILED_SPEEDUPS))},
    "otherwise": COMMON
    | {
        "warmup_ratio": 0.3,
        "lr_scheduler": "cosine",
        "max_grad_norm": 0.1,
        "max_length": 8,
        "selection": "last-epoch",
        "batching": "length-grouped",
        "speedups": (),
    },
}


@dataclass(frozen=True)
class Pin:
    """What a run gave, and what it was given.

    Attributes:
        recipe: the RECIPE_VERSION that it was made with.
        data: the data's fingerprint.
        weights: the sum of the checkpoint's squared weights.
        train_losses, eval_losses: one an epoch.
        logits: of the first sentences of the validation split, two each.
    """

    recipe: int
    data: str
    weights: float
    train_losses: tuple[float, ...]
    eval_losses: tuple[float, ...]
    logits: tuple[float, ...]


PINNED_WITH = {
    "accelerate": "1.15.0",
    "datasets": "5.2.0",
    "tokenizers": "0.23.3",
    "torch": "2.13.0",
    "transformers": "5.23.0",
}
PINNED = {
    "compiled": Pin(
        recipe=5,
        data="f77e57c23152e000",
        weights=1152.64,
        train_losses=(0.758661, 0.718926),
        eval_losses=(0.758585, 0.752986),
        logits=(
            -0.139489,
            -0.132693,
            -0.313196,
            0.202449,
            -0.299851,
            0.0901322,
            -0.0279237,
            -0.0978511,
        ),
    ),
    "otherwise": Pin(
        recipe=5,
        data="f77e57c23152e000",
        weights=1152.64,
        train_losses=(0.840042, 0.709382),
        eval_losses=(0.707456, 0.715901),
        logits=(
            0.00743713,
            -0.342597,
            0.14812,
            -0.127635,
            0.126745,
            -0.172837,
            0.233493,
            -0.0932588,
        ),
    ),
    "sped up": Pin(
        recipe=5,
        data="f77e57c23152e000",
        weights=1152.64,
        train_losses=(0.813453, 0.726743),
        eval_losses=(0.766971, 0.759681),
        logits=(
            -0.191709,
            -0.317196,
            -0.372766,
            0.0151368,
            -0.362251,
            -0.0669553,
            -0.123126,
            -0.187928,
        ),
    ),
    "tutorial": Pin(
        recipe=5,
        data="f77e57c23152e000",
        weights=1152.64,
        train_losses=(0.769078, 0.837663),
        eval_losses=(0.76276, 0.74912),
        logits=(
            -0.281936,
            -0.132475,
            -0.486334,
            0.171412,
            -0.459236,
            0.0906111,
            -0.228924,
            -0.0841836,
        ),
    ),
}


def constraints() -> dict[str, str]:
    pairs = re.findall(r"^([\w-]+)==(\S+)$", CONSTRAINTS.read_text(), re.MULTILINE)
    return {package: version for package, version in pairs if package in PACKAGES}


def installed() -> dict[str, str]:
    """Return the packages' versions without the name of a build, as in 2.13.0+cpu."""
    return {package: importlib.metadata.version(package).split("+")[0] for package in PACKAGES}


def measure(settings: Mapping[str, Any], folder: Path) -> Pin:
    checkpoint = make_checkpoint("bert", folder / "bert")
    weights = load_file(checkpoint / "model.safetensors").values()
    texts = [*SENTENCES, *(" ".join(reversed(text.split())) for text in SENTENCES)]
    labels = [1] * len(SENTENCES) + [0] * len(SENTENCES)
    data = file_spec(write_rows(folder / "rows.csv", texts, labels), validation=10)
    record, predictions = execute_ok(make_job(checkpoint, data, folder, **settings))
    assert record.dataset is not None
    assert {*settings["speedups"]} == {*(record.speedups or ())}
    logits = zip(
        predictions["logit_0"].to_pylist(), predictions["logit_1"].to_pylist(), strict=True
    )
    return Pin(
        recipe=RECIPE_VERSION,
        data=record.dataset.fingerprint[:16],
        weights=_digits(sum(weight.double().square().sum().item() for weight in weights)),
        train_losses=tuple(_digits(epoch.train_loss or 0) for epoch in record.epochs),
        eval_losses=tuple(_digits(epoch.eval_loss or 0) for epoch in record.epochs),
        logits=tuple(_digits(logit) for pair in list(logits)[:4] for logit in pair),
    )


def _digits(value: float) -> float:
    return float(f"{value:.6g}")


def numbers(pin: Pin) -> tuple[float, ...]:
    return (*pin.train_losses, *pin.eval_losses, *pin.logits)


def equal(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    """Whether numbers agree to about five digits: processors differ by less than 1e-6."""
    return len(one) == len(other) and one == pytest.approx(other, rel=5e-5, abs=5e-6)


def complaint(name: str, measured: Pin, pinned: Pin) -> str | None:
    """Say what is wrong with a run's numbers, and what to do about it; None if nothing is."""
    if measured.data != pinned.data or not equal((measured.weights,), (pinned.weights,)):
        cause = "the checkpoint or the data of this test changed, which says nothing of training"
    elif equal(numbers(measured), numbers(pinned)):
        if measured.recipe == pinned.recipe:
            return None
        cause = f"RECIPE_VERSION was raised to {measured.recipe} and changed no number here"
    elif measured.recipe == pinned.recipe:
        return (
            f"a number changed and RECIPE_VERSION was not raised: it is still {pinned.recipe}. "
            "Raise it in harness/machine/provenance.py if training should compute something else "
            "from now on; otherwise find what changed it.\n"
            f"pinned:   {numbers(pinned)}\nmeasured: {numbers(measured)}"
        )
    else:
        cause = f"RECIPE_VERSION was raised from {pinned.recipe} to {measured.recipe}"
    return f"{cause}: paste this over its entry in PINNED:\n{pprint.pformat({name: measured})}"


def test_the_pinned_numbers_are_those_of_the_versions_in_constraints_txt() -> None:
    assert constraints().keys() == set(PACKAGES)
    assert constraints() == PINNED_WITH, (
        "constraints.txt moved to other versions: install them, put them into PINNED_WITH, and "
        "pin the numbers anew"
    )


@pytest.mark.parametrize("name", RUNS)
def test_training_computes_what_it_computed_before(name: str, tmp_path: Path) -> None:
    if installed() != PINNED_WITH:
        pytest.skip(f"the numbers are pinned for {PINNED_WITH}, installed are {installed()}")
    if not torch.backends.mkl.is_available():  # type: ignore[no-untyped-call]
        pytest.skip("dropout is pinned for PyTorch with MKL, which draws other random numbers")
    if name == "compiled" and isinstance(missing := library.find(), str):
        pytest.skip(f"no compiled code: {missing}")
    problem = complaint(name, measure(RUNS[name], tmp_path), PINNED[name])
    if problem is not None:
        pytest.fail(problem, pytrace=False)


PIN = Pin(1, "feed", 12.5, (0.7, 0.6), (0.65, 0.64), (0.25, -0.25))


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, None),
        ({"train_losses": (0.70001, 0.60001)}, None),
        ({"train_losses": (0.7001, 0.6)}, "a number changed and RECIPE_VERSION was not raised"),
        ({"eval_losses": (0.65, 0.6401)}, "a number changed and RECIPE_VERSION was not raised"),
        ({"logits": (0.25, -0.2501)}, "a number changed and RECIPE_VERSION was not raised"),
        ({"logits": (0.25,)}, "a number changed and RECIPE_VERSION was not raised"),
        ({"recipe": 2, "logits": (0.25, 0.25)}, "RECIPE_VERSION was raised from 1 to 2: paste"),
        ({"recipe": 2}, "RECIPE_VERSION was raised to 2 and changed no number here: paste"),
        ({"data": "beef"}, "the checkpoint or the data of this test changed"),
        ({"weights": 12.6, "logits": (0, 0)}, "the checkpoint or the data of this test changed"),
    ],
)
def test_the_message_says_what_happened(changes: dict[str, Any], expected: str | None) -> None:
    problem = complaint("tutorial", replace(PIN, **changes), PIN)
    if expected is None:
        assert problem is None
    else:
        assert problem is not None
        assert problem.startswith(expected)
