//go:build tools

// Package tools names the programs that `make kubernetes-server` builds, so that go.mod keeps their versions.
package tools

import (
	_ "go.etcd.io/etcd/server/v3"
	_ "k8s.io/kubernetes/cmd/kube-apiserver"
)
