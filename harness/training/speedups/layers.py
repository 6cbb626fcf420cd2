"""The transformer layers of the supported encoder families, under common names."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn


@dataclass(frozen=True)
class Layer:
    """One post-norm transformer layer: the model's own modules under common names.

    `attention_dropout` is applied to the attention weights, `projection_dropout` to the output
    projection, `feed_forward_dropout` to the second feed-forward projection.
    """

    heads: int
    query: nn.Linear
    key: nn.Linear
    value: nn.Linear
    projection: nn.Linear
    attention_norm: nn.LayerNorm
    up: nn.Linear
    activation: Callable[[Tensor], Tensor]
    down: nn.Linear
    output_norm: nn.LayerNorm
    attention_dropout: float
    projection_dropout: float
    feed_forward_dropout: float


@dataclass(frozen=True)
class Encoder:
    """The stack of layers inside a model.

    Attributes:
        module: the model's module whose forward runs the layers one after the other.
        layers: its layers in order.
        position_bias: maps hidden states (sentences, length, width) to an additive bias of
            attention scores (sentences, heads, length, length); None if the family has none.
    """

    module: nn.Module
    layers: Sequence[Layer]
    position_bias: Callable[[Tensor], Tensor] | None


def find_encoder(model: Any) -> Encoder | None:
    """Return the encoder of a sequence classifier whose head reads only the first token.

    Returns None, so that speed-ups stay inactive, for families that are not supported and for
    settings that rewritten layers would ignore.
    """
    match model.config.model_type:
        case "bert" | "roberta" | "xlm-roberta" | "camembert" | "electra" if _plain(model.config):
            encoder = model.base_model.encoder
            return Encoder(encoder, [_bert_layer(layer) for layer in encoder.layer], None)
        case "distilbert" if _plain(model.config):
            encoder = model.base_model.transformer
            return Encoder(encoder, [_distilbert_layer(layer) for layer in encoder.layer], None)
        case "mpnet" if _plain(model.config):
            encoder = model.base_model.encoder
            layers = [_mpnet_layer(layer) for layer in encoder.layer]
            return Encoder(encoder, layers, encoder.compute_position_bias)
        case _:
            return None


def _plain(config: Any) -> bool:
    """Return whether a configuration requests only an encoder's last hidden states."""
    return (
        config.num_hidden_layers > 0
        and config._attn_implementation in ("eager", "sdpa")  # others have other masks
        and not getattr(config, "chunk_size_feed_forward", 0)
        and not config.output_hidden_states
        and not config.output_attentions
        and not getattr(config, "is_decoder", False)
        and not getattr(config, "add_cross_attention", False)
    )


def _bert_layer(layer: Any) -> Layer:
    attention = layer.attention.self
    return Layer(
        heads=attention.num_attention_heads,
        query=attention.query,
        key=attention.key,
        value=attention.value,
        projection=layer.attention.output.dense,
        attention_norm=layer.attention.output.LayerNorm,
        up=layer.intermediate.dense,
        activation=layer.intermediate.intermediate_act_fn,
        down=layer.output.dense,
        output_norm=layer.output.LayerNorm,
        attention_dropout=attention.dropout.p,
        projection_dropout=layer.attention.output.dropout.p,
        feed_forward_dropout=layer.output.dropout.p,
    )


def _distilbert_layer(layer: Any) -> Layer:
    attention = layer.attention
    return Layer(
        heads=attention.n_heads,
        query=attention.q_lin,
        key=attention.k_lin,
        value=attention.v_lin,
        projection=attention.out_lin,
        attention_norm=layer.sa_layer_norm,
        up=layer.ffn.lin1,
        activation=layer.ffn.activation,
        down=layer.ffn.lin2,
        output_norm=layer.output_layer_norm,
        attention_dropout=attention.dropout.p,
        projection_dropout=0.0,
        feed_forward_dropout=layer.ffn.dropout.p,
    )


def _mpnet_layer(layer: Any) -> Layer:
    attention = layer.attention.attn
    return Layer(
        heads=attention.num_attention_heads,
        query=attention.q,
        key=attention.k,
        value=attention.v,
        projection=attention.o,
        attention_norm=layer.attention.LayerNorm,
        up=layer.intermediate.dense,
        activation=layer.intermediate.intermediate_act_fn,
        down=layer.output.dense,
        output_norm=layer.output.LayerNorm,
        attention_dropout=attention.dropout.p,
        projection_dropout=layer.attention.dropout.p,
        feed_forward_dropout=layer.output.dropout.p,
    )
