# `make hub` runs Saturn Hub on this machine; `make test` and `make check` are what CI runs.
SHELL := /bin/bash
# An interpreter that other users of the machine can run too, so that each person's work can have a uid of its own.
PYTHON ?= $(shell for each in /usr/bin/python3 python3; do $$each -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$each && break; done)
export SATURN_HOME ?= .saturn
export SATURN_IMAGES ?= $(CURDIR)/.images

.PHONY: hub stop install test check bench
# The image and the editors install behind the running hub; their cards say how far they are.
hub: .venv/.done
	@exec .venv/bin/python -m saturn_hub.cli.hub start

stop: .venv/.done
	@exec .venv/bin/python -m saturn_hub.cli.hub stop

install: .venv/.done
	@.venv/bin/python -m saturn_hub.cli.install

# Without the tests' parts a test is skipped with its reason, and with CI=true it fails.
test: .venv/.done
	@.venv/bin/python -m saturn_hub.cli.install local r vscode nftables test || true
	.venv/bin/python -m pytest tests -q -n 2 --dist loadgroup

check: .venv/.done
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy -p saturn_hub.model -p saturn_hub.store -p saturn_hub.backends -p saturn_hub.engine
	.venv/bin/lint-imports

# One after the other: two at a time would measure each other.
bench: .venv/.done
	@for each in bench/*.py; do .venv/bin/python $$each || exit 1; done

.venv/.done: setup.cfg constraints.txt
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer with venv is needed. Type: sudo apt-get install python3 python3-venv"; exit 1; }
	@echo "Installing Saturn Hub into .venv. This takes a minute."
	@test -x .venv/bin/python || $(PYTHON) -m venv .venv
	@.venv/bin/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[local,dev]'
	@touch $@
