# make run: the agent on 127.0.0.1:3000. make test: all tests. Needs Python 3.11 or newer and make, nothing else.
# Another interpreter: make test PYTHON=python3.13 VENV=.venv-3.13

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# Only wheels: what a source archive is built with would be neither pinned nor checked.
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check install --only-binary :all: --require-hashes --requirement
ROUNDS ?= 5

.PHONY: help run install install-to copy dev test fast-test check static chromium bench fuzz soak chaos fairness pressure fuzz-short soak-short chaos-short lock clean

help:
	@sed -n 's/^#: //p' Makefile | sed 's:$$(VENV):$(VENV):g'

#: make run      install what is needed and serve on 127.0.0.1:3000
run: install
	$(BIN)/execwire serve

#: make install  create $(VENV) with $(VENV)/bin/execwire
install: $(VENV)/.installed

#: make install-to PREFIX=/opt/execwire [PYTHON=/usr/bin/python3]  install a copy for a service, independent of this
#:               folder; run it again to update the copy
install-to:
	@case "$(PREFIX)" in [!/]*|*[[:space:]]*|"") \
		echo "make: name where to install: make install-to PREFIX=/opt/execwire (absolute, without blanks)" >&2; exit 2 ;; esac
	@test -e "$(PREFIX)/.created" || test ! -e "$(PREFIX)" || test -z "$$(ls -A "$(PREFIX)" || echo unknown)" || { \
		echo "make: $(PREFIX) is not empty and was not made by this; remove it or name another with PREFIX=..." >&2; exit 2; }
	umask 022 && $(MAKE) --no-print-directory VENV=$(PREFIX) copy

copy: | $(VENV)/.created
	$(PIP) requirements/run.txt --requirement requirements/build.txt
	$(BIN)/python -m pip --quiet --disable-pip-version-check install --no-deps --no-build-isolation --force-reinstall .

#: make test     install what tests need and run them all
test: dev
	$(BIN)/python -m pytest

#: make fast-test  the unit tests and the contracts alone, without live agents
fast-test: dev
	$(BIN)/python -m pytest tests/unit tests/contracts

# Coverage doubles what a test of a live agent takes, so it is measured by those without, and a few that do most.
MEASURED = tests/unit tests/contracts $(patsubst %,tests/integration/%.py,\
	connections/test_unix_socket containment/test_leftovers limits/test_exhaustion operation/test_oom_score \
	operation/test_addresses_in_use operation/test_supervisor output/test_pipe_held_open)

#: make check    formatting, lint, types, import contracts, coverage of the fast tests
check: static
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest --quiet $(MEASURED)
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

static: dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/basedpyright --pythonpath $(BIN)/python
	$(BIN)/lint-imports

#: make chromium install the browser that one test drives, if this is Debian and you are root; without it that is skipped
chromium:
	@command -v chromium >/dev/null || { \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive timeout 300 apt-get install -qq -y chromium; \
	} >/dev/null 2>&1 || echo "make: there is no Chromium to be had; the test that drives it is skipped"

#: make bench    measure against the reference servers of benchmarks/ (ROUNDS=5)
bench: install
	$(BIN)/python benchmarks/bench.py --rounds $(ROUNDS)

# How long, and from which seed, a stress test is to go on; nothing leaves it to the test.
SPAN = $(if $(MINUTES),--minutes $(MINUTES)) $(if $(SEED),--seed $(SEED))

#: make fuzz     bytes of every kind against a live agent (MINUTES=5 or EXAMPLES=n, SEED=n to repeat); see stress/
fuzz: dev
	$(BIN)/python -m stress.fuzz $(SPAN) $(if $(EXAMPLES),--examples $(EXAMPLES))

#: make soak     full load of every kind, then nothing may be left (MINUTES=5)
soak: dev
	$(BIN)/python -m stress.soak $(SPAN)

#: make chaos    the same while workers, clients, limits and disks fail (MINUTES=5)
chaos: dev
	$(BIN)/python -m stress.chaos $(SPAN)

#: make fairness how long others wait while clients send without pause (MINUTES=1)
fairness: dev
	$(BIN)/python -m stress.fairness --minutes $(or $(MINUTES),1)

#: make pressure how much memory is taken while clients misbehave (MINUTES=0.5)
pressure: dev
	$(BIN)/python -m stress.pressure --minutes $(or $(MINUTES),0.5)

fuzz-short soak-short chaos-short: %-short:
	$(MAKE) $* MINUTES=$(or $(SHORT_$*),0.5)

SHORT_fuzz = 0.33

#: make lock     renew requirements/*.txt from pyproject.toml (needs uv)
lock:
	uv pip compile --upgrade --universal --generate-hashes --no-annotate --no-header --python-version 3.11 \
		pyproject.toml --output-file requirements/run.txt
	uv pip compile --upgrade --universal --generate-hashes --no-annotate --no-header --python-version 3.11 \
		--group build --output-file requirements/build.txt
	uv pip compile --upgrade --universal --generate-hashes --no-annotate --no-header --python-version 3.11 \
		--group dev --constraint requirements/run.txt --output-file requirements/dev.txt

#: make clean    remove what these targets have made
clean:
	rm -rf .venv .venv-* build dist .coverage .coverage.* .hypothesis .pytest_cache .mypy_cache .ruff_cache \
		.import_linter_cache
	find src tests benchmarks stress -name __pycache__ -prune -exec rm -rf {} +

dev: $(VENV)/.dev

$(VENV)/.installed: pyproject.toml requirements/run.txt requirements/build.txt | $(VENV)/.created execwire
	$(PIP) requirements/run.txt --requirement requirements/build.txt
	$(BIN)/python -m pip --quiet --disable-pip-version-check install --no-deps --no-build-isolation --editable .
	$(BIN)/python -m compileall -q src
	touch $@

# The import name; an archive of the source has no symlinks.
execwire:
	ln -s src $@

$(VENV)/.dev: requirements/dev.txt $(VENV)/.installed
	$(PIP) requirements/dev.txt
	touch $@

# Made anew where a first attempt has left half of it.
$(VENV)/.created:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' || { \
		echo "make: $(PYTHON) is missing or not Python 3.11 to 3.13; name another one with PYTHON=..." >&2; exit 2; }
	@rm -rf $(VENV)
	@$(PYTHON) -m venv $(VENV) && $(BIN)/python -m pip --version >$(VENV)/.created || { rm -rf $(VENV); \
		echo "make: $(PYTHON) cannot make a virtual environment with pip; on Debian and Ubuntu: apt install python3-venv" >&2; \
		exit 2; }
