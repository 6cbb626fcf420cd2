"""Removes secrets from all text that people read: messages, records, logs and tables."""

import contextlib
import os
import re
from pathlib import Path

MASK = "***"

# User and password of an address, up to its host. An address that was read as a path has only one
# slash.
IN_ADDRESSES = re.compile(r"(:/{1,2})[^/\s]+@")
HUB_TOKEN = re.compile(r"\bhf_[A-Za-z0-9]{8,}")

SECRET_NAMES = re.compile(r"TOKEN|SECRET|PASSW|CREDENTIAL|(API|ACCESS|PRIVATE)_?KEY", re.IGNORECASE)
MIN_LENGTH = 8
"""Shorter values of secret variables are not masked: they also occur as ordinary words."""


def redacted(text: str) -> str:
    """Return a text without passwords in addresses, hub tokens and secret environment variables.

    A variable is secret if its name says so (a token, password or key): nothing else in the
    environment marks it.
    """
    for value in _secrets():
        text = text.replace(value, MASK)
    return HUB_TOKEN.sub(MASK, IN_ADDRESSES.sub(rf"\1{MASK}@", text))


def redact_file(path: Path) -> None:
    """Remove the secrets from a text file, if it exists and contains any.

    The file is overwritten in place: on a full disk it is better to lose it than to keep a secret.
    """
    with contextlib.suppress(OSError):
        text = path.read_text(encoding="utf-8", errors="replace")
        if (clean := redacted(text)) != text:
            path.write_text(clean, encoding="utf-8")


def _secrets() -> list[str]:
    """Return the secret values, longest first, since one may be part of another."""
    values = [value for name, value in os.environ.items() if SECRET_NAMES.search(name)]
    if "@" in (endpoint := os.environ.get("HF_ENDPOINT", "")):
        # The address may be malformed, so that IN_ADDRESSES does not match it.
        values.append(endpoint.rpartition("@")[0].rpartition("/")[2])
    return sorted((v for v in values if len(v) >= MIN_LENGTH), key=len, reverse=True)
