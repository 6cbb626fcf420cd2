"""The command `harness`, one file per subcommand.

Exit codes: 0 success; 1 the check failed; 2 wrong usage; 4 bad input, as for pytest's usage
errors; 130 interrupted and 141 closed pipe, as for programs that end by these signals. Those of
`harness run` are pytest's. docs/cli.md describes the exit codes of each subcommand.
"""

import contextlib
import errno
import os
import sys

import click

from harness.cli.compare import compare
from harness.cli.doctor import doctor
from harness.cli.init import init
from harness.cli.judge import judge
from harness.cli.mistakes import mistakes
from harness.cli.plan import plan
from harness.cli.predict import predict
from harness.cli.report import report
from harness.cli.restore import restore
from harness.cli.run import run
from harness.cli.submit import submit
from harness.errors import BadInput, Unavailable
from harness.machine import provenance
from harness.machine.provenance import DISTRIBUTION

COMMANDS: tuple[click.Command, ...] = (
    init,
    doctor,
    plan,
    run,
    report,
    restore,
    compare,
    judge,
    mistakes,
    predict,
    submit,
)
"""In the order of the help text."""

BAD_INPUT = 4
INTERRUPTED = 130
NOT_READ = 141


@click.group(
    commands=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="`harness COMMAND --help` has examples. In a checkout, `pytest benchmarks/` trains too.",
)
@click.version_option(
    provenance.versions((DISTRIBUTION,))[DISTRIBUTION] or "unknown (not installed)",
    prog_name="harness",
)
def harness() -> None:
    """Train suites; inspect, rebuild and use their results."""


def main() -> None:
    """Run the command line of this process and exit; see the exit codes above."""
    sys.exit(_run())


def _run() -> int:
    stdout = sys.stdout
    try:
        # Not click's own handling, which exits with 1 after an interrupt and at a closed pipe.
        code = harness(prog_name="harness", standalone_mode=False)
        if sys.stdout is not None:
            sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except SystemExit as error:
        # At a closed pipe, click replaces standard output and exits with 1.
        if sys.stdout is not stdout:
            return NOT_READ
        return error.code if isinstance(error.code, int) else 0
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (BadInput, Unavailable) as error:
        return _fail(str(error))
    except (click.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except UnicodeEncodeError as error:
        seen = ascii(error.object[error.start : error.start + 1])
        way_out = "set PYTHONIOENCODING=utf-8"
        return _fail(f"standard output: {error.encoding} cannot write {seen}; {way_out}")
    except OSError as error:
        if error.errno == errno.EPIPE:
            _disconnect()
            return NOT_READ
        if error.errno in (errno.ENOSPC, errno.EIO, errno.EBADF) and error.filename is None:
            _disconnect()
            return _fail(f"standard output: cannot be written ({error.strerror})")
        raise


def _fail(message: str) -> int:
    with contextlib.suppress(OSError):  # standard error may be closed, too
        click.echo(message, err=True)
    return BAD_INPUT


def _disconnect() -> None:
    """Discard buffered output, which Python would otherwise fail to write again at exit."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    with contextlib.suppress(OSError, ValueError):
        os.dup2(nowhere, sys.stdout.fileno())
