"""Checkpoints in the forms in which the well-known encoders are published load without complaint.

Each was pretrained with a head of its own, some hold masks and positions that are buffers now, and
the first of them call a norm's weight and bias gamma and beta.
"""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from builders.families import make_family
from builders.jobs import make_settings
from builders.tiny_checkpoints import ARCHITECTURES, MAX_LENGTH, make_checkpoint
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import AutoTokenizer

from harness.training.loading import load_checkpoint

Weights = dict[str, Tensor]

WIDTH = 32
SQUARE, LINE, BIAS = torch.ones(WIDTH, WIDTH), torch.ones(WIDTH), torch.ones(9)
POSITIONS = torch.arange(MAX_LENGTH)[None]
MASK = torch.tril(torch.ones(1, 1, MAX_LENGTH, MAX_LENGTH))


def prefixed(prefix: str, weights: Weights) -> Weights:
    return {prefix + name: tensor for name, tensor in weights.items()}


def bert(weights: Weights) -> Weights:
    head = {
        "cls.predictions.bias": BIAS,
        "cls.predictions.transform.dense.weight": SQUARE,
        "cls.predictions.transform.LayerNorm.gamma": LINE,
        "cls.predictions.decoder.weight": weights["embeddings.word_embeddings.weight"].clone(),
        "cls.seq_relationship.weight": torch.ones(2, WIDTH),
    }
    old = {"LayerNorm.weight": "LayerNorm.gamma", "LayerNorm.bias": "LayerNorm.beta"}
    for new, name in old.items():
        weights = {key.replace(new, name): tensor for key, tensor in weights.items()}
    return prefixed("bert.", weights) | head


def roberta(weights: Weights) -> Weights:
    without_pooler = {name: each for name, each in weights.items() if "pooler" not in name}
    return prefixed("roberta.", without_pooler) | {
        "lm_head.bias": BIAS,
        "lm_head.dense.weight": SQUARE,
        "lm_head.decoder.weight": weights["embeddings.word_embeddings.weight"].clone(),
        "roberta.embeddings.position_ids": POSITIONS,
    }


def deberta(weights: Weights) -> Weights:
    return prefixed("deberta.", weights) | {
        "lm_predictions.lm_head.dense.weight": SQUARE,
        "mask_predictions.dense.weight": SQUARE,
        # Version 3 was trained without them, and its files hold them.
        "deberta.embeddings.position_embeddings.weight": torch.ones(MAX_LENGTH, WIDTH),
    }


def electra(weights: Weights) -> Weights:
    return prefixed("electra.", weights) | {
        "discriminator_predictions.dense.weight": SQUARE,
        "electra.embeddings.position_ids": POSITIONS,
    }


def distilbert(weights: Weights) -> Weights:
    return prefixed("distilbert.", weights) | {
        "vocab_transform.weight": SQUARE,
        "vocab_layer_norm.weight": LINE,
        "vocab_projector.bias": BIAS,
    }


def gpt2(weights: Weights) -> Weights:
    masks = {f"h.{layer}.attn.bias": MASK for layer in range(2)}
    return weights | masks | {f"h.{layer}.attn.masked_bias": torch.tensor(-1e4) for layer in (0, 1)}


def gpt2_with_its_head(weights: Weights) -> Weights:
    masks = {f"transformer.h.{layer}.attn.bias": MASK.to(torch.uint8) for layer in range(2)}
    head = {"lm_head.weight": weights["wte.weight"].clone()}
    return prefixed("transformer.", weights) | masks | head


def gptj(weights: Weights) -> Weights:
    return weights | {f"h.{layer}.attn.bias": MASK for layer in range(2)}


def xlnet(weights: Weights) -> Weights:
    return prefixed("transformer.", weights) | {"lm_loss.bias": BIAS}


def modernbert(weights: Weights) -> Weights:
    return prefixed("model.", weights) | {"head.dense.weight": SQUARE, "decoder.bias": BIAS}


FORMS: list[tuple[str, Callable[[Weights], Weights]]] = [
    ("bert", bert),
    ("roberta", roberta),
    ("deberta-v2", deberta),
    ("electra", electra),
    ("distilbert", distilbert),
    ("gpt2", gpt2),
    ("gpt2", gpt2_with_its_head),
    ("gptj", gptj),
    ("xlnet", xlnet),
    ("modernbert", modernbert),
]


@pytest.mark.parametrize(("family", "form"), FORMS, ids=[form.__name__ for _, form in FORMS])
def test_a_published_form_is_loaded_whole(
    family: str, form: Callable[[Weights], Weights], tmp_path: Path
) -> None:
    make = make_checkpoint if family in ARCHITECTURES else make_family
    folder = make(family, tmp_path / family)
    saved = load_file(folder / "model.safetensors")
    published = {name: tensor.clone() for name, tensor in form(dict(saved)).items()}
    save_file(published, folder / "model.safetensors", metadata={"format": "pt"})
    settings = make_settings()
    loaded = load_checkpoint(str(folder), AutoTokenizer.from_pretrained(folder), settings)
    assert loaded.weights.warnings == ()
    encoder = loaded.model.base_model.state_dict()
    for name, tensor in saved.items():
        if name in encoder:  # a pooler that the classifier does not use is not
            assert torch.equal(encoder[name], tensor), name
    assert len(encoder.keys() & saved.keys()) >= len(saved) - 2
