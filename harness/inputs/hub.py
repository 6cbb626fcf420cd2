"""Whether the Hugging Face hub can be reached: checked once per session, within seconds."""

import os
import queue
import socket
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from huggingface_hub import constants

from harness.redaction import redacted
from harness.text import one_line

OFFLINE_VARIABLES = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_DATASETS_OFFLINE")

# A hub that requires a token (401), limits anonymous requests (429) or has no listing (404, some
# mirrors) is reachable: later requests for a repository return their own status.
ANSWERS_OF_A_HUB = (200, 401, 404, 429)


@dataclass
class Hub:
    """The result of `probe`, updated by later requests through `give_up`.

    Attributes:
        endpoint: address of the hub, without a trailing slash; it may contain a password, so show
            `address` instead.
        reachable: whether requests to the hub can succeed.
        reason: why the hub is unreachable, in one line; None if it is reachable.
    """

    endpoint: str
    reachable: bool
    reason: str | None

    @property
    def address(self) -> str:
        """The endpoint without user and password."""
        return redacted(self.endpoint)

    def give_up(self, reason: str) -> None:
        """Mark the hub as unreachable, so that a session waits for a timeout only once."""
        self.reachable, self.reason = False, redacted(reason)


def probe(timeout_seconds: float = 3.0) -> Hub:
    """Request one line of the model listing of the hub at HF_ENDPOINT (default huggingface.co).

    The environment is read at each call. With HF_HUB_OFFLINE, TRANSFORMERS_OFFLINE or
    HF_DATASETS_OFFLINE set, no request is made. Never raises.

    Args:
        timeout_seconds: wall time after which the hub counts as unreachable, including a name
            look-up that hangs.
    """
    endpoint = (
        os.environ.get("HF_ENDPOINT") or constants.ENDPOINT or constants.HUGGINGFACE_CO_URL_HOME
    ).rstrip("/")
    reason = _offline() or _malformed(endpoint)
    if reason is None:
        # The system's name look-up has no timeout, so the request runs in a thread that may never
        # end; a daemon thread does not block the end of the process.
        answer: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        threading.Thread(
            target=lambda: answer.put(_failure(endpoint, timeout_seconds)),
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


class _Unasked(Hub):
    """A hub that nothing has asked about yet; see `when_asked`."""

    def __init__(self) -> None:
        """Set no attribute: the first one that is read asks."""

    def __getattr__(self, name: str) -> object:
        if name not in ("endpoint", "reachable", "reason"):
            raise AttributeError(name)
        vars(self).update(vars(probe()) | vars(self))  # what `give_up` has set stays
        return vars(self)[name]


def when_asked() -> Hub:
    """Return a hub that is probed when it is first asked for: suites of local inputs never ask."""
    return _Unasked()


def without_asking() -> Hub:
    """Return a hub that is not asked: what needs it is left out."""
    return Hub("", False, "not asked")


def plain_reason(error: BaseException, endpoint: str, timeout_seconds: float) -> str:
    """Return in one line why a request to `endpoint` failed, from the error that it raised."""
    causes = list(_causes(error))
    if any(isinstance(cause, socket.gaierror) for cause in causes):
        return f"{endpoint}: name not resolved"
    if any(isinstance(cause, TimeoutError) for cause in causes):
        return _no_answer(endpoint, timeout_seconds)
    if any(isinstance(cause, ConnectionRefusedError) for cause in causes):
        return f"{endpoint}: connection refused"
    if any(isinstance(cause, ssl.SSLError) for cause in causes):
        return f"{endpoint}: no secure connection ({_error_line(error)})"
    return f"{endpoint}: {_error_line(error)}"


def _offline() -> str | None:
    for variable in OFFLINE_VARIABLES:
        if os.environ.get(variable, "").upper() in constants.ENV_VARS_TRUE_VALUES:
            return f"offline mode is set by {variable}"
    # huggingface_hub reads the variable only at import, and then refuses every request.
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


def _failure(endpoint: str, timeout_seconds: float) -> str | None:
    """Return why one request did not get a hub's answer; None if it did."""
    try:
        from huggingface_hub import get_session  # slow to import

        with get_session().stream(
            "GET",
            f"{endpoint}/api/models",
            params={"limit": 1},
            timeout=timeout_seconds,
            follow_redirects=True,
        ) as response:
            if response.status_code not in ANSWERS_OF_A_HUB:
                return f"{endpoint} answered {response.status_code}"
            # A login page or a gateway may also answer 200 or 404, but not with JSON.
            kind = response.headers.get("content-type", "no content").split(";")[0]
            if response.status_code in (200, 404) and "json" not in kind:
                return f"{endpoint} answered {response.status_code} with {kind}, not a hub's JSON"
            return None
    except Exception as error:  # any exception of the client means "not reachable"
        return plain_reason(error, endpoint, timeout_seconds)


def _no_answer(endpoint: str, timeout_seconds: float) -> str:
    return f"no answer from {endpoint} within {timeout_seconds:g} s"


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _error_line(error: BaseException) -> str:
    return f"{type(error).__name__}: {one_line(str(error))}"
