"""Locations of the user's own checkpoints and data that the tables in a results folder show.

Published names do not distinguish two folders or files with the same name. Paths do, but must not
be published: a digest of each path is stored next to the run store, which stays on the machine.
"""

import contextlib
import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import TypeAdapter

from harness.inputs.split_files import file_names
from harness.store.run_store import write_atomically
from harness.suite.plan import published_names
from harness.suite.spec import Suite

FILE = Path("runs", ".folders.json")
"""Relative to a results folder."""

FORM = {"source", "class_names", "delimiter", "quoting"}
NOT_STORED = {
    "file": FORM | {"path", "train", "validation", "test"},
    "hub": FORM | {"name", "config", "revision"},
}
"""Settings that are part of the data's name, or may change with a new version of them, by source
of the data."""

Digests = frozenset[str]
"""Digests of a folder's or file's absolute path and of its path relative to the results folder. The
first stays valid if only the results move, the second if a project moves with its results."""


@dataclass(frozen=True)
class Locations:
    """Folders of checkpoints by published name, and data files by the data's fingerprint.

    Only checkpoints in a user's folder, and data whose path the suite names, have an entry, if it
    is known. `settings` has the data's settings in the suite file, without defaults, by
    fingerprint; earlier versions stored none.
    """

    checkpoints: Mapping[str, Digests]
    data: Mapping[str, Digests]
    settings: Mapping[str, str] = field(default_factory=dict)


NO_LOCATIONS = Locations({}, {})


def find_locations(suite: Suite, base: Path, results: Path, fingerprint: str | None) -> Locations:
    """Return the locations of a suite's checkpoints and data.

    Links in a path are not followed: the target of a link may change, as the content of a folder
    may.

    Args:
        base: folder to which the suite's paths are relative.
        results: the suite's results folder.
        fingerprint: the data's; None if the data cannot be reached.
    """
    checkpoints = {}
    for name, published in published_names(suite).items():
        path = _path(name, base)
        if path is not None and Path(path).is_dir():
            checkpoints[published] = _digests([path], results)
    data, settings = {}, {}
    if fingerprint is not None:
        apart = NOT_STORED.get(suite.dataset.source, FORM)
        given = suite.dataset.model_dump(mode="json", exclude=apart, exclude_defaults=True)
        settings = {fingerprint: ", ".join(f"{name} {given[name]}" for name in sorted(given))}
        files = [] if suite.dataset.source == "hub" else file_names(suite.dataset)
        paths = [_path(name, base) for name in files]
        found = [path for path in paths if path is not None]
        if found and len(found) == len(paths):
            data = {fingerprint: _digests(found, results)}
    return Locations(checkpoints, data, settings)


def store_locations(folder: Path, where: Locations) -> None:
    """Store the locations of a results folder's checkpoints and data next to its run store."""
    content = {
        "checkpoints": {name: sorted(found) for name, found in where.checkpoints.items()},
        "data": {fingerprint: sorted(found) for fingerprint, found in where.data.items()},
        "settings": dict(where.settings),
    }
    path, text = folder / FILE, json.dumps(content, indent=1).encode() + b"\n"
    if path.parent.is_dir() and not (path.exists() and path.read_bytes() == text):
        write_atomically(path, text)


def stored_locations(folder: Path) -> Locations:
    """Return the locations stored in a results folder; NO_LOCATIONS if there are none."""
    # Earlier versions stored one digest of each checkpoint only.
    schema: TypeAdapter[dict[str, str] | Locations] = TypeAdapter(dict[str, str] | Locations)
    try:
        known = schema.validate_json((folder / FILE).read_bytes())
    except (OSError, ValueError):
        return NO_LOCATIONS
    if isinstance(known, Locations):
        return known
    return Locations({name: frozenset((digest,)) for name, digest in known.items()}, {})


def _path(name: str, base: Path) -> str | None:
    with contextlib.suppress(OSError, RuntimeError, ValueError):  # not a valid file name
        path = os.path.normpath(base.absolute() / Path(name).expanduser())
        return path if Path(path).exists() else None
    return None


def _digests(paths: Sequence[str], results: Path) -> Digests:
    """Return digests of one path, or of all paths of a data set together."""
    folder = os.path.realpath(results)
    ways = (paths, [os.path.relpath(path, folder) for path in paths])
    joined = (b"\0".join(map(os.fsencode, each)) for each in ways)
    return frozenset(hashlib.sha256(each).hexdigest()[:16] for each in joined)
