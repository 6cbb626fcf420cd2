"""A kept model as others use it: transformers' own loaders, the Hub's reader, `harness predict`."""

import json
import os
import re
import resource
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders.commands import harness
from builders.jobs import execute_ok, file_spec, make_job, sentences, write_rows
from builders.tiny_checkpoints import WORDS, make_checkpoint
from huggingface_hub import ModelCard, ModelCardData
from safetensors.torch import load_file, save_file
from transformers import AutoTokenizer, BertTokenizer, PreTrainedModel, pipeline

from harness.store.records import Record
from harness.training.worker import execute

TEXTS = sentences(48)


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Record, list[float]]:
    """A kept model's folder, its record, and the logits of class 1 less class 0 by row of data."""
    folder = tmp_path_factory.mktemp("kept")
    encoder = make_checkpoint("bert", folder / "encoder")
    data = write_rows(folder / "data.csv", TEXTS, [n % 2 for n in range(len(TEXTS))])
    spec = file_spec(data, 16, 8).model_copy(update={"class_names": ("bad", "good")})
    job = make_job(encoder, spec, folder, keep_model=True, max_length=6)
    record, predictions = execute_ok(job)
    margins = [float("nan")] * len(TEXTS)
    for row in predictions.to_pylist():
        margins[row["idx"]] = row["logit_1"] - row["logit_0"]
    return job.folder / "model", record, margins


def expected(margins: list[float]) -> dict[str, tuple[str, float]]:
    """Label and probability of every predicted sentence: the logistic function of the margin."""
    found = {}
    for text, margin in zip(TEXTS, margins, strict=True):
        if not np.isnan(margin):
            probability = 1 / (1 + np.exp(-abs(margin)))
            found[text] = ("good" if margin > 0 else "bad", probability)
    return found


def test_a_pipeline_gives_the_labels_and_probabilities_that_were_recorded(
    kept: tuple[Path, Record, list[float]],
) -> None:
    folder, _, margins = kept
    classify = pipeline("text-classification", str(folder), device="cpu")
    known = expected(margins)
    assert len(known) == 24
    for text, answer in zip(known, classify(list(known), truncation=True), strict=True):
        label, probability = known[text]
        assert answer["label"] == label
        assert answer["score"] == pytest.approx(probability, abs=1e-5)


def test_its_tokenizer_cuts_where_training_did(kept: tuple[Path, Record, list[float]]) -> None:
    assert AutoTokenizer.from_pretrained(kept[0]).model_max_length == 6


def test_its_card_has_the_records_score(kept: tuple[Path, Record, list[float]]) -> None:
    folder, record, _ = kept
    card = ModelCard.load(folder / "README.md")
    assert record.scores is not None
    assert isinstance(card.data, ModelCardData)
    results = card.data.eval_results or []
    assert results[0].metric_value == record.scores.mcc
    assert results[0].dataset_name == "file data.csv"
    assert results[0].metric_args is not None
    low, high = results[0].metric_args["confidence_interval"]
    assert -1 <= low <= record.scores.mcc <= high <= 1
    assert "95% confidence interval" in card.text
    assert "torch" in card.text


@pytest.mark.parametrize("source", ["arguments", "file", "stdin"])
def test_predict_gives_what_was_recorded_in_the_order_of_the_sentences(
    source: str, kept: tuple[Path, Record, list[float]], tmp_path: Path
) -> None:
    folder, _, margins = kept
    known = expected(margins)
    lines = "".join(f"{text}\n" for text in known)
    (tmp_path / "sentences.txt").write_text(lines, encoding="utf-8")
    arguments = {
        "arguments": list(known),
        "file": ["--file", str(tmp_path / "sentences.txt")],
        "stdin": ["-"],
    }[source]
    options = ("--format", "jsonl", "--batch-size", "5")
    done = harness("predict", str(folder), *arguments, *options, stdin=lines)
    assert done.code == 0, done.err
    answers = [json.loads(line) for line in done.out.splitlines()]
    assert [answer["sentence"] for answer in answers] == list(known)
    for answer, (label, probability) in zip(answers, known.values(), strict=True):
        assert answer["label"] == label
        assert answer["probability"] == pytest.approx(probability, abs=1e-5)
        assert sum(answer["probabilities"].values()) == pytest.approx(1)


def test_tsv_and_text_hold_a_line_a_sentence_whatever_is_in_it(
    kept: tuple[Path, Record, list[float]],
) -> None:
    odd = "the cat\tslept \\ on\nthe chair ."
    done = harness("predict", str(kept[0]), odd, "the dog barked .", "--format", "tsv")
    header, first, second = done.out.splitlines()
    assert header == "label\tprobability\tsentence"
    assert first.split("\t")[2] == r"the cat\tslept \\ on\nthe chair ."
    assert second.split("\t")[2] == "the dog barked ."
    text = harness("predict", str(kept[0]), odd).out
    assert text.count("\n") == 1
    assert r"the cat\tslept" in text


def test_a_folder_without_a_trained_model_is_refused_with_the_way_out(
    kept: tuple[Path, Record, list[float]], tmp_path: Path
) -> None:
    encoder = kept[0].parents[3] / "encoder"
    for folder, expected_text in (
        (tmp_path / "none", "no such folder"),
        (tmp_path, "no model here (no config.json)"),
        (kept[0].parent, f"but in its subfolders: {kept[0]}"),
        (encoder, "without a trained classifier"),
    ):
        done = harness("predict", str(folder), "a sentence .")
        assert done.code == 4, folder
        assert expected_text in done.err
        assert "Traceback" not in done.err


def test_a_model_that_cannot_be_loaded_is_refused_in_a_line(
    kept: tuple[Path, Record, list[float]], tmp_path: Path
) -> None:
    config = json.loads((kept[0] / "config.json").read_bytes())
    changes: dict[str, tuple[dict[str, object], str]] = {
        "unknown": ({"model_type": "nobody-knows"}, "the model cannot be loaded (The check"),
        "unfitting": ({"hidden_size": 48}, "the model cannot be loaded ("),
        "numbers": ({"id2label": {"0": 1, "1": 2}}, "id2label in its config.json is [1, 2]; 2 dif"),
        "escapes": ({"id2label": {"0": "bad", "1": "\x1b[2J"}}, r"['bad', '\x1b[2J']; 2 different"),
        "twice": ({"id2label": {"0": "bad", "1": "bad"}}, "['bad', 'bad']; 2 different names"),
    }
    for name, (change, told) in changes.items():
        folder = tmp_path / name
        shutil.copytree(kept[0], folder)
        (folder / "config.json").write_text(json.dumps({**config, **change}), encoding="utf-8")
        done = harness("predict", str(folder), "a sentence .")
        assert done.code == 4, (name, done.err)
        assert told in done.err, (name, done.err)
        assert "Traceback" not in done.err
        assert "\x1b" not in done.err
        assert done.err.count("\n") == 1, (name, done.err)


def test_an_argument_that_is_not_text_is_refused(kept: tuple[Path, Record, list[float]]) -> None:
    done = harness("predict", str(kept[0]), "one .", os.fsdecode(b"caf\xe9 ."))
    assert done.code == 4
    assert r"sentence 2: 'caf\udce9 .': not UTF-8 text" in done.err
    assert "Traceback" not in done.err


def test_sentences_are_needed_from_one_place_and_none_may_be_empty(
    kept: tuple[Path, Record, list[float]], tmp_path: Path
) -> None:
    assert harness("predict", str(kept[0])).code == 2
    assert harness("predict", str(kept[0]), "one .", "--file", "x.txt").code == 2
    done = harness("predict", str(kept[0]), "-", stdin="one .\n\n  \n")
    assert done.code == 4
    assert "line 2: empty" in done.err
    assert "line 3: empty" in done.err
    missing = harness("predict", str(kept[0]), "--file", str(tmp_path / "none.txt"))
    assert missing.code == 4
    assert "none.txt: cannot be read" in missing.err


# A kept model is read back and compared with its record before it is kept.


def lose_a_layer(folder: Path) -> None:
    change_weights(folder, lambda weights: weights.pop("bert.encoder.layer.1.output.dense.weight"))


def shift_a_weight(folder: Path) -> None:
    name = "bert.encoder.layer.0.output.LayerNorm.bias"
    change_weights(folder, lambda weights: weights[name][:16].add_(1))


def swap_the_head(folder: Path) -> None:
    change_weights(
        folder, lambda weights: weights.update({HEAD: weights[HEAD].flip(0).contiguous()})
    )


def change_weights(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    weights = load_file(folder / "model.safetensors")
    change(weights)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


def change_config(folder: Path, change: dict[str, object], file: str = "config.json") -> None:
    path = folder / file
    path.write_text(json.dumps(json.loads(path.read_bytes()) | change), encoding="utf-8")


def swap_the_names(folder: Path) -> None:
    change_config(folder, {"id2label": {"0": "good", "1": "bad"}})


def forget_the_names(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_bytes())
    for name in ("num_labels", "id2label", "label2id"):
        del config[name]
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")


def cut_further(folder: Path) -> None:
    change_config(folder, {"model_max_length": 4}, "tokenizer_config.json")


def mix_up_the_words(folder: Path) -> None:
    path = folder / "tokenizer.json"
    tokenizer = json.loads(path.read_bytes())
    vocabulary = tokenizer["model"]["vocab"]
    vocabulary |= zip(WORDS, [vocabulary[word] for word in reversed(WORDS)], strict=True)
    path.write_text(json.dumps(tokenizer), encoding="utf-8")


HEAD = "classifier.weight"
DAMAGES: dict[Callable[[Path], None], str] = {
    lose_a_layer: "the kept model cannot be read back: .*the encoder is not loaded",
    shift_a_weight: "read back from its folder, failed verification: for validation sentence",
    swap_the_head: "read back from its folder, failed verification: for validation sentence",
    swap_the_names: r"has the class names \['good', 'bad'\], recorded are \['bad', 'good'\]",
    forget_the_names: r"has the class names \['LABEL_0', 'LABEL_1'\]",
    cut_further: r"a tokenizer that encodes '.*' differently than in training \(attention_mask",
    mix_up_the_words: r"a tokenizer that encodes '.*' differently than in training \(input_ids\)",
}


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_a_model_that_reads_back_otherwise_is_not_kept(
    damage: Callable[[Path], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder = make_checkpoint("bert", tmp_path / "encoder")
    data = write_rows(tmp_path / "data.csv", TEXTS, [n % 2 for n in range(len(TEXTS))])
    spec = file_spec(data, 16, 8).model_copy(update={"class_names": ("bad", "good")})
    job = make_job(encoder, spec, tmp_path, keep_model=True, max_length=6)
    write = BertTokenizer.save_pretrained

    def written_badly(self: BertTokenizer, folder: Path, **others: Any) -> Any:
        """The tokenizer is the last that is written."""
        written = write(self, folder, **others)
        if Path(folder).name == "model":
            damage(Path(folder))
        return written

    monkeypatch.setattr(BertTokenizer, "save_pretrained", written_badly)
    record = execute(job).record
    assert record.status == "failed"
    assert record.reason is not None
    assert re.search(DAMAGES[damage], record.reason)
    assert not list(job.folder.rglob("*.safetensors"))


@pytest.mark.parametrize("writer", [PreTrainedModel, BertTokenizer])
def test_a_model_that_does_not_fit_on_the_disk_costs_no_score(
    writer: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder = make_checkpoint("bert", tmp_path / "encoder")
    data = write_rows(tmp_path / "data.csv", TEXTS, [n % 2 for n in range(len(TEXTS))])
    job = make_job(encoder, file_spec(data, 16, 8), tmp_path, keep_model=True, max_length=6)
    save = writer.save_pretrained

    def on_a_full_disk(self: Any, folder: Path, **others: Any) -> Any:
        if Path(folder).name != "model":
            return save(self, folder, **others)
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (50, hard))
        try:
            return save(self, folder, **others)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    monkeypatch.setattr(writer, "save_pretrained", on_a_full_disk)
    record, _ = execute_ok(job)
    assert not record.model_kept
    (told,) = [line for line in record.warnings if line.startswith("the model was not kept: ")]
    assert "File too large" in told
    assert not list(job.folder.rglob("*.safetensors"))
