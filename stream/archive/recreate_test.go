package archive

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/anabranch/anabranch/infra/kafka"
)

// TestRunTopicRecreated deletes the topic under a running archiver. The client itself takes some ten
// seconds to believe it.
func TestRunTopicRecreated(t *testing.T) {
	t.Parallel()
	k := startBroker(t, 1)
	k.produce(0, 10)
	k.mark(1)
	b := openBucket(t)
	a := k.archive(b, Limits{}, nil)
	a.await(t, 1)
	_, err := kadm.NewClient(k.client).DeleteTopics(t.Context(), "events")
	must(t, err)
	_, err = kafka.EnsureTopics(t.Context(), k.client, kafka.Spec{Partitions: 1})
	must(t, err)
	halted(t, a.failed(t), "events/0", "recreated", "doctor")
}
