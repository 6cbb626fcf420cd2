"""How long a sentence a model can read: measured, cut there, or refused before training."""

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from builders.jobs import execute_ok, file_spec, make_job, sentences, write_rows
from builders.tiny_checkpoints import ARCHITECTURES, MAX_LENGTH, make_checkpoint
from datasets import Dataset, DatasetDict
from transformers import (
    AutoConfig,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    PreTrainedConfig,
    PreTrainedModel,
)

from harness.errors import BadInput
from harness.kept.inference import classify, load
from harness.models.encode import encode
from harness.models.limits import position_limit, try_longest
from harness.suite.spec import DatasetSpec
from harness.training.worker import execute

SMALL = {
    "vocab_size": 40,
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 16,
    "pad_token_id": 1,
}
DECODER = {
    "vocab_size": 40,
    "n_embd": 16,
    "n_layer": 2,
    "n_head": 2,
    "n_positions": 48,
    "pad_token_id": 1,
}
BOTH = {
    "vocab_size": 40,
    "d_model": 16,
    "encoder_layers": 1,
    "decoder_layers": 1,
    "encoder_attention_heads": 2,
    "decoder_attention_heads": 2,
    "encoder_ffn_dim": 16,
    "decoder_ffn_dim": 16,
    "max_position_embeddings": 48,
    "pad_token_id": 1,
    "eos_token_id": 2,
}
# Families beside the ten, with the positions that each has of the 50 (or 48) rows or settings.
OTHERS: dict[str, tuple[dict[str, Any], int | None]] = {
    "esm": (SMALL | {"max_position_embeddings": 50}, 48),
    "nystromformer": (SMALL | {"max_position_embeddings": 50}, 50),
    "xlm-roberta": (SMALL | {"max_position_embeddings": 50}, 48),
    "convbert": (SMALL | {"max_position_embeddings": 50, "embedding_size": 16}, 50),
    "roformer": (SMALL | {"max_position_embeddings": 50, "embedding_size": 16}, 50),
    "bart": (BOTH, 48),
    "opt": (
        SMALL | {"max_position_embeddings": 50, "ffn_dim": 16, "word_embed_proj_dim": 16},
        50,
    ),
    "gptj": (DECODER | {"rotary_dim": 4}, 48),
    "gpt_neo": (
        SMALL
        | {
            "max_position_embeddings": 50,
            "num_layers": 2,
            "num_heads": 2,
            "attention_types": [[["global", "local"], 1]],
        },
        50,
    ),
    "ctrl": (DECODER | {"dff": 16}, 48),
    "t5": (
        SMALL
        | {"d_model": 16, "d_kv": 8, "d_ff": 16, "decoder_start_token_id": 0, "eos_token_id": 2},
        None,
    ),
    "llama": (SMALL | {"max_position_embeddings": 50, "num_key_value_heads": 2}, None),
}
# Relative positions, or rotary ones.
WITHOUT_POSITIONS = ("deberta-v2", "xlnet", "modernbert")


def classifier(config: PreTrainedConfig) -> PreTrainedModel:
    model: PreTrainedModel = AutoModelForSequenceClassification.from_config(config)  # type: ignore[no-untyped-call]
    model.train(False)
    return model


def built(family: str) -> tuple[PreTrainedModel, int | None]:
    settings, limit = OTHERS[family]
    config = AutoConfig.for_model(family, **settings)
    model: Any = AutoModelForSequenceClassification.from_config(config)  # type: ignore[no-untyped-call]
    return model.eval(), limit


def computes(model: PreTrainedModel, tokens: int) -> bool:
    ids = torch.full((1, tokens), 7)
    ids[0, -1] = 2  # the end of a sentence, which some families look for
    try:
        with torch.no_grad():
            model(input_ids=ids)
    except (RuntimeError, IndexError):
        return False
    return True


@pytest.mark.parametrize("family", OTHERS)
def test_the_limit_is_the_last_length_that_a_model_computes(family: str) -> None:
    model, limit = built(family)
    assert position_limit(model) == limit
    assert computes(model, limit or 400)
    assert computes(model, 1 + (limit or 400)) == (limit is None)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_limit_of_every_architecture(architecture: str, tmp_path: Path) -> None:
    folder = make_checkpoint(architecture, tmp_path)
    model = AutoModelForSequenceClassification.from_pretrained(folder, num_labels=2)
    limit = position_limit(model)
    assert limit == (None if architecture in WITHOUT_POSITIONS else MAX_LENGTH)
    assert computes(model, limit or 400)
    assert computes(model, 1 + (limit or 400)) == (limit is None)


def test_measuring_leaves_model_and_random_numbers_alone(tmp_path: Path) -> None:
    folder = make_checkpoint("bert", tmp_path)
    model = AutoModelForSequenceClassification.from_pretrained(folder, num_labels=2)
    before = {name: weight.clone() for name, weight in model.state_dict().items()}
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    position_limit(model)
    assert torch.rand(1) == expected
    assert all(torch.equal(before[name], weight) for name, weight in model.state_dict().items())
    assert not model.training


# Runs

LONG = " ".join(["the cat slept on the chair"] * 20)
SHORT = sentences(31)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> DatasetSpec:
    """Two sentences that are too long, among short ones."""
    texts = [LONG, *SHORT, f"the dog and {LONG}"]
    path = tmp_path_factory.mktemp("data") / "rows.csv"
    return file_spec(write_rows(path, texts, [number % 2 for number in range(len(texts))]), 8)


def with_limit(architecture: str, limit: int | None, folder: Path) -> Path:
    """Write a checkpoint whose tokenizer declares a limit, or none."""
    make_checkpoint(architecture, folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.model_max_length = 10**30 if limit is None else limit
    tokenizer.save_pretrained(folder)
    assert AutoTokenizer.from_pretrained(folder).model_max_length == tokenizer.model_max_length
    return folder


@pytest.mark.parametrize(
    ("architecture", "declared", "max_length", "limit"),
    [
        ("bert", None, None, 64),
        ("roberta", None, None, 64),
        ("roberta", 66, None, 64),  # its configuration's number, of which two are reserved
        ("mpnet", 66, None, 64),
        ("gpt2", 1024, None, 64),
        ("albert", None, 100, 64),
        ("bert", 64, 1000, 64),
        ("bert", 40, None, 40),
        ("bert", 40, 64, 40),
        ("bert", None, 12, 12),
        ("xlnet", None, None, None),
        ("modernbert", 80, None, 80),
        ("deberta-v2", None, 70, 70),
    ],
)
def test_sentences_are_cut_at_the_smallest_limit_and_counted(
    architecture: str,
    declared: int | None,
    max_length: int | None,
    limit: int | None,
    data: DatasetSpec,
    tmp_path: Path,
) -> None:
    checkpoint = with_limit(architecture, declared, tmp_path / architecture)
    job = make_job(checkpoint, data, tmp_path, keep_model=True, max_length=max_length)
    record, predictions = execute_ok(job)
    tokenizer = AutoTokenizer.from_pretrained(checkpoint)
    whole = [
        len(tokenizer(text, truncation=False)["input_ids"])
        for text in (LONG, *SHORT, f"the dog and {LONG}")
    ]
    too_long = sum(tokens > limit for tokens in whole) if limit else 0
    assert record.truncated_sentences == too_long
    assert (too_long >= 2) == (limit is not None)
    for row in predictions.to_pylist():
        assert row["tokens"] == min(whole[row["idx"]], limit or 10**9)
    cut = [warning for warning in record.warnings if "were cut at the maximum" in warning]
    assert len(cut) == bool(too_long)
    beyond = [warning for warning in record.warnings if "training.max_length is" in warning]
    assert len(beyond) == (max_length is not None and limit != max_length)

    kept = AutoTokenizer.from_pretrained(job.folder / "model")
    assert kept.model_max_length == (limit or kept.model_max_length)
    answers = list(classify(load(job.folder / "model", "cpu"), [LONG, SHORT[0]], 2))
    assert len(answers) == 2


def test_a_limit_that_a_kept_tokenizer_does_not_tell_is_the_model_s(tmp_path: Path) -> None:
    folder = make_checkpoint("roberta", tmp_path / "model")
    tokenizer = AutoTokenizer.from_pretrained(folder)
    AutoModelForSequenceClassification.from_pretrained(folder, num_labels=2).save_pretrained(folder)
    tokenizer.model_max_length = 10**30
    tokenizer.save_pretrained(folder)
    assert len(list(classify(load(folder, "cpu"), [LONG, "the cat"], 2))) == 2


def test_a_limit_that_is_found_in_no_table_is_told_before_training(tmp_path: Path) -> None:
    """MPT adds to its attention what it computes for as many tokens as its configuration says."""
    words = make_checkpoint("gpt2", tmp_path / "words")
    tokenizer = AutoTokenizer.from_pretrained(words)
    config = AutoConfig.for_model(
        "mpt", vocab_size=len(tokenizer), d_model=16, n_layers=1, n_heads=2, max_seq_len=50
    )
    model = AutoModelForSequenceClassification.from_config(config).eval()  # type: ignore[no-untyped-call]
    assert position_limit(model) is None
    tokenizer.model_max_length = 10**30
    tokenizer.pad_token = tokenizer.eos_token
    model.config.pad_token_id = tokenizer.pad_token_id
    rows = Dataset.from_dict({"sentence": ["the cat", LONG], "label": [0, 1]})
    splits = DatasetDict(train=rows)
    encoded = encode(splits, tokenizer, None).splits
    with pytest.raises(BadInput) as caught:
        try_longest(model, tokenizer, splits, encoded)
    told = str(caught.value)
    assert f"'{LONG[:60]}...' of {len(encoded['train'][1]['input_ids'])} tokens" in told
    assert "set training.max_length to 50 or less" in told
    try_longest(model, tokenizer, splits, encode(splits, tokenizer, 50).splits)


@pytest.mark.parametrize("buckets", [-1, 16, 256])
def test_relative_positions_are_no_limit(buckets: int) -> None:
    """As DeBERTa-v3 is published, with 256 buckets, of which the first 128 are of one distance."""
    config = AutoConfig.for_model(
        "deberta-v2",
        **SMALL,
        max_position_embeddings=512,
        relative_attention=True,
        position_buckets=buckets,
        pos_att_type=["p2c", "c2p"],
        position_biased_input=False,
        share_att_key=True,
        norm_rel_ebd="layer_norm",
    )
    model = AutoModelForSequenceClassification.from_config(config).eval()  # type: ignore[no-untyped-call]
    assert position_limit(model) is None
    with torch.no_grad():
        assert model(input_ids=torch.full((1, 600), 5)).logits.isfinite().all()


def test_a_model_that_computes_nothing_is_not_told_to_cut_sentences(
    data: DatasetSpec, tmp_path: Path
) -> None:
    """XMOD wants to be told the language; that is its own reason, not the length."""
    words = make_checkpoint("roberta", tmp_path / "words")
    tokenizer = AutoTokenizer.from_pretrained(words)
    config = AutoConfig.for_model(
        "xmod",
        **SMALL | {"vocab_size": len(tokenizer), "max_position_embeddings": 66},
        languages=["en_XX"],
        default_language=None,
    )
    folder = tmp_path / "xmod"
    made: Any = AutoModelForSequenceClassification.from_config(config)  # type: ignore[no-untyped-call]
    made.save_pretrained(folder)
    shutil.copy(words / "tokenizer.json", folder)
    shutil.copy(words / "tokenizer_config.json", folder)
    record = execute(make_job(folder, data, tmp_path)).record
    assert record.status == "failed"
    assert record.reason is not None
    assert "Input language unknown" in record.reason
    assert "max_length" not in record.reason
