"""The columns of leaderboards with more than two classes."""

from harness.judging.column import Column, decimals
from harness.judging.costs import mean
from harness.store.records import classes_of

CLASSES = Column(  # not shown; it marks these leaderboards
    "classes",
    "Int64",
    lambda facts: max(map(classes_of, facts.scored), default=None),
)

MACRO_F1 = Column(  # in place of the F1 of class 1
    "f1",
    "Float64",
    lambda facts: mean(score.f1 for score in facts.scores()),
    "macro-F1",
    "macro-F1",
    "mean of the F1 of the classes",
    decimals(3),
)
