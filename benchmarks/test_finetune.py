"""A test for every cell of the suites, and for every suite's own gates; see the imported module."""

from harness.plugin.cells import test_finetune, test_suite

__all__ = ["test_finetune", "test_suite"]
