"""Which of the gates that a session's suites ask for were judged, and why the others were not."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from harness.session.session import Planned
from harness.suite.spec import SuiteGates

Gate = tuple[str, str | None]
"""A suite, and the id of the cell whose gates are meant; None for the gates of the suite itself."""

MOST_NAMES = 20
"""How many gates are named in a line before the rest is only counted."""


@dataclass
class Ledger:
    """What became of each gate.

    `judged` says whether the gate was passed, and has those alone whose test compared the scores
    with the thresholds to the end. `failed` holds the gates whose test pytest counted as failed.
    `reasons` say why a test judged nothing.
    """

    judged: dict[Gate, bool] = field(default_factory=dict)
    failed: set[Gate] = field(default_factory=set)
    reasons: dict[Gate, str] = field(default_factory=dict)


def enter(ledger: Ledger, gate: Gate, passed: bool) -> None:
    """Note that a gate was judged. One that failed once has failed, however often it is tried."""
    ledger.judged[gate] = passed and ledger.judged.get(gate, True)


def demanded(planned: Sequence[Planned]) -> list[Gate]:
    """Return every gate of these suites: of each cell, and of each suite that has its own."""
    gates: list[Gate] = []
    for each in planned:
        gates += [(each.suite.name, cell.id) for cell in each.cells]
        if each.suite.gates.suite != SuiteGates():
            gates.append((each.suite.name, None))
    return gates


def unjudged(
    ledger: Ledger, planned: Sequence[Planned], otherwise: Callable[[Gate], str]
) -> list[str]:
    """Return a line for each reason for which gates of the suites were not judged.

    Args:
        otherwise: says why, of a gate for which the ledger has no reason.
    """
    reasons = {
        gate: ledger.reasons.get(gate) or otherwise(gate)
        for gate in demanded(planned)
        if gate not in ledger.judged
    }
    return [f"not judged: {line}" for line in by_reason(reasons)]


def by_reason(reasons: Mapping[Gate, str]) -> list[str]:
    """Return a line for each reason, with the gates that it holds for before it."""
    gates: dict[str, list[Gate]] = {}
    for gate, reason in reasons.items():
        gates.setdefault(reason, []).append(gate)
    return [f"{_named(named)}: {reason}" for reason, named in gates.items()]


def unheeded(ledger: Ledger) -> list[str]:
    """Return a line where gates failed and pytest counts no failure."""
    gates = [gate for gate, passed in ledger.judged.items() if not passed]
    hidden = [gate for gate in gates if gate not in ledger.failed]
    if not hidden:
        return []
    why = ledger.reasons.get(hidden[0], "a plugin or conftest.py changed its outcome")
    return [f"failed its gate, and was not counted as a failure: {_named(hidden)}: {why}"]


def _named(gates: Sequence[Gate]) -> str:
    names = list(_names(gates))
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    return ", ".join(names[:MOST_NAMES]) + more


def _names(gates: Sequence[Gate]) -> Iterator[str]:
    for suite, cell in gates:
        yield f"the gates of the suite {suite}" if cell is None else f"{suite}/{cell}"
