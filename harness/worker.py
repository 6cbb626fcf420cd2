"""Everything a worker process does for one run, from its job to a record."""

import contextlib
import gc
import os
import resource
import shutil
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path

import datasets
import numpy as np
import pyarrow as pa
import torch
import transformers
from tqdm import tqdm
from transformers import AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

from harness import (
    checkpoint_files,
    classes,
    data,
    diagnosis,
    kept_model,
    launchers,
    out_of_memory,
    progress,
    records,
    trackers,
)
from harness.data.rows import HIDDEN_LABEL
from harness.encode import Encoded, token_counts
from harness.finetune import Outcome, Settings, finetune
from harness.groups import confusion_by
from harness.history import EpochOutcome
from harness.job import (
    Job,
    Result,
    circumstances,
    describe,
    ended_at,
    failure,
    in_smaller_parts,
    now,
)
from harness.loading import load_checkpoint
from harness.padding import Padding, settle
from harness.predictions import PREDICTIONS
from harness.progress import Progress
from harness.reading import read
from harness.records import Epoch, Record, Times
from harness.redaction import redact_file, redacted
from harness.score import Scores, score
from harness.text import one_line
from harness.yielding import Yielding

LENGTHS = ((4, "1-4 words"), (6, "5-6 words"), (9, "7-9 words"), (13, "10-13 words"))
"""Ranges of sentence lengths, each by its most words; longer sentences are a range of their own."""


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
    ended = {"started_at": started_at, "finished_at": finished_at, **circumstances()}
    return Result(result.record.model_copy(update=ended), result.predictions)


def _train_and_score(
    job: Job, scratch: Path, started: float, report: Callable[[Progress], None]
) -> Result:
    if job.device == "cuda":
        # With more than one GPU in sight, Trainer would spread each batch over all of them.
        visible = os.environ.get("CUDA_VISIBLE_DEVICES") or "0"
        os.environ["CUDA_VISIBLE_DEVICES"] = visible.split(",")[0]
    if ignored := launchers.disregard():
        print(f"not for this run, and disregarded: {', '.join(ignored)}")
    yielding = None
    if job.device == "cpu":
        yielding = Yielding(job.threads, job.concurrency)
        report = _with_contention(report, yielding)
    else:
        torch.set_num_threads(job.threads)
    # TF32, which a variable read on torch's import may have allowed, is another precision.
    torch.set_float32_matmul_precision("highest")
    # tqdm's own lock is a semaphore of the system, which a worker that is killed leaves behind.
    tqdm.set_lock(threading.RLock())
    transformers.logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    transformers.logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    datasets.disable_progress_bars()
    run = job.run
    digest, fingerprint = job.checkpoint.digest, job.dataset.fingerprint
    if records.run_key(run, digest, fingerprint, job.device) != job.key:
        raise RuntimeError(
            "this worker has other versions of packages than the session; install the same for both"
        )
    settings = Settings(
        batch_size=run.cell.batch_size,
        learning_rate=run.cell.learning_rate,
        seed=run.seed,
        training=run.training,
        device=job.device,
        class_names=job.source.spec.class_names,
        title=f"{run.cell.id}-seed-{run.seed}",
        project=run.cell.suite,
        trackers=job.trackers,
    )
    trackers.prepare(job.trackers, run.cell.suite, job.folder)

    loading = time.perf_counter()
    loaded = data.load(job.source)
    if loaded.fingerprint != job.dataset.fingerprint:
        raise RuntimeError("the data changed after the session began")
    tokenizer = _tokenizer(job)
    pretrained = load_checkpoint(job.checkpoint.folder, tokenizer, settings)
    models, weights = [pretrained.model], pretrained.weights
    del pretrained  # nothing else may hold on to the model; see _finetune
    if checkpoint_files.digest_of(job.checkpoint.folder) != job.checkpoint.digest:
        raise RuntimeError("the checkpoint changed after the session began")
    tokenising = time.perf_counter()
    reading = read(loaded.splits, tokenizer, models[0], run.training.max_length)
    encoded = reading.encoded
    if encoded.limit is not None:
        tokenizer.model_max_length = encoded.limit  # whoever uses a kept model cuts there, too
    tokenised = time.perf_counter()
    padding = settle(models[0], tokenizer, encoded.splits["train"])
    outcome, accumulation = _finetune(
        job, models, tokenizer, encoded, padding, settings, scratch, report, yielding
    )
    predictions = _predictions(loaded.splits, encoded, outcome)
    times = Times(
        load=tokenising - loading,
        tokenise=tokenised - tokenising,
        train=outcome.train_seconds,
        evaluate=outcome.evaluate_seconds,
        total=time.perf_counter() - started,
    )
    record = _record(job, loaded.splits, encoded, outcome, times)
    padded = records.Padding(**asdict(padding))
    used = {
        "accumulation": accumulation,
        "batch_size_used": settings.batch_size // accumulation,
        "contention": None if yielding is None else yielding.contention(),
        "initialised": weights.initialised,
        "padding": padded,
        "warnings": (
            *weights.warnings,
            *reading.warnings,
            *record.warnings,
            *diagnosis.padded(padded),
            *diagnosis.halved(settings.batch_size, accumulation),
        ),
    }
    record = record.model_copy(update=used)
    if job.keep_model:
        validation = (loaded.splits["validation"], encoded.splits["validation"])
        kept_model.keep(job, record, outcome, tokenizer, validation, scratch / "model")
    return Result(record, predictions)


def _with_contention(
    report: Callable[[Progress], None], yielding: Yielding
) -> Callable[[Progress], None]:
    return lambda progress: report(replace(progress, others=yielding.others))


def _tokenizer(job: Job) -> PreTrainedTokenizerBase:
    tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(
        job.checkpoint.folder, trust_remote_code=False, local_files_only=True
    )
    return tokenizer


def _finetune(
    job: Job,
    models: list[PreTrainedModel],
    tokenizer: PreTrainedTokenizerBase,
    encoded: Encoded,
    padding: Padding,
    settings: Settings,
    scratch: Path,
    report: Callable[[Progress], None],
    yielding: Yielding | None,
) -> tuple[Outcome, int]:
    """Fine-tune in as few parts of a batch as memory allows; return the outcome and their number.

    Args:
        models: the loaded model alone. It is taken out, so that nothing holds on to it when
            memory runs out and the next one is loaded.
    """
    while True:
        if not models:
            # As the checkpoint has it: a model may be built after its tokenizer's pad token.
            fresh = _tokenizer(job)
            models.append(load_checkpoint(job.checkpoint.folder, fresh, settings).model)
        model = models.pop()
        try:
            attempt = replace(settings, accumulation=job.parts)
            listeners = () if yielding is None else (yielding,)
            outcome = finetune(
                model, tokenizer, encoded, attempt, scratch, report, padding, listeners
            )
            return outcome, job.parts
        except Exception as error:
            smaller = in_smaller_parts(job)
            if smaller is None or not out_of_memory.is_out_of_memory(error):
                raise
            size = settings.batch_size // smaller.parts
            print(f"{redacted(one_line(str(error)))}\ntrying {size} sentences at a time")
            job = smaller
        # Only here is the failed attempt's memory free: while an error is handled, it holds on to
        # everything that it passed through.
        del model
        gc.collect()
        if job.device == "cuda":
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()  # the record's is that of the parts that fit
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir(exist_ok=True)


def _record(
    job: Job,
    splits: datasets.DatasetDict,
    encoded: Encoded,
    outcome: Outcome,
    times: Times,
) -> Record:
    run = job.run
    logits = outcome.logits["validation"]
    labels = np.asarray(splits["validation"]["label"])
    domains = np.asarray(splits["validation"]["domain"])
    scores = score(logits, labels)
    test = None
    if "test" in splits and not _hidden(splits["test"]):
        test = score(outcome.logits["test"], np.asarray(splits["test"]["label"]))
    epochs = tuple(map(_epoch, outcome.epochs))
    groups = {
        "source": list(splits["validation"]["source"]),
        "length": [_length(sentence) for sentence in splits["validation"]["sentence"]],
    }
    threshold = run.cell.threshold
    mcc = scores.matthews_correlation
    return describe(job).model_copy(
        update={
            "status": "ok",
            "reason": None,
            "verdict": None if threshold is None else "pass" if mcc >= threshold else "fail",
            "scores": _stored(scores),
            "scores_in_domain": _domain_scores(logits, labels, domains == "in"),
            "scores_out_of_domain": _domain_scores(logits, labels, domains == "out"),
            "scores_test": None if test is None else _stored(test),
            "confusion_by": {
                name: counts
                for name, of_sentences in groups.items()
                if (counts := confusion_by(of_sentences, labels, logits.argmax(axis=1)))
            },
            "labels": classes.pack(labels),
            "epochs": epochs,
            "selected_epoch": outcome.selected_epoch,
            "times": times,
            "samples_per_second": job.dataset.train * run.training.epochs / outcome.train_seconds,
            "eval_ms_per_sentence": 1000 * outcome.evaluate_seconds / len(labels),
            "time_to_target_seconds": records.time_to_target(epochs, run.cell.target),
            "peak_memory_mb": _peak_memory_mb(job.device),
            "parameters": outcome.parameters,
            "truncated_sentences": encoded.truncated,
            "speedups": outcome.speedups,
            "warnings": tuple(
                diagnosis.warnings(epochs, scores.one_class, encoded.truncated, outcome.alike)
            ),
            "model_kept": job.keep_model,
        }
    )


def _predictions(splits: datasets.DatasetDict, encoded: Encoded, outcome: Outcome) -> pa.Table:
    tables = []
    for split, logits in outcome.logits.items():
        rows = splits[split]
        labels = None if _hidden(rows) else list(rows["label"])
        tables.append(
            pa.table(
                {
                    "split": [split] * len(rows),
                    "idx": list(rows["idx"]),
                    "label": pa.nulls(len(rows), pa.int8()) if labels is None else labels,
                    "domain": list(rows["domain"]),
                    "source": list(rows["source"]),
                    "tokens": token_counts(encoded.splits[split]),
                    "logit_0": logits[:, 0],
                    "logit_1": logits[:, 1],
                }
            ).cast(PREDICTIONS)
        )
    return pa.concat_tables(tables)


def _hidden(rows: datasets.Dataset) -> bool:
    return HIDDEN_LABEL in rows["label"]


def _stored(scores: Scores) -> records.Scores:
    return records.Scores(mcc=scores.matthews_correlation, accuracy=scores.accuracy, f1=scores.f1)


def _domain_scores(
    logits: np.ndarray, labels: np.ndarray, chosen: np.ndarray
) -> records.Scores | None:
    return _stored(score(logits[chosen], labels[chosen])) if chosen.any() else None


def _epoch(outcome: EpochOutcome) -> Epoch:
    return Epoch(
        epoch=outcome.epoch,
        train_loss=outcome.train_loss,
        eval_loss=outcome.eval_loss,
        scores=_stored(outcome.scores),
        seconds=outcome.seconds,
        classes=classes.pack(outcome.classes),
    )


def _length(sentence: str) -> str:
    """Name the range that a sentence's number of words falls in."""
    words = len(sentence.split())
    return next((name for most, name in LENGTHS if words <= most), "14 words or more")


def _peak_memory_mb(device: str) -> float:
    if device == "cuda":
        return torch.cuda.max_memory_allocated() / 2**20
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10  # bytes there, KiB here


@contextlib.contextmanager
def _temporary_files_in(folder: Path) -> Iterator[None]:
    """Let whatever makes temporary files make them in a folder that whoever is left removes."""
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
            redact_file(path)  # libraries, too, print what they were given
