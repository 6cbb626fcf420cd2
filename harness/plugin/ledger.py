"""Which gates of a session's suites were judged, and why the others were not."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from harness.session.session import Planned
from harness.suite.spec import SuiteGates

Gate = tuple[str, str | None]
"""A suite and the id of a cell, for the gates of that cell; None for the suite's own gates."""

MOST_NAMES = 20
"""How many gates are named in a line; the rest are only counted."""


@dataclass
class Ledger:
    """The result of each gate.

    `judged` is true for gates that passed, and false for gates that failed; it contains only gates
    whose test compared all scores with the thresholds. `failed` contains the gates whose test
    pytest counted as failed. `reasons` explain why a gate was not judged.
    """

    judged: dict[Gate, bool] = field(default_factory=dict)
    failed: set[Gate] = field(default_factory=set)
    reasons: dict[Gate, str] = field(default_factory=dict)


def record_result(ledger: Ledger, gate: Gate, passed: bool) -> None:
    """Record that a gate was judged. A gate that failed once stays failed if it is repeated."""
    ledger.judged[gate] = passed and ledger.judged.get(gate, True)


def required_gates(planned: Sequence[Planned]) -> list[Gate]:
    """Return every gate of these suites: one per cell, and one per suite with its own gates."""
    gates: list[Gate] = []
    for each in planned:
        gates += [(each.suite.name, cell.id) for cell in each.cells]
        if each.suite.gates.suite != SuiteGates():
            gates.append((each.suite.name, None))
    return gates


def unjudged(
    ledger: Ledger, planned: Sequence[Planned], fallback: Callable[[Gate], str]
) -> list[str]:
    """Return a line for each reason why gates of the suites were not judged.

    Args:
        fallback: returns the reason of a gate if the ledger has none.
    """
    reasons = {
        gate: ledger.reasons.get(gate) or fallback(gate)
        for gate in required_gates(planned)
        if gate not in ledger.judged
    }
    return [f"not judged: {line}" for line in by_reason(reasons)]


def by_reason(reasons: Mapping[Gate, str]) -> list[str]:
    """Return a line for each reason, preceded by its gates."""
    gates: dict[str, list[Gate]] = {}
    for gate, reason in reasons.items():
        gates.setdefault(reason, []).append(gate)
    return [f"{_named(named)}: {reason}" for reason, named in gates.items()]


def uncounted_failures(ledger: Ledger) -> list[str]:
    """Return a line if gates failed whose test pytest does not count as failed."""
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
