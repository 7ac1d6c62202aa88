# Everything here needs python3 (3.11 or newer), make and pip; the rest goes into .venv.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
DEV := $(VENV)/.ready-dev
PLUGINS := $(wildcard plugins/*/pyproject.toml)
PROJECTS := pyproject.toml $(PLUGINS)
# What the demo leaves, and what it is made of: as long as both are as they were, nothing is done.
DEMO := results/.demo
SCALE := $(VENV)/.ready-scale
LEFT := results/evaluations results/table.tex results/site/index.html
MADE_OF = $(shell find harness plugins/*/src task_specs leaderboards -type f ! -name '*.pyc')

export HF_HUB_OFFLINE ?= 1

.DEFAULT_GOAL := help
.PHONY: help demo test test-all test-lowest check clean again

help:
	@echo "make demo      install, run the demo, say where its records are"
	@echo "make test      install more, then lint, types and the quick tests"
	@echo "make test-all  the same with the slow tests"
	@echo "make test-lowest  the quick tests with the lowest versions that the metadata allow"
	@echo "make clean     remove the environment and caches (results/ stays)"

# A second call finds the stamp and installs nothing. The build backend comes first and once: in
# isolation pip would install it anew for each of the distributions, a minute more.
$(READY): constraints.txt $(PROJECTS)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "This needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) --version 2>&1)." >&2; \
	  echo "Name a newer one: make PYTHON=python3.12 ..." >&2; exit 1; }
	@echo "Installing PyTorch, transformers and this project into $(VENV): 6 GB on disk, of which"
	@echo "PyTorch and its CUDA libraries are 5; 3 GB to download the first time. That takes 3 to 10"
	@echo "minutes. The longest step is the last, and pip says nothing while it copies:"
	@echo "\"Installing collected packages\". Each next command finds it done."
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -c constraints.txt hatchling editables
	$(BIN)/python -m pip install -c constraints.txt --no-build-isolation -e ".[torch,plot]" \
	  $(patsubst %/pyproject.toml,-e %,$(PLUGINS))
	@touch $@

$(DEV): $(READY)
	@echo "Installing what develops and tests this project into $(VENV): under 1 GB, a minute or two."
	$(BIN)/python -m pip install -c constraints.txt --no-build-isolation -e ".[torch,dev]"
	@touch $@

# The table comes from the records as they are; all else is made only where something has changed.
demo: $(DEMO)
	@$(BIN)/harness leaderboard --tasks social_all
	@echo "The same for a paper: results/table.tex"
	@echo "A page to look at: open results/site/index.html in a browser"
	@echo "Records: results/ (one folder an evaluation). The table again: $(BIN)/harness leaderboard"

$(DEMO): $(READY) harness.toml $(MADE_OF) $(if $(filter-out $(wildcard $(LEFT)),$(LEFT)),again)
	@echo "Five tasks of the drawn world: a tiny SocialFusion, two baselines, people; a minute or two."
	$(BIN)/harness run --model socialfusion --tasks social_all
	@echo
	@echo "Two baselines beside it, and the annotators where a task has several:"
	@$(BIN)/harness run --model majority,random,human --tasks social_all > /dev/null
	@$(BIN)/harness leaderboard --layout socialfusion --out results/table.tex
	@$(BIN)/harness site build results/site --layout socialfusion
	@touch $@

check: $(DEV)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# A file's tests run in one process, so that what they share (models, trainings) is made once.
# Bytecode is kept even where the environment says otherwise: the tests start several hundred
# processes, each of which would compile the whole project.
PYTEST := env -u PYTHONDONTWRITEBYTECODE $(BIN)/python -m pytest
QUICK := $(PYTEST) -m "not slow" -n 2 --dist loadfile

test: check
	$(QUICK)

# Ray, submitit, trackers, notebooks and mlcroissant, which the quick tests do not need.
$(SCALE): $(DEV)
	$(BIN)/python -m pip install -c constraints.txt --no-build-isolation -e ".[ray,slurm,track,notebook]"
	$(BIN)/python -m pip install -c constraints.txt mlcroissant
	@touch $@

test-all: check $(SCALE)
	$(PYTEST) -n 2 --dist loadfile

# What somebody has who installs the harness beside older packages: each at its lower bound.
LOWEST := .venv-lowest

test-lowest:
	$(PYTHON) -m venv $(LOWEST)
	$(LOWEST)/bin/python -m pip install uv
	$(LOWEST)/bin/uv pip install --python $(LOWEST)/bin/python --resolution lowest-direct \
	  -e ".[torch,dev]" $(patsubst %/pyproject.toml,-e ./%,$(PLUGINS))
	$(subst $(BIN),$(LOWEST)/bin,$(QUICK))

clean:
	rm -rf $(VENV) $(LOWEST) .mypy_cache .pytest_cache .ruff_cache .hypothesis build dist
