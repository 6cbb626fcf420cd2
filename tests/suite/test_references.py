"""Published scores: read whole or refused with every mistake, shown beside what was measured."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders.records import EMBEDDED, make_cell, make_record, predicted_record

from harness.errors import BadInput
from harness.report import publish, render
from harness.report.published_scores import recipe_in_words
from harness.suite.references import Reference, load_references

OLD = '[[reference]]\ncheckpoint = "a"\nmcc = 0.5\nrecipe = "r"\nsource = "s"\n'
OURS = Path(__file__).parents[2] / "benchmarks" / "references.toml"


def test_the_projects_own_references_are_sound() -> None:
    references = load_references(OURS)
    scores = {(r.checkpoint, r.mcc) for r in references}
    assert len(scores) == len(references) > 10
    assert ("distilbert/distilbert-base-uncased", 0.513) in scores
    assert all(0.4 < reference.mcc < 0.8 for reference in references)


def test_every_mistake_is_told_at_once(tmp_path: Path) -> None:
    path = tmp_path / "references.toml"
    path.write_text(
        '[[reference]]\ncheckpoint = ""\nmcc = 51.3\nrecipe = "r"\n'
        '[[reference]]\ncheckpoint = "a"\nmcc = 0.5\nrecipe = "r"\nsource = "s"\nurl = "u"\n'
    )
    with pytest.raises(BadInput) as caught:
        load_references(path)
    told = caught.value.problems
    assert len(told) == 4
    assert any("reference[0].mcc: 51.3" in problem for problem in told)
    assert any("reference[0].source: missing" in problem for problem in told)
    assert any(
        "reference[1].url" in problem and "allowed: checkpoint" in problem for problem in told
    )


@pytest.mark.parametrize("text", ["", "x = 1", "reference = 3", "[[reference", "\xff"])
def test_what_is_no_file_of_references_is_one_clear_error(text: str, tmp_path: Path) -> None:
    path = tmp_path / "references.toml"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(BadInput, match=str(path)):
        load_references(path)
    with pytest.raises(BadInput, match="no such file of references"):
        load_references(tmp_path / "absent.toml")


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ('statistic = "average"', "reference[0].statistic: 'average'"),
        ("epochs = 3", "reference[0].epochs: 3: input should be a list"),
        ("epochs = [0]", "reference[0].epochs[0]: 0"),
        ("epochs = []", "reference[0].epochs"),
        ("batch_sizes = [16, 16]", "repeated: 16"),
        ("learning_rates = [2e-5, 2.0]", "reference[0].learning_rates[1]: 2.0"),
        ("seeds = 0", "reference[0].seeds: 0"),
        ("seeds = [1, 2]", "reference[0].seeds: [1, 2]"),
        ('selection = "best"', "reference[0].selection: 'best'"),
        ('split = "dev"', "reference[0].split: 'dev'"),
        ("seed = 5", "reference[0].seed: unknown key (allowed: checkpoint, mcc,"),
    ],
)
def test_a_wrong_field_says_what_is_allowed(line: str, problem: str, tmp_path: Path) -> None:
    path = tmp_path / "references.toml"
    path.write_text(f"{OLD}{line}\n")
    with pytest.raises(BadInput) as caught:
        load_references(path)
    assert len(caught.value.problems) == 1
    assert problem in caught.value.problems[0]


def test_a_file_from_before_the_fields_is_read_and_published_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "references.toml"
    path.write_text(OLD)
    (reference,) = load_references(path)
    assert reference.model_dump() == {"checkpoint": "a", "mcc": 0.5, "recipe": "r", "source": "s"}
    assert (reference.statistic, reference.seeds, reference.split) == (None, None, "validation")
    assert recipe_in_words(reference) == "r"


def test_stated_fields_are_read_and_told() -> None:
    references = {(r.checkpoint, r.mcc): r for r in load_references(OURS)}
    glue = references["google-bert/bert-base-cased", 0.565]
    assert (glue.seeds, glue.epochs, glue.batch_sizes) == (1, (3,), (32,))
    assert (glue.learning_rates, glue.selection) == ((2e-5,), "last-epoch")
    assert recipe_in_words(glue) == (
        "one run, epochs 3, batch size 32, learning rate 2e-5, last epoch scored; run_glue.py, "
        "maximum length 128"
    )
    large = references["FacebookAI/roberta-large", 0.68]
    assert recipe_in_words(large).startswith(
        "the median of 5 runs, epochs 10, batch size 16 and 32, learning rate 1e-5, 2e-5 and 3e-5, "
    )
    assert recipe_in_words(references["FacebookAI/roberta-base", 0.636]) == "not stated"


def shown(mcc: float, checkpoint: str = "org/encoder", **stated: Any) -> str:
    labels = np.random.default_rng(1).integers(0, 2, 500)
    luck = np.random.default_rng(2).random((2, 500))
    cell = make_cell(seeds=(0, 1))
    records = [
        predicted_record(cell, s, labels, np.where(luck[s] < 0.25, 1 - labels, labels)[None])
        for s in cell.seeds
    ]
    references = [
        Reference(checkpoint=checkpoint, mcc=mcc, recipe="<b>", source="a *paper*", **stated),
        Reference(checkpoint="org/never-asked-for", mcc=0.9, recipe="r", source="s"),
    ]
    files = render(publish("sample", [cell], records, None, references))
    expected = checkpoint == "org/encoder" and not stated
    assert ("not comparable" in files["leaderboard.html"].decode()) == expected
    return files["leaderboard.md"].decode()


LIKE: dict[str, Any] = {
    "statistic": "mean",
    "seeds": 2,
    "epochs": (5,),
    "batch_sizes": (16,),
    "learning_rates": (2e-5,),
    "selection": "best-epoch",
}


def test_a_measured_checkpoint_shows_the_gap_and_whether_it_is_noise() -> None:
    near, far = shown(0.5, **LIKE), shown(0.95, **LIKE)
    assert "0.500 published (a \\*paper\\*; recipe: the mean of 2 runs, epochs 5, " in near
    assert "best epoch scored; \\<b\\>)" in near
    assert "within both intervals" in near
    assert "beyond both intervals" in far
    assert "never-asked-for" not in near


def test_a_score_whose_recipe_is_not_stated_is_not_compared() -> None:
    text = shown(0.95)
    assert "not comparable, because it does not state its statistic, number of runs" in text
    assert "both intervals" not in text


def test_a_score_on_cola_is_not_held_against_other_data() -> None:
    cell = make_cell()
    elsewhere = make_record(cell, dataset=EMBEDDED)
    reference = Reference(checkpoint=cell.checkpoint, mcc=0.5, recipe="r", source="s")
    text = render(publish("sample", [cell], [elsewhere], None, [reference]))["leaderboard.md"]
    assert b"Published scores" not in text


def test_no_reference_no_section() -> None:
    assert "Published scores" not in shown(0.5, checkpoint="org/other")
