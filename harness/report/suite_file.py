"""The suite file that asks for what a leaderboard shows, written from its plan and records."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from harness.plan import Cell
from harness.report.published import Published
from harness.spec import Thresholds

SOURCES = ("cola", "embedded")
"""Data that go by one name everywhere; a user's own file lies elsewhere on each machine."""


def suite_files(published: Published) -> list[tuple[str, str]]:
    """Return a suite file for every training that runs were given, with the runs it stands for.

    More than one where records of several sessions with other settings meet in one leaderboard.
    Checkpoints that lay in a folder stand there by the name that they are published under.
    """
    groups = Counter(
        (record.dataset.name if record.dataset else None, record.training)
        for record in published.records
        if record.status == "ok"
    )
    total = sum(groups.values())
    return [
        (
            "these runs" if runs == total else f"{runs} of the {total} runs",
            _suite_file(published, dataset, training.model_dump(exclude_none=True)),
        )
        for (dataset, training), runs in groups.items()
    ]


def _suite_file(published: Published, dataset: str | None, training: dict[str, Any]) -> str:
    cells = published.cells
    lines = [
        f"name = {_value(published.suite)}",
        "",
        "[dataset]",
        f"source = {_value(dataset)}"
        if dataset in SOURCES
        else 'source = "file"  # with the path, columns and sizes of the suite',
        "",
        "[matrix]",
        *_pairs(
            {
                "checkpoints": _distinct(cell.checkpoint for cell in cells),
                "batch_sizes": _distinct(cell.batch_size for cell in cells),
                "learning_rates": _distinct(cell.learning_rate for cell in cells),
                "seeds": _distinct(seed for cell in cells for seed in cell.seeds),
            }
        ),
        "",
        "[training]",
        *_pairs(training),
        *_gates(cells),
    ]
    return "\n".join(lines) + "\n"


def _gates(cells: Sequence[Cell]) -> Iterator[str]:
    """Yield the cells' gates in the widest tables that say them; those of the suite are no cell's.

    One for all cells if all have the same, else one a checkpoint if each one's cells have, else
    one a cell.
    """
    targets = [cell.target for cell in cells if cell.target != cell.threshold]
    target = dict.fromkeys(("target_mcc",), targets[0]) if targets else {}
    by_checkpoint = {cell.checkpoint: cell.gates for cell in cells}
    own: dict[str, Thresholds]
    if len(set(map(repr, by_checkpoint.values()))) == 1 and _holds(cells, by_checkpoint):
        common, own = next(iter(by_checkpoint.values())).model_dump(), {}
    elif _holds(cells, by_checkpoint):
        common, own = (
            {},
            {f"checkpoint.{_value(name)}": by_checkpoint[name] for name in by_checkpoint},
        )
    else:
        common, own = {}, {f"cell.{_value(cell.id)}": cell.gates for cell in cells}
    tables = {"gates": {**common, **target}}
    tables |= {f"gates.{name}": gates.model_dump() for name, gates in own.items()}
    for name, values in tables.items():
        if pairs := list(_pairs(values)):
            yield from ["", f"[{name}]", *pairs]


def _holds(cells: Sequence[Cell], by_checkpoint: dict[str, Thresholds]) -> bool:
    return all(by_checkpoint[cell.checkpoint] == cell.gates for cell in cells)


def _pairs(values: dict[str, Any]) -> Iterator[str]:
    for key, value in values.items():
        if value is not None:
            yield f"{key} = {_value(value)}"


def _value(value: Any) -> str:
    """Write a value as TOML, which writes text, numbers and lists as JSON does."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _distinct(values: Iterable[Any]) -> list[Any]:
    return list(dict.fromkeys(values))
