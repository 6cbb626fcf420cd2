import hashlib
import itertools
import json
import socket
from pathlib import Path

import pytest
import torch
from builders.tiny_checkpoints import ARCHITECTURES, SENTENCES, make_checkpoint
from datasets import Dataset, DatasetDict
from safetensors import safe_open
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from harness.models.encode import collator, encode
from harness.models.pad_token import ensure_pad_token

# The tokens around a sentence, as each family's published checkpoints have them.
SURROUNDINGS = {
    "bert": (["[CLS]"], ["[SEP]"]),
    "distilbert": (["[CLS]"], ["[SEP]"]),
    "roberta": (["<s>"], ["</s>"]),
    "albert": (["[CLS]"], ["[SEP]"]),
    "electra": (["[CLS]"], ["[SEP]"]),
    "deberta-v2": (["[CLS]"], ["[SEP]"]),
    "mpnet": (["<s>"], ["</s>"]),
    "xlnet": ([], ["<sep>", "<cls>"]),
    "modernbert": (["[CLS]"], ["[SEP]"]),
    "gpt2": ([], []),
}
HEAD_PARTS = {
    "classifier",
    "head",
    "logits_proj",
    "pooler",
    "pre_classifier",
    "score",
    "sequence_summary",
}
SENTENCE = "the cat slept on the roses"


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("a checkpoint in a folder needs no network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("checkpoints")
    return {name: make_checkpoint(name, root / name) for name in ARCHITECTURES}


def load(folder: Path) -> tuple[PreTrainedTokenizerBase, PreTrainedModel]:
    model = AutoModelForSequenceClassification.from_pretrained(folder, num_labels=2)
    return AutoTokenizer.from_pretrained(folder), model.eval()


def digests(folder: Path) -> dict[str, str]:
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in folder.iterdir()}


def test_every_architecture_has_its_surroundings_listed() -> None:
    assert set(SURROUNDINGS) == set(ARCHITECTURES)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_same_seed_writes_the_same_files_and_another_other_weights(
    architecture: str, folders: dict[str, Path], tmp_path: Path
) -> None:
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    again = digests(make_checkpoint(architecture, tmp_path / "again"))
    other = digests(make_checkpoint(architecture, tmp_path / "other", seed=1))
    assert torch.rand(1) == expected, "the caller's random state was changed"
    assert again == digests(folders[architecture])
    assert other.pop("model.safetensors") != again.pop("model.safetensors")
    assert other == again


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_head_is_not_in_the_checkpoint(architecture: str, folders: dict[str, Path]) -> None:
    folder = folders[architecture]
    assert json.loads((folder / "config.json").read_text())["model_type"] == architecture
    with safe_open(folder / "model.safetensors", framework="pt") as file:
        stored = set(file.keys())
    _, report = AutoModelForSequenceClassification.from_pretrained(
        folder, num_labels=2, output_loading_info=True
    )
    missing = report["missing_keys"]
    assert missing
    assert not missing & stored
    assert {name.split(".")[0] for name in missing} <= HEAD_PARTS


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_tokenizer_is_that_of_its_family(architecture: str, folders: dict[str, Path]) -> None:
    tokenizer, model = load(folders[architecture])
    assert tokenizer.is_fast
    before, after = SURROUNDINGS[architecture]
    tokens = tokenizer(SENTENCE).tokens()
    assert tokens[: len(before)] == before
    assert tokens[len(tokens) - len(after) :] == after
    words = tokens[len(before) : len(tokens) - len(after)]
    assert tokenizer.unk_token not in words
    assert tokenizer.convert_tokens_to_string(words).strip() == SENTENCE
    assert tokenizer.pad_token_id == model.config.pad_token_id
    assert (tokenizer.pad_token is None) == (architecture == "gpt2")
    assert model.get_input_embeddings().num_embeddings == len(tokenizer)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_padding_does_not_change_a_sentence_s_logits(
    architecture: str, folders: dict[str, Path]
) -> None:
    tokenizer, model = load(folders[architecture])
    ensure_pad_token(tokenizer, model)
    sentences = [*SENTENCES, "the cat slept .", " ".join(SENTENCES[:2])]
    labels = [0] * len(sentences)
    splits = DatasetDict(train=Dataset.from_dict({"sentence": sentences, "label": labels}))
    rows = list(encode(splits, tokenizer, max_length=None).splits["train"])
    assert len({len(row["input_ids"]) for row in rows}) > 1
    collate = collator(tokenizer)

    def logits(batch: list[dict[str, list[int]]], mask: bool = True) -> torch.Tensor:
        inputs = dict(collate(batch))
        del inputs["labels"]
        if not mask:
            inputs["attention_mask"] = torch.ones_like(inputs["attention_mask"])
        with torch.no_grad():
            outputs: torch.Tensor = model(**inputs).logits
        return outputs

    together = logits(rows)
    alone = torch.cat([logits([row]) for row in rows])
    assert together.shape == (len(sentences), 2)
    assert torch.isfinite(together).all()
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=0)
    # The comparison can tell: sentences differ, and so does padding that is attended to.
    nearest = min((a - b).abs().max() for a, b in itertools.combinations(alone, 2))
    assert nearest > 1e-4
    if architecture != "gpt2":  # reads from left to right and never sees the padding behind
        assert (logits(rows, mask=False) - alone).abs().max() > 1e-2
