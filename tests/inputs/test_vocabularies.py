"""The files that a tokenizer reads its vocabulary from, against transformers' own statement."""

import json
from pathlib import Path

import pytest
from builders.tiny_checkpoints import make_checkpoint
from transformers.models.auto.tokenization_auto import (
    TOKENIZER_MAPPING_NAMES,
    tokenizer_class_from_name,
)

from harness.errors import BadInput
from harness.inputs.checkpoints import resolve
from harness.inputs.hub import Hub
from harness.inputs.vocabularies import CLASS_OF, READ_BY, missing_vocabulary

HUB = Hub("", reachable=False, reason="not asked")


def files_of(name: str) -> set[str]:
    found = tokenizer_class_from_name(name)
    assert found is not None
    return set(found.vocab_files_names.values()) - {"tokenizer.json", "tokenizer_config.json"}


@pytest.mark.parametrize("name", READ_BY)
def test_a_class_reads_the_files_that_are_listed(name: str) -> None:
    assert files_of(name) == READ_BY[name]


@pytest.mark.parametrize("model_type", CLASS_OF)
def test_a_family_s_tokenizer_reads_the_files_that_are_listed(model_type: str) -> None:
    name = TOKENIZER_MAPPING_NAMES.get(model_type)
    assert name is not None
    assert files_of(name) == READ_BY[CLASS_OF[model_type]]


@pytest.mark.parametrize(
    ("family", "tokenizer", "files", "told"),
    [
        ("roberta", {}, ["vocab.txt"], "vocab.txt is not a vocabulary that RobertaTokenizer reads"),
        ("gpt2", {}, ["vocab.txt"], "vocab.txt is not a vocabulary that GPT2Tokenizer reads"),
        (
            "bert",
            {},
            ["vocab.json", "merges.txt"],
            "merges.txt+vocab.json is not a vocabulary that",
        ),
        ("albert", {}, ["vocab.txt"], "(tokenizer.json, spiece.model): every word would be"),
        ("deberta-v2", {}, ["spiece.model"], "(tokenizer.json, spm.model): every word would be"),
        ("roberta", {}, ["vocab.json"], "no tokenizer files (tokenizer.json, merges.txt+vocab.j"),
        (
            "bert",
            {"tokenizer_class": "XLMRobertaTokenizerFast"},
            ["vocab.txt"],
            "that XLMRobertaTokenizerFast reads",
        ),
        ("roberta", {"tokenizer_class": "BertTokenizer"}, ["vocab.txt"], None),
        ("roberta", {}, ["vocab.txt", "vocab.json", "merges.txt"], None),
        ("bert", {"tokenizer_class": "BertJapaneseTokenizer"}, ["spiece.model"], None),
        ("bert", {"tokenizer_class": "CanineTokenizer"}, [], None),
    ],
)
def test_a_folder_without_the_vocabulary_of_its_family_is_refused(
    family: str, tokenizer: dict[str, str], files: list[str], told: str | None, tmp_path: Path
) -> None:
    folder = make_checkpoint("bert", tmp_path / "folder")
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (folder / name).unlink()
    config = json.loads((folder / "config.json").read_text()) | {"model_type": family}
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    if tokenizer:
        (folder / "tokenizer_config.json").write_text(json.dumps(tokenizer), encoding="utf-8")
    for file in files:
        (folder / file).write_text("{}", encoding="utf-8")
    if told is None:
        assert resolve(str(folder), HUB, tmp_path).folder == str(folder)
        return
    with pytest.raises(BadInput) as caught:
        resolve(str(folder), HUB, tmp_path)
    assert told in str(caught.value)


def test_a_family_that_is_not_listed_may_read_any() -> None:
    assert missing_vocabulary({"tokenizer.model"}, "a-new-family", "ANewTokenizer") is None
    assert missing_vocabulary({"tokenizer.model"}) is None
    assert missing_vocabulary({"README.md"}, "a-new-family") is not None
