# One line a target. `.venv` is made from deploy/requirements-dev.txt, and again when that file's content changes;
# its stamp is named by the content and written last, so an interrupted installation never counts as done.
# PYTHON=/path/to/python chooses the Python for it; ONCE=1 lets the demo end by itself.

PYTHON ?= $(shell for name in python3 python3.13 python3.12 python3.11; do "$$name" -c "import sys; sys.exit(sys.version_info < (3, 11))" 2>/dev/null && echo "$$name" && break; done)
INSTALLED := .venv/installed-$(shell cksum < deploy/requirements-dev.txt | cut -d " " -f 1)
BIN := .venv/bin
LOCK := uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --no-emit-index-url --no-emit-find-links $(if $(UPGRADE),--upgrade) pyproject.toml

.PHONY: help demo test lint bench faults lock clean

help: ; @sed -n 's/^\([a-z]*\):.* ## \([a-z]\)/make \1\t\2/p' $(firstword $(MAKEFILE_LIST))

demo: $(INSTALLED) ; @exec $(BIN)/python manage.py demo $(if $(ONCE),--once) ## the whole system on this machine, with sample data

test: lint ; @exec $(BIN)/python -m pytest --ignore=tests/faults $(ARGS) ## everything that must pass before a change goes in

lint: $(INSTALLED) ; @$(BIN)/ruff check && $(BIN)/ruff format --check && $(BIN)/mypy && $(BIN)/lint-imports ## style, types, and who may import whom

bench: $(INSTALLED) ; @exec $(BIN)/python -m tests.bench ## how fast it is here

faults: $(INSTALLED) ; @exec $(BIN)/python -m pytest tests/faults $(ARGS) ## kill, stop and starve it, and count what is left

lock: ; @$(LOCK) -o deploy/requirements.txt && $(LOCK) --extra devstack --extra test -o deploy/requirements-dev.txt ## re-make deploy/requirements*.txt; needs uv; UPGRADE=1 for newer versions

clean: ; @rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis && find . -name __pycache__ -type d -prune -exec rm -rf {} + ## all that can be made again, except the demo's data in .devstack

$(INSTALLED):
	@"$(PYTHON)" -c "import sys; sys.exit(sys.version_info < (3, 11))" 2>/dev/null || { echo "Python 3.11 or newer is needed, and $(or $(PYTHON),python3) here is $$($(or $(PYTHON),python3) --version 2>/dev/null || echo missing). Name another one: make PYTHON=/path/to/python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	@echo "Making .venv with $$("$(PYTHON)" --version): fetching what deploy/requirements-dev.txt lists, a minute or two the first time."
	@"$(PYTHON)" -m venv --clear .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-input --require-hashes -r deploy/requirements-dev.txt
	@touch $@
