"""Everything that a worker process does for one run, from its job to its record."""

import contextlib
import gc
import os
import shutil
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import datasets
import torch
import transformers
from tqdm import tqdm
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from harness.inputs import checkpoint_files, data, trackers
from harness.kept import speed
from harness.models import out_of_memory
from harness.models.completeness import Weights
from harness.models.configuration import read_tokenizer
from harness.models.padding import settle
from harness.models.reading import Reading, read
from harness.redaction import redact_file, redacted
from harness.store import records
from harness.store.measured.serving import Serving
from harness.store.records import Padding, Record, Times
from harness.text import counted, one_line
from harness.training import diagnosis, kept_model, launchers, progress
from harness.training.finetune import Outcome, Settings, finetune
from harness.training.history import Reporting
from harness.training.job import (
    Job,
    Result,
    ended_at,
    failure,
    in_smaller_parts,
    now,
    provenance_fields,
)
from harness.training.loading import load_checkpoint
from harness.training.progress import Progress
from harness.training.scored_record import predictions_table, scored_record
from harness.training.yielding import Yielding

ANSWERED_PER_TRAINED = 8
"""So many sentences are answered in the memory in which one is trained, by a model of six layers.

For gradients, a layer of width w keeps about 16 w numbers for each token. An answer needs 10 w for
all layers, because the next layer uses the same memory."""


def execute(job: Job) -> Result:
    """Train, score and describe one run; an exception becomes a failed record."""
    started_at = now()
    started = time.perf_counter()
    job.folder.mkdir(parents=True, exist_ok=True)
    scratch = job.folder / "scratch"
    report = progress.writer(job.folder)
    try:
        with _output_in(job.folder / "log.txt"), _temporary_files_in(scratch):
            try:
                result = _train_and_score(job, scratch, started, report)
            except Exception as error:
                os.write(2, redacted(traceback.format_exc()).encode())
                result = Result(failure(job, error), None)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
        progress.discard(job.folder)
    finished_at = ended_at(started_at, time.perf_counter() - started)
    ended = {"started_at": started_at, "finished_at": finished_at, **provenance_fields()}
    return Result(result.record.model_copy(update=ended), result.predictions)


def _train_and_score(
    job: Job, scratch: Path, started: float, report: Callable[[Progress], None]
) -> Result:
    yielding = _prepare_process(job)
    digest, fingerprint = job.checkpoint.digest, job.dataset.fingerprint
    if records.run_key(job.run, digest, fingerprint, job.device) != job.key:
        raise RuntimeError(
            "this worker has other versions of packages than the session; install the same for both"
        )
    settings = _settings(job)
    trackers.prepare(job.trackers, job.run.cell.suite, job.folder)
    ready = _prepare(job, settings)
    outcome, accumulation = _finetune(job, ready, settings, scratch, report, yielding)
    encoded = ready.reading.encoded
    predictions = predictions_table(ready.splits, encoded, outcome)
    times = Times(
        load=ready.load_seconds,
        tokenise=ready.tokenise_seconds,
        train=outcome.train_seconds,
        evaluate=outcome.evaluate_seconds,
        total=time.perf_counter() - started,
    )
    record = scored_record(job, ready.splits, encoded, outcome, times)
    part = settings.batch_size // accumulation
    serving, unmeasured = _serving(job, ready, outcome, part, yielding)
    used = {
        "serving": serving,
        "times": times.model_copy(update={"total": time.perf_counter() - started}),
        "accumulation": accumulation,
        "batch_size_used": part,
        "contention": None if yielding is None else yielding.contention(),
        "initialised": ready.weights.initialised,
        "padding": ready.padding,
        "warnings": (
            *ready.weights.warnings,
            *diagnosis.trained_head(ready.weights.initialised),
            *ready.reading.warnings,
            *record.warnings,
            *diagnosis.padded(ready.padding),
            *diagnosis.halved(settings.batch_size, accumulation),
            *unmeasured,
        ),
    }
    record = record.model_copy(update=used)
    if job.keep_model:
        record = _keep(job, record, ready, outcome, scratch / "model")
    return Result(record, predictions)


def _prepare_process(job: Job) -> Yielding | None:
    """Prepare the process for a run: device, threads, precision, quiet libraries.

    Returns the callback that adapts the run's threads to other programs' load; None on a GPU.
    """
    if job.device == "cuda":
        # Trainer spreads each batch over all visible GPUs, so only the first stays visible.
        visible = os.environ.get("CUDA_VISIBLE_DEVICES") or "0"
        os.environ["CUDA_VISIBLE_DEVICES"] = visible.split(",")[0]
    if ignored := launchers.disregard():
        print(f"ignored environment variables of a launcher: {', '.join(ignored)}")
    yielding = None
    if job.device == "cpu":
        yielding = Yielding(job.threads, job.concurrency)
    else:
        torch.set_num_threads(job.threads)
    # TF32 is less precise; an environment variable may have allowed it when torch was imported.
    torch.set_float32_matmul_precision("highest")
    # tqdm's default lock is a system semaphore, which a killed worker would leave behind.
    tqdm.set_lock(threading.RLock())
    transformers.logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    transformers.logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    datasets.disable_progress_bars()
    return yielding


def _settings(job: Job) -> Settings:
    run = job.run
    return Settings(
        batch_size=run.cell.batch_size,
        learning_rate=run.cell.learning_rate,
        seed=run.seed,
        training=run.training,
        device=job.device,
        class_names=job.source.spec.class_names,
        title=f"{run.cell.id}-seed-{run.seed}",
        project=run.cell.suite,
        trackers=job.trackers,
        stop_at=job.stop_at,
    )


@dataclass(frozen=True)
class _Ready:
    """The inputs of a run's training, and the seconds that loading and tokenising took.

    `models` is a list of one model, so that `_finetune` can remove the model. No other reference
    to it may remain, or its memory cannot be freed.
    """

    splits: datasets.DatasetDict
    tokenizer: PreTrainedTokenizerBase
    models: list[PreTrainedModel]
    weights: Weights
    reading: Reading
    padding: Padding
    load_seconds: float
    tokenise_seconds: float


def _prepare(job: Job, settings: Settings) -> _Ready:
    """Load data, tokenizer and model, and encode the sentences.

    Raises:
        RuntimeError: the data or the checkpoint changed after the session began.
        BadInput: the checkpoint does not fit the sentences, or its files do not fit its
            configuration.
    """
    loading = time.perf_counter()
    loaded = data.load(job.source, count_repeats=False)
    if loaded.fingerprint != job.dataset.fingerprint:
        raise RuntimeError("the data changed after the session began")
    tokenizer = read_tokenizer(job.checkpoint.folder)
    pretrained = load_checkpoint(job.checkpoint.folder, tokenizer, settings)
    if checkpoint_files.digest_of(job.checkpoint.folder) != job.checkpoint.digest:
        raise RuntimeError("the checkpoint changed after the session began")
    tokenising = time.perf_counter()
    reading = read(loaded.splits, tokenizer, pretrained.model, job.run.training.max_length)
    encoded = reading.encoded
    if encoded.limit is not None:
        tokenizer.model_max_length = encoded.limit  # so a kept model truncates there, too
    tokenised = time.perf_counter()
    return _Ready(
        splits=loaded.splits,
        tokenizer=tokenizer,
        models=[pretrained.model],
        weights=pretrained.weights,
        reading=reading,
        padding=settle(pretrained.model, tokenizer, encoded.splits["train"]),
        load_seconds=tokenising - loading,
        tokenise_seconds=tokenised - tokenising,
    )


def _finetune(
    job: Job,
    ready: _Ready,
    settings: Settings,
    scratch: Path,
    report: Callable[[Progress], None],
    yielding: Yielding | None,
) -> tuple[Outcome, int]:
    """Fine-tune in as few parts per batch as memory allows; return outcome and number of parts."""
    models, encoded = ready.models, ready.reading.encoded
    while True:
        if not models:
            # ready.tokenizer may have changed, and a pad token can change how a model is built.
            fresh = read_tokenizer(job.checkpoint.folder)
            models.append(load_checkpoint(job.checkpoint.folder, fresh, settings).model)
        model = models.pop()
        try:
            attempt = replace(settings, accumulation=job.parts)
            listeners = [*([] if yielding is None else [yielding]), Reporting(report, yielding)]
            outcome = finetune(
                model, ready.tokenizer, encoded, attempt, scratch, ready.padding, listeners
            )
            return outcome, job.parts
        except Exception as error:
            smaller = in_smaller_parts(job)
            if smaller is None or not out_of_memory.is_out_of_memory(error):
                raise
            size = settings.batch_size // smaller.parts
            print(f"{redacted(one_line(str(error)))}\ntrying {counted(size, 'sentence')} at a time")
            job = smaller
        # Not in the except block: there the traceback still holds the failed attempt's memory.
        del model
        gc.collect()
        if job.device == "cuda":
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()  # record the peak of the attempt that fits
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir(exist_ok=True)


def _serving(
    job: Job, ready: _Ready, outcome: Outcome, part: int, yielding: Yielding | None
) -> tuple[Serving | None, tuple[str, ...]]:
    """Measure how fast the selected epoch's model answers; return a warning if that fails.

    The run is scored: whatever fails here must not lose it.

    Args:
        part: sentences that a training step computed at a time.
    """
    largest = None
    if ready.padding.alone:
        largest = 1
    elif job.device == "cpu":  # the kernel may kill a process that needs too much memory
        largest = ANSWERED_PER_TRAINED * part
    others = None if yielding is None else yielding.hold()
    try:
        found = speed.measure(
            outcome.model,
            ready.tokenizer,
            ready.reading.encoded.splits["validation"],
            speed.seconds_allowed(outcome.train_seconds),
            shortest=ready.padding.shortest,
            largest=largest,
        )
    except Exception as error:
        return None, (f"how fast the model answers was not measured: {_logged(error)}",)
    return found.model_copy(update={"other_programs": others and others()}), ()


def _logged(error: Exception) -> str:
    """Write the traceback of the exception being handled to the log; return its reason."""
    os.write(2, redacted(traceback.format_exc()).encode())
    return redacted(one_line(str(error))) or type(error).__name__


def _keep(job: Job, record: Record, ready: _Ready, outcome: Outcome, folder: Path) -> Record:
    """Keep the model of a scored run, and return its record.

    The run is scored: a full disk must not lose it. A model that fails its verification does.
    """
    validation = (ready.splits["validation"], ready.reading.encoded.splits["validation"])
    try:
        kept_model.keep(job, record, outcome, ready.tokenizer, validation, folder)
    except OSError as error:
        warning = f"the model was not kept: {_logged(error)}"
        return record.model_copy(
            update={"model_kept": False, "warnings": (*record.warnings, warning)}
        )
    return record


@contextlib.contextmanager
def _temporary_files_in(folder: Path) -> Iterator[None]:
    """Put temporary files where the session can remove them."""
    folder.mkdir(exist_ok=True)
    before, tempfile.tempdir = tempfile.tempdir, str(folder)
    try:
        yield
    finally:
        tempfile.tempdir = before


@contextlib.contextmanager
def _output_in(path: Path) -> Iterator[None]:
    """Send everything this process prints, C libraries included, to a file."""
    with path.open("w", encoding="utf-8") as file:
        saved = [os.dup(1), os.dup(2)]
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
        try:
            yield
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            for number, old in enumerate(saved, start=1):
                os.dup2(old, number)
                os.close(old)
            redact_file(path)  # libraries may print secrets that they received
