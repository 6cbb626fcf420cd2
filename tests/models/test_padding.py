"""A sentence's answer does not depend on what it is padded with, on which side, or beside what."""

import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from builders.jobs import execute_ok, file_spec, make_job, make_settings, sentences, write_rows
from builders.tiny_checkpoints import (
    ARCHITECTURES,
    MAX_LENGTH,
    READING_PADDING,
    SENTENCES,
    make_checkpoint,
)
from datasets import Dataset, DatasetDict
from transformers import (
    AutoConfig,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    BertConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    set_seed,
)

from harness.kept.inference import classify, load
from harness.models.encode import encode
from harness.models.pad_token import ensure_pad_token
from harness.models.padding import TOLERANCE, answers, settle
from harness.store import records
from harness.store.records import PaddingSide, Record
from harness.suite.training import TrainingSpec
from harness.training.loading import load_checkpoint

MIXED = ["the cat slept", "a boat in town", "she reads", *SENTENCES[:4]]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Make each checkpoint once."""
    made: dict[str, Path] = {}

    def folder(architecture: str) -> Path:
        if architecture not in made:
            made[architecture] = make_checkpoint(
                architecture, tmp_path_factory.mktemp(architecture)
            )
        return made[architecture]

    return folder


def changed(
    folder: Path,
    to: Path,
    config: dict[str, Any] | None = None,
    tokenizer: dict[str, Any] | None = None,
) -> Path:
    """Copy a checkpoint with other values in its config.json and tokenizer_config.json."""
    shutil.copytree(folder, to)
    for name, changes in (("config.json", config), ("tokenizer_config.json", tokenizer)):
        content = json.loads((to / name).read_text())
        (to / name).write_text(json.dumps({**content, **(changes or {})}))
    return to


def loaded(folder: Path) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """Load a checkpoint as a run does."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    settings = make_settings(class_names=("bad", "good"))
    return load_checkpoint(str(folder), tokenizer, settings).model, tokenizer


def encoded(tokenizer: PreTrainedTokenizerBase, texts: list[str] | None = None) -> Dataset:
    texts = list(SENTENCES) if texts is None else texts
    rows = Dataset.from_dict({"sentence": texts, "label": [0] * len(texts)})
    return encode(DatasetDict(train=rows), tokenizer, MAX_LENGTH).splits["train"]


def plain(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, texts: list[str]
) -> torch.Tensor:
    """Return the logits of sentences in one batch, by transformers alone."""
    batch = tokenizer(texts, padding=True, return_tensors="pt")
    if model.config.model_type in ("gpt2", "llama", "opt", "nystromformer"):
        batch.pop("token_type_ids", None)
    with torch.no_grad():
        logits: torch.Tensor = model.train(False)(**batch).logits
    return logits


def company_and_alone(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, texts: list[str]
) -> tuple[torch.Tensor, torch.Tensor]:
    alone = [plain(model, tokenizer, [text]) for text in texts]
    return plain(model, tokenizer, texts), torch.cat(alone)


# Measuring


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_ordinary_families_keep_their_side_and_everything_else(
    architecture: str, folders: Callable[[str], Path]
) -> None:
    model, tokenizer = loaded(folders(architecture))
    side = tokenizer.padding_side
    assert side == ("left" if architecture == "xlnet" else "right")
    model.train()
    before = {name: weight.clone() for name, weight in model.state_dict().items()}
    set_seed(7)
    expected = random.random(), np.random.rand(), torch.rand(3).tolist()
    set_seed(7)
    found = settle(model, tokenizer, encoded(tokenizer))
    assert (random.random(), np.random.rand(), torch.rand(3).tolist()) == expected
    assert model.training
    assert model.state_dict().keys() == before.keys()
    for name, weight in model.state_dict().items():
        assert torch.equal(weight, before[name]), name
    assert (found.side, found.tokenizer_side, tokenizer.padding_side) == (side, side, side)
    assert (found.alone, found.shortest) == (False, 1)
    deviation = dict(found.deviations)[cast(PaddingSide, side)]
    assert deviation is not None
    assert deviation <= TOLERANCE
    together, alone = company_and_alone(model, tokenizer, MIXED)
    torch.testing.assert_close(together, alone, rtol=0, atol=1e-4 * float(alone.std()))


@pytest.mark.parametrize("architecture", READING_PADDING)
def test_architectures_that_read_padding_are_found(
    architecture: str, folders: Callable[[str], Path]
) -> None:
    model, tokenizer = loaded(folders(architecture))
    found = settle(model, tokenizer, encoded(tokenizer))
    assert found.alone
    assert found.side == found.tokenizer_side == tokenizer.padding_side == "right"
    assert found.deviations.keys() == {"right", "left"}
    assert all(deviation is None or deviation > 0.05 for deviation in found.deviations.values())
    assert found.shortest == {"funnel": 5, "canine": 4}.get(architecture, 1)
    # The same by transformers alone: what "the cat" is answered depends on its company.
    together, alone = company_and_alone(model, tokenizer, MIXED)
    assert (together - alone).abs().max() > 0.05 * alone.std()


@pytest.mark.parametrize(
    ("architecture", "written", "taken"),
    [
        ("gpt2", "left", "right"),
        ("bert", "left", "right"),
        ("mpnet", "left", "right"),
        ("xlnet", "right", "left"),
    ],
)
def test_the_side_is_the_one_that_answers_do_not_depend_on(
    architecture: str, written: str, taken: str, folders: Callable[[str], Path], tmp_path: Path
) -> None:
    """GPT-2 and BERT count positions from the left end, MPNet reads it, XLNet the right end."""
    folder = changed(folders(architecture), tmp_path / "a", tokenizer={"padding_side": written})
    model, tokenizer = loaded(folder)
    assert tokenizer.padding_side == written
    found = settle(model, tokenizer, encoded(tokenizer))
    assert (found.tokenizer_side, found.side, found.alone) == (written, taken, False)
    together, alone = company_and_alone(model, tokenizer, MIXED)
    torch.testing.assert_close(together, alone, rtol=0, atol=1e-4 * float(alone.std()))
    tokenizer.save_pretrained(tmp_path / "kept")
    assert AutoTokenizer.from_pretrained(tmp_path / "kept").padding_side == taken


def test_a_side_that_the_class_of_tokenizers_has_is_changed_in_its_files_too(
    folders: Callable[[str], Path], tmp_path: Path
) -> None:
    tokenizer = AutoTokenizer.from_pretrained(folders("gpt2"))
    tokenizer.padding_side = "left"  # as a class of its own would, with no word in its files
    assert "padding_side" not in tokenizer.init_kwargs
    model = AutoModelForSequenceClassification.from_pretrained(folders("gpt2"))
    ensure_pad_token(tokenizer, model)
    other = make_tokenizer_with_side(folders("gpt2"), tmp_path / "json")
    assert other.padding_side == "left"
    ensure_pad_token(other, model)
    assert settle(model, other, encoded(other)).side == "right"
    other.save_pretrained(tmp_path / "kept")
    assert AutoTokenizer.from_pretrained(tmp_path / "kept").padding_side == "right"


def make_tokenizer_with_side(folder: Path, to: Path) -> PreTrainedTokenizerBase:
    """Return a tokenizer whose tokenizer.json alone says that it pads on the left."""
    shutil.copytree(folder, to)
    made = AutoTokenizer.from_pretrained(to)
    made.backend_tokenizer.enable_padding(
        direction="left", pad_id=made.eos_token_id, pad_token=made.eos_token
    )
    made.save_pretrained(to)
    again: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(to)
    return again


def classifier(model_type: str, tokenizer: PreTrainedTokenizerBase, **sizes: Any) -> Any:
    config = AutoConfig.for_model(
        model_type,
        **{
            "vocab_size": len(tokenizer),
            "hidden_size": 32,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "num_key_value_heads": 2,
            "intermediate_size": 64,
            "max_position_embeddings": 64,
            "initializer_range": 0.2,
            "pad_token_id": tokenizer.pad_token_id,
            "bos_token_id": None,
            "eos_token_id": tokenizer.eos_token_id,
            **sizes,
        },
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return AutoModelForSequenceClassification.from_config(config)  # type: ignore[no-untyped-call]


def test_relative_positions_leave_a_left_side_as_it_is(folders: Callable[[str], Path]) -> None:
    tokenizer = AutoTokenizer.from_pretrained(folders("bert"), padding_side="left")
    model = classifier("llama", tokenizer)
    ensure_pad_token(tokenizer, model)
    found = settle(model, tokenizer, encoded(tokenizer))
    assert (found.side, found.tokenizer_side, found.alone) == ("left", "left", False)


def test_logits_that_agree_to_five_digits_are_not_taken_for_padding(
    folders: Callable[[str], Path],
) -> None:
    """Fresh weights of 0.02 spread the logits so little that rounding is a part of the spread."""
    tokenizer = AutoTokenizer.from_pretrained(folders("bert"))
    for spread in (0.02, 0.002):
        model = classifier("bert", tokenizer, initializer_range=spread)
        found = settle(model, tokenizer, encoded(tokenizer))
        assert (found.side, found.alone) == ("right", False), spread


def test_one_answer_for_all_sentences_does_not_depend_on_padding(
    folders: Callable[[str], Path],
) -> None:
    tokenizer = AutoTokenizer.from_pretrained(folders("bert"))
    model = classifier("bert", tokenizer)
    model.classifier.weight.data.zero_()
    assert not settle(model, tokenizer, encoded(tokenizer)).alone
    constant = classifier("mra", tokenizer)  # without a GPU its attention is zero
    assert not settle(constant, tokenizer, encoded(tokenizer)).alone


@pytest.mark.parametrize("texts", [["cat"], ["cat", "boat"], ["a tired clerk"] * 5])
def test_data_without_a_longer_sentence_shows_it_too(
    texts: list[str], folders: Callable[[str], Path]
) -> None:
    for architecture, alone in (("fnet", True), ("bert", False)):
        model, tokenizer = loaded(folders(architecture))
        assert settle(model, tokenizer, encoded(tokenizer, texts)).alone == alone


def test_a_tokenizer_that_gives_no_attention_mask_makes_padding_part_of_the_sentence(
    folders: Callable[[str], Path], tmp_path: Path
) -> None:
    names = {"model_input_names": ["input_ids", "token_type_ids"]}
    model, tokenizer = loaded(changed(folders("bert"), tmp_path / "a", tokenizer=names))
    assert settle(model, tokenizer, encoded(tokenizer)).alone


def test_measuring_changes_nothing_in_a_model_that_changes_itself(
    folders: Callable[[str], Path],
) -> None:
    """BigBird gives up its sparse attention at the first batch that is too short for it."""
    tokenizer = AutoTokenizer.from_pretrained(folders("bert"))
    model = classifier("big_bird", tokenizer, attention_type="block_sparse", block_size=4)
    assert not settle(model, tokenizer, encoded(tokenizer)).alone
    assert model.bert.attention_type == "block_sparse"


def test_a_sentence_of_which_the_tokenizer_leaves_nothing_is_no_obstacle(
    folders: Callable[[str], Path],
) -> None:
    model, tokenizer = loaded(folders("bert"))
    invisible = ["\u200d", "\x7f", "\ufe0f"]  # no blanks to Python, and dropped by BERT's tokenizer
    assert all(text.strip() for text in invisible)
    found = settle(model, tokenizer, encoded(tokenizer, [*invisible, *SENTENCES]))
    assert (found.alone, found.side, list(found.deviations)) == (False, "right", ["right"])
    nothing = settle(model, tokenizer, encoded(tokenizer, invisible))
    assert (nothing.deviations, nothing.alone, nothing.side) == ({}, False, "right")


def test_a_model_that_takes_no_sentence_is_left_to_training(
    folders: Callable[[str], Path],
) -> None:
    model: Any
    weights_of_nan: Any
    model, tokenizer = loaded(folders("bert"))
    model.get_submodule("bert.embeddings").position_embeddings = torch.nn.Embedding(1, 32)
    found = settle(model, tokenizer, encoded(tokenizer))
    assert (found.deviations, found.alone, found.side) == ({}, False, "right")
    weights_of_nan, _ = loaded(folders("bert"))
    weights_of_nan.get_parameter("classifier.weight").data.fill_(float("nan"))
    assert not settle(weights_of_nan, tokenizer, encoded(tokenizer)).alone


@pytest.mark.parametrize("architecture", ["gpt2", "llama"])
@pytest.mark.parametrize("side", ["left", "right"])
def test_an_end_of_text_at_a_sentence_s_end_is_no_padding_in_company(
    architecture: str, side: str, folders: Callable[[str], Path]
) -> None:
    """These heads read the last token that is not the pad token, which is the end of text."""
    tokenizer = AutoTokenizer.from_pretrained(folders("gpt2"), padding_side=side)
    model = loaded(folders("gpt2"))[0] if architecture == "gpt2" else classifier("llama", tokenizer)
    ensure_pad_token(tokenizer, model)
    settle(model, tokenizer, encoded(tokenizer))
    end = tokenizer.eos_token
    assert tokenizer.pad_token == end
    texts = [*MIXED, f"the cat{end}", f"the cat{end}{end}", f"{end}", f"{SENTENCES[0]}{end}"]
    together, alone = company_and_alone(model, tokenizer, texts)
    torch.testing.assert_close(together, alone, rtol=0, atol=1e-4 * float(alone.std()))


@pytest.mark.parametrize("architecture", [*READING_PADDING, "gpt2"])
def test_answers_are_those_of_each_sentence_alone(
    architecture: str, folders: Callable[[str], Path]
) -> None:
    model, tokenizer = loaded(folders(architecture))
    model.train(False)
    texts = [*MIXED, *sentences(12), "cat", "a"]
    rows = encoded(tokenizer, texts).remove_columns("label")
    one_by_one = torch.cat(
        [answers(model, tokenizer, rows.select([place]), 1) for place in range(len(texts))]
    )
    tolerance = 1e-4 * float(one_by_one.std())
    for size in (1, 3, 64):
        found = answers(model, tokenizer, rows, size)
        torch.testing.assert_close(found, one_by_one, rtol=0, atol=tolerance)
    backwards = answers(model, tokenizer, rows.select(range(len(texts))[::-1]), 5)
    torch.testing.assert_close(backwards.flip(0), one_by_one, rtol=0, atol=tolerance)
    long = [place for place, text in enumerate(texts) if len(text.split()) > 2]
    by_transformers = torch.cat([plain(model, tokenizer, [texts[place]]) for place in long])
    torch.testing.assert_close(one_by_one[long], by_transformers, rtol=0, atol=tolerance)


# Runs


def run(
    checkpoint: Path, folder: Path, **training: Any
) -> tuple[Record, np.ndarray, Path, list[str]]:
    """Train on a small file; return record, validation and test logits, kept model, sentences."""
    texts = sentences(44)
    labels = [int(number % 5 < 3) for number in range(len(texts))]
    folder.mkdir(parents=True, exist_ok=True)
    data = file_spec(write_rows(folder / "rows.csv", texts, labels), 16, 12)
    job = make_job(checkpoint, data, folder, batch_size=8, keep_model=True, **training)
    record, predictions = execute_ok(job)
    logits = np.stack([predictions["logit_0"].to_numpy(), predictions["logit_1"].to_numpy()], 1)
    return record, logits, job.folder / "model", [texts[n] for n in predictions["idx"].to_pylist()]


def assert_kept_model_answers_as_recorded(kept: Path, logits: np.ndarray, texts: list[str]) -> None:
    kept_model = load(kept, "cpu")
    expected = torch.from_numpy(logits).softmax(dim=1)[:, 1].tolist()
    for asked, size in ((texts, 64), (texts, 1), (texts[:1], 64), (texts[::-1], 7)):
        known = dict(zip(texts, expected, strict=True))
        for answer in classify(kept_model, asked, size):
            probability = answer.probabilities["acceptable"]
            assert probability == pytest.approx(known[answer.sentence], abs=1e-5)


def test_gpt2_that_pads_left_is_trained_and_kept_padding_right(
    folders: Callable[[str], Path], tmp_path: Path
) -> None:
    right = folders("gpt2")
    left = changed(right, tmp_path / "left", tokenizer={"padding_side": "left"})
    record, logits, kept, texts = run(left, tmp_path / "one", eval_batch_size=1)
    again, others, _, _ = run(left, tmp_path / "many", eval_batch_size=64)
    plainly, expected, _, _ = run(right, tmp_path / "right", eval_batch_size=64)
    np.testing.assert_allclose(logits, others, atol=1e-5)
    np.testing.assert_array_equal(others, expected)
    assert record.scores == again.scores == plainly.scores
    assert record.padding is not None
    assert (record.padding.tokenizer_side, record.padding.side) == ("left", "right")
    assert any("pads on the left" in warning for warning in record.warnings)
    assert plainly.padding is not None
    assert (plainly.padding.tokenizer_side, plainly.padding.alone) == ("right", False)
    assert not any("pad" in warning for warning in plainly.warnings)
    assert "sorted-evaluation" in (record.speedups or ())
    assert AutoTokenizer.from_pretrained(kept).padding_side == "right"
    assert_kept_model_answers_as_recorded(kept, logits, texts)


@pytest.mark.parametrize("architecture", ["fnet", "convbert", "nystromformer"])
@pytest.mark.long
def test_a_run_of_a_model_that_reads_padding_evaluates_each_sentence_alone(
    architecture: str, folders: Callable[[str], Path], tmp_path: Path
) -> None:
    checkpoint = folders(architecture)
    record, logits, kept, texts = run(checkpoint, tmp_path / "one", eval_batch_size=1)
    again, others, _, _ = run(
        checkpoint, tmp_path / "many", eval_batch_size=64, batching="length-grouped"
    )
    # Speed-ups of training add in another order: those of the first run, but without sorting.
    unsorted = tuple(name for name in TrainingSpec().speedups if name != "sorted-evaluation")
    plainly, expected, _, _ = run(
        checkpoint, tmp_path / "plain", eval_batch_size=64, speedups=unsorted
    )
    np.testing.assert_allclose(logits, expected, atol=1e-6)
    assert record.scores == plainly.scores
    assert record.scores_test == plainly.scores_test
    assert again.padding is not None
    assert others.shape == logits.shape
    assert record.padding is not None
    assert record.padding.alone
    assert "sorted-evaluation" in record.training.speedups
    assert record.speedups is not None
    assert "sorted-evaluation" not in record.speedups
    assert any("each sentence was evaluated alone" in warning for warning in record.warnings)
    assert_kept_model_answers_as_recorded(kept, logits, texts)


@pytest.mark.parametrize("architecture", ["funnel", "canine", "mobilebert"])
@pytest.mark.long
def test_a_model_that_takes_no_short_sentence_is_trained_and_answers_them(
    architecture: str, folders: Callable[[str], Path], tmp_path: Path
) -> None:
    record, logits, kept, texts = run(
        folders(architecture), tmp_path / "a", eval_batch_size=64, speedups=("sorted-evaluation",)
    )
    assert record.padding is not None
    assert record.padding.alone
    assert record.speedups == ()
    assert_kept_model_answers_as_recorded(kept, logits, texts)
    kept_model = load(kept, "cpu")
    (alone,) = classify(kept_model, ["a"], 64)
    together = list(classify(kept_model, ["a", *texts, "cat"], 64))
    assert together[0].probabilities == pytest.approx(alone.probabilities, abs=1e-6)


def test_a_record_without_padding_reads_and_writes_as_before(
    folders: Callable[[str], Path], tmp_path: Path
) -> None:
    record, _, _, _ = run(folders("bert"), tmp_path / "a")
    assert record.padding == records.Padding.model_validate(record.padding)
    written = record.model_dump_json()
    assert Record.model_validate_json(written) == record
    old = json.loads(written)
    del old["padding"]
    read = Record.model_validate(old | {"training": record.training}, strict=False)
    assert read.padding is None
    assert "padding" not in json.loads(read.model_dump_json())


# The pad token


KIN: dict[str, dict[str, Any]] = {
    "roberta": {},
    "mpnet": {},
    "xlm-roberta": {"model_type": "xlm-roberta", "architectures": ["XLMRobertaModel"]},
    "camembert": {"model_type": "camembert", "architectures": ["CamembertModel"]},
}


@pytest.mark.parametrize("family", KIN)
@pytest.mark.parametrize("pad", ["</s>", None, "<mask>"])
def test_models_that_count_positions_from_their_pad_token_keep_it(
    family: str, pad: str | None, folders: Callable[[str], Path], tmp_path: Path
) -> None:
    base = folders("mpnet" if family == "mpnet" else "roberta")
    folder = changed(base, tmp_path / "a", KIN[family], {"pad_token": pad})
    declared = AutoConfig.from_pretrained(folder).pad_token_id
    model, tokenizer = loaded(folder)
    assert tokenizer.pad_token_id == model.config.pad_token_id == declared == 1
    assert tokenizer.pad_token == "<pad>"
    assert_reads_again_as_it_is(model, tokenizer, tmp_path / "kept")


def assert_reads_again_as_it_is(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, folder: Path
) -> None:
    expected, alone = company_and_alone(model, tokenizer, MIXED)
    torch.testing.assert_close(expected, alone, rtol=0, atol=1e-4 * float(alone.std()))
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    again = AutoModelForSequenceClassification.from_pretrained(folder)
    other = AutoTokenizer.from_pretrained(folder)
    assert other(MIXED)["input_ids"] == tokenizer(MIXED)["input_ids"]
    assert torch.equal(plain(again, other, MIXED), expected)


@pytest.mark.parametrize("pad", ["[PAD]", "[SEP]", None])
@pytest.mark.parametrize("declared", [0, 3, None, 146, 10**6])
def test_bert_reads_again_as_it_is_whatever_pads_it(
    pad: str | None, declared: int | None, folders: Callable[[str], Path], tmp_path: Path
) -> None:
    """Number 146 is a word, 10**6 no token at all."""
    folder = changed(
        folders("bert"), tmp_path / "a", {"pad_token_id": declared}, {"pad_token": pad}
    )
    model, tokenizer = loaded(folder)
    assert tokenizer.pad_token_id is not None
    assert model.config.pad_token_id == tokenizer.pad_token_id
    if declared in (0, 3):
        assert tokenizer.pad_token_id == declared
    assert_reads_again_as_it_is(model, tokenizer, tmp_path / "kept")


@pytest.mark.parametrize("declared", [None, 10**6, 2, 5])
def test_roberta_reads_again_as_it_is_whatever_its_configuration_names(
    declared: int | None, folders: Callable[[str], Path], tmp_path: Path
) -> None:
    folder = changed(folders("roberta"), tmp_path / "a", {"pad_token_id": declared})
    model, tokenizer = loaded(folder)
    # None and a number that is no token say nothing of the positions: the tokenizer's is taken.
    kept = declared if declared in (2, 5) else 1
    assert model.config.pad_token_id == kept
    assert tokenizer.pad_token_id == (2 if declared == 2 else 1)
    assert_reads_again_as_it_is(model, tokenizer, tmp_path / "kept")


@pytest.mark.parametrize("declared", [None, 0, 434, 10**6])
@pytest.mark.parametrize("pad", ["<|endoftext|>", None])
def test_gpt2_reads_again_as_it_is(
    declared: int | None, pad: str | None, folders: Callable[[str], Path], tmp_path: Path
) -> None:
    """A head that reads the last token must not find it in the padding."""
    folder = changed(
        folders("gpt2"), tmp_path / "a", {"pad_token_id": declared}, {"pad_token": pad}
    )
    model, tokenizer = loaded(folder)
    assert tokenizer.pad_token == "<|endoftext|>"
    assert model.config.pad_token_id == tokenizer.pad_token_id
    assert_reads_again_as_it_is(model, tokenizer, tmp_path / "kept")


@pytest.mark.parametrize(
    ("config", "tokenizer"),
    [
        ({}, {"pad_token": "</s>"}),
        ({}, {"pad_token": None}),
        ({"pad_token_id": 5}, {}),  # a word's number, which Trainer would replace
    ],
)
def test_a_run_of_roberta_keeps_a_model_that_answers_as_recorded(
    config: dict[str, Any],
    tokenizer: dict[str, Any],
    folders: Callable[[str], Path],
    tmp_path: Path,
) -> None:
    checkpoint = changed(folders("roberta"), tmp_path / "a", config, tokenizer)
    _, logits, kept, texts = run(checkpoint, tmp_path / "run", eval_batch_size=64)
    declared = json.loads((kept / "config.json").read_text())["pad_token_id"]
    assert declared == config.get("pad_token_id", 1)
    assert_kept_model_answers_as_recorded(kept, logits, texts)


def test_a_pad_token_without_a_row_of_embeddings_is_not_taken(
    folders: Callable[[str], Path], tmp_path: Path
) -> None:
    tokenizer = AutoTokenizer.from_pretrained(folders("gpt2"))
    tokenizer.add_special_tokens({"pad_token": "[PAD]"})
    model = AutoModelForSequenceClassification.from_pretrained(folders("gpt2"))
    rows = model.get_input_embeddings().num_embeddings
    assert tokenizer.pad_token_id == rows
    ensure_pad_token(tokenizer, model)
    assert model.config.pad_token_id == tokenizer.pad_token_id == tokenizer.eos_token_id
    assert model.get_input_embeddings().num_embeddings == rows
    assert_reads_again_as_it_is(model, tokenizer, tmp_path)


def test_an_end_of_text_that_a_head_looks_for_is_not_padded_with(
    folders: Callable[[str], Path],
) -> None:
    tokenizer = AutoTokenizer.from_pretrained(folders("roberta"))
    model = classifier(
        "bart",
        tokenizer,
        pad_token_id=tokenizer.eos_token_id,
        d_model=32,
        encoder_layers=1,
        decoder_layers=1,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=64,
        decoder_ffn_dim=64,
    )
    ensure_pad_token(tokenizer, model)
    assert tokenizer.pad_token_id == model.config.pad_token_id == 1
    assert not settle(model, tokenizer, encoded(tokenizer)).alone


def test_embeddings_that_are_no_plain_table_are_left_alone(
    folders: Callable[[str], Path], tmp_path: Path
) -> None:
    """I-BERT's are quantized, Perceiver's inputs have none of this name, CANINE has none."""
    bare = changed(
        folders("roberta"), tmp_path / "a", tokenizer={"pad_token": None, "eos_token": None}
    )
    tokenizer = AutoTokenizer.from_pretrained(bare)
    quantized = classifier("ibert", tokenizer, pad_token_id=1)
    ensure_pad_token(tokenizer, quantized)
    assert tokenizer.pad_token_id == quantized.config.pad_token_id == 1

    other = AutoTokenizer.from_pretrained(bare)
    nameless = classifier("ibert", other, pad_token_id=40)
    ensure_pad_token(other, nameless)
    assert other.pad_token_id in other.all_special_ids
    assert len(other) == len(AutoTokenizer.from_pretrained(bare))
    assert nameless.config.pad_token_id == 40  # positions count from it

    sizes = {
        "d_model": 32,
        "d_latents": 32,
        "num_latents": 4,
        "num_blocks": 1,
        "num_self_attends_per_block": 1,
        "num_self_attention_heads": 2,
        "num_cross_attention_heads": 2,
    }
    third = AutoTokenizer.from_pretrained(bare)
    perceiver = classifier("perceiver", third, pad_token_id=None, **sizes)
    ensure_pad_token(third, perceiver)
    assert third.pad_token_id is not None
    assert third.pad_token_id < len(AutoTokenizer.from_pretrained(bare))


def test_a_word_is_never_made_a_pad_token(folders: Callable[[str], Path], tmp_path: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(folders("bert"))
    word = cast(int, tokenizer.convert_tokens_to_ids("the"))
    before = tokenizer("then the other")["input_ids"]
    model = AutoModelForSequenceClassification.from_config(  # type: ignore[no-untyped-call]
        BertConfig(
            vocab_size=len(tokenizer),
            hidden_size=32,
            num_hidden_layers=1,
            num_attention_heads=2,
            intermediate_size=32,
            pad_token_id=word,
        )
    )
    ensure_pad_token(tokenizer, model)
    assert tokenizer.pad_token == "[PAD]"
    tokenizer.save_pretrained(tmp_path)
    assert AutoTokenizer.from_pretrained(tmp_path)("then the other")["input_ids"] == before
