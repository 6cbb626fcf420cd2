"""The card of a kept model: what the Hub's own parser reads in it, and what a reader does."""

from pathlib import Path

import yaml
from builders.records import COLA, make_cell, make_record
from huggingface_hub import ModelCard, ModelCardData
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.kept.model_card import model_card
from harness.store.records import Scores

NAMES = ("unacceptable", "acceptable")
INTERVAL = (0.38, 0.48)


def metadata_of(card: ModelCard) -> ModelCardData:
    """Return what the Hub's own parser reads in a card."""
    assert isinstance(card.data, ModelCardData)
    return card.data


def test_the_hub_reads_task_data_and_scores() -> None:
    record = make_record(
        make_cell("org/encoder"),
        mcc=0.4321,
        checkpoint_revision="a" * 40,
        scores_test=Scores(mcc=0.4, accuracy=0.7, f1=0.8),
    )
    card = ModelCard(model_card(record, NAMES, INTERVAL))
    assert metadata_of(card).base_model == "org/encoder"
    assert metadata_of(card).datasets == ["nyu-mll/glue"]
    assert metadata_of(card).pipeline_tag == "text-classification"
    assert metadata_of(card).model_name == "sample-encoder-bs16-lr2e-05"
    results = metadata_of(card).eval_results or []
    found = {(result.dataset_split, result.metric_type): result for result in results}
    assert len(found) == len(results) == 6
    mcc = found["validation", "matthews_correlation"]
    assert (mcc.metric_value, mcc.task_type) == (0.4321, "text-classification")
    assert (mcc.dataset_type, mcc.dataset_config) == ("nyu-mll/glue", "cola")
    assert mcc.metric_args == {"confidence_interval": [0.38, 0.48], "confidence_level": 0.95}
    assert found["test", "matthews_correlation"].metric_value == 0.4
    assert found["validation", "accuracy"].metric_args is None
    assert "0.3800 to 0.4800" in card.text


def test_a_model_of_own_data_names_no_data_set_of_the_hub() -> None:
    facts = COLA.model_copy(update={"name": "file", "origin": "file reviews.csv"})
    record = make_record(make_cell("./encoder"), dataset=facts)
    card = ModelCard(model_card(record, ("bad", "good"), INTERVAL))
    assert metadata_of(card).base_model is None
    assert metadata_of(card).datasets is None
    results = metadata_of(card).eval_results or []
    assert results[0].dataset_name == "file reviews.csv"
    assert "`bad` (label 0) or `good` (label 1)" in card.text


@settings(deadline=None)
@given(st.text(min_size=1, max_size=80).filter(str.strip))
def test_any_checkpoint_name_stays_a_name(name: str) -> None:
    record = make_record(make_cell(), checkpoint=name, checkpoint_revision="a" * 40)
    text = model_card(record, NAMES, INTERVAL)
    _, header, body = text.split("---\n", 2)
    metadata = yaml.safe_load(header)
    assert metadata["model-index"][0]["results"][0]["dataset"]["type"] == "nyu-mll/glue"
    assert set(metadata) <= {
        *("base_model", "datasets", "language", "library_name", "metrics", "model-index"),
        "pipeline_tag",
    }
    assert body.strip().startswith("# `")
    assert sum(line.startswith("# ") for line in body.splitlines()) == 1


def test_a_hostile_name_is_shown_as_code() -> None:
    name = "<script>alert(1)</script>\n---\ntags: [x]"
    text = model_card(make_record(make_cell(), checkpoint=name), NAMES, INTERVAL)
    card = ModelCard(text)
    assert metadata_of(card).tags is None
    assert r"`<script>alert(1)</script>\n---\ntags: [x]`" in card.text


def test_a_card_is_written_for_a_reader_of_a_folder(tmp_path: Path) -> None:
    path = tmp_path / "README.md"
    path.write_text(model_card(make_record(make_cell()), NAMES, INTERVAL), encoding="utf-8")
    assert metadata_of(ModelCard.load(path)).library_name == "transformers"
