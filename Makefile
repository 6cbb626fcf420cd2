# Two commands do everything on a fresh machine: `make bench` and `make test`.
# ARGS reaches pytest: make bench ARGS="--cola-dir ~/cola_public -k bs16"

PYTHON ?= python3
VENV := .venv
INSTALLED := $(VENV)/.installed

# Tests are distributed over the cores; each of their processes computes in one thread.
TESTS := OMP_NUM_THREADS=1 $(VENV)/bin/pytest tests/ -n auto --maxprocesses 8 --dist worksteal

SESSIONS := (sessions or long) and not ray and not soak and not architectures

.PHONY: bench test quick format sessions architectures coverage mutants soak fuzz speed race docs check audit clean

bench: $(INSTALLED)
	$(VENV)/bin/pytest benchmarks/ $(ARGS)

test: $(INSTALLED)
	$(TESTS) $(ARGS)

# Without the tests that need torch or separate processes, or simulate: 80 s on two cores.
quick: $(INSTALLED)
	$(TESTS) --quick -q $(ARGS)

# The rest of the tests: long checks, whole sessions as users run them, including sessions that are
# killed or run out of resources, and every command of the documentation.
sessions: $(INSTALLED)
	$(TESTS) -m "$(SESSIONS)" $(ARGS)

# Branch coverage of the harness, worker processes included.
coverage: $(INSTALLED)
	$(TESTS) -m "not ray and not soak and not architectures" --cov $(ARGS)

# Mutation testing: half an hour. `.venv/bin/mutmut results` lists the mutants that no test
# detects; ARGS names modules: "harness.suite.plan.*".
mutants: $(INSTALLED)
	$(VENV)/bin/python -m pip install --quiet -c constraints.txt -e '.[mutation]'
	OMP_NUM_THREADS=1 $(VENV)/bin/mutmut run $(ARGS)

# Faults at many random moments, and hundreds of runs in one session: 15 minutes.
soak: $(INSTALLED)
	$(VENV)/bin/pytest tests/ -m soak $(ARGS)

# Coverage-guided fuzzing of every reader, SECONDS seconds each.
SECONDS ?= 60
fuzz: $(INSTALLED)
	$(VENV)/bin/python -m pip install --quiet -c constraints.txt -e '.[fuzz]'
	for reader in suite references leaderboard table cola record progress checkpoint; do \
	  $(VENV)/bin/python tests/fuzz.py $$reader -max_total_time=$(SECONDS) || exit 1; done

# Compares the speed of the harness and the tutorial's script; needs COLA_DIR, two hours on two quiet
# cores. ARGS=--short: one figure, about six minutes; ARGS="--short --against REV": also against another
# commit, about twenty; ARGS="--growth --against REV": tables of 10,000 records and sessions of 1,000
# finished runs, at another commit and here; ARGS="--only beside": one section.
speed: $(INSTALLED)
	PYTHONPATH=benchmarks $(VENV)/bin/python -m speed $(ARGS)

# Replays races and looks on a full matrix that `pytest benchmarks/ --suite benchmarks/race.toml`
# has trained (an hour or two), and `--stop decided` on any whole runs: nothing is trained. ARGS:
# --evidence FOLDER.
race: $(INSTALLED)
	$(VENV)/bin/python benchmarks/replay.py $(ARGS)

# Rewrites the parts of the documentation that come from the code.
docs: $(INSTALLED)
	$(VENV)/bin/python docs/generate.py

# Tries every architecture of the installed transformers and writes docs/architectures.md: a few
# minutes on two cores. `make test ARGS="-m architectures"` checks that the committed page matches.
architectures: $(INSTALLED)
	OMP_NUM_THREADS=1 $(VENV)/bin/python docs/architectures.py

# Formats the code and sorts its imports.
format: $(INSTALLED)
	$(VENV)/bin/ruff check --select I --fix .
	$(VENV)/bin/ruff format .

check: $(INSTALLED)
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy

# Known vulnerabilities of the pinned dependencies.
audit: $(INSTALLED)
	$(VENV)/bin/python -m pip check
	$(PYTHON) -m venv $(VENV)/audit
	$(VENV)/audit/bin/python -m pip install --quiet pip-audit==2.10.1
	$(VENV)/bin/python .ci/audit.py $(VENV)/audit/bin/pip-audit

$(INSTALLED): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet -c constraints.txt -e '.[quickstart,test]'
	touch $@

clean:
	rm -rf $(VENV) build mutants *.egg-info .pytest_cache .mypy_cache .ruff_cache .benchmarks
