"""Reads a checkpoint's configuration and tokenizer, without the code that it may request."""

from collections.abc import Iterator
from dataclasses import fields
from typing import Any

from transformers import AutoConfig, AutoTokenizer, PreTrainedConfig, PreTrainedTokenizerBase

from harness.errors import BadInput

WITHOUT_EFFECT: dict[str, object] = {
    "output_attentions": False,
    "output_hidden_states": False,
    "output_router_logits": False,
    "return_dict": True,
    "torchscript": False,
    "chunk_size_feed_forward": 0,
}
"""Settings that change how a forward pass is computed or what it returns beside its logits, but
not the logits; each with the value that works with Trainer, saving and `harness predict`."""

ALWAYS_CAUSAL = ("gpt_neox",)
"""Families that have `is_decoder` but read from left to right whatever its value."""


def read_configuration(folder: str, **changes: Any) -> PreTrainedConfig:
    """Read a checkpoint's config.json, with some of its fields changed.

    transformers chooses the attention implementation: a configuration could name one on the hub,
    whose compiled code transformers would download and run. The settings in `WITHOUT_EFFECT` get
    the values listed there.

    Raises:
        ValueError: this version of transformers does not support the model.
    """
    configuration: PreTrainedConfig = AutoConfig.from_pretrained(
        folder, trust_remote_code=False, local_files_only=True, **changes
    )
    configuration._attn_implementation = None
    for part in _parts(configuration):
        for name, plain in WITHOUT_EFFECT.items():
            if getattr(part, name, plain) != plain:
                setattr(part, name, plain)
    return configuration


def read_tokenizer(folder: str) -> PreTrainedTokenizerBase:
    """Read a checkpoint's tokenizer."""
    tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(
        folder, trust_remote_code=False, local_files_only=True
    )
    return tokenizer


def refuse_decoder(configuration: PreTrainedConfig) -> None:
    """Refuse an encoder whose configuration turns it into a decoder.

    Its classification head reads the first token, which would attend to no other token.

    Raises:
        BadInput: `is_decoder` or `add_cross_attention` is true.
    """
    if configuration.is_encoder_decoder or configuration.model_type in ALWAYS_CAUSAL:
        return
    known = {field.name for field in fields(configuration)}
    turning = [name for name in ("is_decoder", "add_cross_attention") if name in known]
    if wrong := [name for name in turning if getattr(configuration, name)]:
        raise BadInput(
            [
                f"config.json of the checkpoint sets {' and '.join(wrong)} to true, which turns an "
                "encoder into a decoder: the first token, which the head reads, would attend to no "
                "other token; set false if the weights are an encoder's, or choose another "
                "checkpoint"
            ]
        )


def _parts(configuration: PreTrainedConfig) -> Iterator[PreTrainedConfig]:
    """Yield a configuration and those nested in it, as in a model for text and images."""
    yield configuration
    for name in configuration.sub_configs:
        part = getattr(configuration, name, None)
        if isinstance(part, PreTrainedConfig):
            yield from _parts(part)
