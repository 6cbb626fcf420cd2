"""Tiny randomly initialised checkpoints, one per architecture, as folders on disk.

Each has the form of a pretrained checkpoint: a base model without a classification head as
safetensors, and a fast tokenizer with the special tokens of its family. Vocabularies are fixed,
so the same call always writes the same files.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import (
    AlbertTokenizer,
    AutoConfig,
    AutoModel,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    BertTokenizer,
    CanineTokenizer,
    DebertaV2Tokenizer,
    DistilBertTokenizer,
    GPT2Tokenizer,
    MPNetTokenizer,
    PreTrainedTokenizerBase,
    PreTrainedTokenizerFast,
    RobertaTokenizer,
    XLNetTokenizer,
)

MAX_LENGTH = 64

SENTENCES = (
    "the gardener waters the roses every morning .",
    "a tired clerk has lost both of his keys .",
    "who did the pilot say that the crew would meet ?",
    "the lamps in the hall are always bright .",
    "my neighbour bakes bread and sells it at the market .",
    "these children want to build a boat .",
    "nobody knew which road led to the old mill .",
    "the letter was written by a young poet .",
    "she gave her brother a map of the island .",
    "if it rains , we will stay at home and read .",
    "the cat slept on the chair while the dog barked .",
    "they believe themselves to be very clever .",
    "some of the soup has been eaten .",
    "there is a bird in the tall tree .",
    "he seems happy with the new job .",
    "what the farmer grew was sold in town .",
)
WORDS = tuple(sorted({word for sentence in SENTENCES for word in sentence.split()}))
CHARACTERS = tuple("abcdefghijklmnopqrstuvwxyz.,?!'")


def make_checkpoint(architecture: str, folder: Path, seed: int = 0) -> Path:
    """Write the base model and the tokenizer of an architecture into `folder`.

    It is one of `ARCHITECTURES`, or of `READING_PADDING`, whose logits depend on padding.

    The same seed gives the same weights, and the caller's random state does not change.
    """
    make_tokenizer, settings = (RECIPES | _READING_PADDING)[architecture]
    tokenizer = make_tokenizer()
    if architecture not in _UNLIMITED:
        tokenizer.model_max_length = MAX_LENGTH
    config = AutoConfig.for_model(
        architecture,
        **settings,
        vocab_size=len(tokenizer),
        # About 1 / sqrt(hidden size). With the usual 0.02 the logits of all sentences agree to
        # five digits after two layers, and tests could not detect errors.
        initializer_range=0.2,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = AutoModel.from_config(config)  # type: ignore[no-untyped-call]
        if architecture == "mobilebert":  # zero by default, which hides padding
            model.embeddings.word_embeddings.weight.data[tokenizer.pad_token_id] = 0.2
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def make_classifier(folder: Path) -> Path:
    """Write a kept model with the classes bad and good; return its folder."""
    make_checkpoint("bert", folder / "base")
    names = {"num_labels": 2, "id2label": {0: "bad", 1: "good"}}
    loaded = AutoModelForSequenceClassification.from_pretrained(folder / "base", **names)
    loaded.config.label2id = {"bad": 0, "good": 1}
    loaded.save_pretrained(folder / "kept")
    AutoTokenizer.from_pretrained(folder / "base").save_pretrained(folder / "kept")
    return folder / "kept"


def wordpiece(special: Sequence[str]) -> dict[str, int]:
    pieces = [*special, *CHARACTERS, *(f"##{character}" for character in CHARACTERS)]
    pieces += [word for word in WORDS if word not in CHARACTERS]
    return {piece: index for index, piece in enumerate(pieces)}


def byte_level(first: Sequence[str], last: Sequence[str]) -> tuple[dict[str, int], Any]:
    """Byte-level BPE: special tokens, all bytes, and merges of up to three letters per word."""
    merges: dict[str, tuple[str, str]] = {}
    for word in WORDS:
        spaced = f"Ġ{word}"  # byte-level BPE writes a space before a word so
        for end in range(1, min(len(word), 3) + 1):
            merges.setdefault(spaced[: end + 1], (spaced[:end], spaced[end]))
    pieces = [*first, *sorted(pre_tokenizers.ByteLevel.alphabet()), *merges, *last]
    return {piece: index for index, piece in enumerate(pieces)}, list(merges.values())


def _unigram(special: Sequence[str]) -> list[tuple[str, float]]:
    """SentencePiece's unigram model: a known word scores better than its letters together."""
    words = [(f"▁{word}", -8.0) for word in WORDS]
    characters = [(piece, -10.0) for piece in ("▁", *CHARACTERS)]
    return [*((token, 0.0) for token in special), *words, *characters]


BERT_TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


def _bert_tokenizer() -> PreTrainedTokenizerBase:
    return BertTokenizer(vocab=wordpiece(BERT_TOKENS))


def _distilbert_tokenizer() -> PreTrainedTokenizerBase:
    return DistilBertTokenizer(vocab=wordpiece(BERT_TOKENS))


def _mpnet_tokenizer() -> PreTrainedTokenizerBase:
    vocabulary = wordpiece(("<s>", "<pad>", "</s>", "<unk>", "[UNK]", "<mask>"))
    return MPNetTokenizer(vocab=vocabulary)


def roberta_tokenizer() -> PreTrainedTokenizerBase:
    vocabulary, merges = byte_level(("<s>", "<pad>", "</s>", "<unk>"), ("<mask>",))
    return RobertaTokenizer(vocab=vocabulary, merges=merges)


def _gpt2_tokenizer() -> PreTrainedTokenizerBase:
    vocabulary, merges = byte_level((), ("<|endoftext|>",))
    return GPT2Tokenizer(vocab=vocabulary, merges=merges)


def _modernbert_tokenizer() -> PreTrainedTokenizerBase:
    vocabulary, merges = byte_level((), ("[UNK]", "[CLS]", "[SEP]", "[PAD]", "[MASK]"))
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        special_tokens=[(token, vocabulary[token]) for token in ("[CLS]", "[SEP]")],
    )
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer,
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        pad_token="[PAD]",
        mask_token="[MASK]",
    )


def _albert_tokenizer() -> PreTrainedTokenizerBase:
    vocabulary = _unigram(("<pad>", "<unk>", "[CLS]", "[SEP]", "[MASK]"))
    return AlbertTokenizer(vocab=vocabulary)


def _deberta_v2_tokenizer() -> PreTrainedTokenizerBase:
    vocabulary = _unigram(("[PAD]", "[CLS]", "[SEP]", "[UNK]", "[MASK]"))
    return DebertaV2Tokenizer(vocab=vocabulary)


def _xlnet_tokenizer() -> PreTrainedTokenizerBase:
    special = ("<unk>", "<s>", "</s>", "<cls>", "<sep>", "<pad>", "<mask>", "<eod>", "<eop>")
    return XLNetTokenizer(vocab=_unigram(special))


# Settings with the same names in most families: two layers of width 32.
_SIZES = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "max_position_embeddings": MAX_LENGTH,
}
# RoBERTa and MPNet count positions from pad_token_id + 1.
_SHIFTED = _SIZES | {"max_position_embeddings": MAX_LENGTH + 2}

RECIPES: dict[str, tuple[Callable[[], PreTrainedTokenizerBase], dict[str, Any]]] = {
    "bert": (_bert_tokenizer, _SIZES),
    "distilbert": (
        _distilbert_tokenizer,
        {
            "dim": 32,
            "n_layers": 2,
            "n_heads": 2,
            "hidden_dim": 64,
            "max_position_embeddings": MAX_LENGTH,
        },
    ),
    "roberta": (roberta_tokenizer, _SHIFTED | {"type_vocab_size": 1}),
    "albert": (_albert_tokenizer, _SIZES | {"embedding_size": 16}),
    "electra": (_bert_tokenizer, _SIZES | {"embedding_size": 16}),
    "deberta-v2": (  # with the attention of DeBERTa-v3
        _deberta_v2_tokenizer,
        _SIZES
        | {
            "pooler_hidden_size": 32,
            "relative_attention": True,
            "position_buckets": 16,
            "pos_att_type": ["p2c", "c2p"],
            "share_att_key": True,
            "norm_rel_ebd": "layer_norm",
            "position_biased_input": False,
            "type_vocab_size": 0,
        },
    ),
    "mpnet": (_mpnet_tokenizer, _SHIFTED),
    "xlnet": (_xlnet_tokenizer, {"d_model": 32, "n_layer": 2, "n_head": 2, "d_inner": 64}),
    "modernbert": (
        _modernbert_tokenizer,
        _SIZES | {"layer_types": ["full_attention", "sliding_attention"], "local_attention": 16},
    ),
    "gpt2": (
        _gpt2_tokenizer,
        {"n_embd": 32, "n_layer": 2, "n_head": 2, "n_inner": 64, "n_positions": MAX_LENGTH},
    ),
}
ARCHITECTURES = tuple(RECIPES)


def _canine_tokenizer() -> PreTrainedTokenizerBase:
    return CanineTokenizer()  # type: ignore[no-untyped-call]


def _fnet_tokenizer() -> PreTrainedTokenizerBase:
    # The model uses no attention mask, so its tokenizer returns none.
    return BertTokenizer(
        vocab=wordpiece(BERT_TOKENS), model_input_names=["input_ids", "token_type_ids"]
    )


_READING_PADDING: dict[str, tuple[Callable[[], PreTrainedTokenizerBase], dict[str, Any]]] = {
    "canine": (_canine_tokenizer, _SIZES),
    "convbert": (_bert_tokenizer, _SIZES | {"embedding_size": 32}),
    "fnet": (_fnet_tokenizer, _SIZES),
    "funnel": (
        _bert_tokenizer,
        {
            "d_model": 32,
            "n_head": 2,
            "d_head": 16,
            "d_inner": 64,
            "block_sizes": [1, 1, 1],
            "architectures": ["FunnelBaseModel"],  # its base model for classifiers
        },
    ),
    "mobilebert": (
        _bert_tokenizer,
        _SIZES | {"embedding_size": 32, "intra_bottleneck_size": 16, "true_hidden_size": 16},
    ),
    "nystromformer": (_bert_tokenizer, _SIZES | {"num_landmarks": 8, "segment_means_seq_len": 8}),
}
READING_PADDING = tuple(_READING_PADDING)
# Their published tokenizers declare no maximum length.
_UNLIMITED = ("deberta-v2", "xlnet")
