"""The memory of a run's activations: what training keeps of a batch for its backward pass."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.forecast import Work

WIDTHS = ("hidden_size", "dim", "d_model", "n_embd", "emb_dim", "embed_dim", "model_dim")
DEPTHS = ("num_hidden_layers", "n_layers", "num_layers", "n_layer", "encoder_layers")
POSITIONS = ("max_position_embeddings", "n_positions", "max_sequence_length")
HEADS = ("num_attention_heads", "n_heads", "num_heads", "n_head", "encoder_attention_heads")
"""Under which names families' config.json have them."""

USUAL = 768, 12, 12
"""Width, depth and heads of BERT-base, where a config.json does not tell."""

KEPT = {4: (66, 9), 2: (34, 5)}
"""Bytes kept for each unit of the width and for each pair of tokens a head, by bytes a number."""


@dataclass(frozen=True)
class Shape:
    """A checkpoint's hidden units a token, its layers, its attention heads a layer, and the tokens
    that it has positions for; None where nothing bounds them."""

    width: int
    depth: int
    heads: int
    positions: int | None


def shape_of(folder: Path) -> Shape:
    """Read a checkpoint's shape from its config.json; what that does not tell is BERT-base's."""
    config = json.loads((folder / "config.json").read_bytes())
    parts = [config, *(part for part in config.values() if isinstance(part, dict))]

    def told(names: tuple[str, ...]) -> int | None:
        return next((n for part in parts if (n := _number(part, names)) is not None), None)

    width, depth, heads = (
        told(names) or usual for names, usual in zip((WIDTHS, DEPTHS, HEADS), USUAL, strict=True)
    )
    return Shape(width, depth, heads, told(POSITIONS))


def _number(config: Mapping[str, Any], names: tuple[str, ...]) -> int | None:
    values = (config.get(name) for name in names)
    return next((v for v in values if type(v) is int and v > 0), None)


def activations_mb(work: Work, batch_size: int | None = None) -> float:
    """Estimate a run's activations in MiB.

    A layer keeps s b h (66 + 9 a s / h) bytes for a batch of b sentences, padded to s tokens, h
    hidden units and a heads; in 16 bits s b h (34 + 5 a s / h). That is Korthikanti et al.,
    "Reducing Activation Recomputation in Large Transformer Models", 2022, equation 1, and the same
    count with 4 bytes a number and one a dropout mask. It assumes

    - a feed-forward part of 4 h and attention that keeps its scores;
    - a batch of as many sentences as there are at most, all padded to the longest of the train and
      validation splits as `Tokens.longest` estimates it, cut at `training.max_length` and at the
      model's positions. Batches are shorter; what an allocator keeps between them makes up for it;
    - evaluation, of `training.eval_batch_size` sentences, that holds the numbers of one layer only:
      9 h a token in the feed-forward part or 5 h + 2 a s in attention. The larger of both counts.

    Held against the records of results/cola (s = 52), which say what 16 sentences more a batch
    took: 81 MiB for MiniLM-L3 and 165 for MiniLM-L6, where this says 74 and 147.

    Args:
        batch_size: sentences computed at a time; by default the run's own batch.
    """
    shape, (train, validation) = shape_of(Path(work.checkpoint_folder)), work.sentences
    trained = min(work.batch_size if batch_size is None else batch_size, train)
    evaluated = min(work.training.eval_batch_size, validation)
    tokens = _longest(work, shape)
    size = 4 if work.training.precision == "fp32" else 2
    units, scores = KEPT[size]
    layer = units * shape.width + scores * shape.heads * tokens
    passing = size * max(9 * shape.width, 5 * shape.width + 2 * shape.heads * tokens)
    return tokens * max(trained * shape.depth * layer, evaluated * passing) / 2**20


def _longest(work: Work, shape: Shape) -> int:
    """Estimate the tokens that a batch is padded to at most: see `activations_mb`."""
    tokens = work.tokens.longest
    if tokens is None:  # then the mean has to do
        tokens = -(-work.tokens.train // max(1, work.sentences[0]))
    cuts = (work.training.max_length, shape.positions)
    return min([tokens, *(cut for cut in cuts if cut is not None)])
