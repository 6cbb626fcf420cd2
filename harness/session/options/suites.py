"""The suites of a session: read, changed by the command line, and planned."""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel

from harness.errors import BadInput
from harness.paths import passes
from harness.session.looks.mistakes import look_problems
from harness.session.options.declared import DEFAULT_SUITES, OVERRIDES, SWITCHES, name_of
from harness.session.options.folders import Chosen, empty_values, home
from harness.suite import ids
from harness.suite.by_name import shipped
from harness.suite.plan import Cell, make_plan
from harness.suite.references import Reference, load_references
from harness.suite.spec import Override, Suite, SuiteGates, load_suite

M = TypeVar("M", bound=BaseModel)


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


def suite_files(chosen: Chosen) -> list[Path]:
    """Return the files of the chosen suites, even if they cannot be read."""
    if named := [name for name in chosen.values.get("suite") or () if name]:
        return [located(name, chosen.here) for name in named]
    own = [chosen.project / name for name in DEFAULT_SUITES]
    return (
        own
        if passes(Path.is_file, own[0])
        else [located(path.stem, chosen.project) for path in own]
    )


def located(name: str, here: Path) -> Path:
    """Return the file of a suite: the shipped suite of this name, or else the path."""
    return shipped(name) or here / name


def planned_suites(chosen: Chosen) -> list[Planned]:
    """Read the chosen suites, apply the options that override them, and plan their cells.

    Raises:
        BadInput: every mistake of every suite and option at once.
    """
    planned, _, problems = read_suites(chosen)
    if problems:
        raise BadInput(problems)
    return planned


def read_suites(chosen: Chosen) -> tuple[list[Planned], list[Planned], list[str]]:
    """Return the chosen suites, those that are valid without some options, and every mistake.

    The second are only good for finding further mistakes, in their data and checkpoints.
    """
    overrides: list[Override] = []
    planned: list[Planned] = []
    without: list[Planned] = []
    problems = empty_values(chosen)
    for flag, (key, convert, _) in OVERRIDES.items():
        if (text := chosen.values.get(name_of(flag))) is not None:
            try:
                overrides.append(Override(key=key, flag=flag, value=convert(text)))
            except BadInput as error:
                problems += [f"{flag}: {text!r}: {problem}" for problem in error.problems]
    for flag, (key, _) in SWITCHES.items():
        if chosen.values.get(name_of(flag)):
            overrides.append(Override(key=key, flag=flag, value=True))
    for override in overrides:
        if override.key == "matrix.checkpoints":
            override.value[:] = [_from_here(chosen.here, name) for name in override.value]
    for path in suite_files(chosen):
        shown = Path(os.path.relpath(path, chosen.here))
        try:
            file = shown if passes(Path.exists, shown) else path
            suite = for_every_cell(load_suite(file, overrides), overrides)
            problems += _unknown_cells(file)
        except BadInput as error:
            problems += error.problems
            without += _without_wrong_options(path, file, overrides, error.problems)
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
        problems += [f"{shown}: {line}" for line in look_problems(suite, planned[-1].cells)]
        if not planned[-1].cells:
            problems.append(f"{shown}: matrix.cell: every cell is left out; keep at least one")
    problems += _ways_to_end(planned, chosen)
    address = chosen.values.get("ray_address")
    if address and planned and all(each.suite.limits.executor != "ray" for each in planned):
        problems.append(f"--ray-address: {address!r}: needs --executor ray; add it")
    return planned, without, list(dict.fromkeys(problems))


def _without_wrong_options(
    path: Path, file: Path, overrides: Sequence[Override], problems: Sequence[str]
) -> list[Planned]:
    """Return a suite planned without the options that are wrong; none if others are wrong too."""
    right = [
        override
        for override in overrides
        if not any(problem.startswith(f"{override.flag}: ") for problem in problems)
    ]
    if len(right) == len(overrides):
        return []
    try:
        suite = for_every_cell(load_suite(file, right), right)
    except BadInput:
        return []
    return [Planned(suite, path, tuple(make_plan(suite)))]


def for_every_cell(suite: Suite, overrides: Sequence[Override]) -> Suite:
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


def _ways_to_end(planned: Sequence[Planned], chosen: Chosen) -> Iterator[str]:
    """Yield a line if a session would end its training in two ways at once."""
    ways = {
        "looks or a race (limits.looks, limits.race)": any(
            each.suite.limits.by_looks for each in planned
        ),
        "--stop decided (limits.stop)": any(
            each.suite.limits.stop == "decided" for each in planned
        ),
        "--budget": chosen.values.get("budget") is not None,
    }
    if len(used := [name for name, is_used in ways.items() if is_used]) > 1:
        yield (
            f"{' and '.join(used)}: each decides which training is left out, and they cannot be "
            "combined in one session; keep one of them"
        )


def _from_here(here: Path, checkpoint: str) -> str:
    """Return a checkpoint folder of the command line joined to `here`; other names unchanged."""
    folder = here / home(checkpoint)
    named = checkpoint.startswith((".", "~")) or passes(Path.is_dir, folder)
    return str(folder) if named else checkpoint
