"""A data set on the hub at one commit: resolves the commit, finds copies in the cache, downloads.

The loaders of `datasets` read data files only. A copy is what `load_dataset` leaves in its cache.
"""

import contextlib
import glob
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import datasets
from datasets.naming import camelcase_to_snakecase
from huggingface_hub import HfApi, constants, hf_hub_download
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.utils.tqdm import (
    are_progress_bars_disabled,
    disable_progress_bars,
    enable_progress_bars,
)

from harness.errors import BadInput, Unavailable
from harness.inputs.data.rows import shown
from harness.inputs.hub import Hub, plain_reason
from harness.text import one_line, some

SECONDS = 10.0
"""Timeout of the request for the commit."""

COMMIT = re.compile("[0-9a-f]{40}")

FORMATS = ("arrow", "csv", "json", "parquet")
"""The builders of `datasets` that are used, by name. Others read images, sound or archives."""

WAY_OUT = "connect to the hub, or to a mirror through HF_ENDPOINT; a copy needs no connection"

CONFIGS_SHOWN = 10


@dataclass(frozen=True)
class HubData:
    """A data set of the hub: its name, org/name, and perhaps a configuration and a revision."""

    name: str
    config: str | None = None
    revision: str | None = None

    def at(self, commit: str) -> str:
        """Return a description for messages."""
        config = "" if self.config is None else f", configuration {shown(self.config)}"
        return f"{self.name}@{commit}{config}"


@dataclass(frozen=True)
class Contents:
    """A configuration's name, its splits, and its columns, None if not known without its files."""

    config: str
    splits: tuple[str, ...]
    columns: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Copy:
    """The copy of a configuration at a commit in the cache of `datasets`."""

    folder: Path

    @property
    def commit(self) -> str:
        """The commit."""
        return self.folder.name

    @property
    def config(self) -> str:
        """The name of the configuration."""
        return self.folder.parent.parent.name

    def contents(self) -> Contents:
        """Return the names of its splits and columns."""
        info = datasets.DatasetInfo.from_directory(str(self.folder))
        return Contents(self.config, tuple(info.splits or ()), tuple(info.features or ()))

    def read(self) -> dict[str, datasets.Dataset]:
        """Return all splits."""
        info = datasets.DatasetInfo.from_directory(str(self.folder))
        found = {}
        for name in info.splits or ():
            stem = f"{info.dataset_name}-{name}"
            whole = self.folder / f"{stem}.arrow"
            parts = sorted(self.folder.glob(f"{glob.escape(stem)}-*-of-*.arrow"))
            files = [whole] if whole.exists() else parts
            found[name] = datasets.concatenate_datasets(
                [datasets.Dataset.from_file(str(file)) for file in files]
            )
        return found


def copies(data: HubData, commit: str = "*") -> list[Copy]:
    """Return the copies of a data set in the cache, newest last.

    Args:
        commit: by default any.
    """
    # .../nyu-mll___glue/cola/<version>/<commit>/dataset_info.json
    organisation, _, name = data.name.partition("/")
    folder = f"{organisation}___{camelcase_to_snakecase(name)}"
    config = "*" if data.config is None else glob.escape(data.config)
    infos = [
        info
        for info in Path(datasets.config.HF_DATASETS_CACHE, folder).glob(
            f"{config}/*/{commit}/dataset_info.json"
        )
        if COMMIT.fullmatch(info.parent.name)
    ]
    return [Copy(info.parent) for info in sorted(infos, key=lambda info: info.stat().st_mtime)]


def pin(data: HubData, hub: Hub) -> str:
    """Return the commit of a data set's revision on the hub or, if the hub does not answer, in the
    caches.

    A branch or tag is looked up in the hub's cache. The main branch is, if its commit there has no
    copy, the newest copy.

    Raises:
        BadInput: the hub has no such data set or revision.
        Unavailable: the hub cannot be reached or refuses access, and there is no copy.
    """
    given = data.revision or ""
    if COMMIT.fullmatch(given) and copies(data, given):
        return given
    if not hub.reachable:
        reason = str(hub.reason)
    else:
        try:
            commit = (
                HfApi(endpoint=hub.endpoint)
                .dataset_info(data.name, revision=data.revision, timeout=SECONDS)
                .sha
            )
        except Exception as error:  # the client may raise any exception of its transport
            reason = _reason(error, data, hub)
        else:
            if commit is not None:
                _remember(data, hub)
                return commit
            reason = f"{hub.address} returned no commit"
    if (cached := _cached_commit(data)) is not None:
        return cached
    at = "" if data.revision is None else f" at {shown(data.revision)}"
    config = "" if data.config is None else f" (configuration {shown(data.config)})"
    raise Unavailable(
        f"the data set {data.name}{config}{at} cannot be loaded: {reason}, and there is no copy of "
        "it in the cache",
        WAY_OUT,
    )


def _reason(error: Exception, data: HubData, hub: Hub) -> str:
    """Return why there is no commit; raise BadInput if the hub has no such data set or revision."""
    if isinstance(error, RevisionNotFoundError):
        raise BadInput(
            [
                f"dataset.revision: {shown(data.revision)}: {data.name} has no such revision on "
                f"{hub.address}; give one of its branches, tags or commits, or remove the key"
            ]
        ) from None
    if isinstance(error, RepositoryNotFoundError) and not isinstance(error, GatedRepoError):
        status = error.response.status_code
        raise BadInput(
            [
                f"dataset.name: {shown(data.name)}: {hub.address} has no such data set ({status}); "
                "check the spelling, or set HF_TOKEN if it is private"
            ]
        ) from None
    return plain_reason(error, hub.endpoint, SECONDS)


def _remember(data: HubData, hub: Hub) -> None:
    """Make the hub's cache store the commit of the revision, for sessions without the hub."""
    with contextlib.suppress(Exception):  # only needed later, and perhaps never
        hf_hub_download(
            data.name,
            datasets.config.REPOCARD_FILENAME,
            repo_type="dataset",
            revision=data.revision,
            endpoint=hub.endpoint,
            etag_timeout=SECONDS,
        )


def _cached_commit(data: HubData) -> str | None:
    known = copies(data)
    revision = data.revision or constants.DEFAULT_REVISION
    folder = f"datasets--{data.name.replace('/', '--')}"
    with contextlib.suppress(OSError):
        commit = Path(constants.HF_HUB_CACHE, folder, "refs", revision).read_text(encoding="utf-8")
        if any(copy.commit == commit for copy in known):
            return commit
    return known[-1].commit if known and data.revision is None else None


def look(data: HubData, commit: str, hub: Hub) -> Contents:
    """Return the contents of a data set, from its copy or from the hub, without its data files.

    Raises:
        BadInput: no such configuration, none named although one is needed, or no data files.
        Unavailable: the hub cannot be reached, and there is no copy.
    """
    known = copies(data, commit)
    if data.config is not None and known:
        return known[-1].contents()
    if hub.reachable:
        try:
            return _contents(_builder(data, commit))
        except Unavailable:
            if not known:
                raise
    names = sorted(copy.config for copy in known)
    chosen = [copy for copy in known if len(names) == 1 or copy.config == "default"]
    if chosen:
        return chosen[-1].contents()
    raise Unavailable(
        f"{data.at(commit)}: the hub cannot be reached, and the cache has copies of several "
        f"configurations, {some(names, CONFIGS_SHOWN)}",
        "set dataset.config to one of them",
    )


def _contents(builder: datasets.DatasetBuilder) -> Contents:
    columns = builder.info.features
    return Contents(
        builder.config.name,
        tuple(builder.config.data_files),
        None if columns is None else tuple(columns),
    )


def fetch(data: HubData, commit: str) -> Copy:
    """Return the copy of a data set at a commit; download it if there is none.

    Raises:
        BadInput: see look(); or its data files cannot be read.
        Unavailable: the hub cannot be reached.
    """
    if known := copies(data, commit):
        return known[-1]
    builder = _builder(data, commit)
    with _library(data, commit):
        builder.download_and_prepare()
    return Copy(Path(builder.cache_dir))


def _builder(data: HubData, commit: str) -> datasets.DatasetBuilder:
    address = f"hf://datasets/{data.name}"  # a folder of this name is never used in its place
    where = f"{data.name}@{commit}"
    with _library(data, commit):
        try:
            builder = datasets.load_dataset_builder(address, data.config, revision=commit)
        except ValueError:
            names = datasets.get_dataset_config_names(address, revision=commit)
            if data.config in names or (data.config is None and len(names) < 2):
                raise
            seen = "not set" if data.config is None else f"{shown(data.config)}: no such one"
            raise BadInput(
                [
                    f"{where}: dataset.config: {seen}; its configurations are "
                    f"{some(list(map(shown, names)), CONFIGS_SHOWN)}: name one of them"
                ]
            ) from None
        if builder.name == "cache":  # without a connection, the library opens any copy
            raise ConnectionError("the hub does not answer, and only another commit is cached")
    if builder.name not in FORMATS:
        raise BadInput(
            [
                f"{where}: its files are of the format {shown(builder.name)}; allowed are "
                f"{', '.join(FORMATS)}"
            ]
        )
    inside = f"hf://datasets/{where}/"
    files = [str(file) for own in builder.config.data_files.values() for file in own]
    if outside := [file for file in files if not file.startswith(inside)]:
        raise BadInput(
            [f"{where}: its data file {shown(outside[0])} is not part of it at this commit"]
        )
    return builder


@contextlib.contextmanager
def _library(data: HubData, commit: str) -> Iterator[None]:
    """Run calls of `datasets` without progress bars, and translate their errors.

    Its address of the hub is used without a slash at the end, which doubles the slash in requests.

    Raises:
        BadInput: the data set's own files are wrong.
        Unavailable: anything else went wrong.
    """
    where = data.at(commit)
    endpoint = datasets.config.HF_ENDPOINT
    bars = datasets.are_progress_bars_disabled(), are_progress_bars_disabled()
    datasets.disable_progress_bars()
    disable_progress_bars()
    datasets.config.HF_ENDPOINT = endpoint.rstrip("/")
    try:
        yield
    except (BadInput, Unavailable):
        raise
    except Exception as error:  # the library may raise any exception of its transport and parsers
        what = one_line(str(error)) or type(error).__name__
        if _is_of_the_data(error):
            problem = f"{where}: its data files cannot be read: {what}"
            way_out = "name another revision (many data sets have refs/convert/parquet)"
            raise BadInput([f"{problem}; {way_out}"]) from None
        raise Unavailable(f"the data set {where} cannot be loaded: {what}", WAY_OUT) from None
    finally:
        datasets.config.HF_ENDPOINT = endpoint
        if not bars[0]:
            datasets.enable_progress_bars()
        if not bars[1]:
            enable_progress_bars()


def _is_of_the_data(error: BaseException) -> bool:
    """Return whether an error of `datasets` comes from the data set, not from its transport."""
    if isinstance(error, datasets.exceptions.DatasetNotFoundError):  # access is refused
        return False
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, HfHubHTTPError) or type(cause).__module__.startswith("httpx"):
            return False
        if isinstance(cause, OSError) and not isinstance(cause, datasets.exceptions.DatasetsError):
            return False
        cause = cause.__cause__
    return True
