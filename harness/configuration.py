"""A checkpoint's configuration: what model it is, and none of the code that it asks for."""

from typing import Any

from transformers import AutoConfig, PreTrainedConfig


def read_configuration(folder: str, **changes: Any) -> PreTrainedConfig:
    """Read a checkpoint's config.json, with some of its fields changed.

    Which attention computes the model is left to transformers. A configuration can name one of the
    hub's, whose compiled code transformers would fetch and run.

    Raises:
        ValueError: not a model that this version of transformers knows.
    """
    configuration: PreTrainedConfig = AutoConfig.from_pretrained(
        folder, trust_remote_code=False, local_files_only=True, **changes
    )
    configuration._attn_implementation = None
    return configuration
