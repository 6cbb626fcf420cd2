"""A tiny checkpoint of every architecture with a sequence classification class in transformers.

`tiny_checkpoints` defines ten families by hand, as they are published. All others follow one rule:
the family's default configuration with small values for every size in `_SMALL`, and a tokenizer
with the special tokens of RoBERTa. Exceptions from the rule are in `SETTINGS`.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForSequenceClassification,
    CanineTokenizer,
    LayoutLMv3Tokenizer,
    LukeTokenizer,
    MarkupLMTokenizer,
    PerceiverTokenizer,
    PreTrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    RoCBertTokenizer,
    TapasTokenizer,
)
from transformers.models.auto.modeling_auto import (
    MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES as CLASSES,
)

from builders import tiny_checkpoints
from builders.tiny_checkpoints import MAX_LENGTH

FAMILIES: tuple[str, ...] = tuple(sorted(CLASSES))
"""The `model_type` of every architecture with a sequence classification class."""

LAYERS, HEADS, WIDTH = 2, 2, 32


def _named(names: str, size: float) -> dict[str, Any]:
    return dict.fromkeys(names.split(), size)


# The small value of a setting, by its name. None and booleans keep the family's default.
_SMALL = {
    **_named(
        "depth decoder_layers encoder_layers n_layer n_layers num_decoder_layers num_hidden_layers "
        "num_layers num_self_attends_per_block",
        LAYERS,
    ),
    **_named(
        "decoder_attention_heads encoder_attention_heads index_n_heads linear_num_key_heads "
        "linear_num_value_heads n_head n_heads n_mamba_heads num_attention_heads "
        "num_cross_attention_heads num_heads num_key_value_heads num_kv_heads num_query_groups "
        "num_self_attention_heads",
        HEADS,
    ),
    **_named(
        "attention_head_dim attention_head_size d_head d_kv head_dim index_head_dim kv_channels "
        "linear_key_head_dim linear_value_head_dim qk_nope_head_dim qk_rope_head_dim "
        "query_pre_attn_scalar v_head_dim",
        WIDTH // HEADS,
    ),
    **_named(
        "cross_attention_hidden_size d_latents d_model dim emb_dim embedding_size hidden_size "
        "input_embedding_size n_embd out_hidden_size output_embedding_size pooler_hidden_size "
        "prediction_head_size word_embed_proj_dim",
        WIDTH,
    ),
    **_named(
        "d_ff d_inner decoder_ffn_dim dff encoder_ffn_dim feed_forward_size ffn_dim "
        "ffn_hidden_size hidden_dim intermediate_size moe_intermediate_size "
        "shared_expert_intermediate_size",
        2 * WIDTH,
    ),
    **_named("adapter_rank gated_norm_rank kv_lora_rank mamba_dt_rank q_lora_rank", 8),
    **_named("n_routed_experts num_experts num_local_experts", 4),
    **_named("moe_topk num_experts_per_tok", 2),
    **_named("n_group topk_group", 1),
    **_named("max_position_embeddings max_seq_len n_positions", MAX_LENGTH + 2),
    **_named("image_size input_size num_position_embeddings", 64),
    # About 1 / sqrt(width): with the usual 0.02 the logits of all sentences would be nearly equal.
    **_named("embed_init_std init_std initializer_range initializer_std", 0.2),
}

_ROTATION = {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": [4, 2, 2]}

# Exceptions from the rule, by family: shapes that must fit each other, and lists of layers.
SETTINGS: dict[str, dict[str, Any]] = {
    **{family: settings for family, (_, settings) in tiny_checkpoints.RECIPES.items()},
    "canine": {"num_hash_buckets": 64},
    "cohere_compass_text": {
        "rope_parameters": {"full_attention": _ROTATION, "sliding_attention": _ROTATION}
    },
    "deepseek_v2": {"num_experts_per_tok": 2},
    "funnel": {"block_sizes": [2, 2], "architectures": ["FunnelBaseModel"]},
    "gpt_neo": {"attention_types": [[["global", "local"], 1]]},
    "gptj": {"rotary_dim": 8},
    "hunyuan_v1_dense": {"head_dim": 16},
    "hunyuan_v1_moe": {"head_dim": 16},
    "jamba": {"attn_layer_period": 2, "attn_layer_offset": 1},
    "layoutlm": {"max_2d_position_embeddings": 64},
    "layoutlmv3": {"coordinate_size": 6, "shape_size": 4, "max_2d_position_embeddings": 64},
    "lilt": {"hidden_size": 48, "max_2d_position_embeddings": 64},
    "longformer": {"attention_window": 16},
    "luke": {"entity_vocab_size": 8, "entity_emb_size": 16},
    "markuplm": {
        "max_depth": 4,
        "max_xpath_tag_unit_embeddings": 8,
        "max_xpath_subs_unit_embeddings": 16,
        "tag_pad_id": 7,
        "subs_pad_id": 15,
        "xpath_unit_hidden_size": 4,
    },
    "ministral": {"head_dim": 16},
    "mistral4": {"head_dim": 32},
    "nemotron": {"num_key_value_heads": 2},
    "reformer": {
        "axial_pos_shape": [8, 8],
        "axial_pos_embds_dim": [8, 24],
        "local_attn_chunk_length": 4,
        "lsh_attn_chunk_length": 4,
        "max_position_embeddings": 64,
    },
    "roc_bert": {
        "shape_vocab_size": 8,
        "shape_embed_dim": 8,
        "pronunciation_vocab_size": 8,
        "pronunciation_embed_dim": 8,
    },
    "t5": {"decoder_start_token_id": 1},
    "zamba": {"num_hidden_layers": 4, "layers_block_type": ["linear_attention", "hybrid"] * 2},
}


def make_family(family: str, folder: Path, seed: int = 0) -> Path:
    """Write a base model and a tokenizer of one of `FAMILIES` into `folder`.

    The embedding of the pad token is random like any other, so that a family whose logits depend
    on it shows this. The same seed gives the same weights.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = _tokenizer(family, folder)
    tokenizer.model_max_length = MAX_LENGTH
    config = tiny_config(family, tokenizer)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = _model(family, config)
        _fill_pad_row(model, tokenizer.pad_token_id)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def tiny_config(family: str, tokenizer: PreTrainedTokenizerBase) -> PreTrainedConfig:
    """Return a family's default configuration made tiny, for the tokens of a tokenizer."""
    usual: dict[str, Any] = AutoConfig.for_model(family).to_dict()
    tokens = {
        "vocab_size": len(tokenizer),
        "pad_token_id": tokenizer.pad_token_id,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
    }
    changes = _shrunk(usual, tokens) | tokens | SETTINGS.get(family, {})
    return AutoConfig.for_model(family, **changes)


def _shrunk(usual: Mapping[str, Any], tokens: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings to change; nested configurations are returned completely."""
    layers = next((usual[key] for key in _SMALL if _SMALL[key] == LAYERS and usual.get(key)), 0)
    changes: dict[str, Any] = {}
    for key, value in usual.items():
        if key in _SMALL and type(value) in (int, float):
            changes[key] = _SMALL[key]
        elif isinstance(value, dict) and "model_type" in value:
            changes[key] = {**value, **_shrunk(value, tokens)}
            if "vocab_size" in value:
                changes[key] |= tokens
        elif isinstance(value, list) and layers and len(value) == layers:
            changes[key] = _first_of_each_kind(value)
    return changes


def _first_of_each_kind(of_layers: Sequence[Any]) -> list[Any]:
    kinds = list(dict.fromkeys(of_layers))
    return (kinds * LAYERS)[:LAYERS]


def _tokenizer(family: str, folder: Path) -> PreTrainedTokenizerBase:
    if family in tiny_checkpoints.RECIPES:
        return tiny_checkpoints.RECIPES[family][0]()
    if family in _OTHER_TOKENIZERS:
        return _OTHER_TOKENIZERS[family](folder)
    return tiny_checkpoints.roberta_tokenizer()


def _model(family: str, config: PreTrainedConfig) -> PreTrainedModel:
    """Build the base model, as in pretrained checkpoints; for `_WHOLE`, the classifier."""
    kind: Any = AutoModelForSequenceClassification if family in _WHOLE else AutoModel
    model: PreTrainedModel = kind.from_config(config)
    return model


def _fill_pad_row(model: PreTrainedModel, pad: int | None) -> None:
    try:
        rows = model.get_input_embeddings().weight
    except (
        AttributeError,
        NotImplementedError,
    ):  # reads characters or bytes
        return
    assert isinstance(rows, torch.Tensor)
    if pad is not None and pad < len(rows):
        with torch.no_grad():
            rows[pad] = torch.randn(rows.shape[1]) * rows.std()


def _canine(folder: Path) -> PreTrainedTokenizerBase:
    return CanineTokenizer()  # type: ignore[no-untyped-call]


def _perceiver(folder: Path) -> PreTrainedTokenizerBase:
    return PerceiverTokenizer()


def _layoutlmv3(folder: Path) -> PreTrainedTokenizerBase:
    vocabulary, merges = _as_roberta()
    return LayoutLMv3Tokenizer(vocab=vocabulary, merges=merges)


def _luke(folder: Path) -> PreTrainedTokenizerBase:
    vocabulary, merges = _as_roberta()
    entities = ("[MASK]", "[UNK]", "[PAD]", "[MASK2]")
    return LukeTokenizer(
        vocab=vocabulary,
        merges=merges,
        entity_vocab={entity: index for index, entity in enumerate(entities)},
    )


def _markuplm(folder: Path) -> PreTrainedTokenizerBase:
    vocabulary, merges = _as_roberta()
    return MarkupLMTokenizer(
        tags_dict={"p": 0, "div": 1},
        vocab=vocabulary,
        merges=merges,
        max_depth=SETTINGS["markuplm"]["max_depth"],
        max_width=14,
        pad_width=15,
    )


def _roc_bert(folder: Path) -> PreTrainedTokenizerBase:
    """A tokenizer whose shape and pronunciation of a token are the token's index modulo 8."""
    vocabulary = tiny_checkpoints.wordpiece(tiny_checkpoints.BERT_TOKENS)
    (folder / "vocab.txt").write_text("\n".join(vocabulary), encoding="utf-8")
    files = [folder / "word_shape.json", folder / "word_pronunciation.json"]
    for file in files:
        file.write_text(json.dumps({token: n % 8 for token, n in vocabulary.items()}))
    made: PreTrainedTokenizerBase = RoCBertTokenizer(  # type: ignore[no-untyped-call]
        str(folder / "vocab.txt"), *map(str, files)
    )
    return made


def _tapas(folder: Path) -> PreTrainedTokenizerBase:
    file = folder / "vocab.txt"
    file.write_text(
        "\n".join(tiny_checkpoints.wordpiece((*tiny_checkpoints.BERT_TOKENS, "[EMPTY]"))),
        encoding="utf-8",
    )
    return TapasTokenizer(str(file))


def _as_roberta() -> tuple[dict[str, int], Any]:
    return tiny_checkpoints.byte_level(("<s>", "<pad>", "</s>", "<unk>"), ("<mask>",))


# Perceiver's base model lacks the embeddings and the decoder that pretrained checkpoints have.
_WHOLE = ("perceiver",)

# Families whose tokenizers read characters or bytes, or need more than text. All others, except the
# ten in `tiny_checkpoints`, get RoBERTa's tokenizer.
_OTHER_TOKENIZERS: dict[str, Callable[[Path], PreTrainedTokenizerBase]] = {
    "canine": _canine,
    "layoutlmv3": _layoutlmv3,
    "luke": _luke,
    "markuplm": _markuplm,
    "perceiver": _perceiver,
    "roc_bert": _roc_bert,
    "tapas": _tapas,
}
