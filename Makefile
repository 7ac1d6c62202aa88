# Everything here needs python3 (3.11 or newer), make and pip; the rest goes into .venv.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
PLUGINS := $(wildcard plugins/*/pyproject.toml)
PROJECTS := pyproject.toml $(PLUGINS)

export HF_HUB_OFFLINE ?= 1

.DEFAULT_GOAL := help
.PHONY: help demo test test-all check clean

help:
	@echo "make demo      install, run the demo, say where its records are"
	@echo "make test      install, then lint, types and the quick tests"
	@echo "make test-all  the same with the slow tests"
	@echo "make clean     remove the environment and caches (results/ stays)"

# A second call finds the stamp and installs nothing.
$(READY): constraints.txt $(PROJECTS)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "This needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) --version 2>&1)." >&2; \
	  echo "Name a newer one: make PYTHON=python3.12 ..." >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet -c constraints.txt -e ".[torch,dev]" \
	  $(patsubst %/pyproject.toml,-e %,$(PLUGINS))
	@touch $@

demo: $(READY)
	$(BIN)/harness run --model socialfusion --tasks social_all
	@echo
	@echo "Two baselines beside it:"
	@$(BIN)/harness run --model majority --tasks social_all > /dev/null
	@$(BIN)/harness run --model random --tasks social_all > /dev/null
	@$(BIN)/harness leaderboard --tasks social_all
	@$(BIN)/harness leaderboard --layout socialfusion --out results/table.tex
	@echo "The same for a paper: results/table.tex"
	@$(BIN)/harness site build results/site --layout socialfusion
	@echo "A page to look at: open results/site/index.html in a browser"
	@echo "Records: results/ (one folder an evaluation). The table again: $(BIN)/harness leaderboard"

check: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

test: check
	$(BIN)/python -m pytest -m "not slow" -n 2

test-all: check
	$(BIN)/python -m pytest -n 2

clean:
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis build dist
