"""The jobs of examples/ci gate a model repository: run by a shell, on a tiny model."""

import json
import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import yaml
from builders.ci_jobs import Finished, copy_tree, run_github, run_gitlab
from builders.commands import harness
from builders.tiny_checkpoints import SENTENCES, make_checkpoint

pytestmark = pytest.mark.sessions

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples" / "ci"
PROJECT = "YOUR-ORGANISATION/cola-finetuning-benchmark"
PAGE = {f"results/local/gate/leaderboard.{kind}" for kind in ("html", "md", "json")}


def loaded(name: str) -> dict[Any, Any]:
    content: dict[Any, Any] = yaml.safe_load((EXAMPLES / name).read_text(encoding="utf-8"))
    return content


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """This project as a repository of its own, which a job can clone."""
    made = tmp_path_factory.mktemp("project")

    def git(*arguments: str, cwd: Path = made) -> str:
        identity = ("-c", "user.name=a", "-c", "user.email=a@b.invalid")
        command = ["git", *identity, *arguments]
        return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=True).stdout

    listed = git("ls-files", "--cached", "--others", "--exclude-standard", cwd=ROOT).splitlines()
    copy_tree(ROOT, made, [name for name in listed if (ROOT / name).is_file()])
    git("init", "--quiet")
    git("add", "--all")
    git("commit", "--quiet", "--message", "as it is")
    return made


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model repository: a tiny encoder, its sentences and its gate, as docs/ci.md shows them."""
    made = tmp_path_factory.mktemp("repository")
    make_checkpoint("bert", made / "model")
    (made / "gate").mkdir()
    rows = [f'"{SENTENCES[n % len(SENTENCES)]} {n}",{n % 2}' for n in range(48)]
    rows = ["sentence,label", *rows]
    (made / "gate" / "sentences.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    suite = (EXAMPLES / "gate.toml").read_text(encoding="utf-8")
    suite = suite.replace("[1, 2, 3]", "[1]").replace("epochs = 3", "epochs = 1")
    (made / "gate" / "gate.toml").write_text(with_gate(suite, "-1"), encoding="utf-8")
    return made


def with_gate(suite: str, threshold: str) -> str:
    return re.sub(r"min_mcc = .*", f"min_mcc = {threshold}", suite)


@dataclass(frozen=True)
class Ran:
    """A job that ended, where it ran, and the cache that it left."""

    job: Finished
    workspace: Path
    cache: Path

    def junit(self) -> ElementTree.Element:
        return ElementTree.parse(self.workspace / "junit.xml").getroot()


@pytest.fixture(scope="module")
def first(repository: Path, project: Path, tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """The job for GitHub on an empty cache."""
    folder = tmp_path_factory.mktemp("github")
    cache = folder / "cache"
    checkouts = {"": repository, PROJECT: project}
    job = run_github(loaded("github.yml"), folder / "work", checkouts, cache)
    return Ran(job, folder / "work", cache)


@pytest.fixture(scope="module")
def second(
    first: Ran, repository: Path, project: Path, tmp_path_factory: pytest.TempPathFactory
) -> Ran:
    """The job for GitLab, in a checkout of its own at another path, with the store of the first."""
    folder = tmp_path_factory.mktemp("gitlab") / "elsewhere" / "deeper"
    cache = copy_tree(first.cache, folder / "cache")
    commit = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=project, capture_output=True, text=True, check=True
    ).stdout.strip()
    job = run_gitlab(
        loaded("gitlab.yml"),
        folder / "work",
        repository,
        cache,
        BENCHMARK_URL=project.as_uri(),
        BENCHMARK_COMMIT=commit,
    )
    return Ran(job, folder / "work", cache)


def test_a_model_that_reaches_its_gate_passes_and_leaves_what_the_job_uploads(first: Ran) -> None:
    assert first.job.code == 0, first.job.output
    assert "0 of 1 run finished before, 1 to train" in first.job.output
    assert {"junit.xml", *PAGE} <= set(first.job.uploaded)
    assert not [name for name in first.job.uploaded if "/runs/" in name]
    assert [case.get("name") for case in first.junit().iter("testcase")] == [
        "test_finetune[gate/model-bs16-lr5e-05]"
    ]
    summary = (first.workspace.parent / "work-summary.md").read_text(encoding="utf-8")
    assert "model" in summary
    assert "pass" in summary


def test_a_store_from_the_cache_is_not_trained_again_in_another_checkout(second: Ran) -> None:
    assert second.job.code == 0, second.job.output
    assert "1 of 1 run finished before, 0 to train" in second.job.output
    assert {"junit.xml", "summary.md", *PAGE} <= set(second.job.uploaded)
    assert not [name for name in second.job.uploaded if "/runs/" in name]
    assert "pass" in (second.workspace / "summary.md").read_text(encoding="utf-8")


def test_a_higher_gate_fails_the_job_without_training_and_still_uploads(
    first: Ran, repository: Path, project: Path, tmp_path: Path
) -> None:
    raised = copy_tree(repository, tmp_path / "raised")
    suite = raised / "gate" / "gate.toml"
    suite.write_text(with_gate(suite.read_text(encoding="utf-8"), "0.99"), encoding="utf-8")
    cache = copy_tree(first.cache, tmp_path / "cache")
    checkouts = {"": raised, PROJECT: project}
    job = run_github(loaded("github.yml"), tmp_path / "work", checkouts, cache)
    ran = Ran(job, tmp_path / "work", cache)
    assert job.code == 1, job.output
    assert "1 of 1 run finished before, 0 to train" in job.output
    assert {"junit.xml", *PAGE} <= set(job.uploaded)
    assert ran.junit().findall(".//failure")
    assert "fail" in (tmp_path / "work-summary.md").read_text(encoding="utf-8")


def to_train(repository: Path, store: Path) -> list[str]:
    """Return the state of each run that a session on this checkout would find."""
    results = store / "results" / "local"
    suite = str(repository / "gate" / "gate.toml")
    done = harness("plan", "--suite", suite, "--results-dir", str(results), "--json")
    assert done.code == 0, done.err
    return [run["state"] for suite in json.loads(done.out)["suites"] for run in suite["runs"]]


def test_what_changes_a_run_trains_it_again_and_nothing_else_does(
    first: Ran, repository: Path, tmp_path: Path
) -> None:
    same = copy_tree(repository, tmp_path / "same")
    for path in same.rglob("*"):
        os.utime(path, (1_000_000_000, 1_000_000_000))
    (same / "model" / "README.md").write_text("Not read by a run.", encoding="utf-8")
    link = tmp_path / "link"
    link.symlink_to(same)
    assert to_train(same, first.cache) == to_train(link, first.cache) == ["finished"]

    weights = copy_tree(repository, tmp_path / "weights")
    make_checkpoint("bert", weights / "model", seed=2)
    data = copy_tree(repository, tmp_path / "data")
    with (data / "gate" / "sentences.csv").open("a", encoding="utf-8") as file:
        file.write("the lamps are bright today,1\n")
    settings = copy_tree(repository, tmp_path / "settings")
    suite = settings / "gate" / "gate.toml"
    text = suite.read_text(encoding="utf-8").replace("epochs = 1", "epochs = 2")
    suite.write_text(text, encoding="utf-8")
    for changed in (weights, data, settings):
        assert to_train(changed, first.cache) == ["to train"], changed.name


def test_the_documented_suite_is_the_file_of_the_example() -> None:
    text = (ROOT / "docs" / "ci.md").read_text(encoding="utf-8")
    assert f"```toml\n{(EXAMPLES / 'gate.toml').read_text(encoding='utf-8')}```\n" in text


def test_the_project_s_address_and_commit_are_evidently_placeholders() -> None:
    (checkout,) = [
        step["with"]
        for step in loaded("github.yml")["jobs"]["gate"]["steps"]
        if "repository" in step.get("with", {})
    ]
    variables = loaded("gitlab.yml")["train-gate"]["variables"]
    assert "YOUR-" in checkout["repository"]
    assert "YOUR-" in variables["BENCHMARK_URL"]
    assert checkout["ref"] == variables["BENCHMARK_COMMIT"] == "0" * 40
