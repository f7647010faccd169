package kafka

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/goleak"
)

// childDir, when set, makes the test binary a broker on that directory instead (see child_test.go).
const childDir = "ANABRANCH_TEST_BROKER_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		os.Exit(runBroker(dir, os.Getenv(childAddr)))
	}
	goleak.VerifyTestMain(m)
}

// start runs a broker in this process; dir "" keeps its log in memory.
func start(t *testing.T, dir string) *Embedded {
	t.Helper()
	broker, err := StartEmbedded(EmbeddedConfig{Dir: dir, Logger: testLogger(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := broker.Close(); err != nil {
			t.Errorf("close broker: %v", err)
		}
	})
	return broker
}

func dial(t *testing.T, addr string, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	client, err := Dial([]string{addr}, testLogger(t), append([]kgo.Opt{Local(), fastRetry()}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}

// fastRetry makes clients of a restarted broker find it at once.
func fastRetry() kgo.Opt {
	return kgo.RetryBackoffFn(func(int) time.Duration { return 20 * time.Millisecond })
}

func ensure(t *testing.T, client *kgo.Client, spec Spec) Topics {
	t.Helper()
	topics, err := EnsureTopics(deadline(t), client, spec)
	if err != nil {
		t.Fatal(err)
	}
	return topics
}

func produce(t *testing.T, client *kgo.Client, records ...*kgo.Record) {
	t.Helper()
	if err := client.ProduceSync(deadline(t), records...).FirstErr(); err != nil {
		t.Fatal(err)
	}
}

// readAll returns every committed record of a topic, by partition and in order.
func readAll(t *testing.T, addr, topic string) map[int32][]*kgo.Record {
	t.Helper()
	ctx, client := deadline(t), dial(t, addr)
	pending, err := unread(ctx, client, topic)
	if err != nil {
		t.Fatal(err)
	}
	client.AddConsumePartitions(pending.from)
	records := map[int32][]*kgo.Record{}
	for len(pending.end) > 0 {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			t.Fatal(err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			records[r.Partition] = append(records[r.Partition], r)
			pending.reached(r)
		})
	}
	return records
}

func deadline(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}
