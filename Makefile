# make run: start everything.   make test: check everything.   Both set up .venv first.
# make faults: the long proof that no crash loses a row.
# Variables: PORT=8001  HOST=0.0.0.0  ARGS="--workers 2 --no-demo"  PYTHON=python3.12

PORT ?= 8000
HOST ?= 127.0.0.1
PYTHON ?= python3

PY := .venv/bin/python
# The first of these that is Python 3.11 or newer.
FOUND = $(shell for python in $(PYTHON) python3.13 python3.12 python3.11; do \
	"$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	&& echo "$$python" && break; done)

ifeq ($(shell uv --version >/dev/null 2>&1 && echo uv),uv)
VENV = uv venv --quiet --python $(FOUND) .venv
PIP_INSTALL = uv pip install --quiet --python $(PY)
else
# The pip outside serves: quicker than a second one, and Debian's venv cannot make one.
VENV = $(FOUND) -m venv --without-pip .venv
PIP_INSTALL = $(FOUND) -m pip --python $(PY) install --quiet --disable-pip-version-check
endif

# Installs requirements/$(1).txt if it differs from what was installed last.
define install
@if [ "$$(cksum < requirements/$(1).txt)" != "$$(cat .venv/$(1).installed 2>/dev/null)" ]; then \
	echo "Installing requirements/$(1).txt ..." \
	&& $(PIP_INSTALL) --require-hashes -r requirements/$(1).txt \
	&& cksum < requirements/$(1).txt > .venv/$(1).installed; fi
endef

COMPILE := uv pip compile pyproject.toml --quiet --generate-hashes --universal \
	--python-version 3.11 --no-emit-index-url --no-emit-find-links --no-header

.PHONY: run test faults mutants lint format requirements clean bench bench-litellm install-run \
	install-dev

run: install-run
	@$(PY) manage.py quickstart --host $(HOST) --port $(PORT) $(ARGS)

test: lint
	@command -v chromium chromium-browser google-chrome >/dev/null \
		|| echo "No chromium or google-chrome here: the browser tests are skipped."
	$(PY) -m pytest $(ARGS)

# The proof of docs/reliability.md at full length; `make test` runs a few minutes of it.
faults: install-dev
	LONG=1 $(PY) -m pytest tests/faults -rA --no-header $(ARGS)

# Breaks one promise at a time in a copy of the tree; its tests must notice. ARGS="pin" tries some.
mutants: install-dev
	$(PY) -m tests.mutants $(ARGS)

lint: install-dev
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m djlint --check --lint templates
	$(PY) -m mypy
	$(PY) -W ignore manage.py makemigrations --check --dry-run

# What is measured, and what ARGS may say (--quick, --check ...): bench/README.md.
bench: install-dev
	$(PY) -m bench $(ARGS)

# The peer of the bench, in an environment of its own.
bench-litellm:
	$(FOUND) -m venv --without-pip var/litellm
	$(subst $(PY),var/litellm/bin/python,$(PIP_INSTALL)) -r bench/litellm.txt

format: install-dev
	$(PY) -m ruff check --fix .
	$(PY) -m ruff format .
	$(PY) -m djlint --quiet --reformat templates

requirements:
	$(COMPILE) --output-file requirements/run.txt
	$(COMPILE) --group dev --output-file requirements/dev.txt

# Keeps ./var: the data and the secrets.
clean:
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

install-run: $(PY)
	$(call install,run)

install-dev: $(PY)
	$(call install,dev)

$(PY):
	@[ -n "$(FOUND)" ] || { echo "Auto Router needs Python 3.11 or newer; $(PYTHON) is older or" \
		"missing. Name another one: make run PYTHON=/path/to/python3.12"; exit 1; }
	@$(VENV)
