"""Which gates of a session's suites were judged, and why the others were not."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from harness.judging.gates import Verdict
from harness.session.options import Planned
from harness.session.session import Session
from harness.text import counted, some

Gate = tuple[str, str | None]
"""A suite and the id of a cell, for the gates of that cell; None for the suite's own gates."""

MOST_NAMES = 20
"""How many gates are named in a line; the rest are only counted."""


@dataclass
class Ledger:
    """The result of each gate.

    `judged` is true for gates that passed, and false for gates that failed; it contains only gates
    whose test compared all scores with the thresholds. `failed` contains the gates whose test
    pytest counted as failed. `reasons` explain why a gate was not judged. `files` contains the
    gates whose test exists in a file; `collected` those whose test was collected, selected or not.
    `dropped` contains the gates of cells that were dropped from a race: they need no verdict.
    `ended` contains the gates whose test ran to its end, whatever its outcome.
    """

    judged: dict[Gate, bool] = field(default_factory=dict)
    failed: set[Gate] = field(default_factory=set)
    reasons: dict[Gate, str] = field(default_factory=dict)
    files: dict[Gate, Path] = field(default_factory=dict)
    collected: set[Gate] = field(default_factory=set)
    dropped: set[Gate] = field(default_factory=set)
    ended: set[Gate] = field(default_factory=set)


def record_result(ledger: Ledger, gate: Gate, passed: bool) -> None:
    """Record that a gate was judged. A gate that failed once stays failed if it is repeated."""
    ledger.judged[gate] = passed and ledger.judged.get(gate, True)


def required_gates(planned: Sequence[Planned]) -> list[Gate]:
    """Return every gate of these suites: one per cell, and one per suite with its own gates."""
    gates: list[Gate] = []
    for each in planned:
        gates += [(each.suite.name, cell.id) for cell in each.cells]
        if each.has_own_gates:
            gates.append((each.suite.name, None))
    return gates


def unjudged(
    ledger: Ledger,
    planned: Sequence[Planned],
    fallback: Callable[[Gate], str],
    by_records: Mapping[Gate, Verdict],
) -> list[str]:
    """Return a line for each reason why gates of the suites were not judged.

    Args:
        fallback: returns the reason of a gate if the ledger has none.
        by_records: the verdict of gates whose test did not run, where the records give one; a line
            on them starts with it, as the tables show it.
    """
    reasons = {
        gate: ledger.reasons.get(gate) or fallback(gate)
        for gate in required_gates(planned)
        if gate not in ledger.judged and gate not in ledger.dropped
    }
    states = {gate: state_of(by_records.get(gate)) for gate in reasons}
    return [
        f"{state}: {line}"
        for state in dict.fromkeys(states.values())
        for line in by_reason({gate: reasons[gate] for gate in reasons if states[gate] == state})
    ]


def state_of(verdict: Verdict | None) -> str:
    """Return how a gate is named whose test did not judge it, by the verdict of its records."""
    return "not judged" if verdict is None else f"{verdict} by its records alone"


def left_open(ledger: Ledger, running: Session) -> list[Gate]:
    """Return the gates whose verdict needs a run outside the session's budget."""
    lacking = running.outside_budget()
    cells = [cell for cell in lacking if running.has_own_gate(cell)]
    gated = {each.suite.name for each in running.planned if each.has_own_gates}
    suites = dict.fromkeys(cell.suite for cell in lacking if cell.suite in gated)
    gates: list[Gate] = [*((cell.suite, cell.id) for cell in cells), *((s, None) for s in suites)]
    return [gate for gate in gates if gate not in ledger.judged]


def beyond_budget(gates: Sequence[Gate]) -> str:
    """Return why a session with these open gates does not pass, in a line."""
    return (
        f"{counted(len(gates), 'gate')} not decided within the budget ({named(gates)}): the "
        "session does not pass; the same command goes on with the missing runs"
    )


def by_reason(reasons: Mapping[Gate, str]) -> list[str]:
    """Return a line for each reason, preceded by its gates."""
    gates: dict[str, list[Gate]] = {}
    for gate, reason in reasons.items():
        gates.setdefault(reason, []).append(gate)
    return [f"{named(own)}: {reason}" for reason, own in gates.items()]


def uncounted_failures(ledger: Ledger) -> list[str]:
    """Return a line if gates failed whose test pytest does not count as failed."""
    gates = [gate for gate, passed in ledger.judged.items() if not passed]
    hidden = [gate for gate in gates if gate not in ledger.failed]
    if not hidden:
        return []
    why = ledger.reasons.get(hidden[0], "a plugin or conftest.py changed its outcome")
    return [f"failed its gate, and was not counted as a failure: {named(hidden)}: {why}"]


def named(gates: Sequence[Gate]) -> str:
    """Return the names of gates, of many only the first."""
    names = [
        f"the gates of the suite {suite}" if cell is None else f"{suite}/{cell}"
        for suite, cell in gates
    ]
    return some(names, MOST_NAMES)
