package kafka

import (
	"os"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// A batch is appended, its acknowledgement lost, and the broker replaced before the producer retries.
// After a clean stop the successor knows the sequence number and appends nothing; after a kill it
// does not, and the record is there twice: readers have to tolerate it.
func TestRetryAcrossBrokers(t *testing.T) {
	for name, c := range map[string]struct {
		killed bool
		want   int
	}{"stopped": {false, 1}, "killed": {true, 2}} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			broker, err := StartEmbedded(EmbeddedConfig{Dir: dir})
			if err != nil {
				t.Fatal(err)
			}
			client := dial(t, broker.Addr())
			ensure(t, client, Spec{Partitions: 1})
			appended := broker.Cluster().Fault(kfake.Fault{
				Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.NotEnoughReplicasAfterAppend, Count: -1,
			})
			result := make(chan error, 1)
			client.Produce(deadline(t), &kgo.Record{Topic: EventsTopic, Value: []byte("v")}, func(_ *kgo.Record, err error) { result <- err })
			if err := appended.Wait(deadline(t), 1); err != nil {
				t.Fatal(err)
			}
			// The fault strikes while the request is handled, which may be before the append.
			limit := deadline(t)
			for len(readAll(t, broker.Addr(), EventsTopic)[0]) == 0 {
				if err := limit.Err(); err != nil {
					t.Fatal("the record was never appended: ", err)
				}
			}
			successor := dir
			if c.killed { // what is on disk at this instant is what a kill leaves
				successor = t.TempDir()
				if err := os.CopyFS(successor, os.DirFS(dir)); err != nil {
					t.Fatal(err)
				}
			}
			if err := broker.Close(); err != nil {
				t.Fatal(err)
			}
			next, err := StartEmbedded(EmbeddedConfig{Dir: successor, Addr: broker.Addr()})
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = next.Close() }()
			if err := <-result; err != nil {
				t.Fatal(err)
			}
			if records := readAll(t, next.Addr(), EventsTopic)[0]; len(records) != c.want {
				t.Errorf("the log holds the record %d times, want %d", len(records), c.want)
			}
		})
	}
}
