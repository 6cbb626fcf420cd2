"""The picture of a race: the mean MCC of each cell by number of seeds; some end early."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

from harness.judging.looks.race import scores_so_far
from harness.report.pictures.charts import Line

WIDTH, HEIGHT = 640, 300
LEFT, RIGHT, TOP, BOTTOM = 52, 16, 12, 40
"""Size and margins of the page's picture in pixels."""

TICKS = 5


@dataclass(frozen=True)
class RacePath:
    """A cell's way in a race: the mean MCC over its first 1, 2, ... seeds, up to its last look.

    `out` is whether it was dropped or set aside, or left because a run failed.
    """

    label: str
    means: tuple[float, ...]
    out: bool


def race_paths(lines: Iterable[Line]) -> list[RacePath]:
    """Return the ways of the cells that were judged in a race, those that left it first."""
    found = [
        RacePath(line.label, means, line.row["rank"] is None)
        for line in lines
        if line.cell.looks is not None and line.cell.looks.race
        for looked in [line.number("looked_seeds")]
        for means in [tuple(scores_so_far(line.cell, line.runs)[: int(looked or 0)])]
        if means
    ]
    return sorted(found, key=lambda path: not path.out)


def describe(paths: Sequence[RacePath]) -> str:
    """Return what the picture shows, in words."""
    still = [path for path in paths if not path.out]
    ends = "; ".join(
        f"{path.label}: {path.means[-1]:z.3f} after {len(path.means)}" for path in still
    )
    return (
        f"Mean MCC over the first seeds of {len(paths)} cells; {len(paths) - len(still)} "
        f"left the race and end with a cross; still in: {ends or 'none'}"
    )


def race_svg(paths: Sequence[RacePath]) -> str:
    """Return the picture for the page as SVG in its colours; empty without a race."""
    if not paths:
        return ""
    values = [mean for path in paths for mean in path.means]
    low, high = min(values), max(values)
    room = max(high - low, 0.02) * 0.08
    low, high, seeds = low - room, high + room, max(len(path.means) for path in paths)

    def x(seed: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * (seed - 1) / max(seeds - 1, 1)

    def y(mcc: float) -> float:
        return TOP + (HEIGHT - TOP - BOTTOM) * (high - mcc) / (high - low)

    parts = [
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" role="img" style="max-width:100%" '
        f'aria-label="{escape(describe(paths))}" font-size="12" fill="currentColor">'
    ]
    for number in range(TICKS):
        mcc = low + (high - low) * number / (TICKS - 1)
        parts.append(
            f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(mcc):.1f}" y2="{y(mcc):.1f}" '
            'stroke="currentColor" stroke-opacity="0.15"/>'
            f'<text x="{LEFT - 6}" y="{y(mcc) + 4:.1f}" text-anchor="end">{mcc:z.2f}</text>'
        )
    parts += [
        f'<text x="{x(seed):.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{seed}</text>'
        for seed in range(1, seeds + 1)
    ]
    parts.append(
        f'<text x="{(LEFT + WIDTH) / 2}" y="{HEIGHT - 4}" text-anchor="middle">seeds; mean MCC so '
        "far; a cross: no longer in the race</text>"
    )
    parts += [
        _path(path, [(x(n), y(mcc)) for n, mcc in enumerate(path.means, 1)]) for path in paths
    ]
    return "\n".join([*parts, "</svg>"])


def _path(path: RacePath, points: Sequence[tuple[float, float]]) -> str:
    colour = "currentColor" if path.out else "var(--series-0)"
    faint = ' stroke-opacity="0.5"' if path.out else ""
    right, down = points[-1]
    end = f'<circle cx="{right:.1f}" cy="{down:.1f}" r="4" fill="{colour}"/>'
    if path.out:
        end = (
            f'<path d="M{right - 4:.1f} {down - 4:.1f}l8 8m0 -8l-8 8" stroke="{colour}" '
            'stroke-width="1.5"/>'
        )
    joined = " ".join(f"{across:.1f},{below:.1f}" for across, below in points)
    name = f"{path.label}: MCC {path.means[-1]:z.3f} after {len(path.means)}"
    return (
        f'<g{faint}><title>{escape(name)}</title><polyline points="{joined}" fill="none" '
        f'stroke="{colour}" stroke-width="2"/>{end}</g>'
    )
