"""Estimates the memory of a run's activations, which training keeps for the backward pass."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.forecast.seconds import Work

WIDTHS = ("hidden_size", "dim", "d_model", "n_embd", "emb_dim", "embed_dim", "model_dim")
DEPTHS = ("num_hidden_layers", "n_layers", "num_layers", "n_layer", "encoder_layers")
POSITIONS = ("max_position_embeddings", "n_positions", "max_sequence_length")
HEADS = ("num_attention_heads", "n_heads", "num_heads", "n_head", "encoder_attention_heads")
"""Names of these settings in the config.json of model families."""

BERT_BASE = 768, 12, 12
"""Width, depth and heads of BERT-base, used if config.json does not contain them."""

BYTES_KEPT = {4: (66, 9), 2: (34, 5)}
"""Bytes kept per hidden unit, and per pair of tokens and head, by bytes per number."""


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
        return next((n for part in parts if (n := _number(part, names)) is not None), None)

    width, depth, heads = (
        setting(names) or default
        for names, default in zip((WIDTHS, DEPTHS, HEADS), BERT_BASE, strict=True)
    )
    return Shape(width, depth, heads, setting(POSITIONS))


def _number(config: Mapping[str, Any], names: tuple[str, ...]) -> int | None:
    values = (config.get(name) for name in names)
    return next((v for v in values if type(v) is int and v > 0), None)


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
      token 9 h in the feed-forward part or 5 h + 2 a s in attention, whichever is larger.

    In the records of results/cola (s = 52), 16 more sentences per batch took 81 MiB for MiniLM-L3
    and 165 MiB for MiniLM-L6; this estimates 74 and 147 MiB.

    Args:
        batch_size: sentences computed at a time; by default the run's own batch.
    """
    shape, (train, validation) = shape_of(Path(work.checkpoint_folder)), work.sentences
    trained = min(work.batch_size if batch_size is None else batch_size, train)
    evaluated = min(work.training.eval_batch_size, validation)
    tokens = _longest(work, shape)
    size = 4 if work.training.precision == "fp32" else 2
    units, scores = BYTES_KEPT[size]
    layer = units * shape.width + scores * shape.heads * tokens
    forward_only = size * max(9 * shape.width, 5 * shape.width + 2 * shape.heads * tokens)
    return tokens * max(trained * shape.depth * layer, evaluated * forward_only) / 2**20


def _longest(work: Work, shape: Shape) -> int:
    """Estimate the largest number of tokens that a batch is padded to: see `activations_mb`."""
    tokens = work.tokens.longest
    if tokens is None:  # use the mean instead
        tokens = -(-work.tokens.train // max(1, work.sentences[0]))
    cuts = (work.training.max_length, shape.positions)
    return min([tokens, *(cut for cut in cuts if cut is not None)])
