"""The command `harness`, in this process or a new one; without the network and COLA_DIR."""

import contextlib
import io
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

from harness.cli import main

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Done:
    """The result of a command."""

    code: int
    out: str
    err: str


def harness(*arguments: str, cwd: Path = ROOT, stdin: str = "") -> Done:
    """Run `harness` in this process, as its console script does."""
    out, err = io.StringIO(), io.StringIO()
    code: object = 0
    with (
        mock.patch.object(sys, "argv", ["harness", *arguments]),
        mock.patch.object(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode()))),
        mock.patch.dict(os.environ, _environment(), clear=True),
        contextlib.chdir(cwd),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        try:
            main()
        except SystemExit as error:
            code = error.code
    assert isinstance(code, int)
    return Done(code, out.getvalue(), err.getvalue())


def imported_by(*arguments: str, cwd: Path = ROOT) -> tuple[Done, set[str]]:
    """Run `harness` in a new process; also return the names of the modules that it imported."""
    program = (
        "import atexit, sys, harness.cli\n"
        "atexit.register(lambda: print('imported:', *sys.modules, file=sys.stderr))\n"
        "harness.cli.main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        cwd=cwd,
        env=_environment() | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    err, _, names = done.stderr.rpartition("imported:")
    return Done(done.returncode, done.stdout, err), set(names.split())


def _environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name != "COLA_DIR"}
    return kept | {"HF_HUB_OFFLINE": "1"}
