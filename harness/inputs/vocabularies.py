"""Which files hold a tokenizer's vocabulary, by the family that reads them."""

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

# What these classes read, beside tokenizer.json. From other files transformers makes a tokenizer
# of special tokens alone, and says nothing. Families that are not here may read any.
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

# The class of a family whose tokenizer_config.json names none.
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

# These encode characters or bytes and have no vocabulary file.
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
    """Say so where no file among those of a folder is the vocabulary that will be looked for.

    Args:
        present: names of the folder's files.
        model_type: that of config.json, as far as it is known.
        tokenizer_class: that of tokenizer_config.json, which decides where it is there.
    """
    if model_type in WITHOUT_VOCABULARY or tokenizer_class in WITHOUT_VOCABULARY:
        return None
    names = set(present)
    reader = CLASS_OF.get(str(model_type)) if tokenizer_class is None else str(tokenizer_class)
    read = READ_BY.get((reader or "").removesuffix("Fast"))
    allowed = VOCABULARIES if read is None else (TOKENIZER, read)
    if any(files <= names for files in allowed):
        return None
    told = ", ".join("+".join(sorted(files)) for files in allowed)
    found = [files for files in VOCABULARIES if files <= names]
    if not found:
        return f"no tokenizer files ({told}); write them with tokenizer.save_pretrained(folder)"
    others = ", ".join("+".join(sorted(files)) for files in found)
    return (
        f"{others} is no vocabulary that {reader} reads ({told}): it would know no word; write the "
        "files that belong to this model with tokenizer.save_pretrained(folder)"
    )
