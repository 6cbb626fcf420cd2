"""What all tests need of the process that runs them."""

import os
import signal

from hypothesis import HealthCheck, settings

# A shell's background job ignores Ctrl-C, and so would the sessions that tests interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)

# Sessions that tests start are no workers of pytest-xdist, whoever runs the tests.
for name in [name for name in os.environ if name.startswith("PYTEST_XDIST_")]:
    del os.environ[name]

# Beside other work a right answer takes longer, and no test is about time.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")

# A mutant is tried in a second or two, and the same examples are tried on each; see `make mutants`.
settings.register_profile(
    "mutants", max_examples=20, derandomize=True, database=None, deadline=None
)
