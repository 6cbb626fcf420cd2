"""Which files contain a tokenizer's vocabulary, by model family."""

from collections.abc import Collection

# tokenizer.json is read by every family.
TOKENIZER = frozenset({"tokenizer.json"})
WORD_PIECES = frozenset({"vocab.txt"})
BYTE_PAIRS = frozenset({"vocab.json", "merges.txt"})

# Any one of these sets is a vocabulary.
VOCABULARIES = (
    TOKENIZER,
    WORD_PIECES,
    BYTE_PAIRS,
    frozenset({"spiece.model"}),
    frozenset({"sentencepiece.bpe.model"}),
    frozenset({"sentencepiece.model"}),
    frozenset({"spm.model"}),
    frozenset({"tokenizer.model"}),
)

# The files that these classes read, besides tokenizer.json. Without them transformers silently
# builds a tokenizer with special tokens only. Families not listed here may read any vocabulary.
READ_BY: dict[str, frozenset[str]] = {
    **dict.fromkeys(
        (
            "BertTokenizer",
            "DistilBertTokenizer",
            "ElectraTokenizer",
            "EsmTokenizer",
            "FunnelTokenizer",
            "MPNetTokenizer",
            "MobileBertTokenizer",
            "RoFormerTokenizer",
        ),
        WORD_PIECES,
    ),
    **dict.fromkeys(
        ("BartTokenizer", "DebertaTokenizer", "GPT2Tokenizer", "LEDTokenizer", "RobertaTokenizer"),
        BYTE_PAIRS,
    ),
    **dict.fromkeys(("AlbertTokenizer", "BigBirdTokenizer", "XLNetTokenizer"), VOCABULARIES[3]),
    **dict.fromkeys(("CamembertTokenizer", "XLMRobertaTokenizer"), VOCABULARIES[4]),
    "RemBertTokenizer": VOCABULARIES[5],
    "DebertaV2Tokenizer": VOCABULARIES[6],
}

# The tokenizer class of a family, for when tokenizer_config.json does not name one.
CLASS_OF = {
    "albert": "AlbertTokenizer",
    "bart": "BartTokenizer",
    "bert": "BertTokenizer",
    "big_bird": "BigBirdTokenizer",
    "camembert": "CamembertTokenizer",
    "convbert": "BertTokenizer",
    "data2vec-text": "RobertaTokenizer",
    "deberta": "DebertaTokenizer",
    "deberta-v2": "DebertaV2Tokenizer",
    "distilbert": "DistilBertTokenizer",
    "electra": "ElectraTokenizer",
    "ernie": "BertTokenizer",
    "esm": "EsmTokenizer",
    "funnel": "FunnelTokenizer",
    "gpt2": "GPT2Tokenizer",
    "gpt_neo": "GPT2Tokenizer",
    "led": "LEDTokenizer",
    "longformer": "RobertaTokenizer",
    "megatron-bert": "BertTokenizer",
    "mobilebert": "MobileBertTokenizer",
    "mpnet": "MPNetTokenizer",
    "opt": "GPT2Tokenizer",
    "rembert": "RemBertTokenizer",
    "roberta": "RobertaTokenizer",
    "roformer": "RoFormerTokenizer",
    "squeezebert": "BertTokenizer",
    "xlm-roberta": "XLMRobertaTokenizer",
    "xlnet": "XLNetTokenizer",
}

# Families and classes that encode characters or bytes and have no vocabulary file.
WITHOUT_VOCABULARY = (
    "canine",
    "perceiver",
    "ByT5Tokenizer",
    "CanineTokenizer",
    "PerceiverTokenizer",
)


def missing_vocabulary(
    present: Collection[str], model_type: object = None, tokenizer_class: object = None
) -> str | None:
    """Return a message if a folder lacks the vocabulary that its tokenizer reads, else None.

    Args:
        present: names of the folder's files.
        model_type: the value in config.json, if known.
        tokenizer_class: the value in tokenizer_config.json, which takes precedence.
    """
    if model_type in WITHOUT_VOCABULARY or tokenizer_class in WITHOUT_VOCABULARY:
        return None
    names = set(present)
    reader = CLASS_OF.get(str(model_type)) if tokenizer_class is None else str(tokenizer_class)
    read = READ_BY.get((reader or "").removesuffix("Fast"))
    allowed = VOCABULARIES if read is None else (TOKENIZER, read)
    if any(files <= names for files in allowed):
        return None
    choices = ", ".join("+".join(sorted(files)) for files in allowed)
    found = [files for files in VOCABULARIES if files <= names]
    if not found:
        return f"no tokenizer files ({choices}); write them with tokenizer.save_pretrained(folder)"
    others = ", ".join("+".join(sorted(files)) for files in found)
    return (
        f"{others} is not a vocabulary that {reader} reads ({choices}): every word would be "
        "unknown; write this model's files with tokenizer.save_pretrained(folder)"
    )
