"""The page of all architectures is what this harness and the installed transformers do.

A sample is tried anew here, and every architecture under the marker `architectures`.
"""

import sys
from pathlib import Path

import pytest
import torch
import transformers
from builders.families import FAMILIES, make_family
from safetensors.torch import load_file, save_file
from transformers import MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING, AutoTokenizer

from harness.training.speedups.vocabulary import KNOWN

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "docs"))

from architectures import (  # noqa: E402
    BY_MEMORY,
    LEFT,
    NO,
    RIGHT,
    UNREAD,
    UNTRIED,
    YES,
    measure,
    page,
    row_of,
    rows_of,
)
from traits import Traits, kept_model_agrees, train, write_data  # noqa: E402

PAGE = (ROOT / "docs" / "architectures.md").read_text(encoding="utf-8")
ROWS = {row.architecture.strip("`"): row for row in rows_of(PAGE)}
STALE = "run `make architectures`"

# The families of the speed-ups, and: one that fails, one that depends on padding, one to be padded
# on the left, one that answers without reading.
SAMPLE = (*KNOWN, "xmod", "fnet", "xlnet", "mra")


def test_the_page_has_exactly_the_architectures_of_the_installed_transformers() -> None:
    installed = [config.model_type for config in MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING]
    aliases = {"gpt-sw3"}  # GPT-2 with another tokenizer
    assert set(ROWS) == set(installed) | aliases, STALE
    assert len(ROWS) == len(installed) > 100
    assert list(ROWS) == sorted(ROWS)


def test_the_page_names_the_versions_that_are_installed() -> None:
    torch_version = torch.__version__.partition("+")[0]
    measured = f"transformers {transformers.__version__}, torch {torch_version}, on a CPU"
    assert f"Measured with {measured}." in PAGE, STALE


def test_the_page_says_nothing_that_its_rows_do_not() -> None:
    assert page(rows_of(PAGE)) == PAGE, STALE


@pytest.mark.parametrize("architecture", SAMPLE)
@pytest.mark.long
def test_a_row_is_what_a_run_shows_now(architecture: str) -> None:
    assert measure(architecture) == ROWS[architecture], STALE


@pytest.mark.architectures
@pytest.mark.parametrize("architecture", [name for name in FAMILIES if name not in SAMPLE])
def test_every_other_row_is_what_a_run_shows_now(architecture: str) -> None:
    assert measure(architecture) == ROWS[architecture], STALE


@pytest.mark.parametrize(
    ("architecture", "padding"),
    [
        ("llama", YES),  # rotary positions are differences only, and the mask hides the rest
        ("bloom", YES),  # so are ALiBi's
        ("bert", RIGHT),  # positions are counted from the left
        ("gpt2", RIGHT),
        ("xlnet", LEFT),  # reads the last token, and XLNet's own tokenizer pads on the left
        ("fnet", NO),  # a Fourier transform over the whole row, without a mask
        ("layoutlmv2", UNTRIED),
    ],
)
def test_padding_is_as_an_architecture_s_positions_let_one_expect(
    architecture: str, padding: str
) -> None:
    assert ROWS[architecture].padding == padding


def test_the_vocabulary_is_trimmed_for_the_families_that_the_speed_up_names() -> None:
    trimmed = [name for name, row in ROWS.items() if "vocabulary" in row.speedups]
    assert trimmed == sorted(KNOWN)


def test_a_kept_model_that_is_not_the_recorded_one_is_noticed(tmp_path: Path) -> None:
    texts, dataset = write_data(tmp_path)
    trained = train(make_family("distilbert", tmp_path / "distilbert"), dataset, tmp_path)
    assert kept_model_agrees(trained, texts) is True
    assert trained.model is not None
    weights = load_file(trained.model / "model.safetensors")
    weights["distilbert.transformer.layer.0.ffn.lin1.weight"] *= 1.1
    save_file(weights, trained.model / "model.safetensors", metadata={"format": "pt"})
    assert kept_model_agrees(trained, texts) is False


def test_a_checkpoint_is_the_same_every_time_and_its_pad_token_is_not_zero(tmp_path: Path) -> None:
    first, again = (make_family("ernie", tmp_path / name) for name in ("first", "again"))
    for path in first.iterdir():
        assert path.read_bytes() == (again / path.name).read_bytes(), path.name
    embeddings = load_file(first / "model.safetensors")["embeddings.word_embeddings.weight"]
    pad = AutoTokenizer.from_pretrained(first).pad_token_id
    assert embeddings[pad].abs().min() > 0


def test_traits_become_words_and_untried_ones_are_told_from_no() -> None:
    found = Traits(
        "name",
        trains=True,
        reads=True,
        repeats=False,
        padded_right=False,
        padded_left=False,
        kept=(True, False),
        speedups=("layers", "memory"),
        messages=("a | b", "c"),
    )
    assert row_of(found) == (
        "`name`",
        YES,
        NO,
        NO,
        BY_MEMORY,
        "layers, memory",
        "a \\| b; c",
    )
    assert row_of(Traits("name", trains=False)) == ("`name`", NO, *[UNTRIED] * 4, "")
    assert row_of(Traits("name", trains=True, reads=False)).trains == UNREAD
    rows = [row_of(found), row_of(Traits("other", trains=False))]
    assert rows_of(page(rows)) == rows
