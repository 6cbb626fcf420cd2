"""Training beside a busy program and on a quiet machine, measured in turn by `make speed`.

As a program, it trains on request: it reads a line of JSON per run and prints the run's seconds.
"""

import contextlib
import csv
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tabulate import tabulate

from harness.machine import contention, provenance

if TYPE_CHECKING:  # the measuring process does not need torch
    from harness.training.job import Job

ROOT = Path(__file__).parent.parent

SENTENCES, VALIDATION, EPOCHS = 64, 16, 3
ROUNDS = 4
BUSY_BOUND = 1.3
"""Upper bound of the harness' training time beside one busy program, divided by a fair share's."""
QUIET_BOUND = 1.03
"""Upper bound of the harness' training time on a quiet machine, divided by a thread per core's."""
QUIET_LOAD = 0.1
"""Maximum number of cores that other programs keep busy on a quiet machine."""


@dataclass(frozen=True)
class Way:
    """A way to train; `threads` None means the harness' own choice, 0 means one per core."""

    name: str
    threads: int | None
    variables: tuple[tuple[str, str], ...] = ()


HARNESS = Way("the harness", None)
ALL = Way("a thread a core", 0)
WAYS = (
    HARNESS,
    ALL,  # next to HARNESS, because the two are compared most closely
    Way("one thread", 1),
    Way("a thread a core, OMP_WAIT_POLICY=passive", 0, (("OMP_WAIT_POLICY", "passive"),)),
    Way("a thread a core, GOMP_SPINCOUNT=10000", 0, (("GOMP_SPINCOUNT", "10000"),)),
    Way("a thread a core, KMP_BLOCKTIME=0", 0, (("KMP_BLOCKTIME", "0"),)),
)


def fair_share(cores: int) -> float:
    """Return the factor by which a fair share of the cores slows down training.

    One busy program and the run get half of one core each, so the run has all cores but a half:
    with 1.5 of 2 cores, two threads take 2 / 1.5 of their time on a quiet machine.
    """
    return cores / (cores - 0.5)


def measure(checkpoint: str) -> dict[str, Any]:
    """Train in every way, on the quiet machine and beside a busy program, round by round.

    Args:
        checkpoint: its name as in a suite.

    Returns the seconds of training by place and way, one per round, and the load of other programs
    during the measurement.
    """
    seconds: dict[str, dict[str, list[float]]] = {
        place: {way.name: [] for way in WAYS} for place in ("quiet", "beside")
    }
    others: list[float] = []
    with contextlib.ExitStack() as stack:
        trainers: dict[tuple[tuple[str, str], ...], subprocess.Popen[str]] = {}
        for way in WAYS:
            if way.variables not in trainers:
                trainers[way.variables] = stack.enter_context(_trainer(checkpoint, way.variables))
        for trainer in trainers.values():  # all started first, so they import in parallel
            _train(trainer, 1)  # libraries load at their first use
        for number in range(ROUNDS):
            for place, measured in seconds.items():
                with _busy_program() if place == "beside" else contextlib.nullcontext():
                    before = contention.now(os.getpid())
                    for way in WAYS if number % 2 else WAYS[::-1]:
                        took = _train(trainers[way.variables], way.threads)
                        measured[way.name].append(took)
                    after = contention.now(os.getpid())
                found = contention.between(before, after)
                others += [] if found is None else [found]
    return {
        "checkpoint": checkpoint,
        "sentences": SENTENCES,
        "epochs": EPOCHS,
        "seconds": seconds,
        "other_programs": max(others, default=None),
        "machine": provenance.machine().model_dump(),
        "versions": provenance.versions(),
        "commit": provenance.commit(),
    }


def ratios(measured: Mapping[str, Any], place: str, name: str) -> list[float]:
    """Return a way's time divided by a thread per core's on the quiet machine, by round."""
    seconds = measured["seconds"]
    pairs = zip(seconds[place][name], seconds["quiet"][ALL.name], strict=True)
    return [ours / theirs for ours, theirs in pairs]


def bounds(measured: Mapping[str, Any]) -> list[tuple[str, float, float]]:
    """Return for each promise: its description, the measured median and the bound."""
    share = fair_share(measured["machine"]["cores"])
    busy = [ratio / share for ratio in ratios(measured, "beside", HARNESS.name)]
    quiet = ratios(measured, "quiet", HARNESS.name)
    return [
        ("beside one busy program, over a fair share's time", statistics.median(busy), BUSY_BOUND),
        (
            "on a quiet machine, over a thread a core's time",
            statistics.median(quiet),
            QUIET_BOUND,
        ),
    ]


def describe(measured: Mapping[str, Any]) -> str:
    """Return the measurements as Markdown, with missed bounds."""
    machine = measured["machine"]
    share = fair_share(machine["cores"])
    rows = []
    for place, where in (("quiet", "quiet machine"), ("beside", "beside a busy program")):
        for way in measured["seconds"][place]:
            found = ratios(measured, place, way)
            rows.append((where, way, statistics.median(found), min(found), max(found)))
    lines = [
        f"- {what}: {value:.2f}, "
        + (f"within the bound of {bound}" if value <= bound else f"**over the bound of {bound}**")
        for what, value, bound in bounds(measured)
    ]
    load = measured["other_programs"]
    if load is None or load > QUIET_LOAD:
        amount = "an unknown number of" if load is None else f"up to {load:.1f}"
        lines += [f"- **The machine was not quiet**: others kept {amount} cores busy meanwhile."]
    return "\n".join(
        [
            "## Beside a busy program",
            "",
            f"{measured['checkpoint']}, {measured['sentences']} sentences, batch 16, "
            f"{measured['epochs']} epochs, on {machine['cores']} cores ({machine['processor']}). "
            "Training time over that of a thread a core on the quiet machine, paired, "
            f"{len(measured['seconds']['quiet'][ALL.name])} rounds in turn:",
            "",
            tabulate(
                rows,
                ("where", "threads", "median", "min", "max"),
                tablefmt="pipe",
                floatfmt=".2f",
            ),
            "",
            "A fair share is all cores but half of one, which the busy program shares half and "
            f"half: {share:.2f} times the quiet machine's time. The harness, median:",
            "",
            *lines,
            "",
        ]
    )


@contextlib.contextmanager
def _trainer(
    checkpoint: str, variables: Sequence[tuple[str, str]]
) -> "Iterator[subprocess.Popen[str]]":
    controlled = {"OMP_NUM_THREADS", "OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME"}
    environment = {name: value for name, value in os.environ.items() if name not in controlled}
    with subprocess.Popen(
        [sys.executable, __file__, checkpoint],
        env={**environment, **dict(variables)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def _train(trainer: "subprocess.Popen[str]", threads: int | None) -> float:
    assert trainer.stdin is not None
    assert trainer.stdout is not None
    trainer.stdin.write(f"{json.dumps(threads)}\n")
    trainer.stdin.flush()
    return float(json.loads(trainer.stdout.readline()))


@contextlib.contextmanager
def _busy_program() -> Iterator[None]:
    with subprocess.Popen([sys.executable, "-S", "-c", "while True: pass"]) as process:
        try:
            yield
        finally:
            process.kill()


def main(checkpoint: str) -> None:
    """Read a number of threads per line, and train once for each; see Way."""
    from harness.cli.predict.quiet import quiet

    with tempfile.TemporaryDirectory() as folder:
        with quiet():
            job = _job(checkpoint, Path(folder))
        for number, line in enumerate(sys.stdin):
            threads = json.loads(line)
            numbered = replace(job, folder=Path(folder) / str(number))
            with quiet():
                seconds = _as_a_worker(numbered) if threads is None else _plain(numbered, threads)
            print(json.dumps(seconds), flush=True)


def _job(checkpoint: str, folder: Path) -> "Job":
    """Return the job of a session's only run, on sentences of the embedded corpus."""
    from harness.inputs.data import corpus
    from harness.inputs.hub import Hub
    from harness.session import suite_inputs
    from harness.suite import plan, spec
    from harness.training.job import Job

    data = folder / "sentences.csv"
    rows = corpus.generate()["train"][: SENTENCES + VALIDATION]
    with data.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["sentence", "label"])
        writer.writerows((row.text, row.label) for row in rows)
    suite = spec.Suite(
        name="beside",
        dataset=spec.DatasetSpec(
            source="file", path=str(data), validation_size=VALIDATION, test_size=0
        ),
        matrix=spec.MatrixSpec(
            checkpoints=(checkpoint,), batch_sizes=(16,), learning_rates=(2e-5,), seeds=(1,)
        ),
        training=spec.TrainingSpec(epochs=EPOCHS),
    )
    (cell,) = plan.make_plan(suite)
    (run,) = plan.runs_of(cell, suite.training)
    offline = Hub("", reachable=False, reason=None)
    found = suite_inputs.find_inputs(suite, ROOT, [cell], None, offline)
    assert found.source is not None
    assert found.dataset is not None
    return Job(
        run=run,
        key=replace(found, device="cpu").key(run),
        checkpoint=found.checkpoints[checkpoint],
        source=found.source,
        dataset=found.dataset,
        folder=folder,
        device="cpu",
        threads=provenance.available_cores(),
        concurrency=1,
        keep_model=False,
    )


def _as_a_worker(job: "Job") -> float:
    """Train as a session's worker does; return the seconds of training."""
    from harness.training.worker import execute

    record = execute(job).record
    assert record.times is not None, record.reason
    return record.times.train


def _plain(job: "Job", threads: int) -> float:
    """Train with a fixed number of threads (0: one per core); return the seconds of training."""
    import torch
    from transformers import AutoTokenizer

    from harness.inputs.data import load
    from harness.models.encode import encode
    from harness.training.finetune import Settings, finetune
    from harness.training.loading import load_checkpoint

    torch.set_num_threads(threads or provenance.available_cores())
    cell, run = job.run.cell, job.run
    names = job.source.spec.class_names
    settings = Settings(
        cell.batch_size, cell.learning_rate, run.seed, run.training, job.device, names
    )
    tokenizer = AutoTokenizer.from_pretrained(job.checkpoint.folder)
    encoded = encode(load(job.source).splits, tokenizer, None)
    model = load_checkpoint(job.checkpoint.folder, tokenizer, settings).model
    job.folder.mkdir()
    return finetune(model, tokenizer, encoded, settings, job.folder).train_seconds


if __name__ == "__main__":
    main(sys.argv[1])
