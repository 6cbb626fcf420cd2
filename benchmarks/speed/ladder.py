"""Training time with more and more speed-ups, for `make speed`.

As a program (`python -m speed.ladder`), it trains with each given list of speed-ups, and prints the
seconds of each as JSON.
"""

import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from harness.machine import provenance
from speed import commands, paired
from speed.sections import Compared, Measurement, section

SENTENCES = {"cpu": 768, "cuda": 1024}
VALIDATION = 64
ROUNDS = 4
PLAIN = "none"
RUNGS = (
    *("kept-memory", "used-vocabulary", "packing", "first-token", "fast-dropout"),
    *("compiled-layers", "compiled-optimizer"),
)
LADDER = {
    PLAIN: (),
    **{name: RUNGS[: place + 1] for place, name in enumerate(RUNGS)},
}
"""The speed-ups of each rung, by the name of its last."""


def ladders(checkpoint: str, cola_dir: Path, folder: Path) -> Iterator[dict[str, Any]]:
    """Measure the gains of the speed-ups; yield the section after every round.

    On a GPU, a BERT of base size is measured, too.
    """
    device = provenance.device_type()
    models = {"all-MiniLM-L6": checkpoint}
    if device == "cuda":
        models["BERT of base size"] = base_sized(checkpoint, folder / "base")
    series: dict[str, tuple[Measurement, ...]] = {}
    compared = {
        f"{model}: {name}": Compared(
            f"{model}, none / up to {name}", f"{model}: {PLAIN}", f"{model}: {name}"
        )
        for model in models
        for name in LADDER
        if name != PLAIN
    }
    about = (
        "One thread's training time at batch 16 without speed-ups over that with more and more of "
        f"them, {SENTENCES[device]} sentences of CoLA."
    )
    for number in range(ROUNDS):
        for model, model_folder in models.items():
            for name, found in climb(model_folder, cola_dir, device, number).items():
                series[f"{model}: {name}"] = (*series.get(f"{model}: {name}", ()), found)
        yield section(about, series, compared)


def climb(folder: str, cola_dir: Path, device: str, number: int) -> dict[str, Measurement]:
    """Time the training of every rung once, in the order of the round; one thread on a CPU.

    On a CPU, every rung has its own process, because the speed-up kept-memory affects its whole
    process. A GPU takes seconds to start, so one process runs all rungs.
    """
    names = paired.order(tuple(LADDER), number)
    measured = {}
    for part in [names] if device == "cuda" else [(name,) for name in names]:
        rungs = json.dumps([LADDER[name] for name in part])
        timed = commands.run("-m", "speed.ladder", folder, str(cola_dir), device, rungs)
        for name, seconds in zip(part, json.loads(timed.output), strict=True):
            measured[name] = Measurement(seconds, timed.disturbance)
    return measured


def base_sized(checkpoint: str, folder: Path) -> str:
    """Write a BERT of base size with random weights and a checkpoint's tokenizer, for timing."""
    from transformers import AutoModel, AutoTokenizer, BertConfig

    AutoModel.from_config(BertConfig()).save_pretrained(folder)  # type: ignore[no-untyped-call]
    AutoTokenizer.from_pretrained(checkpoint).save_pretrained(folder)
    return str(folder)


def main(folder: str, cola_dir: str, device: str, rungs: list[list[str]]) -> None:
    """Train with each list of speed-ups, and print the seconds."""
    import datasets
    import torch
    import transformers
    from transformers import AutoTokenizer

    from harness.inputs.data import Source, load
    from harness.models.encode import encode
    from harness.suite.spec import DatasetSpec, TrainingSpec
    from harness.training.finetune import Settings, finetune
    from harness.training.loading import load_checkpoint

    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    datasets.disable_progress_bars()
    splits = load(Source("folder", cola_dir, None, DatasetSpec(source="cola"))).splits
    splits.pop("test", None)  # CoLA's own download has no test split
    splits["train"] = splits["train"].shuffle(seed=1).select(range(SENTENCES[device]))
    splits["validation"] = splits["validation"].select(range(VALIDATION))
    tokenizer = AutoTokenizer.from_pretrained(folder)
    encoded = encode(splits, tokenizer, None)

    def seconds(names: list[str]) -> float:
        training = TrainingSpec(epochs=1, selection="last-epoch", speedups=tuple(names))
        settings = Settings(16, 2e-5, 1, training, device, ("unacceptable", "acceptable"))
        model = load_checkpoint(folder, tokenizer, settings).model
        with tempfile.TemporaryDirectory() as scratch:
            return finetune(model, tokenizer, encoded, settings, Path(scratch)).train_seconds

    if device == "cuda":
        seconds([])  # its libraries load at their first use
    print(json.dumps([seconds(names) for names in rungs]))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], json.loads(sys.argv[4]))
