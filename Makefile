CARGO := $(shell PATH="$$PATH:$$HOME/.cargo/bin" command -v cargo || echo cargo)
TARGET := $(or $(CARGO_TARGET_DIR),target)
PLUGINS := $(or $(XDG_DATA_HOME),$(HOME)/.local/share)/gstreamer-1.0/plugins
LIBRARY := libgstvideosocket.$(if $(filter Darwin,$(shell uname -s)),dylib,so)

MINUTES := 10
SECONDS := 600

.PHONY: help setup demo bench bench-serving bench-strangers soak test test-rust test-python test-browser test-crate test-on screenshot fuzz lint oldest-rust deny sanitize docs-cache deb install uninstall

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-15s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

setup: ## Install what is missing to build and test (apt; elsewhere, print the command)
	@scripts/setup.sh

demo: setup ## Let two video chats talk for ten seconds and show what came through (FILM=file sends a film)
	@$(CARGO) build --profile demo --package videosocket-examples --no-default-features --example videochat
	@scripts/demo.sh $(TARGET)/demo/examples/videochat $(if $(FILM),"$(FILM)")

bench: setup ## Compare with plain sockets and with other elements, some minutes (BENCH="--quick", "--help")
	$(CARGO) bench --bench transport -- $(BENCH)

bench-serving: setup ## Measure many clients, and slow ones, some minutes (BENCH="--quick", "--help")
	$(CARGO) bench --bench serving -- $(BENCH)

bench-strangers: setup ## Measure good peers beside thousands of strangers, some minutes (BENCH="--quick", "--help")
	$(CARGO) bench --bench strangers -- $(BENCH)

soak: setup ## Kill, stall and cut off sender, relay and viewers again and again; fails on growth (MINUTES=60, BENCH="--chart file.svg")
	$(CARGO) bench --bench soak -- --minutes $(MINUTES) $(BENCH)

# Of GLib and GStreamer: each is a fault in a program.
test test-rust test-python: export G_DEBUG = fatal-criticals

test: ## Run every test
	@status=0; \
	$(MAKE) --no-print-directory test-rust || status=1; \
	$(MAKE) --no-print-directory test-python || status=1; \
	exit $$status

test-rust: setup
	$(CARGO) test --no-fail-fast

test-python: setup
	python3 -m unittest discover -s examples/python

test-browser: ## Run the tests of camera_server's page in Chromium, which apt installs
	@scripts/test-browser.sh

screenshot: ## Take the picture of that page anew (docs/web.png)
	@scripts/test-browser.sh tests/browser/screenshot.py docs/web.png

test-crate: setup ## Build and run a program that links the crate, as it would be published
	@scripts/test-crate.sh

test-on: ## Run every test on another suite of Debian (SUITE=bookworm, trixie, forky; ARCH=arm64: by qemu; as root)
	@scripts/test-on.sh "$(SUITE)" $(if $(ARCH),--arch "$(ARCH)")

fuzz: ## Run the fuzz targets, for so long in all (SECONDS=600; nightly Rust, cargo install cargo-fuzz)
	@scripts/fuzz.sh "$(SECONDS)"

lint: setup ## Check the formatting, the lints, the documentation and the layers
	$(CARGO) fmt --all --check
	$(CARGO) clippy --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --no-deps --document-private-items
	scripts/layers.sh

oldest-rust: setup ## Build everything with the oldest Rust that Cargo.toml allows, by rustup
	@scripts/oldest-rust.sh

deny: ## Check licences, duplicates, sources and advisories of all crates (cargo install cargo-deny)
	@scripts/deny.sh

sanitize: ## Look for undefined behaviour, leaks and races (TOOLS="miri address thread leaks memcheck")
	@scripts/sanitize.sh $(TOOLS)

docs-cache: setup ## Write anew what GStreamer shows of the elements (docs/PROPERTIES.md and gst_plugin_cache.json)
	VIDEOSOCKET_WRITE_DOCS_CACHE=1 $(CARGO) test --test docs_cache

deb: setup ## Build the Debian package, in target/debian (needs cargo-deb, and apt's dpkg-dev)
	@command -v dpkg-shlibdeps >/dev/null || { echo "dpkg-shlibdeps is missing, which apt has in dpkg-dev" >&2; exit 1; }
	$(CARGO) deb --multiarch=same

install: setup ## Build the plugin and install it for this user
	$(CARGO) build --release --lib --package gst-plugin-videosocket
	mkdir -p "$(PLUGINS)"
	install -m 755 "$(TARGET)/release/$(LIBRARY)" "$(PLUGINS)/"
	@echo "Installed. To check: gst-inspect-1.0 videosocket"

uninstall: ## Remove the installed plugin
	rm -f "$(PLUGINS)/$(LIBRARY)"
