# Vitrine: make run · make test · make check · make bench · make docs. Everything is installed into .venv/.
PYTHON ?= python3
BIN := .venv/bin
export OMP_NUM_THREADS ?= 2

.PHONY: run test test-slow check format tables covers docs bench gates clean chromium

run: .venv/ready
	@exec $(BIN)/python app.py serve

# One process a core, each with one thread: with two threads each, two processes wait for one another most of the time.
PARALLEL := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n logical --maxprocesses 8 --dist loadfile

test: .venv/ready-dev chromium
	$(PARALLEL)

test-slow: .venv/ready-dev chromium
	$(PARALLEL) -m "slow or not slow"

check: .venv/ready-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-logo
	$(BIN)/oxlint --deny-warnings assets
	$(BIN)/python docs/tables.py --check
	$(BIN)/mypy

format: .venv/ready-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

tables: .venv/ready
	$(BIN)/python docs/tables.py

covers: .venv/ready
	$(BIN)/python docs/covers.py

docs: .venv/ready-dev
	$(BIN)/python docs/tables.py --check
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@echo "The site is in site/index.html"

bench: .venv/ready-dev chromium
	$(BIN)/python -m benchmarks

gates: .venv/ready
	$(BIN)/python -m benchmarks.gates

clean:
	rm -rf .venv .vitrine site build *.egg-info backends/bundled/.training

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Vitrine needs Python 3.11 or newer; set PYTHON=/path/to/it")'
	$(PYTHON) -m venv .venv

.venv/ready: requirements.txt | .venv/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

.venv/ready-dev: requirements-dev.txt .venv/ready
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@

# The browser that the tests drive: Debian's, installed when this is root on Debian, asked for otherwise.
chromium:
	@command -v chromium >/dev/null || command -v google-chrome >/dev/null || \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core >/dev/null; \
	else \
		echo "The browser tests need Chromium: install it (Debian: sudo apt install chromium) and run make again." >&2; exit 1; \
	fi
