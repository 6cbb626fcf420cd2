"""What `--strict` refuses before training: gates without effect, and cells that no gate judges."""

from collections.abc import Sequence

from harness.session.options import Options, Planned
from harness.suite.gates import AGAINST_BASELINE
from harness.suite.plan import Cell
from harness.text import series, some

MOST_CELLS = 10
"""Maximum number of cells that a message names."""


def without_baseline(cells: Sequence[Cell], options: Options) -> list[str]:
    """Return a line for every suite that has gates against a baseline, but no baseline."""
    lines = []
    for suite in dict.fromkeys(cell.suite for cell in cells):
        own = [cell.gates for cell in cells if cell.suite == suite]
        keys = [
            key for key in AGAINST_BASELINE if any(getattr(each, key) is not None for each in own)
        ]
        if keys and options.baseline_of(suite) is None:
            names = series([f"gates.{key}" for key in keys])
            lines.append(
                f"{suite}: {names} {'has' if len(keys) == 1 else 'have'} no effect without a "
                "baseline of this suite; give its earlier leaderboard.json with --baseline FILE"
            )
    return lines


def refusals(planned: Sequence[Planned], cells: Sequence[Cell], options: Options) -> list[str]:
    """Return why a session of some cells is refused under `--strict`; empty without `--strict`.

    A cell needs a gate: its own, its suite's, or a baseline. Without one it passes with any score.
    Gates of a suite are counted for all its cells, although some judge only the best, or an order.
    """
    if not options.strict:
        return []
    lines = without_baseline(cells, options)
    for each in planned:
        name = each.suite.name
        if each.has_own_gates or options.baseline_of(name) is not None:
            continue
        own = dict.fromkeys(cell for cell in cells if cell.suite == name)
        open_cells = [cell.id for cell in own if not cell.gates.without_baseline().any_set]
        if open_cells:
            every = len(open_cells) == len(each.cells)
            which = "any cell" if every else some(open_cells, MOST_CELLS)
            lines.append(
                f"{name}: --strict: no gate judges {which}, which would pass with any score; set "
                f"gates.min_mcc in {each.path.name}, or give --min-mcc"
            )
    return lines
