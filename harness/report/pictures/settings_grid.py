"""Which two settings heat maps show: learning rate and batch size, or others that differ."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from harness.judging.further_columns.settings import heading_of, text_of
from harness.report.pictures.charts import Line
from harness.text import scientific


@dataclass(frozen=True)
class Dimension:
    """A setting that differs between cells: its name, its value in a cell, the value as text."""

    name: str
    value: Callable[[Line], Any]
    text: Callable[[Any], str] = text_of


LEARNING_RATE = Dimension("learning rate", lambda line: line.cell.learning_rate, scientific)
BATCH_SIZE = Dimension("batch size", lambda line: line.cell.batch_size, str)


@dataclass(frozen=True)
class Layout:
    """The settings across and down a heat map; `further` ones have a map for each value."""

    across: Dimension
    down: Dimension
    further: tuple[Dimension, ...]

    def name(self, line: Line) -> str:
        """Return the name of the map to which a cell belongs."""
        return ", ".join(filter(None, (line.cell.checkpoint, self.constant(line))))

    def constant(self, line: Line) -> str:
        """Return the further settings of the map to which a cell belongs, as text."""
        return ", ".join(f"{each.name} {each.text(each.value(line))}" for each in self.further)

    def maps(self, lines: Iterable[Line]) -> dict[str, list[Line]]:
        """Return the cells of each map, by its name."""
        found: dict[str, list[Line]] = {}
        for line in lines:
            found.setdefault(self.name(line), []).append(line)
        return found


def layout(lines: Sequence[Line]) -> Layout:
    """Choose learning rate and batch size; another setting replaces one of them that is constant.

    Args:
        lines: at least one.
    """
    further = [
        Dimension(heading_of(name), partial(_own_value, name))
        for name in lines[0].cell.settings
        if heading_of(name) in lines[0].further
    ]
    chosen = [
        further.pop(0) if further and not _differs(usual, lines) else usual
        for usual in (LEARNING_RATE, BATCH_SIZE)
    ]
    return Layout(chosen[0], chosen[1], tuple(further))


def _own_value(name: str, line: Line) -> Any:
    return line.cell.settings[name]


def _differs(dimension: Dimension, lines: Sequence[Line]) -> bool:
    return len({dimension.value(line) for line in lines}) > 1
