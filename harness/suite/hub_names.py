"""Names on the Hugging Face hub: of repositories, revisions and configurations."""

import re

REPOSITORY = re.compile(
    r"(?!.*(--|\.\.))(?!.*\.git$)(\w[\w.-]{0,95}(?<![.-])/)?\w[\w.-]{0,95}(?<![.-])", re.ASCII
)
"""The names that huggingface_hub accepts, so that a malformed name is refused without a request."""

REVISION = re.compile(r"\w[\w.+-]*(/\w[\w.+-]*)*", re.ASCII)
"""A revision is part of a path in the hub's cache; each segment begins with a letter or digit."""

CONFIG = re.compile(r"(?!\.+$)[^<>:/\\|?*\x00-\x1f]{1,200}")
"""A configuration names a folder in the cache of `datasets`."""


def problem_of(key: str, value: str) -> str | None:
    """Return why a value of `dataset.name`, `.config` or `.revision` is not valid, or None."""
    match key:
        case "name" if "/" not in value or not REPOSITORY.fullmatch(value):
            return (
                "input should be a data set's name on the Hub, org/name, each part at most 96 "
                "letters, digits, '-', '_' and '.', without '--' and '..'"
            )
        case "revision" if not REVISION.fullmatch(value):
            return "input should be a branch, a tag or a commit of the data set, such as main"
        case "config" if not CONFIG.fullmatch(value):
            return "input should be the name of a configuration of the data set"
    return None
