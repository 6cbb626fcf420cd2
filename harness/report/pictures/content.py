"""What each picture shows, as plain data: its bytes depend on nothing else but the code that draws.

Numbers and text only, so that a digest of a content identifies it. Names are as in the records;
drawing makes them drawable.
"""

from collections.abc import Sequence
from dataclasses import dataclass

PICTURES = (
    *("pareto-training", "pareto-evaluation", "learning-curves", "settings", "best-of-n"),
    "race",
)
"""All names of pictures; a leaderboard has those for which there is data."""

FORMATS = ("png", "svg")

Look = tuple[str, str]
"""A colour and a marker."""


@dataclass(frozen=True)
class Mark:
    """A cell in a chart of speed and quality; see charts.Point. `interval` is that of the MCC."""

    speed: float
    mcc: float
    interval: tuple[float, float] | None
    look: Look
    on_front: bool
    compares: bool


@dataclass(frozen=True)
class MarkLabel:
    """The label of a mark at (speed, mcc), and its offset in pixels to the right, and up."""

    text: str
    speed: float
    mcc: float
    right: float
    up: float


@dataclass(frozen=True)
class Chart:
    """The cells that were measured in the same circumstances.

    `equal` says which times count as equal, if this differs between the charts; else it is empty.
    `speeds` are the lowest and the highest that the axis must show, margins aside; `ticks` are
    those of a logarithmic axis, None on a linear one.
    """

    circumstances: str
    equal: str
    speeds: tuple[float, float]
    ticks: Sequence[float] | None
    marks: Sequence[Mark]
    labels: Sequence[MarkLabel]


@dataclass(frozen=True)
class Front:
    """MCC against a speed, in charts side by side; `key` has each checkpoint's look."""

    speed: str
    charts: Sequence[Chart]
    key: Sequence[tuple[str, Look]]


@dataclass(frozen=True)
class Curve:
    """The MCC of a run after each of some epochs; `selected` is an index into them."""

    epochs: Sequence[int]
    mccs: Sequence[float]
    selected: int | None


@dataclass(frozen=True)
class Panel:
    """The learning curves of a cell, one for each seed; `number` is what stands before its
    name, and `further` settings are text.
    """

    number: str
    checkpoint: str
    batch: str
    further: str
    colour: str
    curves: Sequence[Curve]


@dataclass(frozen=True)
class Curves:
    """The learning curves of cells, the best first."""

    panels: Sequence[Panel]


@dataclass(frozen=True)
class HeatMap:
    """Mean MCCs by row and column, None where no cell has one, and the same as text.

    `constant` has the settings that have one value in this map, as text.
    """

    checkpoint: str
    constant: str
    mccs: Sequence[Sequence[float | None]]
    texts: Sequence[Sequence[str]]


@dataclass(frozen=True)
class Side:
    """A setting down or across heat maps: its name, and its values as text."""

    name: str
    values: Sequence[str]


@dataclass(frozen=True)
class HeatMaps:
    """Heat maps with one scale of colours, from the lowest to the highest MCC of all cells.

    `several`: a checkpoint may have several maps, one for each value of further settings.
    """

    down: Side
    across: Side
    range: tuple[float, float]
    several: bool
    maps: Sequence[HeatMap]


@dataclass(frozen=True)
class Budgets:
    """Expected MCC of the best of 1, 2, ... cells: of each checkpoint, and of all cells.

    `ticks` are those of a logarithmic axis, None on a linear one.
    """

    checkpoints: Sequence[tuple[str, Look, Sequence[float]]]
    every: Sequence[float]
    ticks: Sequence[float] | None


@dataclass(frozen=True)
class Race:
    """The mean MCC of each cell over its first 1, 2, ... seeds, and whether it left the race."""

    paths: Sequence[tuple[Sequence[float], bool]]


Content = Front | Curves | HeatMaps | Budgets | Race


@dataclass(frozen=True)
class Picture:
    """A picture to draw: the stem of its file names, its title and description, its content."""

    name: str
    title: str
    alt: str
    content: Content
