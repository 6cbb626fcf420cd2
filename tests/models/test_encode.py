import json
import logging
from pathlib import Path

import datasets
import pytest
import torch
from builders.tiny_checkpoints import MAX_LENGTH, SENTENCES, WORDS, make_checkpoint
from datasets import ClassLabel, Dataset, DatasetDict, Features, Value
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    GPT2Config,
    GPT2ForSequenceClassification,
    PreTrainedTokenizerBase,
)

from harness.errors import BadInput
from harness.models.encode import collator, encode
from harness.models.pad_token import ensure_pad_token

FEATURES = Features(
    {
        "sentence": Value("string"),
        "label": ClassLabel(names=["unacceptable", "acceptable"]),
        "idx": Value("int32"),
        "source": Value("string"),
    }
)


@pytest.fixture(scope="module")
def bert_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_checkpoint("bert", tmp_path_factory.mktemp("bert"))


@pytest.fixture(scope="module")
def bert(bert_folder: Path) -> PreTrainedTokenizerBase:
    tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(bert_folder)
    return tokenizer


@pytest.fixture(scope="module")
def plain(bert_folder: Path) -> Tokenizer:
    """The same vocabulary through the tokenizers library alone, without any length setting."""
    tokenizer = Tokenizer.from_file(str(bert_folder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


def split_of(sentences: list[str], labels: list[int] | None = None) -> Dataset:
    columns = {
        "sentence": sentences,
        "label": labels or [index % 2 for index in range(len(sentences))],
        "idx": list(range(len(sentences))),
        "source": ["test"] * len(sentences),
    }
    return Dataset.from_dict(columns, features=FEATURES)


def lengths(split: Dataset) -> list[int]:
    return [len(ids) for ids in split["input_ids"]]


SENTENCE = st.lists(st.sampled_from([*WORDS, "zyx"]), min_size=1, max_size=12).map(" ".join)
SENTENCE_LIST = st.lists(SENTENCE, min_size=1, max_size=4)


@settings(max_examples=25, deadline=None)
@given(SENTENCE_LIST, SENTENCE_LIST, SENTENCE_LIST, st.integers(3, 16))
def test_sentences_are_cut_at_max_length_and_the_cut_ones_counted(
    bert: PreTrainedTokenizerBase,
    plain: Tokenizer,
    train: list[str],
    validation: list[str],
    test: list[str],
    max_length: int,
) -> None:
    sentences = {"train": train, "validation": validation, "test": test}
    splits = DatasetDict({name: split_of(rows) for name, rows in sentences.items()})
    encoded = encode(splits, bert, max_length)
    whole = {name: [plain.encode(row).ids for row in rows] for name, rows in sentences.items()}
    for name, rows in whole.items():
        separator = rows[0][-1]
        for ids, row in zip(encoded.splits[name]["input_ids"], rows, strict=True):
            assert ids == (row if len(row) <= max_length else [*row[: max_length - 1], separator])
    longer = {
        name: [place for place, row in enumerate(rows) if len(row) > max_length]
        for name, rows in whole.items()
    }
    assert encoded.cut == {name: places for name, places in longer.items() if places}
    scored = whole["train"] + whole["validation"]
    assert encoded.truncated == sum(len(row) > max_length for row in scored)


def test_labels_and_order_pass_through_and_other_columns_are_dropped(
    bert: PreTrainedTokenizerBase,
) -> None:
    splits = DatasetDict(
        train=split_of(list(SENTENCES)), test=split_of(["the cat", "a dog"], labels=[-1, -1])
    )
    encoded = encode(splits, bert, 32).splits
    assert list(encoded) == ["train", "test"]
    columns = {"label", "input_ids", "token_type_ids", "attention_mask"}
    assert set(encoded["train"].column_names) == set(encoded["test"].column_names) == columns
    assert encoded["train"]["label"][:] == splits["train"]["label"][:]
    assert encoded["test"]["label"][:] == [-1, -1]
    assert encoded["train"].features["label"] == FEATURES["label"]


def test_settings_baked_into_a_tokenizer_file_do_not_leak(
    bert_folder: Path, plain: Tokenizer, tmp_path: Path
) -> None:
    baked = AutoTokenizer.from_pretrained(bert_folder)
    baked.backend_tokenizer.enable_padding(length=24)
    baked.backend_tokenizer.enable_truncation(max_length=5)
    baked.save_pretrained(tmp_path)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path)
    saved = json.loads((tmp_path / "tokenizer.json").read_text())
    assert saved["padding"]["strategy"] == {"Fixed": 24}
    assert saved["truncation"]["max_length"] == 5
    whole = [len(plain.encode(sentence).ids) for sentence in SENTENCES]
    splits = DatasetDict(train=split_of(list(SENTENCES)))
    encoded = encode(splits, tokenizer, 10)
    assert lengths(encoded.splits["train"]) == [min(length, 10) for length in whole]
    assert encoded.truncated == sum(length > 10 for length in whole) > 0
    batch = collator(tokenizer)([encoded.splits["train"][index] for index in range(3)])
    assert batch["input_ids"].shape == (3, max(lengths(encoded.splits["train"])[:3]))


def test_without_max_length_the_tokenizer_s_own_limit_holds(
    bert_folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(logging.getLogger("transformers"), "propagate", True)
    tokenizer = AutoTokenizer.from_pretrained(bert_folder)
    splits = DatasetDict(train=split_of(["cat " * 100, "cat " * (MAX_LENGTH - 2)]))
    encoded = encode(splits, tokenizer, None)
    assert lengths(encoded.splits["train"]) == [MAX_LENGTH, MAX_LENGTH]
    assert encoded.truncated == 1
    assert not caplog.records, "counting must not warn of sentences that no model will see"


@pytest.mark.parametrize(
    ("max_length", "positions", "limit"),
    [
        (MAX_LENGTH + 10, None, MAX_LENGTH),
        (10**9, None, MAX_LENGTH),
        (MAX_LENGTH + 10, MAX_LENGTH + 20, MAX_LENGTH),
        (None, 20, 20),
        (30, 20, 20),
        (10, 20, 10),
        (None, MAX_LENGTH + 10, MAX_LENGTH),
    ],
)
def test_the_smallest_limit_holds(
    bert: PreTrainedTokenizerBase, max_length: int | None, positions: int | None, limit: int
) -> None:
    splits = DatasetDict(train=split_of(["cat " * 100, "the cat"]))
    encoded = encode(splits, bert, max_length, positions)
    assert encoded.limit == limit
    assert lengths(encoded.splits["train"]) == [limit, 4]
    assert encoded.truncated == 1


def test_a_tokenizer_without_a_limit_cuts_nothing(tmp_path: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(make_checkpoint("deberta-v2", tmp_path))
    encoded = encode(DatasetDict(train=split_of(["cat " * 5000])), tokenizer, None)
    assert lengths(encoded.splits["train"]) == [5002]
    assert (encoded.truncated, encoded.limit) == (0, None)


@pytest.mark.parametrize("max_length", [2, 0, -1])
def test_a_length_without_room_for_a_word_is_refused(
    bert: PreTrainedTokenizerBase, max_length: int
) -> None:
    with pytest.raises(BadInput, match=rf"max_length: {max_length} .* allowed are 3 and more"):
        encode(DatasetDict(train=split_of(["the cat"])), bert, max_length)


@pytest.mark.parametrize("architecture", ["gpt2", "xlnet", "roberta"])
def test_counting_holds_for_other_layouts_of_special_tokens(
    architecture: str, tmp_path: Path
) -> None:
    tokenizer = AutoTokenizer.from_pretrained(make_checkpoint(architecture, tmp_path))
    plain = Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    whole = [len(plain.encode(sentence).ids) for sentence in SENTENCES]
    limit = sorted(whole)[len(whole) // 2]
    encoded = encode(DatasetDict(validation=split_of(list(SENTENCES))), tokenizer, limit)
    assert lengths(encoded.splits["validation"]) == [min(length, limit) for length in whole]
    assert encoded.truncated == sum(length > limit for length in whole) > 0


def test_encoding_writes_no_file_and_shows_no_progress(
    bert: PreTrainedTokenizerBase,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    on_disk = tmp_path / "train"
    split_of(list(SENTENCES)).save_to_disk(str(on_disk))
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    files = sorted(tmp_path.rglob("*"))
    datasets.enable_progress_bars()  # another test may have run a worker, which turns them off
    capfd.readouterr()
    encoded = encode(DatasetDict(train=Dataset.load_from_disk(str(on_disk))), bert, 8)
    assert capfd.readouterr() == ("", "")
    assert not datasets.are_progress_bars_disabled()
    assert sorted(tmp_path.rglob("*")) == files
    assert encoded.splits["train"].cache_files == []


def test_a_batch_is_padded_to_its_own_longest_sentence(bert: PreTrainedTokenizerBase) -> None:
    sentences = ["cat", "the cat slept", "cat " * 20]
    rows = list(encode(DatasetDict(train=split_of(sentences)), bert, None).splits["train"])
    collate = collator(bert)
    assert collate(rows)["input_ids"].shape == (3, 22)
    batch = collate(rows[:2])
    assert batch["input_ids"].shape == (2, 5)
    assert batch["input_ids"][0, 3:].tolist() == [bert.pad_token_id] * 2
    assert batch["attention_mask"].tolist() == [[1, 1, 1, 0, 0], [1, 1, 1, 1, 1]]
    assert batch["labels"].tolist() == [0, 1]


def test_a_model_without_a_pad_token_pads_with_its_end_of_text(tmp_path: Path) -> None:
    folder = make_checkpoint("gpt2", tmp_path)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForSequenceClassification.from_pretrained(folder, num_labels=2)
    rows = model.get_input_embeddings().num_embeddings
    assert tokenizer.pad_token is None
    assert model.config.pad_token_id is None
    ensure_pad_token(tokenizer, model)
    assert tokenizer.pad_token == "<|endoftext|>"
    assert model.config.pad_token_id == tokenizer.pad_token_id == tokenizer.eos_token_id
    assert model.get_input_embeddings().num_embeddings == rows


@pytest.mark.parametrize("spare_rows", [0, 7])
def test_a_tokenizer_without_end_of_text_gets_a_pad_token_of_its_own(
    spare_rows: int, tmp_path: Path
) -> None:
    tokenizer = AutoTokenizer.from_pretrained(make_checkpoint("gpt2", tmp_path))
    tokenizer.eos_token = None
    words = len(tokenizer)
    config = GPT2Config(
        vocab_size=words + spare_rows, n_embd=16, n_layer=1, n_head=2, n_positions=64
    )
    model = GPT2ForSequenceClassification(config)  # of two classes, as is the default
    model.train(False)
    known = model.transformer.wte.weight[:words].clone()
    ensure_pad_token(tokenizer, model)
    assert tokenizer.pad_token == "[PAD]"
    assert model.config.pad_token_id == tokenizer.pad_token_id == words
    embeddings = model.transformer.wte.weight
    assert len(embeddings) == max(words + 1, words + spare_rows)
    assert torch.equal(embeddings[:words], known)
    encoded = encode(DatasetDict(train=split_of(["the cat", SENTENCES[0]])), tokenizer, None)
    batch = collator(tokenizer)(list(encoded.splits["train"]))
    with torch.no_grad():
        together = model(**batch).logits
        alone = model(input_ids=torch.tensor([encoded.splits["train"][0]["input_ids"]])).logits
    torch.testing.assert_close(together[:1], alone)


def test_a_pad_token_that_is_there_stays(bert_folder: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(bert_folder)
    model = AutoModelForSequenceClassification.from_pretrained(bert_folder, num_labels=2)
    rows = model.get_input_embeddings().num_embeddings
    ensure_pad_token(tokenizer, model)
    assert (tokenizer.pad_token, model.config.pad_token_id) == ("[PAD]", 0)
    assert model.get_input_embeddings().num_embeddings == rows
