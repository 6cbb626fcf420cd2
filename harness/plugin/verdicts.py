"""A cell's verdict as properties of its test, which `--junitxml` writes for other programs."""

from collections.abc import Iterator

from harness.judging.gates import Judgement


def properties(judgement: Judgement) -> Iterator[tuple[str, str]]:
    """Yield names and values; values that were not measured or not requested are left out.

    Numbers are written in full: the shortest decimal that reads back as the same float.
    """
    interval = judgement.mcc_interval
    numbers = {
        "mcc": judgement.mcc,
        "mcc_low": None if interval is None else interval.low,
        "mcc_high": None if interval is None else interval.high,
        "threshold": judgement.threshold,
        "margin": judgement.margin,
        **{f"mcc_seed_{seed}": mcc for seed, mcc in judgement.by_seed.items()},
    }
    yield "verdict", judgement.verdict or "none"
    for check in judgement.checks:
        yield f"gate_{check.gate}", check.verdict
    for name, value in numbers.items():
        if value is not None:
            yield name, repr(float(value))
