"""A section of the published figures: measurements, their ratios, and what they were made with."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from tabulate import tabulate

from harness.machine import provenance
from speed import disturbance, paired
from speed.commands import Timed
from speed.disturbance import Disturbance


@dataclass(frozen=True)
class Measurement:
    """Seconds (None if they were not recorded), and what disturbed the measurement."""

    seconds: float | None
    disturbance: Disturbance


@dataclass(frozen=True)
class Compared:
    """Two series whose ratio is wanted: what it is in words, and the names of both."""

    what: str
    first: str
    second: str


def measurement(*parts: Timed) -> Measurement:
    """Return the measurement that consists of commands, one after the other."""
    found = disturbance.worst([part.disturbance for part in parts])
    return Measurement(sum(part.seconds for part in parts), found)


def section(
    about: str,
    measured: Mapping[str, Sequence[Measurement]],
    compared: Mapping[str, Compared],
) -> dict[str, Any]:
    """Return a section as plain data.

    Args:
        about: what the figures cover, for the reader.
        measured: (rounds,) by name of the series.
        compared: the ratios by name.
    """
    ratios = {
        name: {
            **asdict(pair),
            **asdict(
                paired.ratio_of(
                    [found.seconds for found in measured[pair.first]],
                    [found.seconds for found in measured[pair.second]],
                )
            ),
        }
        for name, pair in compared.items()
    }
    return {
        "about": about,
        "ratios": ratios,
        "measured": {
            name: [{"seconds": found.seconds, **asdict(found.disturbance)} for found in series]
            for name, series in measured.items()
        },
        **conditions(),
    }


def conditions() -> dict[str, Any]:
    """Return what every section was measured with."""
    return {
        "device": provenance.device_type(),
        "machine": provenance.machine().model_dump(),
        "versions": provenance.versions(),
        "commit": provenance.commit(),
    }


def describe(title: str, figures: Mapping[str, Any]) -> str:
    """Return a section as Markdown."""
    rows = []
    for ratio in figures["ratios"].values():
        found = [
            Disturbance(part["others"], part["stolen"])
            for side in ("first", "second")
            for part in figures["measured"].get(ratio[side], [])
        ]
        pairs = len(ratio["pairs"])
        rows.append((ratio["what"], *in_cells(ratio), pairs, disturbance.in_words(found)))
    headings = ("ratio of times", "median", "95 % interval", "pairs", "machine meanwhile")
    difference = figures.get("mcc_difference")
    lines = [
        f"## {title}",
        "",
        f"{figures['about']} {measured_with(figures)}",
        "",
        tabulate(rows, headings, tablefmt="pipe", disable_numparse=True),
        "",
    ]
    if difference is not None:
        lines += [
            f"MCC, harness - tutorial, paired over the cells: {difference['mean']:+.3f} "
            f"({difference['low']:+.3f} to {difference['high']:+.3f}, 95 % t interval).",
            "",
        ]
    return "\n".join(lines)


def in_cells(ratio: Mapping[str, Any]) -> tuple[str, str]:
    """Return a ratio and its interval for a table; for one that is not measured, the reason."""
    if ratio["ratio"] is None:
        return f"not measured: {ratio['why']}", ""
    return f"{ratio['ratio']:.2f}", f"{ratio['low']:.2f} to {ratio['high']:.2f}"


def measured_with(figures: Mapping[str, Any]) -> str:
    """Return a section's machine, versions and commit in a sentence."""
    machine, versions = figures["machine"], figures["versions"]
    accelerator = "" if machine["accelerator"] is None else f"{machine['accelerator']}, "
    return (
        f"Measured on {accelerator}{machine['cores']} cores ({machine['processor']}), at commit "
        f"{figures['commit'] or 'unknown'}, with torch {versions['torch']} and transformers "
        f"{versions['transformers']}."
    )
