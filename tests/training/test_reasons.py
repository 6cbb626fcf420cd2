"""A failed run's reason always says something, and names no path of the machine."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from builders.jobs import file_spec, make_job, sentences, write_rows
from builders.tiny_checkpoints import make_checkpoint
from transformers import BertForSequenceClassification

from harness.training.job import Job, failure
from harness.training.worker import execute


class Silent(Exception):
    """Says nothing, or nothing that one could read."""


def bare_assertion() -> None:
    raise AssertionError


def raise_blank() -> None:
    raise Silent(" \n\t")


def raise_empty_key() -> None:
    raise KeyError("")


def raise_dots() -> None:
    raise RuntimeError("...")


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> Job:
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("job")
    bert = make_checkpoint("bert", folder / "bert")
    rows = write_rows(folder / "rows.csv", sentences(32), [number % 2 for number in range(32)])
    return make_job(bert, file_spec(rows), folder)


def reason_of(job: Job, act: Callable[[], object]) -> str:
    try:
        act()
    except Exception as error:
        told = failure(job, error).reason
        assert told is not None
        return told
    pytest.fail("it raised nothing")


@pytest.mark.parametrize(
    ("act", "kind"),
    [
        (bare_assertion, "AssertionError"),
        (raise_blank, "Silent"),
        (raise_empty_key, "KeyError"),
        (raise_dots, "RuntimeError"),
    ],
)
def test_an_error_without_a_message_is_told_by_its_place(
    job: Job, act: Callable[[], None], kind: str
) -> None:
    told = reason_of(job, act)
    assert told.startswith(f"{kind}, without a message, in test_reasons.py:{act.__name__} (line ")


def test_the_place_is_the_library_s_function_without_a_folder_of_this_machine(job: Job) -> None:
    def act() -> None:
        BertForSequenceClassification.from_pretrained(job.checkpoint.folder)(torch.zeros(1, 1))

    told = reason_of(job, act)  # ids that are no integers: a message of its own
    assert "without a message" not in told

    class Broken(BertForSequenceClassification):  # type: ignore[no-untyped-call]
        def get_input_embeddings(self) -> Any:
            raise NotImplementedError

    model = Broken.from_pretrained(job.checkpoint.folder)
    told = reason_of(job, lambda: model.resize_token_embeddings(300))
    assert "NotImplementedError, without a message, in test_reasons.py:" in told
    assert "Broken.get_input_embeddings" in told


def test_an_error_that_was_never_raised_has_no_place(job: Job) -> None:
    assert failure(job, AssertionError()).reason == "AssertionError, without a message"


def test_messages_are_told_as_they_are(job: Job) -> None:
    assert failure(job, ValueError("no such thing")).reason == "ValueError: no such thing"
    assert failure(job, KeyError("labels")).reason == "KeyError: 'labels'"


def test_a_model_that_asserts_without_a_word_fails_its_run_with_a_place(
    job: Job, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def forward(*_: Any, input_ids: Any = None, attention_mask: Any = None, **__: Any) -> None:
        raise AssertionError

    monkeypatch.setattr(BertForSequenceClassification, "forward", forward)
    told = execute(job).record.reason
    assert told is not None
    assert told.startswith("AssertionError, without a message, in test_reasons.py:")
    assert "forward" in told
