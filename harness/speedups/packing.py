"""Layers over tokens without padding, and a last layer over the tokens that the head reads.

The plain twin is the model's own encoder: it computes every projection for padding too, and the
last layer for tokens that a first-token head never looks at. Here a batch's real tokens lie one
after the other in one row for all projections and norms; only attention, which costs little at
these lengths, sees sentences padded to the batch's longest.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - torch's own name for it
from transformers.modeling_outputs import BaseModelOutputWithPastAndCrossAttentions

from harness.speedups.layers import Encoder, Layer


@dataclass(frozen=True)
class Packing:
    """Where the real tokens of a padded batch lie.

    Attributes:
        sentences, length: of the padded batch.
        rows: (tokens,) positions of the real tokens in the flattened batch; None if all are.
        starts: (sentences,) positions of each sentence's first token among the real ones.
        mask: what is added to, or allowed in, attention scores, broadcastable to (sentences,
            heads, length, length); None where every token attends to every token.
    """

    sentences: int
    length: int
    rows: Tensor | None
    starts: Tensor
    mask: Tensor | None


def rewrite_forward(encoder: Encoder, pack: bool, first_token_only: bool) -> None:
    """Replace the forward of a model's encoder, in place.

    Args:
        pack: whether projections and norms see the real tokens only.
        first_token_only: whether the last layer computes the first token only; the encoder then
            returns (sentences, 1, width) instead of (sentences, length, width).
    """

    def forward(hidden_states: Tensor, attention_mask: Tensor | None = None, **_: Any) -> Any:
        packing = _packing(encoder, hidden_states, attention_mask, pack)
        width = hidden_states.shape[-1]
        hidden = hidden_states.reshape(-1, width)
        if packing.rows is not None:
            hidden = hidden.index_select(0, packing.rows)
        training = encoder.module.training
        *inner, last = encoder.layers
        for layer in inner:
            hidden = _layer(layer, hidden, packing, training)
        if first_token_only:
            hidden = _first_token_layer(last, hidden, packing, training)
            return BaseModelOutputWithPastAndCrossAttentions(last_hidden_state=hidden[:, None])
        hidden = _layer(last, hidden, packing, training)
        return BaseModelOutputWithPastAndCrossAttentions(
            last_hidden_state=_pad(hidden, packing).view(hidden_states.shape)
        )

    encoder.module.forward = forward


def _packing(
    encoder: Encoder, hidden_states: Tensor, attention_mask: Tensor | None, pack: bool
) -> Packing:
    sentences, length, _ = hidden_states.shape
    bias = None if encoder.position_bias is None else encoder.position_bias(hidden_states)
    starts = torch.arange(sentences, device=hidden_states.device) * length
    if attention_mask is None:
        return Packing(sentences, length, None, starts, bias)
    # Every query row of an encoder's mask is the same: which keys are real.
    keys = attention_mask[:, :1, -1:, :]
    real = keys if keys.dtype == torch.bool else keys == 0
    mask = real
    if bias is not None:
        mask = bias.masked_fill(~real, torch.finfo(bias.dtype).min)
    if not pack:
        return Packing(sentences, length, None, starts, mask)
    lengths = real.sum(dim=-1).flatten()
    rows = real.flatten().nonzero().squeeze(1)
    return Packing(sentences, length, rows, lengths.cumsum(0) - lengths, mask)


def _pad(hidden: Tensor, packing: Packing) -> Tensor:
    """Put packed rows (tokens, width) back to (sentences * length, width), zeros elsewhere."""
    if packing.rows is None:
        return hidden
    padded = hidden.new_zeros(packing.sentences * packing.length, hidden.shape[1])
    return padded.index_copy(0, packing.rows, hidden)


def _layer(layer: Layer, hidden: Tensor, packing: Packing, training: bool) -> Tensor:
    weight = torch.cat([layer.query.weight, layer.key.weight, layer.value.weight])
    offset = torch.cat([layer.query.bias, layer.key.bias, layer.value.bias])
    projected = _pad(F.linear(hidden, weight, offset), packing)
    query, key, value = projected.view(
        packing.sentences, packing.length, 3, layer.heads, -1
    ).permute(2, 0, 3, 1, 4)
    attended = F.scaled_dot_product_attention(
        query,
        key,
        value,
        attn_mask=packing.mask,
        dropout_p=layer.attention_dropout if training else 0.0,
    )
    attended = attended.transpose(1, 2).reshape(packing.sentences * packing.length, -1)
    if packing.rows is not None:
        attended = attended.index_select(0, packing.rows)
    return _after_attention(layer, attended, hidden, training)


def _first_token_layer(layer: Layer, hidden: Tensor, packing: Packing, training: bool) -> Tensor:
    """Return the layer's output for each sentence's first token, (sentences, width)."""
    first = hidden.index_select(0, packing.starts)
    query = layer.query(first).view(packing.sentences, 1, layer.heads, -1).transpose(1, 2)
    weight = torch.cat([layer.key.weight, layer.value.weight])
    offset = torch.cat([layer.key.bias, layer.value.bias])
    projected = _pad(F.linear(hidden, weight, offset), packing)
    key, value = projected.view(packing.sentences, packing.length, 2, layer.heads, -1).permute(
        2, 0, 3, 1, 4
    )
    mask = packing.mask
    if mask is not None and mask.shape[2] > 1:
        mask = mask[:, :, :1]
    attended = F.scaled_dot_product_attention(
        query,
        key,
        value,
        attn_mask=mask,
        dropout_p=layer.attention_dropout if training else 0.0,
    )
    attended = attended.reshape(packing.sentences, -1)
    return _after_attention(layer, attended, first, training)


def _after_attention(layer: Layer, attended: Tensor, hidden: Tensor, training: bool) -> Tensor:
    projected = F.dropout(layer.projection(attended), layer.projection_dropout, training)
    hidden = layer.attention_norm(projected + hidden)
    inner = layer.down(layer.activation(layer.up(hidden)))
    inner = F.dropout(inner, layer.feed_forward_dropout, training)
    output: Tensor = layer.output_norm(inner + hidden)
    return output
