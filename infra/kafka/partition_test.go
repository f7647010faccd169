package kafka

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
	"pgregory.net/rapid"
)

func TestPartitionOfIsWhereKafkaClientsProduce(t *testing.T) {
	broker := start(t, "")
	const partitions = 7
	ensure(t, dial(t, broker.Addr()), Spec{Partitions: partitions})
	clients := map[string]*kgo.Client{
		"ours":    dial(t, broker.Addr()),
		"default": dial(t, broker.Addr(), kgo.RecordPartitioner(kgo.UniformBytesPartitioner(64<<10, true, true, nil))),
	}
	for name, client := range clients {
		rapid.Check(t, func(rt *rapid.T) {
			user := rapid.OneOf(rapid.StringN(1, 40, -1), rapid.StringMatching(`[ü日𝄞\x00-\x7f]{1,9}`)).Draw(rt, "user")
			r, err := client.ProduceSync(rt.Context(), &kgo.Record{Topic: EventsTopic, Key: []byte(user)}).First()
			if err != nil {
				rt.Fatal(err)
			}
			if want := PartitionOf(user, partitions); r.Partition != want {
				rt.Fatalf("%s: kgo produced %q to %d, PartitionOf says %d", name, user, r.Partition, want)
			}
		})
	}
}
