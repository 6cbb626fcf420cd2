"""Where a checkpoint's files come from: a package and its version, a commit on the hub, a folder.

A folder exists on one machine only, so the origin that its own files state is included too. These
files may contain any text: it is shortened to one line, without local paths, and is never a link.
"""

import importlib.metadata
import inspect
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from harness.inputs.checkpoint_files import CONFIG
from harness.redaction import redacted
from harness.text import one_line

CARD = "README.md"

IN_CARD = ("base_model", "model_name")
IN_CONFIG = ("_name_or_path", "base_model")
"""Fields of a card's front matter, and of a configuration, that may state a model's origin."""

FILES = {CARD: "model card", CONFIG: "configuration"}

MOST_BYTES = 64 * 2**10
"""Bytes read of a file: front matter and configurations are shorter."""

MOST_CHARACTERS = 100
MOST_VALUES = 3
"""Characters and values shown of one field."""

NO_PATH = re.compile(
    r"(?!\.)[\w.+-]+/(?!\.)[\w.+-]+(@[\w.-]+)?|https?://\S+|(?!\.)[^/\\~$:%@]*", re.IGNORECASE
)
"""A name on the hub, an address, or words without the characters of paths and user names.

A path means nothing on another machine, and may contain a user's name.
"""


class Origin(BaseModel):
    """Where a checkpoint's files come from.

    `name` is the package's distribution (its name for pip), or the repository on the hub;
    `version` the package's version, or the hub's commit; `path` the folder inside the package. None
    if unknown. `says` is the origin that the files state, by file and field, unverified.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: Literal["package", "hub", "folder"]
    name: str | None = None
    version: str | None = None
    path: str | None = None
    says: dict[str, str] = {}

    def in_words(self) -> str:
        """Return the origin as one line for a terminal; in Markdown it must be escaped."""
        version = "" if self.version is None else f" {self.version}"
        match self.source:
            case "package":
                place = "" if self.path is None else f", folder {self.path}"
                known = f"package {self.name}{version or ' (version not known)'}{place}"
            case "hub":
                known = f"hub {self.name}" + (version and f", commit{version}")
            case "folder":
                known = "a folder"
        ending = ", whose files name no source" if self.source == "folder" else ""
        if self.says:
            named = (_named(field, value) for field, value in self.says.items())
            ending = f"; {', '.join(named)}; not verified"
        return _shown(known + ending, 4 * MOST_CHARACTERS)


def _named(field: str, value: str) -> str:
    """Return what a file states about the origin; a configuration often keeps its parent's name."""
    file = field.split(",")[0]
    if file == CONFIG:
        return (
            f"its configuration names {value} ({field}), often the model that a checkpoint was "
            "made from, not the checkpoint itself"
        )
    return f"its {FILES.get(file, file)} names as its source: {value} ({field})"


def origin_of(name: str, folder: Path, revision: str | None) -> Origin:
    """Return where the files of a checkpoint come from.

    Nothing is imported or downloaded, and a file that cannot be read is ignored.

    Args:
        name: the name in a suite: `org/name[@revision]`, a folder, or `package:NAME/path`.
        folder: the folder with the files.
        revision: the files' commit on the hub; None if they are not from the hub.
    """
    says = dict(_says(folder))
    if name.startswith("package:"):
        package, _, path = name.removeprefix("package:").partition("/")
        distribution = _distribution(package, path)
        if distribution is None:
            return Origin(source="package", name=_shown(package), path=_shown(path), says=says)
        title, version = (_shown(str(each)) for each in distribution)
        return Origin(source="package", name=title, version=version, path=_shown(path), says=says)
    if revision is not None:
        repository = name.partition("@")[0]
        return Origin(source="hub", name=_shown(repository), version=_shown(revision), says=says)
    return Origin(source="folder", says=says)


def _distribution(package: str, path: str) -> tuple[str, str] | None:
    """Return name and version of the distribution that installed a folder of a package.

    None if no distribution did (a folder on the path), or if several have files of that package
    and not exactly one lists this folder's configuration.
    """
    try:
        names = distributions_of(package)
        if len(names) > 1:
            config = f"{package}/{path}/{CONFIG}"
            files = {name: importlib.metadata.files(name) or () for name in names}
            names = [name for name in names if config in map(str, files[name])]
        if len(names) != 1:
            return None
        return names[0], importlib.metadata.version(names[0])
    except (OSError, ValueError, KeyError, importlib.metadata.PackageNotFoundError):
        return None  # a package's metadata cannot be read


def distributions_of(package: str) -> list[str]:
    """Return the names of the distributions that installed files of an importable package.

    They are those of `importlib.metadata.packages_distributions()[package]`, each once, without
    reading the list of files of every other distribution, which takes a third of a second.
    """
    found = (each for each in importlib.metadata.distributions() if _installed(each, package))
    return list(dict.fromkeys(each.metadata["Name"] for each in found))


def _installed(distribution: importlib.metadata.Distribution, package: str) -> bool:
    if declared := (distribution.read_text("top_level.txt") or "").split():
        return package in declared
    record = distribution.read_text("RECORD")
    if record is not None and package not in record:
        return False  # RECORD is the list of files, as text
    return package in map(_imported_as, distribution.files or ())


def _imported_as(file: importlib.metadata.PackagePath) -> str:
    """Return the first part of the name by which a distribution's file is imported."""
    return file.parts[0] if len(file.parts) > 1 else inspect.getmodulename(file) or str(file)


def _says(folder: Path) -> Iterator[tuple[str, str]]:
    """Yield the origin that a folder's files state: file and field, and the value."""
    for file, parse, fields in ((CARD, _front_matter, IN_CARD), (CONFIG, _object, IN_CONFIG)):
        content = parse(_beginning(folder / file))
        for field in fields:
            if value := _value(content.get(field)):
                yield f"{file}, {field}", value


def _beginning(path: Path) -> str:
    """Return the first MOST_BYTES of a file as text; "" if there is no file."""
    try:
        if not path.is_file():  # reading a pipe would block
            return ""
        with path.open("rb") as file:
            return file.read(MOST_BYTES).decode("utf-8-sig", errors="replace")
    except OSError:
        return ""


def _object(text: str) -> dict[str, object]:
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def _front_matter(text: str) -> dict[str, list[str]]:
    """Return the scalars and flat lists at the top level of a card's front matter, as text.

    The text is read line by line, not by a YAML parser, whose aliases may expand a small file
    without limit.
    """
    lines = text.splitlines()
    if not lines or lines[0].rstrip() != "---":
        return {}
    found: dict[str, list[str]] = {}
    field = ""
    for line in lines[1:]:
        if line.rstrip() in ("---", "..."):
            return found
        if (entry := re.fullmatch(r"([A-Za-z_][\w-]*):(?:\s+(.*))?", line)) is not None:
            field = entry[1]
            found[field] = _flow(entry[2] or "")
        elif (item := re.fullmatch(r"\s*-\s+(.*)", line)) is not None and field:
            found[field] += _flow(item[1])
    return {}  # the front matter has no end mark


def _flow(text: str) -> list[str]:
    """Return a scalar, or the scalars of a list in brackets."""
    text = text.strip()
    parts = text[1:-1].split(",") if text.startswith("[") and text.endswith("]") else [text]
    return [scalar for part in parts if (scalar := _scalar(part.strip()))]


def _scalar(text: str) -> str:
    if (quoted := re.match(r"""(["'])(.*?)\1""", text)) is not None:
        return quoted[2]
    text = re.split(r"(?:^|\s)#", text, maxsplit=1)[0].strip()
    # Not plain scalars: an alias, an anchor, a block, a mapping, a tag, a nested list.
    return "" if text[:1] in ("*", "&", "|", ">", "{", "!", "[") else text


def _value(content: object) -> str:
    """Return a field's content as one short line; "" if it is empty, a path or nested."""
    values = content if isinstance(content, list) else [content]
    texts = [text.strip() for text in values if isinstance(text, str) and NO_PATH.fullmatch(text)]
    texts = [_shown(text) for text in texts if text not in ("", "null", "~")]
    more = len(texts) - MOST_VALUES
    return ", ".join(texts[:MOST_VALUES]) + (f" and {more} more" if more > 0 else "")


def _shown(text: str, most: int = MOST_CHARACTERS) -> str:
    return one_line(redacted(text), most)
