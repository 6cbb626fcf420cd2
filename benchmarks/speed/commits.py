"""Another commit of this repository, in a folder of its own."""

import contextlib
import json
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from harness.errors import BadInput
from speed import commands
from speed.commands import ROOT


@contextlib.contextmanager
def checkout(revision: str, root: Path = ROOT) -> Iterator[tuple[Path, str]]:
    """Check out a commit into a temporary folder (a worktree of git), and remove it at the end.

    Args:
        revision: a branch, tag, commit or HEAD~1.

    Returns:
        The folder, and the commit's hash.

    Raises:
        BadInput: no such commit, or no repository.
    """
    found = _git(root, "rev-parse", "--verify", "--end-of-options", f"{revision}^{{commit}}")
    if found.returncode:
        raise BadInput(
            [
                f"--against {revision}: no commit of this repository ({found.stderr.strip()}); "
                "give a branch, a tag, or a commit, such as HEAD~1"
            ]
        )
    commit = found.stdout.strip()
    with tempfile.TemporaryDirectory(prefix="speed-") as folder:
        tree = Path(folder).resolve() / "tree"
        added = _git(root, "worktree", "add", "--quiet", "--detach", str(tree), commit)
        try:
            if added.returncode:
                raise BadInput([f"--against {revision}: {added.stderr.strip()}"])
            yield tree, commit
        finally:
            _git(root, "worktree", "remove", "--force", str(tree))


def check_imports(tree: Path) -> None:
    """Check that commands in a checkout import its own harness, not the installed one.

    Raises:
        BadInput: they do not.
    """
    program = "import harness, json; print(json.dumps(harness.__file__))"
    try:
        file = Path(json.loads(commands.run("-c", program, tree=tree).output))
    except commands.Failed as error:
        raise BadInput([f"no harness can be imported in {tree}: {error}"]) from None
    if not file.is_relative_to(tree):
        raise BadInput([f"in {tree}, {file} is imported; it would be compared with itself"])


def _git(root: Path, *command: str) -> "subprocess.CompletedProcess[str]":
    whole = ("git", "-C", str(root), *command)
    return subprocess.run(whole, capture_output=True, text=True, check=False)
