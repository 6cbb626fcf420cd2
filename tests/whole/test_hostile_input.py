"""Whatever the harness is given, it understands or refuses in words, and writes nowhere else."""

import copy
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd
import pytest
from builders.records import make_cell, make_record
from builders.waiting import UNREACHABLE
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from harness.errors import BadInput
from harness.inputs import data
from harness.judging.leaderboard import leaderboard
from harness.report import publish, read_published
from harness.report.brief import terminal_table
from harness.report.published import as_csv, as_json
from harness.session.options import OPTIONS, OVERRIDES, Chosen, planned_suites, read_options
from harness.store.run_store import run_folder, write_record
from harness.suite.plan import make_plan, runs_of
from harness.suite.references import load_references
from harness.suite.spec import DatasetSpec, load_suite

T = TypeVar("T")

SUITE = """
name = "mine"
[dataset]
source = "embedded"
[matrix]
checkpoints = ["org/one"]
batch_sizes = [16]
learning_rates = [2e-5]
"""

HOSTILE = (
    "../../../etc",
    "/etc/passwd",
    "..",
    "~root/x",
    "~nobody-of-that-name/x",
    "a\nb",
    "a\r\n\x1b[31mb",
    "\x00",
    "\x7f\u202e\u2028",
    "x" * 10_000,
    "é" * 200,
    "a/" * 5_000,
    "package:os/..",
    "package:../x",
    "C:\\x\\..\\y",
    "<script>",
    "-rf",
    "$(touch x)",
    "\ud800",
)
TEXTS = st.sampled_from(HOSTILE) | st.text(max_size=60)

quickly = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60
)


def outcome(call: Callable[[], T]) -> T | tuple[str, ...]:
    """Return what a call gives, or the mistakes that it tells."""
    try:
        return call()
    except BadInput as error:
        assert error.problems  # noqa: PT017 - both ways are right
        return error.problems


def everything_below(folder: Path) -> set[Path]:
    return set(folder.rglob("*"))


# The command line

# What a program can be given: no NUL, and Unicode as the system encodes it.
ARGUMENTS = TEXTS.filter(lambda text: not set(text) & {"\0", "\ud800"})
NUMBERS = st.sampled_from(["1", "0", "-1", "1e400", "nan", "9" * 5000, "1,1", ",", "", "٣", "1_0"])


@st.composite
def command_lines(draw: st.DrawFn) -> dict[str, Any]:
    """Draw what was typed: some options, each with some value."""
    values: dict[str, Any] = {option.name: None for option in OPTIONS}
    for option in draw(st.lists(st.sampled_from(OPTIONS), max_size=4)):
        if option.metavar is None:
            values[option.name] = True
        else:
            value = draw(NUMBERS | ARGUMENTS)
            values[option.name] = [value] if option.repeatable else value
    return values


@quickly
@given(values=command_lines(), own=st.booleans())
@example(values={"checkpoints": "x" * 10_000}, own=True)
@example(values={"suite": ["x" * 10_000]}, own=False)
@example(values={"baseline": "x" * 10_000}, own=True)
@example(values={"results_dir": "a/" * 5_000}, own=True)
def test_any_command_line_is_understood_or_refused(
    tmp_path: Path, values: dict[str, Any], own: bool
) -> None:
    (tmp_path / "suite.toml").write_text(SUITE, encoding="utf-8")
    if own:
        values = {**values, "suite": ["suite.toml"]}
    chosen = Chosen(values, here=tmp_path, project=tmp_path)
    before = everything_below(tmp_path)
    read_options(chosen)
    for item in outcome(lambda: planned_suites(chosen)):
        assert isinstance(item, str) or item.cells
    assert everything_below(tmp_path) == before


def test_every_override_is_drawn() -> None:
    assert {flag.removeprefix("--").replace("-", "_") for flag in OVERRIDES} < {
        option.name for option in OPTIONS
    }


# Names


@quickly
@given(names=st.lists(TEXTS.filter(bool), min_size=1, max_size=3, unique=True))
def test_no_name_of_a_checkpoint_leads_out_of_the_results_folder(
    tmp_path: Path, names: list[str]
) -> None:
    path = tmp_path / "suite.toml"
    listed = json.dumps(names).replace("\\ud800", "")  # TOML has no halves of pairs
    path.write_text(SUITE.replace('["org/one"]', listed), encoding="utf-8")
    suite = outcome(lambda: load_suite(path))
    if isinstance(suite, tuple):
        return  # such as two names that differed in half a pair
    results = tmp_path / "results"
    for cell in make_plan(suite):
        (run,) = runs_of(cell, suite.training)
        folder = run_folder(results / suite.name, run, "0123456789abcdef")
        assert folder.resolve().parent.parent == (results / "mine" / "runs").resolve()
        write_record(folder, make_record(cell).model_copy(update={"status": "failed"}), None)
    outside = {path for path in tmp_path.iterdir() if path.name not in ("results", "suite.toml")}
    assert outside == set()


# Data


def read(path: Path, **spec: Any) -> data.Data:
    """Read a file as a session does."""
    whole = DatasetSpec(source="file", path=str(path), **spec)
    return data.load(data.find(whole, None, UNREACHABLE, path.parent))


def told(path: Path, **spec: Any) -> tuple[str, ...]:
    with pytest.raises(BadInput) as caught:
        read(path, **spec)
    assert all(len(problem) < 1000 for problem in caught.value.problems)
    return caught.value.problems


def rows(*first: str) -> list[dict[str, Any]]:
    return [
        {"sentence": text, "label": number % 2}
        for number, text in enumerate([*first, *(f"sentence {n}" for n in range(20))])
    ]


def test_a_sentence_of_ten_megabytes_is_read_from_every_format(tmp_path: Path) -> None:
    huge = "word " * (2 * 2**20)
    frame = pd.DataFrame(rows(huge))
    frame.to_json(tmp_path / "huge.jsonl", orient="records", lines=True)
    frame.to_csv(tmp_path / "huge.csv", index=False)
    frame.to_csv(tmp_path / "huge.tsv", index=False, sep="\t")
    frame.to_parquet(tmp_path / "huge.parquet")
    found = [
        read(tmp_path / f"huge{suffix}", validation_size=4)
        for suffix in (".jsonl", ".csv", ".tsv", ".parquet")
    ]
    assert any(huge in split["sentence"][:] for split in found[0].splits.values())
    assert len({each.fingerprint for each in found}) == 1


@pytest.mark.parametrize(
    "line",
    [
        b'{"sentence": ' + b"[" * 100_000,
        b'{"sentence": "x", "label": ' + b"9" * 100_000 + b"}",
        b'{"sentence": "x", "label": 1e999999}',
        b'{"sentence": {"a": {"b": [1, 2]}}, "label": 1}',
        b'{"sentence": "\\ud800", "label": 1}',
        b'{"sentence": "a\\u0000b", "label": 1}',
        b"\xff\xfe",
        b"a\0b",
    ],
)
def test_a_line_made_to_break_readers_is_named(tmp_path: Path, line: bytes) -> None:
    path = tmp_path / "bomb.jsonl"
    good = "".join(json.dumps(row) + "\n" for row in rows()).encode()
    path.write_bytes(good + line + b"\n")
    (problem,) = told(path, validation_size=4)
    assert problem.startswith(f"{path}:21: ")


CELLS = st.text(
    st.characters(codec="utf-8", exclude_characters="\0"), max_size=12
) | st.sampled_from(
    ['"', '""', '"a\tb"', "a\tb", "a\r\nb", "\ufeffa", "'", "\\", "1", "", " ", "NA"]
)


@quickly
@given(
    table=st.lists(st.lists(CELLS, min_size=1, max_size=4), max_size=8),
    suffix=st.sampled_from([".tsv", ".csv"]),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
    start=st.sampled_from(["", "\ufeff"]),
)
def test_any_table_gives_data_or_told_mistakes(
    tmp_path: Path, table: list[list[str]], suffix: str, end: str, start: str
) -> None:
    path = tmp_path / f"table{suffix}"
    delimiter = "\t" if suffix == ".tsv" else ","
    text = end.join(delimiter.join(cells) for cells in [["sentence", "label"], *table])
    path.write_bytes((start + text).encode())
    found = outcome(lambda: read(path, validation_size=2))
    if isinstance(found, tuple):
        assert all(str(path) in problem for problem in found)
    else:
        assert len(found.splits["validation"]) == 2


# Files of references, and published leaderboards


@quickly
@given(
    content=st.binary(max_size=80)
    | TEXTS.map(lambda text: f"[[reference]]\n{text}".encode("utf-8", "replace"))
)
@example(content=b"a = " + b"[" * 5_000)
@example(content=b"a = " + b"9" * 5_000)
@example(content=b"reference = [1]")
def test_any_file_of_references_is_read_or_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "references.toml"
    path.write_bytes(content)
    for found in outcome(lambda: load_references(path)):
        assert not isinstance(found, str) or found.startswith(f"{path}: ")


def published() -> dict[str, Any]:
    cell = make_cell(seeds=(0, 1))
    records = [make_record(cell, seed) for seed in cell.seeds]
    document: dict[str, Any] = json.loads(
        as_json(publish("sample", [cell], records), leaderboard([cell], records))
    )
    return document


PUBLISHED = published()


def places(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path to every value of a document."""
    yield at
    inner = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    for key, each in inner:
        yield from places(each, (*at, key))


VALUES: st.SearchStrategy[Any] = st.sampled_from(
    [None, True, 0, -1, 2**63, 10**400, -1e308, 1.5, "", [], {}, "9" * 100, *HOSTILE[:-1]]
)


@quickly
@given(changes=st.lists(st.tuples(st.sampled_from(list(places(PUBLISHED))), VALUES), max_size=2))
@example([(("cells", 0, "batch_size"), 2**63)])
@example([(("records", 0, "key"), "x" * 2000)])
@example([(("records", 0, "concurrency"), 2**63)])
@example([(("records", 0, "parameters"), 10**400)])
@example([(("records", 0, "dataset", "validation"), 10**400)])
@example([(("records", 0, "labels"), "many:classes")])
@example([(("records", 0, "labels"), "3:classes")])
@example([(("records", 0, "epochs", 0, "classes"), "2:classes")])
def test_any_change_of_a_published_leaderboard_is_refused_or_can_be_shown(
    tmp_path: Path, changes: list[tuple[tuple[Any, ...], Any]]
) -> None:
    document = copy.deepcopy(PUBLISHED)
    for (*keys, last), value in ((place, value) for place, value in changes if place):
        inner: Any = document
        try:
            for key in keys:
                inner = inner[key]
            inner[last] = value
        except (TypeError, KeyError, IndexError):
            continue  # the first change took away where the second was to be
    path = tmp_path / "leaderboard.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    read = outcome(lambda: read_published(path))
    if isinstance(read, tuple):
        assert all(problem.startswith(f"{path}: ") for problem in read)
        assert all(len(problem) < 1000 for problem in read)
    else:
        frame = leaderboard(read.cells, read.records, read.baseline)
        assert terminal_table(frame)
        assert as_csv(frame)


@pytest.mark.parametrize(
    "content",
    [b"[" * 10**6, b'{"a":' * 10**5, b"9" * 10**6, b'{"schema_version": 1e999999999}', b"\0" * 100],
)
def test_a_leaderboard_made_to_break_readers_is_refused_in_short(
    tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "leaderboard.json"
    path.write_bytes(content)
    with pytest.raises(BadInput) as caught:
        read_published(path)
    assert len(str(caught.value)) < 1000
