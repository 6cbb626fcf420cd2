"""How fast a trained model answers: one sentence at a time, and in batches."""

from collections.abc import Iterator
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from harness.suite.fields import Count

Milliseconds = Annotated[float, Field(gt=0)]


class Serving(BaseModel):
    """How fast the selected epoch's model answers, measured by harness.kept.speed after training.

    A number that was not measured is None.

    Attributes:
        latency_ms: the median time to answer one sentence, in milliseconds.
        latency_p95_ms: the 95th percentile of these times (numpy's `linear` interpolation).
        sentences: the number of sentences timed one at a time.
        sentences_per_second: by number of sentences in a batch, among them 1.
        threads: processor threads while this was measured.
        other_programs: the mean number of cores that other programs kept busy meanwhile.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    latency_ms: Milliseconds
    latency_p95_ms: Milliseconds
    sentences: Count
    sentences_per_second: Annotated[dict[Count, Annotated[float, Field(gt=0)]], Field(min_length=1)]
    threads: Count
    other_programs: Annotated[float, Field(ge=0)] | None = None

    @property
    def best_batch_size(self) -> int:
        """The number of sentences in a batch with the highest speed; of equal ones the smallest."""
        rates = self.sentences_per_second
        return max(sorted(rates), key=lambda size: rates[size])

    @property
    def best_sentences_per_second(self) -> float:
        """The speed at the best batch size."""
        return self.sentences_per_second[self.best_batch_size]


def serving_problems(found: Serving | None, validation: int, threads: int | None) -> Iterator[str]:
    """Yield what cannot be true of a record's `serving`.

    Args:
        validation: the number of validation sentences.
        threads: the largest number of threads of the run, if known.
    """
    if found is None:
        return
    median, p95 = found.latency_ms, found.latency_p95_ms
    if p95 < median:
        yield f"serving.latency_p95_ms is {p95:.10g}, but its median is {median:.10g}"
    if found.sentences > validation:
        yield f"serving.sentences is {found.sentences}, but validation has only {validation}"
    if threads is not None and found.threads > threads:
        yield f"serving.threads is {found.threads}, but threads is only {threads}"
    if (alone := found.sentences_per_second.get(1)) is None:
        yield "serving.sentences_per_second has no batch size 1"
    # At least half of the times are not below the median, so their mean is at least half of it.
    elif alone * median > 2000 * (1 + 1e-9):
        yield (
            f"serving.sentences_per_second of batch size 1 is {alone:.10g}, impossible with a "
            f"median of {median:.10g} ms"
        )
    if (largest := max(found.sentences_per_second)) > validation:
        yield f"serving has a batch size of {largest}, but validation has only {validation}"
