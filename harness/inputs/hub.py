"""Whether the Hugging Face hub can be reached now: asked once a session, known within seconds."""

import os
import queue
import socket
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from huggingface_hub import constants, get_session

from harness.redaction import redacted
from harness.text import one_line

OFFLINE_VARIABLES = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_DATASETS_OFFLINE")

# A hub that wants a token (401), slows anonymous callers down (429) or keeps no listing (404, as
# some mirrors) is there: what it says of a particular repository, that request will tell.
ANSWERS_OF_A_HUB = (200, 401, 404, 429)


@dataclass
class Hub:
    """What `probe` found, and what requests after it found: see `give_up`.

    Attributes:
        endpoint: address of the hub, without a trailing slash; it may hold a password, so
            `address` is what to show.
        reachable: whether requests to it are worth making.
        reason: why it is not reachable, in one line; None where it is.
    """

    endpoint: str
    reachable: bool
    reason: str | None

    @property
    def address(self) -> str:
        """The endpoint without user and password."""
        return redacted(self.endpoint)

    def give_up(self, reason: str) -> None:
        """Take the hub for unreachable from now on, so that a session waits in vain only once."""
        self.reachable, self.reason = False, redacted(reason)


def probe(timeout_seconds: float = 3.0) -> Hub:
    """Ask the hub at HF_ENDPOINT (huggingface.co by default) for one line of its model listing.

    The environment is read at each call. HF_HUB_OFFLINE, TRANSFORMERS_OFFLINE and
    HF_DATASETS_OFFLINE are obeyed without a request. Never raises.

    Args:
        timeout_seconds: wall time after which the hub counts as unreachable, a name look-up that
            hangs included.
    """
    endpoint = (
        os.environ.get("HF_ENDPOINT") or constants.ENDPOINT or constants.HUGGINGFACE_CO_URL_HOME
    ).rstrip("/")
    reason = _offline() or _malformed(endpoint)
    if reason is None:
        # The system's name look-up takes no timeout, so the request runs in a thread that may be
        # left behind; as a daemon it does not hold up the end of the process.
        answer: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        threading.Thread(
            target=lambda: answer.put(_trouble(endpoint, timeout_seconds)),
            name="hub-probe",
            daemon=True,
        ).start()
        try:
            reason = answer.get(timeout=timeout_seconds)
        except queue.Empty:
            reason = _no_answer(endpoint, timeout_seconds)
    return Hub(
        endpoint, reachable=reason is None, reason=None if reason is None else redacted(reason)
    )


def plain_reason(error: BaseException, endpoint: str, timeout_seconds: float) -> str:
    """Why a request to `endpoint` failed, in one plain line, from the error that it raised."""
    causes = list(_causes(error))
    if any(isinstance(cause, socket.gaierror) for cause in causes):
        return f"{endpoint}: name not resolved"
    if any(isinstance(cause, TimeoutError) for cause in causes):
        return _no_answer(endpoint, timeout_seconds)
    if any(isinstance(cause, ConnectionRefusedError) for cause in causes):
        return f"{endpoint}: connection refused"
    if any(isinstance(cause, ssl.SSLError) for cause in causes):
        return f"{endpoint}: no secure connection ({_told(error)})"
    return f"{endpoint}: {_told(error)}"


def _offline() -> str | None:
    for variable in OFFLINE_VARIABLES:
        if os.environ.get(variable, "").upper() in constants.ENV_VARS_TRUE_VALUES:
            return f"offline mode is set by {variable}"
    # huggingface_hub keeps to what it read when it was imported, and would refuse every request.
    if constants.is_offline_mode():
        return "offline mode was set by HF_HUB_OFFLINE when huggingface_hub was imported"
    return None


def _malformed(endpoint: str) -> str | None:
    try:
        parts = urlsplit(endpoint)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        usable = False
    return None if usable else f"HF_ENDPOINT is not an http or https address: {endpoint!r}"


def _trouble(endpoint: str, timeout_seconds: float) -> str | None:
    """What is wrong with the answer of one request; None for the answer of a hub."""
    try:
        with get_session().stream(
            "GET",
            f"{endpoint}/api/models",
            params={"limit": 1},
            timeout=timeout_seconds,
            follow_redirects=True,
        ) as response:
            if response.status_code not in ANSWERS_OF_A_HUB:
                return f"{endpoint} answered {response.status_code}"
            # A login page or a gateway in between answers 200 or 404 too, but not with JSON.
            kind = response.headers.get("content-type", "no content").split(";")[0]
            if response.status_code in (200, 404) and "json" not in kind:
                return f"{endpoint} answered {response.status_code} with {kind}, not a hub's JSON"
            return None
    except Exception as error:  # whatever the client raises, the answer is "not reachable"
        return plain_reason(error, endpoint, timeout_seconds)


def _no_answer(endpoint: str, timeout_seconds: float) -> str:
    return f"no answer from {endpoint} within {timeout_seconds:g} s"


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _told(error: BaseException) -> str:
    return f"{type(error).__name__}: {one_line(str(error))}"
