"""Nothing that came with a checkpoint or from the network is executed, and no secret gets out."""

import ast
import json
import os
import pickle
import subprocess
import sys
import traceback
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from builders.hub_server import HubServer, forget_environment, serve
from builders.jobs import execute_ok, file_spec, make_job, sentences, write_rows
from builders.tiny_checkpoints import make_checkpoint
from builders.waiting import UNREACHABLE
from hypothesis import given
from hypothesis import strategies as st
from transformers.utils.import_utils import KERNELS_MIN_VERSION

from harness.errors import BadInput, Unavailable
from harness.inputs import checkpoints, hub
from harness.inputs.data import cola_hub
from harness.inputs.hub import Hub
from harness.redaction import redacted
from harness.suite.spec import DatasetSpec
from harness.training import worker
from harness.training.job import failure
from harness.training.loading import load_checkpoint
from harness.training.worker import execute

HARNESS = Path(__file__).parents[2] / "harness"
TREES = {path: ast.parse(path.read_text(encoding="utf-8")) for path in HARNESS.rglob("*.py")}


def calls() -> Iterator[tuple[Path, str, ast.Call]]:
    """Yield the file, the function's last name and the call itself of every call of the harness."""
    for path, tree in TREES.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call):
                name = getattr(node.func, "attr", getattr(node.func, "id", ""))
                yield path, name, node


def test_remote_code_is_trusted_nowhere_and_refused_wherever_something_is_loaded() -> None:
    loading = 0
    for path, name, call in calls():
        given = {keyword.arg: keyword.value for keyword in call.keywords}
        if "trust_remote_code" in given:
            value = given["trust_remote_code"]
            assert isinstance(value, ast.Constant), path
            assert value.value is False, path
        if name in ("from_pretrained", "pipeline") and "Embedding" not in ast.unparse(call.func):
            loading += 1
            assert "trust_remote_code" in given, f"{path}:{call.lineno}"
    assert loading >= 2


def test_nothing_is_unpickled_but_the_answers_of_our_own_workers() -> None:
    """And every model is loaded from safetensors, which hold numbers only."""
    for path, name, call in calls():
        source = ast.unparse(call.func)
        if source.startswith(("pickle.", "torch.load", "joblib.")) and "load" in name:
            assert path.parent.name == "executors", f"{path}:{call.lineno}"
        if name == "from_pretrained" and "Model" in source:
            safely = {keyword.arg: keyword.value for keyword in call.keywords}["use_safetensors"]
            assert isinstance(safely, ast.Constant), path
            assert safely.value is True, path


class Canary:
    """Notes that it was unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.path,))


@pytest.fixture
def data(tmp_path: Path) -> DatasetSpec:
    path = write_rows(tmp_path / "data.csv", sentences(40), [n % 2 for n in range(40)])
    return file_spec(path, 8)


@pytest.fixture
def hostile(tmp_path: Path) -> tuple[Path, Path]:
    """A checkpoint with pickled weights and code of its own, and the file that either makes."""
    canary = tmp_path / "executed"
    folder = make_checkpoint("bert", tmp_path / "hostile")
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps(Canary(canary)))
    code = f"from pathlib import Path\nPath({str(canary)!r}).touch()\n"
    models = {"AutoConfig": "code.Config", "AutoModelForSequenceClassification": "code.Model"}
    for file, names in (
        ("config.json", models),
        ("tokenizer_config.json", {"AutoTokenizer": ["code.Tokenizer", None]}),
    ):
        content = json.loads((folder / file).read_bytes())
        (folder / file).write_text(json.dumps({**content, "auto_map": names}))
    for name in ("code.py", "__init__.py", "modeling.py", "tokenization.py"):
        (folder / name).write_text(code)
    return folder, canary


def test_pickled_weights_and_code_beside_safetensors_are_left_alone(
    hostile: tuple[Path, Path], data: DatasetSpec, tmp_path: Path
) -> None:
    folder, canary = hostile
    assert pickle.loads((folder / "pytorch_model.bin").read_bytes()) is None
    assert canary.exists(), "the trap does not work"
    canary.unlink()
    execute_ok(make_job(folder, data, tmp_path))
    assert not canary.exists()


PLAINLY = """
import sys
from transformers import AutoModelForSequenceClassification
AutoModelForSequenceClassification.from_pretrained(sys.argv[1], local_files_only=True)
"""
HARNESSED = f"""
import sys
sys.path[:0] = {sys.path!r}
from pathlib import Path
from builders.jobs import execute_ok, file_spec, make_job
folder, rows, results = map(Path, sys.argv[1:])
execute_ok(make_job(folder, file_spec(rows, 8), results))
"""


@pytest.mark.sessions
@pytest.mark.parametrize(
    "asked",
    [
        {"attn_implementation": "kernels-community/flash-attn"},
        {"_attn_implementation": "someone/attention@main"},
        {"_attn_implementation": "flash_attention_2"},
    ],
    ids=str,
)
def test_no_attention_is_fetched_that_a_configuration_asks_for(
    data: DatasetSpec, tmp_path: Path, asked: dict[str, str]
) -> None:
    """With a stand-in for the package by which transformers fetches compiled code."""
    folder = make_checkpoint("bert", tmp_path / "checkpoint")
    config = json.loads((folder / "config.json").read_bytes())
    (folder / "config.json").write_text(json.dumps({**config, **asked}))
    canary, site = tmp_path / "imported", tmp_path / "site"
    (site / "kernels").mkdir(parents=True)
    (site / "kernels" / "__init__.py").write_text(
        f"from pathlib import Path\nPath({str(canary)!r}).touch()\n"
    )
    (site / f"kernels-{KERNELS_MIN_VERSION}.dist-info").mkdir()
    (site / f"kernels-{KERNELS_MIN_VERSION}.dist-info" / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: kernels\nVersion: {KERNELS_MIN_VERSION}\n"
    )

    def run(program: str, *arguments: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", program, str(folder), *map(str, arguments)],
            env={**os.environ, "PYTHONPATH": str(site), "HF_HUB_OFFLINE": "1"},
            capture_output=True,
            text=True,
            check=False,
        )

    assert run(PLAINLY).returncode != 0
    assert canary.exists(), "the trap does not work"
    canary.unlink()
    done = run(HARNESSED, data.path, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert not canary.exists()


def test_quantized_weights_are_refused(tmp_path: Path) -> None:
    folder = make_checkpoint("bert", tmp_path / "quantized")
    config = json.loads((folder / "config.json").read_bytes())
    config["quantization_config"] = {"quant_method": "bitsandbytes", "load_in_8bit": True}
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(BadInput, match="quantization_config: quantized weights are not fine-tuned"):
        checkpoints.resolve(str(folder), UNREACHABLE, tmp_path)


@pytest.mark.parametrize(
    ("file", "field", "value"),
    [
        ("config.json", "transformers_weights", "pytorch_model.bin"),
        ("tokenizer_config.json", "fast_tokenizer_files", ["tokenizer.json", "other.json"]),
    ],
)
def test_a_configuration_that_names_files_of_its_own_is_refused(
    hostile: tuple[Path, Path], tmp_path: Path, file: str, field: str, value: object
) -> None:
    folder, canary = hostile
    content = json.loads((folder / file).read_bytes())
    (folder / file).write_text(json.dumps({**content, field: value}))
    with pytest.raises(
        BadInput, match=rf"{file} has {field} .* the checkpoint's digest does not cover"
    ):
        checkpoints.resolve(str(folder), UNREACHABLE, tmp_path)
    (folder / file).write_text(json.dumps({**content, field: None}))
    checkpoints.resolve(str(folder), UNREACHABLE, tmp_path)
    assert not canary.exists()


def test_an_adapter_beside_the_weights_is_refused(tmp_path: Path) -> None:
    folder = make_checkpoint("bert", tmp_path / "adapted")
    (folder / "adapter_config.json").write_text('{"base_model_name_or_path": "org/elsewhere"}')
    with pytest.raises(BadInput, match=r"adapter_config.json is in the folder"):
        checkpoints.resolve(str(folder), UNREACHABLE, tmp_path)


def test_pickled_weights_alone_are_refused(hostile: tuple[Path, Path], tmp_path: Path) -> None:
    folder, canary = hostile
    (folder / "model.safetensors").unlink()
    with pytest.raises(BadInput, match=r"pytorch_model.bin, which the harness never loads"):
        checkpoints.resolve(str(folder), UNREACHABLE, tmp_path)
    assert not canary.exists()


def test_pickled_weights_that_take_the_place_of_others_later_are_not_loaded(
    hostile: tuple[Path, Path], data: DatasetSpec, tmp_path: Path
) -> None:
    folder, canary = hostile
    job = make_job(folder, data, tmp_path)
    (folder / "model.safetensors").unlink()
    assert execute(job).record.status == "failed"
    assert not canary.exists()


# Secrets

PASSWORD = "hunter2-and-more"
TOKEN = "hf_QwErTyUiOpAsDfGhJkLz"
KEY = "0123456789abcdef-secret"


@pytest.fixture
def secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    monkeypatch.setenv("WANDB_API_KEY", KEY)


@pytest.fixture
def server(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, secrets: None
) -> Iterator[tuple[HubServer, Hub]]:
    """A hub that asks for a password, which its address holds."""
    forget_environment(monkeypatch, cache=tmp_path / "cache")
    monkeypatch.setattr(checkpoints, "RETRY_PAUSES_SECONDS", (0.0, 0.0))
    with serve() as running:
        endpoint = running.endpoint.replace("://", f"://someone:{PASSWORD}@")
        monkeypatch.setenv("HF_ENDPOINT", endpoint)
        yield running, Hub(endpoint, reachable=True, reason=None)


def assert_no_secret(text: str) -> None:
    for secret in (PASSWORD, TOKEN, KEY):
        assert secret not in text


@pytest.mark.parametrize("status", [401, 403, 404, 418, 429, 500])
def test_no_message_about_a_hub_shows_its_password(
    server: tuple[HubServer, Hub], status: int, tmp_path: Path
) -> None:
    running, reached = server
    running.fail("", times=100, status=status)
    found = hub.probe(20.0)
    assert_no_secret(f"{found.reason} {found.address}")
    assert "127.0.0.1" in found.address
    told = []
    for attempt in (
        lambda: checkpoints.resolve("org/tiny", reached, tmp_path),
        lambda: cola_hub.pin(reached),
    ):
        with pytest.raises((BadInput, Unavailable)) as raised:
            attempt()
        told.append(str(raised.value))
    assert "127.0.0.1" in told[0]
    assert_no_secret(" ".join(told))


@pytest.mark.parametrize(
    "endpoint",
    [f"someone:{PASSWORD}@hub.example", f"ftp://{PASSWORD}@hub", f"http://me:{PASSWORD}@[::1"],
)
def test_an_address_that_is_none_is_shown_without_its_password(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, endpoint: str
) -> None:
    forget_environment(monkeypatch, cache=tmp_path)
    monkeypatch.setenv("HF_ENDPOINT", endpoint)
    reason = hub.probe(20.0).reason
    assert reason is not None
    assert "HF_ENDPOINT is not" in reason
    assert_no_secret(reason)


def test_neither_record_nor_log_of_a_failed_run_shows_a_secret(
    secrets: None, data: DatasetSpec, tmp_path: Path
) -> None:
    secret = f"key={KEY} token={TOKEN} https://me:{PASSWORD}@hub.example/x"
    job = make_job(make_checkpoint("bert", tmp_path / "bert"), data, tmp_path)
    assert_no_secret(failure(job, RuntimeError(secret)).model_dump_json())
    # A real error that shows what it was given: no device has such a name.
    result = execute(replace(job, source=replace(job.source, path=f"/{secret}")))
    log = (job.folder / "log.txt").read_text(encoding="utf-8")
    assert result.record.status == "failed"
    assert "Traceback" in log
    assert_no_secret(result.record.model_dump_json() + log)


def test_what_libraries_print_of_a_secret_is_not_left_in_the_log(
    secrets: None, data: DatasetSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Straight to the descriptor, as C libraries do."""
    secret = f"key={KEY} token={TOKEN} https://me:{PASSWORD}@hub.example/x \udc80"
    job = make_job(make_checkpoint("bert", tmp_path / "bert"), data, tmp_path)

    def telling(*given: Any) -> Any:
        os.write(2, os.fsencode(secret))
        return load_checkpoint(*given)

    monkeypatch.setattr(worker, "load_checkpoint", telling)
    execute_ok(job)
    log = (job.folder / "log.txt").read_text(encoding="utf-8")
    assert "https://***@hub.example/x" in log
    assert_no_secret(log)


# No environment holds a NUL; and of a secret of asterisks nobody could tell that it is masked.
letters = st.characters(codec="utf-8", exclude_characters="\0*")


@given(st.text(), st.text(), st.text(letters, min_size=8))
def test_a_secret_is_masked_wherever_it_stands(before: str, after: str, secret: str) -> None:
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("MY_SECRET", secret)
        assert secret not in redacted(before + secret + after)


def test_what_is_no_secret_stays_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHORT_TOKEN", "true")
    text = "checkpoint 'package:x/y@main' at https://hub.example/org/x@v1: true, me@example.org"
    assert redacted(text) == text
    error = Unavailable(f"https://me:{PASSWORD}@hub/x is gone", "try again")
    assert_no_secret("".join(traceback.format_exception(error)) + error.reason + str(error))
    assert pickle.loads(pickle.dumps(error)).reason == error.reason == "https://***@hub/x is gone"
    assert os.environ["SHORT_TOKEN"] == "true"
