"""Names of pretrained checkpoints, resolved to local files and a digest of what they contain.

Three forms: `org/name[@revision]` from the Hugging Face hub, a folder, and `package:NAME/path` in
an installed Python package. Only files are looked at: nothing is imported from a package, no model
is built, and pickled weights are never fetched.
"""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TypeVar

import httpx2
from huggingface_hub import HfApi, constants, hf_hub_download, snapshot_download
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from harness.errors import BadInput, Unavailable
from harness.inputs.checkpoint_files import (
    CONFIG,
    TOKENIZER_CONFIG,
    TOKENIZER_FILES,
    WEIGHTS,
    WEIGHTS_INDEX,
    digest,
    inspect,
    missing_files,
    shards_of,
    two_saves,
)
from harness.inputs.hub import Hub, plain_reason
from harness.inputs.origin import Origin, origin_of
from harness.inputs.vocabularies import missing_vocabulary
from harness.suite import ids

MAX_NAME_LENGTH = 1024
FORMS = "write org/name[@revision], a folder such as ./my-model, or package:NAME/path"
# The names that huggingface_hub accepts, so that a malformed one is told apart without a request.
REPOSITORY = re.compile(
    r"(?!.*(--|\.\.))(?!.*\.git$)(\w[\w.-]{0,95}(?<![.-])/)?\w[\w.-]{0,95}(?<![.-])", re.ASCII
)
# Part of a path in the hub cache, so each of its segments begins with a letter or digit.
REVISION = re.compile(r"\w[\w.+-]*(/\w[\w.+-]*)*", re.ASCII)

REQUEST_SECONDS = 10.0
RETRY_PAUSES_SECONDS = (1.0, 3.0)
PASSING_STATUS = (408, 429, 500, 502, 503, 504)

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint whose files are on this machine.

    Attributes:
        name: the name as its user wrote it.
        folder: local folder with the files, to be given to `from_pretrained`.
        digest: sha256, in hexadecimal, of the lines that `sha256sum` prints for the files that
            define model and tokenizer, in order of their names. Other files do not count.
        revision: commit on the hub; None for a folder or a package.
        origin: where the files come from; None where nobody looked.
    """

    name: str
    folder: str
    digest: str
    revision: str | None
    origin: Origin | None = None


@dataclass(frozen=True)
class _Place:
    """Where the files lie; `offline` says why they came from the hub's cache, unverified."""

    folder: Path
    revision: str | None = None
    offline: Unavailable | None = None


def resolve(name: str, hub: Hub, base: Path) -> Checkpoint:
    """Find the files of a checkpoint, fetching them from the hub where it is a hub's name.

    A hub's name is looked up in the local hub cache when the hub cannot be reached.

    Args:
        name: `org/name`, `name`, either with `@revision`; a folder, absolute or relative to
            `base`, which begins with `.`, `/` or `~` or exists; or `package:NAME/path`.
        hub: what `harness.inputs.hub.probe` found; given up here where it stops answering.
        base: folder that relative folders start from.

    Raises:
        BadInput: the name is malformed, what it names does not exist, or its files are not a
            checkpoint: no or broken config.json, weights or tokenizer; pickled weights only.
        Unavailable: the hub cannot be reached, or refuses access, and the cache does not have it.
    """
    _check_spelling(name)
    if name.startswith("package:"):
        place = _Place(_package_folder(name))
    elif (folder := _local_folder(name, base)) is not None:
        place = _Place(folder)
    else:
        place = _from_hub(name, hub)
    try:
        contents = inspect(place.folder)
        if contents.missing and place.offline is not None:
            part = f"the local hub cache has only part of it ({'; '.join(contents.missing)})"
            raise Unavailable(f"{place.offline.reason}, and {part}", place.offline.way_out)
        ambiguous = two_saves(place.folder) if place.revision is None else []
        _refuse(name, contents.missing + contents.broken + ambiguous)
        absolute = str(place.folder.absolute())
        origin = origin_of(name, place.folder, place.revision)
        return Checkpoint(name, absolute, digest(contents.files), place.revision, origin)
    except OSError as error:
        raise BadInput(
            [f"checkpoint {name!r}: {error.filename} cannot be read ({error.strerror})"]
        ) from error


def _refuse(name: str, problems: list[str]) -> None:
    if problems:
        raise BadInput([f"checkpoint {name!r}: {problem}" for problem in problems])


def _check_spelling(name: str) -> None:
    problems = []
    if not name.strip():
        problems.append(f"the name is empty; {FORMS}")
    elif name != name.strip():
        problems.append(f"the name begins or ends with white space; {FORMS}")
    if not name.isprintable():
        problems.append(f"the name has unprintable characters; {FORMS}")
    if len(name) > MAX_NAME_LENGTH:
        problems.append(f"{len(name):,} characters, {MAX_NAME_LENGTH:,} are allowed; {FORMS}")
    _refuse(name[:100], problems)


def _local_folder(name: str, base: Path) -> Path | None:
    """The folder that `name` means; None where it is not the name of a folder."""
    folder = base / name
    try:
        folder = base / Path(name).expanduser()
        found, is_folder = folder.exists(), folder.is_dir()
    except (OSError, RuntimeError):  # too long for the file system; a user without a home
        found = is_folder = False
    if is_folder:
        return folder
    if found or name.startswith((".", "/", "~")):
        problem = "is a file" if found else "does not exist"
        content = f"give a folder with {CONFIG}, {WEIGHTS} and tokenizer files"
        _refuse(name, [f"{folder} {problem}; {content}"])
    return None


def _package_folder(name: str) -> Path:
    package, _, path = name.removeprefix("package:").partition("/")
    problems = []
    if not package.isidentifier():
        problems.append(
            f"{package!r} is not the name of a top-level package as `import` takes it; "
            "write package:NAME/path"
        )
    if any(part in ("", ".", "..") or "\\" in part for part in path.split("/")):
        problems.append(
            f"{path!r} is not a path of folders inside a package, without '..'; "
            "write package:NAME/path"
        )
    _refuse(name, problems)
    try:
        spec = find_spec(package)  # looks for a top-level package without importing it
    except (ImportError, ValueError):
        spec = None
    roots = [Path(root) for root in (spec and spec.submodule_search_locations) or ()]
    for root in roots:
        if (root / path).is_dir():
            return root / path
    if spec is None:
        problem = (
            f"no package {package!r} is installed; run `pip install {package.replace('_', '-')}` "
            "(a package may be installed under another name than it is imported by)"
        )
    else:
        found = sorted(file.parent.name for root in roots for file in root.glob(f"*/{CONFIG}"))
        problem = (
            f"package {package!r} has no folder {path!r}; its folders with a {CONFIG}: "
            f"{', '.join(found) or 'none'}{ids.did_you_mean(path, found)}"
        )
    raise BadInput([f"checkpoint {name!r}: {problem}"])


def _from_hub(name: str, hub: Hub) -> _Place:
    repository, at, revision = name.partition("@")
    problems = []
    if not REPOSITORY.fullmatch(repository):
        problems.append(
            f"{repository!r} is neither a folder nor a hub name, which is name or org/name, each "
            f"at most 96 letters, digits, '-', '_' and '.', without '--' and '..'; {FORMS}"
        )
    if at and not REVISION.fullmatch(revision):
        problems.append(f"{revision!r} is not a branch, tag or commit, as in @main; {FORMS}")
    _refuse(name, problems)
    revision = revision or constants.DEFAULT_REVISION
    if hub.reachable:
        try:
            return _download(name, repository, revision, hub)
        except Unavailable as error:
            trouble = error
    else:
        trouble = Unavailable(
            f"checkpoint {name!r}: the hub cannot be reached ({hub.reason})",
            "connect to it, or to a mirror through HF_ENDPOINT, or name a folder or "
            "package:NAME/path instead",
        )
    try:
        folder = Path(snapshot_download(repository, revision=revision, local_files_only=True))
    except LocalEntryNotFoundError:
        reason = f"{trouble.reason}, and it is not in the local hub cache"
        raise Unavailable(reason, trouble.way_out) from trouble
    return _Place(folder, revision=folder.name, offline=trouble)


def _download(name: str, repository: str, revision: str, hub: Hub) -> _Place:
    # File by file rather than `snapshot_download`: its listing requests have no time limit, and it
    # would fetch weights before anyone has looked at whether there is a tokenizer.
    def fetch(file: str, at: str | None) -> Path:
        return Path(
            hf_hub_download(
                repository,
                file,
                revision=at,
                endpoint=hub.endpoint,
                etag_timeout=REQUEST_SECONDS,
            )
        )

    api = HfApi(endpoint=hub.endpoint)
    try:
        info = _retried(
            partial(api.model_info, repository, revision=revision, timeout=REQUEST_SECONDS)
        )
        listed = {sibling.rfilename for sibling in info.siblings or ()}
        # What a tokenizer_config.json says of a vocabulary is known when it is here.
        vocabulary = None if TOKENIZER_CONFIG in listed else missing_vocabulary(listed)
        _refuse(name, missing_files(listed, vocabulary))
        wanted = [file for file in (CONFIG, *TOKENIZER_FILES) if file in listed]
        if WEIGHTS in listed:
            wanted.append(WEIGHTS)
        else:
            index = _retried(partial(fetch, WEIGHTS_INDEX, info.sha))
            wanted += sorted(shards_of(index) & listed)
        fetched = [_retried(partial(fetch, file, info.sha)) for file in wanted]
        # Asked for under its revision's name, the cache remembers which commit that is. Last, so
        # that it never points at files that are still on their way.
        _retried(partial(fetch, CONFIG, revision))
    except BadInput:
        raise
    except Exception as error:  # what the client raises is open-ended; its user hears one line
        raise _hub_trouble(error, name, repository, revision, hub) from error
    return _Place(fetched[0].parent, revision=info.sha)


def _retried(request: Callable[[], Answer]) -> Answer:
    """The answer of a request, asked again where the trouble may pass by itself."""
    for pause in RETRY_PAUSES_SECONDS:
        try:
            return request()
        except HfHubHTTPError as error:
            if error.response.status_code not in PASSING_STATUS:
                raise
        except httpx2.TransportError:
            pass  # no answer in time, or a connection cut short
        time.sleep(pause)
    return request()


def _hub_trouble(
    error: BaseException, name: str, repository: str, revision: str, hub: Hub
) -> BadInput | Unavailable:
    """What an error of the hub's client means for the user."""
    if isinstance(error, LocalEntryNotFoundError) and error.__cause__ is not None:
        error = error.__cause__
    if isinstance(error, RevisionNotFoundError):
        return BadInput(
            [
                f"checkpoint {name!r}: {repository!r} has no revision {revision!r} on "
                f"{hub.endpoint}; give a branch, tag or commit of it, or leave @ out for main"
            ]
        )
    if isinstance(error, RepositoryNotFoundError) and not isinstance(error, GatedRepoError):
        return BadInput(
            [
                f"checkpoint {name!r}: {hub.endpoint} has no model {repository!r}, nor is there a "
                "folder of that name; check the spelling, or set HF_TOKEN if it is private"
            ]
        )
    reason = plain_reason(error, hub.endpoint, REQUEST_SECONDS)
    if isinstance(error, httpx2.TransportError):  # no answer at all, though asked again and again
        hub.give_up(reason)
    way_out = "try again later, or name a folder or package:NAME/path instead"
    if isinstance(error, HfHubHTTPError):
        status = error.response.status_code
        reason = f"{hub.endpoint} answered {status}"
        if status in (401, 403):
            reason = f"{hub.endpoint} refuses access to {repository!r} ({status})"
            way_out = (
                f"ask for access at {hub.endpoint}/{repository} and set HF_TOKEN to your token"
            )
    return Unavailable(f"checkpoint {name!r}: {reason}", way_out)
