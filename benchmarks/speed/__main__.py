"""Measures the speed of the harness, prints the figures, and writes results/local/speed/.

Absolute times mean little on a shared machine, so every figure is a ratio of two measurements made
in turn, repeated, with an interval; what is too noisy is not a figure. See docs/performance.md.
"""

import argparse
import json
import os
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from harness.errors import BadInput, Unavailable
from harness.inputs.checkpoints import resolve
from harness.inputs.hub import Hub
from harness.machine import contention, provenance
from harness.store.run_store import write_atomically
from speed import beside, commits, disturbance, full, growth, ladder, sections, short, verdicts
from speed.commands import CHECKPOINT, ROOT, Failed

RESULTS = ROOT / "results" / "local" / "speed"
PUBLISHED = ROOT / "results" / "speed"
"""To publish, copy a file's .json and .md from RESULTS. Sections that are not measured again stay
in them, with their own commit and machine.
"""
VERSION = 2
"""Of the files: version 1 had ratios of single measurements."""
TITLES = {
    "matrix": "The whole matrix",
    "padding": "Padding to 128",
    "ladders": "Speed-ups, one after the other",
    "beside": "Beside a busy program",
    "verdicts": "The same verdicts with less training",
    "short": "The tutorial's script, short form",
    "against": "Another commit, short form",
    "growth": "Another commit, many records",
}
WITHOUT_COLA = {"beside", "growth"}
FULL = ("matrix", "padding", "ladders", "beside", "verdicts")

Measure = Callable[[], Iterator[dict[str, Any]]]
"""Measures a section; yields it after every round."""


def main(arguments: Sequence[str]) -> int:
    """Measure what the arguments ask for; return the exit code."""
    parser = argparse.ArgumentParser(prog="make speed", description=__doc__)
    parser.add_argument(
        "--short",
        action="store_true",
        help="only the tutorial's script against the harness, on an eighth of CoLA",
    )
    parser.add_argument(
        "--against",
        metavar="REV",
        help="with --short: also the harness at another commit against this one; with --growth: "
        "that commit",
    )
    parser.add_argument(
        "--growth",
        action="store_true",
        help="only what grows with the number of records, at another commit against this one",
    )
    parser.add_argument(
        "--only",
        choices=FULL,
        action="append",
        help="only this section of the full form; repeatable",
    )
    options = parser.parse_args(arguments)
    if options.against is not None and not (options.short or options.growth):
        parser.error(
            "--against REV belongs to the short form and to --growth: add --short, or that"
        )
    if options.growth and options.against is None:
        parser.error("--growth compares with another commit: add --against REV")
    if options.growth and options.short:
        parser.error("--growth and --short are forms of their own: leave out one")
    if options.only and (options.short or options.growth):
        form = "--short" if options.short else "--growth"
        parser.error(f"--only chooses sections of the full form: leave out {form}")
    if options.growth:
        names = ["growth"]
    elif options.short:
        names = ["short"] if options.against is None else ["short", "against"]
    else:
        names = options.only or list(FULL)
    try:
        measure(names, options.against)
    except (BadInput, Unavailable, Failed) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def measure(names: Sequence[str], revision: str | None) -> None:
    """Measure sections, save them after every round, and print them.

    Args:
        names: of the sections; "against" and "growth" need a revision.
        revision: another commit to compare this one with, or None.

    Raises:
        BadInput: COLA_DIR or the revision are unusable.
        Unavailable: the checkpoint is not installed.
        Failed: a command that is measured failed.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that folders are removed
    disturbance.adopt_orphans()
    load = contention.since(contention.now(os.getpid()), os.getpid())
    if message := contention.load_message(load, provenance.available_cores()):
        print(f"{message}: every figure will be disturbed, and may be too noisy", flush=True)
    cola_dir = Path()
    if set(names) - WITHOUT_COLA:
        if not (named := os.environ.get("COLA_DIR")):
            raise BadInput(["COLA_DIR: not set; set it to the corpus' own folder, cola_public"])
        cola_dir = Path(named).resolve()
    checkpoint = resolve(CHECKPOINT, Hub("", reachable=False, reason=None), ROOT).folder
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        sets: dict[str, Measure] = {
            "matrix": lambda: full.matrix(checkpoint, cola_dir, folder),
            "padding": lambda: full.padding(checkpoint, cola_dir, folder),
            "ladders": lambda: ladder.ladders(checkpoint, cola_dir, folder),
            "beside": beside.measure,
            "verdicts": lambda: verdicts.verdicts(cola_dir, folder),
            "short": lambda: short.tutorial_against_harness(checkpoint, cola_dir, folder),
        }
        if revision is not None:
            tree, commit = stack.enter_context(commits.checkout(revision))
            commits.check_imports(tree)
            if "growth" in names:
                sets["growth"] = lambda: growth.growth(revision, commit, tree, folder)
            else:
                recorded = short.check_against(revision, commit, tree, cola_dir, folder)
                sets["against"] = lambda: short.against(tree, recorded, cola_dir, folder)
        form = names[0] if names[0] in ("short", "growth") else "speed"
        for name in names:
            for number, figures in enumerate(sets[name](), 1):
                save({name: figures}, form)
                print(f"{TITLES[name]}: round {number}", flush=True)
            print(describe({name: figures}), flush=True)


def save(measured: dict[str, dict[str, Any]], form: str) -> None:
    """Write sections, so that an interruption does not lose them.

    Args:
        form: the file's name: "speed" for the full form, "short" for the short one, "growth".
    """
    RESULTS.mkdir(parents=True, exist_ok=True)
    device = provenance.device_type()
    name = form if device == "cpu" else f"{form}-{device}"
    figures = {**earlier(name), **measured}
    text = json.dumps({"version": VERSION, "sections": figures}, indent=1) + "\n"
    write_atomically(RESULTS / f"{name}.json", text.encode())
    write_atomically(RESULTS / f"{name}.md", describe(figures).encode())


def earlier(name: str) -> dict[str, dict[str, Any]]:
    """Return the sections of earlier invocations on this machine, or else the published ones."""
    for folder in (RESULTS, PUBLISHED):
        if (folder / f"{name}.json").exists():
            found = json.loads((folder / f"{name}.json").read_bytes())
            if found.get("version") == VERSION:
                return dict(found["sections"])
    return {}


def describe(figures: dict[str, dict[str, Any]]) -> str:
    """Return sections as Markdown, in a fixed order."""
    parts = [
        beside.describe(figures[name])
        if name == "beside"
        else sections.describe(title, figures[name])
        for name, title in TITLES.items()
        if name in figures
    ]
    return "\n".join(["# Speed\n", *parts])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
