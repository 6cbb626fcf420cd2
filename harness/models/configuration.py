"""A checkpoint's configuration: what model it is, and none of the code that it asks for."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from transformers import AutoConfig, PreTrainedConfig

from harness.errors import BadInput

WITHOUT_EFFECT: dict[str, object] = {
    "output_attentions": False,
    "output_hidden_states": False,
    "output_router_logits": False,
    "return_dict": True,
    "torchscript": False,
    "chunk_size_feed_forward": 0,
}
"""Settings that change what a forward pass returns beside its logits, or how it is computed, but
not the logits; each with the value that Trainer, saving and `harness predict` can work with."""

CAUSAL_ANYWAY = ("gpt_neox",)
"""Families that know `is_decoder` and read from left to right whatever it says."""


def read_configuration(folder: str, **changes: Any) -> PreTrainedConfig:
    """Read a checkpoint's config.json, with some of its fields changed.

    Which attention computes the model is left to transformers. A configuration can name one of the
    hub's, whose compiled code transformers would fetch and run. Settings `WITHOUT_EFFECT` on the
    logits have their plain values.

    Raises:
        ValueError: not a model that this version of transformers knows.
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


def refuse_decoder(configuration: PreTrainedConfig) -> None:
    """Refuse an encoder whose configuration makes a decoder of it.

    Its classification head reads the first token, which would see no other.

    Raises:
        BadInput: `is_decoder` or `add_cross_attention` is true.
    """
    known = {field.name for field in fields(configuration)}
    if configuration.is_encoder_decoder or configuration.model_type in CAUSAL_ANYWAY:
        return
    wrong = [
        name
        for name in ("is_decoder", "add_cross_attention")
        if name in known and getattr(configuration, name)
    ]
    if wrong:
        raise BadInput(
            [
                f"config.json of the checkpoint has {' and '.join(wrong)} true, so an encoder "
                "would read as a decoder, and the first token, which its head reads, would see no "
                "other; set false if the weights are an encoder's, or choose another checkpoint"
            ]
        )


def write_class_names(folder: Path, class_names: Sequence[str]) -> None:
    """Write the names of a saved model's classes into its config.json, whatever they are.

    transformers leaves names out that are the default, LABEL_0 and LABEL_1, and with them the
    number of classes, which some families (BART) then take for another.
    """
    path = folder / "config.json"
    configuration = json.loads(path.read_bytes())
    configuration |= {
        "num_labels": len(class_names),
        "id2label": {str(label): name for label, name in enumerate(class_names)},
        "label2id": {name: label for label, name in enumerate(class_names)},
    }
    text = json.dumps(configuration, indent=2, sort_keys=True) + "\n"
    path.write_text(text, encoding="utf-8")


def _parts(configuration: PreTrainedConfig) -> Iterator[PreTrainedConfig]:
    """Yield a configuration and those inside it, as of a text model that also sees pictures."""
    yield configuration
    for name in configuration.sub_configs:
        part = getattr(configuration, name, None)
        if isinstance(part, PreTrainedConfig):
            yield from _parts(part)
