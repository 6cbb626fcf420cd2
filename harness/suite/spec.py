"""Reads a suite file (TOML) and command-line overrides into frozen, validated models."""

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, TypeVar, get_args, get_origin

from pydantic import (
    AfterValidator,
    BaseModel,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic_core import ErrorDetails, PydanticCustomError

from harness.errors import BadInput
from harness.suite import ids
from harness.suite.by_name import NAMES
from harness.suite.dataset import DatasetSpec
from harness.suite.fields import (
    STRICT,
    WITHIN,
    BetweenZeroAndOne,
    Count,
    Text,
    Within,
    distinct,
    each_cell_once,
)
from harness.suite.gates import GatesSpec, SuiteGates, Thresholds, thresholds_of
from harness.suite.looks import LooksSpec
from harness.suite.training import Speedup, TrainingAxes, TrainingSpec
from harness.validation import mistake, place, shown

__all__ = [
    "CellMatrix",
    "CheckpointMatrix",
    "DatasetSpec",
    "GatesSpec",
    "LimitsSpec",
    "MatrixSpec",
    "Override",
    "Speedup",
    "Suite",
    "SuiteGates",
    "Thresholds",
    "TrainingSpec",
    "checked_suite",
    "load_suite",
    "thresholds_of",
]

Tracker = Literal["tensorboard", "mlflow", "trackio", "wandb"]

BatchSize = Count
LearningRate = BetweenZeroAndOne
Seed = Annotated[int, Within(0, 2**32 - 1)]


T = TypeVar("T")
EACH_ONCE = AfterValidator(distinct)
Several = Annotated[tuple[T, ...], Field(min_length=1, strict=False), EACH_ONCE]


class CheckpointMatrix(BaseModel):
    """One checkpoint's own part of the matrix; missing values are the suite's."""

    model_config = STRICT

    batch_sizes: Several[BatchSize] | None = Field(
        None, description="this checkpoint's own batch sizes"
    )
    learning_rates: Several[LearningRate] | None = Field(
        None, description="this checkpoint's own learning rates"
    )
    seeds: Several[Seed] | None = Field(None, description="this checkpoint's own seeds")


class CellMatrix(BaseModel):
    """One cell's own part of the matrix."""

    model_config = STRICT

    seeds: Annotated[tuple[Seed, ...], EACH_ONCE] | None = Field(
        None,
        strict=False,
        description="the seeds of the cell with this id, in place of its checkpoint's; `[]` leaves "
        "the cell out",
    )


class MatrixSpec(TrainingAxes):
    """The matrix: every checkpoint x batch size x learning rate is a cell, every seed a run.

    A list of values of a key of [training] multiplies the cells by these values.
    """

    checkpoints: Several[Text] = Field(
        description="`org/name[@revision]` from the hub, a folder, or `package:NAME/path`"
    )
    batch_sizes: Several[BatchSize] = Field(description="sentences per training step")
    learning_rates: Several[LearningRate] = Field(description="peak learning rates of AdamW")
    seeds: Several[Seed] = Field((0,), description="one run per seed")
    checkpoint: dict[str, CheckpointMatrix] = Field(
        default_factory=dict, description="a checkpoint's own part, in place of the suite's"
    )
    cell: dict[str, CellMatrix] = Field(
        default_factory=dict, description="a cell's own part, by its id; `lr1e-4` is `lr1e-04`"
    )

    _each_cell_once = field_validator("cell")(each_cell_once)


class LimitsSpec(LooksSpec):
    """What a session may use."""

    # System timers are limited to 2**31 milliseconds.
    run_seconds: Annotated[float, Within(0, 2_000_000, above=True)] | None = Field(
        None, description="a run that takes longer is stopped and fails"
    )
    executor: Literal["local", "ray"] = Field(
        "local", description="where runs train: on this machine, or Ray (`pip install .[ray]`)"
    )
    workers: int | str = Field("auto", description="parallel runs: a number, or `auto`")
    stop: Literal["never", "decided"] = Field(
        "never",
        description="`decided` ends a run after the epoch at which the gates of its cell are met "
        "for certain; its MCC is then a lower bound; not part of a run's key",
    )

    @field_validator("workers", mode="before")
    @classmethod
    def _workers(cls, value: Any) -> Any:
        if value == "auto" or (type(value) is int and value >= 1):
            return value
        raise PydanticCustomError("workers", 'input should be a whole number from 1, or "auto"')


class Suite(BaseModel):
    """One benchmark: a data set, a matrix, training settings and gates."""

    model_config = STRICT

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")] = Field(
        description="also the name of the folder under results/local/"
    )
    keep_models: Literal["none", "best", "all"] = Field(
        "none",
        description="which fine-tuned models are kept: none, each checkpoint's best run, or all",
    )
    references: Text | None = Field(
        None,
        description="file of published scores to show for comparison; relative to the suite file",
    )
    trackers: tuple[Tracker, ...] = Field(
        (),
        strict=False,
        description="experiment trackers that every run reports to: tensorboard, mlflow, trackio, "
        "wandb; not part of a run's key",
    )
    dataset: DatasetSpec
    matrix: MatrixSpec
    training: TrainingSpec = Field(default_factory=TrainingSpec, validate_default=True)
    gates: GatesSpec = Field(default_factory=GatesSpec)
    limits: LimitsSpec = Field(default_factory=LimitsSpec)

    @field_validator("trackers")
    @classmethod
    def _each_tracker_once(cls, values: tuple[Tracker, ...]) -> tuple[Tracker, ...]:
        return tuple(dict.fromkeys(values))

    @field_validator("training")
    @classmethod
    def _lists_of_one_value(cls, value: TrainingSpec, info: ValidationInfo) -> TrainingSpec:
        """Return the settings of all cells: a list of one value in [matrix] is one of them."""
        matrix: MatrixSpec | None = info.data.get("matrix")
        axes = {} if matrix is None else matrix.axes()
        single = {name: values[0] for name, values in axes.items() if len(values) == 1}
        return value.model_copy(update=single)


class Override(NamedTuple):
    """One value from the command line that replaces a suite file's.

    `key` is the dotted path into the suite, `flag` the command-line flag.
    """

    key: str
    flag: str
    value: Any


def load_suite(path: Path, overrides: Sequence[Override] = ()) -> Suite:
    """Read a suite file and apply the command line's overrides.

    Raises:
        BadInput: every mistake in the file and in the overrides at once, each with the file and
            key (or the flag), the value seen and what is allowed.
    """
    raw = read_toml(path, "suite file", "" if path.suffix else f", or one of {', '.join(NAMES)}")
    problems = [*_problems(raw, path, {}), *_unused(raw, path), *_set_twice(raw, path)]
    flags = {tuple(override.key.split(".")): override.flag for override in overrides}
    for override in overrides:
        _set(raw, override.key.split("."), override.value)
        _remove_list(raw, override.key)
    problems += [line for line in _problems(raw, path, flags) if line not in problems]
    if problems:
        raise BadInput(problems)
    return Suite.model_validate(raw)


def checked_suite(raw: Mapping[str, Any], path: Path, flags: Mapping[str, str]) -> Suite:
    """Return the suite of a file that is not written yet.

    Args:
        raw: the file's content.
        flags: the command-line flag of each value that has one, by its dotted key.

    Raises:
        BadInput: every mistake in the content at once, as from `load_suite`.
    """
    by_place = {tuple(key.split(".")): flag for key, flag in flags.items()}
    if problems := [*_problems(dict(raw), path, by_place)]:
        raise BadInput(problems)
    return Suite.model_validate(raw)


def read_toml(path: Path, kind: str, others: str = "") -> dict[str, Any]:
    """Return the content of a TOML file.

    Args:
        kind: what the file is, for messages.
        others: what else may be named, for the message on a file that does not exist.

    Raises:
        BadInput: the file does not exist, cannot be read or is not TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        problem = f"no such {kind}; name one that exists{others}"
    except OSError as error:
        problem = f"cannot be read ({error.strerror})"
    except UnicodeDecodeError as error:
        problem = f"not UTF-8 text (byte {error.start} is {error.object[error.start]:#04x})"
    except tomllib.TOMLDecodeError as error:
        problem = f"not valid TOML: {error}"
    except RecursionError:
        problem = f"nested too deeply to read; a {kind} has two levels"
    except ValueError:  # Python refuses to convert longer text to an integer
        problem = "a number of thousands of digits; write a shorter one"
    raise BadInput([f"{path}: {problem}"])


def _set(raw: dict[str, Any], keys: Sequence[str], value: Any) -> None:
    table = raw
    for key in keys[:-1]:
        inner = table.setdefault(key, {})
        if not isinstance(inner, dict):
            return  # the file's mistake at this key is already reported
        table = inner
    table[keys[-1]] = value


def _remove_list(raw: dict[str, Any], key: str) -> None:
    """Remove the list in [matrix] that a flag replaces with one value for [training]."""
    section, _, name = key.partition(".")
    matrix = raw.get("matrix")
    if section == "training" and isinstance(matrix, dict):
        matrix.pop(name, None)


def _set_twice(raw: dict[str, Any], path: Path) -> Iterator[str]:
    """Yield a problem for every key with a value in [training] and a list in [matrix]."""
    match raw:
        case {"matrix": {**lists}, "training": {**values}}:
            for name in TrainingSpec.model_fields:
                if isinstance(lists.get(name), list) and name in values:
                    try:
                        seen = f"{shown(lists[name])}, but training.{name} is {shown(values[name])}"
                    except RecursionError:
                        continue  # nested too deeply: another mistake, which is reported
                    yield f"{path}: matrix.{name}: {seen}; a key is set once: remove one of them"


def _problems(
    raw: dict[str, Any], path: Path, flags: Mapping[tuple[str, ...], str]
) -> Iterator[str]:
    try:
        Suite.model_validate(raw)
    except ValidationError as error:
        for detail in error.errors(include_url=False):
            if detail["type"] == "too_short" and detail["input"]:
                continue  # pydantic counts only valid values; the invalid ones are reported
            if detail["type"] == WITHIN:  # pydantic has a number as it read it: 1.0 for 1
                detail["input"] = _value_at(raw, detail["loc"])
            yield _problem(detail, path, flags)


def _value_at(raw: Any, location: Sequence[str | int]) -> Any:
    for part in location:
        raw = raw[part]
    return raw


# Replacements for pydantic messages that describe Python types instead of the file.
_MESSAGES = {
    "dict_type": "input should be a table, [section] or {key = value}",
    "int_type": "input should be a whole number",
    "float_type": "input should be a number",
    "model_type": "input should be a table, [section] or {key = value}",
    "string_pattern_mismatch": "input should be letters, digits, - and _, at most 64, and begin "
    "with a letter or digit",
    "string_too_short": "input should not be empty",
    "string_type": 'input should be text in quotes, "..."',
    "string_unicode": "input should be Unicode text",
    "too_long": "input should be exactly two values",
    "tuple_type": "input should be a list, [...]",
}


def _problem(detail: ErrorDetails, path: Path, flags: Mapping[tuple[str, ...], str]) -> str:
    names = tuple(part for part in detail["loc"] if isinstance(part, str))
    where = flags.get(names) or f"{path}: {place(detail['loc'])}"
    message = mistake(where, detail, _MESSAGES, null="")
    match detail["type"]:
        case "missing":
            return f"{message}; add it"
        case "extra_forbidden":
            return f"{message}{_did_you_mean(names)}"
        case _ if _is_list_of_training(names, detail):
            return f"{message}; list several values in [matrix], as {place(('matrix', names[1]))}"
        case "too_short":
            return f"{where}: empty; give at least one value"
        case _:
            return message


def _is_list_of_training(names: Sequence[str], detail: ErrorDetails) -> bool:
    """Return whether [training] has a list where one value is allowed."""
    return len(names) == 2 and names[0] == "training" and isinstance(detail["input"], list)


def _did_you_mean(names: Sequence[str]) -> str:
    model: Any = Suite
    for name in names[:-1]:
        is_dict = get_origin(model) is dict  # its keys are names of checkpoints or cells
        model = get_args(model)[1] if is_dict else model.model_fields[name].annotation
    allowed = sorted(model.model_fields)
    lists = TrainingAxes.model_fields if issubclass(model, TrainingAxes) else {}
    shown = [name for name in allowed if name not in lists]
    more = ["and lists of values of the keys of [training]"] if lists else []
    return f"{ids.did_you_mean(names[-1], allowed)} (allowed: {', '.join([*shown, *more])})"


def _unused(raw: dict[str, Any], path: Path) -> Iterator[str]:
    """Yield a problem for every setting of a checkpoint that matrix.checkpoints does not list."""
    match raw:
        case {"matrix": {"checkpoints": [_, *_] as named}}:
            known = [name for name in named if isinstance(name, str)]
        case _:
            return
    used: list[tuple[tuple[str | int, ...], object]] = []
    for section in ("matrix", "gates"):
        match raw.get(section):
            case {"checkpoint": {**own}}:
                used += [((section, "checkpoint", str(name)), name) for name in own]
    match raw:
        case {"gates": {"suite": {"order": [*names]}}}:
            used += [(("gates", "suite", "order", n), name) for n, name in enumerate(names)]
    for location, name in used:
        if isinstance(name, str) and name not in known:
            shown = f"{name!r}: " if isinstance(location[-1], int) else ""
            yield (
                f"{path}: {place(location)}: {shown}no such checkpoint in matrix.checkpoints "
                f"({', '.join(map(repr, known))}){ids.did_you_mean(name, known)}; "
                "remove this setting, or add the checkpoint"
            )
