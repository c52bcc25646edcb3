# Every target sets up what it needs; `make demo` and `make test` are all a newcomer has to know.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.DEFAULT_GOAL := help
PHANTOMS ?= 118
# What a file makes once is made once; tests/conftest.py says which files come first.
PARALLEL := -n auto --dist loadfile --no-loadscope-reorder

.PHONY: help setup demo test test-all check format evaluate bench sample golden docs wheel-test floor-test judges fuzz train clean

help: ## Show the targets.
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(STAMP): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable . --group dev
	@touch $(STAMP)

setup: $(STAMP) ## Make .venv with the product and its development tools.

demo: $(STAMP) ## Grade both visits of the sample case and compare them.
	$(BIN)/lfja-mri grade sample_data/baseline --out demo_output/baseline --force
	$(BIN)/lfja-mri grade sample_data/one_year --out demo_output/one_year --force
	$(BIN)/lfja-mri compare sample_data/baseline sample_data/one_year --out demo_output/change.csv

test: $(STAMP) ## Run the fast tests.
	$(BIN)/python -m pytest $(PARALLEL) -m 'not slow'

test-all: $(STAMP) ## Run every test.
	$(BIN)/python -m pytest $(PARALLEL)

check: $(STAMP) ## Lint, formatting, types.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(STAMP) ## Format the code.
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

evaluate: $(STAMP) ## Print the accuracy table (real data where present, phantoms, messy DICOM): an hour and more; PHANTOMS=14 for a short look.
	$(BIN)/python -m benchmarks.graded_phantoms --phantoms $(PHANTOMS) --jobs 2
	LFJA_EVALUATION_PHANTOMS=$(PHANTOMS) $(BIN)/python -m benchmarks.evaluate --write docs/validation.md

bench: $(STAMP) ## Print speed and memory.
	$(BIN)/python -m benchmarks.bench --write docs/speed.md

sample: $(STAMP) ## Make sample_data again: the same bytes on one kind of processor.
	$(BIN)/python -m benchmarks.make_sample

golden: $(STAMP) ## Rewrite the CSVs that sample_data must give, and the docs' rule table; read the diff before committing.
	$(BIN)/python -m benchmarks.make_golden
	$(BIN)/python -m benchmarks.make_docs

docs: $(STAMP) ## Build the documentation; a warning is an error.
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --group docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet

wheel-test: $(STAMP) ## Install sdist and wheel into an empty environment; run the tests from outside the source tree.
	$(BIN)/python -m benchmarks.packages wheel

floor-test: $(STAMP) ## The same with every dependency at its lowest promised version.
	$(BIN)/python -m benchmarks.packages floor

judges: $(STAMP) ## Print what dciodvfy, dicom-validator, dcmqi and highdicom say of the DICOM objects.
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --group judges
	$(BIN)/python -m benchmarks.judge_dicom

fuzz: $(STAMP) ## Throw damaged files at ingestion for a minute.
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --group fuzz
	@mkdir -p build/fuzz
	$(BIN)/python benchmarks/fuzz/fuzz_ingest.py -max_total_time=60 -timeout=20 -print_final_stats=1 -artifact_prefix=build/ build/fuzz benchmarks/fuzz/corpus

train: export PYTHONPATH := .
train: ## Train the localisation network again and set it beside the shipped one (needs torch and the SPIDER slices; see training/MODEL_CARD.md).
	$(PYTHON) training/train.py --out build/training
	$(PYTHON) training/export.py build/training/step_03200.pt --target build/training/spine_unet.onnx
	$(PYTHON) training/compare.py build/training/spine_unet.onnx

clean: ## Remove what the targets made.
	rm -rf $(VENV) demo_output build dist .pytest_cache .mypy_cache .ruff_cache
