"""Published scores: read whole or refused with every mistake, shown beside what was measured."""

from pathlib import Path

import numpy as np
import pytest
from builders.records import EMBEDDED, make_cell, make_record, predicted_record

from harness.errors import BadInput
from harness.report import publish, render
from harness.suite.references import Reference, load_references

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


def shown(mcc: float, checkpoint: str = "org/encoder") -> str:
    labels = np.random.default_rng(1).integers(0, 2, 500)
    luck = np.random.default_rng(2).random((2, 500))
    cell = make_cell(seeds=(0, 1))
    records = [
        predicted_record(cell, s, labels, np.where(luck[s] < 0.25, 1 - labels, labels)[None])
        for s in cell.seeds
    ]
    references = [
        Reference(checkpoint=checkpoint, mcc=mcc, recipe="<b>", source="a *paper*"),
        Reference(checkpoint="org/never-asked-for", mcc=0.9, recipe="r", source="s"),
    ]
    return render(publish("sample", [cell], records, None, references))["leaderboard.md"].decode()


def test_a_measured_checkpoint_shows_the_gap_and_whether_it_is_noise() -> None:
    near, far = shown(0.5), shown(0.95)
    assert "0.500 published (a \\*paper\\*; recipe: \\<b\\>)" in near
    assert "within the noise of this measurement" in near
    assert "beyond the noise of this measurement" in far
    assert "never-asked-for" not in near


def test_a_score_on_cola_is_not_held_against_other_data() -> None:
    cell = make_cell()
    elsewhere = make_record(cell, dataset=EMBEDDED)
    reference = Reference(checkpoint=cell.checkpoint, mcc=0.5, recipe="r", source="s")
    text = render(publish("sample", [cell], [elsewhere], None, [reference]))["leaderboard.md"]
    assert b"Published scores" not in text


def test_no_reference_no_section() -> None:
    assert "Published scores" not in shown(0.5, checkpoint="org/other")
