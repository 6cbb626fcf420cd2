"""Data set repositories of the loopback hub, and a client that reads suites' sections from it."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from datasets import ClassLabel, Dataset, Features, Value

from builders.hub_server import run_client

Rows = Sequence[tuple[str, int | str | None]]

CLIENT = """
import io, json, os, sys
from pathlib import Path
sys.stderr = io.StringIO()
from harness.errors import BadInput, Unavailable
from harness.inputs import data, hub
from harness.inputs.data.summary import summarize
from harness.suite.spec import DatasetSpec
probed = hub.probe()
results = []
for keys in json.loads(os.environ["SECTIONS"]):
    found = {}
    try:
        spec = DatasetSpec(source="hub", **keys)
        source = data.find(spec, None, probed, Path())
        found = dict(commit=source.revision, config=source.spec.config, here=data.is_here(source))
        if "ONLY_FIND" not in os.environ:
            loaded = data.load(source)
            named = data.with_classes(source, loaded)
            found |= dict(
                rows={
                    name: [[row["sentence"], row["label"], row["domain"]] for row in split]
                    for name, split in loaded.splits.items()
                },
                origin=loaded.origin, notes=loaded.notes, classes=named.spec.class_names,
                fingerprint=loaded.fingerprint, again=data.load(named).fingerprint,
                here=data.is_here(source), stderr=sys.stderr.getvalue(),
            )
    except BadInput as error:
        found |= dict(error="BadInput", problems=error.problems)
    except Unavailable as error:
        found |= dict(error="Unavailable", problems=[error.reason, error.way_out])
    results.append(found)
print(json.dumps(results))
"""


def sections_of_hub(
    endpoint: str, home: Path, *sections: Mapping[str, Any], **variables: str
) -> list[dict[str, Any]]:
    """Return what a new process finds for each `[dataset]` section: its rows, or its problems.

    Args:
        endpoint: value of HF_ENDPOINT.
        home: the folder of the caches.
        sections: keys besides `source`.
        variables: further environment variables; with ONLY_FIND, nothing is loaded.
    """
    output = run_client(
        CLIENT, endpoint, home, 120.0, **{"SECTIONS": json.dumps(sections), **variables}
    )
    found: list[dict[str, Any]] = json.loads(output)
    return found


def sentences(count: int, classes: Sequence[Any], start: int = 0) -> list[tuple[str, Any]]:
    """Make sentences that no other range has, of the classes in turn."""
    return [(f"Sentence {n}.", classes[n % len(classes)]) for n in range(start, start + count)]


def data_repository(
    folder: Path,
    configs: Mapping[str, Mapping[str, Rows]],
    *,
    classes: Sequence[str] | None = None,
    columns: tuple[str, str] = ("sentence", "label"),
    default: str | None = None,
) -> Path:
    """Write a data set repository of Parquet files: configurations, and splits of each.

    Args:
        classes: the names of a ClassLabel; None if labels are texts.
        columns: the names of the columns of sentences and labels.
        default: the configuration that the repository names as its default.
    """
    label = Value("string") if classes is None else ClassLabel(names=list(classes))
    features = Features({columns[0]: Value("string"), columns[1]: label, "extra": Value("int64")})
    card = "---\nconfigs:\n"
    for config, splits in configs.items():
        card += f"- config_name: {config}\n" + "  default: true\n" * (config == default)
        card += "  data_files:\n"
        for split, rows in splits.items():
            (folder / config).mkdir(parents=True, exist_ok=True)
            table = {
                columns[0]: [row[0] for row in rows],
                columns[1]: [row[1] for row in rows],
                "extra": [0] * len(rows),
            }
            Dataset.from_dict(table, features=features).to_parquet(
                str(folder / config / f"{split}.parquet")
            )
            card += f"  - split: {split}\n    path: {config}/{split}.parquet\n"
    (folder / "README.md").write_text(card + "---\n", encoding="utf-8")
    return folder
