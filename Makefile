# README and CONTRIBUTING.md explain these. `run` and `test` install what is missing first.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
DATA ?= ../shared/data
READY := $(VENV)/.ready
BROWSER := $(VENV)/.browser

.PHONY: setup run check test test-training durations test-slow test-faults test-load lint bench schema screenshots routes settings translations docs dist fuzz FORCE

setup: $(READY)

# One stamp for packages of the system and of Python: the second time nothing is done. It holds a checksum of what
# decides them, since an unpacked archive brings files that are older than the stamp.
WANTED := $(shell cat requirements.txt setup.sh | cksum)
ifneq ($(WANTED),$(shell cat $(READY) 2>/dev/null))
$(READY): FORCE
endif
FORCE:
$(READY):
	@PYTHON=$(PYTHON) VENV=$(VENV) sh setup.sh
	@echo "$(WANTED)" > $@

$(BROWSER): $(READY)
	@PYTHON=$(PYTHON) VENV=$(VENV) sh setup.sh browser
	@touch $@

run: $(READY)
	@exec $(BIN)/python -m webapp

# Four processes for two cores, each with one thread for arithmetic: much of the time tests wait for browsers,
# servers and workers. The longest files begin first (tests/durations.txt), so that no process is left with one at
# the end. A test that hangs for ten minutes ends its process and the run, which says which test and where.
# Compiled modules are kept, whatever the environment says: hundreds of processes read them.
PYTEST := OMP_NUM_THREADS=1 PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest
HANGS := -o faulthandler_timeout=600 -o faulthandler_exit_on_timeout=true --max-worker-restart 0
PARALLEL := --dist loadfile --no-loadscope-reorder $(HANGS)

# Of the product; those of training are apart, because who changes the product needs no model to be trained.
test: $(BROWSER)
	$(PYTEST) -n 4 $(PARALLEL)

test-training: $(READY)
	$(PYTEST) -n 4 $(PARALLEL) training/tests

# The inner loop: lint, and the quickest tests, about 40 s of them (tests/durations.py). They wait for
# nothing, and each process more has to collect them.
check: lint
	$(PYTEST) -n 2 $(PARALLEL) -q --quick

# Measures every file anew, for the order and for what `make check` leaves out
durations: $(BROWSER)
	$(PYTEST) --write-durations tests training/tests

test-slow: $(BROWSER)
	$(BIN)/python -m pytest -m slow tests training/tests
	$(BIN)/python -m pytest -m "hypothesis and not slow" --hypothesis-profile thorough tests training/tests

# SIGKILL at random points; two hundred clips over four workers with servers that go away
test-faults: $(BROWSER)
	$(BIN)/python -m pytest -m slow -s tests/webapp/worker/test_faults.py tests/webapp/worker/test_soak.py

# Fifty browsers that poll while ten files of 100 MB come in at once
test-load: $(BROWSER)
	$(BIN)/python -m pytest -m slow -s tests/webapp/test_load.py

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/mkdocs build --quiet

# Documents and the Python API as HTML, to be read without a server
docs: $(READY)
	$(BIN)/mkdocs build --quiet
	@echo "Open out/docs/index.html"

-include training/Makefile

# facenet-pytorch is what others use; it is fetched to be compared with, and not installed.
bench: $(BROWSER)
	test -d out/bench-packages || $(BIN)/pip install -q --no-deps --target out/bench-packages facenet-pytorch==2.6.0
	PYTHONPATH=out/bench-packages $(BIN)/python -m tests.bench
	$(BIN)/python -m tests.bench_many
	$(BIN)/python -m tests.bench_queue
	$(BIN)/python -m tests.bench_review
	$(BIN)/python -m tests.bench_backends

# Pictures of README, from the project's own sample
screenshots: $(BROWSER)
	$(BIN)/python -m tests.screenshots

# Wheel and source distribution; tests/webapp/test_wheel.py (slow) tries the wheel in an environment of its own
dist: $(READY)
	rm -rf dist
	$(BIN)/python -m hatchling build -d dist

schema: $(READY)
	$(BIN)/python -m detector schema > docs/analysis.schema.json
	$(BIN)/python -m detector schema comparison > docs/comparison.schema.json
	$(BIN)/python -m detector schema validation > docs/validation.schema.json
	$(BIN)/python -m detector.schema.causes.tables

routes: $(READY)
	$(BIN)/python tests/webapp/write_matrix.py

settings: $(READY)
	$(BIN)/python -m webapp settings-doc > docs/settings.md

# Reads the messages of templates, Python and scripts anew and puts them into the catalogues of every folder of
# translations, which are begun where there are none (CONTRIBUTING.md)
LANGUAGES := $(notdir $(wildcard translations/*))
BABEL := $(BIN)/pybabel -q
UPDATE := --init-missing --no-fuzzy-matching --ignore-obsolete --ignore-pot-creation-date --width=110
translations: $(READY)
	@mkdir -p out
	$(BABEL) extract -F babel.cfg -k N_ -k plural:2,3 -o out/messages.pot --no-location --omit-header --width=110 .
	$(BABEL) extract -F babel-scripts.cfg -o out/scripts.pot --no-location --omit-header --width=110 .
	for domain in messages scripts; do for language in $(LANGUAGES); do \
		$(BABEL) update -D $$domain -i out/$$domain.pot -d translations -l $$language $(UPDATE); done; done

# 2,000 broken files through intake and engine; figures at the end, outcomes in out/fuzz.
fuzz: $(READY)
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.fuzz --files 2000 --seed 7
