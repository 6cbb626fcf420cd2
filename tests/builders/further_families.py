"""Tiny checkpoints of further families with special properties; see also `tiny_checkpoints`."""

from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoModel, AutoTokenizer, CanineTokenizer

from builders.tiny_checkpoints import MAX_LENGTH, make_checkpoint

_SIZES = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "max_position_embeddings": MAX_LENGTH,
}
_SHIFTED = _SIZES | {"max_position_embeddings": MAX_LENGTH + 2, "type_vocab_size": 1}
_DECODER = _SIZES | {"num_key_value_heads": 2, "head_dim": 16}
_SEQ2SEQ = {
    "d_model": 32,
    "encoder_layers": 2,
    "decoder_layers": 2,
    "encoder_attention_heads": 2,
    "decoder_attention_heads": 2,
    "encoder_ffn_dim": 64,
    "decoder_ffn_dim": 64,
    "max_position_embeddings": MAX_LENGTH,
    "init_std": 0.2,
}
_T5 = {
    "d_model": 32,
    "d_kv": 16,
    "d_ff": 64,
    "num_layers": 2,
    "num_heads": 2,
    "decoder_start_token_id": 0,
}
_LINEAR = {
    "layer_types": ["linear_attention", "full_attention"],
    "linear_key_head_dim": 8,
    "linear_value_head_dim": 8,
    "linear_num_key_heads": 2,
    "linear_num_value_heads": 2,
}
_VISION = {
    "depth": 1,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_heads": 2,
    "out_hidden_size": 32,
    "patch_size": 4,
}
_EXPERTS = {"num_experts_per_tok": 2, "moe_intermediate_size": 32}

# The architecture in `tiny_checkpoints.py` that provides the tokenizer, and the settings.
_RECIPES: dict[str, tuple[str, dict[str, Any]]] = {
    # Their files have other weight names or shapes than the model.
    "nomic_bert": ("bert", _SIZES),
    "gte": ("bert", _SIZES),
    "jina_embeddings_v3": ("roberta", _SHIFTED),
    "esm": ("roberta", _SHIFTED | {"mask_token_id": 4, "position_embedding_type": "rotary"}),
    "mixtral": ("bert", _DECODER | {"num_local_experts": 4, "num_experts_per_tok": 2}),
    "qwen2_moe": (
        "bert",
        _DECODER | _EXPERTS | {"num_experts": 4, "shared_expert_intermediate_size": 32},
    ),
    # Its forward has no parameter for labels.
    "qwen3_5": ("bert", {"text_config": _DECODER | _LINEAR, "vision_config": _VISION}),
    # Characters, without a vocabulary.
    "canine": ("", _SIZES | {"num_hash_buckets": 64, "local_transformer_stride": 32}),
    # Its attention returns zeros without CUDA.
    "mra": ("roberta", _SIZES | {"max_position_embeddings": 4 * MAX_LENGTH}),
    # It ignores the attention mask.
    "fnet": ("bert", _SIZES | {"num_attention_heads": 1}),
    # Their classification heads read the end token.
    "bart": ("roberta", _SEQ2SEQ),
    "mbart": ("roberta", _SEQ2SEQ),
    "plbart": ("roberta", _SEQ2SEQ),
    "mvp": ("roberta", _SEQ2SEQ),
    "t5": ("roberta", _T5),
    "mt5": ("roberta", _T5),
    "umt5": ("roberta", _T5),
    # They fail with an error of transformers.
    "reformer": (
        "bert",
        {
            "hidden_size": 32,
            "num_attention_heads": 2,
            "attention_head_size": 16,
            "feed_forward_size": 64,
            "attn_layers": ["local", "lsh"],
            "axial_pos_shape": [8, 8],
            "axial_pos_embds_dim": [16, 16],
            "max_position_embeddings": MAX_LENGTH,
        },
    ),
    "xmod": ("roberta", _SHIFTED | {"languages": ["en_XX", "de_DE"]}),
}
FURTHER = tuple(_RECIPES)


def make_further(family: str, folder: Path) -> Path:
    """Write the base model and a tokenizer of one of `FURTHER` into `folder`."""
    donor, settings = _RECIPES[family]
    if donor:
        make_checkpoint(donor, folder)
        for name in ("config.json", "model.safetensors"):
            (folder / name).unlink()
        tokenizer: Any = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    else:
        tokenizer = CanineTokenizer()  # type: ignore[no-untyped-call]
        tokenizer.save_pretrained(folder)
    common = {
        "vocab_size": len(tokenizer),
        "initializer_range": 0.2,  # as in `tiny_checkpoints.py`
        "pad_token_id": tokenizer.pad_token_id,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
    }
    if "text_config" in settings:  # a model that reads images too
        settings = settings | {"text_config": settings["text_config"] | common}
    config = AutoConfig.for_model(family, **(settings | common))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = AutoModel.from_config(config)  # type: ignore[no-untyped-call]
    model.save_pretrained(folder)
    return folder
