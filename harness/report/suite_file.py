"""The suite file that reproduces a leaderboard, written from its plan and records.

It plans exactly the cells, seeds, gates and training of the leaderboard, in the same order. What it
cannot express, or what was not recorded, is noted in a comment.
"""

import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from pydantic import ValidationError

from harness.inputs.split_files import origin, split_files
from harness.report.published import Published
from harness.store.records import DatasetFacts, Record
from harness.suite.file_text import Content, file_text, value_text
from harness.suite.looks import limits_of
from harness.suite.plan import Cell, make_plan, suite_gates
from harness.suite.spec import DatasetSpec, Suite, SuiteGates, Thresholds, TrainingSpec

SOURCES = ("cola", "embedded")
"""Data with the same name on every machine, unlike a user's own file."""

UNKNOWN_OF_A_FILE = (
    "not recorded: delimiter, quoting, text_column, label_column, class_names and split_seed; "
    "keys that are missing here have their defaults"
)

UNKNOWN_OF_THE_HUB = (
    "not recorded: names of splits and columns, sizes and split_seed; keys that are missing here "
    "have their defaults"
)

Coordinates = tuple[str, int, float, tuple[tuple[str, Any], ...]]
"""Checkpoint, batch size, learning rate and other settings: what distinguishes a plan's cells."""


def suite_files(published: Published) -> list[tuple[str, str]]:
    """Return a suite file for each training configuration, with a description of its runs.

    There are several if records have different training settings or data; each file then plans
    its own runs only. A single file plans everything, including runs without a score. Checkpoints
    from a folder are expected next to the suite file, under their published name.
    """
    lists = {name for cell in published.cells for name in cell.settings}
    groups: dict[tuple[object, TrainingSpec], list[Record]] = {}
    for record in published.records:
        if record.status == "ok":
            kind = _data(record.dataset), _without(record.training, lists)
            groups.setdefault(kind, []).append(record)
    if len(groups) == 1:
        (runs,) = groups.values()
        return [("these runs", _suite_file(published, published.cells, runs[0]))]
    total = sum(map(len, groups.values()))
    files = []
    for runs in groups.values():
        text = _suite_file(published, _cells_of(published.cells, runs), runs[0])
        files.append((f"{len(runs)} of the {total} runs", text))
    return files


def _without(training: TrainingSpec, names: Iterable[str]) -> TrainingSpec:
    """Return settings that are equal if all but the named ones are."""
    return training.model_copy(update=dict.fromkeys(names))


def _data(facts: DatasetFacts | None) -> object:
    """Return a key that differs between data that need different suite files."""
    if facts is None or facts.name in SOURCES:
        return None if facts is None else facts.name
    return facts.name, facts.origin, facts.validation, facts.test


def _cells_of(cells: Iterable[Cell], runs: Iterable[Record]) -> list[Cell]:
    """Return the cells of some runs, with the seeds of these runs only."""
    wanted = {(run.cell, run.seed) for run in runs}
    parts = (
        replace(cell, seeds=tuple(seed for seed in cell.seeds if (cell.id, seed) in wanted))
        for cell in cells
    )
    return [cell for cell in parts if cell.seeds]


def _suite_file(published: Published, cells: Sequence[Cell], run: Record) -> str:
    cells = _with_different_settings(cells)
    lists = _lists(cells)
    names = _names(published, cells)
    dataset, notes = _dataset(published.dataset, run.dataset)
    domains = dataset["validation"] if isinstance(dataset.get("validation"), dict) else {}
    content: Content = {
        "": {"name": published.suite},
        "dataset": {key: each for key, each in dataset.items() if each is not domains},
        "dataset.validation": domains,
        **_matrix(cells, names, lists),
        "training": run.training.model_dump(exclude_none=True, exclude=set(lists)),
    }
    planned = _planned(
        {
            **content,
            "": {"name": "any"},
            "dataset": {"source": "embedded"},
            "dataset.validation": {},
        }
    )
    content |= _own_seeds(cells, planned)
    content |= _gates(cells, names, {_coordinates(cell): cell.id for cell in planned})
    content["gates.suite"] = published.gates.model_dump(exclude_defaults=True)
    if order := published.gates.order:
        content["gates.suite"]["order"] = [names[name] for name in order]
    content["limits"] = limits_of(cells[0].looks, {len(cell.seeds) for cell in cells})
    text = file_text(content)
    notes = [
        *_folder_notes(published, names),
        *_file_notes(dataset),
        *notes,
        *_deviations(text, cells, published.gates, run.training, lists),
    ]
    return "".join(f"# {note}\n" for note in notes) + text


def _with_different_settings(cells: Sequence[Cell]) -> list[Cell]:
    """Return the cells with those of their settings that have several values among them."""
    values: dict[str, set[object]] = {}
    for cell in cells:
        for name, value in cell.settings.items():
            values.setdefault(name, set()).add(value)
    return [
        replace(
            cell,
            settings={name: each for name, each in cell.settings.items() if len(values[name]) > 1},
        )
        for cell in cells
    ]


def _lists(cells: Sequence[Cell]) -> dict[str, list[Any]]:
    """Return the values of each setting in an order that keeps the cells' order."""
    found = {}
    for name in cells[0].settings if cells else ():
        others: dict[object, list[Any]] = {}
        for cell in cells:
            rest = replace(cell, settings={**cell.settings, name: None})
            others.setdefault(_coordinates(rest), []).append(cell.settings.get(name))
        found[name] = _merged(others.values())
    return found


def _names(published: Published, cells: Sequence[Cell]) -> dict[str, str]:
    """Return the name of each checkpoint in the file, by its published name.

    Names that only the order gate of the suite uses come last.
    """
    on_hub = {r.checkpoint for r in published.records if r.checkpoint_revision is not None}
    named = dict.fromkeys([*(cell.checkpoint for cell in cells), *published.gates.order])
    # The location of a checkpoint that was never found is unknown.
    found = {r.checkpoint for r in published.records if r.checkpoint_digest is not None}
    elsewhere = {name for name in named if "/" in name or name.startswith("package:")} | on_hub
    elsewhere |= {r.checkpoint for r in published.records} - found
    return {name: name if name in elsewhere else f"./{name}" for name in named}


def _folder_notes(published: Published, names: Mapping[str, str]) -> Iterator[str]:
    """Yield a note for each checkpoint that came from a folder, according to the records."""
    folders = {
        r.checkpoint
        for r in published.records
        if r.checkpoint_digest is not None
        and r.checkpoint_revision is None
        and not r.checkpoint.startswith("package:")
    }
    for name, name_here in names.items():
        if name in folders:
            yield f"{value_text(name_here)}: put the checkpoint's folder next to this file"


def _file_notes(dataset: Content) -> Iterator[str]:
    """Yield a note for each of the user's own data files."""
    if "annotations" in dataset:
        yield f"{value_text(dataset['annotations'])}: put the file of annotations next to this one"
    if "path" in dataset:
        yield f"{value_text(dataset['path'])}: put the file next to this one"
    elif dataset["source"] == "file":
        for file in split_files(DatasetSpec.model_validate(dataset)):
            yield f"{value_text(file.path)}: put the file next to this one"


def _dataset(spec: DatasetSpec | None, facts: DatasetFacts | None) -> tuple[Content, list[str]]:
    """Return the section [dataset], and notes on its unknown keys."""
    notes = []
    if spec is not None and (facts is None or _is_of(spec, facts)):
        on_hub = _of_the_hub(facts)  # in place of the suite's revision, and before other keys
        section = {"source": spec.source, **on_hub}
        section |= {**spec.model_dump(exclude_defaults=True), **on_hub}
        if not spec.class_names:  # those of the data set
            del section["class_names"]
    elif facts is None or facts.name in SOURCES:
        section = {"source": "cola" if facts is None else facts.name}
    elif facts.hub is not None:
        section = {"source": "hub", **_of_the_hub(facts)}
        notes = [UNKNOWN_OF_THE_HUB]
    else:
        path = facts.origin.removeprefix("file ").removeprefix("files ")
        sizes = {"validation_size": facts.validation, "test_size": facts.test}
        section = {"source": "file", "path": path, **sizes}
        notes = [UNKNOWN_OF_A_FILE]
    return section, notes


def _of_the_hub(facts: DatasetFacts | None) -> Content:
    """Return the keys of a data set on the hub, with its commit; none for other data."""
    if facts is None or facts.hub is None:
        return {}
    hub = facts.hub
    return {"name": hub.name, "config": hub.config, "revision": hub.revision}


def _is_of(spec: DatasetSpec, facts: DatasetFacts) -> bool:
    if spec.source == "hub" and facts.hub is not None:
        known = spec.config is None or spec.config == facts.hub.config
        return known and spec.name == facts.hub.name
    if spec.source != "file":
        return facts.name == spec.source
    return (facts.name, facts.origin) == ("file", origin(spec))


def _matrix(
    cells: Sequence[Cell], names: Mapping[str, str], lists: Mapping[str, list[Any]]
) -> Content:
    """Return [matrix] and the checkpoints' own sections, so that the order of cells is kept."""
    of_checkpoint: dict[str, list[Cell]] = {name: [] for name in names}
    for cell in cells:
        of_checkpoint[cell.checkpoint].append(cell)
    shapes = {name: _shape(own) for name, own in of_checkpoint.items() if own}
    common = {
        key: Counter(shape[key] for shape in shapes.values()).most_common(1)[0][0]
        for key in ("batch_sizes", "learning_rates", "seeds")
    }
    # A checkpoint that only a gate uses gets one cell, which is then removed.
    one = {key: common[key][:1] for key in ("batch_sizes", "learning_rates")}
    own_parts = {
        name_here: {
            key: list(values)
            for key, values in shapes.get(name, one).items()
            if values != common[key]
        }
        for name, name_here in names.items()
    }
    grid = {key: list(values) for key, values in common.items()}
    matrix = {"checkpoints": list(names.values()), **grid, **lists}
    own = {f"matrix.checkpoint.{value_text(name)}": part for name, part in own_parts.items()}
    return {"matrix": matrix, **own}


def _shape(cells: Sequence[Cell]) -> dict[str, tuple[Any, ...]]:
    """Return the smallest grid with all cells of a checkpoint, and their most common seeds."""
    by_size: dict[int, list[float]] = {}
    for cell in cells:
        by_size.setdefault(cell.batch_size, []).append(cell.learning_rate)
    return {
        "batch_sizes": tuple(by_size),
        "learning_rates": tuple(_merged(by_size.values())),
        "seeds": Counter(cell.seeds for cell in cells).most_common(1)[0][0],
    }


def _merged(sequences: Iterable[Sequence[Any]]) -> list[Any]:
    """Return all values once, in an order that keeps each sequence's order, if there is one."""
    left = [list(dict.fromkeys(sequence)) for sequence in sequences]
    order: list[Any] = []
    while heads := [sequence[0] for sequence in left if sequence]:
        free = (head for head in heads if all(head not in sequence[1:] for sequence in left))
        order.append(next(free, heads[0]))
        left = [[value for value in sequence if value != order[-1]] for sequence in left]
    return order


def _own_seeds(cells: Sequence[Cell], planned: Iterable[Cell]) -> Content:
    """Return sections for cells whose seeds differ from the matrix, or which are not planned."""
    seeds = {_coordinates(cell): cell.seeds for cell in cells}
    return {
        f"matrix.cell.{value_text(cell.id)}": {"seeds": list(seeds.get(_coordinates(cell), ()))}
        for cell in planned
        if seeds.get(_coordinates(cell)) != cell.seeds
    }


def _coordinates(cell: Cell) -> Coordinates:
    settings = tuple(sorted(cell.settings.items()))
    return cell.checkpoint, cell.batch_size, cell.learning_rate, settings


def _gates(
    cells: Sequence[Cell], names: Mapping[str, str], ids: Mapping[Coordinates, str]
) -> Content:
    """Return the cells' gates in as few tables as possible.

    One table if all cells have the same gates; else one per checkpoint if its cells have the same;
    else one per cell.
    """
    targets = [cell.target for cell in cells if cell.target != cell.threshold]
    target = {"target_mcc": targets[0]} if targets else {}
    by_checkpoint = {cell.checkpoint: cell.gates for cell in cells}
    own: dict[str, Thresholds] = {}
    common: Content = {}
    if any(by_checkpoint[cell.checkpoint] != cell.gates for cell in cells):
        own = {
            f"cell.{value_text(ids.get(_coordinates(cell), cell.id))}": cell.gates for cell in cells
        }
    elif len(set(map(repr, by_checkpoint.values()))) > 1:
        own = {
            f"checkpoint.{value_text(names[name])}": each for name, each in by_checkpoint.items()
        }
    else:
        common = next(iter(by_checkpoint.values())).model_dump()
    tables = {"gates": {**common, **target}}
    tables |= {f"gates.{name}": gates.model_dump() for name, gates in own.items()}
    return {
        name: table
        for section, values in tables.items()
        for name, table in _nested(section, values)
    }


def _nested(section: str, values: Content) -> Iterator[tuple[str, Content]]:
    """Yield a section of gates, and a section for each of its slices."""
    slices = values.get("slice", {})
    yield section, {key: each for key, each in values.items() if key != "slice"}
    for name, own in slices.items():
        yield f"{section}.slice.{value_text(name)}", own


def _planned(content: Content) -> list[Cell]:
    """Return the cells that a file plans; none if it is not a valid suite."""
    try:
        return make_plan(_read(file_text(content)))
    except ValidationError:
        return []


def _read(text: str) -> Suite:
    return Suite.model_validate(tomllib.loads(text))


def _deviations(
    text: str,
    cells: Sequence[Cell],
    gates: SuiteGates,
    training: TrainingSpec,
    lists: Iterable[str],
) -> Iterator[str]:
    """Yield how the plan of the written file differs from the leaderboard's."""
    try:
        suite = _read(text)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        yield f"no suite file can plan this: {value_text(where)}: {value_text(first['msg'])}"
        return
    planned = make_plan(suite)
    if list(map(_coordinates, planned)) != list(map(_coordinates, cells)):
        yield "no suite file can plan these cells in this order"
    for cell, reread in zip(cells, planned, strict=False):
        if _coordinates(cell) != _coordinates(reread):
            continue
        if cell.id != reread.id:
            yield f"{value_text(reread.id)} was {value_text(cell.id)}: {_other_id(cell, reread)}"
        if replace(cell, id=reread.id) != reread:
            named = value_text(reread.id)
            yield f"{named} had other seeds or gates, which no suite file can express"
    if suite_gates(suite) != gates:
        yield "the suite had other gates, which no suite file can express"
    if _without(suite.training, lists) != _without(training, lists):
        yield "the training settings were different, which no suite file can express"


def _other_id(cell: Cell, reread: Cell) -> str:
    """Return why the cell of the written file has another id than the leaderboard's."""
    if cell.id.startswith(f"{reread.id}-"):
        return "the suite had further values of a setting"
    return "its folder was in another place"
