"""Environment variables of launchers of distributed training, which runs must ignore."""

import os

# Set by `accelerate launch`, `torchrun` and common MPIs; accelerate and Trainer read them.
PREFIXES = (
    "ACCELERATE_",
    "FSDP_",
    "MPI_",
    "MV2_",
    "OMPI_",
    "PARALLELISM_CONFIG_",
    "PMI_",
    "TORCHELASTIC_",
)
NAMES = (
    "CCL_WORKER_COUNT",
    "FORK_LAUNCHED",
    "LOCAL_RANK",
    "LOCAL_WORLD_SIZE",
    "MASTER_ADDR",
    "MASTER_PORT",
    "NODE_RANK",
    "RANK",
    "WORLD_SIZE",
)


def disregard() -> list[str]:
    """Remove a launcher's variables from this process' environment, and return their names.

    A run trains in one process with its suite's settings. With these variables it would compute in
    another precision or in other parts under the same key, or wait for processes that do not exist.
    """
    found = [name for name in os.environ if name in NAMES or name.startswith(PREFIXES)]
    for name in found:
        del os.environ[name]
    return sorted(found)
