# Two commands for a fresh machine with Python 3.11, pip and make: `make search` and `make test`.
PYTHON ?= python3
BIN := .venv/bin

# `make submit` sends the search to a cluster: make submit ADDRESS=http://127.0.0.1:8265 CONFIG=... RUNS=/runs
ADDRESS ?= http://127.0.0.1:8265
CONFIG ?= configs/digits.yaml
RUNS ?= /runs

.PHONY: search test test-all check bench dashboard submit clean

search: .venv  ## the main job on embedded data: a family of models in runs/digits/family
	$(BIN)/python -m search run configs/digits.yaml

test: .venv  ## all tests but the slow and the nightly ones, two files at a time
	$(BIN)/python -m pytest -n 2 --dist loadfile

test-all: .venv  ## every test, the nightly ones too; no benchmark
	$(BIN)/python -m pytest -n 2 --dist loadfile -m "not benchmark" -rs

check: .venv  ## lint, formatting, types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: .venv  ## the measurements behind docs/, as ratios
	$(BIN)/python -m pytest -m benchmark -s

RUN ?= runs/digits
dashboard: .venv  ## MLflow (port 5000) and Optuna (port 8080) on a run, on this machine only: make dashboard RUN=runs/NAME
	$(BIN)/python -m pip install --quiet --editable ".[dashboard]"
	$(BIN)/optuna-dashboard --host 127.0.0.1 --port 8080 $(RUN)/study.journal & trap "kill $$!" EXIT; \
	$(BIN)/mlflow ui --host 127.0.0.1 --port 5000 --backend-store-uri sqlite:///$(RUN)/mlflow.db

submit: .venv  ## the search as a job on the cluster at ADDRESS, with the token in ~/.ray/auth_token
	RAY_AUTH_MODE=token $(BIN)/ray job submit --address $(ADDRESS) --working-dir . -- \
		python -m search run $(CONFIG) --runs $(RUNS) --ray-address auto

.venv: pyproject.toml
	$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11) and 'Python 3.11 or newer is needed: make PYTHON=python3.11')"
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --editable ".[dev]"
	touch .venv

clean:  ## remove the environment; runs stay
	rm -rf .venv
