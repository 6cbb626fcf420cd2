"""The inputs of a suite: its data and checkpoints, or why they are unavailable."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import BadInput, Unavailable
from harness.forecast.seconds import Work
from harness.forecast.workload import Tokens, tokens_of
from harness.inputs import checkpoints, trackers
from harness.inputs.checkpoints import Checkpoint
from harness.inputs.hub import Hub
from harness.judging import baseline as baselines
from harness.judging.gates.population import population_problems
from harness.machine import provenance
from harness.session.options import Options, Planned
from harness.session.slicing import NO_SLICES, SliceInputs, find_slices, gate_problems
from harness.stats import Refusal, Sources, sources_of
from harness.store.grouping import groupings
from harness.store.groups import Groups
from harness.store.records import DatasetFacts, HubFacts, run_key
from harness.suite.plan import Cell, Run, published_names
from harness.suite.spec import Suite
from harness.text import printable, series

if TYPE_CHECKING:  # loaded where it is used; collecting tests needs no data
    from harness.inputs.data import Data, Source
    from harness.inputs.data.summary import SplitSummary


@dataclass(frozen=True)
class Inputs:
    """A suite's data and checkpoints.

    If the data cannot be reached, `dataset`, `source` and `tokens` are None and `splits` is empty.
    `notes` are remarks on the data that are not errors.
    `checkpoints` is keyed by published name. `unavailable` gives the reason and the way out for
    each unavailable input, keyed by published name, or by "" for the data. `groups` has the
    domains and sources of the splits that runs predict, by split; empty if the data have none.
    `slices` are those of the validation sentences, with remarks on them.
    """

    source: "Source | None"
    dataset: DatasetFacts | None
    tokens: Tokens | None
    checkpoints: dict[str, Checkpoint]
    unavailable: dict[str, Unavailable]
    device: str
    splits: "tuple[SplitSummary, ...]" = ()
    notes: tuple[str, ...] = ()
    groups: dict[str, Groups] = field(default_factory=dict)
    slices: SliceInputs = NO_SLICES

    @property
    def sources(self) -> Sources | Refusal | None:
        """The sources of the validation sentences, or why there is no interval for other sources;
        None if they are not known."""
        of_validation = self.groups.get("validation")
        if self.dataset is None or of_validation is None:
            return None
        grouping = (groupings(self.dataset.name, of_validation.sources, ()) or {}).get("source")
        return None if grouping is None else sources_of(grouping.unpacked(self.dataset.validation))

    def twins(self) -> list[str]:
        """Return a note for each group of checkpoints whose files are equal."""
        names: dict[str, list[str]] = {}
        for name, found in self.checkpoints.items():
            names.setdefault(found.digest, []).append(name)
        return [
            printable(
                f"checkpoints {series(group)} have the same files (sha256 {digest[:12]}): one "
                "model is trained under several names"
            )
            for digest, group in names.items()
            if len(group) > 1
        ]

    def obstacle(self, cell: Cell) -> Unavailable | None:
        """Return why a cell cannot run here, or None if it can."""
        name = cell.checkpoint
        if (error := self.unavailable.get("")) is not None:
            return error
        if (error := self.unavailable.get(name)) is not None:
            return Unavailable(f"checkpoint {name!r}: {error.reason}", error.way_out)
        return None

    def key(self, run: Run) -> str:
        """Return the content key of a run; all its inputs must be available."""
        assert self.dataset is not None
        digest = self.checkpoints[run.cell.checkpoint].digest
        return run_key(run, digest, self.dataset.fingerprint, self.device)

    def work(self, run: Run) -> Work:
        """Return the factors of a run's training time; all its inputs must be available."""
        assert self.dataset is not None
        assert self.tokens is not None
        checkpoint = self.checkpoints[run.cell.checkpoint]
        return Work(
            checkpoint_digest=checkpoint.digest,
            checkpoint_folder=checkpoint.folder,
            fingerprint=self.dataset.fingerprint,
            sentences=(self.dataset.train, self.dataset.validation),
            tokens=self.tokens,
            batch_size=run.cell.batch_size,
            training=run.training,
            device=self.device,
        )


def find_all_inputs(
    suites: Sequence[Planned], cells: Sequence[Cell], options: Options, hub: Hub
) -> tuple[dict[str, Inputs], list[str]]:
    """Find the inputs of some cells of several suites.

    Returns:
        the inputs by suite, and every mistake in them and in the choice of the baseline.
    """
    found: dict[str, Inputs] = {}
    datasets: dict[str, DatasetFacts | None] = {}
    problems: list[str] = []
    for planned in suites:
        name = planned.suite.name
        own = [cell for cell in cells if cell.suite == name]
        datasets[name] = None
        try:
            found[name] = find_inputs(planned.suite, planned.base, own, options.cola_dir, hub)
            datasets[name] = found[name].dataset
        except BadInput as error:
            problems += error.problems
    return found, [*problems, *baselines.problems(options.baseline, datasets)]


def find_inputs(
    suite: Suite, base: Path, cells: Sequence[Cell], cola_dir: Path | None, hub: Hub
) -> Inputs:
    """Find the data of a suite and the checkpoints of some of its cells.

    Args:
        base: the folder to which the suite's relative paths refer.

    Raises:
        BadInput: every mistake in the data and in all checkpoints at once.
    """
    inputs, wrong = look_up(suite, base, cells, cola_dir, hub)
    problems = [problem for error in wrong.values() for problem in error.problems]
    problems += setting_problems(suite, inputs)
    if problems:
        raise BadInput(problems)
    return inputs


def look_up(
    suite: Suite,
    base: Path,
    cells: Sequence[Cell],
    cola_dir: Path | None,
    hub: Hub,
    download: bool = True,
) -> tuple[Inputs, dict[str, BadInput]]:
    """Look up the inputs of some cells; see find_inputs.

    Args:
        download: whether to download what is not on this machine; if not, it is left out.

    Returns:
        what was found, and why other inputs are wrong, keyed like `Inputs.unavailable`.
    """
    from harness.inputs import data
    from harness.inputs.data.summary import summarize

    unavailable: dict[str, Unavailable] = {}
    wrong: dict[str, BadInput] = {}
    source = loaded = None
    slices = NO_SLICES
    try:
        source = data.find(suite.dataset, cola_dir, hub, base)
        if download or data.is_here(source):
            loaded = data.load(source)
            source = data.with_classes(source, loaded)
            slices = find_slices(suite.dataset, base, source, loaded)
            labels = list(loaded.rows["validation"].label)
            if problems := [*gate_problems(suite.gates, slices.slices, labels)]:
                raise BadInput(problems)
    except BadInput as error:
        wrong[""] = error
    except Unavailable as error:
        unavailable[""] = error
    asked = hub
    if not download:
        asked = Hub(hub.endpoint, False, hub.reason or "only this machine is searched")
    wanted = {cell.checkpoint for cell in cells}
    found: dict[str, Checkpoint] = {}
    for name, published in published_names(suite).items():
        if published in wanted:
            try:
                found[published] = checkpoints.resolve(name, asked, base)
            except BadInput as error:
                wrong[published] = error
            except Unavailable as error:
                if download or not hub.reachable:
                    unavailable[published] = error
    inputs = Inputs(source, None, None, found, unavailable, provenance.device_type())
    if source is not None and loaded is not None:
        inputs = replace(
            inputs,
            dataset=_facts(source, loaded),
            tokens=_tokens(loaded),
            splits=summarize(loaded.rows, loaded.class_names),
            notes=loaded.notes,
            groups=_groups(loaded),
            slices=slices,
        )
    return inputs, wrong


def setting_problems(suite: Suite, inputs: Inputs) -> list[str]:
    """Return the settings that this machine or the data do not support, with the way out."""
    problems = list(trackers.missing(suite.trackers, suite.name))
    listed = suite.matrix.precision
    if "fp16" in (listed or (suite.training.precision,)) and inputs.device == "cpu":
        key = "training.precision" if listed is None else "matrix.precision"
        problems.append(
            f"suite {suite.name}: {key}: 'fp16': needs a GPU and this machine has "
            "none; use bf16 or fp32"
        )
    sources = None
    if inputs.dataset is not None:
        of_validation = inputs.groups.get("validation")
        sources = [""] if of_validation is None else of_validation.sources
    problems += [
        f"suite {suite.name}: {problem}"
        for problem in population_problems(suite.gates, suite.dataset, sources)
    ]
    return problems


def _facts(source: "Source", loaded: "Data") -> DatasetFacts:
    """Return the facts about a suite's data that records contain."""
    rows, spec = loaded.rows, source.spec
    return DatasetFacts(
        name=spec.source,
        origin=loaded.origin,
        fingerprint=loaded.fingerprint,
        train=len(rows["train"].sentence),
        validation=len(rows["validation"].sentence),
        test=len(rows["test"].sentence) if "test" in rows else 0,
        text_column=spec.text_column if spec.source in ("file", "hub") else None,
        hub=_hub_facts(source) if spec.source == "hub" else None,
        duplicates=loaded.duplicates,
    )


def _hub_facts(source: "Source") -> HubFacts:
    spec = source.spec
    return HubFacts(
        name=str(spec.name),
        config=str(spec.config),
        revision=str(source.revision),
        class_names=spec.class_names,
    )


def _groups(loaded: "Data") -> dict[str, Groups]:
    found = {
        name: Groups(domains=list(rows.domain), sources=list(rows.source))
        for name, rows in loaded.rows.items()
        if name != "train"
    }
    return {name: each for name, each in found.items() if any(each.domains) or any(each.sources)}


def _tokens(loaded: "Data") -> Tokens:
    texts = {name: split.sentence for name, split in loaded.rows.items()}
    counts = {name: tokens_of(sentences) for name, sentences in texts.items()}
    longest = max(tokens_of([text]) for name in ("train", "validation") for text in texts[name])
    return Tokens(counts["train"], counts["validation"], counts.get("test", 0), longest)
