"""The command line's options, and what they make of a suite and a session."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.errors import BadInput
from harness.plan import make_plan
from harness.session import Options, Planned
from harness.spec import Override, load_suite

DEFAULT_SUITES = ("benchmarks/quickstart.toml", "benchmarks/cola.toml")


def _number(convert: Callable[[str], Any]) -> Callable[[str], Any]:
    """Convert a number, and leave what is none for the suite's own check to report."""

    def value(text: str) -> Any:
        try:
            return convert(text)
        except ValueError:
            return text

    return value


def _list_of(convert: Callable[[str], Any]) -> Callable[[str], list[Any]]:
    return lambda text: [convert(part.strip()) for part in text.split(",") if part.strip()]


# Each overrides the key of the suite file named first.
OVERRIDES: dict[str, tuple[str, Callable[[str], Any], str]] = {
    "--checkpoints": ("matrix.checkpoints", _list_of(str), "checkpoints, separated by commas"),
    "--batch-sizes": ("matrix.batch_sizes", _list_of(_number(int)), "batch sizes, by commas"),
    "--learning-rates": (
        "matrix.learning_rates",
        _list_of(_number(float)),
        "learning rates, by commas",
    ),
    "--seeds": ("matrix.seeds", _list_of(_number(int)), "seeds, by commas: 1,2,3 are three runs"),
    "--epochs": ("training.epochs", _number(int), "passes over the training split"),
    "--min-mcc": (
        "gates.min_mcc",
        _number(float),
        "the mean MCC that every cell must reach, whatever the suite says",
    ),
    "--executor": ("limits.executor", str, "local or ray"),
    "--workers": ("limits.workers", _number(int), "runs at a time, or auto"),
}


def add_options(parser: pytest.Parser) -> None:
    """Declare the harness' options; `--strict` is pytest's own and covers skipped cells too."""
    group = parser.getgroup("harness", "fine-tuning benchmark")
    group.addoption(
        "--suite",
        action="append",
        metavar="FILE",
        help=f"suite file to run, repeatable; by default {' and '.join(DEFAULT_SUITES)}",
    )
    for flag, (key, _, text) in OVERRIDES.items():
        group.addoption(flag, metavar="VALUE", help=f"{text}; in place of the suite's {key}")
    group.addoption(
        "--cola-dir",
        metavar="FOLDER",
        help="CoLA's own folder (raw/in_domain_train.tsv ..., or train.tsv, dev.tsv, test.tsv); "
        "by default the environment's COLA_DIR",
    )
    group.addoption("--results-dir", metavar="FOLDER", help="where results go; by default results/")
    group.addoption(
        "--ray-address",
        metavar="HOST:PORT",
        help="the Ray cluster that `--executor ray` joins; by default it starts a Ray here",
    )
    group.addoption(
        "--rerun", action="store_true", help="train again what an earlier session finished"
    )


def planned_suites(config: pytest.Config) -> list[Planned]:
    """Read the chosen suites, apply the command line's overrides, and plan their cells.

    Raises:
        BadInput: every mistake of every suite and flag at once.
    """
    named = config.getoption("suite")
    folder = config.rootpath if named is None else config.invocation_params.dir
    paths = [folder / name for name in (named or DEFAULT_SUITES)]
    overrides = [
        Override(key=key, flag=flag, value=convert(text))
        for flag, (key, convert, _) in OVERRIDES.items()
        if (text := config.getoption(flag.removeprefix("--").replace("-", "_"))) is not None
    ]
    for override in overrides:
        if override.key == "matrix.checkpoints":
            override.value[:] = [_from_here(config, name) for name in override.value]
    if config.getoption("min_mcc") is not None:
        # "Every cell", the flag says: a checkpoint's own threshold does not stand against it.
        overrides.append(Override(key="gates.checkpoint", flag="--min-mcc", value={}))
    planned: list[Planned] = []
    problems: list[str] = []
    for path in paths:
        shown = Path(os.path.relpath(path, config.invocation_params.dir))
        try:
            suite = load_suite(shown if shown.exists() else path, overrides)
        except BadInput as error:
            problems += error.problems
            continue
        if any(suite.name == other.suite.name for other in planned):
            problems.append(
                f"{shown}: name: {suite.name!r}: another suite of this session has that name; "
                "results would mix, rename one"
            )
        planned.append(Planned(suite, path, tuple(make_plan(suite))))
    if problems:
        raise BadInput(list(dict.fromkeys(problems)))
    return planned


def _from_here(config: pytest.Config, checkpoint: str) -> str:
    """Return a folder named on the command line as seen from anywhere; other names as they are."""
    folder = config.invocation_params.dir / _home(checkpoint)
    return str(folder) if checkpoint.startswith((".", "~")) or folder.is_dir() else checkpoint


def session_options(config: pytest.Config) -> Options:
    """Return what the command line and the environment say about the session."""
    here = config.invocation_params.dir
    results = config.getoption("results_dir")
    cola = config.getoption("cola_dir") or os.environ.get("COLA_DIR") or None
    return Options(
        results=config.rootpath / "results" if results is None else here / _home(results),
        cola_dir=None if cola is None else here / _home(cola),
        rerun=config.getoption("rerun"),
        ray_address=config.getoption("ray_address"),
    )


def _home(path: str) -> Path:
    try:
        return Path(path).expanduser()
    except RuntimeError:  # ~NAME of a user that does not exist: an ordinary, if odd, file name
        return Path(path)
