"""Resolves names of pretrained checkpoints to local files and a digest of their contents.

A name has three forms: `org/name[@revision]` on the Hugging Face hub, a folder, and
`package:NAME/path` in an installed Python package. Only files are read: nothing is imported from a
package, no model is built, and pickled weights are never downloaded.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import ParamSpec, TypeVar

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
)
from harness.inputs.hub import Hub, plain_reason
from harness.inputs.origin import Origin, origin_of
from harness.inputs.vocabularies import missing_vocabulary
from harness.suite import ids
from harness.suite.hub_names import REPOSITORY, REVISION

MAX_NAME_LENGTH = 1024
FORMS = "write org/name[@revision], a folder such as ./my-model, or package:NAME/path"

REQUEST_SECONDS = 10.0
RETRY_PAUSES_SECONDS = (1.0, 3.0)
TEMPORARY_STATUS = (408, 429, 500, 502, 503, 504)

P = ParamSpec("P")
Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint whose files are on this machine.

    Attributes:
        name: the name as the user wrote it.
        folder: local folder with the files, for `from_pretrained`.
        digest: sha256, in hexadecimal, of the lines that `sha256sum` prints for the files that
            define model and tokenizer, in order of their names. Other files are ignored.
        revision: commit on the hub; None for a folder or a package.
        origin: where the files come from; None if not determined.
    """

    name: str
    folder: str
    digest: str
    revision: str | None
    origin: Origin | None = None


@dataclass(frozen=True)
class _Place:
    """Where the files are; `offline` is the reason if they come unverified from the hub's cache."""

    folder: Path
    revision: str | None = None
    offline: Unavailable | None = None


def resolve(name: str, hub: Hub, base: Path) -> Checkpoint:
    """Find the files of a checkpoint, and download them if the name is a hub name.

    If the hub cannot be reached, a hub name is looked up in the local hub cache.

    Args:
        name: `org/name`, `name`, either with `@revision`; a folder, absolute or relative to
            `base`, which begins with `.`, `/` or `~` or exists; or `package:NAME/path`.
        hub: the result of `harness.inputs.hub.probe`; marked unreachable if it stops answering.
        base: folder that relative folders start from.

    Raises:
        BadInput: the name is malformed, nothing of that name exists, or its files are not a
            checkpoint: no or broken config.json, weights or tokenizer; only pickled weights.
        Unavailable: the hub cannot be reached, or refuses access, and the checkpoint is not cached;
            the message does not name the checkpoint.
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
            part = f"the local hub cache is incomplete ({'; '.join(contents.missing)})"
            raise Unavailable(f"{place.offline.reason}, and {part}", place.offline.way_out)
        ambiguous = contents.two_saves if place.revision is None else []
        _refuse(name, contents.missing + contents.broken + ambiguous)
        absolute = str(place.folder.absolute())
        origin = origin_of(name, place.folder, place.revision)
        return Checkpoint(name, absolute, digest(contents.files), place.revision, origin)
    except OSError as error:
        raise _bad(name, f"{error.filename} cannot be read ({error.strerror})") from error


def _bad(name: str, *problems: str) -> BadInput:
    return BadInput([f"checkpoint {name!r}: {problem}" for problem in problems])


def _refuse(name: str, problems: list[str]) -> None:
    if problems:
        raise _bad(name, *problems)


def _check_spelling(name: str) -> None:
    problems = []
    if not name.strip():
        problems.append(f"the name is empty; {FORMS}")
    elif name != name.strip():
        problems.append(f"the name begins or ends with white space; {FORMS}")
    if not name.isprintable():
        problems.append(f"the name has unprintable characters; {FORMS}")
    if len(name) > MAX_NAME_LENGTH:
        problems.append(f"{len(name):,} characters, at most {MAX_NAME_LENGTH:,} allowed; {FORMS}")
    _refuse(name[:100], problems)


def _local_folder(name: str, base: Path) -> Path | None:
    """Return the folder that `name` refers to; None if `name` is not a folder's name."""
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
        raise _bad(name, f"{folder} {problem}; {content}")
    return None


def _package_folder(name: str) -> Path:
    package, _, path = name.removeprefix("package:").partition("/")
    problems = []
    if not package.isidentifier():
        problems.append(
            f"{package!r} is not the import name of a top-level package; write package:NAME/path"
        )
    if any(part in ("", ".", "..") or "\\" in part for part in path.split("/")):
        problems.append(
            f"{path!r} is not a path inside a package (separated by '/', without '.' and '..'); "
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
        raise _bad(
            name,
            f"no package {package!r} is installed; run `pip install {package.replace('_', '-')}` "
            "(the name to install may differ from the name to import)",
        )
    found = sorted(file.parent.name for root in roots for file in root.glob(f"*/{CONFIG}"))
    raise _bad(
        name,
        f"package {package!r} has no folder {path!r}; its folders with {CONFIG}: "
        f"{', '.join(found) or 'none'}{ids.did_you_mean(path, found)}",
    )


def _from_hub(name: str, hub: Hub) -> _Place:
    # The hub's client is loaded where it is used: most sessions need folders and packages only.
    from huggingface_hub import constants, snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    repository, at, revision = name.partition("@")
    problems = []
    if not REPOSITORY.fullmatch(repository):
        problems.append(
            f"{repository!r} is neither a folder nor a hub name (name or org/name, each part at "
            f"most 96 letters, digits, '-', '_' and '.', without '--' and '..'); {FORMS}"
        )
    if at and not REVISION.fullmatch(revision):
        problems.append(f"{revision!r} is not a branch, tag or commit, as in @main; {FORMS}")
    _refuse(name, problems)
    revision = revision or constants.DEFAULT_REVISION
    if hub.reachable:
        try:
            return _download(name, repository, revision, hub)
        except Unavailable as error:
            failure = error
    else:
        failure = Unavailable(
            f"the hub cannot be reached ({hub.reason})",
            "connect to it, or to a mirror through HF_ENDPOINT, or name a folder or "
            "package:NAME/path instead",
        )
    try:
        folder = Path(snapshot_download(repository, revision=revision, local_files_only=True))
    except LocalEntryNotFoundError:
        reason = f"{failure.reason}, and it is not in the local hub cache"
        raise Unavailable(reason, failure.way_out) from failure
    return _Place(folder, revision=folder.name, offline=failure)


def _download(name: str, repository: str, revision: str, hub: Hub) -> _Place:
    from huggingface_hub import HfApi, hf_hub_download

    # Single files instead of `snapshot_download`, whose listing requests have no time limit and
    # which would download the weights before the check for a tokenizer.
    def fetch(file: str, at: str | None) -> Path:
        path = _retried(
            hf_hub_download,
            repository,
            file,
            revision=at,
            endpoint=hub.endpoint,
            etag_timeout=REQUEST_SECONDS,
        )
        return Path(path)

    api = HfApi(endpoint=hub.endpoint)
    try:
        info = _retried(api.model_info, repository, revision=revision, timeout=REQUEST_SECONDS)
        listed = {sibling.rfilename for sibling in info.siblings or ()}
        # If there is a tokenizer_config.json, the vocabulary is checked after its download.
        vocabulary = None if TOKENIZER_CONFIG in listed else missing_vocabulary(listed)
        _refuse(name, missing_files(listed, vocabulary))
        wanted = [file for file in (CONFIG, *TOKENIZER_FILES) if file in listed]
        if WEIGHTS in listed:
            wanted.append(WEIGHTS)
        else:
            wanted += sorted(shards_of(fetch(WEIGHTS_INDEX, info.sha)) & listed)
        fetched = [fetch(file, info.sha) for file in wanted]
        # A request by the revision's name makes the cache store its commit. It comes last, so that
        # the revision never points to an incomplete download.
        fetch(CONFIG, revision)
    except BadInput:
        raise
    except Exception as error:  # the client may raise any exception; the user gets one line
        raise _hub_failure(error, name, repository, revision, hub) from error
    return _Place(fetched[0].parent, revision=info.sha)


def _retried(request: Callable[P, Answer], *args: P.args, **kwargs: P.kwargs) -> Answer:
    """Return the answer of a request, repeated after temporary errors."""
    import httpx2
    from huggingface_hub.errors import HfHubHTTPError

    for pause in RETRY_PAUSES_SECONDS:
        try:
            return request(*args, **kwargs)
        except HfHubHTTPError as error:
            if error.response.status_code not in TEMPORARY_STATUS:
                raise
        except httpx2.TransportError:
            pass  # a timeout or a lost connection
        time.sleep(pause)
    return request(*args, **kwargs)


def _hub_failure(
    error: BaseException, name: str, repository: str, revision: str, hub: Hub
) -> BadInput | Unavailable:
    """Return the user's error for an error of the hub's client."""
    import httpx2
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    if isinstance(error, LocalEntryNotFoundError) and error.__cause__ is not None:
        error = error.__cause__
    if isinstance(error, RevisionNotFoundError):
        return _bad(
            name,
            f"{repository!r} has no revision {revision!r} on {hub.endpoint}; give one of its "
            "branches, tags or commits, or omit @ for main",
        )
    if isinstance(error, RepositoryNotFoundError) and not isinstance(error, GatedRepoError):
        return _bad(
            name,
            f"{hub.endpoint} has no model {repository!r}, and no folder has that name; check the "
            "spelling, or set HF_TOKEN if it is private",
        )
    reason = plain_reason(error, hub.endpoint, REQUEST_SECONDS)
    if isinstance(error, httpx2.TransportError):  # no answer, even after retries
        hub.give_up(reason)
    way_out = "try again later, or name a folder or package:NAME/path instead"
    if isinstance(error, HfHubHTTPError):
        status = error.response.status_code
        reason = f"{hub.endpoint} answered {status}"
        if status in (401, 403):
            reason = f"{hub.endpoint} refuses access to {repository!r} ({status})"
            way_out = (
                f"request access at {hub.endpoint}/{repository} and set HF_TOKEN to your token"
            )
    return Unavailable(reason, way_out)
