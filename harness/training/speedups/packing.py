"""Layers that skip padding, and a last layer that computes only the tokens that the head reads.

The plain reference is the model's own encoder: it computes every projection for padding too, and
the last layer for tokens that a first-token head never reads. Here a batch's real tokens are
concatenated for all projections and norms; only attention, which costs little at these lengths,
uses sentences padded to the batch's longest.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - torch's own name for it
from transformers.modeling_outputs import BaseModelOutputWithPastAndCrossAttentions

from harness.training.speedups.layers import Encoder, Layer

Dropout = Callable[[Tensor, float, bool], Tensor]
"""Maps hidden states, probability and whether the model trains to hidden states."""


@dataclass(frozen=True)
class Packing:
    """The positions of the real tokens in a padded batch.

    Attributes:
        sentences, length: size of the padded batch.
        rows: (tokens,) positions in the flattened batch of the real tokens, which are computed;
            None to compute all, including padding.
        starts: (sentences,) positions of each sentence's first token among the computed tokens.
        bias: added to attention scores, broadcastable to (sentences, heads, length, length); None
            for no bias.
    """

    sentences: int
    length: int
    rows: Tensor | None
    starts: Tensor
    bias: Tensor | None


def rewrite_forward(
    encoder: Encoder, pack: bool, first_token_only: bool, dropout: Dropout = F.dropout
) -> None:
    """Replace the forward of a model's encoder, in place.

    Args:
        pack: whether projections and norms process only the real tokens.
        first_token_only: whether the last layer computes only the first token; the encoder then
            returns (sentences, 1, width) instead of (sentences, length, width).
        dropout: the function for every dropout inside the layers.
    """

    def forward(hidden_states: Tensor, attention_mask: Tensor | None = None, **_: Any) -> Any:
        packing = _packing(encoder, hidden_states, attention_mask, pack)
        hidden = hidden_states.flatten(0, 1)
        if packing.rows is not None:
            hidden = hidden.index_select(0, packing.rows)
        training = encoder.module.training
        *inner, last = encoder.layers
        for layer in inner:
            hidden = _layer(layer, hidden, packing, dropout, training)
        if first_token_only:
            hidden = _first_token_layer(last, hidden, packing, dropout, training)[:, None]
        else:
            hidden = _layer(last, hidden, packing, dropout, training)
            hidden = _pad(hidden, packing).view(hidden_states.shape)
        return BaseModelOutputWithPastAndCrossAttentions(last_hidden_state=hidden)

    encoder.module.forward = forward


def _packing(
    encoder: Encoder, hidden_states: Tensor, attention_mask: Tensor | None, pack: bool
) -> Packing:
    sentences, length, _ = hidden_states.shape
    bias = None if encoder.position_bias is None else encoder.position_bias(hidden_states)
    starts = torch.arange(sentences, device=hidden_states.device) * length
    if attention_mask is None:
        return Packing(sentences, length, None, starts, bias)
    # Every query row of an encoder's mask is the same: it marks the real keys.
    keys = attention_mask[:, :1, -1:, :]
    real = keys if keys.dtype == torch.bool else keys == 0
    if bias is None:
        bias = hidden_states.new_zeros(sentences, 1, 1, length)
    bias = bias.masked_fill(~real, torch.finfo(bias.dtype).min)
    if not pack:
        return Packing(sentences, length, None, starts, bias)
    lengths = real.sum(dim=-1).flatten()
    rows = real.flatten().nonzero().squeeze(1)
    return Packing(sentences, length, rows, lengths.cumsum(0) - lengths, bias)


def _pad(hidden: Tensor, packing: Packing) -> Tensor:
    """Unpack rows (tokens, width) to (sentences * length, width), with zeros for padding."""
    if packing.rows is None:
        return hidden
    padded = hidden.new_zeros(packing.sentences * packing.length, hidden.shape[1])
    return padded.index_copy(0, packing.rows, hidden)


def _layer(
    layer: Layer, hidden: Tensor, packing: Packing, dropout: Dropout, training: bool
) -> Tensor:
    query = _heads(layer, layer.query(hidden), packing)
    key = _heads(layer, layer.key(hidden), packing)
    value = _heads(layer, layer.value(hidden), packing)
    attended = _attend(layer, query, key, value, packing.bias, dropout, training)
    if packing.rows is not None:
        attended = attended.index_select(0, packing.rows)
    return _after_attention(layer, attended, hidden, dropout, training)


def _first_token_layer(
    layer: Layer, hidden: Tensor, packing: Packing, dropout: Dropout, training: bool
) -> Tensor:
    """Return the layer's output for each sentence's first token, (sentences, width)."""
    first = hidden.index_select(0, packing.starts)
    query = layer.query(first).view(packing.sentences, 1, layer.heads, -1).transpose(1, 2)
    key = _heads(layer, layer.key(hidden), packing)
    value = _heads(layer, layer.value(hidden), packing)
    bias = None if packing.bias is None else packing.bias[:, :, :1]
    attended = _attend(layer, query, key, value, bias, dropout, training)
    return _after_attention(layer, attended, first, dropout, training)


def _heads(layer: Layer, projected: Tensor, packing: Packing) -> Tensor:
    """Unpack rows (tokens, width) to (sentences, heads, length, width of a head)."""
    padded = _pad(projected, packing)
    return padded.view(packing.sentences, packing.length, layer.heads, -1).transpose(1, 2)


def _attend(
    layer: Layer,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    bias: Tensor | None,
    dropout: Dropout,
    training: bool,
) -> Tensor:
    """Return the attention output, (sentences * queries, width).

    Not torch's fused attention: its kernel has no dropout on a CPU, and its fallback searches for
    rows without any key, which do not occur here.
    """
    scores = torch.matmul(query * query.shape[-1] ** -0.5, key.transpose(2, 3))
    if bias is not None:
        scores = scores + bias
    weights = dropout(scores.softmax(dim=-1), layer.attention_dropout, training)
    attended = torch.matmul(weights, value).transpose(1, 2)
    return attended.reshape(attended.shape[0] * attended.shape[1], -1)


def _after_attention(
    layer: Layer, attended: Tensor, hidden: Tensor, dropout: Dropout, training: bool
) -> Tensor:
    projected = dropout(layer.projection(attended), layer.projection_dropout, training)
    hidden = layer.attention_norm(projected + hidden)
    inner = layer.down(layer.activation(layer.up(hidden)))
    inner = dropout(inner, layer.feed_forward_dropout, training)
    output: Tensor = layer.output_norm(inner + hidden)
    return output
