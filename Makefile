# README explains these. `run` and `test` install what is missing first.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
DATA ?= ../shared/data
READY := $(VENV)/.ready
BROWSER := $(VENV)/.browser

.PHONY: setup run test test-slow lint train evaluate bench schema

setup: $(READY)

# One stamp for packages of the system and of Python: the second time nothing is done.
$(READY): requirements.txt setup.sh
	@PYTHON=$(PYTHON) VENV=$(VENV) sh setup.sh
	@touch $@

$(BROWSER): $(READY) setup.sh
	@PYTHON=$(PYTHON) VENV=$(VENV) sh setup.sh browser
	@touch $@

run: $(READY)
	@exec $(BIN)/python -m webapp

test: $(BROWSER)
	$(BIN)/python -m pytest

test-slow: $(BROWSER)
	$(BIN)/python -m pytest -m slow

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

train: $(READY)
	$(BIN)/python -m detector train --data $(DATA)

evaluate: $(READY)
	$(BIN)/python -m detector evaluate --data $(DATA) --update-card

bench: $(READY)
	$(BIN)/python -m tests.bench

schema: $(READY)
	$(BIN)/python -m detector schema > docs/analysis.schema.json
