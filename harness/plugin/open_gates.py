"""Gates that a session with a budget did not decide: it does not pass."""

from harness.plugin.ledger import Gate, Ledger, named
from harness.session.session import Session
from harness.text import counted


def left_open(ledger: Ledger, running: Session) -> list[Gate]:
    """Return the gates whose verdict needs a run outside the session's budget."""
    lacking = running.outside_budget()
    cells = [cell for cell in lacking if running.has_own_gate(cell)]
    gated = {each.suite.name for each in running.planned if each.has_own_gates}
    suites = dict.fromkeys(cell.suite for cell in lacking if cell.suite in gated)
    gates: list[Gate] = [*((cell.suite, cell.id) for cell in cells), *((s, None) for s in suites)]
    return [gate for gate in gates if gate not in ledger.judged]


def explanation(gates: list[Gate]) -> str:
    """Return why a session with these open gates does not pass, in a line."""
    return (
        f"{counted(len(gates), 'gate')} not decided within the budget ({named(gates)}): the "
        "session does not pass; the same command goes on with the missing runs"
    )
