"""Families with something of their own: trained, scored and kept, or failed with a reason."""

import functools
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
import transformers
from builders.further_families import FURTHER, make_further
from builders.jobs import execute_ok, file_spec, make_job, sentences, write_rows
from builders.tiny_checkpoints import make_checkpoint
from datasets import Dataset, DatasetDict
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, AutoModelForSequenceClassification, AutoTokenizer
from transformers.models.auto.modeling_auto import MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES

from harness.kept import inference
from harness.models import sentence_end
from harness.models.configuration import read_configuration
from harness.suite.spec import DatasetSpec
from harness.training.job import Result
from harness.training.speedups.layers import find_encoder
from harness.training.speedups.vocabulary import trim
from harness.training.worker import execute

ROWS = 48
TEXTS = sentences(ROWS)
LABELS = [int(number * 7 % 13 < 7) for number in range(ROWS)]


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Return the folder of a tiny checkpoint, made when it is first asked for."""
    root = tmp_path_factory.mktemp("checkpoints")

    def made(family: str) -> Path:
        folder = root / family
        make = make_further if family in FURTHER else make_checkpoint
        return folder if folder.exists() else make(family, folder)

    return made


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> DatasetSpec:
    path = write_rows(tmp_path_factory.mktemp("data") / "rows.csv", TEXTS, LABELS)
    return file_spec(path, 16, 8)


def changed(checkpoint: Path, folder: Path, settings: dict[str, Any]) -> Path:
    """Copy a checkpoint with other settings in its config.json."""
    shutil.copytree(checkpoint, folder)
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | settings))
    return folder


def reason(result: Result) -> str:
    assert result.record.status == "failed"
    assert result.record.reason is not None
    return result.record.reason


# The best epoch, read from Trainer's folder.

# Files hold their weights under other names or in other shapes than the model has them.
CONVERTED = ("nomic_bert", "gte", "jina_embeddings_v3", "esm", "mixtral", "qwen2_moe")


@pytest.mark.parametrize("family", CONVERTED)
def test_the_best_epoch_is_read_whole_and_the_kept_model_gives_what_was_recorded(
    family: str, checkpoint: Callable[[str], Path], rows: DatasetSpec, tmp_path: Path
) -> None:
    training: dict[str, Any] = {"epochs": 4, "learning_rate": 3e-3, "speedups": ()}
    job = make_job(checkpoint(family), rows, tmp_path, keep_model=True, **training)
    record, predictions = execute_ok(job)
    assert record.selected_epoch != 4, "the last epoch is the best, so this test could not tell"
    folder = job.folder / "model"
    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    for row in predictions.to_pylist():
        with torch.no_grad():
            logits = model(**tokenizer(TEXTS[row["idx"]], return_tensors="pt")).logits[0]
        assert logits.tolist() == pytest.approx([row["logit_0"], row["logit_1"]], abs=1e-4)


def test_a_part_of_the_vocabulary_is_read_from_disk_too(
    checkpoint: Callable[[str], Path], rows: DatasetSpec, tmp_path: Path
) -> None:
    for family in ("roberta", "deberta-v2"):
        job = make_job(
            checkpoint(family),
            rows,
            tmp_path / family,
            epochs=2,
            keep_model=True,
            speedups=("used-vocabulary",),
        )
        record, _ = execute_ok(job)
        assert record.speedups == ("used-vocabulary",)


@pytest.mark.parametrize("speedups", [(), ("memory-checkpoint", "sorted-evaluation")])
def test_a_family_whose_answers_depend_on_padding_is_proven_beside_the_same_sentences(
    speedups: tuple[str, ...],
    checkpoint: Callable[[str], Path],
    rows: DatasetSpec,
    tmp_path: Path,
) -> None:
    training: dict[str, Any] = {"epochs": 2, "eval_batch_size": 5, "speedups": speedups}
    record, _ = execute_ok(
        make_job(checkpoint("fnet"), rows, tmp_path, keep_model=True, **training)
    )
    assert not [told for told in record.warnings if "does not read its input" in told]


def test_a_model_evaluated_in_half_precision_is_kept(
    checkpoint: Callable[[str], Path], rows: DatasetSpec, tmp_path: Path
) -> None:
    job = make_job(checkpoint("bert"), rows, tmp_path, keep_model=True, precision="bf16")
    execute_ok(job)
    assert (job.folder / "model" / "model.safetensors").exists()


# Class names.


@pytest.mark.parametrize(
    ("family", "names"),
    [
        ("bart", ("LABEL_0", "LABEL_1")),
        ("bart", ("LABEL_1", "LABEL_0")),
        ("qwen3_5", ("LABEL_0", "LABEL_1")),
        ("distilbert", ("LABEL_0", "LABEL_1")),
        ("bert", ("no", "yes")),
    ],
    ids=str,
)
def test_a_kept_model_names_its_two_classes_whatever_they_are_called(
    family: str,
    names: tuple[str, str],
    checkpoint: Callable[[str], Path],
    rows: DatasetSpec,
    tmp_path: Path,
) -> None:
    named = write_rows(tmp_path / "named.csv", TEXTS, [names[label] for label in LABELS])
    spec = rows.model_copy(update={"path": str(named), "class_names": names})
    job = make_job(checkpoint(family), spec, tmp_path, keep_model=True)
    execute_ok(job)
    folder = job.folder / "model"
    written = json.loads((folder / "config.json").read_text())
    assert written["num_labels"] == 2
    assert written["id2label"] == {"0": names[0], "1": names[1]}
    assert written["label2id"] == {names[0]: 0, names[1]: 1}
    config = AutoConfig.from_pretrained(folder)
    assert config.num_labels == 2
    assert config.id2label == dict(enumerate(names))
    (answer,) = inference.classify(inference.load(folder, "cpu"), ["the cat slept ."], 8)
    assert set(answer.probabilities) == set(names)


# Labels that forward does not name.


def test_qwen3_5_is_scored(
    checkpoint: Callable[[str], Path], rows: DatasetSpec, tmp_path: Path
) -> None:
    record, predictions = execute_ok(make_job(checkpoint("qwen3_5"), rows, tmp_path, epochs=2))
    assert None not in [epoch.eval_loss for epoch in record.epochs]
    assert len({row["logit_1"] for row in predictions.to_pylist()}) == 24


# Speed-ups ask for the family before anything else.


class OnlyFamily:
    """A model of which nothing may be asked but its family."""

    def __init__(self, model_type: str) -> None:
        self.config = type("Config", (), {"model_type": model_type})()


def test_speedups_ask_a_family_that_they_do_not_know_for_nothing() -> None:
    known = {"albert", "bert", "camembert", "deberta-v2", "distilbert", "electra", "mpnet"}
    known |= {"roberta", "xlm-roberta"}
    families = set(MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES)
    assert len(families) > 120
    assert known < families
    for family in families - known:
        model: Any = OnlyFamily(family)
        assert find_encoder(model) is None
        assert trim(model, DatasetDict()) is None


@pytest.mark.parametrize("family", ["canine", "nomic_bert", "t5"])
@pytest.mark.long
def test_families_without_speedups_of_their_own_train_with_the_defaults(
    family: str, checkpoint: Callable[[str], Path], rows: DatasetSpec, tmp_path: Path
) -> None:
    record, _ = execute_ok(make_job(checkpoint(family), rows, tmp_path, keep_model=True))
    for_any_family = {"compiled-optimizer", "kept-memory", "memory-checkpoint", "sorted-evaluation"}
    assert set(record.speedups or ()) <= for_any_family


# Settings of config.json.


PLAIN = {
    "output_attentions": False,
    "output_hidden_states": False,
    "return_dict": True,
    "torchscript": False,
    "chunk_size_feed_forward": 0,
}


@pytest.fixture(scope="module")
def plain(
    checkpoint: Callable[[str], Path], rows: DatasetSpec, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], pa.Table]:
    """Return what an unchanged checkpoint of a family predicts, once it has been trained."""

    @functools.cache
    def predictions(family: str) -> pa.Table:
        return execute_ok(make_job(checkpoint(family), rows, tmp_path_factory.mktemp(family)))[1]

    return predictions


@pytest.mark.parametrize(
    ("family", "settings"),
    [
        ("bert", {"output_attentions": True}),
        ("bert", {"output_hidden_states": True, "torchscript": True}),
        ("bert", {"return_dict": False}),
        ("bert", {"chunk_size_feed_forward": 3, "problem_type": "regression"}),
        ("gpt2", {"output_attentions": True}),
        ("gpt2", {"return_dict": False, "output_hidden_states": True}),
        ("bart", {"output_attentions": True, "return_dict": False}),
    ],
    ids=str,
)
def test_settings_that_do_not_change_the_logits_change_nothing(
    family: str,
    settings: dict[str, Any],
    checkpoint: Callable[[str], Path],
    plain: Callable[[str], pa.Table],
    rows: DatasetSpec,
    tmp_path: Path,
) -> None:
    folder = changed(checkpoint(family), tmp_path / "changed", settings)
    job = make_job(folder, rows, tmp_path, keep_model=True)
    record, predictions = execute_ok(job)
    assert predictions.equals(plain(family))
    assert "packing" in (record.speedups or ()) or family != "bert"
    kept = json.loads((job.folder / "model" / "config.json").read_text())
    assert {name: kept.get(name, value) for name, value in PLAIN.items()} == PLAIN
    classifier = inference.load(job.folder / "model", "cpu")
    texts = [TEXTS[row["idx"]] for row in predictions.to_pylist()]
    answers = inference.classify(classifier, texts, 8)
    for row, answer in zip(predictions.to_pylist(), answers, strict=True):
        expected = np.exp([row["logit_0"], row["logit_1"]])
        found = list(answer.probabilities.values())
        assert found == pytest.approx(expected / expected.sum(), abs=1e-4)


def test_settings_inside_a_configuration_are_plain_too(
    checkpoint: Callable[[str], Path], tmp_path: Path
) -> None:
    text = json.loads((checkpoint("qwen3_5") / "config.json").read_text())["text_config"]
    text |= {"output_hidden_states": True, "return_dict": False, "output_attentions": True}
    folder = changed(checkpoint("qwen3_5"), tmp_path / "inner", {"text_config": text})
    inner: Any = read_configuration(str(folder)).get_text_config()
    assert not inner.output_hidden_states
    assert not inner.output_attentions
    assert inner.return_dict


@pytest.mark.parametrize(
    ("family", "setting"),
    [
        ("bert", "is_decoder"),
        ("roberta", "is_decoder"),
        ("electra", "is_decoder"),
        ("esm", "is_decoder"),
        ("bert", "add_cross_attention"),
    ],
)
def test_an_encoder_that_would_read_as_a_decoder_is_refused(
    family: str,
    setting: str,
    checkpoint: Callable[[str], Path],
    rows: DatasetSpec,
    tmp_path: Path,
) -> None:
    settings = {"is_decoder": True, setting: True}
    folder = changed(checkpoint(family), tmp_path / "decoder", settings)
    told = reason(execute(make_job(folder, rows, tmp_path)))
    assert told.startswith("config.json of the checkpoint sets is_decoder")
    assert setting in told
    assert "set false if the weights are an encoder's" in told


def test_decoders_and_pairs_of_encoder_and_decoder_may_say_so(
    checkpoint: Callable[[str], Path], rows: DatasetSpec, tmp_path: Path
) -> None:
    for family in ("gpt2", "bart"):
        folder = changed(checkpoint(family), tmp_path / family, {"is_decoder": True})
        execute_ok(make_job(folder, rows, tmp_path / "runs"))


# Heads that read the end token.

HEADS = ("bart", "mbart", "plbart", "mvp", "t5", "mt5", "umt5")


def test_every_family_whose_head_counts_end_tokens_is_known() -> None:
    models = Path(transformers.__file__).parent / "models"
    found = {
        source.parent.name
        for source in models.glob("*/modeling_*.py")
        if "number of <eos> tokens" in source.read_text(encoding="utf-8")
    }
    assert found & set(MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES) == set(
        sentence_end.FAMILIES
    )
    assert set(HEADS) < set(sentence_end.FAMILIES)


@pytest.mark.parametrize("family", HEADS)
def test_an_end_token_inside_a_sentence_is_found_before_training(
    family: str, checkpoint: Callable[[str], Path], tmp_path: Path
) -> None:
    texts = [*TEXTS]
    texts[5] = "the cat </s> slept"
    texts[30] = "the dog barked and " * 5 + "a bird </s> in the </s> tall tree and the cat slept"
    spec = file_spec(write_rows(tmp_path / "rows.csv", texts, LABELS), 12)
    job = make_job(checkpoint(family), spec, tmp_path)
    told = reason(execute(job))
    assert told.startswith("remove '</s>' (id 2) from the text: the head of " + family)
    assert "in train, 'the cat </s> slept' has 2" in told
    assert "in train, '... rked and a bird </s> in the </s> tall tr ...' has 3" in told
    assert "step" not in (job.folder / "log.txt").read_text()


def test_sentences_that_all_hold_the_same_number_of_end_tokens_can_be_read(
    checkpoint: Callable[[str], Path], tmp_path: Path
) -> None:
    texts = [f"{text} </s> the cat" for text in TEXTS]
    spec = file_spec(write_rows(tmp_path / "rows.csv", texts, LABELS), 12)
    execute_ok(make_job(checkpoint("bart"), spec, tmp_path))


def test_other_families_may_have_end_tokens_anywhere(
    checkpoint: Callable[[str], Path], tmp_path: Path
) -> None:
    texts = [*TEXTS]
    texts[5] = "the cat </s> slept"
    spec = file_spec(write_rows(tmp_path / "rows.csv", texts, LABELS), 12)
    execute_ok(make_job(checkpoint("roberta"), spec, tmp_path))


def problem_of(folder: Path, tokenizer: Any, ids: list[list[int]]) -> str | None:
    sentences_ = DatasetDict(train=Dataset.from_dict({"sentence": ["a cat"] * len(ids)}))
    encoded = DatasetDict(train=Dataset.from_dict({"input_ids": ids}))
    config = AutoConfig.from_pretrained(folder)
    return sentence_end.problem(config, tokenizer, sentences_, encoded)


def test_padding_with_the_end_token_and_sentences_without_one_are_told(
    checkpoint: Callable[[str], Path],
) -> None:
    folder = checkpoint("bart")
    tokenizer = AutoTokenizer.from_pretrained(folder)
    assert problem_of(folder, tokenizer, [[0, 9, 2], [0, 9, 9, 2]]) is None
    missing = problem_of(folder, tokenizer, [[0, 9], [0, 9, 9]])
    assert missing is not None
    assert missing.startswith("the tokenizer ends no sentence with '</s>' (id 2)")
    many = problem_of(folder, tokenizer, [[0, 9, 2]] * 5 + [[0, 2, 2]] * 4)
    assert many is not None
    assert many.endswith("in train, 'a cat' has 2; and 2 more")
    tokenizer.pad_token = tokenizer.eos_token
    padded = problem_of(folder, tokenizer, [[0, 9, 2], [0, 9, 9, 2]])
    assert padded is not None
    assert padded.startswith("the tokenizer pads with '</s>' (id 2)")


# Reasons of transformers, and a model that is deaf here.


def test_reformer_fails_with_the_reason_of_transformers(
    checkpoint: Callable[[str], Path], rows: DatasetSpec, tmp_path: Path
) -> None:
    told = reason(execute(make_job(checkpoint("reformer"), rows, tmp_path)))
    assert told.startswith("ValueError: If training, make sure that config.axial_pos_shape factors")


def test_xmod_fails_with_the_reason_of_transformers(
    checkpoint: Callable[[str], Path], rows: DatasetSpec, tmp_path: Path
) -> None:
    told = reason(execute(make_job(checkpoint("xmod"), rows, tmp_path)))
    assert told.startswith("ValueError: Input language unknown.")
    folder = changed(checkpoint("xmod"), tmp_path / "told", {"default_language": "en_XX"})
    execute_ok(make_job(folder, rows, tmp_path))


@pytest.mark.skipif(torch.cuda.is_available(), reason="its attention works with CUDA")
def test_mra_is_not_told_to_learn_longer(
    checkpoint: Callable[[str], Path], rows: DatasetSpec, tmp_path: Path
) -> None:
    record, predictions = execute_ok(make_job(checkpoint("mra"), rows, tmp_path, epochs=3))
    # Up to rounding, which differs between shapes of a batch on some processors.
    assert np.ptp([row["logit_1"] for row in predictions.to_pylist()]) < 1e-5
    first, *others = record.warnings
    assert first.startswith("every validation sentence got the same logits, before training too")
    assert "does not read its input" in first
    assert not [told for told in others if "learning rate" in told]


def test_a_checkpoint_whose_encoder_is_constant_is_told(
    checkpoint: Callable[[str], Path], rows: DatasetSpec, tmp_path: Path
) -> None:
    folder = changed(checkpoint("bert"), tmp_path / "constant", {})
    weights = load_file(folder / "model.safetensors")
    weights["encoder.layer.1.output.LayerNorm.weight"].zero_()
    weights["encoder.layer.1.output.LayerNorm.bias"].fill_(0.5)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    record, _ = execute_ok(make_job(folder, rows, tmp_path, learning_rate=1e-9))
    assert "does not read its input" in record.warnings[0]
