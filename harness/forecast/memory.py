"""Predicts how much memory a run needs, and how many runs fit into memory at a time."""

import contextlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.forecast.seconds import Work
from harness.forecast.workload import size_of
from harness.store.records import Record

COPIES_OF_WEIGHTS = 5
"""A run keeps the weights, their gradients, AdamW's two moments, and the best epoch's weights."""
BYTES_A_WEIGHT = 4
BASE_MB = 500.0
"""Other memory of a run: libraries and data, or, on a GPU, the context and the allocator's reserve.
In the records of results/cola it takes 120 to 430 MiB."""
CONTROL_GROUP = Path("/sys/fs/cgroup")
USABLE = 0.8
"""Share of the free memory that planned runs may use."""

WIDTHS = ("hidden_size", "dim", "d_model", "n_embd", "emb_dim", "embed_dim", "model_dim")
DEPTHS = ("num_hidden_layers", "n_layers", "num_layers", "n_layer", "encoder_layers")
POSITIONS = ("max_position_embeddings", "n_positions", "max_sequence_length")
HEADS = ("num_attention_heads", "n_heads", "num_heads", "n_head", "encoder_attention_heads")
"""Names of these settings in the config.json of model families."""

BERT_BASE = 768, 12, 12
"""Width, depth and heads of BERT-base, used if config.json does not contain them."""

BYTES_KEPT = {4: (66, 9), 2: (34, 5)}
"""Bytes kept per hidden unit, and per pair of tokens and head, by bytes per number."""


def peak_mb(work: Work, earlier: Sequence[Record]) -> float:
    """Predict a run's peak memory on its device in MiB.

    Similar runs are those of the same checkpoint, data, maximum length and precision. If there are
    similar runs with at least this batch size, the result is their largest peak. Otherwise it is
    the larger of two estimates: BASE_MB plus the copies of the weights plus the activations; or
    the peak of similar runs with smaller batches plus the activations of the additional sentences.
    No batch has more sentences than the train split.

    With `training.on_oom = "halve"` it is the peak of a run whose batches are not split.
    """
    # On a GPU, a record contains the allocator's peak only.
    unrecorded = 0.0 if work.device == "cpu" else BASE_MB
    sentences = work.sentences[0]
    peaks = [
        (
            min(record.batch_size_used or record.batch_size, sentences),
            record.peak_memory_mb + unrecorded,
        )
        for record in earlier
        if record.peak_memory_mb is not None and _similar(record, work)
    ]
    batch_size = min(work.batch_size, sentences)
    if known := [peak for size, peak in peaks if size >= batch_size]:
        return max(known)
    weights = size_of(Path(work.checkpoint_folder)).parameters
    activations = activations_mb(work)
    expected = BASE_MB + weights * BYTES_A_WEIGHT * COPIES_OF_WEIGHTS / 2**20 + activations
    return max(
        [expected, *(peak + activations - activations_mb(work, size) for size, peak in peaks)]
    )


def _similar(record: Record, work: Work) -> bool:
    theirs, ours = record.training, work.training
    return (
        (record.checkpoint_digest, record.device) == (work.checkpoint_digest, work.device)
        and record.dataset is not None
        and record.dataset.fingerprint == work.fingerprint
        and (theirs.max_length, theirs.precision) == (ours.max_length, ours.precision)
    )


def fitting(peaks_mb: Iterable[float], free_mb: float) -> int:
    """Return how many of the largest runs fit into memory at a time; 0 if not even one fits."""
    room, fit = USABLE * free_mb, 0
    for peak in sorted(peaks_mb, reverse=True):
        room -= peak
        if room < 0:
            break
        fit += 1
    return fit


def free_mb() -> float:
    """Return this machine's free memory in MiB, at most what is left of a container's limit."""
    import psutil

    free = float(psutil.virtual_memory().available)
    with contextlib.suppress(OSError, ValueError):  # no such file, or "max": no limit
        limit = int((CONTROL_GROUP / "memory.max").read_text())
        free = min(free, limit - int((CONTROL_GROUP / "memory.current").read_text()))
    return free / 2**20


@dataclass(frozen=True)
class Shape:
    """A checkpoint's hidden units per token, layers, attention heads per layer, and number of
    positions; None if its positions are unlimited."""

    width: int
    depth: int
    heads: int
    positions: int | None


def shape_of(folder: Path) -> Shape:
    """Read a checkpoint's shape from its config.json; missing values are BERT-base's."""
    config = json.loads((folder / "config.json").read_bytes())
    parts = [config, *(part for part in config.values() if isinstance(part, dict))]

    def setting(names: tuple[str, ...]) -> int | None:
        values = (part.get(name) for part in parts for name in names)
        return next((value for value in values if type(value) is int and value > 0), None)

    width, depth, heads = (
        setting(names) or default
        for names, default in zip((WIDTHS, DEPTHS, HEADS), BERT_BASE, strict=True)
    )
    return Shape(width, depth, heads, setting(POSITIONS))


def activations_mb(work: Work, batch_size: int | None = None) -> float:
    """Estimate a run's activations in MiB.

    In 32 bits a layer keeps s b h (66 + 9 a s / h) bytes for a batch of b sentences, padded to s
    tokens, with h hidden units and a heads; in 16 bits s b h (34 + 5 a s / h). The latter is
    equation 1 of Korthikanti et al., "Reducing Activation Recomputation in Large Transformer
    Models", 2022; the former is the same count with 4 bytes per number and 1 byte per element of a
    dropout mask. Assumptions:

    - The feed-forward part has 4 h units, and attention keeps its scores.
    - A batch has its largest possible number of sentences, all padded to the longest sentence of
      the train and validation splits (estimated by `Tokens.longest`), truncated to
      `training.max_length` and to the model's positions. Real batches are shorter; the memory that
      an allocator keeps between batches makes up for it.
    - Evaluation, of `training.eval_batch_size` sentences, keeps the numbers of one layer only: per
      token 9 h in the feed-forward part or 5 h + 2 a s in attention, whichever is larger; with
      compiled layers 14 h + a s, as they lay out a whole layer at once.

    In the records of results/cola (s = 52), 16 more sentences per batch took 81 MiB for MiniLM-L3
    and 165 MiB for MiniLM-L6; this estimates 74 and 147 MiB.

    Args:
        batch_size: sentences computed at a time; by default the run's own batch.
    """
    shape, (train, validation) = shape_of(Path(work.checkpoint_folder)), work.sentences
    trained = min(work.batch_size if batch_size is None else batch_size, train)
    evaluated = min(work.training.eval_batch_size, validation)
    cuts = (work.tokens.longest, work.training.max_length, shape.positions)
    tokens = min(cut for cut in cuts if cut is not None)
    size = 4 if work.training.precision == "fp32" else 2
    units, scores = BYTES_KEPT[size]
    layer = units * shape.width + scores * shape.heads * tokens
    scores_of_token = shape.heads * tokens
    parts = [9 * shape.width, 5 * shape.width + 2 * scores_of_token]
    if work.device == "cpu" and "compiled-layers" in work.training.speedups:
        parts.append(14 * shape.width + scores_of_token)
    forward_only = size * max(parts)
    return tokens * max(trained * shape.depth * layer, evaluated * forward_only) / 2**20
