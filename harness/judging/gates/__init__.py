"""Thresholds that cells and whole suites must meet, with their verdicts."""

from harness.judging.gates.cell import Judgement, explain, judge
from harness.judging.gates.check import Check, Verdict
from harness.judging.gates.suite import explain_suite, judge_suite

__all__ = ["Check", "Judgement", "Verdict", "explain", "explain_suite", "judge", "judge_suite"]
