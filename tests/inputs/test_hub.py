"""The probe says in time whether a hub answers; the loopback hub satisfies the real clients."""

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import huggingface_hub
import pytest
from builders.hub_server import HubServer, forget_environment, glue_repository, run_client, serve
from huggingface_hub import constants
from huggingface_hub.errors import EntryNotFoundError, RepositoryNotFoundError

from harness.inputs.hub import probe, when_asked

PLENTY = 20.0  # seconds, for answers that come at once


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """An environment that says nothing about a hub."""
    forget_environment(monkeypatch, cache=tmp_path / "cache")
    return monkeypatch


@pytest.fixture
def server(environment: pytest.MonkeyPatch) -> Iterator[HubServer]:
    with serve() as server:
        environment.setenv("HF_ENDPOINT", f"{server.endpoint}/")
        yield server


def test_a_hub_that_answers_is_reachable_after_one_request(server: HubServer) -> None:
    found = probe(PLENTY)
    assert (found.endpoint, found.reachable, found.reason) == (server.endpoint, True, None)
    assert server.requests == ["GET /api/models?limit=1"]


@pytest.mark.parametrize("status", [401, 429])
def test_a_hub_that_wants_a_token_or_patience_is_reachable(server: HubServer, status: int) -> None:
    server.fail("/api/models", status=status)
    assert probe(PLENTY).reachable


@pytest.mark.parametrize("status", [403, 500, 503])
def test_a_refusal_or_a_server_error_is_named_by_its_status(server: HubServer, status: int) -> None:
    server.fail("/api/models", status=status)
    assert probe(PLENTY).reason == f"{server.endpoint} answered {status}"
    assert len(server.requests) == 1


@pytest.mark.parametrize("status", [200, 404])
def test_a_login_page_or_a_gateway_is_not_taken_for_a_hub(server: HubServer, status: int) -> None:
    server.fail("/api/models", status=status, headers={"Content-Type": "text/html"})
    reason = probe(PLENTY).reason
    assert reason == f"{server.endpoint} answered {status} with text/html, not a hub's JSON"


def test_a_hub_that_was_given_up_before_anything_asked_stays_unreachable(server: HubServer) -> None:
    hub = when_asked()
    hub.give_up("no answer")
    assert hub.endpoint == server.endpoint
    assert (hub.reachable, hub.reason) == (False, "no answer")


def test_a_server_that_never_answers_costs_no_more_than_the_time_limit(server: HubServer) -> None:
    server.fail("/api/models", hang=True)
    assert probe(0.2).reason == f"no answer from {server.endpoint} within 0.2 s"


def test_a_name_look_up_that_hangs_holds_up_neither_the_probe_nor_the_end_of_the_process(
    tmp_path: Path,
) -> None:
    output = run_client(
        "import socket, threading\n"
        "from harness.inputs.hub import probe\n"
        "socket.getaddrinfo = lambda *_, **__: threading.Event().wait()\n"
        "print(probe(0.2).reason)\n",
        "http://hub.invalid",
        home=tmp_path,
        limit_seconds=20.0,
    )
    assert output == "no answer from http://hub.invalid within 0.2 s\n"


def test_a_name_that_does_not_resolve_is_said_so(environment: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    environment.setenv("HF_ENDPOINT", "http://hub.invalid")
    environment.setattr(socket, "getaddrinfo", unknown)
    assert probe(PLENTY).reason == "http://hub.invalid: name not resolved"


def test_a_closed_port_is_said_so(environment: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:  # bound and not listening, so nothing else can answer there
        taken.bind(("127.0.0.1", 0))
        endpoint = f"http://127.0.0.1:{taken.getsockname()[1]}"
        environment.setenv("HF_ENDPOINT", endpoint)
        assert probe(PLENTY).reason == f"{endpoint}: connection refused"


@pytest.mark.parametrize(
    "variable", ["HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE", "TRANSFORMERS_OFFLINE"]
)
@pytest.mark.parametrize("value", ["1", "true", "ON"])
def test_offline_mode_is_obeyed_without_a_request(
    server: HubServer, environment: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    environment.setenv(variable, value)
    assert probe(PLENTY).reason == f"offline mode is set by {variable}"
    assert server.requests == []


@pytest.mark.parametrize("value", ["0", "", "no"])
def test_an_offline_variable_that_is_off_is_no_offline_mode(
    server: HubServer, environment: pytest.MonkeyPatch, value: str
) -> None:
    environment.setenv("HF_HUB_OFFLINE", value)
    assert probe(PLENTY).reachable


def test_offline_mode_that_the_client_library_has_already_read_is_obeyed(
    server: HubServer, environment: pytest.MonkeyPatch
) -> None:
    environment.setattr(constants, "HF_HUB_OFFLINE", True)
    assert "offline mode was set by HF_HUB_OFFLINE" in str(probe(PLENTY).reason)
    assert server.requests == []


@pytest.mark.parametrize("endpoint", ["hub.example", "ftp://hub.example", "http://", "http://[::1"])
def test_an_endpoint_that_is_no_address_is_shown(
    environment: pytest.MonkeyPatch, endpoint: str
) -> None:
    environment.setenv("HF_ENDPOINT", endpoint)
    found = probe(PLENTY)
    assert not found.reachable
    assert found.reason == (
        f"HF_ENDPOINT is not an http or https address: {endpoint.rstrip('/')!r}"
    )


def test_without_an_endpoint_the_hub_is_the_client_librarys(
    environment: pytest.MonkeyPatch,
) -> None:
    environment.setenv("HF_HUB_OFFLINE", "1")
    environment.setattr(constants, "ENDPOINT", "https://huggingface.co")
    assert probe(PLENTY).endpoint == "https://huggingface.co"


def test_load_dataset_reads_glue_from_the_loopback_hub(tmp_path: Path) -> None:
    splits = {
        "train": [("The clock on the wall is slow.", 1), ("The clock on wall the is slow.", 0)] * 3,
        "validation": [("Nobody has seen herself in it.", 0), ("Everybody likes soup.", 1)],
        "test": [("A ladder leans on the shed.", -1)],
    }
    repository = glue_repository(tmp_path / "glue", **splits)
    with serve() as server:
        commit = server.add_dataset("nyu-mll/glue", repository)
        output = run_client(
            "import json, datasets\n"
            f"data = datasets.load_dataset('nyu-mll/glue', 'cola', revision={commit!r})\n"
            "rows = {split: [list(row.values()) for row in data[split]] for split in data}\n"
            "names = data['train'].features['label'].names\n"
            "dtypes = {k: v.dtype for k, v in data['train'].features.items()}\n"
            "print(json.dumps([rows, names, dtypes]))\n",
            server.endpoint,
            home=tmp_path / "home",
        )
        assert server.count("GET .*parquet") == len(splits)
    rows, names, dtypes = json.loads(output)
    assert rows == {
        split: [[sentence, label, idx] for idx, (sentence, label) in enumerate(examples)]
        for split, examples in splits.items()
    }
    assert names == ["unacceptable", "acceptable"]
    assert dtypes == {"sentence": "string", "label": "int64", "idx": "int32"}


def test_snapshot_download_gets_every_file_of_a_revision(server: HubServer, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    (folder / "sub" / "deep").mkdir(parents=True)
    contents = {"config.json": b"{}", "sub/deep/a b.txt": b"one", "model.safetensors": bytes(999)}
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    commit = server.add_model("org/tiny", folder)
    (folder / "config.json").write_bytes(b'{"changed": true}')
    assert server.add_model("org/tiny", folder, revision="next") != commit
    found = Path(huggingface_hub.snapshot_download("org/tiny", endpoint=server.endpoint))
    assert found.name == commit
    assert {name: (found / name).read_bytes() for name in contents} == contents


def test_a_file_cut_off_in_the_middle_is_resumed_by_range(
    server: HubServer, tmp_path: Path
) -> None:
    content = bytes(range(256)) * 8
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "model.safetensors").write_bytes(content)
    server.add_model("tiny", tmp_path / "model")
    server.fail("GET .*safetensors", half=True)
    found = huggingface_hub.hf_hub_download("tiny", "model.safetensors", endpoint=server.endpoint)
    assert Path(found).read_bytes() == content
    assert server.count("GET .*safetensors") == 2


def test_listings_have_the_shape_that_the_api_client_reads(
    server: HubServer, tmp_path: Path
) -> None:
    (tmp_path / "repo" / "cola").mkdir(parents=True)
    (tmp_path / "repo" / "README.md").write_text("hello\n")
    (tmp_path / "repo" / "cola" / "train.parquet").write_bytes(b"PAR1")
    commit = server.add_dataset("org/data", tmp_path / "repo")
    api = huggingface_hub.HfApi(endpoint=server.endpoint)
    assert api.dataset_info("org/data").sha == commit
    tree = list(api.list_repo_tree("org/data", repo_type="dataset", recursive=True))
    assert {entry.path for entry in tree} == {"README.md", "cola", "cola/train.parquet"}
    root = list(api.list_repo_tree("org/data", repo_type="dataset"))
    assert {entry.path for entry in root} == {"README.md", "cola"}
    [file] = api.get_paths_info("org/data", ["README.md", "no"], repo_type="dataset")
    assert isinstance(file, huggingface_hub.RepoFile)
    # What `git hash-object` prints for a file of this one line.
    assert (file.size, file.blob_id) == (6, "ce013625030ba8dba906f756967f9e9ca394464a")
    with pytest.raises(RepositoryNotFoundError):
        api.model_info("org/data")
    with pytest.raises(EntryNotFoundError):
        list(api.list_repo_tree("org/data", "no", repo_type="dataset"))
