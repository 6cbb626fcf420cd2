"""Coverage-guided fuzzing of every reader: `python tests/fuzz.py READER [libFuzzer's options]`.

For any file content, a reader returns or raises BadInput (for a record: ValueError). Any other
exception ends the search with a traceback and the file. The search starts from valid files, made
here: from an empty file it seldom gets past the first key.
"""

import contextlib
import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["harness", "tomllib"], enable_loader_override=False):
    from harness.errors import BadInput, Unavailable
    from harness.inputs import checkpoints, data
    from harness.report import publish, read_published
    from harness.report.published import as_json
    from harness.store.run_store import read_store, write_record
    from harness.suite.references import load_references
    from harness.suite.spec import DatasetSpec, load_suite
    from harness.training.progress import read as read_progress

from builders.records import make_cell, make_predictions, make_record
from builders.waiting import UNREACHABLE

from harness.judging.leaderboard import leaderboard

FOLDER = Path(tempfile.mkdtemp(prefix="fuzz-"))
CELL = make_cell(seeds=(0, 1))


def written(name: str, content: bytes) -> Path:
    path = FOLDER / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def suite(content: bytes) -> None:
    load_suite(written("suite.toml", content))


def references(content: bytes) -> None:
    load_references(written("references.toml", content))


def leaderboards(content: bytes) -> None:
    read_published(written("leaderboard.json", content))


def _load(spec: DatasetSpec, cola_dir: Path | None) -> None:
    data.load(data.find(spec, cola_dir, UNREACHABLE, FOLDER))


def table(content: bytes) -> None:
    suffix = (".csv", ".tsv", ".jsonl")[content[0] % 3 if content else 0]
    path = written(f"table{suffix}", content[1:])
    _load(DatasetSpec(source="file", path=str(path), validation_size=4), None)


def cola(content: bytes) -> None:
    parts = content.split(b"\f")
    for name, part in zip(("train", "dev", "test"), [*parts, b"", b""], strict=False):
        written(f"cola/{name}.tsv", part)
    _load(DatasetSpec(source="cola"), FOLDER / "cola")


def record(content: bytes) -> None:
    written("store/runs/cell/run/record.json", content)
    stored, unreadable = read_store(FOLDER / "store")
    assert len(stored) + len(unreadable) == 1


def progress(content: bytes) -> None:
    read_progress(written("run/progress.json", content).parent)


def checkpoint(content: bytes) -> None:
    """Read the config, the tokenizer's config, the index of shards and the weights of a folder."""
    names = ("config.json", "tokenizer_config.json", "model.safetensors.index.json")
    parts = content.split(b"\f")
    for name, part in zip(names, [*parts, b"", b""], strict=False):
        written(f"checkpoint/{name}", part)
    written("checkpoint/model.safetensors", WEIGHTS if len(parts) < 4 else parts[3])
    written("checkpoint/tokenizer.json", b"{}")
    checkpoints.resolve("./checkpoint", UNREACHABLE, FOLDER)


def _record() -> bytes:
    first = CELL.seeds[0]
    folder = FOLDER / "store/runs/cell/run"
    write_record(folder, make_record(CELL, first), make_predictions())
    return (folder / "record.json").read_bytes()


def _leaderboard() -> bytes:
    found = [make_record(CELL, seed) for seed in CELL.seeds]
    text = as_json(publish("sample", [CELL], found), leaderboard([CELL], found))
    return text if isinstance(text, bytes) else text.encode()


SUITE = b"""name = "mine"
[dataset]
source = "embedded"
[matrix]
checkpoints = ["org/one"]
batch_sizes = [16]
learning_rates = [2e-5]
[training]
epochs = 2
[gates]
min_mcc = 0.3
"""
REFERENCE = b'[[reference]]\ncheckpoint = "a/b"\nmcc = 0.5\nrecipe = "y"\nsource = "x"\n'
PROGRESS = b'{"step": 1, "steps": 2, "epoch": 1.0, "seconds": 2.0}'
TENSORS = b'{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}'
WEIGHTS = len(TENSORS).to_bytes(8, "little") + TENSORS + b"x"
ROWS = b"sentence,label\n" + b"".join(b"good %d,%d\n" % (n, n % 2) for n in range(20))
COLA = b"\f".join(b"gj04\t%d\t*\tA sentence %d.\n" % (n % 2, n) for n in range(3))
CONFIG = json.dumps({"model_type": "bert", "architectures": ["BertModel"]}).encode()

READERS: dict[str, tuple[Callable[[bytes], None], bytes]] = {
    "suite": (suite, SUITE),
    "references": (references, REFERENCE),
    "leaderboard": (leaderboards, _leaderboard()),
    "table": (table, b"\0" + ROWS),
    "cola": (cola, COLA),
    "record": (record, _record()),
    "progress": (progress, PROGRESS),
    "checkpoint": (checkpoint, CONFIG + b"\f{}\f" + b'{"weight_map": {"a": "model.safetensors"}}'),
}


def main() -> None:
    """Fuzz one reader until a limit in libFuzzer's options, or an unexpected exception."""
    if len(sys.argv) < 2 or sys.argv[1] not in READERS:
        sys.exit(f"usage: python tests/fuzz.py {{{','.join(READERS)}}} [-max_total_time=SECONDS]")
    name = sys.argv.pop(1)
    read, start = READERS[name]
    corpus = FOLDER / "corpus"
    corpus.mkdir()
    (corpus / "good").write_bytes(start)

    def tested(content: bytes) -> None:
        with contextlib.suppress(BadInput, Unavailable):
            read(content)

    tested(start)
    atheris.Setup([*sys.argv, f"-artifact_prefix={FOLDER}/", str(corpus)], tested)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
