"""A kept model: a folder that others can load, verified to give the recorded logits."""

import contextlib
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from datasets import Dataset, DatasetDict
from transformers import PreTrainedTokenizerBase

from harness.errors import BadInput
from harness.kept import inference, kept_files
from harness.models.encode import encode
from harness.store.records import Record
from harness.text import one_line
from harness.training import proof
from harness.training.finetune import Outcome
from harness.training.job import Job, provenance_fields
from harness.training.proof import Sample

SUBJECT = "the kept model, read back from its folder,"


def keep(
    job: Job,
    record: Record,
    outcome: Outcome,
    tokenizer: PreTrainedTokenizerBase,
    validation: tuple[Dataset, Dataset],
    folder: Path,
) -> None:
    """Write model, tokenizer and model card, verify them, and move them to the run's folder.

    Args:
        validation: the validation split as loaded, with `sentence`, and as encoded.
        folder: holds the model until it is verified.

    Raises:
        OSError: they cannot be written, for example because the disk is full.
        RuntimeError: the written files do not load as the model that was scored.
    """
    class_names = job.source.spec.class_names
    with _system_errors():
        outcome.model.save_pretrained(folder)
        kept_files.write_class_names(folder, class_names)
        tokenizer.save_pretrained(folder)
    scored: Any = outcome.model
    scored.to("cpu")  # one model on a GPU is enough
    try:
        verify(folder, job.device, class_names, validation, outcome.sample)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    kept_files.write_card(folder, record.model_copy(update=provenance_fields()), class_names)
    # An atomic rename: an incomplete model must never look like a kept one.
    shutil.rmtree(job.folder / kept_files.FOLDER, ignore_errors=True)
    folder.rename(job.folder / kept_files.FOLDER)


@contextlib.contextmanager
def _system_errors() -> Iterator[None]:
    """Raise errors of the system as OSError, also those of libraries that are written in Rust.

    safetensors and tokenizers raise types of their own, with the text of Rust's `io::Error`.
    """
    try:
        yield
    except OSError:
        raise
    except Exception as error:
        if "(os error " in str(error):
            raise OSError(str(error)) from error
        raise


def verify(
    folder: Path,
    device: str,
    class_names: Sequence[str],
    validation: tuple[Dataset, Dataset],
    sample: Sample,
) -> None:
    """Load a saved model as `harness predict` does, and compare it with the record.

    Raises:
        RuntimeError: it cannot be read, or differs in class names, encoded sentences or logits.
    """
    try:
        classifier = inference.load(folder, device)
    except BadInput as error:
        raise RuntimeError(f"the kept model cannot be read back: {error}") from error
    named = [name for _, name in sorted((classifier.model.config.id2label or {}).items())]
    if named != list(class_names):
        raise RuntimeError(
            f"{SUBJECT} has the class names {named}, recorded are {list(class_names)}, in this "
            "order"
        )
    loaded, encoded = (rows.select(sample.positions) for rows in validation)
    again = encode(DatasetDict({"kept": loaded}), classifier.tokenizer, None).splits["kept"]
    for sentence, before, after in zip(loaded["sentence"], encoded, again, strict=True):
        if before != after:
            names = sorted({*before, *after})
            differing = [name for name in names if before.get(name) != after.get(name)]
            raise RuntimeError(
                f"{SUBJECT} has a tokenizer that encodes {one_line(sentence)[:60]!r} differently "
                f"than in training ({', '.join(differing)})"
            )
    rows = dict(zip(sample.positions, again, strict=True))
    proof.prove(classifier.model, classifier.tokenizer, rows, sample, SUBJECT)
