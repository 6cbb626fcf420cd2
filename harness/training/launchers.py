"""What launchers of distributed training tell through the environment, which no run is to heed."""

import os

# Of `accelerate launch`, `torchrun` and the usual MPIs, as accelerate and Trainer read them.
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
    """Take a launcher's variables out of this process' environment, and return their names.

    A run trains alone and as its suite says. With these it would compute in another precision or
    in other parts under the same key, or wait for processes that nobody started.
    """
    found = [name for name in os.environ if name in NAMES or name.startswith(PREFIXES)]
    for name in found:
        del os.environ[name]
    return sorted(found)
