"""`harness predict` where something fails: one line and an exit code, whatever a model raises."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from builders.commands import ROOT, Done, harness
from builders.tiny_checkpoints import SENTENCES, make_checkpoint, make_classifier
from safetensors.torch import load_file, save_file
from transformers import (
    AutoTokenizer,
    FunnelConfig,
    FunnelForSequenceClassification,
)

pytestmark = pytest.mark.sessions

SENTENCE = "the cat slept on the chair ."


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of two classes in the form of a kept one."""
    return make_classifier(tmp_path_factory.mktemp("model"))


@pytest.fixture
def changed(model: Path, tmp_path: Path) -> Callable[..., Path]:
    """Copy the model with other values in its config.json."""

    def change(**values: Any) -> Path:
        folder = Path(shutil.copytree(model, tmp_path / f"model-{len(list(tmp_path.iterdir()))}"))
        config = json.loads((folder / "config.json").read_bytes())
        (folder / "config.json").write_text(json.dumps({**config, **values}))
        return folder

    return change


def assert_one_line(done: Done, *parts: str) -> None:
    assert done.code == 4, (done.out, done.err)
    assert done.out == ""
    assert done.err.count("\n") == 1, done.err
    assert "Traceback" not in done.err
    for part in parts:
        assert part in done.err


def own_process(
    *arguments: str, setup: str = "", stdin: str = "", **options: Any
) -> subprocess.Popen[str]:
    """Start `harness` in a process of its own, after some setup."""
    program = f"{setup}\nimport sys, harness.cli\nharness.cli.main()"
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1"}
    return subprocess.Popen(
        [sys.executable, "-c", program, *arguments],
        cwd=ROOT,
        env=environment | options.pop("env", {}),
        text=True,
        stdin=subprocess.PIPE,
        **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options},
    )


@pytest.mark.parametrize(
    "settings",
    [
        {"return_dict": False},
        {"output_attentions": True},
        {"output_hidden_states": True, "return_dict": False},
        {"output_attentions": True, "output_hidden_states": True},
        {"use_cache": True, "task_specific_params": {"x": 1}},
    ],
    ids=lambda settings: "-".join(settings),
)
def test_what_else_a_model_returns_changes_no_answer(
    settings: dict[str, object], model: Path, changed: Callable[..., Path]
) -> None:
    plain = harness("predict", str(model), *SENTENCES[:3], "--format", "jsonl")
    done = harness("predict", str(changed(**settings)), *SENTENCES[:3], "--format", "jsonl")
    assert (done.code, done.err) == (0, "")
    for answer, expected in zip(done.out.splitlines(), plain.out.splitlines(), strict=True):
        answer, expected = json.loads(answer), json.loads(expected)
        assert answer["label"] == expected["label"]
        assert answer["probability"] == pytest.approx(expected["probability"], abs=1e-5)


# Not one of these is a model of two classes of which one holds.
@pytest.mark.parametrize(
    "settings",
    [
        {"id2label": {"0": "score"}, "label2id": {"score": 0}, "problem_type": "regression"},
        {"problem_type": "multi_label_classification"},
        {"id2label": ["bad", "good"]},
        {"id2label": None, "label2id": None, "num_labels": "two"},
        {"num_attention_heads": 0},
        {"hidden_act": "no-such-function"},
        {"max_position_embeddings": -1},
        {"vocab_size": "many"},
        {"quantization_config": {"quant_method": "no-such-method"}},
    ],
    ids=lambda settings: "-".join(settings),
)
def test_a_surprising_configuration_is_refused_in_a_line(
    settings: dict[str, object], changed: Callable[..., Path]
) -> None:
    folder = changed(**settings)
    assert_one_line(harness("predict", str(folder), SENTENCE), str(folder))


def test_what_a_model_raises_is_told_with_the_sentence(tmp_path: Path) -> None:
    """Funnel pools pairs of tokens, and cannot take a batch of at most four."""
    tokenizer = AutoTokenizer.from_pretrained(make_checkpoint("bert", tmp_path / "base"))
    tokenizer.save_pretrained(tmp_path / "funnel")
    config = FunnelConfig(  # type: ignore[call-arg]
        vocab_size=len(tokenizer),
        block_sizes=[1, 1, 1],
        d_model=32,
        n_head=2,
        d_head=16,
        d_inner=64,
        num_labels=2,
        id2label={0: "bad", 1: "good"},
        label2id={"bad": 0, "good": 1},
    )
    FunnelForSequenceClassification(config).save_pretrained(tmp_path / "funnel")
    assert harness("predict", str(tmp_path / "funnel"), SENTENCE).code == 0
    done = harness("predict", str(tmp_path / "funnel"), "the cat")
    # It answers, or it tells: a batch may be padded to what the model takes.
    if done.code:
        assert_one_line(done, "the model fails on 'the cat'", "RuntimeError")
    else:
        assert done.out.split()[0] in ("bad", "good")


def test_an_index_beyond_the_embeddings_is_told(model: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(model, tmp_path / "model"))
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.add_tokens(["wombat"])
    tokenizer.save_pretrained(folder)
    assert harness("predict", str(folder), SENTENCE).code == 0
    done = harness("predict", str(folder), SENTENCE, "a wombat slept .")
    assert_one_line(done, "a wombat slept .")


def test_a_sentence_beyond_the_positions_is_cut_or_told(model: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(model, tmp_path / "model"))
    config = json.loads((folder / "tokenizer_config.json").read_bytes())
    del config["model_max_length"]
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    done = harness("predict", str(folder), "the cat " * 200)
    if done.code:
        assert_one_line(done, "the model fails on 'the cat the")
    else:
        assert done.out.count("\n") == 1


def test_no_answer_is_given_without_a_number(model: Path, tmp_path: Path) -> None:
    largest = torch.finfo(torch.float32).max  # finite; a sum of such numbers is not
    for name, value in (("positive", largest), ("negative", -largest)):
        folder = Path(shutil.copytree(model, tmp_path / name))
        weights = load_file(folder / "model.safetensors")
        weights["bert.pooler.dense.bias"] += 100  # so that each of its outputs is 1
        weights["classifier.weight"] = torch.full_like(weights["classifier.weight"], value)
        save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
        for as_format in ("text", "jsonl"):
            done = harness("predict", str(folder), SENTENCE, "--format", as_format)
            assert_one_line(done, "the model", "are NaN or infinite", SENTENCE)


def test_a_second_model_is_no_sentence(model: Path, tmp_path: Path) -> None:
    """As the shell makes of a pattern that two kept models fit."""
    other = Path(shutil.copytree(model, tmp_path / "other"))
    done = harness("predict", str(model), str(other), SENTENCE)
    assert_one_line(done, "2 models are named", str(model), str(other))
    for sentences in ((str(other), "-"), (SENTENCE, "-"), ("-", SENTENCE)):
        piped = harness("predict", str(model), *sentences)
        assert piped.code == 2
        assert piped.out == ""
        assert "- must be the only sentence argument" in piped.err
    assert harness("predict", str(model), "x" * 5000).code == 0


def test_a_broken_tokenizer_is_told(model: Path, tmp_path: Path) -> None:
    for number, content in enumerate(("{", '{"version": "1.0"}', "[]", "null")):
        folder = Path(shutil.copytree(model, tmp_path / str(number)))
        (folder / "tokenizer.json").write_text(content)
        assert_one_line(harness("predict", str(folder), SENTENCE), str(folder))


def test_nothing_of_libraries_is_on_either_stream(model: Path) -> None:
    """In a process of its own, where nobody but the command quietens them."""
    long = "the cat slept on the chair " * 100
    noise = """
import os, sys, warnings
import transformers.models.bert.modeling_bert as bert
forward = bert.BertModel.forward
def noisy(*arguments, **named):
    print("on standard output")
    warnings.warn("a warning")
    os.write(2, b"native")
    os.write(1, b"native")
    transformers.logging.get_logger("transformers").error("an error")
    return forward(*arguments, **named)
import functools, transformers
bert.BertModel.forward = functools.wraps(forward)(noisy)
"""
    for setup in ("", noise):
        running = own_process("predict", str(model), SENTENCE, long, setup=setup)
        out, err = running.communicate(timeout=300)
        assert running.returncode == 0
        assert [line.split()[0] in ("bad", "good") for line in out.splitlines()] == [True, True]
        (note,) = err.splitlines()  # the product's own line, nothing else
        assert re.fullmatch(r"note: 1 of 2 sentences was cut to 64 tokens, .*: sentence 2", note)


def test_a_reader_that_ends_before_the_answers_is_no_error(model: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    running = own_process("predict", str(model), *[SENTENCE] * 50, stdout=writing)
    os.close(writing)
    _, err = running.communicate(timeout=300)
    assert (running.returncode, err) == (141, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a full device")
def test_a_full_disk_is_told_in_a_line(model: Path) -> None:
    with Path("/dev/full").open("w") as full:
        running = own_process("predict", str(model), SENTENCE, stdout=full)
        _, err = running.communicate(timeout=300)
    assert running.returncode == 4
    assert err == "standard output: cannot be written (No space left on device)\n"


def test_a_character_that_the_output_cannot_have_is_told(model: Path) -> None:
    env = {"PYTHONIOENCODING": "latin-1"}
    running = own_process("predict", str(model), "the cat slept œ .", env=env)
    _, err = running.communicate(timeout=300)
    assert running.returncode == 4
    assert err == "standard output: latin-1 cannot write '\\u0153'; set PYTHONIOENCODING=utf-8\n"


def test_an_interruption_ends_without_a_traceback(model: Path, tmp_path: Path) -> None:
    setup = f"""
import pathlib, time
import transformers.models.bert.modeling_bert as bert
def waiting(*arguments, **named):
    pathlib.Path({str(tmp_path / "began")!r}).touch()
    time.sleep(300)
bert.BertModel.forward = waiting
"""
    running = own_process("predict", str(model), SENTENCE, setup=setup)
    while not (tmp_path / "began").exists():
        assert running.poll() is None, running.communicate()
        time.sleep(0.1)
    running.send_signal(signal.SIGINT)
    out, err = running.communicate(timeout=60)
    assert (running.returncode, out) == (130, "")
    assert "Traceback" not in err


def test_other_commands_end_alike_where_nobody_reads() -> None:
    for arguments in (("--help",), ("compare", "--help"), ("report", "results/speed", "--check")):
        reading, writing = os.pipe()
        os.close(reading)
        strictly = "import warnings\nwarnings.filterwarnings('error', '.*will be removed in Click')"
        running = own_process(*arguments, setup=strictly, stdout=writing)
        os.close(writing)
        _, err = running.communicate(timeout=300)
        assert running.returncode in (4, 141), err
        assert "Traceback" not in err
        assert "BrokenPipe" not in err
