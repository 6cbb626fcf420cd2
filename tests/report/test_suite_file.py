"""The suite file on the page asks for the leaderboard's very cells, as the harness reads it."""

import html
from pathlib import Path
from typing import Any

import pytest
from builders.records import EMBEDDED, failed_record, make_cell, make_record, skipped_record
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import BadInput
from harness.inputs.split_files import origin
from harness.judging.leaderboard import leaderboard
from harness.report import publish, read_published
from harness.report.published import as_json
from harness.report.suite_file import suite_files
from harness.session.options import Chosen, planned_suites
from harness.store.records import DatasetFacts
from harness.suite.plan import make_plan, suite_gates
from harness.suite.spec import Suite, TrainingSpec, load_suite

NAMES = st.text(st.characters(codec="utf-8", exclude_characters="/\\"), min_size=1).map(
    lambda text: f"org/{text}"
)


def read(folder: Path, text: str) -> Suite:
    path = folder / "suite.toml"
    path.write_text(text, encoding="utf-8")
    return load_suite(path)


@settings(deadline=None, max_examples=60)
@given(
    checkpoints=st.lists(NAMES, min_size=1, max_size=3, unique=True),
    rates=st.lists(st.sampled_from([1e-5, 2.5e-5, 1e-4]), min_size=1, unique=True),
    thresholds=st.lists(st.none() | st.floats(-1, 1), min_size=3, max_size=3),
    common=st.none() | st.floats(-1, 1),
    own=st.none() | st.floats(-1, 1),
    target=st.none() | st.floats(-1, 1),
)
def test_it_plans_the_same_cells_and_training(
    tmp_path_factory: pytest.TempPathFactory,
    checkpoints: list[str],
    rates: list[float],
    thresholds: list[float | None],
    common: float | None,
    own: float | None,
    target: float | None,
) -> None:
    content: dict[str, Any] = {
        "name": "sample",
        "dataset": {"source": "cola"},
        "matrix": {
            "checkpoints": checkpoints,
            "batch_sizes": [16],
            "learning_rates": rates,
            "seeds": [0, 3],
        },
        "training": {"epochs": 3, "warmup_ratio": 0.1, "speedups": ["packing"]},
    }
    first = make_plan(Suite.model_validate(content))[0]
    content["gates"] = {
        "min_mcc": common,
        "max_train_seconds": 900.0,
        "max_train_seconds_ratio": 1.2,
        "statistic": "lower-bound",
        "target_mcc": target,
        "checkpoint": {
            name: {"min_mcc": threshold}
            for name, threshold in zip(checkpoints, thresholds, strict=False)
        },
        "cell": {first.id: {"min_mcc": own}},
    }
    suite = Suite.model_validate(content)
    cells = make_plan(suite)
    records = [make_record(cells[0], training=suite.training)]
    ((which, text),) = suite_files(publish("sample", cells, records))
    assert which == "these runs"
    again = read(tmp_path_factory.mktemp("suite"), text)
    assert make_plan(again) == cells
    assert again.training == suite.training
    assert again.dataset == suite.dataset


def test_a_checkpoint_that_was_never_found_keeps_its_name() -> None:
    cells = [make_cell("here", seeds=(0,)), make_cell("distilbert-base-uncased", seeds=(0,))]
    records = [make_record(cells[0]), skipped_record(cells[1])]
    ((_, text),) = suite_files(publish("sample", cells, records))
    assert 'checkpoints = ["./here", "distilbert-base-uncased"]' in text


def test_runs_of_other_settings_or_data_have_a_file_each() -> None:
    cell = make_cell(seeds=(0, 1, 2, 3))
    own = DatasetFacts(
        name="file", origin="mine.csv", fingerprint="f" * 64, train=8, validation=2, test=0
    )
    records = [
        make_record(cell, 0),
        make_record(cell, 1, training=TrainingSpec(epochs=2)),
        make_record(cell, 2, dataset=own),
        failed_record(cell, 3, dataset=EMBEDDED),
    ]
    files = suite_files(publish("sample", [cell], records))
    assert [which for which, _ in files] == ["1 of the 3 runs"] * 3
    assert ["epochs = 5" in text for _, text in files] == [True, False, True]
    assert 'path = "mine.csv"' in files[2][1]
    assert "# not recorded: delimiter" in files[2][1]


ROOT = Path(__file__).parents[2]

BASE = """
name = "sample"
[dataset]
source = "cola"
[matrix]
checkpoints = ["./deep/a", "org/b@main", "package:pkg/c"]
batch_sizes = [16, 32]
learning_rates = [1e-4, 2e-4]
seeds = [1, 2, 3]
[training]
epochs = 2
"""

ONE_S_OWN = """
[matrix.checkpoint."./deep/a"]
batch_sizes = [32, 8]
[matrix.checkpoint."org/b@main"]
learning_rates = [3e-5]
seeds = [7]
"""

GATES = """
[gates]
min_accuracy = 0.5
target_mcc = 0.25
[gates.checkpoint."./deep/a"]
min_mcc = 0.3
statistic = "lower-bound"
[gates.checkpoint."package:pkg/c"]
max_train_seconds = 90.0
on_doubt = "pass"
[gates.suite]
best_min_mcc = 0.4
every_checkpoint_min_mcc = 0.1
order = ["org/b@main", "./deep/a"]
"""

OWN_FILE = """
[dataset]
source = "file"
path = "data/my 'own' rows.csv"
delimiter = ";"
text_column = 'what "they" wrote'
label_column = "topic"
class_names = ["bill", "tech \\u00e9"]
validation_size = 0.2
test_size = 10
split_seed = 3
"""


@pytest.mark.parametrize(
    "text",
    [
        BASE,
        BASE + ONE_S_OWN,
        BASE + GATES,
        BASE + ONE_S_OWN + GATES,
        BASE + GATES + '[gates.cell."pkg-c-bs16-lr1e-04"]\nmin_mcc = 0.2\n',
        # Cells that are missing in the product, and seeds that differ by cell.
        BASE + '[matrix.cell."a-bs16-lr1e-04"]\nseeds = []\n',
        BASE + ONE_S_OWN + '[matrix.cell."a-bs8-lr2e-04"]\nseeds = [9, 4]\n' + GATES,
        BASE + '[matrix.cell."pkg-c-bs32-lr2e-04"]\nseeds = []\n'
        '[matrix.cell."pkg-c-bs16-lr1e-04"]\nseeds = [3]\n',
        # Names with quotes, of one folder name in two places, and one that only a gate has.
        BASE.replace("./deep/a", r"./it's \"quoted\" \u00fc") + "[gates]\nmin_mcc = 0.1\n",
        BASE.replace('"package:pkg/c"', '"./other/a"') + "[gates]\nmin_mcc = 0.1\n",
        BASE.replace('\n[dataset]\nsource = "cola"\n', OWN_FILE) + GATES,
        (ROOT / "benchmarks" / "study.toml").read_text(encoding="utf-8"),
        (ROOT / "benchmarks" / "cola-full.toml").read_text(encoding="utf-8"),
        (ROOT / "examples" / "own-data" / "messages.toml").read_text(encoding="utf-8"),
    ],
)
def test_what_it_plans_is_the_plan_of_the_records(tmp_path: Path, text: str) -> None:
    suite = read(tmp_path, text)
    cells, gates = make_plan(suite), suite_gates(suite)
    name = suite.dataset.path and f"file {Path(suite.dataset.path).name}"
    facts = EMBEDDED.model_copy(
        update={"name": suite.dataset.source, "origin": name or "somewhere"}
    )
    records = [
        make_record(cell, seed, training=suite.training, dataset=facts)
        for cell in cells
        for seed in cell.seeds
    ]
    published = publish(suite.name, cells, records, gates=gates, dataset=suite.dataset)
    (folder := tmp_path / "read").mkdir()
    document = as_json(published, leaderboard(cells, records))
    (folder / "leaderboard.json").write_text(document, encoding="utf-8")
    published = read_published(folder / "leaderboard.json")
    ((which, again_text),) = suite_files(published)
    assert which == "these runs"
    again = read(folder, again_text)
    assert make_plan(again) == cells
    assert suite_gates(again) == gates
    assert again.training == suite.training
    of_file = {} if suite.dataset.path is None else {"path": Path(suite.dataset.path).name}
    assert again.dataset == suite.dataset.model_copy(update=of_file)
    assert "no suite file can" not in again_text
    assert str(tmp_path) not in again_text


@pytest.mark.parametrize("name", ["cola", "quickstart"])
def test_the_committed_pages_ask_for_their_own_runs(tmp_path: Path, name: str) -> None:
    published = read_published(ROOT / "results" / name / "leaderboard.json")
    ((_, text),) = suite_files(published)
    again = read(tmp_path, text)
    assert tuple(make_plan(again)) == published.cells
    assert sum(len(cell.seeds) for cell in make_plan(again)) == len(published.records)
    assert suite_gates(again) == published.gates
    assert {record.training for record in published.records} == {again.training}
    page = (ROOT / "results" / name / "leaderboard.html").read_text(encoding="utf-8")
    assert text in html.unescape(page)


def test_a_gate_of_a_checkpoint_that_was_left_out_loads_and_plans_no_cell(tmp_path: Path) -> None:
    suite = read(tmp_path, BASE + GATES)
    narrow = suite.matrix.model_copy(update={"checkpoints": ("./deep/a",)})
    cells = make_plan(suite.model_copy(update={"matrix": narrow}))
    gates = suite_gates(suite.model_copy(update={"matrix": narrow}))
    records = [make_record(cells[0], 1, training=suite.training)]
    ((_, text),) = suite_files(publish("sample", cells, records, gates=gates))
    again = read(tmp_path, text)
    assert make_plan(again) == cells
    assert suite_gates(again) == gates


def test_runs_of_other_settings_have_files_that_ask_for_them_alone(tmp_path: Path) -> None:
    cells = make_plan(read(tmp_path, BASE))
    quick = TrainingSpec(epochs=1)
    records = [
        make_record(cell, seed, training=quick if place % 3 else TrainingSpec())
        for place, (cell, seed) in enumerate((c, s) for c in cells for s in c.seeds[:2])
    ]
    files = suite_files(publish("sample", cells, records))
    asked = []
    for _, text in files:
        again = read(tmp_path, text)
        asked += [
            (cell.id, seed, again.training) for cell in make_plan(again) for seed in cell.seeds
        ]
    ran = [(record.cell, record.seed, record.training) for record in records]
    assert len(files) == 2
    assert sorted(asked, key=str) == sorted(ran, key=str)


def test_what_no_suite_file_can_say_is_a_comment_in_one_that_loads(tmp_path: Path) -> None:
    """The digest in an id is of the folder's place, which nobody publishes."""
    suite = read(tmp_path, BASE.replace("package:pkg/c", "org/a"))
    cells = make_plan(suite)
    ((_, text),) = suite_files(publish("sample", cells, [make_record(cells[0], 1)]))
    again = read(tmp_path, text)
    assert [cell.seeds for cell in make_plan(again)] == [cell.seeds for cell in cells]
    assert f'was "{cells[0].id}": its folder was in another place' in text
    ((_, text),) = suite_files(publish("of, all", [make_cell()], [make_record(make_cell(), 0)]))
    assert "# no suite file can plan this" in text


@pytest.mark.parametrize(
    ("part", "told"),
    [
        ('[matrix.cell."a-bs61-lr1e-4"]\nseeds = [1]\n', "did you mean 'a-bs16-lr1e-04'?"),
        (
            '[matrix.cell."a-bs16-lr1e-4"]\nseeds = [1]\n'
            '[matrix.cell."a-bs16-lr1e-04"]\nseeds = [2]\n',
            "'a-bs16-lr1e-4' and 'a-bs16-lr1e-04' are the same cell; remove one of them",
        ),
        ('[matrix.cell."a-bs16-lr1e-04"]\nseeds = [1, 1]\n', "every value once; repeated: 1"),
        ('[matrix.cell."a-bs16-lr1e-04"]\nseed = [1]\n', "did you mean 'seeds'?"),
        (
            '[matrix.cell."a-bs16-lr1e-04"]\nseeds = []\n'
            '[gates.cell."a-bs16-lr1e-04"]\nmin_mcc = 0.1\n',
            "gates.cell: 'a-bs16-lr1e-04': no such cell",
        ),
    ],
)
def test_mistakes_in_a_cell_s_own_part_are_told(tmp_path: Path, part: str, told: str) -> None:
    (tmp_path / "suite.toml").write_text(BASE + part, encoding="utf-8")
    chosen = Chosen({"suite": ["suite.toml"]}, tmp_path, tmp_path)
    with pytest.raises(BadInput) as caught:
        planned_suites(chosen)
    assert told in str(caught.value)


def test_a_cell_s_own_part_is_found_however_its_rate_is_written(tmp_path: Path) -> None:
    part = '[matrix.cell."a-bs16-lr1e-4"]\nseeds = [7]\n'
    (tmp_path / "suite.toml").write_text(BASE + part, encoding="utf-8")
    (planned,) = planned_suites(Chosen({"suite": ["suite.toml"]}, tmp_path, tmp_path))
    assert {cell.seeds for cell in planned.cells if cell.id == "a-bs16-lr1e-04"} == {(7,)}


def test_flags_change_a_cell_s_own_seeds_and_bring_no_cell_back(tmp_path: Path) -> None:
    own = '[matrix.cell."a-bs16-lr1e-04"]\nseeds = []\n'
    own += '[matrix.cell."a-bs32-lr1e-04"]\nseeds = [9]\n'
    (tmp_path / "suite.toml").write_text(BASE + own, encoding="utf-8")

    def planned(**values: str) -> dict[str, tuple[int, ...]]:
        (one,) = planned_suites(Chosen({"suite": ["suite.toml"], **values}, tmp_path, tmp_path))
        return {cell.id: cell.seeds for cell in one.cells}

    assert planned()["a-bs32-lr1e-04"] == (9,)
    assert set(planned(seeds="5").values()) == {(5,)}
    assert planned().keys() == planned(seeds="5").keys()
    assert "a-bs16-lr1e-04" not in planned()
    with pytest.raises(BadInput, match="every cell is left out"):
        planned(checkpoints="./deep/a", batch_sizes="16", learning_rates="1e-4")


def test_where_nothing_ran_there_is_no_file() -> None:
    assert suite_files(publish("sample", [make_cell()], [])) == []


ON_SLICES: dict[str, Any] = {
    "min_mcc": 0.1,
    "population": "sources",
    "slice": {'topic="a.b" = c': {"min_mcc": 0.05}, "source=x": {"min_mcc": 0.2}},
    "checkpoint": {"org/b": {"population": "sentences", "slice": {"source=x": {"min_mcc": 0.3}}}},
    "cell": {"org-a-bs16-lr1e-5": {"slice": {"é=[1]": {"min_mcc": -0.5, "min_sentences": 50}}}},
}


@pytest.mark.parametrize(
    "dataset",
    [
        {"path": "data.csv", "group_column": "the author", "duplicates": "drop"},
        {"path": "data.csv", "slice_columns": ["topic", "é"], "annotations": "facts.tsv"},
        {
            "train": ("train.csv",),
            "validation": {"near": ("a.csv",), "far-away": ("b.csv", "c.csv")},
            "group_column": "author",
            "duplicates": "refuse",
            "slice_columns": ["topic"],
        },
    ],
)
def test_groups_duplicates_and_slices_survive(tmp_path: Path, dataset: dict[str, Any]) -> None:
    """Read, published, and read again from the page's file, they are the same."""
    content: dict[str, Any] = {
        "name": "sample",
        "dataset": {"source": "file", **dataset},
        "matrix": {
            "checkpoints": ["org/a", "org/b"],
            "batch_sizes": [16, 32],
            "learning_rates": [1e-5],
        },
        "gates": ON_SLICES,
    }
    suite = Suite.model_validate(content)
    cells = make_plan(suite)
    facts = DatasetFacts(
        name="file",
        origin=origin(suite.dataset),
        fingerprint="0" * 64,
        train=10,
        validation=5,
        test=0,
        text_column="sentence",
    )
    records = [make_record(cells[0], training=suite.training, dataset=facts)]
    published = publish("sample", cells, records, dataset=suite.dataset)
    path = tmp_path / "leaderboard.json"
    path.write_text(as_json(published, leaderboard(cells, records)), encoding="utf-8")
    ((_, text),) = suite_files(read_published(path))
    again = read(tmp_path, text)
    assert again.dataset == suite.dataset
    assert [cell.gates for cell in make_plan(again)] == [cell.gates for cell in cells]
    assert "no suite file can express" not in text
