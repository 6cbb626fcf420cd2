"""Training beside a busy program and on a quiet machine, measured in turn by `make speed`.

As a program, it trains on request: it reads a line of JSON per run and prints the run's seconds.
"""

import contextlib
import csv
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tabulate import tabulate

from harness.machine import provenance
from speed import disturbance, paired
from speed.commands import CHECKPOINT, ROOT
from speed.disturbance import Disturbance
from speed.paired import Ratio
from speed.sections import conditions, in_cells, measured_with

if TYPE_CHECKING:  # the measuring process does not need torch
    from harness.training.job import Job

SENTENCES, VALIDATION, EPOCHS = 64, 16, 3
ROUNDS = 6
BUSY_BOUND = 1.3
"""Upper bound of the harness' training time beside one busy program, divided by a fair share's."""
QUIET_BOUND = 1.03
"""Upper bound of the harness' training time on a quiet machine, divided by a thread per core's."""


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


def measure() -> Iterator[dict[str, Any]]:
    """Train in every way, on the quiet machine and beside a busy program, round by round.

    Yields after every round: the seconds of training by place and way, one per round, and what
    disturbed each place of each round.
    """
    seconds: dict[str, dict[str, list[float]]] = {
        place: {way.name: [] for way in WAYS} for place in ("quiet", "beside")
    }
    found: list[Disturbance] = []
    with contextlib.ExitStack() as stack:
        trainers: dict[tuple[tuple[str, str], ...], subprocess.Popen[str]] = {}
        for way in WAYS:
            if way.variables not in trainers:
                trainers[way.variables] = stack.enter_context(_trainer(way.variables))
        for trainer in trainers.values():  # all started first, so they import in parallel
            _train(trainer, 1)  # libraries load at their first use
        for number in range(ROUNDS):
            for place, measured in seconds.items():
                with _busy_program() if place == "beside" else contextlib.nullcontext():
                    before = disturbance.read()
                    for way in paired.order(WAYS, number):
                        took = _train(trainers[way.variables], way.threads)
                        measured[way.name].append(took)
                    found.append(disturbance.between(before, disturbance.read()))
            yield {
                "checkpoint": CHECKPOINT,
                "sentences": SENTENCES,
                "epochs": EPOCHS,
                "seconds": seconds,
                "disturbances": [asdict(each) for each in found],
                **conditions(),
            }


def ratio(measured: Mapping[str, Any], place: str, name: str) -> Ratio:
    """Return a way's time divided by a thread per core's on the quiet machine, paired by round."""
    seconds = measured["seconds"]
    return paired.ratio_of(seconds[place][name], seconds["quiet"][ALL.name])


def bounds(measured: Mapping[str, Any]) -> list[tuple[str, float | None, float]]:
    """Return for each promise: its description, the measured median and the bound.

    The median is None where it is not measured, because it is too noisy.
    """
    share = fair_share(measured["machine"]["cores"])
    busy = ratio(measured, "beside", HARNESS.name).ratio
    quiet = ratio(measured, "quiet", HARNESS.name).ratio
    return [
        (
            "beside one busy program, over a fair share's time",
            None if busy is None else busy / share,
            BUSY_BOUND,
        ),
        ("on a quiet machine, over a thread a core's time", quiet, QUIET_BOUND),
    ]


def describe(measured: Mapping[str, Any]) -> str:
    """Return the measurements as Markdown, with missed bounds."""
    machine = measured["machine"]
    share = fair_share(machine["cores"])
    rows = []
    for place, where in (("quiet", "quiet machine"), ("beside", "beside a busy program")):
        for way in measured["seconds"][place]:
            if (place, way) != ("quiet", ALL.name):  # what all are compared with
                rows.append((where, way, *in_cells(asdict(ratio(measured, place, way)))))
    found = [Disturbance(each["others"], each["stolen"]) for each in measured["disturbances"]]
    return "\n".join(
        [
            "## Beside a busy program",
            "",
            f"{measured['checkpoint']}, {measured['sentences']} sentences, batch 16, "
            f"{measured['epochs']} epochs. Training time over that of a thread a core on the quiet "
            f"machine, paired, {len(measured['seconds']['quiet'][ALL.name])} rounds in turn. "
            f"{measured_with(measured)}",
            "",
            tabulate(
                rows,
                ("where", "threads", "median", "95 % interval"),
                tablefmt="pipe",
                disable_numparse=True,
            ),
            "",
            "A fair share is all cores but half of one, which the busy program shares half and "
            f"half: {share:.2f} times the quiet machine's time. The harness, median:",
            "",
            *(f"- {what}: {_within(value, bound)}" for what, value, bound in bounds(measured)),
            f"- The machine meanwhile, without that busy program: {disturbance.in_words(found)}.",
            "",
        ]
    )


def _within(value: float | None, bound: float) -> str:
    if value is None:
        return f"not measured, so it is unknown whether it is within the bound of {bound}"
    if value <= bound:
        return f"{value:.2f}, within the bound of {bound}"
    return f"{value:.2f}, **over the bound of {bound}**"


@contextlib.contextmanager
def _trainer(variables: Sequence[tuple[str, str]]) -> "Iterator[subprocess.Popen[str]]":
    controlled = {"OMP_NUM_THREADS", "OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME"}
    environment = {name: value for name, value in os.environ.items() if name not in controlled}
    with subprocess.Popen(
        [sys.executable, "-m", "speed.beside"],
        env={**environment, **dict(variables), "PYTHONPATH": str(ROOT / "benchmarks")},
        cwd=ROOT,
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


def main() -> None:
    """Read a number of threads per line, and train once for each; see Way."""
    from harness.cli.predict.quiet import quiet

    with tempfile.TemporaryDirectory() as folder:
        with quiet():
            job = _job(CHECKPOINT, Path(folder))
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
    main()
