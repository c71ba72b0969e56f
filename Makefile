# Every command that a person needs.
.DEFAULT_GOAL := help
.PHONY: help run test bench check format schemas messages rehearse reset environment
python := .venv/bin/python
# Where it is set, every process compiles every module again at every start.
unexport PYTHONDONTWRITEBYTECODE

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 18

run: environment ## the whole system, until Ctrl-C; http://localhost:8000
	@exec $(python) -m dev run

test: environment ## every test, against parts of its own; ARGS="..." goes to pytest
	@exec $(python) -m dev test $(ARGS)

bench: environment ## one measurement of bench/, against parts of its own; ARGS="relay"
	@exec $(python) -m dev bench $(ARGS)

check: environment ## style, types, directions, schemas, lock, images
	@exec $(python) -m dev.check

format: environment ## puts the code in order
	@$(python) -m ruff check --fix-only --quiet .
	@$(python) -m ruff format .

schemas: environment ## writes docs/openapi from the code, lambdas' requirements from the lock
	@$(python) -m dev.check --write-schemas

messages: environment ## collects the words for people into core/innotter/locale, and compiles them
	@$(python) -m dev.messages

rehearse: environment ## builds the images and starts them, without Docker; needs root
	@exec $(python) -m dev.rehearse

reset: environment ## forgets all data of `make run`
	@exec $(python) -m dev reset

# Python packages and parts; costs nothing when they are there.
environment:
	@python3 dev/bootstrap.py
