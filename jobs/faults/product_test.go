//go:build integration

package faults

import (
	"context"
	"fmt"

	"github.com/anabranch/anabranch/infra/kafka"
	"github.com/anabranch/anabranch/schemas/feature"
)

// productTopics makes the topics that commands use, and lets the row work on them with the default catalogue. Rows that
// do so need a Redis of their own, since their keys are everybody's.
func (w *world) productTopics(ctx context.Context) error {
	var err error
	if w.catalogue, err = feature.Default(); err != nil {
		return err
	}
	w.topic, w.dlq = kafka.EventsTopic, kafka.DeadLettersTopic
	w.others = []string{kafka.ItemsTopic, kafka.UsersTopic}
	// Those of the row before are on their way out perhaps.
	return await(ctx, "the topics are made", func() (bool, error) {
		if _, err := kafka.EnsureTopics(ctx, w.client, kafka.Spec{Partitions: w.partitions}); err != nil {
			return false, nil //nolint:nilerror // tried again
		}
		return true, w.awaitTopics(ctx)
	})
}

// product starts a command of the product on the row's servers.
func (w *world) product(command string, args ...string) (*process, error) {
	all := append([]string{command, "--kafka", w.brokers, "--bucket", w.bucketURL}, args...)
	switch command {
	case "stream", "serve", "ingest", "archive", "dev":
		all = append(all, "--listen", "127.0.0.1:0")
	}
	if command != "archive" && command != "ingest" {
		all = append(all, "--redis", w.redisAddr)
	}
	p, err := w.spawn(childConfig{Role: roleProduct}, all...)
	if err != nil {
		return nil, err
	}
	p.name = fmt.Sprintf("%s (anabranch %s)", p.name, command)
	return p, nil
}
