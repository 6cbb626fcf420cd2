"""The options that choose what runs, declared once for pytest and for the command `harness`."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from harness.errors import BadInput
from harness.suite.by_name import NAMES

DEFAULT_SUITES = ("benchmarks/quickstart.toml", "benchmarks/cola.toml")
DEFAULT_RESULTS = "results/local"
"""Where sessions write; the other folders in results/ are published and only read."""


def _number(convert: Callable[[str], Any], text: str) -> Any:
    """Convert a number; return other text unchanged for the suite's validation to report."""
    try:
        return convert(text)
    except ValueError:
        return text


def _list(convert: Callable[[str], Any], text: str) -> list[Any]:
    """Convert the elements of a list.

    Raises:
        BadInput: an element is empty.
    """
    parts = [part.strip() for part in text.split(",")] if text.strip() else []
    if not all(parts):
        number = parts.index("") + 1
        raise BadInput(
            [f"element {number} of {len(parts)} is empty; fill it in, or remove a comma"]
        )
    return [convert(part) for part in parts]


_int, _float = partial(_number, int), partial(_number, float)
_ints, _floats, _texts = partial(_list, _int), partial(_list, _float), partial(_list, str)

# By flag: the key of the suite file that it overrides, a converter, the help text.
OVERRIDES: dict[str, tuple[str, Callable[[str], Any], str]] = {
    "--checkpoints": ("matrix.checkpoints", _texts, "checkpoints, separated by commas"),
    "--batch-sizes": ("matrix.batch_sizes", _ints, "batch sizes, separated by commas"),
    "--learning-rates": ("matrix.learning_rates", _floats, "learning rates, separated by commas"),
    "--seeds": ("matrix.seeds", _ints, "seeds, separated by commas: 1,2,3 are three runs"),
    "--epochs": ("training.epochs", _int, "passes over the training split"),
    "--min-mcc": (
        "gates.min_mcc",
        _float,
        "the mean MCC required of every cell, even of cells with their own gate",
    ),
    "--max-drop": ("gates.max_drop", _float, "the largest loss of MCC allowed against --baseline"),
    "--max-train-seconds-ratio": (
        "gates.max_train_seconds_ratio",
        _float,
        "the longest training time allowed, divided by that of --baseline, such as 1.2",
    ),
    "--max-eval-ms-ratio": (
        "gates.max_eval_ms_ratio",
        _float,
        "the longest time allowed to classify a sentence, divided by that of --baseline",
    ),
    "--max-latency-ms-ratio": (
        "gates.max_latency_ms_ratio",
        _float,
        "the longest time allowed to answer one sentence, divided by that of --baseline",
    ),
    "--max-peak-memory-ratio": (
        "gates.max_peak_memory_ratio",
        _float,
        "the largest peak memory allowed, divided by that of --baseline",
    ),
    "--executor": ("limits.executor", str, "local or ray"),
    "--workers": ("limits.workers", _int, "runs at a time, or auto"),
    "--stop": (
        "limits.stop",
        str,
        "never, or decided: a run ends once the gates of its cell are met for certain",
    ),
}

# By flag that takes no value: the key of the suite file that it sets to true, the help text.
SWITCHES: dict[str, tuple[str, str]] = {
    "--race": (
        "limits.race",
        "a race: drop cells that are worse than the leader beyond chance after some of their seeds",
    ),
}


@dataclass(frozen=True)
class Option:
    """One option; for a switch, which takes no value, `metavar` is None."""

    flag: str
    help: str
    metavar: str | None = "VALUE"
    repeatable: bool = False

    @property
    def name(self) -> str:
        """The name under which a parser stores its value."""
        return name_of(self.flag)


def name_of(flag: str) -> str:
    """Return an option's name in Python."""
    return flag.removeprefix("--").replace("-", "_")


def flag_of(name: str) -> str:
    """Return the flag of the option with this name in Python."""
    return f"--{name.replace('_', '-')}"


OPTIONS = (
    Option(
        "--suite",
        f"suite to run: a file, or {', '.join(NAMES)}; repeatable; by default "
        f"{' and '.join(DEFAULT_SUITES)}, or the same ones by name where these files are not",
        "FILE",
        repeatable=True,
    ),
    *(
        Option(flag, f"{text}; overrides the suite's {key}")
        for flag, (key, _, text) in OVERRIDES.items()
    ),
    *(Option(flag, f"{text}; sets {key}", None) for flag, (key, text) in SWITCHES.items()),
    Option(
        "--cola-dir",
        "CoLA's own folder (raw/in_domain_train.tsv ..., or train.tsv, dev.tsv, test.tsv); "
        "by default the environment's COLA_DIR",
        "FOLDER",
    ),
    Option("--results-dir", f"where results go; by default {DEFAULT_RESULTS}/", "FOLDER"),
    Option(
        "--baseline",
        "an earlier leaderboard.json: a cell fails whose MCC fell below it by more than "
        "gates.max_drop, or a cost of which is more than gates.max_..._ratio times as high",
        "FILE",
    ),
    Option(
        "--ray-address",
        "the Ray cluster that `--executor ray` joins; by default it starts a Ray here",
        "HOST:PORT",
    ),
    Option(
        "--budget",
        "time for the session, such as 90s, 30m or 1h30m: it trains the runs that should fit, most "
        "informative first; when the time is over, no run begins, and a tenth later runs in "
        "progress are stopped; a later session trains the rest",
        "TIME",
    ),
    Option("--rerun", "train runs again that an earlier session finished", None),
    Option(
        "--replace",
        "replace tables of another matrix or other dataset settings, or tables that show more "
        "runs; without it such tables stay and the session trains nothing",
        None,
    ),
)
"""All options, in the order of the help text. pytest's own `--strict` covers skipped cells too."""
