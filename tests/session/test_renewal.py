"""What a finished run holds and its key does not is as today's suite says, in every file."""

import json
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from builders.jobs import execute_ok, sentences, write_rows
from builders.tiny_checkpoints import make_checkpoint
from builders.waiting import UNREACHABLE
from huggingface_hub import ModelCard, ModelCardData
from sklearn.metrics import accuracy_score, f1_score, matthews_corrcoef
from transformers import AutoModelForSequenceClassification, pipeline

from harness.kept import kept_files
from harness.session import renewal
from harness.session.options import Options, Planned
from harness.session.reuse import records_for_plan
from harness.session.session import Session
from harness.session.suite_inputs import Inputs, find_inputs
from harness.store.groups import Groups
from harness.store.predictions import read_predictions
from harness.store.records import Record
from harness.store.run_store import Stored, read_store, run_folder, write_record
from harness.suite.plan import make_plan, runs_of
from harness.suite.spec import Suite, load_suite
from harness.training.job import Job

SUITE = """
name = "names"
keep_models = "all"
[dataset]
source = "file"
path = "data.csv"
validation_size = 16
test_size = 8
class_names = ["bad", "good"]
[matrix]
checkpoints = ["./base"]
batch_sizes = [8]
learning_rates = [1e-3, 1e-4]
[training]
epochs = 1
"""


def found(folder: Path, text: str) -> tuple[Suite, Inputs]:
    """Read a suite and find what it needs."""
    (folder / "suite.toml").write_text(text, encoding="utf-8")
    suite = load_suite(folder / "suite.toml")
    return suite, find_inputs(suite, folder, make_plan(suite), None, UNREACHABLE)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with data, a checkpoint and the results of SUITE, both of its models kept."""
    folder = tmp_path_factory.mktemp("trained")
    make_checkpoint("bert", folder / "base")
    write_rows(folder / "data.csv", sentences(48), [n % 2 for n in range(48)])
    suite, inputs = found(folder, SUITE)
    for cell in make_plan(suite):
        (run,) = runs_of(cell, suite.training)
        key = inputs.key(run)
        assert inputs.source is not None
        assert inputs.dataset is not None
        place = run_folder(folder / "results" / "names", run, key)
        record, predictions = execute_ok(
            Job(
                run=run,
                key=key,
                checkpoint=inputs.checkpoints[cell.checkpoint],
                source=inputs.source,
                dataset=inputs.dataset,
                folder=place,
                device=inputs.device,
                threads=1,
                concurrency=1,
                keep_model=True,
            )
        )
        write_record(place, record, predictions)
    return folder


@pytest.fixture
def here(trained: Path, tmp_path: Path) -> Path:
    """A copy of all that, to be changed."""
    return Path(shutil.copytree(trained, tmp_path / "copy"))


@pytest.fixture
def session(here: Path) -> Iterator[Callable[..., tuple[Session, Planned]]]:
    """Start sessions for a suite's text; none of them has anything to train."""
    open_sessions: list[Session] = []

    def start(text: str, select: str = "") -> tuple[Session, Planned]:
        (here / "suite.toml").write_text(text, encoding="utf-8")
        suite = load_suite(here / "suite.toml")
        planned = Planned(suite, here / "suite.toml", tuple(make_plan(suite)))
        chosen = [cell for cell in planned.cells if select in cell.id]
        started = Session([planned], chosen, Options(here / "results", None, False))
        open_sessions.append(started)
        try:
            started.start()
        except KeyboardInterrupt:
            started.release()
            raise
        assert started.counts[suite.name]["to train"] == 0, "the key changed"
        for cell in chosen:
            started.wait([cell], lambda: None)
        started.close()
        started.release()
        return started, planned

    yield start
    for each in open_sessions:
        each.release()


def models(here: Path) -> list[Path]:
    return sorted(here.glob("results/*/runs/*/*/model"))


def bytes_below(folder: Path) -> dict[str, tuple[bytes, int]]:
    """Return the content and the time of the last change of every file."""
    return {
        str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in folder.rglob("*")
        if path.is_file() and path.name != ".lock" and "lock" not in path.name
    }


def answers(model: Path) -> list[tuple[str, float]]:
    classify = pipeline("text-classification", str(model), device="cpu")
    return [(given["label"], given["score"]) for given in classify(sentences(6))]


def test_other_class_names_reach_model_card_and_every_reader(
    here: Path, session: Callable[..., tuple[Session, Planned]]
) -> None:
    before = {model: answers(model) for model in models(here)}
    assert len(before) == 2
    weights = {model: (model / "model.safetensors").read_bytes() for model in before}
    started, _ = session(SUITE.replace('["bad", "good"]', '["ungrammatical", "grammatical"]'))
    assert any("got the names" in note for note in started.notes)
    new = {"bad": "ungrammatical", "good": "grammatical"}
    for model, given in before.items():
        assert answers(model) == [(new[label], score) for label, score in given]
        assert (model / "model.safetensors").read_bytes() == weights[model]
        card = ModelCard.load(model / "README.md").text
        assert "`ungrammatical` (label 0) or `grammatical` (label 1)" in card
        assert "`bad`" not in card
        assert not list(model.glob(".*"))


# Swapped names rename the classes only; LABEL_0 and LABEL_1 are what transformers leaves out.
@pytest.mark.parametrize(
    "names", [("good", "bad"), ("LABEL_0", "LABEL_1"), ("ungrammatisch", "schön „gut“")]
)
def test_any_names_can_be_given_and_taken_back(
    names: tuple[str, str], here: Path, session: Callable[..., tuple[Session, Planned]]
) -> None:
    model = models(here)[0]
    original = {path.name: path.read_bytes() for path in model.iterdir()}
    session(SUITE.replace('["bad", "good"]', json.dumps(names, ensure_ascii=False)))
    loaded = AutoModelForSequenceClassification.from_pretrained(model)
    assert loaded.config.id2label == dict(enumerate(names))
    assert loaded.config.label2id == {name: label for label, name in enumerate(names)}
    assert loaded.config.num_labels == 2
    session(SUITE)
    assert {path.name: path.read_bytes() for path in model.iterdir()} == original


def test_what_is_up_to_date_is_not_written(
    here: Path, session: Callable[..., tuple[Session, Planned]]
) -> None:
    card = models(here)[0] / "README.md"
    card.write_text(f"{card.read_text()}\nA remark of its owner.\n")
    before = bytes_below(here / "results")
    started, _ = session(SUITE.replace("epochs = 1", "epochs = 1\n[gates]\nmin_mcc = -1"))
    assert bytes_below(here / "results") == before
    assert started.notes == []


def test_a_checkpoint_and_a_file_of_another_name_are_called_by_it(
    here: Path, session: Callable[..., tuple[Session, Planned]]
) -> None:
    (here / "base").rename(here / "encoder-v2")
    (here / "data.csv").rename(here / "reviews.csv")
    text = SUITE.replace("./base", "./encoder-v2").replace("data.csv", "reviews.csv")
    session(text)
    for model in models(here):
        card = ModelCard.load(model / "README.md")
        assert isinstance(card.data, ModelCardData)
        assert card.data.model_name is not None
        assert card.data.model_name.startswith("names-encoder-v2-bs8-lr")
        assert "`encoder-v2`" in card.text
        assert "file reviews.csv" in card.text
        assert "data.csv" not in card.content
        assert "`base`" not in card.content
    # The commands that read the store alone find the runs under their new names, too.
    suite, _ = found(here, text)
    store, problems = read_store(here / "results" / "names")
    shown, left_out = records_for_plan(suite, make_plan(suite), store)
    assert (len(shown), problems, left_out) == (2, [], [])
    assert {item.record.dataset.origin for item in shown if item.record.dataset} == {
        "file reviews.csv"
    }


def test_a_suite_of_another_name_in_a_moved_folder(
    here: Path, session: Callable[..., tuple[Session, Planned]]
) -> None:
    (here / "results" / "names").rename(here / "results" / "later")
    session(SUITE.replace('name = "names"', 'name = "later"'))
    for model in models(here):
        assert "names-" not in (model / "README.md").read_text()
        assert "- name: later-base-bs8" in (model / "README.md").read_text()
    store, _ = read_store(here / "results" / "later")
    assert {item.record.suite for item in store} == {"later"}


def test_cells_that_were_not_selected_are_published_with_todays_gates(
    here: Path, session: Callable[..., tuple[Session, Planned]]
) -> None:
    text = SUITE + "[gates]\nmin_mcc = 0.99\ntarget_mcc = -1.0\n"
    started, planned = session(text, select="lr1e-03")
    records = [item.record for item in started.stored(planned)]
    assert [record.cell for record in records] == [cell.id for cell in planned.cells]
    for record in records:
        assert (record.threshold, record.verdict, record.target_mcc) == (0.99, "fail", -1.0)
        assert record.time_to_target_seconds == record.epochs[0].seconds


def test_a_record_says_whether_its_model_is_there(
    here: Path, session: Callable[..., tuple[Session, Planned]]
) -> None:
    started, planned = session(SUITE.replace('"all"', '"best"'))
    (best,) = models(here)
    store, _ = read_store(here / "results" / "names")
    for records in (store, started.stored(planned)):
        kept = {item.folder: item.record.model_kept for item in records}
        assert kept == {item.folder: item.folder == best.parent for item in store}
    shutil.rmtree(best)
    started, planned = session(SUITE.replace('"all"', '"none"'))
    assert not any(item.record.model_kept for item in started.stored(planned))
    assert not any(i.record.model_kept for i in read_store(here / "results" / "names")[0])


def test_two_checkpoints_with_the_same_files_do_not_rename_their_run_in_turn(
    here: Path, session: Callable[..., tuple[Session, Planned]]
) -> None:
    shutil.copytree(here / "base", here / "twin")
    text = SUITE.replace('["./base"]', '["./twin", "./base"]')
    before = bytes_below(here / "results")
    started, planned = session(text)
    assert bytes_below(here / "results") == before
    assert {item.record.cell for item in started.stored(planned)} == {c.id for c in planned.cells}


def test_a_model_is_whole_whenever_writing_stops(
    here: Path, session: Callable[..., tuple[Session, Planned]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped before each of the files that it replaces, and gone on with by the next session."""
    text = SUITE.replace('["bad", "good"]', '["no", "yes"]').replace("learning_rates", "# ")
    text = text.replace("[training]", "learning_rates = [1e-3]\n[training]")
    model = next(model for model in models(here) if "lr1e-03" in str(model))
    replace_file, stop_at = os.replace, [0]

    def stopping(self: Path, target: str | Path) -> Path:
        stop_at[0] -= 1
        if stop_at[0] < 0:
            raise KeyboardInterrupt
        replace_file(self, target)
        return Path(str(target))

    for files in range(2):
        with monkeypatch.context() as patched:
            patched.setattr(Path, "replace", stopping)
            stop_at[0] = files
            with pytest.raises(KeyboardInterrupt):
                session(text)
        names = AutoModelForSequenceClassification.from_pretrained(model).config.id2label
        assert set(names.values()) in ({"bad", "good"}, {"no", "yes"})
        ModelCard.load(model / "README.md")
    (model / ".config.json.1.partial").write_text("{")
    session(text)
    assert kept_files.class_names(model.parent) == ("no", "yes")
    assert "`no` (label 0)" in (model / "README.md").read_text()
    assert not list(model.glob(".*"))


def test_a_store_that_cannot_be_written_is_told_and_not_renamed_in_part(
    here: Path, session: Callable[..., tuple[Session, Planned]], monkeypatch: pytest.MonkeyPatch
) -> None:
    model = models(here)[0]
    (model / f".README.md.{os.getpid()}.partial").mkdir()  # so no card can be written
    started, _ = session(SUITE.replace('["bad", "good"]', '["no", "yes"]'))
    (told,) = [note for note in started.notes if "cannot be written" in note]
    assert str(model.parent.name) in told
    assert kept_files.class_names(model.parent) == ("bad", "good")


def test_a_model_without_a_readable_configuration_is_not_kept(here: Path) -> None:
    folder = models(here)[0].parent
    assert kept_files.is_kept(folder)
    for content in ("{", "[]", '"text"'):
        (folder / "model" / "config.json").write_text(content)
        assert not kept_files.is_kept(folder)
    (folder / "model" / "config.json").unlink()
    assert not kept_files.is_kept(folder)


def test_names_in_parts_of_a_configuration_are_renamed_with_it(here: Path) -> None:
    folder = models(here)[0].parent
    path = folder / "model" / "config.json"
    config = json.loads(path.read_bytes())
    part = {"id2label": config["id2label"], "label2id": config["label2id"], "width": 3}
    other = {"id2label": {"0": "cat"}, "label2id": {"cat": 0}}
    path.write_text(json.dumps({**config, "text_config": {"decoder": part}, "vision": other}))
    store, _ = read_store(here / "results" / "names")
    record = next(item.record for item in store if item.folder == folder)
    kept_files.rename(folder, record, ("no", "yes"))
    renamed = json.loads(path.read_bytes())
    new = {"id2label": {"0": "no", "1": "yes"}, "label2id": {"no": 0, "yes": 1}}
    assert renamed["text_config"] == {"decoder": {**new, "width": 3}}
    assert renamed["vision"] == other
    assert renamed.items() >= new.items()


def renewed(here: Path, groups: dict[str, Groups]) -> tuple[list[Stored], list[str]]:
    suite, inputs = found(here, SUITE)
    store, problems = read_store(here / "results" / "names")
    assert problems == []
    return renewal.renew([], store, suite, replace(inputs, groups=groups))


def test_domains_and_sources_are_those_that_the_data_tell_today(here: Path) -> None:
    """As of CoLA, which the hub has without them, and its own folder with them."""
    domains = ["in"] * 9 + ["out"] * 7
    sources = ["a99", "b00"] * 8
    groups = {"validation": Groups(domains, sources), "test": Groups([""] * 8, ["t"] * 8)}
    store, notes = renewed(here, groups)
    assert notes == ["2 finished runs got the names and data facts of the current suite"]
    for item in store:
        table = read_predictions(item.folder).to_pandas()
        rows = table[table["split"] == "validation"]
        assert list(rows["domain"]) == domains
        assert list(rows["source"]) == sources
        assert set(table[table["split"] == "test"]["source"]) == {"t"}
        given = rows[["logit_0", "logit_1"]].to_numpy().argmax(axis=1)
        for domain, scores in (
            ("in", item.record.scores_in_domain),
            ("out", item.record.scores_out_of_domain),
        ):
            chosen = (rows["domain"] == domain).to_numpy()
            labels, classes = rows["label"].to_numpy()[chosen], given[chosen]
            assert scores is not None
            assert scores.mcc == pytest.approx(matthews_corrcoef(labels, classes))
            assert scores.accuracy == pytest.approx(accuracy_score(labels, classes))
            assert scores.f1 == pytest.approx(f1_score(labels, classes, zero_division=0))
        counts = item.record.confusion_by
        assert set(counts) == {"source", "length"}
        labels = rows["label"].to_numpy()[np.asarray(sources) == "b00"]
        hits = given[np.asarray(sources) == "b00"]
        assert counts["source"]["b00"].true_positive == int((labels & hits).sum())

    # It is believed as it lies there, nothing is left to do, and what is not told today stays.
    read, problems = read_store(here / "results" / "names")
    assert ([item.record for item in read], problems) == ([item.record for item in store], [])
    assert renewed(here, groups)[1] == []
    assert renewed(here, {})[1] == []
    assert renewed(here, {"validation": Groups([""] * 16, sources)})[1] == []


def test_other_sources_of_the_same_sentences_are_noted(here: Path) -> None:
    """As after another dataset.group_column with given splits, which changes no split."""
    first, second = ([f"{name}{n % 8}" for n in range(16)] for name in ("author", "book"))
    renewed(here, {"validation": Groups([""] * 16, first)})
    store, notes = renewed(here, {"validation": Groups([""] * 16, second)})
    assert notes[1].startswith("2 finished runs got the sources of the current suite (dataset.gr")
    for item in store:
        assert item.record.groupings is not None
        assert item.record.groupings["source"].names == tuple(sorted(set(second)))
    assert renewed(here, {"validation": Groups([""] * 16, second)})[1] == []


def test_runs_on_other_data_keep_their_names(here: Path) -> None:
    suite, inputs = found(here, SUITE.replace('["bad", "good"]', '["no", "yes"]'))
    assert inputs.dataset is not None
    other = inputs.dataset.model_copy(update={"fingerprint": "0" * 64})
    store, _ = read_store(here / "results" / "names")
    before = bytes_below(here / "results")
    assert renewal.renew([], store, suite, replace(inputs, dataset=other)) == (store, [])
    assert bytes_below(here / "results") == before


def test_every_field_of_a_record_is_in_its_key_or_renewed_or_of_its_time() -> None:
    """A new field has to be thought about: docs/architecture.md has a row for those left out."""
    in_key = {
        *("checkpoint_digest", "batch_size", "learning_rate", "seed", "training", "device"),
        *("versions", "recipe_version", "key"),
    }
    asked = {"threshold", "verdict", "target_mcc", "time_to_target_seconds"}
    # Follow from what is in the key, or tell what happened as the run was trained.
    of_its_time = {
        *("schema_version", "status", "reason", "scores", "scores_test", "labels", "epochs"),
        *("selected_epoch", "times", "samples_per_second", "eval_ms_per_sentence"),
        *("peak_memory_mb", "serving", "parameters", "truncated_sentences", "speedups", "warnings"),
        *(
            "threads",
            "concurrency",
            "executor",
            "contention",
            "predictions_sha256",
            "commit",
            "machine",
        ),
        *("started_at", "finished_at", "batch_size_used", "accumulation"),
        *("initialised", "padding", "confusion_matrix", "counts_by", "stopped", "outside_budget"),
    }
    known = in_key | asked | of_its_time | set(renewal.RENEWED)
    assert set(Record.model_fields) <= known
