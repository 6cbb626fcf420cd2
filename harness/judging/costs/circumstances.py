"""Circumstances under which the costs of runs were measured: only equal ones can be compared."""

from collections.abc import Iterable, Sequence

from harness.machine.contention import TAKEN
from harness.store.records import Record
from harness.text import series


def differing_circumstances(
    runs: Sequence[Record], timed: bool = True, served: bool = False
) -> str | None:
    """Return the circumstances that differ between runs and on which a cost depends, or None.

    Args:
        timed, served: as in harness.judging.costs.Cost; by default as for training times.
    """
    differences = []
    for name, values in facts(runs, timed, served).items():
        distinct = [str(value) for value in dict.fromkeys(values) if value is not None]
        if len(distinct) > 1:
            differences.append(f"{name}: {series(distinct)}")
    return "; ".join(differences) or None


def circumstances_of(runs: Iterable[Record]) -> frozenset[tuple[object, ...]]:
    """Return the circumstances under which runs were timed; times compare if there is only one."""
    return frozenset(zip(*facts([*runs], True, False).values(), strict=True))


def facts(runs: Sequence[Record], timed: bool, served: bool) -> dict[str, list[object]]:
    """Return the circumstances of measurement by name: a list with one value for each run."""
    machines = [run.machine for run in runs]
    facts: dict[str, list[object]] = {"device": [run.device for run in runs]}
    facts["accelerator"] = [each and (each.accelerator or "none") for each in machines]
    if timed:
        facts |= {
            "processor": [each and each.processor for each in machines],
            "cores": [each and each.cores for each in machines],
            "GB of memory": [each and (each.memory_gb or "unknown") for each in machines],
            "system": [each and each.system for each in machines],
            "Python": [each and each.python for each in machines],
            "threads per run": [_threads(run, served) for run in runs],
            "other programs": [_other_programs(run, served) for run in runs],
            "runs at a time": [run.concurrency for run in runs],
            "executor": [run.executor or "not recorded" for run in runs],
            "compiled code": [_compiled_code(run) for run in runs],
        }
    return facts


def _compiled_code(run: Record) -> str:
    """Return whether a run lacked compiled code that it was set to use."""
    settings = run.training
    asked = "compiled-optimizer" in settings.speedups and settings.precision == "fp32"
    if not asked or run.device != "cpu" or run.speedups is None:
        return "as set"
    return "as set" if "compiled-optimizer" in run.speedups else "missing"


def _threads(run: Record, served: bool) -> int | None:
    return run.serving.threads if served and run.serving is not None else run.threads


def _other_programs(run: Record, served: bool) -> str:
    if (cores := _taken(run, served)) is None:  # an older record, or a run on a GPU
        return "not recorded"
    return "busy" if cores > TAKEN else "none"


def unwatched(run: Record, served: bool = False) -> bool:
    """Return whether it is unknown if other programs kept a core busy: nothing measured their load.

    On a GPU, other programs on the cores hardly change a time.
    """
    return run.device == "cpu" and _taken(run, served) is None


def busy(run: Record, served: bool = False) -> bool:
    """Return whether other programs are known to have kept a core busy."""
    return (_taken(run, served) or 0.0) > TAKEN


def _taken(run: Record, served: bool) -> float | None:
    """Return how many cores other programs kept busy while a run trained, or its model answered.

    If the answers took too short to tell, it is that of the training just before.
    """
    if served and run.serving is not None and run.serving.other_programs is not None:
        return run.serving.other_programs
    return None if run.contention is None else run.contention.other_programs
