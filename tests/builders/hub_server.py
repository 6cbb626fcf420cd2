"""A loopback server with the part of the Hugging Face hub's HTTP API that clients use.

It serves model and data set repositories from local folders to the real clients, counts their
requests, and can fail on request. In the same process, pass its address to the client:

    forget_environment(monkeypatch, cache=tmp_path / "cache")
    with serve() as server:
        server.add_model("org/tiny", folder)
        snapshot_download("org/tiny", endpoint=server.endpoint)
        assert server.count(r"GET /org/tiny/resolve/.*model.safetensors") == 1

`datasets` and `transformers` read HF_ENDPOINT when they are imported, so code that uses them runs
in a new process:

    glue_repository(tmp_path / "glue", train=[("A cat sleeps.", 1)], validation=[...], test=[...])
    with serve() as server:
        server.add_dataset("nyu-mll/glue", tmp_path / "glue")
        output = run_client(PROGRAM, server.endpoint, home=tmp_path / "home")

`server.fail(pattern, times=2, status=503)` answers the first two matching requests with 503;
`hang=True` gives no answer until the server stops, `half=True` cuts a file in the middle. Patterns
are regular expressions that are searched for in "METHOD /path?query".
"""

import hashlib
import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote

import huggingface_hub
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from huggingface_hub import constants

Json = dict[str, object]
Examples = Sequence[tuple[str, int]]

LFS_SUFFIXES = (".safetensors", ".bin", ".parquet")
API = re.compile(
    r"/api/(?P<kind>models|datasets)/(?P<id>[^/]+/[^/]+|[^/]+?)"
    r"(?:/(?P<action>revision|tree|paths-info)/(?P<revision>[^/]+)(?:/(?P<path>.*))?)?"
)
RESOLVE = re.compile(
    r"/(?:(?P<kind>datasets)/)?(?P<id>[^/]+(?:/[^/]+)?)/resolve/(?P<revision>[^/]+)/(?P<path>.+)"
)


@dataclass
class Fault:
    """A failure of the next `times` requests that match `pattern`."""

    pattern: re.Pattern[str]
    times: int
    status: int
    headers: dict[str, str]
    hang: bool
    half: bool


@dataclass(frozen=True)
class Commit:
    """The content of a folder when it was added, and its identifier `sha`."""

    sha: str
    files: dict[str, bytes]


@dataclass
class HubServer:
    """The repositories of a running server, and the requests that it received.

    Attributes:
        endpoint: address for HF_ENDPOINT or a client's `endpoint` argument.
        requests: every request so far, as "METHOD /path?query", in order of arrival.
    """

    endpoint: str
    requests: list[str] = field(default_factory=list)
    _repositories: dict[tuple[str, str], dict[str, Commit]] = field(default_factory=dict)
    _faults: list[Fault] = field(default_factory=list)
    _stopping: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add_model(self, name: str, folder: Path, revision: str = "main") -> str:
        """Serve the current content of `folder` as a revision of a model; returns its commit."""
        return self._add("models", name, folder, revision)

    def add_dataset(self, name: str, folder: Path, revision: str = "main") -> str:
        """Serve the current content of `folder` as a revision of a data set; returns its commit."""
        return self._add("datasets", name, folder, revision)

    def fail(
        self,
        pattern: str,
        *,
        times: int = 1,
        status: int = 500,
        headers: dict[str, str] | None = None,
        hang: bool = False,
        half: bool = False,
    ) -> None:
        """Fail the next `times` requests that match `pattern`: with `status`, `hang` or `half`."""
        fault = Fault(re.compile(pattern), times, status, headers or {}, hang, half)
        with self._lock:
            self._faults.append(fault)

    def count(self, pattern: str) -> int:
        """Return how many requests have matched `pattern` so far."""
        with self._lock:
            return sum(re.search(pattern, request) is not None for request in self.requests)

    def _add(self, kind: str, name: str, folder: Path, revision: str) -> str:
        files = {
            path.relative_to(folder).as_posix(): path.read_bytes()
            for path in folder.rglob("*")
            if path.is_file()
        }
        lines = "".join(f"{_git_id(files[path])} {path}\n" for path in sorted(files))
        commit = Commit(hashlib.sha1(lines.encode()).hexdigest(), files)
        revisions = self._repositories.setdefault((kind, name), {})
        revisions[revision] = revisions[commit.sha] = commit
        return commit.sha

    def _arrived(self, request: str) -> Fault | None:
        with self._lock:
            self.requests.append(request)
            for fault in self._faults:
                if fault.times > 0 and fault.pattern.search(request):
                    fault.times -= 1
                    return fault
        return None


@contextmanager
def serve(prefix: str = "") -> Iterator[HubServer]:
    """Run a hub without repositories on a free port of the loopback interface.

    Args:
        prefix: the beginning of all its paths, as of a mirror at `/mirrors/hub`; other paths give
            404.
    """
    server = _Server(("127.0.0.1", 0), _Handler)
    server.prefix = prefix
    hub = server.hub = HubServer(f"http://127.0.0.1:{server.server_port}{prefix}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield hub
    finally:
        hub._stopping.set()
        server.shutdown()
        thread.join()
        server.server_close()


def forget_environment(monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    """Remove hub, token, proxy and cache settings of huggingface_hub in this process; set `cache`.

    It reads the environment at import, so its constants are set as well.
    """
    for variable in (
        "HF_ENDPOINT",
        "HF_HUB_OFFLINE",
        "HF_DATASETS_OFFLINE",
        "TRANSFORMERS_OFFLINE",
    ):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(cache))
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_IMPLICIT_TOKEN", True)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_TELEMETRY", True)  # a separate request
    huggingface_hub.close_session()  # an open client may use a proxy


def run_client(
    program: str, endpoint: str, home: Path, limit_seconds: float = 120.0, **variables: str
) -> str:
    """Return the output of a Python program with `endpoint` as hub and an empty cache in `home`.

    Args:
        program: source code, run by this interpreter; it can import the harness.
        endpoint: value of HF_ENDPOINT.
        home: value of HF_HOME.
        limit_seconds: timeout; the program is then killed.
        variables: further environment variables.

    Raises:
        subprocess.TimeoutExpired: the program was killed.
        AssertionError: the program failed; the message is its error output.
    """
    kept = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith(("HF_", "HUGGING", "TRANSFORMERS_"))
        and not key.lower().endswith("_proxy")
    }
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={
            **kept,
            "HF_ENDPOINT": endpoint,
            "HF_HOME": str(home),
            "HF_HUB_DISABLE_PROGRESS_BARS": "1",
            "PYTHONPATH": str(Path(__file__).parents[2]),
            **variables,
        },
        capture_output=True,
        text=True,
        timeout=limit_seconds,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def glue_repository(folder: Path, *, train: Examples, validation: Examples, test: Examples) -> Path:
    """Write a data set repository with the layout of nyu-mll/glue and its "cola" configuration.

    Args:
        folder: where to write it; created if it does not exist.
        train, validation, test: sentences with labels 0 (unacceptable), 1 (acceptable) or -1
            (hidden, as in the test split of GLUE).
    """
    names = ["unacceptable", "acceptable"]
    features = {
        "sentence": {"dtype": "string", "_type": "Value"},
        "label": {"names": names, "_type": "ClassLabel"},
        "idx": {"dtype": "int32", "_type": "Value"},
    }
    schema = pa.schema(
        [("sentence", pa.string()), ("label", pa.int64()), ("idx", pa.int32())],
        metadata={"huggingface": json.dumps({"info": {"features": features}})},
    )
    splits = {"train": train, "validation": validation, "test": test}
    (folder / "cola").mkdir(parents=True, exist_ok=True)
    for split, examples in splits.items():
        columns = {
            "sentence": [sentence for sentence, _ in examples],
            "label": [label for _, label in examples],
            "idx": list(range(len(examples))),
        }
        table = pa.Table.from_pydict(columns, schema=schema)
        pq.write_table(table, folder / "cola" / f"{split}-00000-of-00001.parquet")
    sizes = "".join(
        f"  - name: {split}\n    num_bytes: 1\n    num_examples: {len(examples)}\n"
        for split, examples in splits.items()
    )
    paths = "".join(f"  - split: {split}\n    path: cola/{split}-*\n" for split in splits)
    (folder / "README.md").write_text(
        "---\n"
        "dataset_info:\n- config_name: cola\n  features:\n"
        "  - name: sentence\n    dtype: string\n"
        "  - name: label\n    dtype:\n      class_label:\n        names:\n"
        "          '0': unacceptable\n          '1': acceptable\n"
        "  - name: idx\n    dtype: int32\n"
        f"  splits:\n{sizes}"
        f"configs:\n- config_name: cola\n  data_files:\n{paths}"
        "---\n",
        encoding="utf-8",
    )
    return folder


def _git_id(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def _etag(name: str, content: bytes) -> str:
    # As in the hub: sha256 for files in large file storage, git's id for others.
    is_lfs = name.endswith(LFS_SUFFIXES)
    return hashlib.sha256(content).hexdigest() if is_lfs else _git_id(content)


def _entry(name: str, content: bytes) -> Json:
    """Return a file's entry in the listings `tree` and `paths-info`."""
    entry: Json = {
        "type": "file",
        "oid": _git_id(content),
        "size": len(content),
        "path": name,
    }
    if name.endswith(LFS_SUFFIXES):
        entry["lfs"] = {"oid": _etag(name, content), "size": len(content), "pointerSize": 134}
    return entry


def _listing(files: dict[str, bytes], under: str, recursive: bool) -> list[Json]:
    """Return the files and folders below a folder of a repository; "" is its root."""
    prefix = f"{under}/" if under else ""
    entries: dict[str, Json] = {}
    for name, content in sorted(files.items()):
        parts = name.removeprefix(prefix).split("/")
        if not name.startswith(prefix):
            continue
        for depth in range(1, len(parts) if recursive else min(2, len(parts))):
            path = prefix + "/".join(parts[:depth])
            entries[path] = {"type": "directory", "oid": "0" * 40, "size": 0, "path": path}
        if recursive or len(parts) == 1:
            entries[name] = _entry(name, content)
    return list(entries.values())


class _Server(ThreadingHTTPServer):
    hub: HubServer
    prefix = ""
    daemon_threads = True


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    half = False

    def do_GET(self) -> None:
        self._respond()

    def do_HEAD(self) -> None:
        self._respond()

    def do_POST(self) -> None:
        self._respond()

    def log_message(self, *_: object, **__: object) -> None:
        """Write nothing: tests read `HubServer.requests` instead."""

    def _respond(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        fault = self.server.hub._arrived(f"{self.command} {self.path}")
        self.half = fault is not None and fault.half
        if fault is not None and fault.hang:
            self.server.hub._stopping.wait()
            self.close_connection = True
        elif fault is not None and not fault.half:
            self._json({"error": "requested by the test"}, fault.status, fault.headers)
        else:
            self._route(parse_qs(body.decode()))

    def _route(self, form: dict[str, list[str]]) -> None:
        path = self.path.partition("?")[0]  # urlsplit would accept //host/path
        prefixed, path = path.startswith(self.server.prefix), path[len(self.server.prefix) :]
        if not prefixed:
            self._json({"error": "not found"}, 404)
        elif path == "/api/models":
            self._json([])
        elif match := API.fullmatch(path) or RESOLVE.fullmatch(path):
            self._repository(match, form)
        else:
            self._json({"error": "not found"}, 404)

    def _repository(self, match: re.Match[str], form: dict[str, list[str]]) -> None:
        parts = {key: unquote(value) for key, value in match.groupdict("").items()}
        kind, name = parts["kind"] or "models", parts["id"]
        revisions = self.server.hub._repositories.get((kind, name))
        commit = (revisions or {}).get(parts["revision"] or "main")
        if revisions is None:
            self._missing("RepoNotFound", "Repository not found")
        elif commit is None:
            self._missing("RevisionNotFound", f"Invalid rev id: {parts['revision']}")
        else:
            self._answer(parts.get("action", "resolve"), parts.get("path", ""), name, commit, form)

    def _answer(
        self, action: str, path: str, name: str, commit: Commit, form: dict[str, list[str]]
    ) -> None:
        if action == "resolve" and path in commit.files:
            self._file(path, commit)
        elif action == "resolve":
            self._missing("EntryNotFound", "Entry not found", {"X-Repo-Commit": commit.sha})
        elif action == "tree":
            recursive = "recursive=true" in self.path.lower()
            entries = _listing(commit.files, path, recursive)
            if path and not entries:
                self._missing("EntryNotFound", f"{path} does not exist")
            else:
                self._json(entries)
        elif action == "paths-info":
            listed = {str(file["path"]): file for file in _listing(commit.files, "", True)}
            self._json([listed[path] for path in form.get("paths", []) if path in listed])
        else:
            self._json(_about(name, commit))

    def _file(self, name: str, commit: Commit) -> None:
        content = commit.files[name]
        headers = {
            "ETag": f'"{_etag(name, content)}"',
            "X-Repo-Commit": commit.sha,
            "Accept-Ranges": "bytes",
            "Content-Type": "application/octet-stream",
        }
        match = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if match is None:
            return self._send(200, headers, content)
        start, size = int(match[1]), len(content)
        end = min(int(match[2] or size - 1), size - 1)
        if start >= size:
            return self._send(416, {"Content-Range": f"bytes */{size}"}, b"")
        headers["Content-Range"] = f"bytes {start}-{end}/{size}"
        return self._send(206, headers, content[start : end + 1])

    def _missing(self, code: str, message: str, headers: dict[str, str] | None = None) -> None:
        about = {"X-Error-Code": code, "X-Error-Message": message}
        self._json({"error": message}, 404, {**about, **(headers or {})})

    def _json(
        self, content: object, status: int = 200, headers: dict[str, str] | None = None
    ) -> None:
        kind = {"Content-Type": "application/json; charset=utf-8"}
        self._send(status, {**kind, **(headers or {})}, json.dumps(content).encode())

    def _send(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.half:
            body, self.close_connection = body[: len(body) // 2], True
        if self.command != "HEAD":
            self.wfile.write(body)


def _about(name: str, commit: Commit) -> Json:
    """Return the description of a repository for `model_info` and `dataset_info`."""
    return {
        "_id": commit.sha[:24],
        "id": name,
        "modelId": name,
        "author": name.partition("/")[0],
        "sha": commit.sha,
        "lastModified": "2024-01-01T00:00:00.000Z",
        "createdAt": "2024-01-01T00:00:00.000Z",
        "private": False,
        "gated": False,
        "disabled": False,
        "downloads": 0,
        "likes": 0,
        "tags": [],
        "siblings": [
            {"rfilename": path, "size": len(content), "blobId": _git_id(content)}
            for path, content in sorted(commit.files.items())
        ],
    }
