"""The options that choose what runs, declared once for pytest and for the command `harness`."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel

from harness.errors import BadInput
from harness.judging.baseline import Baseline
from harness.suite import ids
from harness.suite.plan import Cell, make_plan
from harness.suite.references import Reference, load_references
from harness.suite.spec import Override, Suite, SuiteGates, load_suite

M = TypeVar("M", bound=BaseModel)

DEFAULT_SUITES = ("benchmarks/quickstart.toml", "benchmarks/cola.toml")
DEFAULT_RESULTS = "results/local"
"""Where sessions write; the other folders in results/ are published and only read."""


def _number(convert: Callable[[str], Any], text: str) -> Any:
    """Convert a number; return other text unchanged for the suite's validation to report."""
    try:
        return convert(text)
    except ValueError:
        return text


def _list(convert: Callable[[str], Any], text: str) -> list[Any]:
    """Convert the elements of a list.

    Raises:
        BadInput: an element is empty.
    """
    parts = [part.strip() for part in text.split(",")] if text.strip() else []
    if not all(parts):
        number = parts.index("") + 1
        raise BadInput(
            [f"element {number} of {len(parts)} is empty; fill it in, or remove a comma"]
        )
    return [convert(part) for part in parts]


_int, _float = partial(_number, int), partial(_number, float)
_ints, _floats, _texts = partial(_list, _int), partial(_list, _float), partial(_list, str)

# By flag: the key of the suite file that it overrides, a converter, the help text.
OVERRIDES: dict[str, tuple[str, Callable[[str], Any], str]] = {
    "--checkpoints": ("matrix.checkpoints", _texts, "checkpoints, separated by commas"),
    "--batch-sizes": ("matrix.batch_sizes", _ints, "batch sizes, separated by commas"),
    "--learning-rates": ("matrix.learning_rates", _floats, "learning rates, separated by commas"),
    "--seeds": ("matrix.seeds", _ints, "seeds, separated by commas: 1,2,3 are three runs"),
    "--epochs": ("training.epochs", _int, "passes over the training split"),
    "--min-mcc": (
        "gates.min_mcc",
        _float,
        "the mean MCC required of every cell, even of cells with their own gate",
    ),
    "--max-drop": ("gates.max_drop", _float, "the largest loss of MCC allowed against --baseline"),
    "--executor": ("limits.executor", str, "local or ray"),
    "--workers": ("limits.workers", _int, "runs at a time, or auto"),
    "--stop": (
        "limits.stop",
        str,
        "never, or decided: a run ends once the gates of its cell are met for certain",
    ),
}


@dataclass(frozen=True)
class Option:
    """One option; for a switch, which takes no value, `metavar` is None."""

    flag: str
    help: str
    metavar: str | None = "VALUE"
    repeatable: bool = False

    @property
    def name(self) -> str:
        """The name under which a parser stores its value."""
        return name_of(self.flag)


def name_of(flag: str) -> str:
    """Return an option's name in Python."""
    return flag.removeprefix("--").replace("-", "_")


def flag_of(name: str) -> str:
    """Return the flag of the option with this name in Python."""
    return f"--{name.replace('_', '-')}"


OPTIONS = (
    Option(
        "--suite",
        f"suite file to run, repeatable; by default {' and '.join(DEFAULT_SUITES)}",
        "FILE",
        repeatable=True,
    ),
    *(
        Option(flag, f"{text}; overrides the suite's {key}")
        for flag, (key, _, text) in OVERRIDES.items()
    ),
    Option(
        "--cola-dir",
        "CoLA's own folder (raw/in_domain_train.tsv ..., or train.tsv, dev.tsv, test.tsv); "
        "by default the environment's COLA_DIR",
        "FOLDER",
    ),
    Option("--results-dir", f"where results go; by default {DEFAULT_RESULTS}/", "FOLDER"),
    Option(
        "--baseline",
        "an earlier leaderboard.json: a cell whose MCC fell below it by more than "
        "gates.max_drop fails",
        "FILE",
    ),
    Option(
        "--ray-address",
        "the Ray cluster that `--executor ray` joins; by default it starts a Ray here",
        "HOST:PORT",
    ),
    Option("--rerun", "train runs again that an earlier session finished", None),
    Option(
        "--replace",
        "replace tables of another matrix or other dataset settings, or tables that show more "
        "runs; without it such tables stay and the session trains nothing",
        None,
    ),
)
"""All options, in the order of the help text. pytest's own `--strict` covers skipped cells too."""


@dataclass(frozen=True)
class Planned:
    """A suite, the file it was read from, all its cells, and published scores for comparison."""

    suite: Suite
    path: Path
    cells: tuple[Cell, ...]
    references: tuple[Reference, ...] = ()

    @property
    def base(self) -> Path:
        """The folder to which the suite's relative paths refer."""
        return self.path.resolve().parent

    @property
    def has_own_gates(self) -> bool:
        """Whether the suite has gates on all its cells together."""
        return self.suite.gates.suite != SuiteGates()


@dataclass(frozen=True)
class Options:
    """The options of a session, except its suites."""

    results: Path
    cola_dir: Path | None
    rerun: bool
    ray_address: str | None = None
    baseline: Baseline | None = None
    replace: bool = False
    strict: bool = False

    def baseline_of(self, suite: str) -> Baseline | None:
        """Return the baseline that a suite's cells are compared with, or None."""
        given = self.baseline
        return given if given is not None and given.suite == suite else None


@dataclass(frozen=True)
class Chosen:
    """The options of a command line.

    `values` has each option's value by its name, None (False for a switch) if it was not given.
    Paths are relative to `here`, the working folder; the default suites and results are in
    `project`.
    """

    values: Mapping[str, Any]
    here: Path
    project: Path


def suite_files(chosen: Chosen) -> list[Path]:
    """Return the files of the chosen suites, even if they cannot be read."""
    named = chosen.values.get("suite")
    folder = chosen.here if named else chosen.project
    return [folder / name for name in (named or DEFAULT_SUITES)]


def planned_suites(chosen: Chosen) -> list[Planned]:
    """Read the chosen suites, apply the options that override them, and plan their cells.

    Raises:
        BadInput: every mistake of every suite and option at once.
    """
    overrides: list[Override] = []
    planned: list[Planned] = []
    problems: list[str] = []
    for flag, (key, convert, _) in OVERRIDES.items():
        if (text := chosen.values.get(name_of(flag))) is not None:
            try:
                overrides.append(Override(key=key, flag=flag, value=convert(text)))
            except BadInput as error:
                problems += [f"{flag}: {text!r}: {problem}" for problem in error.problems]
    for override in overrides:
        if override.key == "matrix.checkpoints":
            override.value[:] = [_from_here(chosen.here, name) for name in override.value]
    for path in suite_files(chosen):
        shown = Path(os.path.relpath(path, chosen.here))
        try:
            file = shown if passes(Path.exists, shown) else path
            suite = _for_every_cell(load_suite(file, overrides), overrides)
            problems += _unknown_cells(file)
        except BadInput as error:
            problems += error.problems
            continue
        if any(suite.name == other.suite.name for other in planned):
            problems.append(
                f"{shown}: name: {suite.name!r}: another suite of this session has that name; "
                "results would mix, rename one"
            )
        references: tuple[Reference, ...] = ()
        if suite.references is not None:
            try:
                references = load_references(shown.parent / suite.references)
            except BadInput as error:
                problems += error.problems
        planned.append(Planned(suite, path, tuple(make_plan(suite)), references))
        if not planned[-1].cells:
            problems.append(f"{shown}: matrix.cell: every cell is left out; keep at least one")
    address = chosen.values.get("ray_address")
    if address and planned and all(each.suite.limits.executor != "ray" for each in planned):
        problems.append(f"--ray-address: {address!r}: needs --executor ray; add it")
    if problems:
        raise BadInput(list(dict.fromkeys(problems)))
    return planned


def _for_every_cell(suite: Suite, overrides: Sequence[Override]) -> Suite:
    """Remove a checkpoint's or cell's own settings that the command line sets for all of them."""
    given = {override.key for override in overrides}

    def without(own: Mapping[str, M], section: str) -> dict[str, M]:
        return {
            name: each.model_copy(
                update={n: None for n in type(each).model_fields if f"{section}.{n}" in given}
            )
            for name, each in own.items()
        }

    matrix, gates = suite.matrix, suite.gates
    used = {name: each for name, each in matrix.cell.items() if each.seeds}  # not left out
    own_matrix = {
        "checkpoint": without(matrix.checkpoint, "matrix"),
        "cell": matrix.cell | without(used, "matrix"),
    }
    own_gates = {
        "checkpoint": without(gates.checkpoint, "gates"),
        "cell": without(gates.cell, "gates"),
    }
    return suite.model_copy(
        update={
            "matrix": matrix.model_copy(update=own_matrix),
            "gates": gates.model_copy(update=own_gates),
        }
    )


def _unknown_cells(path: Path) -> Iterator[str]:
    """Yield a line for every gate or setting of a cell that the suite file does not have.

    Flags are ignored.
    """
    suite = load_suite(path)
    if not (suite.gates.cell or suite.matrix.cell):  # the usual case: large plans take a while
        return
    matrix = suite.matrix.model_copy(update={"cell": {}})
    every = {cell.id: cell for cell in make_plan(suite.model_copy(update={"matrix": matrix}))}
    planned = {cell.id: cell for cell in make_plan(suite)}
    for key, what, names, known in (
        ("gates.cell", "a gate", suite.gates.cell, planned),
        ("matrix.cell", "a setting", suite.matrix.cell, every),
    ):
        for name in names:
            if ids.find(name, known) is None:
                hint = ids.did_you_mean(name, [*known])
                yield (
                    f"{path}: {key}: {name!r}: no such cell{hint} (`--collect-only` lists them); "
                    f"{what} that never applies is a mistake"
                )


def _from_here(here: Path, checkpoint: str) -> str:
    """Return a checkpoint folder of the command line joined to `here`; other names unchanged."""
    folder = here / home(checkpoint)
    named = checkpoint.startswith((".", "~")) or passes(Path.is_dir, folder)
    return str(folder) if named else checkpoint


def passes(test: Callable[[Path], bool], path: Path) -> bool:
    """Return the result of a test of a path, such as Path.is_dir; False if it cannot be tested."""
    try:
        return test(path)
    except (OSError, ValueError):  # too long, no path, or in a folder without read permission
        return False


def session_options(chosen: Chosen) -> Options:
    """Return the session's options, from the command line and the environment.

    Raises:
        BadInput: the baseline cannot be read, or --max-drop is given without a baseline.
    """
    if chosen.values.get("max_drop") is not None and not chosen.values.get("baseline"):
        drop = chosen.values["max_drop"]
        raise BadInput([f"--max-drop: {drop}: has no effect without --baseline FILE; add it"])
    baseline = None
    if (path := baseline_file(chosen)) is not None:
        from harness.report import read_published  # pandas, rarely needed

        published = read_published(path)
        baseline = Baseline(path.name, published.suite, published.records)
    return Options(
        results=results_folder(chosen),
        cola_dir=cola_folder(chosen),
        rerun=bool(chosen.values.get("rerun")),
        replace=bool(chosen.values.get("replace")),
        strict=bool(chosen.values.get("strict")),
        ray_address=chosen.values.get("ray_address"),
        baseline=baseline,
    )


def left_behind(chosen: Chosen, suites: Sequence[str]) -> list[str]:
    """Return a line for each suite with runs in results/, where earlier versions stored them."""
    if chosen.values.get("results_dir") is not None:
        return []
    now = chosen.project / DEFAULT_RESULTS
    before = {suite: now.parent / suite / "runs" for suite in suites}
    return [
        f"{suite}: earlier runs lie in {old} and are not read; move them to {now / suite}/, or "
        f"name --results-dir {now.parent}"
        for suite, old in before.items()
        if passes(lambda folder: any(folder.glob("*/*/record.json")), old)
    ]


def results_folder(chosen: Chosen) -> Path:
    """Return the folder that holds the results folder of each suite."""
    named = chosen.values.get("results_dir")
    return chosen.project / DEFAULT_RESULTS if named is None else chosen.here / home(named)


def cola_folder(chosen: Chosen) -> Path | None:
    """Return the folder of CoLA given by an option or the environment, or None."""
    named = chosen.values.get("cola_dir") or os.environ.get("COLA_DIR")
    return chosen.here / home(named) if named else None


def baseline_file(chosen: Chosen) -> Path | None:
    """Return the file of the session's baseline, or None."""
    named = chosen.values.get("baseline")
    return chosen.here / home(named) if named else None


def home(path: str) -> str:
    """Return a path with the home folder for ~, unchanged if it is ~NAME of no user."""
    return os.path.expanduser(path)  # noqa: PTH111 (Path's raises for a user that does not exist)
