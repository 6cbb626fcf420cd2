"""Group-sequential looks at a mean over seeds: nominal levels, and the verdict of a gate."""

from harness.stats.sequential.gate import Outcome, SequentialVerdict, gate_verdict
from harness.stats.sequential.levels import (
    ERROR,
    SHARE_STEP,
    Form,
    nominal_levels,
    problems_of_looks,
    spent,
)

__all__ = [
    "ERROR",
    "SHARE_STEP",
    "Form",
    "Outcome",
    "SequentialVerdict",
    "gate_verdict",
    "nominal_levels",
    "problems_of_looks",
    "spent",
]
