# SPDX-License-Identifier: BSD-3-Clause
# A few verbs over meson; the build itself is described in meson.build. `make` builds build/vtrace.
BUILD ?= build
ASAN ?= build-asan
FUZZ_SECONDS ?= 60
SEEDS ?= 2000
DESTDIR ?=
EVALUATION ?=
SOURCES = $(shell git ls-files -co --exclude-standard '*.c' '*.h')

.PHONY: all debug demo test smoke sim fuzz bench evaluation lint format causes-doc faults-doc install clean prepare

all: $(BUILD)/build.ninja
	@ninja -C $(BUILD) --quiet
	@ln -sf src/vtrace $(BUILD)/vtrace

$(BUILD)/build.ninja:
	@meson setup $(BUILD) >$(BUILD)-setup.log 2>&1 || { cat $(BUILD)-setup.log; rm -rf $(BUILD) $(BUILD)-setup.log; exit 1; }
	@rm -f $(BUILD)-setup.log

debug: $(ASAN)/build.ninja
	@ninja -C $(ASAN) --quiet
	@ln -sf src/vtrace $(ASAN)/vtrace

$(ASAN)/build.ninja:
	@meson setup $(ASAN) -Db_sanitize=address,undefined -Db_lundef=false >$(ASAN)-setup.log 2>&1 || \
		{ cat $(ASAN)-setup.log; rm -rf $(ASAN) $(ASAN)-setup.log; exit 1; }
	@rm -f $(ASAN)-setup.log

# What demo, test and the like need before they can build: says in a line what the machine lacks, installs packages.
prepare:
	@tools/check-machine
	@tools/install-deps

# DATAPATH=linux (as root) or vfd (any user); left out, the first where it can be.
demo:
	@script=$$(demo/choose $(DATAPATH)) && tools/check-machine $${script#demo/} && tools/install-deps && \
		$(MAKE) --no-print-directory all && $$script

test: prepare
	@$(MAKE) --no-print-directory all debug
	@tests/run

smoke: prepare
	@$(MAKE) --no-print-directory all
	@tests/run smoke

# Needs neither root nor packages beyond those to build: make sim SEEDS=10000 is a night's size.
sim: prepare
	@$(MAKE) --no-print-directory all
	@$(BUILD)/sim/vtrace-sim --runs $(SEEDS)

fuzz: prepare
	@tests/fuzz/run $(FUZZ_SECONDS)

bench: prepare
	@$(MAKE) --no-print-directory all
	@bench/run

# The paper's evaluation, for the VFD and for Linux; 10 minutes. EVALUATION=--quick is a first look.
evaluation: prepare
	@$(MAKE) --no-print-directory all
	@bench/evaluate $(EVALUATION)

lint: all
	@tests/run lint

format:
	@clang-format -i $(SOURCES)

# docs/causes.md from the table of causes; docs/faults.md from a run of the conformance suite (as root).
causes-doc: all
	@tools/causes-doc $(BUILD)/src/vtrace

faults-doc: prepare
	@$(MAKE) --no-print-directory all
	@VTRACE_FAULTS_DOC=$(CURDIR)/docs/faults.md tests/run conformance

install: all
	@DESTDIR=$(DESTDIR) meson install -C $(BUILD)

clean:
	@rm -rf $(BUILD) $(ASAN)
