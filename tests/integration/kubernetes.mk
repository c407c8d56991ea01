# A real kube-apiserver and etcd for tests/integration/test_target_kubernetes.py, built with Go from the versions pinned in
# tests/integration/kubernetes_server/go.mod: some minutes on two cores, once; kept in build/kubernetes, for sanitizers too.
HELP_MORE += 'make kubernetes-server  builds kube-apiserver and etcd for the tests of kubernetes targets (needs Go)'
KUBERNETES := build/kubernetes
KUBERNETES_SOURCES := tests/integration/kubernetes_server
KUBERNETES_VERSION = $(shell sed -n 's|^\tk8s.io/kubernetes v||p' $(KUBERNETES_SOURCES)/go.mod)
kubernetes_flags = -s -w -X k8s.io/component-base/version.gitVersion=v$(1) \
  -X k8s.io/component-base/version.gitMajor=$(word 1,$(subst ., ,$(1))) \
  -X k8s.io/component-base/version.gitMinor=$(word 2,$(subst ., ,$(1)))

.PHONY: kubernetes-server
kubernetes-server: $(KUBERNETES)/etcd $(KUBERNETES)/kube-apiserver
$(KUBERNETES)/etcd: $(KUBERNETES_SOURCES)/go.mod
	@mkdir -p $(@D)
	$(call say,GO,$@)cd $(KUBERNETES_SOURCES) && GOTOOLCHAIN=local go build -p 2 -ldflags '-s -w' -o $(abspath $@) go.etcd.io/etcd/server/v3
$(KUBERNETES)/kube-apiserver: $(KUBERNETES_SOURCES)/go.mod
	@mkdir -p $(@D)
	$(call say,GO,$@)cd $(KUBERNETES_SOURCES) && GOTOOLCHAIN=local go build -p 2 -ldflags '$(call kubernetes_flags,$(KUBERNETES_VERSION))' \
	  -o $(abspath $@) k8s.io/kubernetes/cmd/kube-apiserver
