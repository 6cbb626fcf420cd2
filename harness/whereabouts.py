"""Where the user's own checkpoints and data lie that the tables in a results folder show.

Names that are published do not tell two folders or two files of one name apart. Paths do, but they
are the business of one machine: a digest of them is kept beside the store, which stays there.
"""

import contextlib
import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.plan import published_names
from harness.run_store import write_atomically
from harness.spec import Suite

FILE = Path("runs", ".folders.json")
"""Within a results folder."""

Digests = frozenset[str]
"""Of the ways to a folder or file: its whole path, and its path from the results folder. The first
stays where results go elsewhere, the second where a project is moved with its results."""


@dataclass(frozen=True)
class Whereabouts:
    """Folders of checkpoints by published name, and data files by the data's fingerprint.

    What is missing lies in no folder of the user, or nobody knows where.
    """

    checkpoints: Mapping[str, Digests]
    data: Mapping[str, Digests]


NOWHERE = Whereabouts({}, {})


def whereabouts(suite: Suite, base: Path, results: Path, fingerprint: str | None) -> Whereabouts:
    """Return where a suite's checkpoints and data lie.

    Of the path as it was written, links not followed: what a link leads to may change as the
    content of a folder may.

    Args:
        base: folder that relative paths of the suite start from.
        results: the suite's results folder.
        fingerprint: the data's; None where they cannot be reached.
    """
    checkpoints = {}
    for name, published in published_names(suite).items():
        path = _path(name, base)
        if path is not None and Path(path).is_dir():
            checkpoints[published] = _digests(path, results)
    data = {}
    if fingerprint is not None and suite.dataset.source == "file":
        path = _path(str(suite.dataset.path), base)
        data = {} if path is None else {fingerprint: _digests(path, results)}
    return Whereabouts(checkpoints, data)


def remember(folder: Path, where: Whereabouts) -> None:
    """Keep beside a results folder's store where that lies which its tables show."""
    content = {
        "checkpoints": {name: sorted(found) for name, found in where.checkpoints.items()},
        "data": {fingerprint: sorted(found) for fingerprint, found in where.data.items()},
    }
    path, text = folder / FILE, json.dumps(content, indent=1).encode() + b"\n"
    if path.parent.is_dir() and not (path.exists() and path.read_bytes() == text):
        write_atomically(path, text)


def remembered(folder: Path) -> Whereabouts:
    """Return what was kept in a results folder; NOWHERE if nothing was."""
    try:
        known = json.loads((folder / FILE).read_bytes())
    except (OSError, ValueError, RecursionError):
        return NOWHERE
    if not isinstance(known, dict):
        return NOWHERE
    if all(isinstance(each, str) for each in known.values()):  # of checkpoints, by earlier versions
        return Whereabouts({name: frozenset((each,)) for name, each in known.items()}, {})
    return Whereabouts(_read(known.get("checkpoints")), _read(known.get("data")))


def _read(known: object) -> dict[str, Digests]:
    if not isinstance(known, dict):
        return {}
    return {
        name: frozenset(each for each in found if isinstance(each, str))
        for name, found in known.items()
        if isinstance(found, list)
    }


def _path(name: str, base: Path) -> str | None:
    with contextlib.suppress(OSError, RuntimeError, ValueError):  # of no file's name
        path = os.path.normpath(base.absolute() / Path(name).expanduser())
        return path if Path(path).exists() else None
    return None


def _digests(path: str, results: Path) -> Digests:
    ways = (path, os.path.relpath(path, os.path.realpath(results)))
    return frozenset(hashlib.sha256(os.fsencode(way)).hexdigest()[:16] for way in ways)
