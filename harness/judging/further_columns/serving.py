"""The columns of leaderboards whose runs measured how fast their models answer."""

from harness.judging import costs
from harness.judging.column import ROUGH, Column, Facts
from harness.judging.further_columns.costs import cost_columns

TIMES = "serving_times"


def _best_sizes(facts: Facts) -> str | None:
    """Return the batch sizes at which the runs' models answered fastest."""
    found = {run.serving.best_batch_size for run in facts.scored if run.serving is not None}
    return ", ".join(map(str, sorted(found))) or None


SERVING, _DEVIATION = cost_columns(
    "latency_ms",
    "latency ms",
    "lat ms",
    "milliseconds in which the trained model answers one sentence, without tokenizing: the median "
    "over validation sentences",
    first=True,
    times=TIMES,
)

SERVING_COLUMNS = (
    SERVING,
    _DEVIATION,
    *cost_columns(
        "latency_p95_ms",
        "p95 ms",
        "p95 ms",
        "95th percentile of the same milliseconds",
        first=False,
        times=TIMES,
    ),
    *cost_columns(
        "predictions_per_second",
        "predictions/s",
        "pred/s",
        "sentences that the trained model answers per second at the best batch size",
        first=False,
        times=TIMES,
    ),
    Column(
        "predictions_batch_size",
        "string",
        _best_sizes,
        "best batch",
        "best b",
        "this batch size; those of all seeds, if they differ",
    ),
    Column(  # not shown; `Column.text` reads it
        TIMES,
        "string",
        lambda facts: ROUGH if facts.scored and costs.rough(facts.scored, served=True) else None,
    ),
)
