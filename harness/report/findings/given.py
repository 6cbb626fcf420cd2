"""What is known of the given predictions in a leaderboard, as Markdown."""

from harness.markup import code
from harness.store.given import NOT_TRAINED, Given
from harness.text import counted


def described(given: Given) -> str:
    """Return what was compared with the data, and the digests of the files."""
    compared = (
        "labels and sentences are those of the validation split, row by row"
        if given.sentences_compared
        else "labels are those of the validation split, row by row; sentences were not compared, "
        "because some file has none"
    )
    files = ", ".join(code(seed.file_sha256) for seed in given.seeds)
    return (
        f"{code(given.name)}: {NOT_TRAINED}: {counted(len(given.seeds), 'file')}, one a seed; "
        f"{compared}; which program made them, and from which data, is not known; sha256 {files}"
    )
