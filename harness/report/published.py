"""The published evidence of a suite: its plan and every record, in one JSON file."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from harness.errors import BadInput
from harness.inputs.split_files import without_folders
from harness.judging.baseline import Baseline
from harness.judging.column import Value
from harness.judging.columns import COLUMNS
from harness.judging.comparison import best_cells
from harness.judging.detectable import Detectable, detectable_of
from harness.judging.detectable import rows_of as rows_of_detectable
from harness.judging.gates import Judgement
from harness.judging.leaderboard import judge_all, rows_of, runs_by_cell
from harness.judging.looks.race import standings
from harness.judging.looks.standing import Standing
from harness.judging.slices import rows_by_slice
from harness.paths import passes
from harness.report.checks.contradictions import contradictions, other_gates
from harness.report.published_scores import source_of
from harness.store.given import Given
from harness.store.records import DatasetFacts, Record
from harness.store.slices import Slices
from harness.suite.plan import Cell
from harness.suite.references import Reference
from harness.suite.spec import DatasetSpec, SuiteGates
from harness.text import counted
from harness.validation import mistake, place, shown

if TYPE_CHECKING:  # loaded where a table is made
    import pandas as pd

SCHEMA_VERSION: Final = 2

NO_GATES = SuiteGates()

MOST_PROBLEMS = 20
"""How many mistakes of a file are listed; the rest are only counted."""

LEADERBOARD = "leaderboard.json"

WAY_OUT = f"write it again with `pytest benchmarks/`, or name another {LEADERBOARD}"

AS_PUBLISHED = (
    f"get {LEADERBOARD} as it was published, from version control or the place where it was "
    "published"
)
"""What to do about a file that is checked: training again would overwrite what was published."""

TRAIN_FIRST = (
    "train first: `pytest benchmarks/ --suite FILE` writes results/local/NAME/leaderboard.json, "
    "where NAME is the suite's; then name that folder"
)
"""What to do if there is no result yet."""


@dataclass(frozen=True)
class Published:
    """The contents of a leaderboard: the plan, and at most one record for each cell and seed.

    `records` are in the order of the cells, then by seed. The cells were compared with `baseline`;
    `references` are published scores of its checkpoints, `gates` apply to all cells together,
    `dataset` is the source of the suite's data, None if it was not recorded. `slices` are those of
    the validation sentences, None in leaderboards of versions without them. `given` are rows of
    predictions that another program made.
    """

    suite: str
    cells: tuple[Cell, ...]
    records: tuple[Record, ...]
    baseline: Baseline | None = None
    references: tuple[Reference, ...] = ()
    gates: SuiteGates = NO_GATES
    dataset: DatasetSpec | None = None
    slices: Slices | None = None
    given: tuple[Given, ...] = ()

    @property
    def datasets(self) -> tuple[DatasetFacts, ...]:
        """The data sets on which the runs were trained; more than one if runs differ."""
        known = [record.dataset for record in self.records if record.dataset is not None]
        # Not part of the data, and missing in older records:
        ignored = {"text_column", "duplicates"}
        return tuple({facts.model_dump_json(exclude=ignored): facts for facts in known}.values())

    @property
    def class_names(self) -> tuple[str, ...] | None:
        """The names of the classes, from the suite or a data set of the hub; None if unknown."""
        on_hub = (facts.hub.class_names for facts in self.datasets if facts.hub is not None)
        named = None if self.dataset is None else self.dataset.class_names
        return named or next(on_hub, None)

    @cached_property
    def runs(self) -> dict[str, list[Record]]:
        """The records of each cell's seeds, by cell id."""
        return runs_by_cell(self.cells, self.records)

    @cached_property
    def standings(self) -> dict[str, Standing]:
        """How far the looks at each cell have come, by cell id; empty for cells without looks."""
        return standings(self.cells, self.runs, self.baseline is not None)

    def judged(self, judgements: Mapping[str, Judgement] | None) -> "Published":
        """Return this leaderboard with judgements of its cells that were made before, if any."""
        known = replace(self)
        if judgements is not None:
            known.__dict__["judgements"] = dict(judgements)  # where cached_property looks first
        return known

    @cached_property
    def judgements(self) -> dict[str, Judgement]:
        """The judgement of each cell, by cell id."""
        return judge_all(self.cells, self.runs, self.baseline, self.slices, self.standings)

    @cached_property
    def detectable(self) -> tuple[Detectable, ...]:
        """What cells detect by the variances that their own runs show."""
        judged = {name: each.evidence for name, each in self.judgements.items()}
        return tuple(detectable_of(self.cells, self.records, judged))


class _Document(BaseModel):
    """leaderboard.json. `rows`, `slice_rows` and `detectable_rows` are for other programs; the
    harness does not read them."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    schema_version: Literal[2]
    suite: str
    rows: tuple[dict[str, Value], ...]
    cells: tuple[Cell, ...]
    records: tuple[Record, ...]
    baseline: Baseline | None
    references: tuple[Reference, ...]
    gates: SuiteGates
    # Left out if unknown, so that leaderboards of versions without it keep their bytes.
    dataset: DatasetSpec | None = Field(None, exclude_if=lambda value: value is None)
    slices: Slices | None = Field(None, exclude_if=lambda value: value is None)
    given: tuple[Given, ...] = Field((), exclude_if=lambda value: not value)
    slice_rows: tuple[dict[str, Value], ...] | None = Field(
        None, exclude_if=lambda value: value is None
    )
    detectable_rows: tuple[dict[str, Value], ...] = Field((), exclude_if=lambda value: not value)


def publish(
    suite: str,
    cells: Sequence[Cell],
    records: Iterable[Record],
    baseline: Baseline | None = None,
    references: Iterable[Reference] = (),
    gates: SuiteGates = NO_GATES,
    dataset: DatasetSpec | None = None,
    slices: Slices | None = None,
    given: Iterable[Given] = (),
) -> Published:
    """Select the records and references that belong to the plan, and sort them.

    Raises:
        ValueError: two records of one cell and seed.
    """
    chosen = tuple(chain.from_iterable(runs_by_cell(cells, records).values()))
    fitting = tuple(_fitting(references, cells, chosen))
    data = None if dataset is None else without_folders(dataset)
    return Published(
        suite, tuple(cells), chosen, baseline, fitting, gates, data, slices, tuple(given)
    )


def with_references(published: Published, references: Iterable[Reference]) -> Published:
    """Return a leaderboard with other published scores, those of its checkpoints."""
    fitting = tuple(_fitting(references, published.cells, published.records))
    return replace(published, references=fitting)


def _fitting(
    references: Iterable[Reference], cells: Sequence[Cell], records: Sequence[Record]
) -> Iterator[Reference]:
    """Return the references of the cells' checkpoints, and of the sources that these claim."""
    runs: dict[str, list[Record]] = {cell.checkpoint: [] for cell in cells}
    for record in records:
        runs.setdefault(record.checkpoint, []).append(record)
    names: set[str | None] = set()
    for checkpoint, own in runs.items():
        certain, claims = source_of(own, checkpoint)
        names |= {certain, *claims}
    return (reference for reference in references if reference.checkpoint in names)


def seeds_in_words(seeds: Sequence[int]) -> str:
    return f"{'seed' if len(seeds) == 1 else 'seeds'} {', '.join(map(str, seeds))}"


def warned_runs(
    cells: Sequence[Cell], records: Iterable[Record], name: Callable[[str], str]
) -> Iterator[tuple[str, str]]:
    """Yield each warning of runs once, with all its runs; see by_text."""
    given = ((warning, run.cell, run.seed) for run in records for warning in run.warnings)
    return by_text(cells, given, name)


def stopped_runs(
    cells: Sequence[Cell], records: Iterable[Record], name: Callable[[str], str]
) -> Iterator[str]:
    """Yield where runs were stopped before their last epoch, each place once with all its runs."""
    given = ((run.stopped.text, run.cell, run.seed) for run in records if run.stopped is not None)
    for text, runs in by_text(cells, given, name):
        yield f"{runs}: {text}"


def by_text(
    cells: Sequence[Cell], texts: Iterable[tuple[str, str, int]], name: Callable[[str], str]
) -> Iterator[tuple[str, str]]:
    """Yield each text once, with all its runs.

    Args:
        texts: (text, cell id, seed) of a run each.
        name: formats a cell's id.
    """
    one_seed = {cell.id for cell in cells if len(cell.seeds) == 1}
    groups: dict[str, dict[str, list[int]]] = {}
    for text, cell, seed in texts:
        groups.setdefault(text, {}).setdefault(cell, []).append(seed)
    for text, runs in groups.items():
        names = (
            name(cell) if cell in one_seed else f"{name(cell)} ({seeds_in_words(seeds)})"
            for cell, seeds in runs.items()
        )
        yield text, ", ".join(names)


def as_json(published: Published, frame: "pd.DataFrame") -> str:
    """Return leaderboard.json: the table's rows, then all data from which they are computed."""
    rows = tuple(rows_of(_written(frame)))
    document = _Document(
        schema_version=SCHEMA_VERSION,
        rows=rows,
        slice_rows=_slice_rows(published),
        detectable_rows=tuple(rows_of_detectable(published.detectable)),
        **{each.name: getattr(published, each.name) for each in fields(published)},
    )
    return document.model_dump_json(indent=1) + "\n"


def _slice_rows(published: Published) -> tuple[dict[str, Value], ...] | None:
    if published.slices is None:
        return None
    best = best_cells(published.cells, published.runs, published.standings)
    return tuple(rows_by_slice({each.name: each.runs for each in best}, published.slices))


def as_csv(frame: "pd.DataFrame") -> str:
    """Return a leaderboard as CSV (RFC 4180, but `\\n` ends a line); null is an empty field.

    A number is written as the shortest decimal that gives the same float when read.
    """
    frame = _written(frame)
    lines = [[*frame.columns], *(row.values() for row in rows_of(frame))]
    return "".join(",".join(map(_field, line)) + "\n" for line in lines)


def _written(frame: "pd.DataFrame") -> "pd.DataFrame":
    # As for `dataset`: leaderboards without a value in an optional column keep their bytes.
    empty = [each.name for each in COLUMNS if each.optional and frame[each.name].isna().all()]
    return frame.drop(columns=empty)


def _field(value: Value) -> str:
    # Not the csv module: it leaves a lone carriage return unquoted where lines end in \n.
    text = "" if value is None else str(value)
    quoted = any(character in text for character in ',"\r\n')
    return '"' + text.replace('"', '""') + '"' if quoted else text


def leaderboard_in(path: Path) -> Path:
    """Return the leaderboard.json of a folder; any other path is the file itself."""
    return path / LEADERBOARD if passes(Path.is_dir, path) else path


def read_published(path: Path) -> Published:
    """Read a leaderboard.json that the harness wrote.

    Raises:
        BadInput: the file cannot be read, is incomplete, is not a leaderboard, has another
            schema version, or contradicts itself; lists every mistake.
    """
    document = _read(path, WAY_OUT)
    if problems := list(contradictions(document)):
        raise BadInput(_problem_lines(path, problems, WAY_OUT))
    return _published(document)


def read_and_check(path: Path) -> tuple[Published | None, list[str]]:
    """Read a leaderboard.json, and return it with a line for each record or part that is wrong.

    None instead of the leaderboard if its parts contradict each other, so that no table can be
    made of them.

    Raises:
        BadInput: as for `read_published`, but for contradictions.
    """
    document = _read(path, AS_PUBLISHED)
    if problems := list(contradictions(document)):
        return None, problems
    return _published(document), list(other_gates(document.cells, document.records))


def _published(document: _Document) -> Published:
    return publish(
        document.suite,
        document.cells,
        document.records,
        document.baseline,
        document.references,
        document.gates,
        document.dataset,
        document.slices,
        document.given,
    )


def _read(path: Path, way_out: str) -> _Document:
    """Read a leaderboard.json whose parts may contradict each other.

    Args:
        way_out: what to do about a damaged file.
    """
    try:
        return _Document.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        raise BadInput(
            [
                f"{path}: there is no such leaderboard; name another, or if nothing was trained "
                f"yet, {TRAIN_FIRST}"
            ]
        ) from None
    except OSError as error:
        raise BadInput([f"{path}: cannot be read ({error.strerror}); {way_out}"]) from None
    except ValidationError as error:
        details = error.errors(include_url=False)
        right = _way_out(path, details, way_out)
        raise BadInput(_problem_lines(path, _invalid(details), right)) from None


def _problem_lines(path: Path, problems: Sequence[str], way_out: str) -> list[str]:
    lines = [f"{path}: {problem}; {way_out}" for problem in problems[:MOST_PROBLEMS]]
    more = len(problems) - len(lines)
    return [*lines, f"{path}: {counted(more, 'more mistake')} like these"] if more else lines


def _way_out(path: Path, details: Sequence[ErrorDetails], damaged: str) -> str:
    """Return what to do about a file that never was a leaderboard.json, `damaged` for others."""
    kinds = {(detail["type"], detail["loc"]) for detail in details}
    no_object = any(not location and kind != "json_invalid" for kind, location in kinds)
    incomplete = any(kind == "json_invalid" for kind, _ in kinds)
    other_name = path.suffix.lower() != ".json"
    foreign = no_object or ("missing", ("schema_version",)) in kinds or (incomplete and other_name)
    if path.name == LEADERBOARD or not foreign:
        return damaged
    beside = path.with_name(LEADERBOARD)
    example = f", such as {beside}" if beside.is_file() else ""
    return f"name a results folder, or the {LEADERBOARD} in it{example}"


def _invalid(details: Sequence[ErrorDetails]) -> list[str]:
    """Return what does not match the schema; for a file of another kind, only that."""
    for detail in details:
        match detail["type"], detail["loc"]:
            case "json_invalid", _:
                return [f"not valid JSON: {detail['msg'].removeprefix('Invalid JSON: ')}"]
            case _, ():
                return [f"{shown(detail['input'])}: a leaderboard.json must be an object"]
            case "missing", ("schema_version",):
                return ["no schema_version: not a leaderboard.json of this harness"]
            case _, ("schema_version",):
                seen = shown(detail["input"])
                return [f"schema_version: {seen}: this version reads {SCHEMA_VERSION} only"]
    return [mistake(place(detail["loc"]), detail) for detail in details]
