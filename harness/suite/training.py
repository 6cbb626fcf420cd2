"""The [training] section of a suite file, and the lists of its keys in [matrix]."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeVar, get_args

from pydantic import AfterValidator, BaseModel, Field, ValidationError, field_validator
from pydantic_core import PydanticCustomError

from harness.suite.fields import STRICT, BelowOne, Count, Within, distinct, later

Speedup = Literal[
    "compiled-layers",
    "compiled-optimizer",
    "fast-dropout",
    "first-token",
    "kept-memory",
    "memory-checkpoint",
    "packing",
    "sorted-evaluation",
    "used-vocabulary",
]


def _each_once(values: tuple[Speedup, ...]) -> tuple[Speedup, ...]:
    # Their order has no effect, so it must not change the key.
    return tuple(sorted(set(values)))


WeightDecay = Annotated[float, Field(ge=0)]
Beta = BelowOne
# In single precision, a much smaller number is 0, and a gradient of 0 would be divided by 0.
Epsilon = Annotated[float, Within(1e-30, 1, below=True)]
Warmup = BelowOne
Scheduler = Literal["linear", "cosine", "constant", "constant_with_warmup"]
GradientNorm = Annotated[float, Field(gt=0)]
Smoothing = BelowOne
MaxLength = Annotated[int, Within(4, 2**31 - 1)]
Selection = Literal["best-epoch", "last-epoch"]
Precision = Literal["fp32", "bf16", "fp16"]
Batching = Literal["random", "length-grouped"]
OnOom = Literal["fail", "halve"]
Speedups = Annotated[tuple[Speedup, ...], Field(strict=False), AfterValidator(_each_once)]


class TrainingSpec(BaseModel):
    """All other training settings; every one is part of a run's key."""

    model_config = STRICT

    epochs: Count = Field(5, description="passes over the training split")
    weight_decay: WeightDecay = Field(0.01, description="AdamW's weight decay")
    adam_beta1: Beta = later(0.9, "AdamW's decay rate of the mean of the gradients")
    adam_beta2: Beta = later(0.999, "AdamW's decay rate of the mean of the squared gradients")
    adam_epsilon: Epsilon = later(
        1e-8, "the number that AdamW adds to the denominator of its update"
    )
    warmup_ratio: Warmup = Field(
        0.0, description="share of the steps during which the learning rate rises"
    )
    lr_scheduler: Scheduler = Field(
        "linear", description="how the learning rate changes after the warm-up"
    )
    max_grad_norm: GradientNorm = Field(1.0, description="gradients are clipped to this norm")
    label_smoothing: Smoothing = later(
        0.0,
        "share of each label that the loss spreads evenly over all classes; also in the "
        "evaluation's loss",
    )
    max_length: MaxLength | None = Field(
        None,
        description="tokens at which a sentence is truncated; the default and the maximum is the "
        "model's own limit: the smaller of its positions and what its tokenizer declares",
    )
    eval_batch_size: Count = Field(64, description="sentences per evaluation step")
    selection: Selection = Field(
        "best-epoch", description="which epoch's model is scored; the tutorial uses the best"
    )
    patience: Count | None = later(
        None,
        "training stops after this number of epochs in a row without a higher validation MCC than "
        "before; by default it never stops early",
    )
    precision: Precision = Field(
        "fp32", description="numerical precision of training; fp16 needs a GPU"
    )
    batching: Batching = Field(
        "random", description="which sentences share a batch: any, or those of similar length"
    )
    on_oom: OnOom = later(
        "fail",
        "when memory runs out: `fail`, or `halve` the sentences computed at a time "
        "until they fit, with gradients accumulated over the whole batch",
    )
    speedups: Speedups = Field(
        get_args(Speedup),
        description="exact speed-ups to use where they apply; `sorted-evaluation` does not apply "
        "if padding changes a model's predictions",
    )


T = TypeVar("T")

Axis = Annotated[tuple[T, ...] | None, Field(strict=False, min_length=1)]


def _values_of(key: str) -> Any:
    return Field(None, description=f"values of `training.{key}`")


class TrainingAxes(BaseModel):
    """Lists of values of the keys of [training]; cells are all combinations of the values."""

    model_config = STRICT

    epochs: Axis[Count] = _values_of("epochs")
    weight_decay: Axis[WeightDecay] = _values_of("weight_decay")
    adam_beta1: Axis[Beta] = _values_of("adam_beta1")
    adam_beta2: Axis[Beta] = _values_of("adam_beta2")
    adam_epsilon: Axis[Epsilon] = _values_of("adam_epsilon")
    warmup_ratio: Axis[Warmup] = _values_of("warmup_ratio")
    lr_scheduler: Axis[Scheduler] = _values_of("lr_scheduler")
    max_grad_norm: Axis[GradientNorm] = _values_of("max_grad_norm")
    label_smoothing: Axis[Smoothing] = _values_of("label_smoothing")
    max_length: Axis[MaxLength] = _values_of("max_length")
    eval_batch_size: Axis[Count] = _values_of("eval_batch_size")
    selection: Axis[Selection] = _values_of("selection")
    patience: Axis[Count] = _values_of("patience")
    precision: Axis[Precision] = _values_of("precision")
    batching: Axis[Batching] = _values_of("batching")
    on_oom: Axis[OnOom] = _values_of("on_oom")
    speedups: Axis[Speedups] = _values_of("speedups")

    _every_axis_value_once = field_validator(*TrainingSpec.model_fields)(distinct)

    def axes(self) -> dict[str, tuple[Any, ...]]:
        """Return the lists that are given, by key, in the order of TrainingSpec."""
        lists = {name: getattr(self, name) for name in TrainingSpec.model_fields}
        return {name: values for name, values in lists.items() if values is not None}


def _valid(settings: Mapping[str, Any]) -> dict[str, Any]:
    try:
        training = TrainingSpec.model_validate(settings)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise PydanticCustomError(
            "settings", "{where}: {problem}", {"where": where, "problem": first["msg"]}
        ) from None
    return {name: getattr(training, name) for name in settings}


CellSettings = Annotated[
    dict[str, Any], AfterValidator(_valid), Field(exclude_if=lambda settings: not settings)
]
"""Values of some keys of [training]; a file without any does not contain the field."""
