# Two commands for a fresh machine with Python 3.11, pip and make: `make search` and `make test`.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: search test check bench dashboard clean

search: .venv  ## the main job on embedded data: a family of models in runs/digits/family
	$(BIN)/python -m search run configs/digits.yaml

test: .venv  ## all tests but the slow ones
	$(BIN)/python -m pytest

check: .venv  ## lint, formatting, types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: .venv  ## the measurements behind docs/, as ratios
	$(BIN)/python -m pytest -m benchmark -s

dashboard: .venv  ## MLflow's pages for runs/digits, on this machine only
	$(BIN)/mlflow ui --host 127.0.0.1 --backend-store-uri sqlite:///runs/digits/mlflow.db

.venv: pyproject.toml
	$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11) and 'Python 3.11 or newer is needed: make PYTHON=python3.11')"
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --editable ".[dev]"
	touch .venv

clean:  ## remove the environment; runs stay
	rm -rf .venv
