"""What the documentation says is what the code and the committed results say."""

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "docs"))

from generate import generated, generated_files, replaced  # noqa: E402

from harness.report import read_published, render  # noqa: E402
from harness.session.options import OPTIONS, OVERRIDES  # noqa: E402

PARTS = ["leaderboard", "packages", "keys", "commands", "github job", "gitlab job", "domains"]


@pytest.mark.parametrize("part", PARTS)
def test_a_generated_part_is_what_the_code_makes_of_it_now(part: str) -> None:
    (path, text) = next((path, text) for path, name, text in generated() if name == part)
    document = path.read_text(encoding="utf-8")
    assert replaced(document, part, text) == document, "run `make docs`"


def test_a_generated_file_is_what_the_code_makes_of_it_now() -> None:
    files = list(generated_files())
    assert [path.name for path, _ in files] == ["github.yml", "gitlab.yml"]
    assert [path for path, text in files if path.read_text(encoding="utf-8") != text] == []


def test_every_option_is_in_the_readme() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    flags = [option.flag for option in OPTIONS]
    assert set(OVERRIDES) < set(flags)
    assert [flag for flag in [*flags, "--strict"] if f"| `{flag}" not in readme] == []


@pytest.mark.parametrize(
    "path", sorted((ROOT / "results").glob("*/leaderboard.json")), ids=lambda path: path.parent.name
)
def test_committed_tables_are_those_of_their_committed_records(path: Path) -> None:
    for name, content in render(read_published(path)).items():
        assert (path.parent / name).read_bytes() == content, name
