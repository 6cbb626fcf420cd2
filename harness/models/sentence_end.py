"""Finds sentences that contain the end token, by which some heads find a sentence's end."""

from collections import Counter
from collections.abc import Mapping

from datasets import Dataset
from transformers import PreTrainedConfig, PreTrainedTokenizerBase

from harness.text import printable

FAMILIES = (
    "bart",
    "bigbird_pegasus",
    "mbart",
    "mt5",
    "mvp",
    "plbart",
    "t5",
    "umt5",
)
"""Families whose head reads the last `eos` token, and fails on a batch whose sentences contain
different numbers of `eos` tokens (transformers 5.23)."""

SHOWN = 2
"""Sentences shown; the others are counted, so that the reason fits on a record's line."""

CHARACTERS = 40
"""Characters shown of each sentence."""


def problem(
    configuration: PreTrainedConfig,
    tokenizer: PreTrainedTokenizerBase,
    splits: Mapping[str, Dataset],
    encoded: Mapping[str, Dataset],
) -> str | None:
    """Return which sentences the model's head cannot read in a batch with others, and why.

    Args:
        splits: with the column `sentence`.
        encoded: the same rows, with the column `input_ids`.
    """
    if configuration.model_type not in FAMILIES:
        return None
    end, family = configuration.eos_token_id, configuration.model_type
    name = str(tokenizer.convert_ids_to_tokens(end))
    token = f"{name!r} (id {end})"
    if end == tokenizer.pad_token_id:
        return (
            f"the tokenizer pads with {token}, which the head of {family} reads as a sentence's "
            "end; give the tokenizer its own pad token"
        )
    counts = {
        name: [list(ids).count(end) for ids in rows["input_ids"]] for name, rows in encoded.items()
    }
    usual, _ = Counter(count for found in counts.values() for count in found).most_common(1)[0]
    if usual == 0:
        return (
            f"the tokenizer ends no sentence with {token}, which the head of {family} needs; "
            "save the checkpoint's own tokenizer with the model"
        )
    wrong = []
    for split, found in counts.items():
        rows = [row for row, count in enumerate(found) if count != usual]
        for row, text in zip(rows, splits[split].select(rows)["sentence"], strict=True):
            wrong.append(f"in {split}, {_around(text, name)!r} has {found[row]}")
    if not wrong:
        return None
    more = f"; and {len(wrong) - SHOWN} more" if len(wrong) > SHOWN else ""
    return (
        f"remove {token} from the text: the head of {family} reads it as a sentence's end, and "
        f"needs the same number in each ({usual}); {'; '.join(wrong[:SHOWN])}{more}"
    )


def _around(text: str, token: str) -> str:
    """Return a sentence, shortened around the token."""
    text = printable(" ".join(text.split()))
    start = max(0, text.find(token) + len(token) - CHARACTERS // 2)
    end = start + CHARACTERS
    return f"{'... ' if start else ''}{text[start:end]}{' ...' if end < len(text) else ''}"
