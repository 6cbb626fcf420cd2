"""Isolates plugins in pytest's last hooks, so that one that raises does not stop the others.

pluggy stops a hook at the first plugin that raises. Without this, one file that cannot be written
would suppress the output of all other plugins.
"""

from collections.abc import Callable, Generator
from typing import Any

import pluggy
import pytest

Report = Callable[[str], None]


def shield(hook: pluggy.HookCaller, own: Callable[[object], bool], report: Report) -> None:
    """From now on, report exceptions of plugins in this hook, and continue with the next plugin.

    Ctrl-C and `pytest.exit` end the session as usual.

    Args:
        own: returns whether a plugin is excluded from this.
        report: called with a line for each plugin that failed.
    """
    for implementation in hook.get_hookimpls():
        if own(implementation.plugin):
            continue
        around = _wrapper if implementation.wrapper or implementation.hookwrapper else _plain
        name = _name(implementation)

        def failed(error: BaseException, name: str = name) -> None:
            if isinstance(error, pytest.exit.Exception):
                raise error
            report(f"{name} failed in {hook.name}: {type(error).__name__}: {error}")

        shielded = around(implementation.function, failed)
        implementation.function = shielded  # type: ignore[misc]


Failed = Callable[[BaseException], None]


def _plain(function: Callable[..., Any], failed: Failed) -> Callable[..., Any]:
    def called(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except (Exception, SystemExit) as error:
            failed(error)

    return called


def _wrapper(function: Callable[..., Any], failed: Failed) -> Callable[..., Any]:
    """Shield both halves of a hook wrapper: before and after its `yield`."""

    def called(*args: Any, **kwargs: Any) -> Generator[None, Any, Any]:
        wrapping = function(*args, **kwargs)
        try:
            next(wrapping)
        except (Exception, SystemExit) as error:
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
            failed(error)
        return outcome

    return called


def _name(implementation: pluggy.HookImpl) -> str:
    """Return a plugin's name, or its type if it has no name."""
    name, plugin = implementation.plugin_name, implementation.plugin
    return f"the plugin {type(plugin).__name__ if name.isdigit() else name}"
