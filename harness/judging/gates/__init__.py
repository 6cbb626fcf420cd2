"""What must be reached: thresholds of cells, and of a suite as a whole, with their verdicts."""

from harness.judging.gates.cell import Check, Judgement, Verdict, explain, judge
from harness.judging.gates.suite import explain_suite, judge_suite

__all__ = ["Check", "Judgement", "Verdict", "explain", "explain_suite", "judge", "judge_suite"]
