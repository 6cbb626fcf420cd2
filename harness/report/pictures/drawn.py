"""Pictures as files: as they were drawn before, from the user's cache folder, or drawn now.

matplotlib is slow to import and to draw with. So each file is kept under a digest of all that its
bytes depend on: the picture's content, the code that draws, the libraries, and the processor.
Without a cache folder that belongs to the user alone, everything is drawn.
"""

import contextlib
import hashlib
import importlib.metadata
import json
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from harness.machine import cache
from harness.report.pictures.content import FORMATS, Picture
from harness.store.run_store import write_atomically

LIBRARIES = (
    *("matplotlib", "contourpy", "cycler", "fonttools", "kiwisolver", "numpy", "packaging"),
    *("pillow", "pyparsing", "python-dateutil"),
)
"""matplotlib and what it requires."""

INSTALLERS = ("pip", "uv")
"""Those that install wheels with all that they need. conda and systems' packages link FreeType from
elsewhere."""

SOURCES = (
    *(
        Path(__file__).with_name(f"{name}.py")
        for name in ("content", "heat_maps", "looks", "plots")
    ),
    Path(__file__).parents[2] / "text.py",
)
"""The modules that draw."""

MOST_BYTES = 64 * 2**20
"""Of all kept files; a leaderboard's pictures have about half a megabyte."""


def drawn(found: Sequence[Picture]) -> dict[str, bytes]:
    """Return each picture as PNG and SVG, by file name; the same bytes as plots.draw."""
    folder, drawing = _folder(), _drawing()
    if folder is None or drawing is None:
        return _draw(found)
    keys = {picture.name: _key(picture, drawing) for picture in found}
    kept = {picture.name: _read(folder, keys[picture.name]) for picture in found}
    missing = [picture for picture in found if kept[picture.name] is None]
    made = _draw(missing)
    for picture in missing:
        kept[picture.name] = {kind: made[f"{picture.name}.{kind}"] for kind in FORMATS}
    with contextlib.suppress(OSError):
        _write(folder, {keys[picture.name]: kept[picture.name] or {} for picture in missing})
    return {
        f"{name}.{kind}": content
        for name, files in kept.items()
        for kind, content in (files or {}).items()
    }


def _draw(found: Sequence[Picture]) -> dict[str, bytes]:
    if not found:
        return {}
    from harness.report.pictures.plots import draw

    return draw(found)


def _folder() -> Path | None:
    """Return the folder of kept pictures, which may not exist; None without one for the user."""
    try:
        above = cache.folder()
        for folder in (above, above / "pictures"):
            cache.check(folder)
    except OSError:
        return None
    return folder


def _drawing() -> bytes | None:
    """Return a digest of what draws; None if an installed library does not list its files.

    FREETYPE_PROPERTIES changes how FreeType draws letters.
    """
    parts = [sys.version, cache.processor(), os.environ.get("FREETYPE_PROPERTIES", "")]
    try:
        parts += [path.read_text("utf-8") for path in SOURCES]
        for name in LIBRARIES:
            listed = _files_of(importlib.metadata.distribution(name))
            if listed is None:
                return None
            parts.append(listed)
    except (OSError, ValueError, importlib.metadata.PackageNotFoundError):
        return None
    return hashlib.sha256(json.dumps(parts).encode()).digest()


def _files_of(library: importlib.metadata.Distribution) -> str | None:
    """Return the list of a library's files with their digests; None if it has not all of them.

    That of a wheel has also the compiled code that the wheel bundles, such as FreeType. That of an
    editable installation has none of the library's own files, which may change.
    """
    if (library.read_text("INSTALLER") or "").strip() not in INSTALLERS:
        return None
    installed = json.loads(library.read_text("direct_url.json") or "{}")
    if installed.get("dir_info", {}).get("editable"):
        return None
    return library.read_text("RECORD") or None


def _key(picture: Picture, drawing: bytes) -> str:
    content = json.dumps([type(picture.content).__name__, picture.content], default=vars)
    return hashlib.sha256(drawing + content.encode()).hexdigest()


def _read(folder: Path, key: str) -> dict[str, bytes] | None:
    """Return a picture's files by format; None if one is missing, damaged or of another name."""
    files = {}
    for kind in FORMATS:
        path = folder / f"{key}.{kind}"
        try:
            content = cache.whole(path.read_bytes())
        except OSError:
            return None
        name = path.name.encode()
        if content is None or not content.startswith(name):
            return None
        files[kind] = content[len(name) :]
        with contextlib.suppress(OSError):
            os.utime(path)  # the files that were not used for longest are removed first
    return files


def _write(folder: Path, made: Mapping[str, Mapping[str, bytes]]) -> None:
    """Keep files by key and format, and remove the oldest beyond MOST_BYTES.

    Raises:
        OSError: a file cannot be written.
    """
    if not made:
        return
    cache.make(folder)
    for key, files in made.items():
        for kind, content in files.items():
            path = folder / f"{key}.{kind}"
            write_atomically(path, cache.with_digest(path.name.encode() + content))
    _remove_oldest(folder.iterdir())


def _remove_oldest(paths: Iterable[Path]) -> None:
    known = [(path.stat(), path) for path in paths]
    size = 0
    for about, path in sorted(known, key=lambda each: -each[0].st_mtime):
        size += about.st_size
        if size > MOST_BYTES:
            path.unlink(missing_ok=True)
