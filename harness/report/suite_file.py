"""The suite file that asks for what a leaderboard shows, written from its plan and records.

Read again it plans the very cells, seeds, gates and training of the leaderboard, in their order.
What it cannot say, or nobody recorded, stands in it as a comment.
"""

import json
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from pydantic import ValidationError

from harness.report.published import Published
from harness.store.records import DatasetFacts, Record
from harness.suite.plan import Cell, make_plan, suite_gates
from harness.suite.spec import DatasetSpec, Suite, SuiteGates, Thresholds, TrainingSpec

SOURCES = ("cola", "embedded")
"""Data that go by one name everywhere; a user's own file lies elsewhere on each machine."""

UNKNOWN_OF_A_FILE = (
    "not recorded: delimiter, quoting, text_column, label_column, class_names and split_seed; "
    "what is not named here stands at its default"
)

Content = dict[str, Any]
"""A suite file's tables by dotted name, "" for the keys above the first; what they hold."""


def suite_files(published: Published) -> list[tuple[str, str]]:
    """Return a suite file for every training that runs were given, with the runs it stands for.

    More than one where records of several sessions with other settings or data meet in one
    leaderboard; each then asks for its own runs alone. One that stands for all asks for the whole
    plan, runs without a score included. Checkpoints that lay in a folder are looked for beside the
    suite file, under the name that they are published under.
    """
    groups: dict[tuple[object, TrainingSpec], list[Record]] = {}
    for record in published.records:
        if record.status == "ok":
            groups.setdefault((_data(record.dataset), record.training), []).append(record)
    total = sum(map(len, groups.values()))
    return [
        (
            "these runs" if len(groups) == 1 else f"{len(runs)} of the {total} runs",
            _suite_file(
                published,
                published.cells if len(groups) == 1 else _cells_of(published.cells, runs),
                runs[0],
            ),
        )
        for runs in groups.values()
    ]


def _data(facts: DatasetFacts | None) -> object:
    """Return what tells data apart that need another suite file."""
    if facts is None or facts.name in SOURCES:
        return None if facts is None else facts.name
    return facts.name, facts.origin, facts.validation, facts.test


def _cells_of(cells: Iterable[Cell], runs: Iterable[Record]) -> list[Cell]:
    """Return the cells of some runs alone, with no other seeds."""
    wanted = {(run.cell, run.seed) for run in runs}
    parts = (
        replace(cell, seeds=tuple(seed for seed in cell.seeds if (cell.id, seed) in wanted))
        for cell in cells
    )
    return [cell for cell in parts if cell.seeds]


def _suite_file(published: Published, cells: Sequence[Cell], run: Record) -> str:
    names = _names(published, cells)
    dataset, unknown = _dataset(published.dataset, run.dataset)
    content: Content = {
        "": {"name": published.suite},
        "dataset": dataset,
        **_matrix(cells, names),
        "training": run.training.model_dump(exclude_none=True),
    }
    planned = _planned({**content, "": {"name": "any"}, "dataset": {"source": "embedded"}})
    ids = {_place(cell): cell.id for cell in planned or ()}
    content |= _own_seeds(cells, planned or ())
    content |= _gates(cells, names, ids)
    content |= _of_the_suite(published.gates, names)
    text = "".join(_tables(content))
    notes = [
        *_beside(published, names),
        *(
            [f"{_value(dataset['path'])}: put the file beside this one"]
            if "path" in dataset
            else []
        ),
        *unknown,
        *_unlike(text, cells, published.gates, run.training),
    ]
    return "".join(f"# {note}\n" for note in notes) + text


def _names(published: Published, cells: Sequence[Cell]) -> dict[str, str]:
    """Return what each checkpoint is called in the file, by its published name.

    Names in the suite's order that are no cell's come last: a gate speaks of them all the same.
    """
    on_hub = {r.checkpoint for r in published.records if r.checkpoint_revision is not None}
    named = dict.fromkeys([*(cell.checkpoint for cell in cells), *published.gates.order])
    # Of what was never found, nobody knows where it should have been.
    found = {r.checkpoint for r in published.records if r.checkpoint_digest is not None}
    elsewhere = {name for name in named if "/" in name or name.startswith("package:")} | on_hub
    elsewhere |= {r.checkpoint for r in published.records} - found
    return {name: name if name in elsewhere else f"./{name}" for name in named}


def _beside(published: Published, names: Mapping[str, str]) -> Iterator[str]:
    """Yield a note for each checkpoint that lay in a folder, as far as records tell."""
    folders = {
        r.checkpoint
        for r in published.records
        if r.checkpoint_digest is not None
        and r.checkpoint_revision is None
        and not r.checkpoint.startswith("package:")
    }
    for name, called in names.items():
        if name in folders:
            yield f"{_value(called)}: put the checkpoint's folder beside this file"


def _dataset(spec: DatasetSpec | None, facts: DatasetFacts | None) -> tuple[Content, list[str]]:
    """Return the section [dataset], and notes on what is not known of it."""
    if spec is not None and (facts is None or _is_of(spec, facts)):
        return spec.model_dump(exclude_defaults=True), []
    if facts is None or facts.name in SOURCES:
        return {"source": "cola" if facts is None else facts.name}, []
    sizes = {"validation_size": facts.validation, "test_size": facts.test}
    path = facts.origin.removeprefix("file ")
    return {"source": "file", "path": path, **sizes}, [UNKNOWN_OF_A_FILE]


def _is_of(spec: DatasetSpec, facts: DatasetFacts) -> bool:
    if spec.source != "file":
        return facts.name == spec.source
    return (facts.name, facts.origin) == ("file", f"file {spec.path}")


def _matrix(cells: Sequence[Cell], names: Mapping[str, str]) -> Content:
    """Return [matrix] and the checkpoints' own parts, in an order that plans cells in theirs."""
    of_checkpoint: dict[str, list[Cell]] = {name: [] for name in names}
    for cell in cells:
        of_checkpoint[cell.checkpoint].append(cell)
    shapes = {name: _shape(own) for name, own in of_checkpoint.items() if own}
    common = {
        key: Counter(shape[key] for shape in shapes.values()).most_common(1)[0][0]
        for key in ("batch_sizes", "learning_rates", "seeds")
    }
    # A checkpoint that only a gate speaks of gets one cell, which is left out.
    one = {key: common[key][:1] for key in ("batch_sizes", "learning_rates")}
    own_parts = {
        called: {
            key: list(values)
            for key, values in shapes.get(name, one).items()
            if values != common[key]
        }
        for name, called in names.items()
    }
    matrix = {"checkpoints": list(names.values()), **{k: list(v) for k, v in common.items()}}
    own = {f"matrix.checkpoint.{_value(called)}": part for called, part in own_parts.items()}
    return {"matrix": matrix, **own}


def _shape(cells: Sequence[Cell]) -> dict[str, tuple[Any, ...]]:
    """Return the smallest product that holds a checkpoint's cells, and their most common seeds."""
    by_size: dict[int, list[float]] = {}
    for cell in cells:
        by_size.setdefault(cell.batch_size, []).append(cell.learning_rate)
    return {
        "batch_sizes": tuple(by_size),
        "learning_rates": tuple(_merged(by_size.values())),
        "seeds": Counter(cell.seeds for cell in cells).most_common(1)[0][0],
    }


def _merged(sequences: Iterable[Sequence[float]]) -> list[float]:
    """Return all values once, each sequence's in its own order, where there is such an order."""
    left = [list(dict.fromkeys(sequence)) for sequence in sequences]
    order: list[float] = []
    while heads := [sequence[0] for sequence in left if sequence]:
        free = (head for head in heads if all(head not in sequence[1:] for sequence in left))
        order.append(next(free, heads[0]))
        left = [[value for value in sequence if value != order[-1]] for sequence in left]
    return order


def _own_seeds(cells: Sequence[Cell], planned: Iterable[Cell]) -> Content:
    """Return the parts of cells that the matrix has with other seeds, or should not have."""
    seeds = {_place(cell): cell.seeds for cell in cells}
    return {
        f"matrix.cell.{_value(cell.id)}": {"seeds": list(seeds.get(_place(cell), ()))}
        for cell in planned
        if seeds.get(_place(cell)) != cell.seeds
    }


def _place(cell: Cell) -> tuple[str, int, float]:
    return cell.checkpoint, cell.batch_size, cell.learning_rate


def _gates(
    cells: Sequence[Cell], names: Mapping[str, str], ids: Mapping[tuple[str, int, float], str]
) -> Content:
    """Return the cells' gates in the widest tables that say them.

    One for all cells if all have the same, else one a checkpoint if each one's cells have, else
    one a cell.
    """
    targets = [cell.target for cell in cells if cell.target != cell.threshold]
    target = {"target_mcc": targets[0]} if targets else {}
    by_checkpoint = {cell.checkpoint: cell.gates for cell in cells}
    own: dict[str, Thresholds] = {}
    common: Content = {}
    if any(by_checkpoint[cell.checkpoint] != cell.gates for cell in cells):
        own = {f"cell.{_value(ids.get(_place(cell), cell.id))}": cell.gates for cell in cells}
    elif len(set(map(repr, by_checkpoint.values()))) > 1:
        own = {f"checkpoint.{_value(names[name])}": each for name, each in by_checkpoint.items()}
    else:
        common = next(iter(by_checkpoint.values())).model_dump()
    tables = {f"gates.{name}": gates.model_dump() for name, gates in own.items()}
    return {"gates": {**common, **target}, **tables}


def _of_the_suite(gates: SuiteGates, names: Mapping[str, str]) -> Content:
    """Return the gates of all cells together."""
    said = gates.model_dump(exclude_defaults=True)
    if gates.order:
        said["order"] = [names[name] for name in gates.order]
    return {"gates.suite": said}


def _planned(content: Content) -> list[Cell] | None:
    """Return the cells that a file plans, None where it is no valid suite."""
    try:
        return make_plan(_read("".join(_tables(content))))
    except ValidationError:
        return None


def _read(text: str) -> Suite:
    return Suite.model_validate(tomllib.loads(text))


def _unlike(
    text: str, cells: Sequence[Cell], gates: SuiteGates, training: TrainingSpec
) -> Iterator[str]:
    """Yield in what the file, read again, asks for something else than it should."""
    try:
        suite = _read(text)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        yield f"no suite file can ask for this: {_value(where)}: {_value(first['msg'])}"
        return
    planned = make_plan(suite)
    if list(map(_place, planned)) != list(map(_place, cells)):
        yield "no suite file can ask for these cells in this order"
    for held, asked in zip(cells, planned, strict=False):
        if _place(held) == _place(asked) and held.id != asked.id:
            yield f"{_value(asked.id)} was {_value(held.id)}: its folder lay elsewhere"
        if _place(held) == _place(asked) and replace(held, id=asked.id) != asked:
            yield f"{_value(asked.id)} had other seeds or gates, which no suite file can say"
    if suite_gates(suite) != gates:
        yield "the gates of the suite were others, which no suite file can say"
    if suite.training != training:
        yield "the training was another, which no suite file can say"


def _tables(content: Content) -> Iterator[str]:
    for name, values in content.items():
        pairs = [f"{key} = {_value(value)}\n" for key, value in values.items() if value is not None]
        if pairs:
            yield (f"\n[{name}]\n" if name else "") + "".join(pairs)


def _value(value: Any) -> str:
    """Write a value as TOML, which writes text, numbers and lists as JSON does."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
