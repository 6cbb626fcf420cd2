"""Speed of the harness against the tutorial's script, itself, and other commits: `make speed`."""
