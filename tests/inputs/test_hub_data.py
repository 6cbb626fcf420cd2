"""Data sets of the hub, read by the real clients from the loopback hub."""

from pathlib import Path
from typing import Any

import pytest
from builders.hub_data import data_repository, sections_of_hub, sentences
from builders.hub_server import serve

NAMES = ["bad", "good"]
SPLITS = {
    "train": sentences(12, [0, 1]),
    "validation": sentences(6, [0, 1], 100),
    "test": sentences(4, [-1], 200),
}


def write(folder: Path, **files: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name.replace("__", ".")).write_text(content, encoding="utf-8")
    return folder


def expected(splits: dict[str, Any], **domains: str) -> dict[str, list[list[Any]]]:
    return {
        name: [[sentence, label, domains.get(name, "")] for sentence, label in rows]
        for name, rows in splits.items()
    }


@pytest.mark.parametrize("prefix", ["", "/mirrors/hub"])
@pytest.mark.parametrize("slash", ["", "/"])
def test_a_data_set_is_read_once_at_its_commit_and_later_without_the_hub(
    tmp_path: Path, prefix: str, slash: str
) -> None:
    section = {"name": "org/My-Data"}
    folder = data_repository(tmp_path / "repository", {"default": SPLITS}, classes=NAMES)
    with serve(prefix) as server:
        commit = server.add_dataset("org/My-Data", folder)
        endpoint = f"{server.endpoint}{slash}"
        [online] = sections_of_hub(endpoint, tmp_path / "home", section)
        assert server.count("GET .*parquet") == 3
        assert server.count(r"//") == 0
    [offline] = sections_of_hub(endpoint, tmp_path / "home", section)
    assert online == offline
    assert online["rows"] == expected(SPLITS)
    assert online["classes"] == NAMES
    assert (online["commit"], online["config"]) == (commit, "default")
    assert online["origin"] == f"org/My-Data@{commit}"
    assert online["fingerprint"] == online["again"]
    assert online["here"] is True
    assert online["stderr"] == ""
    assert online["notes"] == [
        "dataset.test has empty or hidden labels: its 4 test sentences are predicted, and not "
        "scored"
    ]


def test_keys_name_configuration_splits_columns_and_classes(tmp_path: Path) -> None:
    matched, other = sentences(4, [0, 1, 2], 100), sentences(4, [0, 1, 2], 200)
    plain = {"train": sentences(12, [0, 1, 2]), "dev": matched, "far": other}
    small = {"train": sentences(40, [0, 1]), "test": sentences(6, [0, 1], 300)}
    texts = {"train": sentences(12, ["no", "yes"])}
    with serve() as server:
        labelled = data_repository(
            tmp_path / "a",
            {"plain": plain, "small": small},
            classes=["x", "y", "z"],
            columns=("text", "kind"),
        )
        server.add_dataset("org/a", labelled)
        server.add_dataset("org/b", data_repository(tmp_path / "b", {"default": texts}))
        columns = {"text_column": "text", "label_column": "kind"}
        drawn, chosen, named, by_text = sections_of_hub(
            server.endpoint,
            tmp_path / "home",
            {"name": "org/a", "config": "small", "class_names": ["y", "x"], **columns},
            {"name": "org/a", "config": "plain", "validation": ["dev", "far"], **columns},
            {
                "name": "org/a",
                "config": "plain",
                "validation": {"near": "dev", "far": "far"},
                **columns,
            },
            {"name": "org/b", "class_names": ["no", "yes"], "validation_size": 4},
        )
    # The names keep their meaning in another order; without a split, validation is drawn.
    assert drawn["classes"] == ["y", "x"]
    assert drawn["rows"]["test"] == [[text, 1 - label, ""] for text, label in small["test"]]
    assert [len(drawn["rows"][name]) for name in ("train", "validation")] == [36, 4]
    assert chosen["rows"] == expected({"train": plain["train"], "validation": [*matched, *other]})
    assert chosen["classes"] == ["x", "y", "z"]
    assert [row[2] for row in named["rows"]["validation"]] == ["near"] * 4 + ["far"] * 4
    assert named["fingerprint"] == chosen["fingerprint"]
    assert len(by_text["rows"]["validation"]) == 4
    assert {label for _, label, _ in by_text["rows"]["train"]} == {0, 1}


def test_hidden_labels_of_the_hub_are_no_class_whose_name_is_minus_one(tmp_path: Path) -> None:
    splits = {
        "train": sentences(12, [0, 1, 2]),
        "validation": sentences(6, [2, 1, 0], 100),
        "test": sentences(4, [-1], 200),
    }
    names = ["-1", "0", "1"]
    with serve() as server:
        folder = data_repository(tmp_path / "a", {"default": splits}, classes=names)
        server.add_dataset("org/a", folder)
        [found] = sections_of_hub(server.endpoint, tmp_path / "home", {"name": "org/a"})
    assert found["rows"] == expected(splits)
    assert found["classes"] == names


def test_every_mistake_names_what_there_is_before_anything_is_downloaded(tmp_path: Path) -> None:
    with serve() as server:
        several = data_repository(
            tmp_path / "a", {"one": SPLITS, "two": {"main": SPLITS["train"]}}, classes=NAMES
        )
        commit = server.add_dataset("org/a", several)
        texts = {"train": sentences(40, ["no", "yes"]), "validation": sentences(6, ["no", "yes"])}
        server.add_dataset("org/b", data_repository(tmp_path / "b", {"default": texts}))
        cases: dict[str, dict[str, Any]] = {
            "dataset.config: not set; its configurations are 'one', 'two'": {"name": "org/a"},
            "dataset.config: 'three': no such one; its configurations are 'one', 'two'": {
                "name": "org/a",
                "config": "three",
            },
            "dataset.train: no split 'train'; there are 'main': name one of them": {
                "name": "org/a",
                "config": "two",
            },
            "dataset.validation[1]: no split 'dev'; there are 'train', 'validation', 'test'": {
                "name": "org/a",
                "config": "one",
                "validation": ["validation", "dev"],
            },
            "dataset.test: split 'train' is named by dataset.train, too": {
                "name": "org/a",
                "config": "one",
                "test": "train",
            },
            "dataset.validation_size: 0.3: the data set has a split validation": {
                "name": "org/a",
                "config": "one",
                "validation_size": 0.3,
            },
            "dataset.name: 'org/none': http": {"name": "org/none"},
            "dataset.revision: 'v9': org/a has no such revision": {
                "name": "org/a",
                "revision": "v9",
            },
        }
        found = sections_of_hub(server.endpoint, tmp_path / "home", *cases.values(), ONLY_FIND="1")
        assert server.count("parquet") == 0
        for problem, result in zip(cases, found, strict=True):
            assert result["error"] == "BadInput", problem
            assert problem in result["problems"][0]
        assert f"org/a@{commit}" in found[2]["problems"][0]
        hidden = {"train": sentences(12, [0, 1, -1]), "validation": SPLITS["validation"]}
        folder = data_repository(tmp_path / "c", {"default": hidden}, classes=NAMES)
        server.add_dataset("org/c", folder)
        same = data_repository(tmp_path / "d", {"default": SPLITS}, classes=["1", "01"])
        server.add_dataset("org/d", same)
        cases = {
            "split train, row 3: column 'label': -1 (4 rows, the first here); a label is": {
                "name": "org/c"
            },
            "'1', '01': the two class names must differ": {"name": "org/d"},
            "column 'label' has no class names; its values in train are 'no', 'yes': set": {
                "name": "org/b"
            },
            "no column 'text'; there are 'sentence', 'label', 'extra': set dataset.text_column": {
                "name": "org/b",
                "text_column": "text",
            },
            "column 'label': 'yes' (20 rows, the first here); a label is": {
                "name": "org/b",
                "class_names": ["no", "maybe"],
            },
            "has no class 'best', named in dataset.class_names; its classes are 'bad', 'good'": {
                "name": "org/a",
                "config": "one",
                "class_names": ["bad", "best"],
            },
        }
        found = sections_of_hub(server.endpoint, tmp_path / "home", *cases.values())
    for problem, result in zip(cases, found, strict=True):
        assert result["error"] == "BadInput", problem
        assert problem in " ".join(result["problems"])


def test_revisions_are_resolved_and_found_in_the_caches_without_the_hub(tmp_path: Path) -> None:
    older = data_repository(tmp_path / "1", {"default": SPLITS}, classes=NAMES)
    newer = data_repository(
        tmp_path / "2", {"default": {**SPLITS, "train": sentences(20, [0, 1])}}, classes=NAMES
    )
    with serve() as server:
        first = server.add_dataset("org/a", older, "v1")
        second = server.add_dataset("org/a", newer)
        sections = [
            {"name": "org/a"},
            {"name": "org/a", "revision": first},
            {"name": "org/a", "revision": "v1"},
        ]
        online = sections_of_hub(server.endpoint, tmp_path / "home", *sections)
        assert [each["commit"] for each in online] == [second, first, first]
        requests = len(server.requests)
        server.fail("", times=1000, status=503)
        failing = sections_of_hub(server.endpoint, tmp_path / "home", *sections)
        assert len(server.requests) > requests
    offline = sections_of_hub(
        server.endpoint,
        tmp_path / "home",
        *sections,
        {"name": "org/a", "revision": "v2"},
        {"name": "org/b"},
        HF_HUB_OFFLINE="1",
    )
    assert online == failing == offline[:3]
    for result in offline[3:]:
        assert result["error"] == "Unavailable"
        assert "offline mode is set by HF_HUB_OFFLINE" in result["problems"][0]
        assert "no copy of it in the cache" in result["problems"][0]


def test_without_a_name_several_copies_are_not_confused_when_the_hub_is_away(
    tmp_path: Path,
) -> None:
    with serve() as server:
        folder = data_repository(
            tmp_path / "a", {"one": SPLITS, "two": SPLITS}, classes=NAMES, default="two"
        )
        server.add_dataset("org/a", folder)
        sections = {"name": "org/a"}, {"name": "org/a", "config": "one"}
        online = sections_of_hub(server.endpoint, tmp_path / "home", *sections)
    assert [each["config"] for each in online] == ["two", "one"]
    assert online[1]["origin"].endswith(" (one)")
    offline = sections_of_hub(server.endpoint, tmp_path / "home", *sections)
    assert offline[0]["error"] == "Unavailable"
    assert "copies of several configurations, one, two" in offline[0]["problems"][0]
    assert offline[1] == online[1]


def test_nothing_but_data_files_of_this_data_set_is_read(tmp_path: Path) -> None:
    """Scripts, other repositories and other formats are refused in words, and nothing is run."""
    trap = tmp_path / "trap"
    script = f"open({str(trap)!r}, 'w').close()\n"
    rows = "sentence,label\n" + "".join(f"Sentence {n}.,{n % 2}\n" for n in range(40))
    elsewhere = "---\nconfigs:\n- config_name: default\n  data_files: {}\n---\n"
    names = {"class_names": ["0", "1"]}
    with serve() as server:
        folders = {
            "script": write(tmp_path / "script", script__py=script, a__csv=rows),
            "other": write(
                tmp_path / "other", README__md=elsewhere.format("hf://datasets/org/plain/a.csv")
            ),
            "local": write(
                tmp_path / "local", README__md=elsewhere.format(tmp_path / "secret.csv")
            ),
            "images": write(tmp_path / "images", a__txt="Words.\n"),
            "broken": write(tmp_path / "broken", a__json='{"sentence": "A", '),
            "plain": write(tmp_path / "plain", a__csv=rows),
        }
        write(tmp_path, secret__csv=rows)
        for name, folder in folders.items():
            server.add_dataset(f"org/{name}", folder)
        found = dict(
            zip(
                folders,
                sections_of_hub(
                    server.endpoint,
                    tmp_path / "home",
                    *({"name": f"org/{name}", **names} for name in folders),
                ),
                strict=True,
            )
        )
    assert not trap.exists()
    assert len(found["plain"]["rows"]["train"]) == 36
    problems = {name: found[name]["problems"][0] for name in folders if name != "plain"}
    assert {found[name]["error"] for name in problems} == {"BadInput"}
    assert "scripts are no longer supported" in problems["script"]
    assert "Data files don't belong to org/other" in problems["other"]
    assert "Data files don't belong to org/local" in problems["local"]
    assert "its files are of the format 'text'; allowed are arrow, csv" in problems["images"]
    assert "its data files cannot be read" in problems["broken"]


def test_a_hub_that_refuses_the_files_leaves_the_data_unavailable(tmp_path: Path) -> None:
    with serve() as server:
        folder = data_repository(tmp_path / "a", {"default": SPLITS}, classes=NAMES)
        server.add_dataset("org/a", folder)
        server.fail(r"\.parquet", times=1000, status=403)
        [result] = sections_of_hub(server.endpoint, tmp_path / "home", {"name": "org/a"})
    assert result["error"] == "Unavailable"
    assert "HF_ENDPOINT" in result["problems"][1]
