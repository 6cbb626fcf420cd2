"""The files of a checkpoint in a folder: which are read, which are missing or broken, a digest."""

import hashlib
import json
import reprlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError, safe_open

from harness.inputs.vocabularies import missing_vocabulary
from harness.text import counted

CONFIG = "config.json"

WEIGHTS = "model.safetensors"

WEIGHTS_INDEX = "model.safetensors.index.json"

TOKENIZER_CONFIG = "tokenizer_config.json"

ADAPTER = "adapter_config.json"

# Every file that a tokenizer of transformers may need to encode a sentence.
TOKENIZER_FILES = (
    "added_tokens.json",
    "bpe.codes",
    "dict.txt",
    "entity_vocab.json",
    "merges.txt",
    "sentencepiece.bpe.model",
    "sentencepiece.model",
    "special_tokens_map.json",
    "spiece.model",
    "spm.model",
    "tekken.json",
    "tiktoken.model",
    "tokenizer.json",
    "tokenizer.model",
    "tokenizer_config.json",
    "vocab.json",
    "vocab.txt",
    "word_pronunciation.json",
    "word_shape.json",
)

PICKLED_OR_FOREIGN = (".bin", ".bin.index.json", ".pt", ".pth", ".ckpt", ".h5", ".msgpack")

LFS_POINTER = b"version https://git-lfs"


@dataclass(frozen=True)
class Contents:
    """The files that define a checkpoint, and messages about missing and broken ones.

    `two_saves` has the problem of a folder with weights both in one file and in shards, if any:
    `from_pretrained` loads only the one file, and `save_pretrained(max_shard_size=...)` does not
    delete the file of an earlier save (transformers 5.23.0).
    """

    files: list[Path]
    missing: list[str]
    broken: list[str]
    two_saves: list[str]


def digest_of(folder: str) -> str:
    """Return the current digest of the checkpoint in a folder; see Checkpoint."""
    return digest(inspect(Path(folder)).files)


def inspect(folder: Path) -> Contents:
    names = {path.name for path in folder.iterdir() if path.is_file()}
    config, tokenizer = (
        _object(folder / file) if file in names else None for file in (CONFIG, TOKENIZER_CONFIG)
    )
    reader = (tokenizer or {}).get("tokenizer_class") or (config or {}).get("tokenizer_class")
    vocabulary = missing_vocabulary(names, (config or {}).get("model_type"), reader)
    missing = missing_files(names, vocabulary)
    shards = shards_of(folder / WEIGHTS_INDEX) if WEIGHTS_INDEX in names else set()
    weights, two_saves = [WEIGHTS], []
    if WEIGHTS in names and (present := shards & names):
        two_saves.append(
            f"{WEIGHTS} is in one folder with shards ({len(present)}) of {WEIGHTS_INDEX}: weights "
            f"of two saves, and transformers would load only {WEIGHTS}; remove the older save"
        )
    elif WEIGHTS not in names and WEIGHTS_INDEX in names:
        missing += [
            f"{WEIGHTS_INDEX} lists {file[:100]!r}, which is missing; copy it too"
            for file in sorted(shards - names)
        ]
        if not shards:
            missing.append(f"{WEIGHTS_INDEX} has no weight_map of files; save the model again")
        weights = [WEIGHTS_INDEX, *(shards & names)]
    files = [
        folder / file for file in sorted(names.intersection((CONFIG, *TOKENIZER_FILES, *weights)))
    ]
    broken = [f"{path.name} {fault}" for path in files if (fault := _fault(path)) is not None]
    if config is not None and not isinstance(config.get("model_type"), str):
        broken.append(
            f'{CONFIG} has no model_type, the model\'s architecture (such as "bert"); write it '
            "with model.config.save_pretrained(folder)"
        )
    if config is not None and config.get("quantization_config"):
        broken.append(
            f"{CONFIG} has a quantization_config: quantized weights are not fine-tuned; name the "
            "original checkpoint"
        )
    for file, content, field in (
        (CONFIG, config, "transformers_weights"),
        (TOKENIZER_CONFIG, tokenizer, "fast_tokenizer_files"),
    ):
        if content is not None and content.get(field) is not None:
            broken.append(
                f"{file} has {field} {reprlib.repr(content[field])}: files that the checkpoint's "
                f"digest does not cover; give them their usual names and remove {field}"
            )
    if ADAPTER in names:
        broken.append(
            f"{ADAPTER} is in the folder, and adapters are not fine-tuned: transformers would "
            "apply it to the weights; name a folder without an adapter"
        )
    return Contents(files, missing, broken, two_saves)


def missing_files(names: Iterable[str], vocabulary: str | None) -> list[str]:
    """Return messages about the files that a checkpoint's folder lacks.

    Args:
        names: the files in the folder.
        vocabulary: the message about a missing vocabulary, if it is missing.
    """
    present = set(names)
    missing = []
    if CONFIG not in present:
        missing.append(f"no {CONFIG}; write it with model.save_pretrained(folder)")
    if not present & {WEIGHTS, WEIGHTS_INDEX}:
        other = sorted(name for name in present if name.endswith(PICKLED_OR_FOREIGN))
        missing.append(
            f"no {WEIGHTS}, only {', '.join(other)}, which the harness never loads; where you "
            "trust it, convert it with AutoModel.from_pretrained(...).save_pretrained(folder)"
            if other
            else f"no {WEIGHTS}; write it with model.save_pretrained(folder)"
        )
    if vocabulary is not None:
        missing.append(vocabulary)
    return missing


def _fault(path: Path) -> str | None:
    """Return why the content of a JSON or safetensors file is invalid, or None."""
    with path.open("rb") as file:
        if file.read(len(LFS_POINTER)) == LFS_POINTER:
            return "is a Git LFS pointer, not the file itself; run `git lfs pull` in its repository"
    try:
        if path.suffix == ".json":
            json.loads(path.read_bytes())
        if path.suffix == ".safetensors":
            with safe_open(path, framework="numpy") as tensors:
                if not tensors.keys():
                    return "contains no tensors; save the model again"
    except (ValueError, RecursionError) as error:
        return f"is not JSON ({error}); copy it again"
    except SafetensorError as error:
        size = path.stat().st_size
        return (
            f"({counted(size, 'byte')}) is not a complete safetensors file ({error}); copy it again"
        )
    return None


def _object(path: Path) -> dict[str, object] | None:
    """Return the JSON object in a file, {} for other JSON, None for invalid JSON (see _fault)."""
    try:
        content = json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) else {}


def shards_of(index: Path) -> set[str]:
    """Return the names of the weight files that an index lists."""
    weight_map = (_object(index) or {}).get("weight_map")
    return {str(file) for file in weight_map.values()} if isinstance(weight_map, dict) else set()


def digest(files: list[Path]) -> str:
    lines = hashlib.sha256()
    for path in files:
        with path.open("rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
        lines.update(f"{content}  {path.name}\n".encode())
    return lines.hexdigest()
