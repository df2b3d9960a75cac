PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
.DEFAULT_GOAL := help
.PHONY: help install demo experiments test test-slow lint bench pages pictures bench-regularizers bench-peers

help:  ## Show this
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /make \1\t/' | expand -t 25

install: $(VENV)/installed  ## Make .venv, with the versions that were tested

$(VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit("vae_zoo needs Python 3.11 or newer, and this is %d.%d: make PYTHON=python3.11" % sys.version_info[:2] if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --progress-bar on -c constraints.txt -e ".[dev]"
	@touch $@

demo: install  ## Sweep the divergences on scikit-learn's digits, and compare them
	$(BIN)/vae-zoo sweep sweeps/divergences.yaml --name demo -j 2
	$(BIN)/vae-zoo compare runs/demo

experiments: install  ## Ask the questions of docs/experiments.md again: 30 minutes
	$(BIN)/python docs/experiments

test: install  ## Run the tests
	$(BIN)/python -m pytest -m "not slow" -n 2

test-slow: install  ## Run the tests that need a browser or several processes
	$(BIN)/python -m pytest -m slow

lint: install  ## Run ruff and mypy
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

bench: install bench-regularizers  ## Time a step beside a bare loop, the regularizers, the page
	$(BIN)/python benchmarks/step.py
	$(BIN)/python benchmarks/nll.py
	$(BIN)/python benchmarks/page.py

pages: install  ## Write docs/catalogue.md, docs/pairs.md (which parts go together), docs/scorecard.md
	$(BIN)/python -m vae_zoo.catalogue docs/catalogue.md
	$(BIN)/python -m vae_zoo.compatibility docs/pairs.md
	$(BIN)/python -m vae_zoo.evaluation.numbers docs/scorecard.md

bench-regularizers: install  ## Time the regularizers beside others
	$(BIN)/python benchmarks/regularizers.py

bench-peers: install  ## Install what they are timed beside
	$(PYTHON) -m venv .venv-peers
	.venv-peers/bin/pip install --quiet --no-deps pythae==0.1.2

SHOT := $(BIN)/python docs/screenshots.py

pictures: demo  ## Take the pictures of pages in the README and docs/ (needs Chromium; MNIST's an hour)
	$(SHOT) runs/demo/comparison.html docs/comparison.png --height 2040
	$(BIN)/vae-zoo sweep divergences_mnist -j 2
	$(BIN)/vae-zoo compare runs/divergences_mnist
	$(SHOT) runs/divergences_mnist/comparison.html docs/pictures/mnist_answer.png --height 960
	$(SHOT) runs/divergences_mnist/comparison.html docs/pictures/mnist_yardsticks.png --part Yardsticks --dark
