# One command equals CI: `make lint test` is what .ci/run calls.
# Every target sets the house up first; that is quick when nothing changed.

export PATH := $(CURDIR)/.venv/bin:$(PATH)
PYTHON_STAMP := .venv/.requirements
MEMBER_STAMP := .venv/.members
NODE_STAMP := contracts/node_modules/.package-lock.json
DEBIAN_STAMP := .parts/.debian
MEMBERS := core cli files hardware edge-agent ingest analytics anchor verifier feed demo

.DELETE_ON_ERROR:
.PHONY: setup demo test lint format lock clean soak reliability crashes fuzz ingest-faults
.PHONY: bench bench-anomaly bench-close bench-edge bench-ingest bench-log bench-rules scale
.PHONY: contracts-mutation contracts-proofs mutants schema vectors

setup: $(PYTHON_STAMP) $(MEMBER_STAMP) $(NODE_STAMP) $(DEBIAN_STAMP)

# ARGS are the demo's: make demo ARGS="--replay FILE --month 2018-08"
demo: setup
	tanzheng demo $(ARGS)

# ARGS are pytest's: make test ARGS="tests/core -x"
test: setup
	pytest $(ARGS)

lint: setup
	ruff check .
	ruff format --check .
	mypy
	pyright --warnings
	lint-imports
	cd contracts && node_modules/.bin/forge fmt --check src test proofs

# Puts right what lint would complain of, where a tool can.
format: setup
	ruff check --fix .
	ruff format .
	cd contracts && node_modules/.bin/forge fmt src test proofs

bench: setup
	python benchmarks $(ARGS)

# Alerts against known faults, beside three baselines. ARGS: --seed N.
bench-anomaly: setup
	PYTHONPATH=benchmarks python -m anomaly $(ARGS)

# The edge agent beside its peers; they are installed into .parts/peers. ARGS: number of rounds.
bench-edge: setup
	PYTHONPATH=benchmarks python -m peers $(ARGS)

# Ingest behind mosquitto on TimescaleDB, 50 million rows in the table, each figure held to its
# limit (root: the server runs in a chroot; 12 GB of disk). ARGS: number of rounds.
bench-ingest: setup
	PYTHONPATH=benchmarks:tests python -m storage $(ARGS)

# The evidence log at a million leaves and a year of statements, each figure held to its limit,
# beside pymerkle (installed into .parts/peers). ARGS: number of rounds.
bench-log: setup
	PYTHONPATH=benchmarks:tests python -m log $(ARGS)

# A fleet's year against every rule, beside pandera: docs/performance.md.
# ARGS: number of rounds, then number of plants.
bench-rules: setup
	PYTHONPATH=benchmarks POLARS_MAX_THREADS=2 python -m rules $(ARGS)

# The month close of 3,500 plants from stored hours: loop, pool, Dask local cluster, same bytes.
# ARGS: --plants, --points, --seed. Takes about 3 GB of the temporary folder.
bench-close: setup
	PYTHONPATH=benchmarks python -m close $(ARGS)

# What a reading costs on disk and in CPU, and what 3,500 plants need: docs/scale.md.
scale: setup
	PYTHONPATH=benchmarks python -m scale $(ARGS)

# Devices, broker, platform and agent under random faults, each value counted: docs/reliability.md.
# make soak ARGS="--minutes 30 --seed 7"
soak: setup
	cd tests && python -m acceptance.soak $(ARGS)

# Each fault of the acceptance suite, with its protection and without: the table of that page.
reliability: setup
	cd tests && python -m acceptance.table

# kill -9 at each persisted step of sealing and publishing, and the chain's and the disk's faults:
# the second table of that page. ARGS: number of kills.
crashes: setup
	cd tests && python -m anchor.crashes $(ARGS)

# Database, broker, disk, clock and peers fail around a running ingest, on both databases, each row
# counted: the third table of that page. About an hour. ARGS: --seed N and words of faults.
ingest-faults: setup
	cd tests && python -m ingest.faults.table $(ARGS)
	cd tests && python -m ingest.faults.without

# ARGS: seconds for each parser.
fuzz: setup
	tools/fuzz $(ARGS)

# Every mutant of receipt, proofs, package and log, by the command and by the page: docs/vectors.md.
mutants: setup
	cd tests && python -m mutants

# Dump and diagram of the database's tables, made again: docs/schema.md.
schema: setup
	cd tests && python -m ingest.schema_document

# The published test vectors, made again: docs/vectors.md.
vectors: setup
	cd tests && python -m vectors.make

# The contracts proved by halmos, with a planted flaw for each proof, and searched by slither.
contracts-proofs: setup
	python contracts/prove.py

# Every flaw of contracts/mutations.toml planted by itself; the forge tests must find each.
contracts-mutation: setup
	python contracts/mutate.py

# Newest versions that the members allow, with the hash of every file; no index address.
lock: $(PYTHON_STAMP)
	uv pip compile requirements/dev.in --output-file requirements/dev.txt --upgrade --quiet \
		--universal --python-version 3.11 --generate-hashes \
		--no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" \
		$(patsubst %,--no-emit-package tanzheng-%,$(subst edge-agent,edge,$(MEMBERS)))
	for tool in halmos slither judges; do uv pip compile requirements/$$tool.in \
		--output-file requirements/$$tool.txt --upgrade --quiet \
		--universal --python-version 3.11 --generate-hashes \
		--no-emit-index-url --no-emit-find-links --custom-compile-command "make lock"; done

# Everything that set-up and tools made. The TimescaleDB tree stays: `rm -rf .parts` takes it.
clean:
	rm -rf .venv tanzheng-demo .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	rm -rf contracts/node_modules contracts/cache contracts/out dist build
	find . -name __pycache__ -type d -not -path './.parts/*' -prune -exec rm -rf {} +

# Missing, or a link to a Python that is gone: the environment is made anew.
.venv/bin/python:
	tools/setup-python venv

$(PYTHON_STAMP): .venv/bin/python requirements/dev.txt tools/setup-python
	tools/setup-python requirements
	@touch $@

$(MEMBER_STAMP): $(PYTHON_STAMP) $(MEMBERS:%=%/pyproject.toml)
	tools/setup-python members
	@touch $@

$(NODE_STAMP): $(PYTHON_STAMP) contracts/package-lock.json tools/setup-node
	tools/setup-node
	@touch $@

# Without root the script says what is missing and leaves no stamp, so that it says so again.
$(DEBIAN_STAMP): tools/setup-debian tools/apt-install
	@tools/setup-debian
