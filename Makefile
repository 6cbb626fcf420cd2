# Two commands do everything on a fresh machine: `make bench` and `make test`.
# ARGS reaches pytest: make bench ARGS="--cola-dir ~/cola_public -k bs16"

PYTHON ?= python3
VENV := .venv
INSTALLED := $(VENV)/.installed

.PHONY: bench test coverage soak speed docs check clean

bench: $(INSTALLED)
	$(VENV)/bin/pytest benchmarks/ $(ARGS)

test: $(INSTALLED)
	$(VENV)/bin/pytest tests/ $(ARGS)

# Branch coverage of the harness, worker processes included.
coverage: $(INSTALLED)
	$(VENV)/bin/pytest tests/ --cov $(ARGS)

# Faults at many random moments, and hundreds of runs in one session: an hour.
soak: $(INSTALLED)
	$(VENV)/bin/pytest tests/ -m soak $(ARGS)

# The harness against the tutorial's script, side by side; needs COLA_DIR, a quarter of an hour.
speed: $(INSTALLED)
	$(VENV)/bin/pytest benchmarks/speed.py -s $(ARGS)

# Rewrites the parts of the documentation that come from the code.
docs: $(INSTALLED)
	$(VENV)/bin/python docs/generate.py

check: $(INSTALLED)
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy

$(INSTALLED): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet -c constraints.txt -e '.[quickstart,test]'
	touch $@

clean:
	rm -rf $(VENV) build *.egg-info .pytest_cache .mypy_cache .ruff_cache .benchmarks
