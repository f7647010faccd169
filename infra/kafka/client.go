package kafka

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Dial returns a client with the options that every part of Anabranch relies on; opts come last and
// win. It does not connect yet. A nil logger discards.
//
//   - Produced records are acknowledged by all in-sync replicas, idempotent, and partitioned by
//     Kafka's own hash of the key, or to an explicit partition (see [WriteMark]).
//   - Consumers read committed records only, and an offset that the broker does not hold is an error
//     of the partition, never a silent reset.
func Dial(seeds []string, logger *slog.Logger, opts ...kgo.Opt) (*kgo.Client, error) {
	if len(seeds) == 0 {
		return nil, errors.New("dial kafka: no seed brokers")
	}
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	base := []kgo.Opt{
		kgo.SeedBrokers(seeds...),
		kgo.ClientID("anabranch"),
		kgo.WithLogger(newClientLog(logger)),
		kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.RecordPartitioner(newPartitioner()),
		// Long enough to share a batch under load, short against the 50 ms in which an event counts.
		kgo.ProducerLinger(2 * time.Millisecond),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.ConsumeResetOffset(kgo.NoResetOffset()),
	}
	client, err := kgo.NewClient(append(base, opts...)...)
	if err != nil {
		return nil, fmt.Errorf("dial kafka %v: %w", seeds, err)
	}
	return client, nil
}

// Local are options for a broker on the same machine, such as the embedded one: metadata is asked
// for again after 20 ms instead of seconds, because asking costs nothing there.
func Local() kgo.Opt { return kgo.MetadataMinAge(20 * time.Millisecond) }
