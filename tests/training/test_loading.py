"""A checkpoint's encoder is loaded whole and as it was saved, or the run fails and says why."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from builders.jobs import execute_ok, file_spec, make_job, make_settings, sentences, write_rows
from builders.tiny_checkpoints import ARCHITECTURES, make_checkpoint
from safetensors.torch import load_file, save_file
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForCausalLM,
    AutoModelForMaskedLM,
    AutoModelForSequenceClassification,
    AutoModelForTokenClassification,
    AutoTokenizer,
    BartConfig,
    BartModel,
    BertForSequenceClassification,
    PreTrainedModel,
    T5Config,
    T5EncoderModel,
    T5Model,
)

from harness.errors import BadInput
from harness.kept.inference import load
from harness.models.misfit import unknown_positions
from harness.store.records import Record
from harness.suite.spec import TrainingSpec
from harness.training.loading import Loaded, load_checkpoint
from harness.training.worker import execute

Weights = dict[str, torch.Tensor]

WEIGHTS = "model.safetensors"
HEAD = ("classifier.bias", "classifier.weight")


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("checkpoints")
    return {name: make_checkpoint(name, root / name) for name in ARCHITECTURES}


@pytest.fixture
def bert(folders: dict[str, Path], tmp_path: Path) -> Path:
    """A copy of a BERT checkpoint, to be changed."""
    return copy_of(folders["bert"], tmp_path)


def copy_of(folder: Path, parent: Path) -> Path:
    return Path(shutil.copytree(folder, parent / f"{folder.name}-copy"))


def loaded(folder: Path) -> Loaded:
    settings = make_settings(
        batch_size=4, training=TrainingSpec(epochs=1), class_names=("bad", "good")
    )
    return load_checkpoint(str(folder), AutoTokenizer.from_pretrained(folder), settings)


def refused(folder: Path) -> str:
    with pytest.raises(BadInput) as caught:
        loaded(folder)
    assert all(problem.isprintable() for problem in caught.value.problems)
    return str(caught.value)


def rewrite(folder: Path, change: Callable[[Weights], Weights]) -> None:
    changed = {name: weight.clone() for name, weight in load_file(folder / WEIGHTS).items()}
    save_file(change(changed), folder / WEIGHTS, metadata={"format": "pt"})


def configure(folder: Path, **settings: Any) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | settings), encoding="utf-8")


def encoder(model: PreTrainedModel) -> Weights:
    found: Weights = getattr(model, model.base_model_prefix).state_dict()
    return found


def assert_same(ours: Mapping[str, torch.Tensor], theirs: Mapping[str, torch.Tensor]) -> None:
    for name in ours.keys() & theirs.keys():
        assert torch.equal(ours[name], theirs[name]), name


# What has to be loaded


def masked(folder: Path, target: Path) -> None:
    auto = AutoModelForCausalLM if "gpt2" in folder.name else AutoModelForMaskedLM
    if "xlnet" in folder.name:
        auto = AutoModelForCausalLM
    auto.from_pretrained(folder).save_pretrained(target)


def three_classes(folder: Path, target: Path) -> None:
    auto = AutoModelForSequenceClassification
    auto.from_pretrained(folder, num_labels=3).save_pretrained(target)


def words(folder: Path, target: Path) -> None:
    AutoModelForTokenClassification.from_pretrained(folder).save_pretrained(target)


def half(folder: Path, target: Path) -> None:
    AutoModel.from_pretrained(folder).half().save_pretrained(target)


def shards(folder: Path, target: Path) -> None:
    AutoModel.from_pretrained(folder).save_pretrained(target, max_shard_size="20KB")
    assert len(list(target.glob("*.safetensors"))) > 1


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("form", [None, masked, three_classes, words, half, shards])
def test_every_way_to_save_a_pretrained_encoder_is_loaded_whole(
    architecture: str,
    form: Callable[[Path, Path], None] | None,
    folders: dict[str, Path],
    tmp_path: Path,
) -> None:
    """Against transformers' own loading of the base model from where it was saved first."""
    folder = tmp_path / architecture
    if form is None:
        folder = folders[architecture]
    else:
        form(folders[architecture], folder)
        AutoTokenizer.from_pretrained(folders[architecture]).save_pretrained(folder)
    found = loaded(folder)
    expected = AutoModel.from_pretrained(folders[architecture]).state_dict()
    if form is half:
        expected = {name: weight.half().float() for name, weight in expected.items()}
    ours = encoder(found.model)
    inside = {name for name in ours if not name.startswith("pooler.")}
    assert inside <= expected.keys()
    assert_same({name: ours[name] for name in inside}, expected)
    assert found.weights.warnings == ()
    prefix = found.model.base_model_prefix
    assert all(
        not name.startswith(f"{prefix}.") or name.startswith(f"{prefix}.pooler.")
        for name in found.weights.initialised
    )
    assert (found.weights.initialised != ()) or form is words


def test_a_pooler_is_new_only_where_the_pretraining_had_none(
    folders: dict[str, Path], tmp_path: Path
) -> None:
    pooler = ("bert.pooler.dense.bias", "bert.pooler.dense.weight")
    assert loaded(folders["bert"]).weights.initialised == HEAD
    masked(folders["bert"], tmp_path / "masked")
    AutoTokenizer.from_pretrained(folders["bert"]).save_pretrained(tmp_path / "masked")
    assert loaded(tmp_path / "masked").weights.initialised == (*pooler, *HEAD)
    other = copy_of(folders["bert"], tmp_path)
    rewrite(other, lambda old: {k.replace("pooler.", "Pooler."): v for k, v in old.items()})
    assert "bert.pooler.dense.weight" in refused(other)


def test_what_old_checkpoints_hold_beside_weights_is_let_be(
    folders: dict[str, Path], tmp_path: Path
) -> None:
    def with_buffers(weights: Weights) -> Weights:
        return weights | {"embeddings.position_ids": torch.arange(64)[None]}

    def with_masks(weights: Weights) -> Weights:
        bias = torch.tril(torch.ones(64, 64, dtype=torch.uint8))[None, None]
        return weights | {"h.0.attn.bias": bias, "h.0.attn.masked_bias": torch.tensor(-1e4)}

    def with_old_names(weights: Weights) -> Weights:
        return {
            name.replace("LayerNorm.weight", "LayerNorm.gamma").replace(
                "LayerNorm.bias", "LayerNorm.beta"
            ): weight
            for name, weight in weights.items()
        }

    def with_rotation(weights: Weights) -> Weights:
        return weights | {"layers.0.attn.rotary_emb.inv_freq": torch.ones(8)}

    for architecture, change in (
        ("bert", with_buffers),
        ("bert", with_old_names),
        ("distilbert", with_buffers),
        ("gpt2", with_masks),
        ("modernbert", with_rotation),
    ):
        folder = copy_of(folders[architecture], tmp_path / change.__name__ / architecture)
        rewrite(folder, change)
        found = loaded(folder)
        assert_same(
            encoder(found.model), AutoModel.from_pretrained(folders[architecture]).state_dict()
        )


# What is not loaded


@pytest.mark.parametrize(
    "architecture",
    [
        "bert",
        *(pytest.param(each, marks=pytest.mark.long) for each in ("roberta", "gpt2", "modernbert")),
    ],
)
@pytest.mark.parametrize(
    "prefix", ["_orig_mod.", "module.", "0.auto_model.", "encoder_q.", "a.b.c.", "net.encoder."]
)
def test_a_prefix_is_named_and_the_line_that_is_told_takes_it_away(
    architecture: str, prefix: str, folders: dict[str, Path], tmp_path: Path
) -> None:
    folder = copy_of(folders[architecture], tmp_path)
    rewrite(folder, lambda weights: {prefix + name: weight for name, weight in weights.items()})
    told = refused(folder)
    assert f"begin with '{prefix}'" in told
    assert "100 % of its numbers" in told
    assert f"{prefix}" in told.split("unused: ")[1]
    line = told.split('python -c "')[1].removesuffix('"')
    subprocess.run([sys.executable, "-c", line], cwd=folder, check=True)
    assert_same(load_file(folder / WEIGHTS), load_file(folders[architecture] / WEIGHTS))
    assert loaded(folder).weights == loaded(folders[architecture]).weights


def test_names_that_share_one_word_alone_are_not_told_to_be_renamed(bert: Path) -> None:
    def without_positions(weights: Weights) -> Weights:
        head = {"cls.predictions.transform.LayerNorm.weight": torch.ones(32)}
        kept = {name: w for name, w in weights.items() if "position_embeddings" not in name}
        return kept | head

    rewrite(bert, without_positions)
    told = refused(bert)
    assert "position_embeddings.weight" in told
    assert "rename" not in told


def test_a_prefix_in_shards_is_found_too(folders: dict[str, Path], tmp_path: Path) -> None:
    shards(folders["bert"], tmp_path)
    AutoTokenizer.from_pretrained(folders["bert"]).save_pretrained(tmp_path)
    for file in tmp_path.glob("*.safetensors"):
        weights = {f"module.{name}": weight.clone() for name, weight in load_file(file).items()}
        save_file(weights, file, metadata={"format": "pt"})
    told = refused(tmp_path)
    assert "begin with 'module.'" in told
    line = told.split('python -c "')[1].removesuffix('"')
    subprocess.run([sys.executable, "-c", line], cwd=tmp_path, check=True)
    assert loaded(tmp_path).weights.initialised == HEAD


def test_names_under_another_part_are_told_with_the_part_that_is_wanted(bert: Path) -> None:
    rewrite(bert, lambda old: {k.replace("encoder.layer.", "layers."): v for k, v in old.items()})
    told = refused(bert)
    assert "begin with 'layers.' instead of 'bert.encoder.layer.'" in told
    line = told.split('python -c "')[1].removesuffix('"')
    subprocess.run([sys.executable, "-c", line], cwd=bert, check=True)
    assert loaded(bert).weights.initialised == HEAD


@pytest.mark.parametrize("prefix", ['the "old" net.', "it's one.", "$HOME.", "`pwd`."])
def test_a_prefix_with_a_meaning_in_a_shell_is_named_without_a_command(
    bert: Path, prefix: str
) -> None:
    rewrite(bert, lambda old: {prefix + name: weight for name, weight in old.items()})
    told = refused(bert)
    assert f"begin with {prefix!r}; rename them in a copy of the folder" in told
    assert "python -c" not in told
    rewrite(bert, lambda old: {f"layers.{n.removeprefix(prefix)}": w for n, w in old.items()})
    assert "python -c" in refused(bert)


def test_names_that_differ_in_capital_letters_are_told(bert: Path) -> None:
    rewrite(bert, lambda old: {k.replace("LayerNorm", "layernorm"): v for k, v in old.items()})
    assert "only in capital letters" in refused(bert)


@pytest.mark.parametrize(
    ("architecture", "settings", "told"),
    [
        ("bert", {"vocab_size": 177}, "vocab_size is 177, in the files 169"),
        ("bert", {"vocab_size": 168}, "vocab_size is 168, in the files 169"),
        ("bert", {"hidden_size": 64}, "hidden_size is 64, in the files 32"),
        ("bert", {"intermediate_size": 32}, "intermediate_size is 32, in the files 64"),
        ("bert", {"max_position_embeddings": 32}, "max_position_embeddings is 32, in the files 64"),
        ("bert", {"type_vocab_size": 1}, "type_vocab_size is 1, in the files 2"),
        ("bert", {"num_hidden_layers": 4}, "num_hidden_layers is 4, in the files 2"),
        ("bert", {"num_hidden_layers": 1}, "num_hidden_layers is 1, in the files 2"),
        ("roberta", {"max_position_embeddings": 130}, "max_position_embeddings is 130, in the fil"),
        ("distilbert", {"n_layers": 3}, "n_layers is 3, in the files 2"),
        ("gpt2", {"n_layer": 1}, "n_layer is 1, in the files 2"),
        ("mpnet", {"relative_attention_num_buckets": 8}, "num_buckets is 8, in the files 32"),
        ("albert", {"embedding_size": 32}, "embedding_size is 32, in the files 16"),
        ("xlnet", {"d_inner": 32}, "d_inner is 32, in the files 64"),
        (
            "bert",
            {"hidden_size": 64, "num_hidden_layers": 1, "vocab_size": 170},
            "hidden_size is 64, in the files 32",
        ),
    ],
)
def test_a_size_in_the_configuration_that_is_not_the_files_is_named_with_both_values(
    architecture: str,
    settings: dict[str, int],
    told: str,
    folders: dict[str, Path],
    tmp_path: Path,
) -> None:
    folder = copy_of(folders[architecture], tmp_path)
    configure(folder, **settings)
    message = refused(folder)
    assert told in message
    for key, value in settings.items():
        assert f"{key} is {value}, in the files" in message


@pytest.mark.parametrize("family", ["roberta", "distilbert", "electra", "albert", "gpt2", "mpnet"])
def test_a_model_type_of_another_family_is_named_with_the_one_that_saved(
    family: str, bert: Path
) -> None:
    configure(bert, model_type=family)
    told = refused(bert)
    assert f"model_type in config.json is '{family}'" in told
    assert "saved by BertModel, whose model_type is 'bert'" in told


def test_a_family_that_computes_the_same_under_another_name_is_loaded(
    folders: dict[str, Path], tmp_path: Path
) -> None:
    folder = copy_of(folders["roberta"], tmp_path)
    configure(folder, model_type="xlm-roberta")
    assert json.loads((folder / "config.json").read_text())["architectures"] == ["RobertaModel"]
    found = loaded(folder)
    assert found.model.config.model_type == "xlm-roberta"
    assert_same(encoder(found.model), AutoModel.from_pretrained(folders["roberta"]).state_dict())


@pytest.mark.parametrize("kind", ["relative_key", "relative_key_query", "alibi"])
def test_positions_that_transformers_does_not_compute_are_refused(kind: str, bert: Path) -> None:
    configure(bert, position_embedding_type=kind)
    assert f"position_embedding_type '{kind}', which" in refused(bert)
    configure(bert, position_embedding_type="absolute")
    assert loaded(bert).weights.initialised == HEAD


@pytest.mark.parametrize(("kind", "known"), [("rotary", True), ("relative_key", False)])
def test_a_family_s_own_kinds_of_positions_are_known(kind: str, known: bool) -> None:
    """ESM computes rotary positions; it computed relative ones in earlier versions."""
    config = AutoConfig.for_model(
        "esm",
        vocab_size=16,
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        pad_token_id=1,
        position_embedding_type=kind,
    )
    model = AutoModelForSequenceClassification.from_config(config)  # type: ignore[no-untyped-call]
    assert (unknown_positions(model) is None) == known


def test_weights_that_are_missing_are_named_and_counted(
    folders: dict[str, Path], tmp_path: Path
) -> None:
    for architecture, part in (
        ("bert", "encoder.layer.0."),
        ("roberta", "embeddings.word_embeddings"),
        ("gpt2", "h.1.mlp."),
        ("deberta-v2", "encoder.rel_embeddings"),
    ):
        folder = copy_of(folders[architecture], tmp_path)
        gone = [name for name in load_file(folder / WEIGHTS) if name.startswith(part)]
        assert gone
        rewrite(folder, lambda old, gone=gone: {k: v for k, v in old.items() if k not in gone})  # type: ignore[misc]
        told = refused(folder)
        assert f"{len(gone)} of its " in told
        assert sorted(gone)[0] in told


def test_weights_that_are_left_over_in_a_part_of_the_encoder_are_named(bert: Path) -> None:
    adapter = "encoder.layer.0.output.adapter.down.weight"
    rewrite(bert, lambda weights: weights | {adapter: torch.ones(8, 32)})
    told = refused(bert)
    assert "1 of the 40 tensors in the files (1 % of their numbers)" in told
    assert adapter in told


def test_half_of_an_encoder_and_decoder_is_not_enough(tmp_path: Path, bert: Path) -> None:
    sizes = {"vocab_size": 169, "d_model": 32, "d_kv": 16, "d_ff": 64, "num_layers": 2}
    t5 = T5Config(**sizes, num_heads=2, decoder_start_token_id=0)  # type: ignore[arg-type, call-arg]
    bart = BartConfig(
        vocab_size=169,
        d_model=32,
        encoder_layers=2,
        decoder_layers=2,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=64,
        decoder_ffn_dim=64,
        max_position_embeddings=64,
    )
    for name, model in (("t5", T5Model(t5)), ("bart", BartModel(bart))):
        model.save_pretrained(tmp_path / name)
        AutoTokenizer.from_pretrained(bert).save_pretrained(tmp_path / name)
        found = loaded(tmp_path / name)
        assert all("classification_head" in each for each in found.weights.initialised)
        assert_same(encoder(found.model), model.state_dict())
    T5EncoderModel(t5).save_pretrained(tmp_path / "half")
    AutoTokenizer.from_pretrained(bert).save_pretrained(tmp_path / "half")
    assert "transformer.decoder.block.0" in refused(tmp_path / "half")


# What is loaded, and is of no use


def test_tensors_under_two_names_are_refused_unless_they_are_equal(bert: Path) -> None:
    twice = "embeddings.LayerNorm.weight"
    rewrite(bert, lambda weights: weights | {f"bert.{twice}": weights[twice].clone()})
    assert loaded(bert).weights.initialised == HEAD
    rewrite(bert, lambda weights: weights | {f"bert.{twice}": weights[twice] + 1})
    assert f"bert.{twice} and {twice}" in refused(bert)
    rewrite(
        bert,
        lambda weights: {
            **{name: weight for name, weight in weights.items() if not name.startswith("bert.")},
            "embeddings.LayerNorm.gamma": weights[twice] * 2,
        },
    )
    assert "embeddings.LayerNorm.gamma and embeddings.LayerNorm.weight" in refused(bert)


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_numbers_that_are_not_finite_are_refused(
    number: float, dtype: torch.dtype, bert: Path
) -> None:
    broken = "encoder.layer.1.output.dense.weight"

    def spoil(weights: Weights) -> Weights:
        weights[broken][3, 4] = number
        return {name: weight.to(dtype) for name, weight in weights.items()}

    rewrite(bert, spoil)
    told = refused(bert)
    assert "1 of the model's tensors hold NaN or infinite numbers" in told
    assert f"bert.{broken}" in told


def test_weights_stored_as_whole_numbers_are_refused(bert: Path) -> None:
    quantized = "encoder.layer.1.output.dense.weight"
    rewrite(bert, lambda old: old | {quantized: (old[quantized] * 10).to(torch.int8)})
    assert f"{quantized} (I8)" in refused(bert)


def test_an_encoder_of_zeros_is_refused_and_a_part_of_zeros_warned_of(
    folders: dict[str, Path], tmp_path: Path
) -> None:
    def zeros(part: str) -> Callable[[Weights], Weights]:
        return lambda old: {k: v * 0 if part in k else v for k, v in old.items()}

    segments = copy_of(folders["roberta"], tmp_path)
    rewrite(segments, zeros("token_type_embeddings"))
    assert loaded(segments).weights.warnings == (), "as RoBERTa itself is published"
    bert = copy_of(folders["bert"], tmp_path)
    rewrite(bert, zeros("layer.1.output.dense"))
    (warning,) = loaded(bert).weights.warnings
    assert "bert.encoder.layer.1.output.dense.weight" in warning
    rewrite(bert, zeros(""))
    assert "the encoder is empty" in refused(bert)


# Runs, records and kept models


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("data") / "rows.csv"
    return write_rows(path, sentences(32), [number % 2 for number in range(32)])


def test_a_run_keeps_what_was_new_and_its_record_stays_readable(
    folders: dict[str, Path], rows: Path, tmp_path: Path
) -> None:
    record, _ = execute_ok(make_job(folders["bert"], file_spec(rows), tmp_path))
    assert record.initialised == HEAD
    assert Record.model_validate_json(record.model_dump_json()) == record
    before = record.model_dump(mode="json")
    del before["initialised"]
    assert "initialised" not in Record.model_validate(before).model_dump_json()


def test_a_run_whose_encoder_is_not_loaded_fails_with_the_whole_message(
    bert: Path, rows: Path, tmp_path: Path
) -> None:
    rewrite(bert, lambda weights: {f"_orig_mod.{k}": v for k, v in weights.items()})
    job = make_job(bert, file_spec(rows), tmp_path)
    record = execute(job).record
    assert record.status == "failed"
    assert record.reason is not None
    assert record.reason.startswith("the encoder is not loaded: ")
    assert record.reason.endswith("for f in glob.glob('*.safetensors')]\"")
    assert record.epochs == ()


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"num_hidden_layers": 1}, "num_hidden_layers is 1, in the files 2"),
        ({"vocab_size": 170}, "vocab_size is 170, in the files 169"),
        ({"position_embedding_type": "relative_key"}, "position_embedding_type 'relative_key'"),
    ],
)
def test_a_kept_model_is_held_to_its_files_in_the_same_way(
    settings: dict[str, Any], told: str, bert: Path
) -> None:
    BertForSequenceClassification.from_pretrained(bert).save_pretrained(bert)
    configure(bert, id2label={"0": "bad", "1": "good"}, label2id={"bad": 0, "good": 1})
    assert load(bert, "cpu").model.num_labels == 2
    configure(bert, **settings)
    with pytest.raises(BadInput) as caught:
        load(bert, "cpu")
    assert told in str(caught.value)


def test_a_kept_model_without_its_head_is_refused(bert: Path) -> None:
    BertForSequenceClassification.from_pretrained(bert).save_pretrained(bert)
    rewrite(bert, lambda weights: {k: v for k, v in weights.items() if k != "classifier.bias"})
    with pytest.raises(BadInput, match=r"no weights for classifier\.bias"):
        load(bert, "cpu")
