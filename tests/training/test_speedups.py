"""Every speed-up against its plain reference."""

import ctypes
import functools
import gc
import json
import math
import multiprocessing
import platform
import resource
from collections.abc import Collection, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
import torch
from builders.jobs import execute_ok, file_spec, make_job, make_settings, sentences, write_rows
from builders.plain_training import (
    COMPILED,
    FAMILIES,
    REWRITING,
    Computed,
    assert_close,
    assert_tensors_close,
    batch_of,
    compute,
    model_from,
    model_with,
    sped_up,
)
from builders.tiny_checkpoints import ARCHITECTURES, make_checkpoint
from datasets import ClassLabel, Dataset, DatasetDict, Features, Value
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - torch's own name for it
from transformers import (
    AutoConfig,
    AutoTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from harness.inputs.data import corpus
from harness.models.encode import Encoded, collator, encode
from harness.suite import spec
from harness.training import speedups
from harness.training.finetune import Outcome, Settings, finetune
from harness.training.loading import load_checkpoint
from harness.training.score import score
from harness.training.speedups import (
    COMPILED_OPTIMIZER,
    FAST_DROPOUT,
    FIRST_TOKEN,
    KEPT_MEMORY,
    MEMORY_CHECKPOINT,
    PACKING,
    SORTED_EVALUATION,
    USED_VOCABULARY,
)
from harness.training.speedups.apply import apply, undo
from harness.training.speedups.dropout import dropout
from harness.training.speedups.layers import find_encoder
from harness.training.speedups.memory import BestEpoch, keep_freed_memory
from harness.training.speedups.packing import rewrite_forward
from harness.training.speedups.vocabulary import HIGHEST_PAD_TOKEN, DecayOfUnusedRows, restore, trim

NAMES = get_args(spec.Speedup)
OTHERS = tuple(name for name in ARCHITECTURES if name not in FAMILIES)
# The architectures whose embedding matrix is trimmed.
TRIMMED = ("bert", "distilbert", "roberta", "albert", "electra", "deberta-v2", "mpnet")

REWRITES = (
    *((FIRST_TOKEN,), (PACKING,), (FIRST_TOKEN, PACKING), (FAST_DROPOUT,)),
    *(REWRITING, COMPILED),
)


@pytest.fixture(scope="module", autouse=True)
def quick() -> Iterator[None]:
    """One thread; and Trainer, which collects garbage at every start, finds little to look at."""
    torch.set_num_threads(1)
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("checkpoints")
    return {name: make_checkpoint(name, root / name) for name in ARCHITECTURES}


@pytest.fixture(scope="module")
def tokenizers(folders: dict[str, Path]) -> dict[str, PreTrainedTokenizerBase]:
    return {name: AutoTokenizer.from_pretrained(folder) for name, folder in folders.items()}


@pytest.fixture(scope="module")
def still(folders: dict[str, Path], tokenizers: dict[str, Any]) -> dict[str, PreTrainedModel]:
    """Models in float64 without dropout, in training mode; a test leaves them as they were."""
    models = {}
    for family in FAMILIES:
        model = load_checkpoint(
            str(folders[family]), tokenizers[family], settings_of()
        ).model.double()
        models[family] = without_dropout(model).train()
    return models


def settings_of(training: spec.TrainingSpec | None = None, learning_rate: float = 1e-3) -> Settings:
    return make_settings(learning_rate=learning_rate, training=training or spec.TrainingSpec())


def embedding_of(model: PreTrainedModel) -> nn.Embedding:
    embedding = model.get_input_embeddings()
    assert isinstance(embedding, nn.Embedding)
    return embedding


def dropouts(model: nn.Module) -> dict[str, nn.Dropout]:
    return {name: part for name, part in model.named_modules() if isinstance(part, nn.Dropout)}


def without_dropout(model: PreTrainedModel) -> PreTrainedModel:
    for part in dropouts(model).values():
        part.p = 0.0
    return model


def has_own_forward(model: nn.Module) -> bool:
    """Whether every module's forward is its class'."""
    return all("forward" not in vars(module) for module in model.modules())


# The names.


def test_the_names_are_those_of_a_suite_file() -> None:
    declared = (value for name, value in vars(speedups).items() if name.isupper())
    assert sorted(declared) == list(NAMES)
    assert tuple(sorted(set(NAMES))) == NAMES


# Packing, first token and fast dropout: the same logits and gradients.


@pytest.mark.parametrize("names", REWRITES, ids="+".join)
@pytest.mark.parametrize("family", FAMILIES)
@settings(max_examples=8, deadline=None)
@given(
    lengths=st.lists(st.integers(1, 14), min_size=1, max_size=6),
    padding=st.integers(0, 2),
    training=st.booleans(),
    seed=st.integers(0, 2**31),
)
@example(lengths=[1], padding=0, training=True, seed=0)
@example(lengths=[9], padding=3, training=True, seed=0)
@example(lengths=[7, 7, 7], padding=0, training=True, seed=0)
@example(lengths=[1, 12, 2], padding=0, training=False, seed=0)
def test_rewritten_layers_give_the_logits_and_gradients_of_the_model_s_own(
    still: dict[str, PreTrainedModel],
    tokenizers: dict[str, PreTrainedTokenizerBase],
    family: str,
    names: tuple[str, ...],
    lengths: list[int],
    padding: int,
    training: bool,
    seed: int,
) -> None:
    model = still[family].train(training)
    batch = batch_of(family, lengths, padding, seed)
    plain = compute(model, batch)
    fast = sped_up(names, model, tokenizers[family], lambda: compute(model, batch))
    # In float64, so that nothing but rounding can be left.
    assert_close(plain, fast, tolerance=1e-12)
    assert has_own_forward(model)


@pytest.mark.parametrize("names", REWRITES, ids="+".join)
@pytest.mark.parametrize("family", FAMILIES)
def test_they_agree_in_single_precision_with_dropout_switched_off_by_eval(
    folders: dict[str, Path],
    tokenizers: dict[str, PreTrainedTokenizerBase],
    family: str,
    names: tuple[str, ...],
) -> None:
    model = load_checkpoint(str(folders[family]), tokenizers[family], settings_of()).model.train(
        False
    )
    assert any(part.p > 0 for part in dropouts(model).values())
    batch = batch_of(family, [4, 13, 2, 9])
    plain = compute(model, batch)
    fast = sped_up(names, model, tokenizers[family], lambda: compute(model, batch))
    assert_close(plain, fast, tolerance=5e-6)


@pytest.mark.parametrize("family", FAMILIES)
def test_under_autocast_they_are_as_near_to_single_precision_as_the_model_s_own_layers(
    folders: dict[str, Path], tokenizers: dict[str, PreTrainedTokenizerBase], family: str
) -> None:
    model = load_checkpoint(str(folders[family]), tokenizers[family], settings_of()).model
    without_dropout(model).train()
    batch = batch_of(family, [4, 13, 2, 9])
    exact = compute(model, batch)

    def half() -> Computed:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            return compute(model, batch)

    def error(computed: Computed) -> float:
        squares = sum(
            float((gradient - other).square().sum())
            for gradient, other in zip(
                exact.gradients.values(), computed.gradients.values(), strict=True
            )
            if gradient is not None and other is not None
        )
        return math.sqrt(squares + float((computed.logits - exact.logits).square().sum()))

    plain, fast = half(), sped_up(REWRITING, model, tokenizers[family], half)
    assert plain.logits.dtype == fast.logits.dtype
    assert 0 < error(fast) < 2 * error(plain)


@pytest.mark.parametrize("names", REWRITES, ids="+".join)
@pytest.mark.parametrize("family", FAMILIES)
def test_padding_gets_no_gradient(
    still: dict[str, PreTrainedModel],
    tokenizers: dict[str, PreTrainedTokenizerBase],
    family: str,
    names: tuple[str, ...],
) -> None:
    model = still[family].train()
    batch = batch_of(family, [3, 8, 1], padding=2)
    embedded = embedding_of(model)(batch.pop("input_ids")).detach()
    embedded += torch.randn(embedded.shape, generator=torch.Generator().manual_seed(1))

    def gradient() -> Tensor:
        leaf: Tensor = embedded.clone().requires_grad_()
        model(inputs_embeds=leaf, **batch).loss.backward()
        assert leaf.grad is not None
        return leaf.grad

    fast: Tensor = sped_up(names, model, tokenizers[family], gradient)
    real = batch["attention_mask"] == 1
    assert (fast[~real] == 0).all()
    assert (fast[real] != 0).all()
    torch.testing.assert_close(fast, gradient(), atol=1e-12, rtol=0)


# Settings that change the plain model, or that transformers accepts and ignores.
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(
    "setting",
    [
        {"return_dict": False},
        {"position_embedding_type": "relative_key"},
        {"attn_implementation": "eager"},
        {"num_hidden_layers": 1},
    ],
    ids=json.dumps,
)
def test_they_agree_under_settings_beside_the_usual(
    folders: dict[str, Path],
    tokenizers: dict[str, PreTrainedTokenizerBase],
    family: str,
    setting: dict[str, Any],
) -> None:
    model = model_with(folders[family], setting).double().train(False)
    batch = batch_of(family, [4, 9, 2])
    plain = model(**batch)[:2]
    fast = sped_up(REWRITING, model, tokenizers[family], lambda: model(**batch)[:2])
    torch.testing.assert_close(fast, plain, atol=1e-12, rtol=0)


@pytest.mark.parametrize("names", [REWRITING, COMPILED], ids="+".join)
@pytest.mark.parametrize("model_type", ["xlm-roberta", "camembert"])
def test_they_agree_for_the_kin_of_roberta(
    folders: dict[str, Path],
    tokenizers: dict[str, PreTrainedTokenizerBase],
    model_type: str,
    names: tuple[str, ...],
) -> None:
    roberta = AutoConfig.from_pretrained(folders["roberta"]).to_dict()
    config = AutoConfig.for_model(**roberta | {"model_type": model_type})
    model = model_from(config).double().train(False)
    assert model.config.model_type == model_type
    batch = batch_of("roberta", [4, 9, 2])
    plain = compute(model, batch)
    fast = sped_up(names, model, tokenizers["roberta"], lambda: compute(model, batch))
    assert_close(plain, fast, tolerance=1e-12)


# Packing, first token and fast dropout: switched off.


@pytest.mark.parametrize("architecture", OTHERS)
def test_other_architectures_keep_their_own_layers(
    folders: dict[str, Path],
    tokenizers: dict[str, PreTrainedTokenizerBase],
    architecture: str,
) -> None:
    tokenizer = tokenizers[architecture]
    tokenizer.padding_side = "right"  # XLNet pads on the left, which alone would switch them off
    model = load_checkpoint(str(folders[architecture]), tokenizer, settings_of()).model
    applied = apply(REWRITING, model, tokenizer, DatasetDict())
    assert applied.names == set()
    assert applied.encoder is None
    assert has_own_forward(model)


def test_padding_on_the_left_switches_them_off(folders: dict[str, Path]) -> None:
    tokenizer = AutoTokenizer.from_pretrained(folders["bert"], padding_side="left")
    model = load_checkpoint(str(folders["bert"]), tokenizer, settings_of()).model
    assert apply(REWRITING, model, tokenizer, DatasetDict()).names == set()
    assert has_own_forward(model)


@pytest.mark.parametrize("names", [REWRITING, COMPILED], ids="+".join)
def test_a_sentence_without_tokens_switches_them_off(
    folders: dict[str, Path], tokenizers: dict[str, Any], names: tuple[str, ...]
) -> None:
    """It is an empty one, of a tokenizer without special tokens, and has no first token."""
    tokenizer = tokenizers["bert"]
    model = load_checkpoint(str(folders["bert"]), tokenizer, settings_of()).model
    for ids, active in (([[7, 8, 9], []], set()), ([[7, 8, 9], [7]], set(names))):
        split = Dataset.from_dict({"input_ids": ids, "label": [0, 1]})
        applied = apply(names, model, tokenizer, DatasetDict(train=split))
        assert applied.names == active
        undo(model, applied, decay=1.0)


UNHONOURED = [
    *((family, {"output_hidden_states": True}) for family in FAMILIES),
    *((family, {"output_attentions": True}) for family in FAMILIES),
    *((family, {"chunk_size_feed_forward": 1}) for family in FAMILIES),
    *((family, {"num_hidden_layers": 0}) for family in FAMILIES),
    *((family, {"is_decoder": True}) for family in ("bert", "roberta", "electra")),
    ("bert", {"is_decoder": True, "add_cross_attention": True}),
    ("bert", {"attn_implementation": "flex_attention"}),
]


@pytest.mark.parametrize(("family", "setting"), UNHONOURED, ids=str)
def test_settings_that_rewritten_layers_would_not_honour_switch_them_off(
    folders: dict[str, Path],
    tokenizers: dict[str, PreTrainedTokenizerBase],
    family: str,
    setting: dict[str, Any],
) -> None:
    model = model_with(folders[family], setting)
    assert find_encoder(model) is None
    assert apply(REWRITING, model, tokenizers[family], DatasetDict()).names == set()
    assert has_own_forward(model)


@pytest.mark.parametrize("family", FAMILIES)
def test_undoing_gives_a_model_its_own_layers_back(
    still: dict[str, PreTrainedModel],
    tokenizers: dict[str, PreTrainedTokenizerBase],
    family: str,
) -> None:
    model = still[family].train(False)
    batch = batch_of(family, [4, 9, 2])
    before = compute(model, batch)
    applied = apply(REWRITING, model, tokenizers[family], DatasetDict())
    assert not has_own_forward(model)
    undo(model, applied, decay=1.0)
    assert has_own_forward(model)
    assert_close(before, compute(model, batch), tolerance=0.0)


# Dropout: other random numbers of the same distribution.

# By the path of a module inside its layer. DistilBERT has none after the output projection.
BERT_SITES = {
    "attention": "attention.self.dropout",
    "projection": "attention.output.dropout",
    "feed-forward": "output.dropout",
}
SITES = {
    "bert": BERT_SITES,
    "roberta": BERT_SITES,
    "electra": BERT_SITES,
    "distilbert": {"attention": "attention.dropout", "feed-forward": "ffn.dropout"},
    "mpnet": {
        "attention": "attention.attn.dropout",
        "projection": "attention.dropout",
        "feed-forward": "output.dropout",
    },
}
DRAWS = 2000


def test_every_dropout_inside_the_layers_is_a_site(still: dict[str, PreTrainedModel]) -> None:
    for family, model in still.items():
        inside = {path_in_layer(name) for name in dropouts(model)} - {""}
        assert inside == set(SITES[family].values())


def path_in_layer(name: str) -> str:
    """The path of a module inside its layer, empty outside of layers."""
    return name.partition(".layer.")[2].partition(".")[2]


def draw_logits(model: PreTrainedModel, seed: int) -> Tensor:
    """(draws, 2) the logits of one sentence under as many dropout masks.

    A longer sentence beside it has it padded.
    """
    sentence, longer = batch_of("bert", [7, 9])["input_ids"]
    mask = torch.ones(DRAWS + 1, 9, dtype=torch.long)
    mask[:-1, 7:] = 0
    ids = torch.cat([sentence.expand(DRAWS, -1), longer[None]])
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        logits: Tensor = model(input_ids=ids, attention_mask=mask).logits[:-1]
    return logits.double()


def deviation(one: Tensor, other: Tensor) -> float:
    """The largest difference of two samples' means and variances, in its standard errors.

    A sample variance has the variance (m4 - m2^2) / n, with the central moments m2 and m4.
    """
    moments = []
    for sample in (one, other):
        centred = sample - sample.mean(0)
        second, fourth = centred.square().mean(0), centred.pow(4).mean(0)
        moments.append((sample.mean(0), second, second, fourth - second.square()))
    (mean, variance, *errors), (mean_2, variance_2, *errors_2) = moments
    scales = [
        ((first + second) / len(one)).sqrt() for first, second in zip(errors, errors_2, strict=True)
    ]
    by_mean, by_variance = (
        (mean - mean_2).abs() / scales[0],
        (variance - variance_2).abs() / scales[1],
    )
    return float(torch.cat([by_mean, by_variance]).max())


@pytest.mark.parametrize(
    ("family", "site"), [(family, site) for family, sites in SITES.items() for site in sites]
)
def test_dropout_at_every_site_has_the_distribution_of_the_model_s_own(
    folders: dict[str, Path],
    tokenizers: dict[str, PreTrainedTokenizerBase],
    family: str,
    site: str,
) -> None:
    model = load_checkpoint(str(folders[family]), tokenizers[family], settings_of()).model
    without_dropout(model).train()

    def drop_at_site(probability: float) -> None:
        for name, part in dropouts(model).items():
            if path_in_layer(name) == SITES[family][site]:
                part.p = probability

    drop_at_site(0.3)
    plain = draw_logits(model, seed=0)
    assert (plain.std(0) > 0).all()
    for names in ((FIRST_TOKEN, PACKING), REWRITING, COMPILED):
        fast = sped_up(names, model, tokenizers[family], lambda: draw_logits(model, seed=1))
        assert deviation(plain, fast) < 5
    # The same measure tells another probability apart.
    drop_at_site(0.15)
    other = sped_up(REWRITING, model, tokenizers[family], lambda: draw_logits(model, seed=1))
    assert deviation(plain, other) > 8


def test_every_site_has_its_own_probability_and_a_mask_for_every_element(
    folders: dict[str, Path], tokenizers: dict[str, PreTrainedTokenizerBase]
) -> None:
    for family, sites in SITES.items():
        model = load_checkpoint(str(folders[family]), tokenizers[family], settings_of()).model
        own = {site: (1 + number) / 10 for number, site in enumerate(sites)}
        for name, part in dropouts(model).items():
            for site, path in sites.items():
                if path_in_layer(name) == path:
                    part.p = own[site]
        seen: list[tuple[float, tuple[int, ...]]] = []

        def record(
            hidden: Tensor, probability: float, training: bool, seen: list[Any] = seen
        ) -> Tensor:
            assert training
            seen.append((probability, tuple(hidden.shape)))
            return hidden

        encoder = find_encoder(model)
        assert encoder is not None
        rewrite_forward(encoder, pack=True, first_token_only=True, dropout=record)
        model.train()(**batch_of(family, [3, 5]))
        tokens, projection = 3 + 5, own.get("projection", 0.0)
        assert seen == [
            (own["attention"], (2, 2, 5, 5)),  # sentences, heads, queries, keys
            (projection, (tokens, 32)),
            (own["feed-forward"], (tokens, 32)),
            (own["attention"], (2, 2, 1, 5)),
            (projection, (2, 32)),
            (own["feed-forward"], (2, 32)),
        ]


@settings(max_examples=25, deadline=None)
@given(
    probability=st.floats(0.01, 0.99),
    shape=st.lists(st.integers(1, 9), min_size=1, max_size=4),
    dtype=st.sampled_from([torch.float32, torch.float64]),
)
def test_fast_dropout_zeroes_elements_or_scales_them(
    probability: float, shape: list[int], dtype: torch.dtype
) -> None:
    hidden = (1 + torch.rand(shape, dtype=dtype)).requires_grad_()
    dropped = dropout(hidden, probability, True)
    kept = dropped != 0
    # The probability is a multiple of 1/65536.
    scale = 1 / (1 - round(probability * 65536) / 65536)
    torch.testing.assert_close(dropped, torch.where(kept, hidden * scale, 0.0))
    (gradient,) = torch.autograd.grad(dropped.sum(), hidden)
    torch.testing.assert_close(gradient, torch.where(kept, scale, 0.0).to(dtype))


@pytest.mark.parametrize("probability", [0.01, 0.1, 0.5, 0.9])
def test_fast_dropout_drops_each_part_of_a_random_word_at_the_rate_and_on_its_own(
    probability: float,
) -> None:
    count = 200_000
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        zeros = (dropout(torch.ones(4 * count), probability, True) == 0).view(count, 4).double()
    error = math.sqrt(probability * (1 - probability) / count)
    assert ((zeros.mean(0) - probability).abs() < 5 * error).all()
    # Parts of one word and of neighbouring ones are uncorrelated; 1/sqrt(n) is a standard error.
    correlations = torch.corrcoef(torch.cat([zeros[:-1], zeros[1:]], dim=1).T)
    assert (correlations - torch.eye(8)).abs().max() < 5 / math.sqrt(count)


def test_fast_dropout_at_the_ends_and_outside_of_training_is_torch_s() -> None:
    hidden = torch.rand(3, 5)
    assert torch.equal(dropout(hidden, 0.3, False), hidden)
    for probability in (0.0, 1e-9, 1.0):
        assert torch.equal(dropout(hidden, probability, True), F.dropout(hidden, probability))


# Used vocabulary.


@functools.cache
def embedded_corpus() -> dict[str, list[corpus.Sentence]]:
    return corpus.generate()


def encoded_of(tokenizer: PreTrainedTokenizerBase) -> Encoded:
    """A few sentences of the embedded corpus; the test split's labels are hidden."""
    sentences = embedded_corpus()
    features = Features(
        {
            "sentence": Value("string"),
            "label": ClassLabel(names=["unacceptable", "acceptable"]),
        }
    )
    splits = DatasetDict()
    for name, size in (("train", 60), ("validation", 36), ("test", 20)):
        chosen = sentences[name][:size]
        labels = [-1 if name == "test" else sentence.label for sentence in chosen]
        columns = {"sentence": [sentence.text for sentence in chosen], "label": labels}
        splits[name] = Dataset.from_dict(columns, features=features)
    return encode(splits, tokenizer, None)


def logits_of(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, rows: Dataset
) -> np.ndarray:
    batch = collator(tokenizer)(list(rows.remove_columns("label")))
    model.train(False)
    with torch.no_grad():
        logits: np.ndarray = model(**batch).logits.numpy()
    return logits


@pytest.mark.parametrize("architecture", TRIMMED)
def test_a_trimmed_model_gives_renumbered_sentences_the_same_logits(
    folders: dict[str, Path],
    tokenizers: dict[str, PreTrainedTokenizerBase],
    architecture: str,
) -> None:
    tokenizer = tokenizers[architecture]
    model = load_checkpoint(str(folders[architecture]), tokenizer, settings_of()).model
    splits = encoded_of(tokenizer).splits
    before = {name: rows.to_dict() for name, rows in splits.items()}
    logits = {name: logits_of(model, tokenizer, rows) for name, rows in splits.items()}
    whole = embedding_of(model).weight.detach().clone()
    padding_idx = embedding_of(model).padding_idx

    result = trim(model, splits)
    assert result is not None
    renumbered, trimmed = result
    occurring = {token for rows in splits.values() for ids in rows["input_ids"] for token in ids}
    assert set(trimmed.used.tolist()) == occurring | set(range(tokenizer.pad_token_id + 1))
    assert embedding_of(model).weight.shape == (len(trimmed.used), whole.shape[1])
    assert len(trimmed.used) < len(whole)
    assert embedding_of(model).padding_idx == padding_idx
    for name, rows in renumbered.items():
        assert logits_of(model, tokenizer, rows).tolist() == logits[name].tolist()
        assert rows.to_dict() | {"input_ids": None} == before[name] | {"input_ids": None}
    assert {name: rows.to_dict() for name, rows in splits.items()} == before

    # As after training: the rows in use have changed, and all others have decayed.
    with torch.no_grad():
        embedding_of(model).weight += 1
    restore(model, trimmed, decay=0.5)
    embedding = embedding_of(model)
    used = torch.zeros(len(whole), dtype=torch.bool)
    used[trimmed.used] = True
    assert torch.equal(embedding.weight[used], whole[used] + 1)
    assert torch.equal(embedding.weight[~used], whole[~used] * 0.5)
    assert embedding.weight.requires_grad
    assert embedding.padding_idx == padding_idx
    assert model.config.vocab_size == embedding.num_embeddings == len(whole)


@pytest.mark.parametrize("architecture", [name for name in ARCHITECTURES if name not in TRIMMED])
def test_other_architectures_keep_their_whole_vocabulary(
    folders: dict[str, Path],
    tokenizers: dict[str, PreTrainedTokenizerBase],
    architecture: str,
) -> None:
    tokenizer = tokenizers[architecture]
    model = load_checkpoint(str(folders[architecture]), tokenizer, settings_of()).model
    embedding = embedding_of(model)
    assert trim(model, encoded_of(tokenizer).splits) is None
    assert embedding_of(model) is embedding


@pytest.mark.parametrize("pad", [None, HIGHEST_PAD_TOKEN + 1, 60])
def test_a_model_without_a_pad_token_or_with_a_high_one_keeps_its_whole_vocabulary(
    folders: dict[str, Path], tokenizers: dict[str, PreTrainedTokenizerBase], pad: int | None
) -> None:
    model = load_checkpoint(str(folders["bert"]), tokenizers["bert"], settings_of()).model
    embedding = embedding_of(model)
    splits = encoded_of(tokenizers["bert"]).splits
    model.config.pad_token_id = pad
    assert trim(model, splits) is None
    model.config.pad_token_id = 0
    embedding.padding_idx = pad or HIGHEST_PAD_TOKEN + 1
    assert trim(model, splits) is None
    assert embedding_of(model) is embedding


def test_the_token_from_which_a_model_counts_positions_keeps_its_number(
    folders: dict[str, Path],
) -> None:
    # A tokenizer that pads with another token than the one the model knows as padding.
    tokenizer = AutoTokenizer.from_pretrained(folders["mpnet"])
    model = load_checkpoint(str(folders["mpnet"]), tokenizer, settings_of()).model
    tokenizer.pad_token, model.config.pad_token_id = "<s>", 0
    assert (model.config.pad_token_id, embedding_of(model).padding_idx) == (0, 1)
    splits = encoded_of(tokenizer).splits
    before = logits_of(model, tokenizer, splits["validation"])
    result = trim(model, splits)
    assert result is not None
    after = logits_of(model, tokenizer, result[0]["validation"])
    assert after.tolist() == before.tolist()


@dataclass(frozen=True)
class Optimizer:
    """What a callback sees of an optimizer."""

    param_groups: list[dict[str, float]]
    step_was_skipped: bool


def test_decay_is_counted_for_the_steps_that_were_taken() -> None:
    decay = DecayOfUnusedRows()
    state = type("State", (), {"epoch": 1.0})
    for rate, skipped in ((0.5, False), (0.25, True), (0.125, False)):
        optimizer = Optimizer([{"lr": rate, "weight_decay": 0.5}], skipped)
        decay.on_optimizer_step(None, state, None, optimizer=optimizer)
    decay.on_epoch_end(None, state, None)
    assert decay.by_epoch == {1: 0.75 * 0.9375}


# Whole fine-tunings.


@dataclass(frozen=True)
class Finished:
    outcome: Outcome
    weights: dict[str, Tensor]


def fine_tune(
    folder: Path,
    speedups: Collection[str],
    scratch: Path,
    *,
    double: bool = False,
    learning_rate: float = 1e-3,
    **training: Any,
) -> Finished:
    """Fine-tune a tiny checkpoint without dropout, so that nothing but its seed is random."""
    asked = {"epochs": 2, "eval_batch_size": 8, **training, "speedups": tuple(speedups)}
    settings = settings_of(spec.TrainingSpec.model_validate(asked), learning_rate)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = without_dropout(load_checkpoint(str(folder), tokenizer, settings).model)
    encoded = encoded_of(tokenizer)
    outcome = finetune(model.double() if double else model, tokenizer, encoded, settings, scratch)

    assert outcome.model is model
    assert has_own_forward(model)
    for split in ("validation", "test"):
        recomputed = logits_of(model, tokenizer, encoded.splits[split])
        np.testing.assert_allclose(outcome.logits[split], recomputed, atol=1e-5, rtol=0)
    weights = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    return Finished(outcome, weights)


def assert_same_epochs(plain: Outcome, fast: Outcome, tolerance: float) -> None:
    assert fast.selected_epoch == plain.selected_epoch
    for one, other in zip(plain.epochs, fast.epochs, strict=True):
        assert other.train_loss == pytest.approx(one.train_loss, rel=tolerance)
        assert other.eval_loss == pytest.approx(one.eval_loss, rel=tolerance)
        assert other.scores == one.scores


def assert_same_logits(plain: Outcome, fast: Outcome, tolerance: float) -> None:
    assert fast.logits.keys() == plain.logits.keys() == {"validation", "test"}
    for split, logits in plain.logits.items():
        np.testing.assert_allclose(fast.logits[split], logits, atol=tolerance, rtol=0)


def assert_same_weights(plain: Finished, fast: Finished, tolerance: float) -> None:
    assert_tensors_close(plain.weights, fast.weights, tolerance)


EXPECTED = {
    **dict.fromkeys(FAMILIES, NAMES),
    "deberta-v2": (
        *(COMPILED_OPTIMIZER, KEPT_MEMORY, MEMORY_CHECKPOINT, SORTED_EVALUATION),
        USED_VOCABULARY,
    ),
    "gpt2": (COMPILED_OPTIMIZER, KEPT_MEMORY, MEMORY_CHECKPOINT, SORTED_EVALUATION),
}


@pytest.mark.parametrize("architecture", EXPECTED)
def test_all_together_train_the_same_model_up_to_rounding(
    folders: dict[str, Path], architecture: str, tmp_path: Path
) -> None:
    plain = fine_tune(folders[architecture], (), tmp_path / "plain", double=True)
    fast = fine_tune(folders[architecture], NAMES, tmp_path / "fast", double=True)
    assert plain.outcome.speedups == ()
    assert fast.outcome.speedups == expected_names(architecture)
    # Losses and logits are reported in float32.
    assert_same_epochs(plain.outcome, fast.outcome, tolerance=1e-6)
    assert_same_logits(plain.outcome, fast.outcome, tolerance=1e-6)
    assert_same_weights(plain, fast, tolerance=1e-10)


def expected_names(architecture: str) -> tuple[str, ...]:
    glibc = platform.libc_ver()[0] == "glibc"
    return tuple(name for name in EXPECTED[architecture] if name != KEPT_MEMORY or glibc)


@pytest.mark.parametrize("architecture", EXPECTED)
@pytest.mark.long
def test_all_together_train_the_same_model_in_single_precision(
    folders: dict[str, Path], architecture: str, tmp_path: Path
) -> None:
    plain = fine_tune(folders[architecture], (), tmp_path / "plain")
    fast = fine_tune(folders[architecture], NAMES, tmp_path / "fast")
    assert_same_epochs(plain.outcome, fast.outcome, tolerance=1e-5)
    assert_same_logits(plain.outcome, fast.outcome, tolerance=1e-5)
    # A bias of keys adds the same to all scores of a query, which softmax takes away again: its
    # gradient is zero but for rounding. AdamW divides a gradient by its own size and so makes of
    # that noise steps of about the learning rate, in directions that mean nothing.
    for name in plain.weights:
        if name.endswith((".key.bias", ".k_lin.bias", ".attn.k.bias")):
            fast.weights[name] = plain.weights[name]
        if name.endswith(".attn.c_attn.bias"):  # GPT-2 keeps queries, keys and values together
            keys = slice(plain.weights[name].numel() // 3, 2 * plain.weights[name].numel() // 3)
            fast.weights[name][keys] = plain.weights[name][keys]
    assert_same_weights(plain, fast, tolerance=2e-5)


@pytest.mark.parametrize(
    ("architecture", "selection"),
    [
        ("bert", "best-epoch"),
        ("bert", "last-epoch"),
        ("roberta", "best-epoch"),
        ("deberta-v2", "last-epoch"),
    ],
)
def test_a_whole_fine_tuning_on_the_used_vocabulary_changes_every_row_as_the_plain_one_does(
    folders: dict[str, Path], architecture: str, selection: str, tmp_path: Path
) -> None:
    training: dict[str, Any] = {
        "weight_decay": 2.0,
        "selection": selection,
        "epochs": 3,
        "double": True,
    }
    plain = fine_tune(folders[architecture], (), tmp_path / "plain", **training)
    fast = fine_tune(folders[architecture], (USED_VOCABULARY,), tmp_path / "fast", **training)
    assert fast.outcome.speedups == (USED_VOCABULARY,)
    assert fast.outcome.parameters == plain.outcome.parameters
    assert_same_epochs(plain.outcome, fast.outcome, tolerance=1e-6)
    assert_same_logits(plain.outcome, fast.outcome, tolerance=1e-6)
    assert_same_weights(plain, fast, tolerance=1e-12)

    # The closed form: 8 steps an epoch, the learning rate falling by the same at each of them.
    steps = 8 * fast.outcome.selected_epoch
    product = math.prod(1 - 1e-3 * (1 - step / 24) * 2.0 for step in range(steps))
    tokenizer = AutoTokenizer.from_pretrained(folders[architecture])
    occurring = {
        token
        for rows in encoded_of(tokenizer).splits.values()
        for ids in rows["input_ids"]
        for token in ids
    }
    before = load_checkpoint(str(folders[architecture]), tokenizer, settings_of()).model.double()
    initial = embedding_of(before).weight.detach()
    final = embedding_of(fast.outcome.model).weight.detach()
    unused = sorted(set(range(len(initial))) - occurring - {tokenizer.pad_token_id})
    assert unused
    torch.testing.assert_close(final[unused], initial[unused] * product, rtol=1e-12, atol=0)


# At the first learning rate the predictions stay the same, so that all epochs are equally good.
@pytest.mark.parametrize("learning_rate", [1e-7, 1e-3, 3e-3])
def test_the_best_epoch_in_memory_is_the_one_that_trainer_loads_from_disk(
    folders: dict[str, Path], learning_rate: float, tmp_path: Path
) -> None:
    training: dict[str, Any] = {"epochs": 4, "learning_rate": learning_rate}
    plain = fine_tune(folders["bert"], (), tmp_path / "plain", **training)
    fast = fine_tune(folders["bert"], (MEMORY_CHECKPOINT,), tmp_path / "fast", **training)
    assert fast.outcome.speedups == (MEMORY_CHECKPOINT,)
    assert_same_epochs(plain.outcome, fast.outcome, tolerance=0.0)
    assert_same_logits(plain.outcome, fast.outcome, tolerance=0.0)
    assert_same_weights(plain, fast, tolerance=0.0)
    assert list(tmp_path.glob("plain/**/*.safetensors"))
    assert not [path for path in tmp_path.glob("fast/**/*") if path.is_file()]
    if learning_rate == 1e-7:
        assert len({epoch.scores for epoch in fast.outcome.epochs}) == 1
        assert fast.outcome.selected_epoch == 1


@settings(max_examples=30, deadline=None)
@given(st.lists(st.sampled_from([-0.5, 0.0, 0.25, 0.5]), min_size=1, max_size=6))
def test_the_first_of_equally_good_epochs_is_kept(values: list[float]) -> None:
    best = BestEpoch("score")
    model: Any = nn.Linear(1, 1)
    for epoch, value in enumerate(values):
        with torch.no_grad():
            model.weight.fill_(epoch)
        best.on_evaluate(None, None, None, metrics={"eval_score": value}, model=model)
    best.load(model)
    assert model.weight.item() == values.index(max(values))


def test_sorted_evaluation_gives_logits_in_the_split_s_own_order(
    folders: dict[str, Path], tmp_path: Path
) -> None:
    encoded = encoded_of(AutoTokenizer.from_pretrained(folders["bert"]))
    lengths = [len(ids) for ids in encoded.splits["validation"]["input_ids"]]
    assert lengths != sorted(lengths)
    plain = fine_tune(folders["bert"], (), tmp_path / "plain")
    fast = fine_tune(folders["bert"], (SORTED_EVALUATION,), tmp_path / "fast")
    assert fast.outcome.speedups == (SORTED_EVALUATION,)
    assert_same_epochs(plain.outcome, fast.outcome, tolerance=1e-6)
    assert_same_logits(plain.outcome, fast.outcome, tolerance=1e-6)
    assert_same_weights(plain, fast, tolerance=0.0)
    # The scores are those of the logits, so both are in the same order as the labels.
    labels = np.asarray(encoded.splits["validation"]["label"])
    selected = fast.outcome.epochs[fast.outcome.selected_epoch - 1]
    assert score(fast.outcome.logits["validation"], labels) == selected.scores


@pytest.mark.parametrize("architecture", ["bert", "gpt2"])
def test_a_record_names_the_speedups_that_were_in_force(
    folders: dict[str, Path], architecture: str, tmp_path: Path
) -> None:
    texts = sentences(32)
    rows = write_rows(tmp_path / "rows.csv", texts, [place % 2 for place in range(len(texts))])
    asked = (FIRST_TOKEN, SORTED_EVALUATION, USED_VOCABULARY)
    job = make_job(folders[architecture], file_spec(rows), tmp_path, speedups=asked)
    record, _ = execute_ok(job)
    assert record.training.speedups == asked
    assert record.speedups == (asked if architecture == "bert" else (SORTED_EVALUATION,))


# Kept memory.


def page_faults(size: int) -> int:
    """Count the pages that the kernel hands out while a few blocks are filled, then free them."""
    library = ctypes.CDLL(None)
    library.malloc.restype = ctypes.c_void_p
    blocks = [ctypes.c_void_p(library.malloc(ctypes.c_size_t(size))) for _ in range(3)]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for block in blocks:
        ctypes.memset(block, 1, size)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for block in blocks:
        library.free(block)
    return after - before


def page_faults_before_and_after() -> tuple[list[int], list[int]]:
    """Count page faults of the same work before and after freed memory is kept."""
    # glibc's initial thresholds, by the numbers that malloc.h gives them.
    for threshold in (-1, -3):
        ctypes.CDLL(None).mallopt(threshold, 128 * 1024)
    size = 24 * 2**20
    plain = [page_faults(size) for _ in range(4)]
    assert keep_freed_memory() is True
    return plain, [page_faults(size) for _ in range(4)]


@pytest.mark.long
def test_kept_memory_is_not_asked_of_the_kernel_again() -> None:
    if platform.libc_ver()[0] != "glibc":
        assert keep_freed_memory() is False
        return
    # In a process of its own, as a training has one: after many tests the heap of this one may be
    # hemmed in, or glibc may have given this thread an arena whose parts it returns when empty.
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process:
        plain, kept = process.submit(page_faults_before_and_after).result()
    assert max(kept[1:]) < min(plain) / 10
