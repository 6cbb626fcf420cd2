"""How fast a model answers: percentiles and speeds of known durations, and bounded work."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from builders.jobs import sentences
from builders.tiny_checkpoints import ARCHITECTURES, make_checkpoint
from datasets import Dataset, DatasetDict
from transformers import AutoModelForSequenceClassification, AutoTokenizer, PreTrainedTokenizerBase

from harness.kept import speed
from harness.models.pad_token import ensure_pad_token
from harness.models.padding import accepted_row, fewest_tokens
from harness.models.reading import read
from harness.store.measured.serving import Serving, serving_problems

ENOUGH = 1e9


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> PreTrainedTokenizerBase:
    folder = make_checkpoint("bert", tmp_path_factory.mktemp("model") / "bert")
    loaded: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(folder)
    return loaded


class Scripted(torch.nn.Module):
    """A model whose answers take scripted seconds on a clock of its own.

    Args:
        takes: returns the seconds of an answer from the number of sentences and of tokens.
    """

    def __init__(self, takes: Callable[[int, int], float]) -> None:
        super().__init__()
        self.takes, self.seconds = takes, 0.0
        self.device = torch.device("cpu")
        self.shapes: list[tuple[int, int]] = []
        self.modes: set[tuple[bool, bool]] = set()

    def clock(self) -> float:
        return self.seconds

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> Any:
        sentences, tokens = input_ids.shape
        self.shapes.append((sentences, tokens))
        self.modes.add((self.training, torch.is_inference_mode_enabled()))
        self.seconds += self.takes(sentences, tokens)
        return (torch.zeros(sentences, 2),)


def split(lengths: list[int]) -> Dataset:
    """Return an encoded split of sentences with these numbers of tokens."""
    ids = [[1] * length for length in lengths]
    masks = [[1] * length for length in lengths]
    return Dataset.from_dict({"input_ids": ids, "attention_mask": masks, "label": [0] * len(ids)})


def measured(
    model: Scripted,
    tokenizer: PreTrainedTokenizerBase,
    lengths: list[int],
    seconds: float = ENOUGH,
    **limits: int,
) -> Serving:
    any_model: Any = model
    return speed.measure(any_model, tokenizer, split(lengths), seconds, clock=model.clock, **limits)


def test_median_and_percentile_are_those_of_the_durations(
    tokenizer: PreTrainedTokenizerBase,
) -> None:
    lengths = np.random.default_rng(5).integers(3, 40, size=25).tolist()
    model = Scripted(lambda sentences, tokens: 0.5 if sentences == 8 else tokens**2 / 1000)
    found = measured(model, tokenizer, lengths)
    durations = [length**2 for length in lengths]  # in milliseconds
    assert found.sentences == 25
    assert found.latency_ms == pytest.approx(np.percentile(durations, 50), rel=1e-12)
    assert found.latency_p95_ms == pytest.approx(np.percentile(durations, 95), rel=1e-12)
    alone = 1000 / np.mean(durations)
    assert found.sentences_per_second == {1: pytest.approx(alone), 8: pytest.approx(8 / 0.5)}
    assert found.best_batch_size == 8
    assert found.best_sentences_per_second == pytest.approx(16)
    assert model.modes == {(False, True)}
    assert model.training
    assert found.threads == torch.get_num_threads()
    assert [*serving_problems(found, 25, found.threads)] == []


@pytest.mark.parametrize(
    ("seconds", "timed"),
    [(0.0, 32), (64.0, 32), (200.0, 100), (511.0, 255), (ENOUGH, 256)],
)
def test_the_number_of_sentences_fits_half_of_the_time(
    tokenizer: PreTrainedTokenizerBase, seconds: float, timed: int
) -> None:
    model = Scripted(lambda sentences, tokens: 1.0)
    assert measured(model, tokenizer, [7] * 600, seconds, largest=1).sentences == timed
    # Three to find the pace, one untimed of the only length.
    assert model.shapes == [(1, 7)] * (timed + 4)


def test_every_length_is_computed_before_it_is_timed(tokenizer: PreTrainedTokenizerBase) -> None:
    """The first answer of each length is slow, as where a kernel is loaded or memory is new."""
    seen = set()

    def takes(sentences: int, tokens: int) -> float:
        known = (sentences, tokens) in seen
        seen.add((sentences, tokens))
        return 0.001 if known else 9.0

    found = measured(Scripted(takes), tokenizer, [*range(3, 33)], largest=1)
    assert (found.latency_ms, found.latency_p95_ms) == pytest.approx((1, 1))


def test_sizes_are_tried_while_split_limit_and_time_allow(
    tokenizer: PreTrainedTokenizerBase,
) -> None:
    def sizes(sentences: int, seconds: float = ENOUGH, **limits: int) -> list[int]:
        model = Scripted(lambda number, tokens: 1.0)
        found = measured(model, tokenizer, [7] * sentences, seconds, **limits)
        assert {number for number, _ in model.shapes} == {*found.sentences_per_second}
        return [*found.sentences_per_second]

    assert sizes(600) == [1, 8, 32, 128, 512]
    assert sizes(511) == [1, 8, 32, 128]
    assert sizes(7) == [1]
    assert sizes(600, largest=100) == [1, 8, 32]
    # Half of the time for 75 or 77 sentences alone, after 4 untimed; 9 batches of 8 sentences at
    # the same speed take 72 s, those of 32 at the speed of batches of 8 then only 20 s.
    assert sizes(600, 150) == [1]
    assert sizes(600, 154) == [1, 8, 32, 128, 512]


@pytest.mark.parametrize("size", [8, 32, 128, 512])
def test_batches_are_whole_sorted_and_spread_over_all_lengths(
    tokenizer: PreTrainedTokenizerBase, size: int
) -> None:
    lengths = [3 + number // 20 for number in range(1043)]
    np.random.default_rng(1).shuffle(lengths)
    model = Scripted(lambda sentences, tokens: sentences * tokens / 1e6)
    found = measured(model, tokenizer, lengths)
    # Padded to the longest of similar sentences, each costs little more than its own tokens.
    exact = 1e6 / np.mean(lengths)
    batches = sum(number == size for number, _ in model.shapes) - 1
    assert batches == {8: 8, 32: 4, 128: 4, 512: 2}[size]
    longest = {8: 0.02, 32: 0.05, 128: 0.15, 512: 0.4}[size]
    assert exact * (1 - longest) < found.sentences_per_second[size] < exact * 1.02


def test_a_size_without_enough_memory_is_left_out(tokenizer: PreTrainedTokenizerBase) -> None:
    def takes(sentences: int, tokens: int) -> float:
        if sentences >= 32:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return 1.0

    model = Scripted(takes)
    found = measured(model, tokenizer, [7] * 200)
    assert found.sentences_per_second == {1: 1.0, 8: 8.0}
    assert model.training

    def fails(sentences: int, tokens: int) -> float:
        if sentences >= 32:
            raise RuntimeError("index out of range")
        return 1.0

    with pytest.raises(RuntimeError, match="index out of range"):
        measured(Scripted(fails), tokenizer, [7] * 200)


def test_a_forward_that_trainer_left_on_the_model_is_not_served(
    tokenizer: PreTrainedTokenizerBase,
) -> None:
    model = Scripted(lambda sentences, tokens: 1.0)

    def with_casts(**_: torch.Tensor) -> Any:
        raise AssertionError("called")

    model.__dict__["forward"] = with_casts  # as Trainer sets it
    assert measured(model, tokenizer, [7] * 40).latency_ms == 1000
    assert vars(model)["forward"] is with_casts


@pytest.mark.parametrize(("train", "allowed"), [(0.0, 0.0), (100.0, 5.0), (201.0, 10.0), (9e9, 10)])
def test_measuring_takes_a_twentieth_of_the_training_and_ten_seconds_at_most(
    train: float, allowed: float
) -> None:
    assert speed.seconds_allowed(train) == pytest.approx(allowed)


@pytest.mark.parametrize("number", [1, 7, 20])
def test_a_sample_spreads_evenly(number: int) -> None:
    sorted_array = np.arange(100, 120)
    found = speed.evenly_spread(sorted_array, number)
    parts = np.array_split(sorted_array, number)
    assert len(set(found)) == number
    assert all(part[0] - 1 <= each <= part[-1] + 1 for each, part in zip(found, parts, strict=True))


@pytest.mark.parametrize("architecture", sorted(ARCHITECTURES))
def test_every_family_answers_in_plausible_times_and_stays_as_it_was(
    architecture: str, tmp_path: Path
) -> None:
    folder = make_checkpoint(architecture, tmp_path / "model")
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    ensure_pad_token(tokenizer, model)
    texts = {"sentence": sentences(40), "label": [0, 1] * 20}
    splits = DatasetDict({"train": Dataset.from_dict(texts)})
    rows = read(splits, tokenizer, model, None).encoded.splits["train"]
    before = {name: each.clone() for name, each in model.state_dict().items()}
    shortest = fewest_tokens(model, tokenizer, accepted_row(model, rows[0])) or 1
    found = speed.measure(model, tokenizer, rows, ENOUGH, shortest=shortest)
    assert found.sentences == 40
    assert 0 < found.latency_ms <= found.latency_p95_ms
    assert {*found.sentences_per_second} == {1, 8, 32}
    assert [*serving_problems(found, 40, None)] == []
    assert not model.training
    after = model.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(each, after[name]) for name, each in before.items())
