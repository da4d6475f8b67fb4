# Every target sets up .venv by itself; nothing is needed but Python 3.11 or newer.
PYTHON ?= python3
BIN := .venv/bin
TESTS ?= tests
# A process on every core, of one thread each; whoever is done takes work from the others. What was compiled is kept, or
# every process that a test starts would compile the package anew.
export PYTHONDONTWRITEBYTECODE =
PYTEST := $(BIN)/python -m pytest --numprocesses auto --dist worksteal

.PHONY: demo test quick bench lint clean

demo: .venv/ready
	$(BIN)/pinnml solve problems/poisson.py --out runs/poisson

test: lint
	$(PYTEST) $(TESTS)

quick: lint
	$(PYTEST) -m 'not slow' $(TESTS)

bench: .venv/ready
	$(BIN)/python -m scripts.benchmark

lint: .venv/ready
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright

.venv/ready: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable '.[test]'
	touch $@

clean:
	rm -rf .venv runs
