"""The gates that `harness judge` holds predictions to, and those that it does not judge."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from harness.errors import BadInput
from harness.session.options import OVERRIDES, for_every_cell
from harness.suite.gates import GatesSpec, Thresholds, thresholds_of
from harness.suite.plan import published_names
from harness.suite.spec import Override, Suite, load_suite
from harness.text import counted
from harness.validation import mistake, shown

if TYPE_CHECKING:  # they import pandas
    from harness.judging.gates.given import NotJudged
    from harness.suite.plan import Cell


OTHER_SENTENCES = (
    "name with --suite one without gates.population: it is judged for other sentences of the same "
    "sources"
)
"""The way out where the population of a gate is the sources."""


@dataclass(frozen=True)
class Gates:
    """The thresholds for predictions, and the gates beside them that are not judged.

    Attributes:
        source: the suite or cell that has them, for messages; None if only options do.
    """

    thresholds: Thresholds
    source: str | None
    not_judged: "Sequence[NotJudged]"

    @property
    def lines(self) -> list[str]:
        """A line for each gate that is not judged: its place, its threshold, and why."""
        return [
            f"{self.source}: gates.{each.gate}: {shown(each.threshold)}: {each.reason}"
            for each in self.not_judged
        ]

    def refused(self, typed: Sequence[Override]) -> list[str]:
        """Return a line for each threshold of the command line that is not judged."""
        flags = {each.key.removeprefix("gates."): each.flag for each in typed}
        return [
            f"{flags[each.gate]}: {shown(each.threshold)}: cannot be judged with {self.source}: "
            f"{each.reason}; leave it out, or {OTHER_SENTENCES}"
            for each in self.not_judged
            if each.gate in flags
        ]

    def none_applies(self, with_baseline: bool) -> list[str]:
        """Return why no gate can be judged, and a line for each that cannot; none if one can."""
        from harness.judging.gates.given import about_sources, judged

        if judged(self.thresholds, with_baseline):
            return []
        of_sources = about_sources(self.thresholds)
        ways_out = [
            way_out
            for gate, way_out, given in (
                ("min_mcc", "name one with --min-mcc", False),
                ("max_drop", "name a --baseline to compare with", with_baseline),
            )
            if gate not in of_sources and not given
        ]
        if of_sources.intersection(each.gate for each in self.not_judged) or not ways_out:
            ways_out.append(OTHER_SENTENCES)
        if self.source is None:
            return [f"no gate; {', or '.join(ways_out)}"]
        kinds = "gates.min_mcc, gates.min_accuracy or gates.max_drop"
        return [
            f"{self.source}: no {kinds} that predictions can answer; {', or '.join(ways_out)}",
            *(f"not judged: {line}" for line in self.lines),
        ]

    def not_all(self, judged: int, strict: bool) -> str:
        """Return what the gates that are not judged do to the exit code, in one line.

        Args:
            judged: how many gates were judged.
        """
        others = len(self.not_judged)
        counts = f"{counted(judged, 'gate')} judged, {others} of {self.source} not judged"
        if strict:
            return f"{counts}, so the exit code is 1 (--strict)"
        they_do = "it does" if others == 1 else "they do"
        return f"{counts}: {they_do} not change the exit code (with --strict, it is 1)"


def overrides(min_mcc: float | None, max_drop: float | None) -> list[Override]:
    """Return the thresholds of the command line as a session's options give them."""
    typed = {"--min-mcc": min_mcc, "--max-drop": max_drop}
    return [
        Override(key=OVERRIDES[flag][0], flag=flag, value=value)
        for flag, value in typed.items()
        if value is not None
    ]


def check_thresholds(typed: Sequence[Override]) -> None:
    """Check the thresholds of the command line as those of a suite are checked.

    Raises:
        BadInput: every number that is not allowed, such as nan.
    """
    flags = {each.key.removeprefix("gates."): each for each in typed}
    try:
        Thresholds.model_validate({name: each.value for name, each in flags.items()})
    except ValidationError as error:
        raise BadInput(
            [mistake(flags[str(each["loc"][0])].flag, each) for each in error.errors()]
        ) from None


def read_suite(path: Path, typed: Sequence[Override]) -> Suite:
    """Return a suite with the thresholds of the command line, which hold for every cell.

    Raises:
        BadInput: every mistake in its file.
    """
    return for_every_cell(load_suite(path, typed), typed)


def gates_of(
    suite: tuple[str, Suite] | None,
    cell: "tuple[str, Cell] | None",
    typed: Sequence[Override],
    with_baseline: bool,
) -> Gates:
    """Return the gates for predictions: those of the suite, or else of the cell.

    Args:
        suite: its name for messages, and the suite with the thresholds of the command line.
        cell: its name for messages, and the published cell whose predictions are judged.
        with_baseline: whether there are predictions of a baseline.
    """
    from harness.judging.gates.given import not_judged, not_judged_of_others

    source = next((name for name, _ in filter(None, (suite, cell))), None)
    if suite is None:
        own = Thresholds() if cell is None else cell[1].gates
        values = {each.key.removeprefix("gates."): each.value for each in typed}
        thresholds = own.model_copy(update=values)
        cannot = not_judged(thresholds, with_baseline, of_cell=cell is not None)
        return Gates(thresholds, source, [*cannot])
    gates: GatesSpec = suite[1].gates
    trained = None if cell is None else (_name_in(suite[1], cell[1].checkpoint), cell[1].id)
    thresholds = gates if trained is None else thresholds_of(gates, *trained)
    others = not_judged_of_others(gates, trained)
    cannot = not_judged(thresholds, with_baseline, of_cell=cell is not None)
    return Gates(thresholds, source, [*cannot, *others])


def _name_in(suite: Suite, published: str) -> str:
    """Return the name in a suite of a checkpoint with this published name."""
    names = published_names(suite)
    return next((name for name, public in names.items() if public == published), published)
