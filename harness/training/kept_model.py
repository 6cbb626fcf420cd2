"""A kept model: a folder that others can load, proven to answer as the record says."""

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from datasets import Dataset, DatasetDict
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from harness.errors import BadInput
from harness.kept import inference, kept_files
from harness.models.configuration import write_class_names
from harness.models.encode import encode
from harness.store.records import Record
from harness.text import one_line
from harness.training import proof
from harness.training.finetune import Outcome
from harness.training.job import Job, circumstances
from harness.training.proof import Sample

WHAT = "the kept model, read back from its folder,"


def keep(
    job: Job,
    record: Record,
    outcome: Outcome,
    tokenizer: PreTrainedTokenizerBase,
    validation: tuple[Dataset, Dataset],
    folder: Path,
) -> None:
    """Write model, tokenizer and model card, prove them, and move them to where kept models lie.

    Args:
        validation: the validation split as loaded, with `sentence`, and as encoded.
        folder: where the model lies until it is proven.

    Raises:
        RuntimeError: what was written does not read back as the model that was scored.
    """
    class_names = job.source.spec.class_names
    save(outcome.model, tokenizer, class_names, folder)
    scored: Any = outcome.model
    scored.to("cpu")  # one model on a GPU is enough
    try:
        verify(folder, job.device, class_names, validation, outcome.sample)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    kept_files.write_card(folder, record.model_copy(update=circumstances()), class_names)
    # Renamed into place whole: half a model must not be taken for a kept one.
    shutil.rmtree(job.folder / kept_files.FOLDER, ignore_errors=True)
    folder.rename(job.folder / kept_files.FOLDER)


def save(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    class_names: Sequence[str],
    folder: Path,
) -> None:
    """Write a model with its class names, and its tokenizer."""
    model.save_pretrained(folder)
    write_class_names(folder, class_names)
    tokenizer.save_pretrained(folder)


def verify(
    folder: Path,
    device: str,
    class_names: Sequence[str],
    validation: tuple[Dataset, Dataset],
    sample: Sample,
) -> None:
    """Read a saved model back as `harness predict` does, and compare it with what was recorded.

    Raises:
        RuntimeError: it cannot be read, names its classes otherwise, encodes a sentence otherwise,
            or gives other logits.
    """
    try:
        classifier = inference.load(folder, device)
    except BadInput as error:
        raise RuntimeError(f"the kept model cannot be read back: {error}") from error
    named = [name for _, name in sorted((classifier.model.config.id2label or {}).items())]
    if named != list(class_names):
        raise RuntimeError(
            f"{WHAT} calls its classes {named}, recorded are {list(class_names)}, in this order"
        )
    loaded, encoded = (rows.select(sample.positions) for rows in validation)
    again = encode(DatasetDict({"kept": loaded}), classifier.tokenizer, None).splits["kept"]
    for sentence, before, after in zip(loaded["sentence"], encoded, again, strict=True):
        if before != after:
            differing = sorted(
                name for name in {*before, *after} if before.get(name) != after.get(name)
            )
            raise RuntimeError(
                f"{WHAT} has a tokenizer that encodes {one_line(sentence)[:60]!r} otherwise than "
                f"in training ({', '.join(differing)})"
            )
    proof.prove(classifier.model, classifier.tokenizer, again, _renumbered(sample), WHAT)


def _renumbered(sample: Sample) -> Sample:
    """Return a sample whose positions count its own sentences, batch after batch."""
    batches, start = [], 0
    for batch in sample.batches:
        batches.append(tuple(range(start, start + len(batch))))
        start += len(batch)
    return replace(sample, batches=tuple(batches))
