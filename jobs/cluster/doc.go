// Package cluster holds the test that runs the stream layer on a Redis Cluster, from the topic to what serving
// answers, while the cluster's nodes crash, its slots move and replicas are promoted.
//
//	world_integration_test.go    a topic with events that the test knows, and the naive oracle's word on every answer
//	cluster_integration_test.go  what happens to the cluster meanwhile
//
// It needs the build tag integration and `make integration`.
package cluster
