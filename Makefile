# Two commands for a fresh machine with Python 3.11, pip and make: `make search` and `make test`.
PYTHON ?= python3
BIN := .venv/bin

# `make submit` sends the search to a cluster: make submit ADDRESS=http://127.0.0.1:8265 CONFIG=... RUNS=/runs
ADDRESS ?= http://127.0.0.1:8265
CONFIG ?= configs/digits.yaml
RUNS ?= /runs

.PHONY: search test test-all check check-lowest bench bench-gpu docs dashboard submit lock clean

search: .venv  ## the main job on embedded data: a family of models in runs/digits/family
	$(BIN)/python -m search run configs/digits.yaml

test: .venv  ## all tests but the slow and the nightly ones, four files at a time: some wait for processes that they start
	$(BIN)/python -m pytest -n 4 --dist loadfile --no-loadscope-reorder --ignore=tests/benchmarks

test-all: .venv  ## every test, the nightly ones too; no benchmark
	$(BIN)/python -m pytest -n 4 --dist loadfile --no-loadscope-reorder --ignore=tests/benchmarks -m "not benchmark" -rs

check: .venv  ## lint, formatting, types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: .venv  ## the measurements behind docs/, as ratios
	$(BIN)/python -m pytest -m benchmark -s

bench-gpu: .venv  ## the trainer on a GPU: beside timm's parts, bfloat16, two processes on one GPU; some minutes
	$(BIN)/python -m tests.benchmarks.gpu

docs: .venv  ## the pages of docs/ as a site, in build/site
	$(BIN)/python -m pip install --quiet --editable ".[docs]"
	$(BIN)/mkdocs build --quiet

RUN ?= runs/digits
dashboard: .venv  ## MLflow (port 5000) and Optuna (port 8080) on a run, on this machine only: make dashboard RUN=runs/NAME
	$(BIN)/python -m pip install --quiet --editable ".[dashboard]"
	$(BIN)/optuna-dashboard --host 127.0.0.1 --port 8080 $(RUN)/study.journal & trap "kill $$!" EXIT; \
	MLFLOW_DISABLE_TELEMETRY=true $(BIN)/mlflow ui --host 127.0.0.1 --port 5000 --backend-store-uri sqlite:///$(RUN)/mlflow.db

submit: .venv  ## the search as a job on the cluster at ADDRESS, with the token in ~/.ray/auth_token
	RAY_AUTH_MODE=token $(BIN)/ray job submit --address $(ADDRESS) --working-dir . -- \
		python -m search run $(CONFIG) --runs $(RUNS) --ray-address auto

# Nothing is resolved but where a pin is missing. The old date lets make begin anew after a command here has failed.
.venv: pyproject.toml requirements.lock
	$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11) and 'Python 3.11 or newer is needed: make PYTHON=python3.11')"
	$(PYTHON) -m venv --clear .venv && touch -t 197001010000 .venv
	$(BIN)/python -m pip install --quiet --constraint requirements.lock uv && \
		$(BIN)/uv pip install --quiet --python $(BIN)/python --system-certs --no-deps --requirement requirements.lock && \
		$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable . || { \
		echo "requirements.lock does not fit here (see above): installing what pyproject.toml allows instead" >&2; \
		$(BIN)/python -m pip install --quiet --editable ".[dev]"; }
	touch .venv

# uv does not read pip's configuration; a constraint there holds for the pins, too. Its path stays out of the file.
lock: .venv  ## pin what pyproject.toml asks for; pins that fit stay, unless: make lock LOCK=--upgrade
	UV_CONSTRAINT="$$($(BIN)/python -m pip config list | sed -n "s/^.*constraint='\(.*\)'/\1/p")" $(BIN)/uv pip compile \
		--quiet --universal --extra dev --system-certs --custom-compile-command "make lock" $(LOCK) \
		--output-file requirements.lock pyproject.toml
	sed '/^ *#  *-c /d' requirements.lock > requirements.lock.tmp && mv requirements.lock.tmp requirements.lock

# A warning is no failure there: old releases among new ones tell each other of what is deprecated.
check-lowest: .venv  ## the fast tests with the oldest releases that pyproject.toml allows, in .venv-lowest
	$(PYTHON) -m venv --clear .venv-lowest
	$(BIN)/uv pip install --quiet --python .venv-lowest/bin/python --system-certs --resolution lowest-direct \
		--requirement pyproject.toml --extra dev
	.venv-lowest/bin/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder -W default $(TESTS)

clean:  ## remove the environments; runs stay
	rm -rf .venv .venv-lowest
