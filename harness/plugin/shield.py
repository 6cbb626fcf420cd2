"""Hooks of pytest's plugins at the end of a session, each kept from ending the others.

pluggy stops a hook at the first plugin that raises, so that one file that cannot be written costs
what every other plugin has to say.
"""

from collections.abc import Callable, Generator
from typing import Any

import pluggy
import pytest

Told = Callable[[str], None]


def shield(hook: pluggy.HookCaller, own: Callable[[object], bool], told: Told) -> None:
    """From now on, report what a plugin raises in this hook, and go on with the other plugins.

    Ctrl-C and `pytest.exit` end the session as ever.

    Args:
        own: whether a plugin is not to be shielded.
        told: called with a line for each plugin that failed.
    """
    for implementation in hook.get_hookimpls():
        if own(implementation.plugin):
            continue
        around = _wrapper if implementation.wrapper or implementation.hookwrapper else _plain
        name = _name(implementation)

        def failed(error: BaseException, name: str = name) -> None:
            told(f"{name} failed in {hook.name}: {type(error).__name__}: {error}")

        shielded = around(implementation.function, failed)
        implementation.function = shielded  # type: ignore[misc]


Failed = Callable[[BaseException], None]


def _plain(function: Callable[..., Any], failed: Failed) -> Callable[..., Any]:
    def called(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except (Exception, SystemExit) as error:
            _let_through(error)
            failed(error)

    return called


def _wrapper(function: Callable[..., Any], failed: Failed) -> Callable[..., Any]:
    """Shield both halves of a wrapper: before and after what it goes around."""

    def called(*args: Any, **kwargs: Any) -> Generator[None, Any, Any]:
        wrapping = function(*args, **kwargs)
        try:
            next(wrapping)
        except (Exception, SystemExit) as error:
            _let_through(error)
            failed(error)
            return (yield)
        try:
            outcome = yield
        except BaseException as error:
            try:
                wrapping.throw(error)
            except StopIteration as end:
                return end.value
            raise
        try:
            wrapping.send(outcome)
        except StopIteration as end:
            return end.value
        except (Exception, SystemExit) as error:
            _let_through(error)
            failed(error)
        return outcome

    return called


def _let_through(error: BaseException) -> None:
    if isinstance(error, pytest.exit.Exception):
        raise error


def _name(implementation: pluggy.HookImpl) -> str:
    """Return a plugin's name; of one without, what kind of object it is."""
    name, plugin = implementation.plugin_name, implementation.plugin
    return f"the plugin {type(plugin).__name__ if name.isdigit() else name}"
