"""The options that choose what runs: declared, read, and checked."""

from harness.session.options.declared import (
    DEFAULT_SUITES,
    OPTIONS,
    OVERRIDES,
    SWITCHES,
    Option,
    flag_of,
    name_of,
)
from harness.session.options.folders import (
    Chosen,
    baseline_file,
    cola_folder,
    empty_value,
    home,
    left_behind,
    results_folder,
)
from harness.session.options.session_options import Options, read_options
from harness.session.options.suites import (
    Planned,
    for_every_cell,
    located,
    planned_suites,
    read_suites,
    suite_files,
)

__all__ = [
    "DEFAULT_SUITES",
    "OPTIONS",
    "OVERRIDES",
    "SWITCHES",
    "Chosen",
    "Option",
    "Options",
    "Planned",
    "baseline_file",
    "cola_folder",
    "empty_value",
    "flag_of",
    "for_every_cell",
    "home",
    "left_behind",
    "located",
    "name_of",
    "planned_suites",
    "read_options",
    "read_suites",
    "results_folder",
    "suite_files",
]
