"""Secrets taken out of texts that people read: messages, records, logs and tables."""

import contextlib
import os
import re
from pathlib import Path

MASK = "***"

# User and password of an address, up to its host, also where it was taken for a path, which has
# one slash; and tokens of the Hugging Face hub.
IN_ADDRESSES = re.compile(r"(:/{1,2})[^/\s]+@")
HUB_TOKEN = re.compile(r"\bhf_[A-Za-z0-9]{8,}")

SECRET_NAMES = re.compile(r"TOKEN|SECRET|PASSW|CREDENTIAL|(API|ACCESS|PRIVATE)_?KEY", re.IGNORECASE)
LEAST_LENGTH = 8
"""Of a variable's value that is masked: shorter ones are words of any sentence."""


def redacted(text: str) -> str:
    """Return a text without passwords in addresses, hub tokens, and secrets of the environment.

    A variable is secret by its name (a token, password, key), as the environment says nothing
    else of it.
    """
    for value in _secrets():
        text = text.replace(value, MASK)
    return HUB_TOKEN.sub(MASK, IN_ADDRESSES.sub(rf"\1{MASK}@", text))


def redact_file(path: Path) -> None:
    """Take the secrets out of a text file, where there is one and it has any.

    It is written over in place: on a full disk rather nothing is left of it than a secret.
    """
    with contextlib.suppress(OSError):
        text = path.read_text(encoding="utf-8", errors="replace")
        if (clean := redacted(text)) != text:
            path.write_text(clean, encoding="utf-8")


def _secrets() -> list[str]:
    """Return the secret values, the longest first: one may be part of another."""
    values = [value for name, value in os.environ.items() if SECRET_NAMES.search(name)]
    if "@" in (endpoint := os.environ.get("HF_ENDPOINT", "")):
        # Also where the address is malformed, and a message shows it.
        values.append(endpoint.rpartition("@")[0].rpartition("/")[2])
    return sorted((v for v in values if len(v) >= LEAST_LENGTH), key=len, reverse=True)
