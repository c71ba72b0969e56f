# Every command of the project.
.DEFAULT_GOAL := help
.PHONY: help run manage test bench check format schemas migration sample messages screenshots rehearse cluster reset environment
python := .venv/bin/python

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 18

run: environment ## start the whole system; Ctrl-C stops it; http://localhost:8000
	@exec $(python) -m dev run

manage: environment ## a command of the core where `make run` runs, or ran; ARGS="promote ann"
	@exec $(python) -m dev manage $(ARGS)

test: environment ## run every test against its own backing services; ARGS="..." goes to pytest
	@exec $(python) -m dev test $(ARGS)

bench: environment ## run one measurement of bench/; ARGS="relay"
	@exec $(python) -m dev bench $(ARGS)

check: environment ## linters, types, imports, schemas, lock file, images; ARGS="types" runs one
	@exec $(python) -m dev.check $(ARGS)

format: environment ## format the code
	@$(python) -m ruff check --fix-only --quiet .
	@$(python) -m ruff format .

schemas: environment ## generate docs/openapi from the code and lambdas' requirements from the lock
	@$(python) -m dev.check --write-schemas

migration: environment ## write the migration of changed models; ARGS="pages page_website"
	@$(python) -m dev.migration $(ARGS)

sample: environment ## write the golden sample of a new event; ARGS="post.reposted.v2"
	@$(python) -m dev.sample $(ARGS)

messages: environment ## update and compile the translations in core/innotter/locale
	@$(python) -m dev.messages

screenshots: environment ## take the pictures of the README again, in Chromium
	@exec $(python) -m dev screenshots

rehearse: environment ## build and start the images without Docker; needs root
	@exec $(python) -m dev.rehearse

cluster: environment ## lose hosts of a cluster under load and report; Debian, root, ten minutes
	@exec $(python) -m dev.cluster $(ARGS)

reset: environment ## delete all data of `make run`
	@exec $(python) -m dev reset

# Python packages and backing services; returns at once when they are installed.
environment:
	@python3 dev/bootstrap.py
