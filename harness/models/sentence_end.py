"""The end-of-sequence token by which some heads find a sentence's end, inside a sentence."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

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
"""Families whose head reads the last `eos` token, and takes no batch whose sentences hold
different numbers of them (transformers 5.23)."""

SHOWN = 2
"""Sentences named; the others are counted, so that the reason fits into a record's line."""

CHARACTERS = 40
"""Characters shown of a sentence."""


def problem(
    configuration: PreTrainedConfig,
    tokenizer: PreTrainedTokenizerBase,
    splits: Mapping[str, Dataset],
    encoded: Mapping[str, Dataset],
) -> str | None:
    """Return which sentences the model's head could not read beside the others, and why.

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
            f"the tokenizer pads with {token}, which the head of {family} takes for a sentence's "
            "end; give the tokenizer a pad token of its own"
        )
    counts = {
        name: [list(ids).count(end) for ids in rows["input_ids"]] for name, rows in encoded.items()
    }
    usual, _ = Counter(count for found in counts.values() for count in found).most_common(1)[0]
    if usual == 0:
        return (
            f"the tokenizer ends no sentence with {token}, which the head of {family} looks for; "
            "save the checkpoint's own tokenizer beside the model"
        )
    wrong = list(_unusual(splits, counts, usual, name))
    if not wrong:
        return None
    more = f"; and {len(wrong) - SHOWN} more" if len(wrong) > SHOWN else ""
    return (
        f"take {token} out of the text: the head of {family} takes it for a sentence's end, and "
        f"needs the same number in each ({usual}); {'; '.join(wrong[:SHOWN])}{more}"
    )


def _unusual(
    splits: Mapping[str, Dataset], counts: Mapping[str, Sequence[int]], usual: int, token: str
) -> Iterator[str]:
    for name, found in counts.items():
        places = [place for place, count in enumerate(found) if count != usual]
        for place, text in zip(places, splits[name].select(places)["sentence"], strict=True):
            yield f"in {name}, {_around(text, token)!r} has {found[place]}"


def _around(text: str, token: str) -> str:
    """Return a sentence, shortened so that the token can be seen."""
    text = printable(" ".join(text.split()))
    start = max(0, text.find(token) + len(token) - CHARACTERS // 2)
    end = start + CHARACTERS
    return f"{'... ' if start else ''}{text[start:end]}{' ...' if end < len(text) else ''}"
