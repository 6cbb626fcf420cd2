"""The gates of a suite file: what a cell, a checkpoint and the whole suite must reach."""

from collections.abc import Iterator
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, Field, field_validator
from pydantic_core import PydanticCustomError

from harness.suite import ids
from harness.suite.fields import (
    STRICT,
    MatthewsCorrelation,
    Positive,
    Share,
    Text,
    each_cell_once,
    later,
)

LEAST_OF_A_SLICE = 30
"""The smallest number of sentences on which a slice is judged: stats.slices.LEAST_SENTENCES, which
suite files cannot import, because numpy comes with it. A test holds the two equal."""

LONGEST_VALUE = 100
"""Maximum number of characters of a value that names a slice."""

AGAINST_BASELINE = (
    "max_drop",
    "max_train_seconds_ratio",
    "max_eval_ms_ratio",
    "max_latency_ms_ratio",
    "max_peak_memory_ratio",
)
"""Keys of Thresholds that compare a cell with a baseline: without one they have no effect."""


HOW_JUDGED = frozenset({"statistic", "on_doubt", "population"})
"""Keys of Thresholds that are no gates, but say how gates are judged."""


class SliceThreshold(BaseModel):
    """What a cell must reach on a slice of the validation sentences."""

    model_config = STRICT

    min_mcc: MatthewsCorrelation = Field(
        description="minimum MCC on the sentences of this slice, the mean over a cell's seeds; it "
        "fails if the slice's 95 % interval, corrected for the number of these gates, is entirely "
        "below"
    )
    min_sentences: Annotated[int, Field(ge=LEAST_OF_A_SLICE)] = Field(
        LEAST_OF_A_SLICE,
        description="smallest number of sentences of the slice: with fewer, the suite is refused",
    )


class Thresholds(BaseModel):
    """What a cell must reach. A cell's own thresholds override its checkpoint's, which override
    the suite's.

    `statistic` decides what of MCC and accuracy is compared: the mean over seeds, or the less
    favourable bound of its 95 % interval.
    """

    model_config = STRICT

    min_mcc: MatthewsCorrelation | None = Field(
        None, description="minimum MCC, the mean over a cell's seeds"
    )
    min_accuracy: Share | None = Field(
        None, description="minimum accuracy, the mean over a cell's seeds"
    )
    max_drop: Share | None = Field(
        None,
        description="maximum MCC that a cell may lose against the same cell of `--baseline`; "
        "0.02 if a baseline is given and this key is not",
    )
    max_train_seconds: Positive | None = Field(
        None, description="maximum seconds of training, the mean over a cell's seeds"
    )
    min_samples_per_second: Positive | None = Field(
        None, description="minimum training sentences per second, the mean over a cell's seeds"
    )
    max_eval_ms_per_sentence: Positive | None = Field(
        None,
        description="maximum milliseconds to classify a sentence, the mean over a cell's seeds",
    )
    max_peak_memory_mb: Positive | None = Field(
        None, description="maximum peak memory in MiB of any of a cell's runs"
    )
    max_train_seconds_ratio: Positive | None = later(
        None,
        "maximum training time of a cell, divided by that of the same cell of "
        "`--baseline`, means over seeds",
    )
    max_eval_ms_ratio: Positive | None = later(
        None,
        "maximum time to classify a sentence, divided by that of the same cell of "
        "`--baseline`, means over seeds",
    )
    max_latency_ms_ratio: Positive | None = later(
        None,
        "maximum time in which a trained model answers one sentence, divided by that "
        "of the same cell of `--baseline`, means over seeds of medians",
    )
    max_peak_memory_ratio: Positive | None = later(
        None,
        "maximum peak memory of a cell, divided by that of the same cell of "
        "`--baseline`, each the maximum over its runs",
    )
    max_latency_ms: Positive | None = later(
        None,
        "maximum milliseconds in which a trained model answers one sentence: the mean "
        "over a cell's seeds of the median over sentences",
    )
    max_latency_p95_ms: Positive | None = later(
        None,
        "the same for the 95th percentile over sentences",
    )
    statistic: Literal["mean", "lower-bound"] | None = Field(
        None,
        description="`mean` (the default) compares the mean; `lower-bound` requires that the whole "
        "95 % interval passes; if the threshold lies inside the interval, the verdict is "
        "`not-enough-evidence`",
    )
    on_doubt: Literal["fail", "pass"] | None = Field(
        None,
        description="the test's outcome on `not-enough-evidence`: `fail` (the default) or `pass`",
    )
    population: Literal["sentences", "sources"] | None = later(
        None,
        "what the intervals of `min_mcc`, `min_accuracy` and `max_drop` are about: "
        "`sentences` (the default), other sentences of the same sources; `sources`, sentences of "
        "other sources (CoLA's publications, or `dataset.group_column`)",
    )
    slice: dict[Text, SliceThreshold] = Field(
        default_factory=dict,
        exclude_if=lambda value: not value,
        description='thresholds by slice of the validation sentences, `"COLUMN=VALUE"`',
    )

    @property
    def any_set(self) -> bool:
        """Whether there is a threshold to reach."""
        return bool(self.model_dump(exclude=set(HOW_JUDGED), exclude_none=True))

    def without_baseline(self) -> Self:
        """Return the thresholds that have an effect without a baseline."""
        return self.model_copy(update=dict.fromkeys(AGAINST_BASELINE))


class SuiteGates(BaseModel):
    """What all cells of a suite together must reach."""

    model_config = STRICT

    best_min_mcc: MatthewsCorrelation | None = Field(
        None, description="minimum MCC of the suite's best cell"
    )
    every_checkpoint_min_mcc: MatthewsCorrelation | None = Field(
        None, description="minimum MCC of every checkpoint's best cell"
    )
    order: tuple[Text, ...] = Field(
        (),
        strict=False,
        description="checkpoints from best to worst: the required ranking by the MCC of their "
        "best cells",
    )

    @field_validator("order")
    @classmethod
    def _something_to_rank(cls, values: tuple[str, ...]) -> tuple[str, ...]:
        if values and len(set(values)) < max(2, len(values)):
            raise PydanticCustomError(
                "order", "input should be at least two checkpoints, each listed once"
            )
        return values


class GatesSpec(Thresholds):
    """Gates of all cells, of single checkpoints and cells, and of the suite."""

    target_mcc: MatthewsCorrelation | None = Field(
        None, description="the time to reach this MCC is reported; by default the cell's min_mcc"
    )
    checkpoint: dict[str, Thresholds] = Field(
        default_factory=dict, description="thresholds by checkpoint, in place of the suite's"
    )
    cell: dict[str, Thresholds] = Field(
        default_factory=dict,
        description="thresholds by cell id, in place of its checkpoint's; `lr1e-4` is `lr1e-04`",
    )
    suite: SuiteGates = Field(default_factory=SuiteGates)

    _each_cell_once = field_validator("cell")(each_cell_once)


def sections(gates: GatesSpec) -> Iterator[tuple[str, Thresholds]]:
    """Yield the thresholds of each section of a suite's gates, with the section's name."""
    yield "gates", gates
    for kind, own in (("checkpoint", gates.checkpoint), ("cell", gates.cell)):
        for name, thresholds in own.items():
            yield f"gates.{kind}.{name!r}", thresholds


def thresholds_of(gates: GatesSpec, checkpoint: str, cell_id: str) -> Thresholds:
    """Return one cell's thresholds: each from the most specific section that sets it."""
    names = set(Thresholds.model_fields)
    thresholds: dict[str, Any] = {}
    slices: dict[str, Any] = {}
    for section in (gates, gates.checkpoint.get(checkpoint), ids.lookup(cell_id, gates.cell)):
        if section is not None:
            own = section.model_dump(include=names, exclude_none=True)
            slices |= own.pop("slice", {})
            thresholds |= own
    return Thresholds(**thresholds, slice=slices)
