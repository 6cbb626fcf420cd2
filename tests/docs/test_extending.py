"""docs/extending.md, followed: a toy of each kind, added to a copy of the harness, and tried there.

The number of files that a toy changes is the one that the page states.
"""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

pytestmark = pytest.mark.sessions

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "extending.md"


@dataclass(frozen=True)
class Toy:
    """What the guide says to do, in its smallest form.

    Attributes:
        edits: by file, a piece of its code and what replaces it.
        new: files to add.
        check: a program that fails without the toy.
    """

    edits: dict[str, list[tuple[str, str]]]
    check: str
    new: dict[str, str] = field(default_factory=dict)


COLUMN = """    Column(
        "parameters_m","""

TOYS = {
    "a column": Toy(
        {
            "harness/judging/columns.py": [
                (
                    COLUMN,
                    """    Column(
        "threads",
        "Int64",
        lambda facts: max(all_measured(run.threads for run in facts.scored), default=None),
        "threads",
        "threads",
        "most threads of a run",
    ),
"""
                    + COLUMN,
                )
            ]
        },
        """
from harness.judging.leaderboard import leaderboard
from harness.report import publish, render
cell = make_cell()
records = [make_record(cell)]
assert leaderboard([cell], records)["threads"].tolist() == [2]
files = render(publish("sample", [cell], records))
for name in ("leaderboard.csv", "leaderboard.md", "leaderboard.html", "leaderboard.json"):
    assert b"threads" in files[name], name
""",
    ),
    "a metric of the predicted classes": Toy(
        {
            "harness/judging/values.py": [
                (
                    "def last_epoch(",
                    '''def recall(facts: Facts) -> float | None:
    """Return the mean share of the acceptable sentences that are classified as such."""
    found = facts.judgement.evidence
    if found is None:
        return None
    return float(found.selected[:, found.labels == 1].mean())


def last_epoch(''',
                )
            ],
            "harness/judging/columns.py": [
                (
                    COLUMN,
                    """    Column(
        "recall", "Float64", values.recall, "recall", "rec", "of class 1", decimals(3)
    ),
"""
                    + COLUMN,
                ),
            ],
        },
        """
import numpy as np
from sklearn.metrics import recall_score
from harness.judging.leaderboard import leaderboard
labels, predictions = np.array([1, 1, 1, 0]), np.array([[1, 0, 1, 1]])
cell = make_cell()
record = predicted_record(cell, 0, labels, predictions)
(value,) = leaderboard([cell], [record])["recall"].tolist()
assert value == recall_score(labels, predictions[0])
""",
    ),
    "a measurement": Toy(
        {
            "harness/store/records.py": [
                (
                    "    batch_size_used: BatchSize | None",
                    "    vocabulary: int | None = Field(None, exclude_if=_unknown)\n"
                    "    batch_size_used: BatchSize | None",
                )
            ],
            "harness/training/scored_record.py": [
                (
                    '            "parameters": outcome.parameters,',
                    '            "parameters": outcome.parameters,\n'
                    '            "vocabulary": outcome.model.config.vocab_size,',
                )
            ],
            "harness/judging/columns.py": [
                (
                    COLUMN,
                    """    Column(
        "vocabulary",
        "Float64",
        lambda facts: mean(run.vocabulary for run in facts.scored),
        "vocabulary",
        "vocabulary",
        "entries of the vocabulary",
    ),
"""
                    + COLUMN,
                )
            ],
        },
        """
from harness.judging.leaderboard import leaderboard
job, record = trained()
assert record.vocabulary > 0
assert leaderboard([job.run.cell], [record])["vocabulary"].tolist() == [record.vocabulary]
""",
    ),
    "a gate": Toy(
        {
            "harness/suite/gates.py": [
                (
                    "    max_peak_memory_mb: Positive | None",
                    "    max_samples_per_second: Positive | None = later(\n"
                    '        None, "most training sentences a second"\n'
                    "    )\n"
                    "    max_peak_memory_mb: Positive | None",
                )
            ],
            "harness/judging/gates/cell.py": [
                (
                    '    "max_peak_memory_mb": (',
                    '    "max_samples_per_second": ("samples_per_second", "it does {} a second"),\n'
                    '    "max_peak_memory_mb": (',
                )
            ],
        },
        """
from harness.judging.gates import judge
from harness.suite.spec import Thresholds
record = make_record(make_cell())
for limit, verdict in ((1e6, "pass"), (1e-6, "fail")):
    cell = make_cell(gates=Thresholds(max_samples_per_second=limit))
    assert judge(cell, [record]).verdict == verdict
""",
    ),
    "a data source": Toy(
        {
            "harness/suite/dataset.py": [
                (
                    'Literal["cola", "embedded", "file", "hub"]',
                    'Literal["cola", "embedded", "file", "hub", "toy"]',
                )
            ],
            "harness/inputs/data/__init__.py": [
                (
                    'Literal["hub", "folder", "embedded", "file"]',
                    'Literal["hub", "folder", "embedded", "file", "toy"]',
                ),
                (
                    '    if spec.source == "embedded":\n',
                    '    if spec.source == "toy":\n'
                    '        return Source("toy", None, None, spec)\n'
                    '    if spec.source == "embedded":\n',
                ),
                (
                    "        case _:\n            return _embedded()",
                    '        case Source(kind="toy"):\n'
                    '            return toy.read(), "a toy", ()\n'
                    "        case _:\n            return _embedded()",
                ),
                ("    cola_folder,\n", "    cola_folder,\n    toy,\n"),
            ],
        },
        """
from builders.waiting import UNREACHABLE
from harness.inputs import data
from harness.suite.dataset import DatasetSpec
source = data.find(DatasetSpec(source="toy"), None, UNREACHABLE, Path())
loaded = data.load(source)
assert loaded.splits["train"]["sentence"][:] == ["A toy."]
assert loaded.origin == "a toy"
""",
        {
            "harness/inputs/data/toy.py": '"""A toy of a data source."""\n\n'
            "from harness.inputs.data.rows import Rows\n\n\n"
            "def read() -> dict[str, Rows]:\n"
            '    """Return a sentence a split."""\n'
            '    row = Rows(["A toy."], [1], [0], [""], [""])\n'
            '    return {"train": row, "validation": row}\n'
        },
    ),
    "a checkpoint source": Toy(
        {
            "harness/inputs/checkpoints.py": [
                (
                    '    if name.startswith("package:"):\n',
                    '    if name.startswith("store:"):\n'
                    '        place = _Place(Path("/store") / name.removeprefix("store:"))\n'
                    '    elif name.startswith("package:"):\n',
                )
            ]
        },
        """
from builders.waiting import UNREACHABLE
from harness.errors import BadInput
from harness.inputs.checkpoints import resolve
try:
    resolve("store:absent", UNREACHABLE, Path())
except BadInput as error:
    assert "/store/absent cannot be read" in str(error), error
else:
    raise AssertionError("an absent folder is no checkpoint")
""",
    ),
    "an executor": Toy(
        {
            "harness/suite/spec.py": [
                ('Literal["local", "ray"]', 'Literal["local", "ray", "here"]')
            ],
            "harness/session/tasks/executor.py": [
                (
                    "    from harness.executors.ray import RayExecutor\n",
                    '    if any(suite.limits.executor == "here" for suite in suites):\n'
                    "        from harness.executors.here import HereExecutor\n\n"
                    "        return HereExecutor(), 1\n"
                    "    from harness.executors.ray import RayExecutor\n",
                )
            ],
        },
        """
from harness.forecast.seconds import Sharing
from harness.session.tasks.executor import make_executor
from harness.suite.spec import LimitsSpec, MatrixSpec, Suite
suite = Suite(
    name="toy",
    dataset={"source": "embedded"},
    matrix={"checkpoints": ["a"], "batch_sizes": [8], "learning_rates": [1e-4], "seeds": [1]},
    limits={"executor": "here"},
)
executor, workers = make_executor([suite], "cpu", Sharing(2, 1), None)
assert (executor.submit(abs, -3).result(), workers) == (3, 1)
executor.close()
""",
        {
            "harness/executors/here.py": '"""A toy of an executor: jobs in this process."""\n\n'
            "from collections.abc import Callable\n"
            "from concurrent.futures import Future\n"
            "from typing import Any\n\n\n"
            "class HereExecutor:\n"
            '    """Computes a job at once."""\n\n'
            "    def submit(\n"
            "        self, function: Callable[[Any], Any], job: Any, seconds: float | None = None\n"
            "    ) -> Future[Any]:\n"
            '        """Compute a job; see Executor."""\n'
            "        future: Future[Any] = Future()\n"
            "        future.set_result(function(job))\n"
            "        return future\n\n"
            "    def close(self) -> None:\n"
            '        """Stop nothing; see Executor."""\n'
        },
    ),
    "a speed-up": Toy(
        {
            "harness/suite/training.py": [
                ('    "fast-dropout",\n', '    "fast-dropout",\n    "flush-denormals",\n')
            ],
            "harness/training/speedups/__init__.py": [
                ("PACKING = ", 'FLUSH = "flush-denormals"\nPACKING = ')
            ],
            "harness/training/speedups/apply.py": [
                (
                    "    if KEPT_MEMORY in names and keep_freed_memory():\n",
                    '    if "flush-denormals" in names and flush_denormals():\n'
                    '        applied.add("flush-denormals")\n'
                    "    if KEPT_MEMORY in names and keep_freed_memory():\n",
                ),
                (
                    "from harness.training.speedups.dropout import",
                    "from harness.training.speedups.denormals import flush_denormals\n"
                    "from harness.training.speedups.dropout import",
                ),
            ],
        },
        """
_, record = trained(speedups=("flush-denormals",))
assert record.speedups == ("flush-denormals",)
""",
        {
            "harness/training/speedups/denormals.py": '"""A toy of a speed-up."""\n\n'
            "import torch\n\n\n"
            "def flush_denormals() -> bool:\n"
            '    """Round numbers next to 0 to 0; return whether the processor can."""\n'
            "    return torch.set_flush_denormal(True)\n"
        },
    ),
}

BUILDERS = """
import tempfile
from pathlib import Path
from builders.records import make_cell, make_record, predicted_record


def trained(**training):
    from builders.jobs import execute_ok, file_spec, make_job, sentences, write_rows
    from builders.tiny_checkpoints import make_checkpoint
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rows = write_rows(folder / "rows.csv", sentences(32), [0, 1] * 16)
        checkpoint = make_checkpoint("bert", folder / "encoder")
        job = make_job(checkpoint, file_spec(rows), folder, **training)
        return job, execute_ok(job)[0]
"""


def counts_of(name: str) -> tuple[int, int]:
    """Return how many files the page says that an addition changes, and how many are new."""
    row = re.search(
        rf"^\| {re.escape(name)} \| (\d) \| (\d) \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE
    )
    assert row is not None, f"{PAGE} has no row for {name}"
    return int(row[1]), int(row[2])


@pytest.mark.parametrize("name", TOYS)
def test_following_the_guide_adds_it(tmp_path: Path, name: str) -> None:
    toy = TOYS[name]
    assert counts_of(name) == (len(toy.edits), len(toy.new))
    shutil.copytree(ROOT / "harness", tmp_path / "harness")
    for file, edits in toy.edits.items():
        text = (tmp_path / file).read_text(encoding="utf-8")
        for old, new in edits:
            assert text.count(old) == 1, (file, old)
            text = text.replace(old, new)
        (tmp_path / file).write_text(text, encoding="utf-8")
    for file, text in toy.new.items():
        (tmp_path / file).write_text(text, encoding="utf-8")
    done = tried(tmp_path, toy.check)
    assert done.returncode == 0, done.stderr
    assert tried(ROOT, toy.check).returncode != 0, "the check passes without the addition"


def tried(checkout: Path, check: str) -> "subprocess.CompletedProcess[str]":
    path = os.pathsep.join([str(checkout), str(ROOT / "tests")])
    return subprocess.run(
        [sys.executable, "-c", BUILDERS + check],
        cwd=checkout,
        env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
