# Sets up what it needs and runs it. `make demo` and `make test` are all a newcomer needs.
.PHONY: demo test soak lint format bench train wheelhouse lock setup-demo setup-test

BIN := .venv/bin
# One seed per commit: a failure is repeated by running the same commit again.
SEED := $(shell printf '%d' 0x$$(git rev-parse --short=7 HEAD 2>/dev/null || echo 1))
# Two processes, each with a file at a time: much of the suite waits for clocks and other programs.
PYTEST := $(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder --hypothesis-seed=$(SEED)

demo: setup-demo
	$(BIN)/bes demo $(ARGS)

test: setup-test
	$(PYTEST) -m "not soak" $(ARGS)

soak: setup-test
	$(PYTEST) -m soak $(ARGS)

lint: setup-test
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy agent controller firmware_bridges models provisioning shared tests
	$(BIN)/lint-imports

format: setup-test
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: setup-test
	mkdir -p var/bench
	$(BIN)/python -m tests.bench.ingest --json var/bench/ingest.json
	$(BIN)/python -m tests.bench.agent --json var/bench/agent.json
	$(BIN)/python -m tests.bench.model --json var/bench/model.json
	$(BIN)/python -m tests.bench.audit --json var/bench/audit.json
	$(BIN)/python -m tests.bench.descriptors --json var/bench/descriptors.json
	$(BIN)/python -m tests.bench.selection --json var/bench/selection.json
	$(BIN)/python -m tests.bench.contracts --json var/bench/contracts.json

train: setup-test
	$(BIN)/python -m models.price.train $(ARGS)

# What an installation without a network needs: this software's wheel and the locked ones.
wheelhouse: setup-test
	provisioning/install/wheelhouse.sh var/bundle

# Writes the hashed lock file anew; it names no index.
lock:
	uv pip compile pyproject.toml --all-extras --universal --python-version 3.11 \
	  --generate-hashes --no-header --quiet --output-file requirements.lock

setup-demo:
	@provisioning/setup.sh demo

setup-test:
	@provisioning/setup.sh test
