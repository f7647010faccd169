// Package cluster holds the test that runs the stream layer on a Redis Cluster, from the topic to what serving
// answers, while the cluster's nodes crash and its slots move.
//
//	world_integration_test.go    a topic with events that the test knows, and the naive oracle's word on every answer
//	cluster_integration_test.go  what happens to the cluster meanwhile
//
// It needs the build tag integration and `make integration`. The cluster has no replicas: a node that fails is
// restarted with what its append-only file kept, less than what it had acknowledged, which is what promoting a
// replica that lags amounts to. Promotion itself is tried on a single master, in infra/redis.
package cluster
