"""The model card of a kept model, with its results in the Hub's format."""

import re
from collections.abc import Iterator, Sequence

from huggingface_hub import EvalResult, ModelCardData
from tabulate import tabulate

from harness.judging.populations import IN_WORDS
from harness.markup import code, escaped
from harness.stats import Interval, Refusal
from harness.store.records import DatasetFacts, Record, classes_of
from harness.store.stopped import epochs_trained
from harness.suite.training import TrainingSpec

HUB_NAME = re.compile(r"[\w.-]+/[\w.-]+", re.ASCII)

LEVEL = 0.95

METRICS = {
    "matthews_correlation": "Matthews correlation",
    "accuracy": "accuracy",
    "f1": "F1",
}


def model_card(
    record: Record,
    class_names: tuple[str, ...],
    interval: tuple[float, float],
    on_sources: Interval | Refusal | None = None,
) -> str:
    """Return README.md: metadata with a `model-index`, then a description of the model.

    Args:
        record: of a scored run.
        class_names: by label, from 0.
        interval: the bounds of a 95 % confidence interval of the validation MCC, on other
            sentences of the same sources.
        on_sources: the interval on sentences of other sources, or why there is none; None if the
            record contains no sources.
    """
    facts = record.dataset
    assert facts is not None
    assert record.scores is not None
    base = record.checkpoint.partition("@")[0]
    on_the_hub = _on_the_hub(facts)
    on_hub = record.checkpoint_revision is not None and HUB_NAME.fullmatch(base) is not None
    metadata = ModelCardData(
        base_model=base if on_hub else None,
        datasets=None if on_the_hub is None else [on_the_hub[0]],
        eval_results=list(_results(record, facts, interval)),
        language=None if facts.name in ("file", "hub") else "en",
        library_name="transformers",
        metrics=list(METRICS),
        model_name=f"{record.suite}-{record.cell}",
        pipeline_tag="text-classification",
    )
    blocks = [
        f"---\n{metadata.to_yaml()}\n---",
        f"# {code(record.checkpoint)} on {escaped(_dataset_name(facts))}",
        f"A pretrained encoder, {code(record.checkpoint)}, fine-tuned to classify sentences as "
        f"{_listed(class_names)}.",
        "## Results",
        *_results_table(record, facts, interval, on_sources),
        "## Recipe",
        "\n".join(f"- {name}: {value}" for name, value in _recipe(record, facts)),
        "## Use",
        "```python\n"
        "from transformers import pipeline\n\n"
        'classify = pipeline("text-classification", "path/to/this/folder")\n'
        'classify("The sentence to classify.")\n'
        "```",
    ]
    return "\n\n".join(blocks) + "\n"


def _listed(class_names: Sequence[str]) -> str:
    *most, last = (f"{code(name)} (label {label})" for label, name in enumerate(class_names))
    return f"{', '.join(most)} or {last}"


def _metrics(record: Record) -> dict[str, str]:
    """Return the names of the metrics by their types on the Hub."""
    many = classes_of(record) > 2
    return {**METRICS, "f1": "macro-F1"} if many else METRICS


def _results(
    record: Record, facts: DatasetFacts, interval: tuple[float, float]
) -> Iterator[EvalResult]:
    names, on_the_hub = _metrics(record), _on_the_hub(facts)
    bounds = {"confidence_interval": list(interval), "confidence_level": LEVEL}
    for split, values in _scored_splits(record).items():
        for metric, value in values.items():
            bounded = (split, metric) == ("validation", "matthews_correlation")
            yield EvalResult(
                task_type="text-classification",
                task_name="Text classification",
                dataset_type=facts.name if on_the_hub is None else on_the_hub[0],
                dataset_name=_dataset_name(facts),
                dataset_config=None if on_the_hub is None else on_the_hub[1],
                dataset_revision=None if facts.hub is None else facts.hub.revision,
                dataset_split=split,
                dataset_args={"fingerprint": facts.fingerprint},
                metric_type=metric,
                metric_name=names[metric],
                metric_value=value,
                metric_args=bounds if bounded else None,
            )


def _scored_splits(record: Record) -> dict[str, dict[str, float]]:
    """Return the values of METRICS on each labelled split."""
    splits = {"validation": record.scores, "test": record.scores_test}
    return {
        split: {"matthews_correlation": each.mcc, "accuracy": each.accuracy, "f1": each.f1}
        for split, each in splits.items()
        if each is not None
    }


def _on_the_hub(facts: DatasetFacts) -> tuple[str, str] | None:
    """Return the name and the configuration of the data on the Hub; None for other data."""
    if facts.name == "cola":
        return "nyu-mll/glue", "cola"
    return None if facts.hub is None else (facts.hub.name, facts.hub.config)


def _dataset_name(facts: DatasetFacts) -> str:
    return "CoLA" if facts.name == "cola" else facts.origin


def _results_table(
    record: Record,
    facts: DatasetFacts,
    interval: tuple[float, float],
    on_sources: Interval | Refusal | None,
) -> Iterator[str]:
    sentences = {"validation": facts.validation, "test": facts.test}
    rows = [
        (split, f"{sentences[split]:,}", *(f"{value:z.4f}" for value in values.values()))
        for split, values in _scored_splits(record).items()
    ]
    headings = ("split", "sentences", *_metrics(record).values())
    yield tabulate(rows, headings, "pipe", disable_numparse=True)
    low, high = interval
    start = f"{LEVEL:.0%} confidence interval of the validation split's MCC"
    if on_sources is None:
        yield f"{start}: {low:z.4f} to {high:z.4f}."
    else:
        yield f"{start}, for {IN_WORDS['sentences']}: {low:z.4f} to {high:z.4f}."
    if isinstance(on_sources, Interval):
        yield (
            f"{start}, for {IN_WORDS['sources']}: {on_sources.low:z.4f} to {on_sources.high:z.4f}."
        )
    elif on_sources is not None:
        yield f"There is no interval for {IN_WORDS['sources']}: {escaped(on_sources.reason)}."
    if record.training.selection == "best-epoch":
        yield (
            f"The weights are those of epoch {record.selected_epoch}, which has the highest MCC "
            "on the same validation split that scores the model."
        )


def _recipe(record: Record, facts: DatasetFacts) -> Iterator[tuple[str, ...]]:
    training = record.training
    yield "training sentences", f"{facts.train:,}, from {escaped(facts.origin)}"
    most = f" of at most {training.epochs}, with a patience of {training.patience}"
    trained = epochs_trained(training, record.epochs, record.stopped)
    if record.stopped is not None:
        yield "epochs", f"{trained} of {training.epochs}, {record.stopped.text}"
    else:
        yield "epochs", f"{trained}{'' if training.patience is None else most}"
    yield "batch size", str(record.batch_size)
    yield "peak learning rate", f"{record.learning_rate:g}, {code(training.lr_scheduler)}"
    yield "warm-up ratio", f"{training.warmup_ratio:g}"
    yield "weight decay", f"{training.weight_decay:g}"
    yield from _changed(training)
    yield "maximum gradient norm", f"{training.max_grad_norm:g}"
    yield "precision", code(training.precision)
    yield "seed", str(record.seed)
    if record.checkpoint_revision is not None:
        yield "checkpoint revision", code(record.checkpoint_revision)
    if record.origin is not None:
        yield "origin of the checkpoint's files", code(record.origin.in_words())
    packages = [f"{name} {version}" for name, version in record.versions.items() if version]
    if packages:
        yield "packages", escaped(", ".join(packages))


def _changed(training: TrainingSpec) -> Iterator[tuple[str, ...]]:
    """Yield the settings of AdamW and the loss that differ from their defaults."""
    for name in ("adam_beta1", "adam_beta2", "adam_epsilon", "label_smoothing"):
        if (value := getattr(training, name)) != TrainingSpec.model_fields[name].default:
            yield name.replace("_", " "), f"{value:g}"
