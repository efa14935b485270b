# `make hub` runs Saturn Hub on this machine; `make test` and `make check` are what CI runs.
SHELL := /bin/bash
# An interpreter that other users of the machine can run too, so that each person's work can have a uid of its own.
PYTHON ?= $(shell for each in /usr/bin/python3 python3; do $$each -c 'import sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$each && break; done)
export SATURN_HOME ?= .saturn
export SATURN_IMAGES ?= $(CURDIR)/.images
DEBIAN_HUB = nftables python3-venv
DEBIAN_WORK = git r-base-core r-cran-irkernel r-cran-shiny r-cran-plumber r-cran-rmarkdown pandoc
DEBIAN_EDITORS = build-essential libkrb5-dev libsecret-1-dev pkg-config libx11-dev libxkbfile-dev
DEBIAN_TEST = chromium chromium-driver

.PHONY: hub stop install test check
# The editors install behind the running hub; their cards say when they are there.
hub: .venv/.done .images/local/.done
	@test -f .images/code-server/.done || { $(MAKE) --no-print-directory .images/code-server/.done >.images/editors.log 2>&1 & }
	.venv/bin/python -m saturn_hub.cli.hub start

stop: .venv/.done
	.venv/bin/python -m saturn_hub.cli.hub stop

install: .venv/.done .images/local/.done .images/code-server/.done

test: install .images/debian-test
	.venv/bin/python -m pytest tests

check: .venv/.done
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy -p saturn_hub.model -p saturn_hub.store -p saturn_hub.backends -p saturn_hub.engine
	.venv/bin/lint-imports

.venv/.done: setup.cfg constraints.txt | .images/debian-hub
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer with venv is needed: apt-get install python3 python3-venv"; exit 1; }
	test -x .venv/bin/python || $(PYTHON) -m venv .venv
	.venv/bin/pip install --quiet --constraint constraints.txt --editable '.[local,dev]'
	touch $@

.images/local/.done: images-local.txt | .images/debian-work
	test -x .images/local/bin/python || $(PYTHON) -m venv .images/local
	.images/local/bin/pip install --quiet --requirement images-local.txt
	touch $@

.images/code-server/.done: | .venv/.done .images/debian-editors
	mkdir -p .images/code-server
	cd .images/code-server && PATH="$(CURDIR)/.venv/bin:$$PATH" npm install --no-fund --no-audit --prefix . code-server@4.139.1
	touch $@

# Debian's parts: installed by root, otherwise the one line to type is said once.
.images/debian-hub: packages = $(DEBIAN_HUB)
.images/debian-work: packages = $(DEBIAN_WORK)
.images/debian-editors: packages = $(DEBIAN_EDITORS)
.images/debian-test: packages = $(DEBIAN_TEST)
.images/debian-%:
	@mkdir -p .images
	@if dpkg -s $(packages) >/dev/null 2>&1; then touch $@; \
	elif [ "$$(id -u)" = 0 ]; then apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $(packages) >/dev/null && touch $@; \
	else echo "Something is missing here. Type: sudo apt-get install $(packages)"; touch $@; fi
