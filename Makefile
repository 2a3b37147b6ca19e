# A small door in front of meson. `make help` lists what it can do; docs/house.md says how the house is built.
BUILD   ?= build
PREFIX  ?= /usr/local
DESTDIR ?=
RUN     ?= run
JOBS    ?= $(shell nproc)
SMTP_PORT        ?= 2525
SUBMISSION_PORT  ?= 2587
SUBMISSIONS_PORT ?= 2465

.PHONY: all help run stop test test-peers bench fuzz soak install deps deps-build clean configure

all: configure
	@ninja -j$(JOBS) -C $(BUILD) sallyportd sallyport

help:
	@echo "make             build build/sallyportd and build/sallyport"
	@echo "make run         from nothing to a running server on loopback, with three commands to try (make stop ends it)"
	@echo "make test        everything that must pass before a change is taken"
	@echo "make test-peers  with real mail servers, each in a root of its own below ~/.cache (as root; makes what is missing)"
	@echo "make bench       measure, beside a do-nothing sink and Postfix (bench/RESULTS.md)"
	@echo "make fuzz        every fuzzer, FUZZ_SECONDS each (600)"
	@echo "make soak        SEEDS simulation seeds (10000)"
	@echo "make install     to DESTDIR and PREFIX (/usr/local)"
	@echo "make deps        the Debian packages that building and testing need"

configure:
	@test -f $(BUILD)/build.ninja || meson setup $(BUILD) . >/dev/null

deps:
	@tools/deps all

deps-build:
	@tools/deps build

run: deps-build
	@$(MAKE) --no-print-directory all
	@tools/run-here $(BUILD) $(RUN) $(SMTP_PORT) $(SUBMISSION_PORT) $(SUBMISSIONS_PORT)

stop:
	@tools/run-here --stop $(RUN)

test: all
	@tests/run --build $(BUILD)

test-peers: all
	@tests/run --build $(BUILD) --peers

bench: all
	@bench/run --build $(BUILD)

fuzz:
	@tests/fuzz/run --seconds $${FUZZ_SECONDS:-600}

soak: all
	@tests/run --build $(BUILD) --only simulation --seeds $${SEEDS:-10000}

install: all
	@tools/install $(BUILD) "$(DESTDIR)" "$(PREFIX)"

clean:
	rm -rf $(BUILD)
