# Everything a user or a build machine needs: `make demo`, `make test`, `make build`, `make install PREFIX=…`.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c

PREFIX ?= /usr/local
# The LLVM to build against: 14 is Debian 12's, 19 can be installed beside it.
LLVM ?= 14
# Photographs for the demo: solar cells, or a built-in generator of images with DATA=synthetic.
DATA ?= cells
DEMO ?= demo

BUILD := .build/release
# What --mpi compiles with a site's MPI, beside the runtime.
MESSAGES := codegen/messages/mpi.c codegen/messages/include/wamim_messages.h
LIBRARIES := libopenblas-dev libjpeg-dev libpng-dev libwebp-dev zlib1g-dev pkg-config
# What runs kernels for ARM in tests, on x86.
EMULATION := $(if $(filter x86_64,$(shell uname -m)),qemu-user gcc-aarch64-linux-gnu libc6-dev-arm64-cross)
LLVM_PACKAGES := $(if $(filter 14,$(LLVM)),llvm-dev,llvm-$(LLVM)-dev)
export WAMIM_LLVM_VERSION := $(LLVM)
export PKG_CONFIG_PATH := $(CURDIR)/.build/pkgconfig:$(PKG_CONFIG_PATH)

.PHONY: build test test-thorough test-timm test-tensorboard test-pytorch test-precision test-wavelets test-link bench compare matmuls random soak stress numbers test-cuda gpu-check fuzz fuzz-runs demo example evidence \
  install uninstall format lint clean dependencies test-dependencies demo-data

## build: installs what is missing and builds the compiler and the trainer runtime.
build: dependencies .build/pkgconfig/wamimc-llvm.pc
	swift build -c release
	cp $(MESSAGES) $(BUILD)/

# install-packages LIST: what of it is missing, by apt-get, as root or through sudo.
define install-packages
	@missing=; for package in $(1); do \
	  dpkg-query -W -f='$${Status}' $$package 2>/dev/null | grep -q 'ok installed' || missing="$$missing $$package"; \
	done; \
	if [ -n "$$missing" ]; then \
	  echo "installing$$missing"; \
	  as_root=; [ "$$(id -u)" = 0 ] || as_root=sudo; \
	  $$as_root apt-get update -qq && \
	  $$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing >/dev/null; \
	fi
endef

dependencies:
	$(call install-packages,$(LIBRARIES) $(LLVM_PACKAGES))

test-dependencies: dependencies
	$(call install-packages,llvm-$(LLVM)-tools clang-$(LLVM) mpich libmpich-dev $(EMULATION))

# SwiftPM finds the headers of the chosen LLVM by this description.
.build/pkgconfig/wamimc-llvm.pc: FORCE | dependencies
	@mkdir -p $(@D); \
	printf 'Name: wamimc-llvm\nDescription: LLVM for wamimc\nVersion: %s\nCflags: -I%s\nLibs: -L%s\n' \
	  "$$(llvm-config-$(LLVM) --version)" "$$(llvm-config-$(LLVM) --includedir)" "$$(llvm-config-$(LLVM) --libdir)" > $@.new; \
	cmp -s $@.new $@ && rm $@.new || mv $@.new $@
.PHONY: FORCE
FORCE:

## test: installs what the tests need, checks the formatting, and runs all tests.
# No test imports a module's internals, so the tests link the library as it was just built instead of compiling it once more.
test: test-dependencies lint build
	swift test -c release --disable-testable-imports
	Tests/Fuzz/fuzz .build/fuzz-check 0
	python3 Tests/Fuzz/runs.py $(BUILD)/wamimc 20
	Tests/Soak/soak.sh $(BUILD)/wamimc 5 1000

# The Python that has timm and TensorBoard: one of ours, or what PYTHON= names.
PYTHON ?= .build/python/bin/python
.build/python/bin/python:
	$(call install-packages,python3-venv)
	python3 -m venv .build/python
# PyTorch without CUDA, a tenth of the size, where its own index can be reached, else PyPI's; both packages from the same place, as
# torchvision fits one torch only. Without a whole installation there shall be no Python that the next make takes for one.
	{ .build/python/bin/pip install -q --timeout 10 --retries 0 --index-url https://download.pytorch.org/whl/cpu torch torchvision \
	    || .build/python/bin/pip install -q torch torchvision; } \
	  && .build/python/bin/pip install -q timm safetensors tensorboard pillow PyWavelets \
	  || { rm -rf .build/python; exit 1; }

## test-thorough: all tests, with every model and every way of compiling it where `make test` takes a sample.
test-thorough: test-dependencies build
	WAMIM_THOROUGH=1 swift test -c release --disable-testable-imports

## test-timm, test-tensorboard, test-pytorch, test-precision, test-wavelets: exported encoders against timm, event files against TensorBoard,
## gradients against a plain PyTorch implementation and those in bf16 against its autocast, wavelet coefficients against PyWavelets; from PyPI.
test-timm test-tensorboard test-pytorch test-precision test-wavelets: test-%: build $(PYTHON)
	$(PYTHON) Tests/Python/test_$*.py

## test-link: two ranks in network namespaces that a link of 1 Gbit/s joins: steps, a rank that is killed, a link that is cut; as root.
test-link: test-dependencies build
	python3 Tests/Python/test_link.py

## bench: a trainer and PyTorch in turn, images a second and memory of each; MODEL=all for base, tiny and demo, TASK=finetune for
## classifiers (MODEL=vit_base).
MODEL ?= wamim_vit_tiny
TASK ?= pretrain
BENCH_MODEL = $(if $(filter file,$(origin MODEL)),$(if $(filter finetune,$(TASK)),all,$(MODEL)),$(MODEL))
BATCH ?= 32
CPU ?= native
# GHz, by which cycles that are estimated become time.
CLOCK ?= 2.8
ROUNDS ?= 5
# f32, or bf16: here and under PyTorch's autocast.
PRECISION ?= f32
THREADS ?= $(shell nproc)
bench: build $(PYTHON)
	$(PYTHON) Tests/Python/bench.py --task $(TASK) --model $(BENCH_MODEL) --batch $(BATCH) --precision $(PRECISION) --rounds $(ROUNDS) --threads $(THREADS)

## compare: WaMIM and the methods that it is compared with, each beside PyTorch; SIZE=demo for small ones, METHODS=mae_vit,simmim_vit for some.
SIZE ?= base
METHODS ?=
compare: build $(PYTHON)
	$(PYTHON) Tests/Python/compare.py --size $(SIZE) --methods "$(METHODS)" --batch $(BATCH) --threads $(THREADS)

## matmuls: the matrix products of MODEL as generated code and in OpenBLAS, beside what the compiler estimates; MODEL=shapes for many.
matmuls: build
	python3 Tests/Python/matmuls.py --model $(MODEL) --batch $(BATCH) --cpu $(CPU) --clock $(CLOCK)

## random: compiles MODELS random models in every way, and all models of the tests without each pass, and compares with the interpreter.
MODELS ?= 500
random: test-dependencies .build/pkgconfig/wamimc-llvm.pc
	WAMIM_RANDOM_MODELS=$(MODELS) WAMIM_EVERY_PASS=1 swift test -c release --disable-testable-imports \
	  --filter 'RandomRowTests|gradientsAgreeWithoutAPass'

## soak: 100 runs killed at random moments, half of them in rewinds and overwrites, and 20,000 steps with an eye on memory; takes
## about ten minutes.
soak: build
	Tests/Soak/soak.sh $(BUILD)/wamimc

## stress: trains on 10,000 files of which 500 are damaged in every way that the tests know.
stress: test-dependencies .build/pkgconfig/wamimc-llvm.pc
	WAMIM_TEST_FILES=10000 swift test -c release --disable-testable-imports --filter BadFileTests

## numbers: every generated function on each of the four thousand million numbers, for the processor CPU; takes an hour or two.
numbers: test-dependencies .build/pkgconfig/wamimc-llvm.pc
	WAMIM_EVERY_NUMBER=$(CPU) nice swift test -c release --disable-testable-imports --filter everyNumber

## test-cuda: the tests of the CUDA backend, all of them, and what gpu-check does, on emulated GPUs; takes hours. GRAPHS=mae_vit,simmim_vit
## for some of the models that run whole in five orders of threads.
GRAPHS ?=
test-cuda: test-dependencies build
	$(if $(GRAPHS),WAMIM_GRAPHS=$(GRAPHS)) WAMIM_THOROUGH=1 swift test -c release --disable-testable-imports --filter 'WaMIMCUDATests|CUDATrainerTests|CUDAModelTests'
	@mkdir -p .build/cuda-driver && ln -sf ../release/libFakeCUDA.so .build/cuda-driver/libcuda.so.1
	WAMIM_GPU_QUICK=1 WAMIM_GPU_DRIVER=$(CURDIR)/.build/cuda-driver python3 Tests/GPU/check.py $(BUILD)/wamimc .build/gpu-check

## gpu-check: on a machine with a GPU, checks every kernel against what it means, trainers against golden numbers, the processor's
## trainers and the emulator, and measures them; prints a table, and writes gpu-check/results.json. Needs nothing from a registry but what
## the build needs.
gpu-check: build
	python3 Tests/GPU/check.py $(BUILD)/wamimc

## fuzz: reads damaged images, tar archives and safetensors files, with address sanitizer on, for SECONDS_EACH each.
SECONDS_EACH ?= 600
fuzz: dependencies
	nice Tests/Fuzz/fuzz .build/fuzz $(SECONDS_EACH)

## fuzz-runs: damages the folders of runs at random and runs every command on them, for SECONDS_EACH.
fuzz-runs: build
	python3 Tests/Fuzz/runs.py $(BUILD)/wamimc $(SECONDS_EACH)

## demo: compiles the demo model, or another that MODEL= names, trains it for a minute or two and draws what it predicts.
DEMO_MODEL := $(if $(filter command environment,$(origin MODEL)),$(MODEL),wamim_vit_demo)
demo: build demo-data
	$(BUILD)/wamimc graphs/$(DEMO_MODEL).wg -o $(DEMO)/train
	$(DEMO)/train fit --data $(DEMO_IMAGES) --out $(DEMO)/run --overwrite
	$(DEMO)/train reconstruct --checkpoint $(DEMO)/run --data $(DEMO_IMAGES) --count 4 -o $(DEMO)/reconstruction.png
	@echo "input, mask, reconstruction and each level's target and prediction: $(DEMO)/reconstruction.png"
	@echo "to see how it learned: tensorboard --logdir $(DEMO)/run"
	@echo "to train it further:   $(DEMO)/train fit --resume $(DEMO)/run --epochs 2.6"

ifeq ($(DATA),synthetic)
DEMO_IMAGES := synthetic:2624
demo-data:
	@mkdir -p $(DEMO)
else
DEMO_IMAGES := $(DEMO)/data
# The wheel is a zip archive; nothing of it is run.
demo-data:
	@mkdir -p $(DEMO)
	@if [ ! -d $(DEMO)/data ]; then \
	  command -v pip >/dev/null || command -v pip3 >/dev/null || $(MAKE) --no-print-directory pip; \
	  echo "fetching 2,624 photographs of solar cells (elpv-dataset)"; \
	  rm -rf $(DEMO)/download && mkdir -p $(DEMO)/download; \
	  $$(command -v pip || command -v pip3) download -q --no-deps -d $(DEMO)/download elpv-dataset==1.0.0.post1; \
	  python3 -m zipfile -e $(DEMO)/download/*.whl $(DEMO)/download; \
	  mv $(DEMO)/download/elpv_dataset/data $(DEMO)/data; \
	  rm -rf $(DEMO)/download; \
	fi
endif

.PHONY: pip
pip:
	$(call install-packages,python3-pip)

## evidence: pre-trains, fine-tunes and probes small models on two sets of images, for hours; goes on where it was interrupted, and
## writes docs/evidence.md. EVIDENCE= takes options of examples/evidence/evidence.py.
evidence: build
	python3 examples/evidence/evidence.py $(EVIDENCE)

## example: builds the examples' package against this one, compiles its model and trains it.
example: build
	swift build -c release --package-path examples
	@mkdir -p $(DEMO)
	WAMIMC_LIBRARY_PATH=$(CURDIR)/$(BUILD) examples/.build/release/PixelAutoencoder $(DEMO)/pixels
	$(DEMO)/pixels fit --data synthetic:1024 --epochs 4 --out $(DEMO)/pixels-run --overwrite

## install: puts the compiler and what it links trainers with under PREFIX.
install: build
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/lib/wamimc $(DESTDIR)$(PREFIX)/share/wamimc/graphs
	install -m 755 $(BUILD)/wamimc $(DESTDIR)$(PREFIX)/bin/wamimc
	install -m 644 $(BUILD)/libWaMIMRuntime.a $(MESSAGES) $(DESTDIR)$(PREFIX)/lib/wamimc/
	install -m 644 graphs/*.wg $(DESTDIR)$(PREFIX)/share/wamimc/graphs/

uninstall:
	rm -rf $(DESTDIR)$(PREFIX)/bin/wamimc $(DESTDIR)$(PREFIX)/lib/wamimc $(DESTDIR)$(PREFIX)/share/wamimc

## format, lint: the toolchain's formatter, in place or as a check.
format:
	git ls-files '*.swift' | xargs swift format --in-place

lint:
	git ls-files '*.swift' | xargs swift format lint --strict

clean:
	rm -rf .build $(DEMO)
