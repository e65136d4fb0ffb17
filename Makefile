# The work is in bootstrap/; `make help` lists the commands and their variables.
STACK ?= modern
PYTHON ?=
PYTEST_ARGS ?=
QUICK ?=
DEVICE ?= cpu
ARCH ?= 9.0
OUT ?= work_dirs/gpu
VENV := $(if $(filter modern,$(STACK)),.venv,.venv-$(STACK))
PY := $(VENV)/bin/python
PYTEST := OMP_NUM_THREADS=1 $(PY) -m pytest -n auto --maxprocesses 8 --dist loadfile

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-quick test-slow test-gpu gpu gpu-wheels bench docs lint clean

help: ## List the commands.
	@sed -n 's/^\([a-z-]*\): .*## /make \1\t/p' $(MAKEFILE_LIST) | expand -t 16
	@echo
	@echo 'STACK=modern|openmmlab|classic  the pinned versions (default modern)'
	@echo 'PYTHON=PATH           the Python that builds the virtual environment'
	@echo 'MMCV_FIND_LINKS=URL   take mmcv from this wheel index instead of compiling it'
	@echo 'FORCE_CUDA=1|0        compile mmcv with its CUDA ops, or never'
	@echo 'PYTEST_ARGS=...       options that the test targets pass to pytest'
	@echo 'QUICK=1               the short form of make demo and make bench'
	@echo 'DEVICE=cpu|cuda       the device that make bench measures (default cpu)'

setup: ## Build the virtual environment, unless it is up to date.
	@python="$$(sh bootstrap/find_python.sh '$(STACK)' '$(PYTHON)' '$(PY)')" \
		&& "$$python" -m bootstrap --stack '$(STACK)' --venv '$(VENV)'

demo: setup ## Set-up, then teacher and students on the embedded data set.
	$(PY) tools/demo.py $(if $(filter-out 0,$(QUICK)),--quick)

test: setup ## Set-up, then the test suite.
	$(PYTEST) -m 'not soak' $(PYTEST_ARGS)

test-quick: setup ## Set-up, then the tests that take a few seconds at most.
	$(PYTEST) -m 'not slow and not soak' $(PYTEST_ARGS)

test-slow: setup ## Set-up, then the tests that take minutes, which make test leaves out.
	$(PYTEST) -m soak $(PYTEST_ARGS)

test-gpu: setup ## Set-up, then the tests that need a GPU; fails if none ran.
	KDRANK_REQUIRE_GPU=1 $(PY) -m pytest -m cuda $(PYTEST_ARGS)

gpu-wheels: setup ## Collect what `make gpu` needs on a machine without a network; ARCH=9.0 names the card.
	$(PY) -m bootstrap.gpu_wheels --stack '$(STACK)' --venv '$(VENV)' --arch '$(ARCH)'

gpu: ## Run every check and figure that needs a GPU, in eight minutes, into OUT=work_dirs/gpu.
	bash benchmarks/gpu.sh '$(OUT)'

bench: setup ## Set-up, then all benchmarks: CSV files, plots and the tables of docs/reports/performance.md.
	$(PY) -W ignore benchmarks/run.py --device $(DEVICE) $(if $(filter-out 0,$(QUICK)),--quick)

# NO_MKDOCS_2_WARNING silences the theme's note about its own future; our warnings stay.
docs: ## Build the documentation site into site/, in its own environment; warnings are errors.
	@python="$$(sh bootstrap/find_python.sh modern '$(PYTHON)' .venv-docs/bin/python)" \
		&& "$$python" -m bootstrap.docs
	NO_MKDOCS_2_WARNING=1 .venv-docs/bin/python -m mkdocs build

lint: setup ## Set-up, then ruff's checks and format, and import-linter's contracts.
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(VENV)/bin/lint-imports --no-cache --no-logo

clean: ## Remove virtual environments and caches; trained models stay.
	rm -rf .venv .venv-openmmlab .venv-classic .venv-docs .venv*.lock build dist site *.egg-info .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
