"""What the validation sentences of a new suite can show, and what to change where it is little."""

from collections.abc import Iterator

from harness.judging import detectable
from harness.suite.plan import make_plan
from harness.suite.spec import Suite
from harness.text import counted

LARGE = 0.2
"""A difference in MCC between two checkpoints that a benchmark should detect: that of a small and a
large encoder on CoLA is 0.3."""


def remarks(suite: Suite, validation: int, total: int) -> Iterator[str]:
    """Yield how many sentences validate, what they detect, and what to change if that is little.

    Args:
        validation: number of sentences of the validation split that the suite draws.
        total: number of all sentences.
    """
    spread = detectable.assumed_spread(validation)
    cells = make_plan(suite)
    found = detectable.detectable(cells, {each.checkpoint: spread for each in cells}, validation)
    yield f"validation: {validation:,} of {counted(total, 'sentence')} (dataset.validation_size)"
    yield from detectable.in_words(found)
    if any(each.difference is None or each.difference > LARGE for each in found):
        yield (
            f"{counted(validation, 'validation sentence')} are too few to tell similar checkpoints "
            "apart, and to trust a gate: label more sentences, or raise dataset.validation_size"
        )
